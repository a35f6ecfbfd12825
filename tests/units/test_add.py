"""Weighted sums of two streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.add import Add
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact

TYPES = st.one_of(st.just(BIPOLAR), st.builds(IntType, st.integers(1, 8), st.booleans()))
FACTORS = st.one_of(st.sampled_from([0, 1, -1, 2, -8]), st.integers(-1000, 1000), st.integers(-(2**40), 2**40))


@st.composite
def adds(draw: st.DrawFn) -> Add:
    offset = draw(st.one_of(st.just(0), st.integers(-100, 100), st.integers(-(2**45), 2**45)))
    lanes = draw(st.integers(1, 4))
    return Add((1, 3, 4), (draw(TYPES), draw(TYPES)), (draw(FACTORS), draw(FACTORS)), offset, None, lanes)


@given(adds(), st.sampled_from([np.float32, np.int16, np.int64]))
def test_values(unit: Add, dtype: type) -> None:
    a, b = (random_codes(s, 2, np.random.default_rng(i)) for i, s in enumerate(unit.inputs))
    (found,) = unit.compute(a.astype(dtype), b.astype(dtype))
    for x, y, got in zip(a.ravel().tolist(), b.ravel().tolist(), found.ravel().tolist(), strict=True):
        assert int(got) == unit.factors[0] * x + unit.factors[1] * y + unit.offset


@simulated(8)
@given(adds())
def test_add_three_ways(unit: Add) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(adds(), 6))


@pytest.mark.parametrize(
    "unit",
    [
        Add((2, 2, 4), (IntType(8, True), IntType(8, True)), lanes=2),
        Add((2, 2, 4), (IntType(4), BIPOLAR), (3, -5), 7, IntType(12, True), lanes=4),
    ],
    ids=str,
)
def test_residual_sums(unit: Add) -> None:
    check_exact(unit)


def test_the_type_follows_from_the_range() -> None:
    assert Add((1, 1, 1), (IntType(4), IntType(4)), (1, -1), 15).sums == IntType(5)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        Add((1, 1, 4), (IntType(4), IntType(4)), lanes=5)
    with pytest.raises(ValueError, match="uint4 does not hold sums from 0 to 30"):
        Add((1, 1, 1), (IntType(4), IntType(4)), out_dtype=IntType(4))
    with pytest.raises(ValueError, match="at most 62 bits"):
        Add((1, 1, 1), (IntType(1), IntType(1)), (1 << 62, 1), out_dtype=IntType(64))
