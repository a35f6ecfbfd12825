"""The timing model against a cycle-by-cycle simulator, and what it says of designs worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError
from dfcompile.timing import interval as timing_interval
from dfcompile.timing.interval import Periodic, least_interval
from dfcompile.timing.net import Ints, Rates, System
from dfcompile.timing.run import run
from dfcompile.timing.solve import Timing, solve
from dfcompile.timing.system import build
from dfcompile.units.parts.schedule import After, Give, Process, one_to_one
from tests.dataflow.networks import resnet
from tests.dataflow.oracle import Outcome, simulate
from tests.dataflow.synthetic import Fake, design, designs, simple, steps
from tests.examples import examples

SETTINGS = examples(150, suppress_health_check=list(HealthCheck))
GAPS = st.integers(1, 3)
FRAMES = 4


def first_take(outcome: Outcome) -> int:
    return outcome.wires["in"].writes[0]


def same_fifos(made: Design, timing: Timing, outcome: Outcome) -> bool:
    start, found = first_take(outcome), []
    for t, (writes, reads) in timing.fifo_times.items():
        w, r = outcome.wires[t].writes, outcome.wires[t].reads
        n, m = min(len(w), len(writes)), min(len(r), len(reads))
        found.append((writes[:n] + start).tolist() == w[:n] and (reads[:m] + start).tolist() == r[:m])
    return all(found) and set(timing.fifo_times) == {t for t, d in made.fifo_depths.items() if d}


@SETTINGS
@given(designs(), GAPS, GAPS)
def test_every_handshake_is_in_the_simulated_cycle(made: Design, source_gap: int, sink_gap: int) -> None:
    outcome = simulate(made, FRAMES, source_gap, sink_gap)
    if outcome is None:
        with pytest.raises(CompileError, match="wait for each other"):
            solve(made, FRAMES, source_gap, sink_gap)
        return
    timing = solve(made, FRAMES, source_gap, sink_gap)
    for t in made.graph.outputs:
        wire = outcome.wires[t]
        last = np.array(wire.reads[wire.beats - 1 :: wire.beats][:FRAMES])
        assert timing.output_done[t].tolist() == (last - first_take(outcome)).tolist()
    assert timing.frame_done.tolist() == np.maximum.reduce(list(timing.output_done.values())).tolist()
    assert timing.latency_cycles == timing.frame_done[0] + 1
    assert same_fifos(made, timing, outcome)
    for name, engines in outcome.engines.items():
        whole = min(len(e.done) // e.process.steps for e in engines)  # frames that the simulation had to do
        firsts = [min(e.done[f * e.process.steps] for e in engines) for f in range(min(whole, FRAMES))]
        lasts = [max(e.done[(f + 1) * e.process.steps - 1] for e in engines) for f in range(min(whole, FRAMES))]
        assert (timing.units[name][:whole] + first_take(outcome)).tolist() == [list(x) for x in zip(firsts, lasts, strict=True)]


@SETTINGS
@given(designs(), GAPS, GAPS)
def test_the_interval_is_the_mean_of_a_long_run(made: Design, source_gap: int, sink_gap: int) -> None:
    system = build(made, Rates(source_gap, sink_gap), frozenset(t for t, d in made.fifo_depths.items() if d))
    interval, _ = least_interval(system, made.fifo_depths)
    net = system.net(system.links(made.fifo_depths))
    times, reached, _ = run(net, 200)
    if interval is None:
        assert (reached < 190 * net.events).any()
        return
    assert (reached >= 190 * net.events).all()
    over = 100 // interval.denominator * interval.denominator
    for e in system.edges:
        if e.tensor in made.graph.outputs:
            beat = net.first[e.consumer.sequence]
            assert Fraction(int(times[180, beat] - times[180 - over, beat]), over) == interval


@SETTINGS
@given(designs(), st.data())
def test_times_kept_up_to_date_say_the_same_as_new_ones(made: Design, data: st.DataObject) -> None:
    """Depths change one by one; a change that is refused leaves no trace."""
    system = build(made)
    names = [e.tensor for e in system.edges]
    depths = dict.fromkeys(names, 6)
    interval, periodic = least_interval(system, depths)
    if interval is None:
        return
    for _ in range(6):
        tried = {**depths, data.draw(st.sampled_from(names)): data.draw(st.integers(0, 6))}
        fits = periodic.change(tried) is None
        assert fits == (not Periodic(system, tried, interval).settle())
        depths = tried if fits else depths
        assert periodic.depths == depths


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("credit", [0, 1])
def test_a_frame_of_many_blocks_of_events(slots: int, credit: int) -> None:
    """Units that give where others take, over more events than are computed at a time."""
    beats = 700
    every, some = steps(*range(beats)), steps(*range(3, beats + 40, 3))[: beats // 3]
    units = [
        Fake((beats,), (beats,), (Process(beats, {0: every}, {0: Give(every, 2, slots, credit)}),)),
        Fake((beats,), (beats // 3,), (Process(beats + 40, {0: every + 7}, {0: Give(some, 1, slots, credit)}),)),
        Fake((beats // 3,), (beats // 3,), (Process(beats, {0: some}, {0: Give(some, 3, slots, credit)}),)),
    ]  # fmt: skip
    made = chain(*units, depths={"t1": 2})
    outcome = simulate(made, 3)
    assert outcome
    timing = solve(made, 3)
    wire = outcome.wires[made.graph.outputs[0]]
    assert timing.frame_done.tolist() == [r - first_take(outcome) for r in wire.reads[wire.beats - 1 :: wire.beats][:3]]
    assert same_fifos(made, timing, outcome)


def chain(*units: Fake, depths: dict[str, int] | None = None) -> Design:
    ends = ["in", *(f"t{i}" for i in range(len(units)))]
    nodes = [(f"u{i}", u, ends[i], ends[i + 1]) for i, u in enumerate(units)]
    return design(nodes, "in", ends[-1], depths)


def test_one_unit_by_hand() -> None:
    """Four beats through a unit of latency 3: taken in cycles 0 to 3, the last leaves in cycle 6."""
    timing = solve(chain(Fake((4,), (4,), one_to_one(4, 3, 4))))
    assert timing.latency_cycles == 7
    assert timing.interval_cycles == timing.ideal_interval_cycles == 4
    assert timing.frame_done[:3].tolist() == [6, 10, 14]
    assert timing.units["u0"][:2].tolist() == [[0, 3], [4, 7]]


def test_too_few_slots_cost_cycles() -> None:
    """With s slots a beat may be issued each (latency + 1) / s cycles."""
    timing = solve(chain(Fake((4,), (4,), one_to_one(4, 3, 2))))
    assert timing.interval_cycles == 8


def test_a_rational_interval() -> None:
    """Three slots, a slot free 4 cycles after its issue: 4 cycles for 3 beats, 4/3 for a frame of one beat."""
    timing = solve(chain(Fake((1,), (1,), one_to_one(1, 3, 3))), frames=10)
    assert timing.interval_cycles == Fraction(4, 3)
    assert np.diff(timing.frame_done).tolist() == [1, 1, 2, 1, 1, 2, 1, 1, 2]


@pytest.mark.parametrize(("source_gap", "sink_gap"), [(3, 1), (1, 3), (2, 3)])
def test_a_slow_source_or_sink_sets_the_interval(source_gap: int, sink_gap: int) -> None:
    even = Fake((4,), (4,), (Process(8, {0: steps(0, 2, 4, 6)}, {0: Give(steps(1, 3, 5, 7), 1, 2)}),))
    timing = solve(chain(even, Fake((4,), (4,), one_to_one(4, 1, 2))), source_gap=source_gap, sink_gap=sink_gap)
    assert timing.interval_cycles == 4 * max(source_gap, sink_gap)
    assert timing.ideal_interval_cycles == 8
    assert timing.bottleneck == "u0"


def test_frames_come_no_faster_than_their_period() -> None:
    timing = solve(chain(simple(4, 4, 8)), frame_period=20)
    assert timing.interval_cycles == 20


def test_a_fifo_of_one_slot_halves_the_rate() -> None:
    assert solve(chain(Fake((4,), (4,), one_to_one(4, 1, 2)), depths={"in": 1})).interval_cycles == 8
    assert solve(chain(Fake((4,), (4,), one_to_one(4, 1, 2)), depths={"in": 2})).interval_cycles == 4


def test_occupancy_over_time() -> None:
    """Beats arrive at 0, 1, 2 and are read in cycles 3, 4, 5: the unit has 3 steps before the first it needs one for."""
    late = Fake((3,), (1,), (Process(6, {0: steps(3, 4, 5)}, {0: Give(steps(5), 1, 2)}),))
    timing = solve(chain(late, depths={"in": 4}), frames=1, frame_period=100)
    cycles, held = timing.occupancy("in")
    assert dict(zip(cycles.tolist(), held.tolist(), strict=True)) == {1: 1, 2: 2, 3: 3, 4: 2, 5: 1, 6: 0}
    assert timing.fifo_max_occupancy == {"in": 3}


def reconvergent(depth: int) -> Design:
    """A branch that holds back all four beats of a frame meets one that holds none."""
    fork = Fake((4,), (4, 4), one_to_one(4, 1, 2, 1, 2))
    whole = simple(4, 4, 8)
    add = Fake((4, 4), (4,), one_to_one(4, 1, 2, 2, 1))
    return design(
        [("fork", fork, "in", "a b"), ("whole", whole, "a", "c"), ("add", add, "c b", "out")], "in", "out", {"b": depth} if depth else {}
    )


def test_a_deadlock_says_who_waits_for_what() -> None:
    with pytest.raises(CompileError) as caught:
        solve(reconvergent(0))
    [problem] = caught.value.problems
    assert problem.code == "deadlock"
    assert set(problem.why.split("; ")) == {
        "fork waits for room on b, held by add",
        "add waits for a beat of c from whole",
        "whole waits for a beat of a from fork",
    }


def test_a_deep_enough_fifo_solves_it() -> None:
    assert solve(reconvergent(6)).interval_cycles == 8


def test_a_unit_may_wait_for_a_later_frame() -> None:
    """A writer that needs the reader's next frame begun can never go on once input ends; the model runs ahead for it."""
    reader = Process(2, {}, {0: Give(steps(0, 1), 1, 3)}, (After(0, steps(-2, -1), 1),))
    writer = Process(2, {0: steps(0, 1)}, {}, (After(1, steps(1, 3), 1),))
    timing = solve(chain(Fake((2,), (2,), (writer, reader))), frames=3)
    assert len(timing.frame_done) == 3
    assert np.diff(timing.frame_done).tolist() == [timing.interval_cycles] * 2


def test_ends_of_a_stream_must_move_the_same_beats() -> None:
    late = Fake((3,), (3,), one_to_one(2, 1, 2))
    with pytest.raises(ValueError, match="in: given in 3 beats a frame, taken in 2"):
        solve(chain(late))


def test_a_large_network_in_little_memory_and_time() -> None:
    """About 60 units and a million events: the steady state is the slowest unit's own."""
    made = resnet((2, 2, 2), interval=28_224)
    timing = solve(Design(made.graph, dict.fromkeys((t for n in made.nodes for t in n.inputs), 4000)))
    assert timing.interval_cycles == timing.ideal_interval_cycles == 28_224
    assert timing.latency_cycles < 2 * timing.interval_cycles


def one_block_of_windows() -> Design:
    """Long runs of beats, branches that meet and units whose lanes differ."""
    return resnet((1, 1), size=12, interval=4000)


@pytest.mark.parametrize("depths", [{}, {"t1_1": 7}, {"t1_1": 40, "t8_0": 1}, {"t1_1": 400, "t6_0": 3}])
def test_kept_events_say_the_same_as_all(depths: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(one_block_of_windows())
    assert depths.keys() <= {e.tensor for e in system.edges}
    short, periodic = least_interval(system, depths)
    monkeypatch.setattr(timing_interval, "kept_events", every_event)
    full, expanded = least_interval(system, depths)
    assert short == full
    assert 2 * len(periodic.times) < len(expanded.times)


def every_event(system: System) -> list[Ints]:
    return [np.arange(len(gaps)) for gaps in system.gaps]


def the_ends(system: System) -> list[Ints]:
    return [np.unique([0, len(gaps) - 1]) for gaps in system.gaps]


@SETTINGS
@given(designs())
def test_too_few_kept_events_are_found_out(made: Design) -> None:
    """Nothing but the first and the last event of a frame kept: what that misses is found on all events, and kept from then on."""
    system = build(made)
    intervals = []
    for keep in (every_event, the_ends):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timing_interval, "kept_events", keep)
            intervals.append(least_interval(system, made.fifo_depths)[0])
    assert intervals[0] == intervals[1]


def test_the_ends_alone_are_too_few() -> None:
    """So the test above sees events that are kept later."""
    system = build(one_block_of_windows())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing_interval, "kept_events", the_ends)
        periodic = Periodic(system, {}, 4000)
        assert not periodic.settle()
        assert periodic.full() is None
