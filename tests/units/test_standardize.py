"""Roots of mean squares: numbers against their definition in integers, C++ and SystemVerilog, cycles, refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.intop_row import IntStandardize, Moments
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array
from dfcompile.units.standardize import Standardize
from tests.examples import examples, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.arithmetic_cases import lint
from tests.units.exact import check_exact

INT4 = IntType(4, signed=True)


def standardize(
    shape: tuple[int, int, int], dtype: IntType, centred: bool, after: int, epsilon: int = 1, shift: int = 0, lanes: int = 1
) -> Standardize:
    """after: binary places of the results"""
    drop = Moments.of(centred, shape[2], dtype.lo, dtype.hi).reach.bit_length()
    most = IntStandardize(centred, after + drop, drop, epsilon, shift).limit(shape[2])
    return Standardize(shape, dtype, centred, after + drop, drop, epsilon, shift, IntType.holding(-most - 1, most), lanes)


def wanted(unit: Standardize, x: Array) -> Array:
    """From the definition, in integers of any size."""
    found = np.empty(x.shape, np.int64)
    for place in np.ndindex(x.shape[:-1]):
        row = [int(v) for v in x[place]]
        n, total, squares = len(row), sum(row), sum(v * v for v in row)
        v = n * squares - total * total if unit.centred else squares
        for i, code in enumerate(row):
            d = n * code - total if unit.centred else code
            root = math.isqrt(2 ** (2 * unit.bits + unit.shift) // (v * 2**unit.shift + unit.epsilon)) if d else 0
            found[*place, i] = d * root // 2**unit.drop
    return found


@st.composite
def standardizes(draw: st.DrawFn) -> Standardize:
    channels = draw(st.integers(1, 9))
    dtype = IntType(draw(st.integers(1, 8)), draw(st.booleans()))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), channels)
    epsilon = draw(st.one_of(st.integers(0, 9), st.integers(0, 2**40)))
    return standardize(
        shape, dtype, draw(st.booleans()), draw(st.integers(0, 30)), epsilon, draw(st.integers(0, 20)), draw(st.integers(1, channels))
    )


def codes(unit: Standardize, frames: int, seed: int) -> Array:
    """Random codes; some rows have one code throughout, so that there is nothing to divide."""
    rng = np.random.default_rng(seed)
    x = random_codes(unit.inputs[0], frames, rng)
    return np.where(rng.random(x.shape[:-1])[..., None] < 0.2, x[..., :1], x)


@examples(150)
@given(standardizes(), st.integers(0, 99))
def test_numbers(unit: Standardize, seed: int) -> None:
    x = codes(unit, 2, seed)
    assert np.array_equal(unit.compute(x)[0], wanted(unit, x))


def test_products_beyond_64_bits() -> None:
    unit = standardize((1, 2, 16), IntType(10, signed=True), True, 40, 12345678901, 30)
    assert unit.operator.root(unit._moments.least).bit_length() + unit._moments.reach.bit_length() > 62
    x = codes(unit, 20, 3)
    assert np.array_equal(unit.compute(x)[0], wanted(unit, x))


CORNERS: dict[str, Standardize] = {
    "layer_norm": standardize((1, 3, 8), INT4, True, 18, 27741, 15, 2),
    "rms_norm": standardize((1, 3, 6), IntType(6, signed=True), False, 20, 168, 15, 3),
    "all_at_once": standardize((1, 4, 4), INT4, True, 12, 1, 0, 4),
    "lanes_that_do_not_divide": standardize((2, 2, 5), IntType(5), True, 16, 7, 3, 3),
    "one_element": standardize((1, 3, 1), INT4, True, 5),
    "one_element_plain": standardize((1, 3, 1), INT4, False, 5),
    "no_epsilon": standardize((1, 4, 4), INT4, False, 10, 0),
    "a_wide_root": standardize((1, 2, 8), IntType(8, signed=True), True, 34, 173774739, 22, 1),
    "a_large_epsilon": standardize((1, 2, 4), INT4, True, 10, (1 << 40) + 5, 4, 2),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    check_exact(CORNERS[name], hls=False)


def test_corners_in_cpp() -> None:
    check_cpp(list(CORNERS.values()))


@simulated(6)
@given(standardizes())
def test_three_ways(unit: Standardize) -> None:
    check_exact(unit)


def test_lint(tmp_path: Path) -> None:
    for name, unit in CORNERS.items():
        lint(unit, tmp_path / name)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no root of squares of codes of bipolar"):
        standardize((1, 1, 4), BIPOLAR, True, 5)
    with pytest.raises(ValueError, match="does not hold results from"):
        Standardize((1, 1, 4), INT4, True, 20, 7, 1, 0, IntType(4))
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        standardize((1, 1, 4), INT4, True, 5, lanes=5)
