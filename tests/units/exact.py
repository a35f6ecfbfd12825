"""Is a unit's schedule true under stalls? The bench's random pauses are replayed here and every frame's cycle predicted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dfcompile.run.rtl import run_rtl
from dfcompile.units.base import Unit
from dfcompile.units.parts.schedule import Give, Process
from tests.three_way import assert_same, check, one_unit, random_codes

_MASK = (1 << 64) - 1


@dataclass
class Splitmix:
    """The generator of templates/sim/harness.cpp."""

    state: int

    def below(self, threshold: int) -> bool:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return (z ^ (z >> 31)) & 0xFFFFFFFF < threshold


@dataclass
class Source:
    beats: int
    taken: int = 0
    offered: bool = False


@dataclass
class Sink:
    """An output port: cycles of the issues and of the handshakes."""

    give: Give
    issued: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)

    def is_valid(self, now: int) -> bool:
        k = len(self.passed)
        return k < len(self.issued) and now >= self.issued[k] + self.give.latency

    def can_issue(self, now: int) -> bool:
        k = len(self.issued) - self.give.slots
        return k < 0 or (k < len(self.passed) and now >= self.passed[k] + self.give.credit_delay)


@dataclass
class Engine:
    process: Process
    done: list[int] = field(default_factory=list)

    def step(self, now: int, engines: list[Engine], sources: list[Source], sinks: list[Sink]) -> list[int] | None:
        """Do the next step if this cycle allows it; the ports it took a beat from, or None."""
        p = self.process
        frame, s = divmod(len(self.done), p.steps)
        takes = [i for i, steps in p.takes.items() if s in steps]
        gives = [o for o, give in p.gives.items() if s in give.steps]
        for a in p.after:
            need = frame * engines[a.process].process.steps + int(a.need[s])
            done = engines[a.process].done
            if need > 0 and (len(done) < need or now < done[need - 1] + a.delay):
                return None
        if not all(sources[i].offered for i in takes) or not all(sinks[o].can_issue(now) for o in gives):
            return None
        self.done.append(now)
        for o in gives:
            sinks[o].issued.append(now)
        return takes


def predict(unit: Unit, frames: int, stalls: float, seed: int) -> list[int]:
    """The cycle of the first beat taken, then the cycle in which each frame is complete on all ports."""
    random, threshold = Splitmix(seed), int(stalls * 2**32)
    engines = [Engine(p) for p in unit.schedule()]
    gives = {o: give for e in engines for o, give in e.process.gives.items()}
    sources = [Source(frames * s.beats) for s in unit.inputs]
    sinks = [Sink(gives[o]) for o in range(len(unit.outputs))]
    first, now = -1, 0
    while any(len(k.passed) < frames * s.beats for k, s in zip(sinks, unit.outputs, strict=True)):
        for source in sources:
            stalled = threshold > 0 and random.below(threshold)
            source.offered = source.offered or (not stalled and source.taken < source.beats)
        for sink in sinks:
            stalled = threshold > 0 and random.below(threshold)
            if not stalled and sink.is_valid(now):
                sink.passed.append(now)
        taken = [i for e in engines for i in e.step(now, engines, sources, sinks) or ()]
        for i in taken:
            sources[i].offered = False
            sources[i].taken += 1
            first = now if first < 0 else first
        now += 1
        assert now < 1_000_000, "the schedule deadlocks"
    done = [max(k.passed[(f + 1) * s.beats - 1] for k, s in zip(sinks, unit.outputs, strict=True)) for f in range(frames)]
    return [first, *done]


def check_exact(unit: Unit, *, frames: int = 3, seed: int = 0, hls: bool = True, stalls: tuple[float, ...] = (0.2, 0.6)) -> None:
    """`check`, then the RTL under stalls: same beats, and every frame complete in the very cycle that the schedule says.

    So too after a reset at any moment of the run.
    """
    rng = np.random.default_rng(seed)
    codes = [random_codes(s, frames, rng) for s in unit.inputs]
    wanted = unit.compute(*codes)
    unstalled = check(unit, codes, hls=hls)
    assert unstalled is not None
    ideal = unit.cycles
    assert unstalled.interval_cycles == ideal or unit.kind == "fifo", f"{unit}: interval {unstalled.interval_cycles}, ideal {ideal}"
    for part, reset_at in [*((p, 0) for p in stalls), (stalls[0], int(rng.integers(1, unstalled.cycles)))]:
        run = run_rtl(one_unit(unit), codes, part, seed, reset_at=reset_at)
        for stream, got, want in zip(unit.outputs, run.outputs, wanted, strict=True):
            assert_same(f"RTL {unit} with stalls {part}, reset at {reset_at}", stream, got, want)
        measured = [run.first_take, *run.frame_done.tolist()]
        assert measured == predict(unit, frames, part, seed), f"{unit} with stalls {part}, reset at {reset_at}"
