"""The exact interval of a system, and whether it holds after a change of its FIFOs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.dataflow.timing_net import ACTIVE, HI, IN, LO, NEXT_HI, NEXT_LO, OUT, SRC, TOUCHED, WAITS, Ints, Link, Net, Port, System
from dfcompile.dataflow.timing_periodic import CHAIN, START, fresh, next_round, settle_round, trace

_MOST_LOOPS = 1000
_RADIUS = 4
_PATIENCE = 20_000  # events computed before loops are looked for


@dataclass(frozen=True, eq=False)
class Loop:
    """Links that ask for more cycles than the frames they span bring; a deadlock when they span none."""

    links: tuple[Link, ...]
    cycles: int
    frames: int


GAVE_UP = Loop((), 0, 0)
"""In place of a loop: the work allowed was used up."""


class Periodic:
    """Times of one frame that fit an interval, kept up to date while FIFO depths change.

    depths:   tensor -> slots for which `times` was last proved to fit
    interval: cycles per frame asked for; times are multiples of 1 / its denominator
    computed: events computed so far, a measure of work
    limit:    where `computed` ends a trial: `change` then undoes it and returns `GAVE_UP`
    """

    def __init__(self, system: System, depths: Mapping[str, int], interval: Fraction | int) -> None:
        self.system = system
        self.interval = Fraction(interval)
        self.computed = 0
        self.limit: int | None = None
        self.depths: dict[str, int] = {}
        self._links: list[Link] = []
        self._net: Net
        self._use(depths)
        self._queue = np.zeros(self._net.n + 2, dtype=np.int64)
        self._stamp = 0
        events = len(self._net.gaps)
        self._seen = np.zeros(events, dtype=np.int64)
        self._causes = np.full(events, START, dtype=np.int32)
        self.times: Ints = np.zeros(events, dtype=np.int64)
        self._before = self.times.copy()
        self._left = self._net.sequences
        self._beside: list[set[int]] = [set() for _ in range(self._net.n)]
        for e in system.edges:
            self._join(e.producer, e.consumer)
            if e.write is not None:
                self._join(e.producer, e.write)
                self._join(e.write, e.consumer)
        for x in system.inner:
            self._join(x.src, x.dst)

    def settle(self) -> list[Loop]:
        """Find times for the present depths from the start; empty when they exist, else loops that forbid them."""
        self.times[:] = 0
        self._causes[:] = START
        net = fresh(self._net)
        _mark(net, range(net.n))
        return self._ended(net, self._run(net, [range(net.n)], _MOST_LOOPS))

    def relax(self, depths: Mapping[str, int]) -> list[Loop]:
        """Go on from a `settle` that failed, with larger depths; the times found are not the earliest."""
        left, old, changed = self._left, self._links, self._changed(depths)
        self._use(depths)
        place = {link: k for k, link in enumerate(self._links)}
        moved = np.array([place.get(link, START) for link in old] + [START, CHAIN], dtype=np.int32)  # causes -2 and -1 are last
        self._causes = moved[self._causes]
        net = fresh(self._net)
        net.sequences[:, NEXT_LO] = np.minimum(left[:, NEXT_LO], left[:, LO])
        net.sequences[:, NEXT_HI] = np.maximum(left[:, NEXT_HI], left[:, HI])
        _mark(net, changed)
        return self._ended(net, self._run(net, [range(net.n)], _MOST_LOOPS))

    def change(self, depths: Mapping[str, int]) -> Loop | None:
        """Try other depths from the present times: kept when they fit, undone when not.

        A loop that forbids them is mostly near what changed: the times far away are looked at last.
        """
        old = self.depths, self._links, self._net
        changed = self._changed(depths)
        self._use(depths)
        net = fresh(self._net)
        _mark(net, changed)
        loops = self._run(net, self._rings(changed), 1)
        source, target = (self._before, self.times) if loops else (self.times, self._before)
        for q in np.flatnonzero(net.sequences[:, TOUCHED]):
            part = slice(net.first[q], net.first[q] + net.size[q])
            target[part] = source[part]
            self._causes[part] = START
        if loops:
            self.depths, self._links, self._net = old
        return loops[0] if loops else None

    def _changed(self, depths: Mapping[str, int]) -> set[int]:
        """The sequences at the streams whose depth is another."""
        ends = ((e.producer, e.consumer, e.write) for e in self.system.edges if depths.get(e.tensor, 0) != self.depths.get(e.tensor, 0))
        return {p.sequence for ports in ends for p in ports if p is not None}

    def _rings(self, start: set[int]) -> list[list[int]]:
        """The sequences by their distance from `start`, in rings whose radius doubles."""
        rings, known, front, radius, distance = [sorted(start)], set(start), start, _RADIUS, 0
        while front:
            front = {b for a in front for b in self._beside[a]} - known
            known |= front
            distance += 1
            if distance > radius:
                rings.append([])
                radius *= 2
            rings[-1] += sorted(front)
        return rings

    def _ended(self, net: Net, loops: list[Loop]) -> list[Loop]:
        self._left = net.sequences
        if not loops:
            self._causes[:] = START
            self._before[:] = self.times
        return loops

    def faster(self, interval: Fraction | int) -> None:
        """Ask for another interval; `settle` must follow."""
        self.interval = Fraction(interval)

    def occupancy(self) -> dict[str, int]:
        """Least depth for which the present times still fit, for every stream that has a FIFO."""
        found = {}
        for e in self.system.edges:
            if self.depths.get(e.tensor, 0) and e.write is not None:
                found[e.tensor] = _least_depth(self._at(e.write), self._at(e.consumer), self.interval)
        return found

    def _join(self, a: Port, b: Port) -> None:
        self._beside[a.sequence].add(b.sequence)
        self._beside[b.sequence].add(a.sequence)

    def _use(self, depths: Mapping[str, int]) -> None:
        self.depths = dict(depths)
        self._links = self.system.links(self.depths)
        self._net = self.system.net(self._links)

    def _at(self, port: Port) -> Ints:
        found: Ints = self.times[self._net.first[port.sequence] + self._net.ports[port.offset : port.offset + port.beats]]
        return found

    def _run(self, net: Net, rings: Sequence[Iterable[int]], most: int) -> list[Loop]:
        """Raise marked times until all links hold or loops (at most so many) are found; one more ring at a time."""
        self._queue[:2] = 0
        patience = _PATIENCE
        for ring in rings:
            net.sequences[list(ring), ACTIVE] = 1
            left = patience
            while next_round(net.sequences, net.links, net.ports, net.out, self._queue):
                while self._queue[1]:
                    left -= self._settle_round(net, left)
                    if self.limit is not None and self.computed > self.limit:
                        return [GAVE_UP]
                    if left <= 0:
                        if loops := self._trace(net, most):
                            return loops
                        left = patience = patience + patience // 2
                if (net.sequences[:-1, LO] < net.size).any():
                    return [self._deadlock(net)]
        return []

    def _settle_round(self, net: Net, most: int) -> int:
        """At most about so many events of this round; how many."""
        period, scale = self.interval.numerator, self.interval.denominator
        computed: int = settle_round(*net, self._queue, self.times, self._causes, period, scale, most)
        self.computed += computed
        return computed

    def _trace(self, net: Net, most: int) -> list[Loop]:
        used = np.zeros(len(self._links), dtype=np.bool_)
        found: list[Loop] = []
        since = self._stamp + 1
        waiting = np.flatnonzero(net.sequences[:-1, LO] < net.size)
        starts = [(q, i) for q in waiting for i in (net.sequences[q, LO], net.sequences[q, LO] - 1) if i >= 0]
        for q, i in starts:
            self._stamp += 1
            cycles, frames = trace(*net[:4], self._causes, int(q), int(i), self._seen, since, self._stamp, used)
            if cycles:
                found.append(Loop(tuple(self._links[k] for k in np.flatnonzero(used)), cycles, frames))
                if len(found) == most:
                    break
        return found

    def _deadlock(self, net: Net) -> Loop:
        """The links that wait for each other."""
        q = int(np.flatnonzero(net.sequences[:-1, LO] < net.size)[0])
        order: list[int] = []
        while q not in order:
            order.append(q)
            q = int(net.links[net.sequences[q, WAITS], SRC])
        links = [self._links[net.sequences[s, WAITS]] for s in order[order.index(q) :]]
        return Loop(tuple(links), sum(x.delay for x in links), 0)


def _mark(net: Net, sequences: Iterable[int]) -> None:
    """All events of these sequences must be computed, unless nothing links them (writes of FIFOs that are not there)."""
    linked = (net.sequences[1:, IN] > net.sequences[:-1, IN]) | (net.sequences[1:, OUT] > net.sequences[:-1, OUT])
    for q in (q for q in sequences if linked[q]):
        net.sequences[q, NEXT_LO], net.sequences[q, NEXT_HI] = 0, net.size[q] - 1


def _least_depth(writes: Ints, reads: Ints, interval: Fraction) -> int:
    """Least D with writes[k] >= reads[k - D] + 1 for all beats k of all frames (times are scaled)."""
    period, scale = interval.numerator, interval.denominator
    beats = len(writes)
    # The reads before beat k of frame 0 is written: whole frames, then those of the frame that is being read.
    frames = (writes - scale - reads[0]) // period
    done = frames * beats + np.searchsorted(reads, writes - scale - frames * period, side="right")
    return int((np.arange(1, beats + 1) - done).max())


def least_interval(system: System, depths: Mapping[str, int]) -> tuple[Fraction | None, Periodic]:
    """The steady interval (largest cycles / frames of all loops), and times that fit it; None for a deadlock."""
    periodic = Periodic(system, depths, max(system.cycles))
    while loops := periodic.settle():
        if not all(x.frames for x in loops):
            return None, periodic
        periodic.faster(max(Fraction(x.cycles, x.frames) for x in loops))
    return periodic.interval, periodic
