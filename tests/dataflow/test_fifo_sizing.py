"""FIFO depths: they keep the interval, one slot less loses it, and brute force finds nothing smaller that one slot less could."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from benchmarks.networks import Network
from dfcompile.dataflow.connect import connect
from dfcompile.dataflow.design import Design
from dfcompile.timing import fifo_sizing, interval
from dfcompile.timing.fifo_optimum import Allowance, Conflict, improve
from dfcompile.timing.fifo_sizing import FifoSizing, find_depths, size_fifos
from dfcompile.timing.interval import least_interval
from dfcompile.timing.net import UNBOUNDED
from dfcompile.timing.solve import solve
from dfcompile.timing.system import build
from dfcompile.units.parts.schedule import one_to_one
from tests.dataflow.networks import resnet
from tests.dataflow.synthetic import Fake, design, designs, simple, units
from tests.examples import examples, fewer

SETTINGS = examples(150, suppress_health_check=list(HealthCheck))


@st.composite
def diamonds(draw: Any) -> Design:
    """A fork, one or two random units on each branch, and a unit where they meet."""
    beats = draw(st.integers(1, 5))
    nodes: list[tuple[str, Fake, str, str]] = [("fork", Fake((beats,), (beats, beats), one_to_one(beats, 1, 2, 1, 2)), "in", "a0 b0")]
    ends = []
    for branch in "ab":
        count, now = draw(st.integers(0, 2)), beats
        for i in range(count):
            after = draw(st.integers(1, 5))
            nodes.append((f"{branch}{i}", draw(units((now,), (after,))), f"{branch}{i}", f"{branch}{i + 1}"))
            now = after
        ends.append((f"{branch}{count}", now))
    nodes.append(("meet", draw(units(tuple(n for _, n in ends), (2,))), " ".join(t for t, _ in ends), "out"))
    return design(nodes, "in", "out")


def check(made: Design, sized: FifoSizing | None = None) -> int:
    """Sizes a design (or takes what is given) and tries every depth again from nothing; its total bits."""
    found = sized or find_depths(made)
    system = build(made)
    assert found.minimal
    assert found.total_bits == sum(made.streams()[t].width * d for t, d in found.depths.items())
    assert least_interval(system, {e.tensor: UNBOUNDED for e in system.edges})[0] == found.interval
    assert least_interval(system, found.depths)[0] == found.interval
    for t, depth in found.depths.items():
        for less in {0, depth - 1}:
            slower = least_interval(system, {**found.depths, t: less})[0]
            assert slower is None or slower > found.interval, f"{t} needs only {less} of {depth}"
    return found.total_bits


@SETTINGS
@given(designs(4))
def test_one_slot_less_loses_the_interval(made: Design) -> None:
    check(made)


@SETTINGS
@given(diamonds())
def test_one_slot_less_loses_the_interval_where_branches_meet(made: Design) -> None:
    check(made)


def all_depths(names: list[str], slots: int) -> Iterator[dict[str, int]]:
    """All ways to spend so many slots at most."""
    if not names:
        yield {}
        return
    for depth in range(slots + 1):
        yield from ({names[0]: depth, **rest} for rest in all_depths(names[1:], slots - depth))


def whole(beats: int, cycles: int) -> Fake:
    return simple(beats, beats, cycles)


def one(beats: int, inputs: int, outputs: int) -> Fake:
    return Fake((beats,) * inputs, (beats,) * outputs, one_to_one(beats, 1, 2, inputs, outputs))


KNOWN = [
    (design([("f", one(4, 1, 2), "in", "a b"), ("w", whole(4, 8), "a", "c"), ("m", one(4, 2, 1), "c b", "out")], "in", "out"), 5),
    (design([("u", whole(4, 4), "in", "a"), ("v", whole(4, 4), "a", "out")], "in", "out"), 2),
    (design([("u", one(3, 1, 1), "in", "a"), ("v", one(3, 1, 1), "a", "out")], "in", "out"), 0),
]


@pytest.mark.parametrize("made", [made for made, _ in KNOWN])
def test_brute_force_finds_nothing_smaller(made: Design) -> None:
    bits = check(made)
    system = build(made)
    interval = find_depths(made).interval
    names = [e.tensor for e in system.edges]
    fitting = [sum(d.values()) for d in all_depths(names, bits - 1) if least_interval(system, d)[0] == interval]
    assert fitting == []


def cheapest(made: Design, bits: int) -> int:
    """The fewest bits that keep the interval, by trying all depths of fewer than `bits` bits; `bits` when there are none."""
    system = build(made)
    width = {e.tensor: e.width for e in system.edges}
    interval = least_interval(system, dict.fromkeys(width, UNBOUNDED))[0]
    sizes = ((sum(width[t] * d for t, d in depths.items()), depths) for depths in all_depths(list(width), bits // min(width.values())))
    return min((size for size, depths in sizes if size < bits and least_interval(system, depths)[0] == interval), default=bits)


@examples(fewer(60), suppress_health_check=list(HealthCheck))
@given(st.one_of(designs(4), diamonds()))
def test_what_is_called_optimal_is(made: Design) -> None:
    found = find_depths(made)
    assume(found.depths and found.optimal and found.total_bits <= 10 and len(made.streams()) <= 7)
    assert cheapest(made, found.total_bits) == found.total_bits


def test_a_stream_further_up_may_be_cheaper() -> None:
    """A FIFO of a slot on a narrow stream in front of two wide ones does what one on each of them would."""
    rows = {"narrow": 1, "left": 8, "right": 8}
    known = [Conflict({"narrow": 0, wide: 0}, frozenset()) for wide in ("left", "right")]

    def attempt(depths: Mapping[str, int]) -> Conflict | None:
        return None if depths.get("narrow", 0) or (depths.get("left", 0) and depths.get("right", 0)) else known[0]

    assert improve({"left": 1, "right": 1}, rows, list(known), attempt, Allowance(10**9)) == ({"narrow": 1}, True)


def test_a_chain_at_full_rate_needs_no_fifo() -> None:
    made, found = size_fifos(KNOWN[2][0])
    assert dict(made.fifo_depths) == {}
    assert found.optimal


def test_the_sized_design_runs_at_the_ideal_interval() -> None:
    made, _ = KNOWN[0]
    assert solve(size_fifos(made)[0]).interval_cycles == 8


def test_a_search_cut_short_says_so_and_keeps_the_interval() -> None:
    made = resnet((1, 1), interval=28_224)
    found = find_depths(made, work=1)
    assert not found.minimal
    system = build(made)
    assert least_interval(system, found.depths)[0] == found.interval


def test_a_residual_network_is_sized_to_the_slot() -> None:
    made = resnet((2, 1), interval=28_224)
    found = find_depths(made)
    assert found.minimal
    assert found.interval == 28_224
    system = build(made)
    for t, depth in found.depths.items():
        slower = least_interval(system, {**found.depths, t: depth - 1})[0]
        assert slower is None or slower > found.interval


@st.composite
def covering_problems(draw: Any) -> tuple[dict[str, int], list[Conflict], dict[str, int]]:
    """Widths, what forbids depths of up to 3 slots, and depths that nothing forbids."""
    names = "abcde"[: draw(st.integers(1, 5))]
    width = {t: draw(st.integers(1, 4)) for t in names}
    best = {t: draw(st.integers(0, 3)) for t in names}
    conflicts = []
    for _ in range(draw(st.integers(0, 6))):
        room = {t: draw(st.integers(0, 2)) for t in draw(st.sets(st.sampled_from(names), min_size=1, max_size=3))}
        through = draw(st.sets(st.sampled_from([t for t in names if t not in room]), max_size=1)) if len(room) < len(names) else set()
        conflicts.append(Conflict(room, frozenset(through)))
    return width, [c for c in conflicts if not c.forbids(best)], best


@examples(300)
@given(covering_problems())
def test_the_optimum_of_conflicts_is_that_of_brute_force(made: tuple[dict[str, int], list[Conflict], dict[str, int]]) -> None:
    width, conflicts, best = made

    def bits(depths: Mapping[str, int]) -> int:
        return sum(width[t] * d for t, d in depths.items())

    found, optimal = improve(best, width, [], lambda d: next((c for c in conflicts if c.forbids(d)), None), Allowance(10**9))
    assert optimal
    assert not any(c.forbids(found) for c in conflicts)
    every = [dict(zip(width, d, strict=True)) for d in product(range(4), repeat=len(width))]
    assert bits(found) == min(bits(d) for d in every if not any(c.forbids(d) for c in conflicts))


@pytest.mark.parametrize("allowed", [0, 1, 100, 1000, 100_000])
def test_work_ends_with_the_allowance(allowed: int) -> None:
    """Whatever is allowed, depths come out that keep the interval; the rest of the search spends no more."""
    made = residual(6)
    found, most = find_depths(made, allowed), find_depths(made)
    system = build(made)
    assert least_interval(system, found.depths)[0] == found.interval == most.interval
    assert most.minimal
    assert most.optimal
    assert not found.minimal
    assert not found.optimal
    assert found.work <= find_depths(made, 0).work + 2 * allowed + A_TRIAL * 2


A_TRIAL = 12_000  # what the last trial may take beyond the allowance in a small network, in events of the model


def residual(blocks: int) -> Design:
    """Residual blocks in a row, a lane in every stream."""
    net = Network("chain", (4, 4, 4))
    for _ in range(blocks):
        start = net.last
        net.conv(4, 3, 1, 1)
        net.conv(4, 3, 1, 1)
        net.add(start)
    return connect(net.graph())


def test_work_grows_with_the_network_and_no_faster() -> None:
    sizes = [find_depths(residual(n), 60_000_000) for n in (5, 10, 20)]
    assert all(s.minimal and s.optimal for s in sizes)
    for less, more in pairwise(sizes):
        assert more.evaluations <= 2.2 * less.evaluations
        assert more.work <= 2.5 * less.work


@examples(60, suppress_health_check=list(HealthCheck))
@given(st.one_of(designs(4), diamonds()))
def test_large_designs_are_sized_on_their_mirror_image(made: Design) -> None:
    """What only large designs do otherwise, done to small ones: the same interval, no slot too many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fifo_sizing, "_LARGE", 0)
        check(made)
        cut = find_depths(made, work=1)
        assert least_interval(build(made), cut.depths)[0] == cut.interval == find_depths(made).interval


@examples(60, suppress_health_check=list(HealthCheck))
@given(st.one_of(designs(4), diamonds()))
def test_depths_are_proved_whatever_events_are_kept(made: Design) -> None:
    """Nothing but the ends of frames kept at first: trials let too small depths pass, which the proofs on all events take back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interval, "kept_events", lambda system: [np.unique([0, len(gaps) - 1]) for gaps in system.gaps])
        found = find_depths(made)
    check(made, found)


def test_first_use_says_that_it_compiles(tmp_path: Path) -> None:
    """In a process of its own with an empty cache; one that finds the code there says nothing."""
    code = "import numpy as np; from dfcompile.store.waiting import shown_by; from dfcompile.timing.system import places\n"
    code += "with shown_by(print): places(np.arange(3), np.arange(2))"
    kept = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for said in ("first use of this version: compile machine code", ""):
        ran = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=True)
        assert said in ran.stdout and bool(said) == bool(ran.stdout), ran.stdout
