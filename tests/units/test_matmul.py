"""Products of two streams: values against the definition, C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array, divisors
from dfcompile.units.matmul import Matmul
from tests.examples import drawn, examples, simulated
from tests.three_way import check, check_cpp, random_codes
from tests.units.arithmetic_cases import count, lint, steps
from tests.units.exact import check_exact

INT4, UINT3 = IntType(4, signed=True), IntType(3)


def matmul(seed: int, heads: int, rows: int, terms: int, columns: int, out: IntType | None = None, **fields: Any) -> Matmul:
    """`rows` of each head, in runs of one row or as `runs` says."""
    rng = np.random.default_rng(seed)
    given = {"runs": (1, 1), "transposed": False, "in_dtype": INT4, "matrix_dtype": UINT3, **fields}
    outer, inner = (columns, terms) if given["transposed"] else (terms, columns)
    a, b = given["in_dtype"], given["matrix_dtype"]
    ends = [x * y * terms for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    acc = IntType.holding(min(ends), max(ends))
    table = steps(rng, min(ends), max(ends), 1 if seed % 3 else columns, out) if out else None
    flip = rng.random(columns) < 0.5 if out and seed % 2 else None
    shapes = (heads, rows, terms), (outer, heads, inner)
    return Matmul(*shapes, (terms, columns), heads, out_dtype=out or acc, acc_dtype=acc, thresholds=table, flip=flip, **given)


def oracle(unit: Matmul, a: Array, b: Array) -> Array:
    """From the definition, row by row in int64."""
    k, n = unit.shape
    rows, matrix = a.reshape(len(a), -1, k).astype(np.int64), b.reshape(len(b), -1, b.shape[3]).astype(np.int64)
    of_head = [[r for r in range(matrix.shape[1]) if r // unit.runs[1] % unit.heads == h] for h in range(unit.heads)]
    sums = np.empty((len(a), rows.shape[1], n), np.int64)
    for frame in range(len(a)):
        for r in range(rows.shape[1]):
            held = matrix[frame, of_head[r // unit.runs[0] % unit.heads]]
            sums[frame, r] = held @ rows[frame, r] if unit.transposed else rows[frame, r] @ held
    sums = sums.reshape(len(a), *unit.outputs[0].shape)
    return sums if unit.thresholds is None else count(sums, unit.thresholds, unit.flip, unit.out_dtype)


@st.composite
def matmuls(draw: st.DrawFn, most: int = 6) -> Matmul:
    heads, rows, terms, columns = (draw(st.integers(1, n)) for n in (3, most, most, most))
    transposed = draw(st.booleans())
    types, outs = (st.builds(IntType, st.integers(1, bits), st.booleans()) for bits in (8, 4))
    types = st.one_of(types, types, st.just(BIPOLAR))
    return matmul(
        draw(st.integers(0, 99)), heads, rows, terms, columns, draw(st.one_of(st.none(), outs)),
        transposed=transposed, in_dtype=draw(types), matrix_dtype=draw(types),
        runs=(draw(st.sampled_from(divisors(rows))), draw(st.sampled_from(divisors(columns if transposed else terms)))),
        pe=draw(st.integers(1, columns)), simd=draw(st.integers(1, terms)),
        arithmetic=draw(st.sampled_from(["auto", "lut", "dsp", "carry4"])), matrix_style=draw(st.sampled_from(["auto", "bram"])),
    )  # fmt: skip


@examples(150)
@given(matmuls(9), st.sampled_from([np.float32, np.float64, np.int16, np.int64]))
def test_values(unit: Matmul, dtype: type) -> None:
    codes = [random_codes(s, 2, np.random.default_rng(i)) for i, s in enumerate(unit.inputs)]
    assert np.array_equal(unit.compute(*(x.astype(dtype) for x in codes))[0], oracle(unit, *codes))


def test_hls() -> None:
    check_cpp(drawn(matmuls(), 10), frames=3)


@simulated(10)
@given(matmuls())
def test_rtl_and_schedule(unit: Matmul) -> None:
    check_exact(unit, hls=False)


CORNERS: dict[str, Matmul] = {
    "attention_scores": matmul(1, 2, 6, 4, 6, IntType(4), transposed=True, pe=3, simd=2),
    "attention_values": matmul(2, 2, 6, 6, 4, INT4, runs=(6, 6), pe=2, simd=3),
    "lanes_that_do_not_divide": matmul(3, 3, 4, 5, 7, IntType(3), runs=(2, 1), pe=3, simd=2),
    "the_same_transposed": matmul(4, 3, 4, 5, 7, IntType(3), runs=(2, 7), transposed=True, pe=3, simd=2),
    "one_of_everything": matmul(5, 1, 1, 1, 1),
    "all_at_once": matmul(6, 1, 3, 4, 5, None, pe=5, simd=4),
    "both_bipolar": matmul(8, 2, 3, 5, 4, IntType(3), in_dtype=BIPOLAR, matrix_dtype=BIPOLAR, pe=3, simd=2),
    "rows_bipolar": matmul(9, 1, 4, 5, 3, None, in_dtype=BIPOLAR, transposed=True, pe=2, simd=3),
    "matrix_bipolar": matmul(10, 2, 3, 4, 4, INT4, matrix_dtype=BIPOLAR, pe=2, simd=4),
    "matrices_longer_than_rows": matmul(7, 1, 1, 8, 8, None, pe=4, simd=8),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    check_exact(CORNERS[name], hls=False)


def test_corners_in_cpp() -> None:
    check_cpp(list(CORNERS.values()))


def test_lint(tmp_path: Path) -> None:
    for i, unit in enumerate(CORNERS.values()):
        lint(unit, tmp_path / str(i))


def test_frames_overlap() -> None:
    unit = matmul(1, 1, 8, 4, 4, None, pe=2, simd=2)
    run = check(unit, frames=6)
    assert run is not None
    assert set(np.diff(run.frame_done)) == {unit.cycles} == {8 * 2 * 2}


def test_refusals() -> None:
    unit = CORNERS["attention_scores"]
    with pytest.raises(ValueError, match="must be 1 to 6, the columns"):
        unit.folded(pe=7)
    with pytest.raises(ValueError, match="no matrices for the rows"):
        replace(unit, heads=4).check_constants()
