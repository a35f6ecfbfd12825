"""Products of two streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.multiply import Multiply
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact

TYPES = st.one_of(st.just(BIPOLAR), st.builds(IntType, st.integers(1, 8), st.booleans()))


@st.composite
def multiplies(draw: st.DrawFn) -> Multiply:
    return Multiply((1, 3, 4), (draw(TYPES), draw(TYPES)), None, draw(st.sampled_from([1, 2, 4])))


@given(multiplies(), st.sampled_from([np.float32, np.int16, np.int64]))
def test_values(unit: Multiply, dtype: type) -> None:
    a, b = (random_codes(s, 2, np.random.default_rng(i)) for i, s in enumerate(unit.inputs))
    (found,) = unit.compute(a.astype(dtype), b.astype(dtype))
    assert [int(v) for v in found.ravel()] == [x * y for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)]


@simulated(6)
@given(multiplies())
def test_multiply_three_ways(unit: Multiply) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(multiplies(), 6))


def test_wide_operands() -> None:
    check_exact(Multiply((2, 2, 4), (IntType(9, True), IntType(10)), lanes=2))


def test_lanes_that_do_not_divide_the_channels() -> None:
    check_exact(Multiply((1, 3, 5), (IntType(3, True), IntType(4)), lanes=3))


def test_the_type_follows_from_the_range() -> None:
    assert Multiply((1, 1, 1), (BIPOLAR, IntType(3, True))).products == IntType(4, True)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="does not hold products"):
        Multiply((1, 1, 1), (IntType(4), IntType(4)), IntType(7))
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        Multiply((1, 1, 4), (IntType(4), IntType(4)), None, 5)
