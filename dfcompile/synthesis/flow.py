"""The synthesis script of a device family, and what its cells count.

The scripts are Yosys's own (``synth_xilinx``, ``synth_ecp5``) but for the step that maps logic to LUTs: theirs (abc9)
minimises delay at any price in area, ours (``abc``) area first, as a tool does that has a clock to meet and not to beat.
A unit's logic between registers is a few levels deep in either case. `default=True` is their own script unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources


def commands(family: str, top: str, default: bool = False) -> tuple[str, ...]:
    """Commands from a design that has been read to its netlist and ``stat.json``."""
    f = FAMILIES[family]
    synth = f"{f.synth[0]} -top {top}{f.synth[1]}{f.without_pads}"
    steps = [synth]
    if not default:
        steps = [f"{synth} -run begin:map_luts", *f.mapping, *([f"{synth} -run {f.rest}"] if f.rest else [])]
    return (*f.prepare, *steps, "tee -q -o stat.json stat -json")


def count(cells: Mapping[str, int], family: str) -> Resources:
    """Area of a netlist given as cell type -> number."""
    sums = [0.0] * 5
    for cell, number in cells.items():
        cost = next((c for pattern, c in FAMILIES[family].cells.items() if re.fullmatch(pattern, cell)), None)
        if cost:
            sums = [s + number * c for s, c in zip(sums, cost, strict=True)]
    return Resources(*sums)
