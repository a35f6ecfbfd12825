"""The synthesis script of each device family, and what its cells count.

The scripts are Yosys's own ``synth_xilinx`` and ``synth_ecp5`` but for the step that maps logic to LUTs: theirs (abc9)
minimises delay at any price in area, ours (``abc``) area first, as a tool does that has a clock to meet and not to beat.
A unit's logic between registers is a few levels deep in either case. `default=True` is their own script unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dfcompile.device.resources import Resources

# 6-input LUTs; 7- and 8-input functions are 2 and 4 of them with the slice's own multiplexers.
_XILINX_MAP = (
    "opt_expr -mux_undef -noclkinv",
    "abc -luts 2:2,3,6:5,10,20",
    "clean",
    "xilinx_srl -fixed -minlen 3",
    "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
    "xilinx_dffopt",
    "opt_lut_ins -tech xilinx",
    "clean",
)
_LATTICE_MAP = (
    "techmap -map +/lattice/latches_map.v",
    "abc -lut 4:7",
    "clean",
)


def commands(family: str, top: str, default: bool = False) -> tuple[str, ...]:
    """Commands from a design that has been read to its netlist and ``stat.json``."""
    family_options = "" if family == "ecp5" else f" -family {family} -flatten -noiopad -noclkbuf"
    synth = f"{'synth_ecp5' if family == 'ecp5' else 'synth_xilinx'} -top {top}{family_options}"
    steps: list[str] = [synth]
    if not default and family == "ecp5":
        steps = [f"{synth} -run begin:map_luts", *_LATTICE_MAP, f"{synth} -run map_cells:check"]
    elif not default:
        steps = [f"{synth} -run begin:map_luts", *_XILINX_MAP]
    return (*steps, "tee -q -o stat.json stat -json")


# Cell -> (LUTs, flip-flops, 36-kbit RAMs, UltraRAMs, DSP slices). Carry chains and the slices' multiplexers are free.
_XILINX_CELLS: dict[str, tuple[float, float, float, float, float]] = {
    r"LUT[1-6]|INV": (1, 0, 0, 0, 0),  # an inverter that is left stands before a carry chain or a register
    r"LUT6_2": (1, 0, 0, 0, 0),
    r"SRL16E|SRLC16E|SRLC32E": (1, 0, 0, 0, 0),
    r"RAM(16|32|64)X1S(_1)?": (1, 0, 0, 0, 0),
    r"RAM128X1S": (2, 0, 0, 0, 0),
    r"RAM256X1S": (4, 0, 0, 0, 0),
    r"RAM32X1D|RAM64X1D|RAM(16|32)X2S": (2, 0, 0, 0, 0),
    r"RAM128X1D|RAM32M|RAM64M|RAM256X1D": (4, 0, 0, 0, 0),
    r"RAM32M16|RAM64M8|RAM64X8SW": (8, 0, 0, 0, 0),
    r"FD\w+": (0, 1, 0, 0, 0),
    r"RAMB18E[12]": (0, 0, 0.5, 0, 0),
    r"RAMB36E[12]": (0, 0, 1, 0, 0),
    r"URAM288\w*": (0, 0, 0, 1, 0),
    r"DSP48E[12]|DSP48\w*": (0, 0, 0, 0, 1),
}
_LATTICE_CELLS: dict[str, tuple[float, float, float, float, float]] = {
    r"LUT4": (1, 0, 0, 0, 0),
    r"CCU2C": (2, 0, 0, 0, 0),  # its two LUTs serve nothing else
    r"TRELLIS_DPR16X4": (6, 0, 0, 0, 0),  # 4 LUTs of memory and 2 that carry its write port
    r"TRELLIS_FF": (0, 1, 0, 0, 0),
    r"DP16KD|PDPW16KD": (0, 0, 0.5, 0, 0),
    r"MULT18X18D": (0, 0, 0, 0, 1),
}


def count(cells: Mapping[str, int], family: str) -> Resources:
    """Area of a netlist given as cell type -> number."""
    table = _LATTICE_CELLS if family == "ecp5" else _XILINX_CELLS
    sums = [0.0] * 5
    for cell, number in cells.items():
        for pattern, cost in table.items():
            if re.fullmatch(pattern, cell):
                sums = [s + number * c for s, c in zip(sums, cost, strict=True)]
                break
    return Resources(*sums)
