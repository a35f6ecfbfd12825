"""Sums of two streams by tables: values against the definition, SystemVerilog and C++ against the values, tables against plain sums."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfcompile.dataflow.sum_tables import Sum, sum_tables
from dfcompile.ir.graph import Array
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.table_add import SIZES, TableAdd
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact

TYPES = st.one_of(st.just(BIPOLAR), st.builds(IntType, st.integers(1, 8), st.booleans()))
INT8 = IntType(8, signed=True)


@st.composite
def table_adds(draw: st.DrawFn) -> TableAdd:
    """Random tables, of sums within the codes or far beyond them."""
    rng, out = np.random.default_rng(draw(st.integers(0, 999))), IntType(draw(st.integers(1, 8)), draw(st.booleans()))
    shift, far = draw(st.integers(0, 10)), draw(st.integers(-2, 2))
    most = max(1, (1 << shift + out.bits + 2) >> 2 - far)
    least = draw(st.sampled_from((-most, 0)))
    tables = np.concatenate([rng.integers(0, most, SIZES[0]), rng.integers(0, most, SIZES[1]), rng.integers(least, most, SIZES[2])])
    return TableAdd((1, 3, 4), (draw(TYPES), draw(TYPES)), out, tables, shift, draw(st.integers(1, 4)))


@given(table_adds(), st.sampled_from([np.float32, np.int16, np.int64]))
def test_values(unit: TableAdd, dtype: type) -> None:
    a, b = (random_codes(s, 2, np.random.default_rng(i)) for i, s in enumerate(unit.inputs))
    (found,) = unit.compute(a.astype(dtype), b.astype(dtype))
    table = unit.tables.tolist()
    for x, y, got in zip(a.ravel().tolist(), b.ravel().tolist(), found.ravel().tolist(), strict=True):
        p, q = ((v > 0) if t.bipolar else v % 2**t.bits for v, t in zip((x, y), unit.in_dtypes, strict=True))
        total = table[p % 8 + q % 8 * 8] + table[64 + p // 8] + table[96 + q // 8]
        assert int(got) == unit.out_dtype.lo + min(max(total // 2**unit.shift, 0), 2**unit.out_dtype.bits - 1)


WITHIN = TableAdd((1, 3, 4), (INT8, INT8), IntType(8), np.arange(128) * 5 % 320, 2, 2)
"""Of sums that are never clipped: the shortest pipeline."""


@simulated(8)
@given(table_adds())
@example(WITHIN)
def test_three_ways(unit: TableAdd) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(table_adds(), 6))


def rounded(first: Fraction, second: Fraction, zero: int, out: IntType) -> Sum:
    """round(first * a + second * b) + zero of two int8 codes, clipped to a type; ties to even."""
    factors = (first.numerator * second.denominator, second.numerator * first.denominator)
    unit = first.denominator * second.denominator
    middles = [Fraction(2 * (k - zero) - 1, 2) * unit for k in range(out.lo + 1, out.hi + 1)]
    thresholds = [int(m) if m.denominator == 1 and k % 2 == 0 else m // 1 + 1 for k, m in enumerate(middles, out.lo + 1 - zero)]
    return Sum((INT8, INT8), ((-128, 127), (-128, 127)), factors, 0, np.array(thresholds, np.int64), False)


@pytest.mark.parametrize("seed", range(6))
def test_tables_of_free_scales(seed: int) -> None:
    """Scales with mantissas of 20 bits, as a quantizer's calibration gives them, at all 65,536 pairs: shifts of at most 11 bits."""
    rng = np.random.default_rng(seed)
    first, second = (Fraction(int(rng.integers(2**18, 2**20)), 2**20) for _ in range(2))
    zero = int(rng.integers(-60, 60))
    found = sum_tables(rounded(first, second, zero, INT8))
    assert found is not None and found[1] <= 11
    assert wrong(found, first, second, zero) == 0


def wrong(found: tuple[Array, int], first: Fraction, second: Fraction, zero: int) -> int:
    """Pairs of int8 codes whose code by tables is not round(first * a + second * b) + zero, clipped to int8."""
    unit = TableAdd((1, 1, 1), (INT8, INT8), INT8, *found)
    unit.check_constants()
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    (codes,) = unit.compute(a.reshape(-1, 1, 1, 1), b.reshape(-1, 1, 1, 1))
    pairs = zip(a.ravel().tolist(), b.ravel().tolist(), codes.ravel().tolist(), strict=True)
    return sum(got != min(max(round(first * x + second * y) + zero, -128), 127) for x, y, got in pairs)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_far_from_a_bound_at_first_are_compared_at_last(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly no pair is watched at first, so that tables go beyond bounds of others: none of these is given back."""
    monkeypatch.setattr("dfcompile.dataflow.sum_tables._NEAR", 0)
    rng = np.random.default_rng(seed)
    first, second = (Fraction(int(rng.integers(2**18, 2**20)), 2**20) for _ in range(2))
    found = sum_tables(rounded(first, second, 5, INT8))
    assert found is None or wrong(found, first, second, 5) == 0


@given(TYPES, TYPES, st.integers(-9, 9), st.integers(-9, 9), st.integers(-20, 20), st.integers(1, 4), st.booleans(), st.data())
def test_tables_of_small_sums(a: IntType, b: IntType, p: int, q: int, offset: int, bits: int, falls: bool, data: st.DataObject) -> None:
    """Thresholds anywhere, falling too, of part of the codes: what is found is the count at each pair."""
    ranges = []
    for t in (a, b):
        ends = [data.draw(st.integers(t.lo, t.hi)) for _ in range(2)]
        ranges.append((t.lo, t.hi) if t.bipolar else (min(ends), max(ends)))
    thresholds = sorted(data.draw(st.lists(st.integers(-300, 300), min_size=2**bits - 1, max_size=2**bits - 1)))
    found = sum_tables(Sum((a, b), (ranges[0], ranges[1]), (p, q), offset, np.array(thresholds), falls))
    if found is None:
        return
    out = IntType(bits)
    unit = TableAdd((1, 1, 1), (a, b), out, *found)
    unit.check_constants()
    steps = [range(lo, hi + 1, 2 if t.bipolar else 1) for t, (lo, hi) in zip((a, b), ranges, strict=True)]
    for x, y in product(*(s[:: max(1, len(s) // 9)] for s in steps)):
        count = sum(p * x + q * y + offset >= t for t in thresholds)
        (got,) = unit.compute(np.array(x).reshape(1, 1, 1, 1), np.array(y).reshape(1, 1, 1, 1))
        assert int(got.item()) == (out.hi - count if falls else count)


def test_refusals() -> None:
    tables = np.zeros(128, np.int64)
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        TableAdd((1, 1, 4), (INT8, INT8), INT8, tables, lanes=5)
    with pytest.raises(ValueError, match="no tables for int9"):
        TableAdd((1, 1, 4), (IntType(9, True), INT8), INT8, tables)
    with pytest.raises(ValueError, match="negative"):
        TableAdd((1, 1, 4), (INT8, INT8), INT8, tables - 1).check_constants()
    with pytest.raises(ValueError, match="shape"):
        TableAdd((1, 1, 4), (INT8, INT8), INT8, tables[1:]).check_constants()
