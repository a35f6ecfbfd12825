"""Depths of the C++'s streams: the interval of the SystemVerilog, no more than that takes, nowhere less than its FIFOs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.dataflow.design import Design
from dfcompile.timing import interval as timing_interval
from dfcompile.timing.fifo_sizing import deepen, find_depths
from dfcompile.timing.hls_streams import size_streams, stream_depths
from dfcompile.timing.interval import Periodic, least_interval
from dfcompile.timing.net import System
from dfcompile.timing.system import build
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import one_to_one
from tests.dataflow.synthetic import Fake, design, designs
from tests.dataflow.test_timing_rtl import one_block, wide_block
from tests.examples import examples

WORK = 50_000_000


@given(designs(), st.data())
@examples(40)
def test_depths_grow_only_where_the_interval_asks_for_it(made: Design, data: Any) -> None:
    sized = find_depths(made)
    least = {t: data.draw(st.integers(1, d)) for t, d in sized.depths.items() if data.draw(st.booleans())}
    system = build(made)
    found = deepen(system, least, sized.interval, WORK)
    assert all(found.get(t, 0) >= d for t, d in least.items())
    assert least_interval(system, found)[0] == sized.interval
    for t, d in found.items():
        if d > least.get(t, 0):
            assert least_interval(system, {**found, t: d - 1})[0] != sized.interval


@pytest.mark.parametrize("make", [one_block, wide_block])
def test_the_streams_of_the_hls_keep_the_interval(make: Any) -> None:
    made = make()
    sized = find_depths(made)
    system = build(made, hls=True)
    depths = deepen(system, sized.depths, sized.interval, WORK)
    assert least_interval(system, depths)[0] == sized.interval
    assert least_interval(system, {t: d - 1 for t, d in depths.items()})[0] != sized.interval
    slots = stream_depths(size_streams(Design(made.graph, sized.depths), sized.interval))
    assert slots.keys() == made.streams().keys()
    assert all(slots[e.tensor] >= depths.get(e.tensor, 0) + e.slots for e in system.edges)


def test_depths_that_suffice_stay() -> None:
    made = one_block()
    system = build(made, hls=True)
    plenty = dict.fromkeys(made.streams(), 100)
    assert deepen(system, plenty, find_depths(made).interval, WORK) == plenty


@st.composite
def branches(draw: st.DrawFn) -> Design:
    """A fork, loops of evenly spread takes one behind the other, and a sum with what passed them by."""
    beats = [draw(st.integers(2, 90)) for _ in range(draw(st.integers(1, 3)))]
    nodes = [("fork", Fake((beats[0],), (beats[0],) * 2, one_to_one(beats[0], 1, 2, outputs=2)), "in", "t0 short")]
    for i, (words, steps) in enumerate(zip(beats, [*beats[1:], beats[0]], strict=True)):
        first = np.sort(np.array(draw(st.lists(st.integers(0, steps - 1), min_size=words, max_size=words)), np.int64))
        nodes.append((f"u{i}", Fake((words,), (steps,), Loop(first, steps, 2).schedule(3)), f"t{i}", f"t{i + 1}"))
    end = f"t{len(beats)}"
    nodes.append(("sum", Fake((beats[0],) * 2, (beats[0],), one_to_one(beats[0], 2, 3, inputs=2)), f"{end} short", "out"))
    return design(nodes, "in", "out")


@given(branches())
@examples(30)
def test_the_ends_of_lines_say_the_same_as_all_events(made: Design) -> None:
    """Depths that are found on few events keep the interval on all of them, and one slot less does not."""
    system = build(made, hls=True)
    interval, _ = least_interval(system, dict.fromkeys(made.streams(), -1))
    assert interval is not None
    few = deepen(system, {}, interval, WORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing_interval, "kept_events", every_event)
        assert least_interval(system, few)[0] == interval
        for t, d in few.items():
            assert Periodic(system, {**few, t: d - 1}, interval).settle()


def every_event(system: System) -> list[Any]:
    return [np.arange(len(gaps)) for gaps in system.gaps]


def test_few_events_of_evenly_spread_takes_are_kept() -> None:
    """What takes 1,597 words in 2,584 steps has almost as many corners as words, but is one line."""
    loop = Loop(np.arange(1597) * 2584 // 1597, 2584, 1)
    system = build(design([("u", Fake((1597,), (2584,), loop.schedule(1)), "in", "out")], "in", "out"), hls=True)
    assert len({*np.diff(loop.takes)}) == 2 and sum(map(len, timing_interval.kept_events(system))) < 50
