"""Grids against their definition: every element worked out by itself in rationals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.streamline.grid import Grid, are_integers, common_scale, fractions

SMALL = st.fractions(-4, 4, max_denominator=6)
SCALES = SMALL.filter(bool)


def grid(scale: Any, offset: Any) -> Grid:
    return Grid.of(np.array(scale, object), np.array(offset, object))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Two channels; scale and offset each for both or for one alike."""
    scale = draw(st.one_of(SCALES, st.lists(SCALES, min_size=2, max_size=2)))
    offset = draw(st.one_of(SMALL, st.lists(SMALL, min_size=2, max_size=2)))
    return grid(scale, offset)


def real(g: Grid, code: int, channel: int) -> Fraction:
    scale, offset = (np.broadcast_to(a, (2,))[channel] for a in (g.scale, g.offset))
    return Fraction(scale * code + offset)


@given(grids())
def test_of_zero_is_the_one_code_that_means_zero_in_every_channel(g: Grid) -> None:
    found = [n for n in range(-24, 25) if all(real(g, n, c) == 0 for c in range(2))]
    assert [g.of_zero()] == (found or [None])


@pytest.mark.parametrize(
    ("scale", "offset", "zero"),
    [
        (Fraction(1, 3), Fraction(-2, 3), 2),
        (Fraction(1, 3), Fraction(-1, 2), None),
        ([1, 2], [-3, -6], 3),
        ([1, 2], [-3, -4], None),  # channel 0 has 3, channel 1 has 2
        ([1, 2], -2, None),
    ],
)
def test_of_zero(scale: Any, offset: Any, zero: int | None) -> None:
    assert grid(*(np.vectorize(Fraction, otypes=[object])(v)[()] for v in (scale, offset))).of_zero() == zero


@given(grids(), st.one_of(SMALL, st.lists(SMALL, min_size=2, max_size=2)), SMALL, st.integers(-9, 9))
def test_affine(g: Grid, gain: Any, shift: Fraction, code: int) -> None:
    gains = np.broadcast_to(np.array(gain, object), (2,))
    made = g.affine(np.array(gain, object), shift)
    if not all(gains):
        assert made is None
        return
    assert made is not None and made.pure == g.pure
    assert all(real(made, code, c) == gains[c] * real(g, code, c) + shift for c in range(2))


@given(grids(), st.integers(-4, 4), st.integers(0, 4))
def test_clipped_keeps_the_grid_only_where_both_bounds_lie_on_it(g: Grid, low: int, width: int) -> None:
    bounds = Fraction(low, 2), Fraction(low + width, 2)  # exact as float64
    made = g.clipped(*map(float, bounds))
    reached = [{real(g, n, c) for n in range(-48, 49)} for c in range(2)]  # (4 + 4) / (1 / 6)
    assert (made is not None) == all(b in r for b in bounds for r in reached)
    if made is not None:
        assert not made.pure and made.scale is g.scale and made.offset is g.offset
    assert g.clipped(-math.inf, math.inf) is not None


@given(grids(), st.integers(-9, 9), st.integers(0, 1))
def test_reals(g: Grid, code: int, channel: int) -> None:
    exact = real(g, code, channel)
    assert g.exact(code, channel) == g.per_channel(2).exact(code, channel) == exact
    assert g.tiled(3, 2).exact(code, channel) == exact
    assert all(g.per_channel(2).tiled(3, 2).exact(code, channel + 2 * i) == exact for i in range(3))
    assert float(g.real(np.full(2, float(code)))[channel]) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize(("value", "rounded"), [(Fraction(1, 4), False), (Fraction(1, 3), True), (Fraction(2**60 + 1), True)])
def test_is_rounded(value: Fraction, rounded: bool) -> None:
    assert grid(value, Fraction(0)).is_rounded == rounded
    assert grid(Fraction(1), value).is_rounded == rounded
    assert grid([Fraction(1), value], Fraction(0)).is_rounded == rounded


@given(st.lists(SMALL, min_size=1, max_size=4).filter(any))
def test_common_scale_is_the_largest(values: list[Fraction]) -> None:
    scale, multiples = common_scale(values)
    assert scale > 0 and [scale * n for n in multiples] == values
    assert not any(are_integers(np.array([v / (scale * k) for v in values], object)) for k in range(2, 50))


def test_fractions_take_floats_exactly() -> None:
    assert fractions(0.1)[()] == Fraction(0.1) != Fraction(1, 10)
    assert fractions([0.5, 3]).tolist() == [Fraction(1, 2), Fraction(3)]
