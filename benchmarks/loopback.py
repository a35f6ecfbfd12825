"""ResNet-18 and -50 shaped networks of 4 bits, 224 x 224, in loopback mode: `python -m benchmarks.loopback [BOARD...]`.

Prints for each network and board the engine, cycles, rates and roofs, the processor seconds of the build (search for the engine, program,
replay), and whether a frame of random codes through the Python engine gives exactly what the integer graph gives.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from dfcompile.device.boards import find_board
from dfcompile.loopback.area import resources
from dfcompile.loopback.config import BYTE
from dfcompile.mode.loopback_build import build_loopback, loopback_roofline
from dfcompile.streamline.host import HostSide
from tests.loopback.resnet import resnet

NETWORKS = {"ResNet-18": ((2, 2, 2, 2), False), "ResNet-50": ((3, 4, 6, 3), True)}
BOARDS = ("pynq-z2", "kv260")


def measure(name: str, board_name: str) -> str:
    """A row of the table in docs/loopback.md."""
    blocks, bottleneck = NETWORKS[name]
    graph, board = resnet(blocks, bottleneck), find_board(board_name)
    start = time.process_time()
    made = build_loopback(graph, HostSide({}, (), (), graph, {}), graph, {"clock": board.clock}, board)
    roofs, c = loopback_roofline(made), made.config
    seconds = time.process_time() - start
    codes = {"x": np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3))}
    found, wanted = made.run_codes(codes), graph.execute(codes)
    same = all(np.array_equal(found[t], wanted[t]) for t in graph.outputs)
    array = f"{c.pe} x {c.simd}" + (f" x {c.pixels}" if c.pixels > 1 else "")
    digits = f", digits of {c.act_bits} bits" if c.act_bits < BYTE else ""
    engine = f"{array}, {c.act_words} act, {c.weight_words} weight words{digits}"
    used = resources(c, board.family)
    area = f"{used.lut:,.0f} | {used.dsp:.0f} | {used.bram36:g} | {used.uram:g}"
    rates = f"{roofs.fps:.1f} | {roofs.compute_fps:.1f} | {roofs.bandwidth_fps:.1f}"
    where, cycles = f"{board_name}, {board.clock:g} MHz", f"{made.prediction.cycles:,}"
    cells = (name, where, engine, area, cycles, rates, f"{seconds:.0f} s", "equal" if same else "DIFFERS")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    columns = "network | board | engine | LUT | DSP | BRAM36 | URAM | cycles a frame | frames/s | compute roof | bandwidth roof"
    print(f"| {columns} | build, processor | a frame |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        for board in sys.argv[1:] or BOARDS:
            print(measure(name, board), flush=True)


if __name__ == "__main__":
    main()
