"""The blocking loop of the C++: its pattern against a run of its rule, iteration by iteration, and its rate in the timing model."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import IntType
from dfcompile.timing.interval import least_interval
from dfcompile.timing.system import build
from dfcompile.units.base import Unit
from dfcompile.units.parts.loop import NEVER, Loop
from dfcompile.units.repack import Repack
from tests.examples import examples
from tests.three_way import one_unit
from tests.units.windows import windows

FRAMES = 4


@st.composite
def loops(draw: st.DrawFn) -> Loop:
    steps = draw(st.integers(1, 30))
    first = draw(st.lists(st.one_of(st.just(NEVER), st.integers(0, steps - 1)), min_size=1, max_size=20))
    return Loop(np.array(first, dtype=np.int64), steps, draw(st.integers(1, 5)))


def run(loop: Loop) -> tuple[list[int], list[int]]:
    """Iterations that take and that give, by the rule of the C++; AssertionError where a step uses what is not there."""
    taken: list[int] = []
    given: list[int] = []
    credit, now = 0, 0
    needs = [np.flatnonzero(loop.first == s) for s in range(loop.steps)]
    while len(given) < FRAMES * loop.steps or len(taken) < FRAMES * loop.words:
        frame, step = divmod(len(given), loop.steps)
        age = now - frame * loop.iterations
        ready = all(age >= w + loop.lag for w in needs[step])
        gives = frame < FRAMES and (age >= loop.lead if loop.steps >= loop.words or step == 0 else ready)
        takes = len(taken) < FRAMES * loop.words and (
            loop.steps < loop.words or now < loop.lead or credit + loop.words >= loop.steps  # spread as Bresenham's line
        )
        if gives:
            assert all(now - taken[frame * loop.words + w] >= loop.lag for w in needs[step])
            credit = (credit + loop.words) % max(loop.steps, loop.words)
            given.append(now)
        if takes:
            taken.append(now)
        now += 1
    return taken, given


def pattern(loop: Loop) -> tuple[np.ndarray, np.ndarray]:
    frames = np.arange(FRAMES)[:, None] * loop.iterations
    return (frames + loop.takes).reshape(-1), (frames + loop.gives).reshape(-1)


@given(loops())
@examples(300)
def test_takes_and_gives_follow_each_other_as_the_pattern_says(loop: Loop) -> None:
    taken, given = run(loop)
    takes, gives = pattern(loop)
    # The first frame's lead is shorter than the pattern's, and the last frame takes nothing more: the order is the same.
    before = np.searchsorted(takes, gives, side="right")
    assert np.searchsorted(taken, given, side="right").tolist() == before.tolist()
    assert (np.diff(given[:: loop.steps]) == loop.iterations).all()


@given(loops())
@examples(100)
def test_a_shorter_lead_is_too_short(loop: Loop) -> None:
    """Where words decide it; where the rate does, a frame would begin before the last one ends."""
    shorter = Loop(loop.first, loop.steps, loop.lag)
    object.__setattr__(shorter, "lead", loop.lead - 1)
    if loop.lead <= 1:
        return
    try:
        _, given = run(shorter)
    except (AssertionError, IndexError):
        return
    assert (np.diff(given[:: loop.steps]) != loop.iterations).any()


def hls_interval(unit: Unit) -> float:
    found, _ = least_interval(build(one_unit(unit), hls=True), {})
    assert found is not None
    return float(found)


@given(windows())
@examples(60)
def test_the_window_generator_keeps_its_rate(unit: Unit) -> None:
    assert hls_interval(unit) == unit.cycles


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 2, 3, 4, 6, 12]), st.sampled_from([1, 2, 3, 4, 6, 12]))
@examples(60)
def test_repack_keeps_its_rate(a: int, b: int, in_run: int, out_run: int) -> None:
    unit = Repack((2, 2, 12), IntType(3), min(a, in_run), in_run, min(b, out_run), out_run)
    assert hls_interval(unit) == unit.cycles
    # No more waits than in SystemVerilog's shift register, whose two sides move as soon as they can, and one word that is spread.
    assert unit.hls_parameters()["Hold"] <= unit.hold + unit.in_lanes
