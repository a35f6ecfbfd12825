"""Adders of constant matrices beside those of da4ml, in the same synthesis: the tables of docs/cost.md.

    python -m benchmarks.adder_graphs areas                    units of many densities and bits: estimates beside synthesis
    python -m benchmarks.adder_graphs rival --python PYTHON    the same matrices by da4ml 0.6.0, which PYTHON has (pip install da4ml==0.6.0)
    python -m benchmarks.adder_graphs jet --python PYTHON      a jet-tagging network 16-64-32-32-5 at one frame a cycle

da4ml's module has no handshake; its input register is left out of its flip-flops, ours has none. Both have at most two adders between
registers.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

from dfcompile.device.resources import Resources
from dfcompile.emit.adders import rtl_adders
from dfcompile.ir.types import IntType
from dfcompile.synthesis.unit import Synthesis, unit_synthesis
from dfcompile.units.base import Array
from dfcompile.units.mvtu import Mvtu

RIVAL = """
import sys, numpy as np
from pathlib import Path
from da4ml.codegen import RTLModel
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
file = np.load(sys.argv[1])
w, lo, hi = file["w"], int(file["lo"]), int(file["hi"])
n = w.shape[1]
signed, bits = int(lo < 0), int(file["bits"])
x = FixedVariableArrayInput(n, HWConfig(1, -1, -1)).quantize(np.full(n, signed), np.full(n, bits - signed), np.zeros(n, int))
RTLModel(comb_trace(x, x @ w.T.astype(np.float32)), "sums", Path(sys.argv[2]), latency_cutoff=2, print_latency=False).write()
"""


def unit_of(weights: Array, x: IntType) -> Mvtu:
    """Sums of a constant matrix (outputs, inputs) by adders."""
    rows, columns = weights.shape
    ends = weights * x.lo, weights * x.hi
    lo, hi = np.minimum(*ends).sum(axis=1).min(), np.maximum(*ends).sum(axis=1).max()
    acc, wide = IntType.holding(int(lo), max(int(hi), 1)), IntType(16, signed=True)
    shapes = (1, 1, columns), (1, 1, rows)
    return Mvtu(1, weights[None].astype(np.int64), x, wide, acc, acc, None, None, *shapes, rows, columns, arithmetic="graph")


def matrix(rows: int, columns: int, bits: int, density: float, seed: int = 0) -> Array:
    """Random weights: -1 and +1 of 1 bit, else all of two's complement; zeros but for a share `density`."""
    rng = np.random.default_rng([rows, columns, bits, round(100 * density), seed])
    dense = 2 * rng.integers(0, 2, (rows, columns)) - 1 if bits == 1 else rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (rows, columns))
    return np.asarray(dense * (rng.random(dense.shape) < density))


def sweep() -> dict[str, Mvtu]:
    """Name -> unit: from all weights to 5 % of them, from 1 bit to 8."""
    found = {}
    for bits, inputs in ((1, 1), (2, 2), (3, 4), (4, 4), (6, 6), (8, 8)):
        for density in (1.0, 0.75, 0.5, 0.2, 0.05):
            rows, columns = (32, 32) if bits < 6 else (16, 24)
            found[f"{rows} x {columns}, {bits}-bit weights, {inputs}-bit inputs, {density:.0%}"] = unit_of(
                matrix(rows, columns, bits, density), IntType(inputs)
            )
    return found


def adders_alone(unit: Mvtu, family: str) -> Resources:
    """Synthesised without handshake and output buffer."""
    assert unit.adders, "it is made of adders"
    return Synthesis((("sums.sv", rtl_adders(unit.adders, "sums")),), (), "sums", family).run()


def rival(weights: Array, x: IntType, python: str, family: str) -> tuple[Resources, int]:
    """da4ml's adders of a matrix without the input's registers; and its cycles."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "matrix.npz"
        np.savez(file, w=weights, bits=x.bits, lo=x.lo, hi=x.hi)
        subprocess.run([python, "-c", RIVAL, str(file), folder], check=True, capture_output=True)
        texts = tuple((f"{p.stem}.sv", p.read_text()) for p in sorted(Path(folder).rglob("*.v")) if "wrapper" not in p.name)
        stages = len(list(Path(folder).rglob("sums_stage*.v")))
    area = Synthesis(texts, (), "sums", family).run()
    used = int(np.any(weights, axis=0).sum()) * x.bits
    return Resources(area.lut, area.ff - used), stages


def areas(family: str) -> None:
    """Print estimates beside synthesis."""
    print("| matrix | adders | LUT | estimate | FF | estimate |\n|---|---:|---:|---:|---:|---:|")
    for name, unit in sweep().items():
        real, guess = unit_synthesis(unit, family).run(), unit.resources(family)
        assert unit.adders, "it is made of adders"
        count = unit.adders.pipeline.graph.adders
        print(f"| {name} | {count:,} | {real.lut:,.0f} | {guess.lut:,.0f} | {real.ff:,.0f} | {guess.ff:,.0f} |", flush=True)


CASES = {
    "32 x 32, 4-bit, 100 %": (matrix(32, 32, 4, 1.0), IntType(4)),
    "32 x 32, 4-bit, 50 %": (matrix(32, 32, 4, 0.5), IntType(4)),
    "32 x 32, 4-bit, 10 %": (matrix(32, 32, 4, 0.1), IntType(4)),
    "64 x 32, binary": (matrix(64, 32, 1, 1.0), IntType(1)),
    "32 x 64, binary": (matrix(32, 64, 1, 1.0), IntType(1)),
}


def beside(python: str, family: str) -> None:
    """Print ours beside the rival's."""
    print("| matrix | LUT | FF | cycles | with handshake: LUT | FF | da4ml: LUT | FF | cycles |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, (weights, x) in CASES.items():
        unit = unit_of(weights, x)
        assert unit.adders, "it is made of adders"
        own, whole = adders_alone(unit, family), unit_synthesis(unit, family).run()
        theirs, cycles = rival(weights, x, python, family)
        cells = [own.lut, own.ff, unit.adders.pipeline.stages, whole.lut, whole.ff, theirs.lut, theirs.ff, cycles]
        print(f"| {name} | {' | '.join(f'{c:,.0f}' for c in cells)} |", flush=True)


def jet(python: str, family: str) -> None:
    """Layers of a jet-tagging network with 6-bit weights and activations, half of the weights 0."""
    print("| layer | LUT | FF | cycles | da4ml: LUT | FF | cycles |\n|---|---:|---:|---:|---:|---:|---:|")
    sizes, total = (16, 64, 32, 32, 5), np.zeros(6)
    for columns, rows in pairwise(sizes):
        weights, x = matrix(rows, columns, 6, 0.5), IntType(8, signed=True) if columns == sizes[0] else IntType(6)
        unit = unit_of(weights, x)
        assert unit.adders, "it is made of adders"
        own, (theirs, cycles) = adders_alone(unit, family), rival(weights, x, python, family)
        cells = np.array([own.lut, own.ff, unit.adders.pipeline.stages, theirs.lut, theirs.ff, cycles])
        total += cells
        print(f"| {columns} to {rows} | {' | '.join(f'{c:,.0f}' for c in cells)} |", flush=True)
    print(f"| all | {' | '.join(f'{c:,.0f}' for c in total)} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("areas", "rival", "jet"))
    parser.add_argument("--family", default="xc7")
    parser.add_argument("--python", default="")
    given = parser.parse_args()
    if given.what == "areas":
        areas(given.family)
    elif given.what == "rival":
        beside(given.python, given.family)
    else:
        jet(given.python, given.family)


if __name__ == "__main__":
    main()
