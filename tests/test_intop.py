"""Integer operators in blocks and in the narrowest exact dtype, against sums of Python integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.ir import blocks, intop_window
from dfcompile.ir.graph import Array
from dfcompile.ir.intop import IntAdd, IntConv, IntPool, LookupCode, ThresholdCode, Window
from dfcompile.ir.types import narrowed, signed_dtype

WINDOWS = (Window((3, 2)), Window((3, 2), (2, 1), (1, 0, 2, 1)), Window((2, 2), (1, 1), (1, 1, 1, 1), (2, 2), (2, 2)))


@pytest.fixture(params=[2**22, 40])
def small_blocks(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks as they are, and of one row."""
    monkeypatch.setattr(intop_window, "UNFOLDED", request.param)
    monkeypatch.setattr(intop_window, "CACHED", request.param)
    monkeypatch.setattr(blocks, "CACHED", request.param)


def convolved(x: Array, weights: Array, window: Window, groups: int, pad: int) -> Array:
    """By the definition."""
    view = window.view(x.astype(object), pad)
    oc, kh, kw, cg = weights.shape
    out = np.zeros((*view.shape[:3], oc), object)
    for o, ky, kx, c in np.ndindex(oc, kh, kw, cg):
        out[..., o] += view[:, :, :, o // (oc // groups) * cg + c, ky, kx] * int(weights[o, ky, kx, c])
    return out


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("groups", "cg", "oc"), [(1, 3, 4), (3, 1, 3), (3, 2, 6), (3, 1, 6)])
@pytest.mark.parametrize("largest", [7, 2**22, 2**40])
def test_convolutions(window: Window, groups: int, cg: int, oc: int, largest: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-largest, largest, (2, 7, 6, groups * cg))
    weights = rng.integers(-8, 8, (oc, *window.kernel, cg)).astype(np.int8)
    (made,) = IntConv(window, groups, 3).execute(x.astype(np.float32 if largest < 2**24 else np.float64), weights)
    np.testing.assert_array_equal(made.astype(object), convolved(x, weights, window, groups, 3))
    assert made.dtype == (np.float32 if largest == 7 else np.float64)


@pytest.mark.parametrize("lanes", [255, 257])
def test_float32_ends_where_a_sum_could_round(lanes: int) -> None:
    """Sums just below and just above 2**24, each of them odd."""
    x, weights = np.full((1, 1, 1, lanes), 257.0, np.float32), np.full((1, 1, 1, lanes), 255, np.int16)
    x[0, 0, 0, 0] = 256
    (made,) = IntConv().execute(x, weights)
    assert int(made[0, 0, 0, 0]) == 255 * (257 * lanes - 1)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("mode", ["max", "min", "sum"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (9, 9)])
@pytest.mark.parametrize("largest", [100, 2**20])
def test_pools(mode: str, kernel: tuple[int, int], largest: int) -> None:
    x = np.random.default_rng(0).integers(-largest, largest, (2, 9, 9, 3))
    (made,) = IntPool(mode, Window(kernel)).execute(x.astype(np.float32))
    join = {"max": np.max, "min": np.min, "sum": np.sum}[mode]
    np.testing.assert_array_equal(made, join(Window(kernel).view(x, 0), axis=(-2, -1)))


def test_sums_of_two_wide_streams() -> None:
    a, b = np.array([[[[2**23 + 1]]]], np.float32), np.array([[[[2**23]]]], np.float32)
    assert int(IntAdd((3, 1), 1).execute(a, b)[0][0, 0, 0, 0]) == 3 * (2**23 + 1) + 2**23 + 1


@pytest.mark.parametrize("steps", [1, 15, 63, 255])
@pytest.mark.parametrize("wide", [False, True])
def test_thresholds(steps: int, wide: bool) -> None:
    """Also ones that float32 cannot hold."""
    rng = np.random.default_rng(steps)
    top = 2**24 if wide else 1000
    thresholds = np.sort(rng.integers(-top, top, (5, steps)) + (2**24 + 1 if wide else 0), axis=1)
    x = thresholds[np.arange(5), rng.integers(0, steps, (40, 1, 5))] + rng.integers(-1, 2, (40, 1, 5))
    flip = np.array([False, True, False, True, False])
    (made,) = ThresholdCode(8, -3, 2).execute(x[None].astype(np.float64), thresholds, flip)
    count = (x[..., None] >= thresholds).sum(axis=-1)
    np.testing.assert_array_equal(made[0], np.where(flip, steps - count, count) * 2 - 3)


def test_lookups_hold_wide_entries() -> None:
    table = np.array([[2**24 + 1, -5, 7]])
    assert LookupCode(-1).execute(np.array([[[[-1.0], [1.0]]]]), table)[0].ravel().tolist() == [2**24 + 1, 7]


def test_a_narrow_dtype_holds_the_negatives_too() -> None:
    for lo, hi in ((0, 0), (-127, 5), (-128, 0), (0, 128), (-(2**15), 2**15 - 1), (-(2**31), 0), (0, 2**40)):
        dtype = signed_dtype(lo, hi)
        assert np.iinfo(dtype).max >= max(-lo, hi)
        assert np.iinfo(dtype).bits == 8 or np.iinfo(f"i{dtype.itemsize // 2}").max < max(-lo, hi)
        values = narrowed(np.array([lo, hi]))
        assert values.dtype == dtype and (np.abs(values).astype(object) == [abs(lo), abs(hi)]).all()
