"""The energy model against published measurements of a whole board.

    python -m benchmarks.energy cnv_w1a1.onnx --rate 661.27 --measured 2521
    python -m benchmarks.energy kws_w3a3.onnx --rate 57257 --measured 30.6

MODEL is built for a PYNQ-Z2 at the rate that was measured, as the cheapest design that reaches it; its energy is taken at that rate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dfcompile as dfc

SHARES = ("dynamic_uj", "memory_uj", "static_uj", "board_uj")


def main() -> None:
    """Print the shares of a frame and the error of their sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="measured frames a second")
    parser.add_argument("--measured", type=float, required=True, help="measured uJ a frame")
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--clock", type=float, default=100.0, help="MHz")
    parser.add_argument("--mode", default="dataflow")
    parser.add_argument("--input-type")
    given = parser.parse_args()
    asked = {"board": given.board, "clock": given.clock, "mode": given.mode, "input_type": given.input_type, "verify": False}
    made = dfc.build(given.model, fps=given.rate, **asked)
    slower = made.report["timing"]["fps"] / given.rate  # it may be faster than asked; it then waits, and only what does not work goes on
    found, area = made.report["energy"], made.report["resources"]
    ready = {k: (found[k] or 0.0) * (slower if k in ("static_uj", "board_uj") else 1.0) for k in SHARES}
    total = sum(ready.values())
    print(f"{given.model.stem}: {made.report['timing']['interval_cycles']:,} cycles a frame, {area['lut']:,.0f} LUT, {area['ff']:,.0f} FF, "
          f"{area['bram36']:g} BRAM36, {area['dsp']:g} DSP, {found['bit_operations']:,} bit operations")  # fmt: skip
    for name, value in ready.items():
        print(f"  {name.removesuffix('_uj'):8} {value:10.3f} uJ  {value * 1e-6 * given.rate:.3f} W")
    print(f"  model    {total:10.3f} uJ  {total * 1e-6 * given.rate:.3f} W; measured {given.measured:g} uJ, "
          f"{given.measured * 1e-6 * given.rate:.3f} W; error {total / given.measured - 1:+.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
