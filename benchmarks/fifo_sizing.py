"""Seconds to size the FIFOs of networks, and what is proved of them.

python -m benchmarks.fifo_sizing [--network resnet50] [--size 224] [--interval 614656]
"""

from __future__ import annotations

import argparse
import time

from benchmarks.networks import NETWORKS, resnet50
from dfcompile.command.console import show_table
from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.design import Design
from dfcompile.folding.fold import cheapest
from dfcompile.ir.graph import Graph
from dfcompile.timing.fifo_sizing import size_fifos
from dfcompile.timing.system import build


def folded(graph: Graph, interval: int) -> Design:
    """The cheapest design at an interval, without FIFOs."""
    return connect(apply_folding(graph, cheapest(graph, interval).choices))


def main() -> None:
    """Print one row: a first sizing of a small network keeps the compilation of the timing model out of the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=tuple(NETWORKS), default="resnet50")
    parser.add_argument("--size", type=int, help="rows and columns of the picture, for resnet50")
    parser.add_argument("--interval", type=int, default=614_656)
    given = parser.parse_args()
    size_fifos(folded(NETWORKS["resnet8"](), 20_000))
    made = folded(resnet50(given.size) if given.size else NETWORKS[given.network](), given.interval)
    events = sum(len(g) for g in build(made).gaps)
    start = time.process_time()
    _, found = size_fifos(made)
    spent = time.process_time() - start
    names = ["units", "events a frame", "cycles a frame", "bits", "minimal", "optimal", "CPU seconds"]
    show_table(given.network, names, [[len(made.nodes), events, found.interval, found.total_bits, found.minimal, found.optimal, spent]])


if __name__ == "__main__":
    main()
