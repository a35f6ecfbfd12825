"""Processor seconds to the optimal folding of networks on boards, with the proof.

python -m benchmarks.folding [--network resnet18] [--board zcu104]
python -m benchmarks.folding --network mlp --interval 400      the cheapest design, with dividing lanes only and with any
python -m benchmarks.folding --model cnv.onnx --interval 24000
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.networks import NETWORKS
from dfcompile.command.console import show_table
from dfcompile.device.boards import find_board
from dfcompile.errors import CompileError
from dfcompile.folding import option as fold_option
from dfcompile.folding.fold import cheapest, fastest, lanes
from dfcompile.front import FRONT, Job
from dfcompile.ir.graph import Graph

BOARDS = ("pynq-z2", "zcu104", "alveo-u250")


def lowered(model: Path) -> Graph:
    """The unit graph of a model."""
    return FRONT(Job(model), model).units


def compare(graphs: dict[str, Graph], interval: int) -> None:
    """Print the cheapest design at an interval with dividing lanes only, and with any."""
    every = fold_option.folds
    rows: list[list[object]] = []
    for name, graph in graphs.items():
        for kind, offered in (("dividing", lambda unit: [f for f in every(unit) if not f.padded]), ("any", every)):
            fold_option.folds = offered
            found = cheapest(graph, interval)
            rows.append([name, interval, kind, found.interval, found.value, float(found.solution.area[0]), lanes(graph, found.choices)])
    fold_option.folds = every
    show_table("cheapest folding", ["network", "at most", "lanes that", "interval", "cost", "LUT", "lanes"], rows)


def main() -> None:
    """Print one row for each network and board."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=tuple(NETWORKS), action="append")
    parser.add_argument("--board", action="append")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--interval", type=int)
    given = parser.parse_args()
    if given.interval:
        graphs = {n: NETWORKS[n]() for n in given.network or ()} | ({given.model.stem: lowered(given.model)} if given.model else {})
        compare(graphs, given.interval)
        return
    rows: list[list[object]] = []
    for name in given.network or NETWORKS:
        graph = NETWORKS[name]()
        for board in given.board or BOARDS:
            start = time.process_time()
            try:
                found = fastest(graph, find_board(board))
                area = found.solution.area
                gaps = [f"{found.gap:.2%}", f"{found.solution.gap:.2%}"]
                cells = [found.interval, lanes(graph, found.choices), *(float(area[i]) for i in (0, 2, 4)), *gaps]
            except CompileError as e:
                cells = [e.problems[0].code, "", "", "", "", "", ""]
            rows.append([name, board, *cells, time.process_time() - start])
            print(rows[-1], flush=True)
    show_table("fastest folding", ["network", "board", "interval", "lanes", "LUT", "BRAM36", "DSP", "gap", "cost gap", "CPU s"], rows)


if __name__ == "__main__":
    main()
