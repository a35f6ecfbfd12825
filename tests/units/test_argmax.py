"""Index of the largest channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import divisors
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.exact import check_exact


@st.composite
def argmaxes(draw: st.DrawFn) -> Argmax:
    c = draw(st.sampled_from([1, 2, 7, 10, 12]))
    # Narrow types make ties.
    dtype = draw(st.one_of(st.just(BIPOLAR), st.builds(IntType, st.integers(1, 3), st.booleans())))
    pe, last = draw(st.sampled_from(divisors(c))), draw(st.booleans())
    return Argmax((draw(st.integers(1, 2)), draw(st.integers(1, 3)), c), dtype, None, pe, last)


@given(argmaxes())
def test_values(unit: Argmax) -> None:
    x = random_codes(unit.inputs[0], 3, np.random.default_rng(1))
    (found,) = unit.compute(x.astype(np.float32))
    assert found.shape == (3, *unit.shape[:2], 1)
    for place in np.ndindex(x.shape[:3]):
        channels = x[place].tolist()
        first = channels.index(max(channels))
        last = len(channels) - 1 - channels[::-1].index(max(channels))
        assert found[place].item() == (last if unit.select_last else first)


@simulated(10)
@given(argmaxes())
def test_argmax_three_ways(unit: Argmax) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(argmaxes(), 6))


def test_a_wide_logit() -> None:
    check_exact(Argmax((1, 1, 10), IntType(24, signed=True), pe=2))


@pytest.mark.parametrize("last", [False, True])
def test_ties(last: bool) -> None:
    check_exact(Argmax((1, 4, 12), IntType(1), None, 3, last))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="does not divide 10"):
        Argmax((1, 1, 10), IntType(4), pe=3)
    with pytest.raises(ValueError, match="does not hold the index"):
        Argmax((1, 1, 10), IntType(4), IntType(3))
