"""Nearest-neighbour upsampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import IntType
from dfcompile.units.upsample import Upsample
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact


@st.composite
def upsamples(draw: st.DrawFn) -> Upsample:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), 4)
    factors = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return Upsample(shape, factors, IntType(3, signed=True), draw(st.integers(1, 4)))


@given(upsamples())
def test_values(unit: Upsample) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    (found,) = unit.compute(x)
    assert found.shape == (2, *unit.outputs[0].shape)
    for n, y, z, c in np.ndindex(found.shape):
        assert found[n, y, z, c] == x[n, y // unit.factors[0], z // unit.factors[1], c]


@simulated(10)
@given(upsamples())
def test_upsample_three_ways(unit: Upsample) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(upsamples(), 6))


def test_block_ram() -> None:
    check_exact(Upsample((3, 4, 4), (2, 2), IntType(3), 2, depth=20, style="bram"))


def test_one_row_is_enough() -> None:
    # The row's second copy frees each word as it is read; the next row may follow at once.
    assert Upsample((8, 16, 4), (2, 2), IntType(8), 4).words <= 16 + 2


def test_refusals() -> None:
    with pytest.raises(ValueError, match="5 lanes for 4 channels"):
        Upsample((1, 1, 4), (2, 2), IntType(3), 5)
    with pytest.raises(ValueError, match="never holds what is repeated; 16 do"):
        Upsample((2, 16, 1), (2, 2), IntType(3), depth=15)
