"""Depths of the C++'s streams: the interval of the SystemVerilog, no more than that takes, nowhere less than its FIFOs."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.encoder import encoder
from dfcompile import build as build_model
from dfcompile.dataflow.design import Design
from dfcompile.ir.types import IntType
from dfcompile.timing import hls_streams
from dfcompile.timing import run as run_of_the_model
from dfcompile.timing.endless import goes_on
from dfcompile.timing.fifo_sizing import deepen, find_depths
from dfcompile.timing.hls_streams import size_streams, stream_depths
from dfcompile.timing.interval import least_interval
from dfcompile.timing.reach import reach
from dfcompile.timing.run import run
from dfcompile.timing.solve import solve
from dfcompile.timing.system import build
from dfcompile.units.width_converter import WidthConverter
from tests.dataflow.synthetic import designs
from tests.dataflow.test_timing_rtl import one_block, wide_block
from tests.examples import examples
from tests.three_way import one_unit

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


@given(designs())
@examples(60)
def test_depths_of_large_designs_let_all_frames_through(made: Design) -> None:
    """What a run of a few frames needs, the steady state needs no more of: no loop of links is without frames."""
    depths = hls_streams._deepened(made, {})
    system = build(made, hls=True)
    assert least_interval(system, depths)[0] is not None
    if depths:
        assert least_interval(system, {})[0] is None


@given(designs(), st.data())
@examples(200)
def test_what_goes_on_for_ever_is_what_has_an_interval(made: Design, data: Any) -> None:
    timed, untimed = build(made, hls=True), build(made, fifos=frozenset(), hls=True)
    depths = {e.tensor: data.draw(st.integers(0, 4)) for e in timed.edges}
    found = goes_on(untimed, untimed.untimed_links(depths))
    assert found == (least_interval(timed, depths)[0] is not None)


@given(designs(), st.data())
@examples(100)
def test_counts_reach_what_a_run_reaches_and_go_on_with_more_room(made: Design, data: Any) -> None:
    timed, untimed = build(made, hls=True), build(made, fifos=frozenset(), hls=True)
    depths = {e.tensor: data.draw(st.integers(0, 3)) for e in timed.edges}
    found = np.zeros(len(untimed.names), np.int64)
    for frames in (1, 3):
        depths = {t: d + data.draw(st.integers(0, 2)) for t, d in depths.items()}
        links = untimed.untimed_links(depths)
        waits = reach(untimed.net(links, timed=False), frames, found)
        wanted = dict(zip(timed.names, run(timed.net(timed.links(depths)), frames)[1].tolist(), strict=True))
        assert dict(zip(untimed.names, found.tolist(), strict=True)) == {n: wanted[n] for n in untimed.names}
        stopped = [q for q, n in enumerate(found) if n < frames * len(untimed.gaps[q])]
        assert stopped == np.flatnonzero(waits >= 0).tolist() and all(links[waits[q]].dst.sequence == q for q in stopped)


def test_streams_without_branches_need_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_streams, "_short", lambda *_: pytest.fail("no branches meet"))
    chain = one_unit(WidthConverter((2, 3, 4), IntType(3), 3, 8))
    assert hls_streams._deepened(chain, {"x0": 5}) == {"x0": 5}


def test_units_that_take_a_frame_ahead_one_behind_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of attention: the last frames of a run wait for more that do not come, which is no deadlock."""
    design = build_model(encoder(tmp_path, layers=2, width=8, heads=2, tokens=4), mode="dataflow").design
    monkeypatch.setattr(hls_streams, "_LARGEST", 0)
    found = size_streams(design, Fraction(1))
    assert found.hls_depths and all(found.hls_depths[t] >= d for t, d in design.fifo_depths.items())


def test_long_runs_say_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = one_block()
    sized = find_depths(made)
    told: list[tuple[int, int]] = []
    whole = solve(Design(made.graph, sized.depths), frames=3)
    monkeypatch.setattr(run_of_the_model, "_SLICE", 5)
    sliced = solve(Design(made.graph, sized.depths), frames=3, progress=lambda done, of: told.append((done, of)))
    assert len(told) > 10 and told == sorted(told) and told[-1][0] == told[-1][1]
    assert sliced.frame_done.tolist() == whole.frame_done.tolist()
    texts: list[str] = []
    find_depths(made, progress=texts.append)
    monkeypatch.setattr(hls_streams, "_LARGEST", 0)
    size_streams(Design(made.graph, sized.depths), sized.interval, texts.append)
    for stage in ("size FIFOs: open", "size FIFOs: lower", "size streams of the C++"):
        assert any(re.fullmatch(rf"{re.escape(stage)} \d+/\d+", t) for t in texts), stage
