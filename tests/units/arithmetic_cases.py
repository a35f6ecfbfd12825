"""Random arithmetic units and inputs for them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.toolchain import require_tool
from dfcompile.units.base import Unit
from dfcompile.units.lookup import Lookup
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.threshold import Threshold
from dfcompile.units.vvtu import Vvtu
from tests.three_way import one_unit

Array = NDArray[Any]


@dataclass(frozen=True)
class Operands:
    """Types of a multiply-accumulate unit; out is None for a unit without thresholds."""

    x: IntType
    w: IntType
    out: IntType | None
    flip: bool = False
    shared: bool = False


def types(most_bits: int = 8, bipolar: bool = True) -> st.SearchStrategy[IntType]:
    """Integer types up to so many bits."""
    plain = st.builds(IntType, st.integers(1, most_bits), st.booleans())
    return st.one_of(st.just(BIPOLAR), plain) if bipolar else plain


def operands(most_bits: int = 8, most_out_bits: int = 4) -> st.SearchStrategy[Operands]:
    """Types of both operands and of the result, thresholds of every kind."""
    out = st.one_of(st.none(), types(most_out_bits))
    return st.builds(Operands, types(most_bits), types(most_bits), out, st.booleans(), st.booleans())


def codes(rng: np.random.Generator, dtype: IntType, *shape: int) -> Array:
    """Random integers of a type; bipolar ones are -1 or +1."""
    if dtype.bipolar:
        return 2 * rng.integers(0, 2, shape) - 1
    return rng.integers(dtype.lo, dtype.hi + 1, shape)


def reach(rows: Array, x: IntType) -> tuple[int, int]:
    """Exact range of the sums of rows (channels, k) with inputs of a type."""
    lo = np.where(rows > 0, rows * x.lo, rows * x.hi).sum(axis=1).min()
    hi = np.where(rows > 0, rows * x.hi, rows * x.lo).sum(axis=1).max()
    return int(lo), int(hi)


def steps(rng: np.random.Generator, lo: int, hi: int, channels: int, out: IntType) -> Array:
    """Rising thresholds within and a little beyond [lo, hi]; many in the middle, where sums are likely."""
    centre, spread = (lo + hi) / 2, (hi - lo) / 8 + 1
    found = np.rint(rng.normal(centre, spread, (channels, (1 << out.bits) - 1))).astype(np.int64)
    found[rng.random(found.shape) < 0.05] = hi + 1
    found[rng.random(found.shape) < 0.05] = lo
    found[rng.random(found.shape) < 0.02] = hi + 1000
    return np.sort(found, axis=1)


def _results(rng: np.random.Generator, rows: Array, o: Operands) -> dict[str, Any]:
    """The fields about accumulators and outputs."""
    lo, hi = reach(rows, o.x)
    acc = IntType.holding(lo, hi)
    if o.out is None:
        return {"acc_dtype": acc, "out_dtype": acc, "thresholds": None, "flip": None}
    thresholds = steps(rng, lo, hi, 1 if o.shared else len(rows), o.out)
    flip = rng.random(len(rows)) < 0.5 if o.flip else None
    return {"acc_dtype": acc, "out_dtype": o.out, "thresholds": thresholds, "flip": flip}


def mvtu(rng: np.random.Generator, o: Operands, shape: tuple[int, int], groups: int, mh: int, mw: int, **fields: Any) -> Mvtu:
    """Random weights and thresholds for the given sizes."""
    weights = codes(rng, o.w, groups, mh, mw)
    results = _results(rng, weights.reshape(-1, mw), o)
    results |= {"in_shape": (*shape, groups * mw), "out_shape": (*shape, groups * mh)}
    return Mvtu(vectors=shape[0] * shape[1], weights=weights, in_dtype=o.x, weight_dtype=o.w, **results, **fields)


def vvtu(rng: np.random.Generator, o: Operands, shape: tuple[int, int], channels: int, k: int, **fields: Any) -> Vvtu:
    """Random weights and thresholds for the given sizes."""
    weights = codes(rng, o.w, channels, k)
    results = _results(rng, weights, o)
    return Vvtu(weights=weights, in_dtype=o.x, weight_dtype=o.w, out_shape=(*shape, channels), **results, **fields)


def threshold(rng: np.random.Generator, o: Operands, shape: tuple[int, int, int], **fields: Any) -> Threshold:
    """Random thresholds; the operands' x and out count."""
    assert o.out is not None
    table = steps(rng, o.x.lo, o.x.hi, 1 if o.shared else shape[2], o.out)
    flip = rng.random(shape[2]) < 0.5 if o.flip else None
    return Threshold(o.x, o.out, table, flip, shape, **fields)


def lookup(rng: np.random.Generator, x: IntType, out: IntType, shape: tuple[int, int, int], shared: bool, **fields: Any) -> Lookup:
    """A random table over all codes of x."""
    return Lookup(x, out, codes(rng, out, 1 if shared else shape[2], x.hi - x.lo + 1), x.lo, shape, **fields)


def count(sums: Array, thresholds: Array, flip: Array | None, out: IntType) -> Array:
    """Codes from the definition: (..., channels) sums against (channels or 1, steps) thresholds, one by one."""
    reached: Array = (sums[..., None] >= thresholds).sum(axis=-1)
    most = thresholds.shape[1]
    reached = reached if flip is None else np.where(flip, most - reached, reached)
    return np.asarray(2 * reached - 1 if out.bipolar else out.lo + reached)


def lint(unit: Unit, folder: Path) -> None:
    """The unit's project in `folder`, through Verilator's linter and Yosys' SystemVerilog reader: neither may say a word of warning."""
    emit_rtl(one_unit(unit), folder)
    (top,) = (f.stem for f in folder.glob("*_test.sv"))
    sources = [f for f in (folder / "files.f").read_text().split() if f.endswith(".sv")]
    slang = f"read_slang --no-synthesis-define -I. --top {top} {' '.join(sources)}"
    read = f"from pyosys import libyosys as ys; ys.run_pass({slang!r}, ys.Design())"
    verilator = str(require_tool("verilator").path.with_name("verilator"))
    check = [verilator, "--lint-only", "-Wall", "--assert", "-f", "files.f", "--top-module", top]
    for command in (check, [*check, "+define+DFC_CELLS"], [sys.executable, "-c", read]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "arning:" not in said and "%Warning" not in said, f"{unit}\n{said[-3000:]}"
