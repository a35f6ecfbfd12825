"""Take the 2-bit digits CNN to a ULX3S bitstream, prove its netlist on test images, and print the clock that place and route found.

python examples/board_demo.py -o board_demo_out
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dfcompile as dfc
from dfcompile.command.console import progress
from dfcompile.mode.bitstream import bitstream
from dfcompile.mode.summary import implementation_lines, rate_of

HERE = Path(__file__).parent
INTERVAL = 768
CLOCK = 100


def main() -> int:
    """Build, verify the netlist, place and route; 0 when everything is exact and the clock is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("board_demo_out"), help="build folder to write")
    parser.add_argument("--frames", type=int, default=16, help="frames for the netlist")
    given = parser.parse_args()
    with progress(quiet=False) as report, ThreadPoolExecutor(1) as beside:
        made = dfc.build(HERE / "digits_cnn_w2a2.onnx", board="ulx3s", interval=INTERVAL, clock=CLOCK, progress=report)
        made.save(given.out)
        placed = beside.submit(bitstream, given.out, progress=report)  # on a core of its own
        checked = made.verify(["netlist"], frames=given.frames, progress=report, folder=given.out)["engines"]["netlist"]
        path, changed = placed.result()
    equal = "equals the model" if checked["pass"] else f"DIFFERS: {checked['first_mismatch']}"
    print(f"netlist: {checked['frames']} frames, {equal}")
    print("\n".join(implementation_lines(changed["implementation"])))
    print(f"  {rate_of(changed)}\nbitstream: {path}")
    return 0 if checked["pass"] else 1


if __name__ == "__main__":
    sys.exit(main())
