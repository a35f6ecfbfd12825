"""The exact interval of a system, and whether it holds after a change of its FIFOs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.dataflow.timing_net import LO, NEXT_HI, NEXT_LO, SRC, TOUCHED, WAITS, Ints, Link, Net, Port, System
from dfcompile.dataflow.timing_periodic import START, fresh, next_round, settle_round, trace

_MOST_ROUNDS = 100_000
_TRACES = 8  # loops looked for after a round


@dataclass(frozen=True, eq=False)
class Loop:
    """Links that ask for more cycles than the frames they span bring; a deadlock when they span none."""

    links: tuple[Link, ...]
    cycles: int
    frames: int


class Periodic:
    """Times of one frame that fit an interval, kept up to date while FIFO depths change.

    depths:   tensor -> slots for which `times` was last proved to fit
    interval: cycles per frame asked for; times are multiples of 1 / its denominator
    computed: events computed so far, a measure of work
    """

    def __init__(self, system: System, depths: Mapping[str, int], interval: Fraction | int) -> None:
        self.system = system
        self.interval = Fraction(interval)
        self.computed = 0
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

    def settle(self) -> Loop | None:
        """Find times for the present depths from the start; None when they exist, else a loop that forbids them."""
        self.times[:] = 0
        self._causes[:] = START
        net = fresh(self._net)
        loop = self._run(net, range(net.n))
        self._causes[:] = START
        if loop is None:
            self._before[:] = self.times
        return loop

    def change(self, depths: Mapping[str, int]) -> Loop | None:
        """Try other depths from the present times: kept when they fit, undone when not."""
        old = self.depths, self._links, self._net
        changed = {t for t in {*depths, *self.depths} if depths.get(t, 0) != self.depths.get(t, 0)}
        self._use(depths)
        net = fresh(self._net)
        ends = ((e.producer, e.consumer, e.write) for e in self.system.edges if e.tensor in changed)
        loop = self._run(net, {p.sequence for ports in ends for p in ports if p is not None})
        source, target = (self.times, self._before) if loop is None else (self._before, self.times)
        for q in np.flatnonzero(net.sequences[:, TOUCHED]):
            part = slice(net.first[q], net.first[q] + net.size[q])
            target[part] = source[part]
            self._causes[part] = START
        if loop is not None:
            self.depths, self._links, self._net = old
        return loop

    def relax(self, depths: Mapping[str, int]) -> Loop | None:
        """Go on from the times of a failed `settle` with larger depths; the times found are not the earliest."""
        self._use(depths)
        self._causes[:] = START
        return self._run(fresh(self._net), range(self._net.n))

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

    def _use(self, depths: Mapping[str, int]) -> None:
        self.depths = dict(depths)
        self._links = self.system.links(self.depths)
        self._net = self.system.net(self._links)

    def _at(self, port: Port) -> Ints:
        found: Ints = self.times[self._net.first[port.sequence] + self._net.ports[port.offset : port.offset + port.beats]]
        return found

    def _run(self, net: Net, sequences: Iterable[int]) -> Loop | None:
        """Raise times, all events of `sequences` first, until all links hold or a loop is found."""
        for q in sequences:
            net.sequences[q, NEXT_LO], net.sequences[q, NEXT_HI] = 0, net.size[q] - 1
        self._queue[:2] = 0
        period, scale = self.interval.numerator, self.interval.denominator
        wait = 1
        for rounds in range(_MOST_ROUNDS):
            if not next_round(net.sequences, net.links, net.ports, net.out, self._queue):
                return None
            if rounds >= wait:
                wait += (rounds + 1) // 2
                loop = self._trace(net)
                if loop is not None:
                    return loop
            computed, ended = settle_round(*net, self._queue, self.times, self._causes, period, scale)
            self.computed += computed
            if not ended:
                return self._deadlock(net)
        raise RuntimeError("the timing model does not settle")

    def _trace(self, net: Net) -> Loop | None:
        used = np.zeros(len(self._links), dtype=np.bool_)
        for q in np.flatnonzero(net.sequences[:-1, LO] < net.size)[:_TRACES]:
            self._stamp += 1
            cycles, frames = trace(*net[:4], self._causes, int(q), int(net.sequences[q, LO]), self._seen, self._stamp, used)
            if cycles:
                return Loop(tuple(self._links[k] for k in np.flatnonzero(used)), cycles, frames)
        return None

    def _deadlock(self, net: Net) -> Loop:
        """The links that wait for each other."""
        q = int(np.flatnonzero(net.sequences[:-1, LO] < net.size)[0])
        order: list[int] = []
        while q not in order:
            order.append(q)
            q = int(net.links[net.sequences[q, WAITS], SRC])
        links = [self._links[net.sequences[s, WAITS]] for s in order[order.index(q) :]]
        return Loop(tuple(links), sum(x.delay for x in links), 0)


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
    while True:
        loop = periodic.settle()
        if loop is None:
            return periodic.interval, periodic
        if not loop.frames:
            return None, periodic
        periodic.faster(Fraction(loop.cycles, loop.frames))

