"""Between padded and unpadded streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.timing.solve import solve
from dfcompile.units.base import divisors
from dfcompile.units.repack import Repack
from tests.examples import drawn, examples, simulated
from tests.three_way import check_cpp, one_unit
from tests.units.exact import check_exact

INT3 = IntType(3, signed=True)


@st.composite
def repacks(draw: st.DrawFn, most: int = 24) -> Repack:
    """A frame of pixels; each side's lanes start again at each pixel or each few pixels, or never."""
    channels, pixels = draw(st.integers(1, most)), draw(st.sampled_from([1, 2, 3, 4, 6]))
    elements = channels * pixels
    sides = []
    for _ in range(2):
        run = draw(st.sampled_from([0, channels, channels, channels * draw(st.sampled_from(divisors(pixels)))]))
        lanes = draw(st.integers(1, run)) if run else draw(st.sampled_from([d for d in divisors(elements) if d <= 3 * channels]))
        sides += [lanes, run]
    unit = Repack((1, pixels, channels), draw(st.sampled_from([INT3, BIPOLAR, IntType(4)])), *sides)
    assume(unit.inputs[0].run or unit.outputs[0].run)
    return unit


@examples(300)
@given(repacks(60))
def test_the_longer_side_sets_the_rate(unit: Repack) -> None:
    """Neither side waits for the other: frames follow each other after max(beats in, beats out) cycles."""
    timing = solve(one_unit(unit), frames=4)
    assert np.diff(timing.frame_done).tolist()[1:] == [unit.cycles] * 2
    assert unit.cycles == max(unit.inputs[0].beats, unit.outputs[0].beats)


CASES = [
    (3, 10, 4, 10), (4, 10, 3, 10), (4, 7, 6, 7), (6, 7, 4, 7), (3, 10, 5, 0), (5, 0, 3, 10), (7, 10, 15, 20), (20, 0, 7, 10),
    (9, 10, 1, 0), (1, 0, 9, 10), (4, 10, 4, 0), (6, 10, 4, 20),
]  # fmt: skip


@pytest.mark.parametrize("sides", CASES)
def test_repack_three_ways(sides: tuple[int, int, int, int]) -> None:
    channels = 7 if 7 in (sides[1], sides[3]) else 10
    check_exact(Repack((2, 2, channels), INT3, *sides), hls=sides[0] in (3, 6, 20))


@simulated(6)
@given(repacks())
def test_any_pair_of_layouts_under_stalls(unit: Repack) -> None:
    check_exact(unit, hls=False, stalls=(0.5,))


def test_hls() -> None:
    check_cpp(drawn(repacks(), 6))


def test_runs_must_divide_the_frame() -> None:
    with pytest.raises(ValueError, match="runs of 7 and 4 do not divide 60 elements"):
        Repack((1, 5, 12), INT3, 3, 7, 4, 0)
