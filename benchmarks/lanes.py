"""LUTs a lane of the multiply-accumulate array: dot products and accumulators of 4 lanes, weights through a port, no thresholds.

    python -m benchmarks.lanes [--family xcup] [--types W4A4 ...]

The module is `dfc_sums`, once with each arithmetic that the family has. LUTs are Yosys' raw cells, not packed, by the mapping that
`dfcompile synth` uses and by the tool's default.
"""

from __future__ import annotations

import argparse

from dfcompile.device.family import FAMILIES
from dfcompile.emit.resource import library_files, resource_dir
from dfcompile.ir.types import IntType
from dfcompile.synthesis.unit import Synthesis
from dfcompile.units.parts.arithmetic import ARITHMETIC_CODES, Products, arithmetics, mac_modules
from dfcompile.units.parts.carry import CARRY

PE, STEPS = 4, 9
SHAPES = {"W1A1": (1, 32), "W2A2": (2, 16), "W4A4": (4, 8), "W8A8": (8, 8)}
"""Bits of an unsigned input and of a signed weight (W1A1: bipolar both), inputs at once."""


def top(bits: int, simd: int, acc: int, arithmetic: str) -> str:
    """A module without parameters around the array."""
    values = {
        "Pe": PE, "Simd": simd, "Terms": STEPS * simd, "Steps": STEPS, "InBits": bits, "WeightBits": bits, "WeightSigned": int(bits > 1),
        "Xnor": int(bits == 1), "AccBits": acc, "Arithmetic": ARITHMETIC_CODES[arithmetic],
    }  # fmt: skip
    ports = {"inputs_i": simd * bits, "weights_i": PE * simd * bits}
    inputs = ", ".join(f"input logic [{n - 1}:0] {p}" for p, n in ports.items())
    return (
        f"module top (input logic clk_i, rst_ni, step_i, last_i, {inputs}, output logic [{PE * acc - 1}:0] sums_o, output logic valid_o);\n"
        f"  dfc_sums #({', '.join(f'.{k}({v})' for k, v in values.items())}) u_sums (.*);\nendmodule\n"
    )


def table(family: str, types: list[str]) -> None:
    """Print Markdown."""
    print("| array | arithmetic | LUT | LUT a lane | tool's default: LUT a lane | FF a lane | DSP |")
    print("|---|---|---:|---:|---:|---:|---:|")
    folder = resource_dir("rtl")
    for name in types:
        bits, simd = SHAPES[name]
        most = STEPS * simd * ((1 << bits) - 1) * (1 << (bits - 1))
        acc = IntType.holding(0, STEPS * simd) if bits == 1 else IntType.holding(-most, most)
        products = Products(IntType(bits), IntType(bits, signed=bits > 1), bits == 1, acc)
        for arithmetic in arithmetics(products, family, CARRY, PE):
            files = library_files(folder, ["dfc_sums.sv", *mac_modules(arithmetic)])
            texts = (*((f, (folder / f).read_text()) for f in files), ("top.sv", top(bits, simd, acc.bits, arithmetic)))
            area, default = (Synthesis(texts, (), "top", family, d).run() for d in (False, True))
            cells = (
                f"{area.lut:,.0f} | {area.lut / PE / simd:.2f} | {default.lut / PE / simd:.2f} | {area.ff / PE / simd:.1f} | {area.dsp:g}"
            )
            print(f"| {name} SIMD {simd} | {arithmetic} | {cells} |", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", default="xcup", choices=FAMILIES)
    parser.add_argument("--types", nargs="+", default=list(SHAPES), choices=SHAPES)
    given = parser.parse_args()
    table(given.family, given.types)


if __name__ == "__main__":
    main()
