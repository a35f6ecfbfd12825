"""Pooling: maximum, minimum and sum, in both orders of a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array
from dfcompile.units.pool import Pool
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact

REDUCE: dict[str, Callable[[Iterator[int]], int]] = {"max": max, "min": min, "sum": sum}


def oracle(unit: Pool, x: Array) -> Array:
    """Every element by itself, from the definition of the two orders."""
    (h, w, c), n = unit.shape_out, len(x)
    found = np.zeros((n, h, w, c), dtype=np.int64)
    for f, i, j, ch in np.ndindex(n, h, w, c):
        if unit.channels_outer:
            first = ch // unit.pe * unit.pe
            lanes = min(unit.pe, c - first)
            places = [first * unit.k + t * lanes + ch - first for t in range(unit.k)]
        else:
            places = [t * c + ch for t in range(unit.k)]
        found[f, i, j, ch] = REDUCE[unit.mode](int(x[f, i, j, p]) for p in places)
    return found


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    mode, k = draw(st.sampled_from(sorted(REDUCE))), draw(st.integers(1, 5))
    dtype = draw(st.one_of(st.just(BIPOLAR), st.builds(IntType, st.integers(1, 6), st.booleans())))
    factor = k if mode == "sum" else 1
    held = IntType.holding(dtype.lo * factor, dtype.hi * factor)
    out = draw(st.sampled_from([dtype, IntType(held.bits + 2, held.signed)])) if mode != "sum" else held
    if dtype.bipolar and not out.bipolar:
        out = IntType(max(out.bits, 2), signed=True)
    c = draw(st.sampled_from([1, 4, 5, 6]))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), c)
    return Pool(mode, shape, k, dtype, out, draw(st.integers(1, c)), draw(st.booleans()))


@given(pools(), st.sampled_from([np.float32, np.int8, np.int64]))
def test_values(unit: Pool, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    assert np.array_equal(unit.compute(x.astype(dtype))[0], oracle(unit, x))


@simulated(10)
@given(pools())
def test_pool_three_ways(unit: Pool) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(pools(), 8))


def test_global_sum_reads_a_frame_as_it_comes() -> None:
    unit = Pool("sum", (1, 1, 6), 20, IntType(4), IntType(9), pe=2, channels_outer=False)
    frame = np.arange(2 * 120).reshape(2, 4, 5, 6) % 16
    assert np.array_equal(unit.compute(frame.reshape(2, 1, 1, 120))[0].reshape(2, 6), frame.sum(axis=(1, 2)))
    assert unit.cycles == 60
    check_exact(unit)


def test_a_large_sum_leaves_float32() -> None:
    unit = Pool("sum", (1, 1, 1), 3, IntType(24), IntType(26))
    assert unit.compute(np.full((1, 1, 1, 3), 2.0**24 - 1, np.float32))[0].item() == 3 * (2**24 - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mean", (1, 1, 2), 4, IntType(2), IntType(4)), "a pool is one of max, min, sum"),
        (("sum", (1, 1, 2), 4, IntType(2), IntType(3)), "uint3 does not hold the sum of 4 uint2"),
        (("max", (1, 1, 3), 4, IntType(2), IntType(2), 4), "pe 4 must be 1 to 3"),
    ],
)
def test_refusals(arguments: tuple[str, tuple[int, int, int], int, IntType, IntType], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pool(*arguments)
