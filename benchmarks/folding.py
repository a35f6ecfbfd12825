"""Seconds to the optimal folding of networks on boards, with the proof.

python -m benchmarks.folding [--network resnet18] [--board zcu104]
"""

from __future__ import annotations

import argparse
import time

from benchmarks.networks import NETWORKS
from dfcompile.boards import find_board
from dfcompile.console import show_table
from dfcompile.dataflow.fold import fastest, lanes
from dfcompile.errors import CompileError

BOARDS = ("pynq-z2", "zcu104", "alveo-u250")


def main() -> None:
    """Print one row for each network and board."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=tuple(NETWORKS), action="append")
    parser.add_argument("--board", action="append")
    given = parser.parse_args()
    rows: list[list[object]] = []
    for name in given.network or NETWORKS:
        graph = NETWORKS[name]()
        for board in given.board or BOARDS:
            start = time.perf_counter()
            try:
                found = fastest(graph, find_board(board))
                area = found.solution.area
                gaps = [f"{found.gap:.2%}", f"{found.solution.gap:.2%}"]
                cells = [found.interval, lanes(graph, found.choices), *(float(area[i]) for i in (0, 2, 4)), *gaps]
            except CompileError as e:
                cells = [e.problems[0].code, "", "", "", "", "", ""]
            rows.append([name, board, *cells, time.perf_counter() - start])
            print(rows[-1], flush=True)
    show_table("fastest folding", ["network", "board", "interval", "lanes", "LUT", "BRAM36", "DSP", "gap", "cost gap", "seconds"], rows)


if __name__ == "__main__":
    main()
