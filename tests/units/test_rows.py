"""Units that keep rows: distances from the largest, shares of the sum; values against exact rationals, C++ and SystemVerilog, cycles."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.intop_row import ROUNDINGS, IntNormalize
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array
from dfcompile.units.below_max import BelowMax
from dfcompile.units.normalize import Normalize
from tests.examples import examples, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.arithmetic_cases import lint
from tests.units.exact import check_exact

INT4 = IntType(4, signed=True)


def normalize(shape: tuple[int, int, int], bits: int, factor: int, divisor: int, most: int, *rest: Any) -> Normalize:
    """rest: lanes, zero, rounding"""
    lanes, zero, how = (*rest, *(1, 0, "half_even")[len(rest) :])
    return Normalize(shape, IntType(bits), factor, divisor, most, zero, how, IntType.holding(min(zero, 0), zero + most), lanes)


def rounded(value: Fraction, zero: int, how: str) -> int:
    """From the definitions of the roundings, in rationals."""
    if how == "half_even":
        return round(value + zero) - zero
    if how in ("half_up", "half_down"):
        return math.floor(value + Fraction(1, 2)) if how == "half_up" else math.ceil(value - Fraction(1, 2))
    return math.floor(value) if how == "down" else math.ceil(value)


def shares(unit: Normalize, x: Array) -> Array:
    """From the definition."""
    found = np.empty(x.shape, np.int64)
    for place in np.ndindex(x.shape):
        ratio = Fraction(unit.factor * int(x[place]), unit.divisor * int(x[place[:-1]].sum()))
        found[place] = unit.zero + min(rounded(ratio, unit.zero, unit.rounding), unit.most)
    return found


def row_codes(unit: Normalize, frames: int, seed: int) -> Array:
    """Random codes, none of whose rows are all 0; few values in some, so that there are ties."""
    rng = np.random.default_rng(seed)
    x = random_codes(unit.inputs[0], frames, rng)
    x = np.where(rng.random(x.shape[:-1])[..., None] < 0.5, x // max(1, unit.dtype.hi // 2), x)
    x[..., 0] = np.maximum(x[..., 0], 1)
    return x


@st.composite
def normalizes(draw: st.DrawFn) -> Normalize:
    channels = draw(st.integers(1, 9))
    factor, divisor = (draw(st.one_of(st.integers(1, 300), st.sampled_from([1 << 24, 11184811 << 3, 15]))) for _ in range(2))
    zero, most = draw(st.sampled_from([0, 0, 1, -3])), draw(st.integers(1, 40))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), channels)
    lanes, how = draw(st.integers(1, channels)), draw(st.sampled_from(ROUNDINGS))
    return normalize(shape, draw(st.integers(1, 12)), factor, divisor, most, lanes, zero, how)


@examples(150)
@given(normalizes(), st.integers(0, 99))
def test_shares(unit: Normalize, seed: int) -> None:
    x = row_codes(unit, 2, seed)
    assert np.array_equal(unit.compute(x)[0], shares(unit, x))


def test_ties_go_where_they_should() -> None:
    x = np.array([1.0, 1, 1, 1]).reshape(1, 1, 1, 4)
    for how, zero, wanted in (
        ("half_even", 0, 2),
        ("half_even", 1, 4),
        ("half_up", 0, 3),
        ("half_down", 0, 2),
        ("down", 0, 2),
        ("up", 0, 3),
    ):
        (found,) = IntNormalize(10, 1, 9, zero, how).execute(x)
        assert set(found.ravel()) == {wanted}, (how, zero)


CORNERS: dict[str, Normalize | BelowMax] = {
    "probabilities": normalize((1, 3, 8), 10, 15, 1, 15, 2),
    "an_exported_scale": normalize((1, 2, 6), 16, 1 << 26, 11184811, 7, 3),
    "lanes_that_do_not_divide": normalize((2, 2, 5), 6, 255, 2, 200, 3, 1, "half_down"),
    "one_element": normalize((1, 4, 1), 4, 3, 2, 3),
    "all_at_once": normalize((1, 4, 4), 5, 7, 1, 7, 4, -2, "up"),
    "far_below": BelowMax((1, 3, 8), INT4, 15, 2),
    "limited": BelowMax((2, 2, 5), IntType(6), 9, 3),
    "below_at_once": BelowMax((1, 4, 4), INT4, 7, 4),
    "below_of_one": BelowMax((1, 3, 1), INT4, 1),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    check_exact(CORNERS[name], hls=False)


def test_corners_in_cpp() -> None:
    check_cpp(list(CORNERS.values()))


@simulated(6)
@given(normalizes())
def test_normalize_three_ways(unit: Normalize) -> None:
    check_exact(unit)


@st.composite
def below_maxes(draw: st.DrawFn) -> BelowMax:
    channels, dtype = draw(st.integers(1, 9)), IntType(draw(st.integers(1, 8)), draw(st.booleans()))
    return BelowMax((1, 3, channels), dtype, draw(st.integers(1, dtype.hi - dtype.lo)), draw(st.integers(1, channels)))


@simulated(6)
@given(below_maxes())
def test_below_max_three_ways(unit: BelowMax) -> None:
    x = random_codes(unit.inputs[0], 3, np.random.default_rng(0))
    assert np.array_equal(unit.compute(x)[0], np.minimum(x.max(axis=3, keepdims=True) - x, unit.limit))
    check_exact(unit)


def test_lint(tmp_path: Path) -> None:
    for name, unit in CORNERS.items():
        lint(unit, tmp_path / name)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        BelowMax((1, 1, 4), INT4, 15, 5)
    with pytest.raises(ValueError, match="do not reach 16"):
        BelowMax((1, 1, 4), INT4, 16)
    with pytest.raises(ValueError, match="do not reach"):
        BelowMax((1, 1, 4), BIPOLAR, 1)
    with pytest.raises(ValueError, match="does not hold codes from 0 to 16"):
        Normalize((1, 1, 4), IntType(4), 1, 1, 16, 0, "half_even", IntType(4))
    with pytest.raises(ValueError, match="rounded 'away'"):
        Normalize((1, 1, 4), IntType(4), 1, 1, 15, 0, "away", IntType(4))
