"""Width conversion by any ratio."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import IntType
from dfcompile.units.base import divisors
from dfcompile.units.width_converter import WidthConverter
from tests.examples import simulated
from tests.three_way import check
from tests.units.exact import check_exact

LANES = divisors(60)


@pytest.mark.parametrize(("few", "many"), [(1, 1), (1, 6), (6, 1), (2, 3), (3, 2), (4, 10), (12, 5), (5, 12), (20, 60)])
def test_width_converter_three_ways(few: int, many: int) -> None:
    check_exact(WidthConverter((1, 5, 12), IntType(3, signed=True), few, many), hls=(few, many) in ((2, 3), (12, 5)))


@simulated(8)
@given(st.sampled_from(LANES), st.sampled_from(LANES), st.integers(1, 9))
def test_hls_of_any_ratio(in_lanes: int, out_lanes: int, bits: int) -> None:
    check(WidthConverter((1, 5, 12), IntType(bits), in_lanes, out_lanes), rtl=False)


@given(st.sampled_from(LANES), st.sampled_from(LANES))
def test_the_longer_side_sets_the_rate(in_lanes: int, out_lanes: int) -> None:
    unit = WidthConverter((1, 5, 12), IntType(2), in_lanes, out_lanes)
    (process,) = unit.schedule()
    taken, given_ = process.takes[0], process.gives[0].steps
    assert process.steps == unit.cycles == max(60 // in_lanes, 60 // out_lanes)
    # No beat is given before its last element is taken.
    for beat, step in enumerate(given_):
        assert np.count_nonzero(taken <= step) * in_lanes >= (beat + 1) * out_lanes


def test_lanes_must_divide_the_frame() -> None:
    with pytest.raises(ValueError, match="do not both divide 60"):
        WidthConverter((1, 5, 12), IntType(2), 7, 4)
