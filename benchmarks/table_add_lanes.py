"""What a sum of two scaled int8 streams with its quantizer takes by lanes, synthesised for 7-series: a table for docs/cost.md.

usage: python -m benchmarks.table_add_lanes [LANES ...]
"""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.calibration_units import table_add
from dfcompile.synthesis.unit import unit_synthesis

LANES = (1, 4, 8, 16, 32)


def main(lanes: tuple[int, ...]) -> None:
    """Print a row for each number of lanes as soon as it is known."""
    print("| lanes | LUT | FF | LUT a lane |\n|---:|---:|---:|---:|")
    unit = table_add((297, 496), 577, 1)
    for n in lanes:
        found = unit_synthesis(replace(unit, shape=(4, 4, max(n, 16)), lanes=n), "xc7").run()
        print(f"| {n} | {found.lut:,.0f} | {found.ff:,.0f} | {found.lut / n:.1f} |", flush=True)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or LANES)
