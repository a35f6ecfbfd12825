"""The exact interval of a system, and whether it holds after a change of its FIFOs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.timing.compact import LAYERS, Layout
from dfcompile.timing.corners import kept_events
from dfcompile.timing.full import Full
from dfcompile.timing.net import Ints, Link, Net, Port, Records, System
from dfcompile.timing.periodic import SETTLED, START, STUCK, Bools, empty_queue, fresh, settle
from dfcompile.timing.reduce import Reduction
from dfcompile.timing.trace import trace
from dfcompile.units.parts.repeated import count_before

_MOST_LOOPS = 1000
_RADIUS = 4
_TRIAL = 10_000  # events that could be computed while a trial gets ready, and one more for each link
_CHEAP = 16  # beats of links that `full` looks at in the time of an event
_PATIENCE = 20_000  # events computed before loops are looked for
_TURNS = 8  # the same in a small system, as times that all its events were computed


@dataclass(frozen=True, eq=False)
class Loop:
    """Links that ask for more cycles than the frames they span bring; a deadlock when they span none, or go back."""

    links: tuple[Link, ...]
    cycles: int
    frames: int


GAVE_UP = Loop((), 0, 0)
"""In place of a loop: the work allowed was used up."""


class Periodic:
    """Times of one frame that fit an interval, kept up to date while FIFO depths change.

    depths:   tensor -> slots for which `times` was last proved to fit
    interval: cycles per frame asked for; times are multiples of 1 / its denominator
    computed: events computed so far, and what else took as long: a measure of work
    limit:    where `computed` ends a trial: `change` then undoes it and returns `GAVE_UP`
    """

    def __init__(self, system: System, depths: Mapping[str, int], interval: Fraction | int) -> None:
        self.system = system
        self.interval = Fraction(interval)
        self.computed = 0
        self.limit: int | None = None
        self.depths: dict[str, int] = {}
        self._reduction = Reduction(system)
        self._links: Ints = np.empty(0, dtype=np.int64)
        self._stamp = self._last = 0
        self._net: Net
        self._layout = Layout(system, self._reduction, kept_events(system))
        self._forget()
        self._use(depths)
        self._left: Records  # state in which the last `settle` or `relax` ended
        self._queue = empty_queue(len(system.gaps))

    def _forget(self) -> None:
        """All times: other events are kept."""
        self._seen = np.empty(0, dtype=np.int32)
        self._causes = np.empty(0, dtype=np.int32)
        self.times: Ints = np.empty(0, dtype=np.int64)
        self._before = self.times.copy()

    def settle(self, depths: Mapping[str, int] | None = None) -> list[Loop]:
        """Find times for depths (None: the present ones) from the start; empty when they exist, else loops that forbid them."""
        if depths is not None:
            self._use(depths)
        self.times[:] = 0
        self._causes[:] = START
        net = fresh(self._net)
        _mark(net, range(net.n))
        return self._ended(net, self._run(net, [range(net.n)], _MOST_LOOPS))

    def relax(self, depths: Mapping[str, int]) -> list[Loop]:
        """Go on from a `settle` that failed, with larger depths; the times found are not the earliest."""
        left, changed = self._left, self._use(depths)
        net = fresh(self._net)
        net.sequences["next_lo"] = np.minimum(left["next_lo"], left["lo"])
        net.sequences["next_hi"] = np.maximum(left["next_hi"], left["hi"])
        net.sequences["next_lo"][~_linked(net)] = net.sequences["events"][~_linked(net)]
        _mark(net, changed)
        return self._ended(net, self._run(net, [range(net.n)], _MOST_LOOPS))

    def change(self, depths: Mapping[str, int]) -> Loop | None:
        """Try other depths from the present times: kept when they fit, undone when not.

        A loop that forbids them is mostly near what changed: the times far away are looked at last.
        """
        self.computed += _TRIAL + len(self._links)
        old = self.depths, self._links, self._net
        changed = self._use(depths)
        net = fresh(self._net)
        _mark(net, changed)
        loops = self._run(net, self._rings(net, changed), 1)
        source, target = (self._before, self.times) if loops else (self.times, self._before)
        for q in np.flatnonzero(net.sequences["touched"]):
            part = slice(net.first[q], net.first[q] + net.events[q])
            target[part] = source[part]
            self._causes[part] = START
        if loops:
            self.depths, self._links, self._net = old
        return loops[0] if loops else None

    def _rings(self, net: Net, start: set[int]) -> Iterator[list[int]]:
        """The sequences by their distance from `start`, in rings whose radius doubles."""
        ring, known, front, radius, distance = sorted(start), set(start), start, _RADIUS, 0
        while front:
            front = {b for a in front for b in neighbours(net, a)} - known
            known |= front
            distance += 1
            if distance > radius:
                yield ring
                ring = []
                radius *= 2
            ring += sorted(front)
        yield ring

    def _ended(self, net: Net, loops: list[Loop]) -> list[Loop]:
        self._left = net.sequences
        if not loops:
            self._causes[:] = START
            self._before[:] = self.times
        return loops

    def faster(self, interval: Fraction | int) -> None:
        """Ask for another interval; `settle` must follow."""
        self.interval = Fraction(interval)

    def full(self) -> Full | None:
        """Times of all events, when they exist: the proof of the present ones. Where they do not, more events are kept from now on:
        `settle` must follow."""
        links = [self._reduction.link(int(k)) for k in np.unique(self._links // LAYERS)]
        given = {}
        left_out = self._reduction.left_out(self.depths)
        asked = {p.sequence for x in links for p in (x.src, x.dst)}
        asked |= {x.src.sequence for came in left_out.values() for x in came if x.src.sequence not in left_out}  # what they follow from
        for q in sorted(asked):
            first = self._layout.first[q]
            given[q] = self._layout.kept[q], self.times[first : first + self._layout.size[q]]
        found = Full(self.system, links, given, self.interval.numerator, self.interval.denominator)
        self.computed += found.work // _CHEAP
        if not found.more:
            return found
        self._layout.keep_more(found.more)
        self._forget()
        self._use(self.depths)
        return None

    def proved(self, depths: Mapping[str, int] | None = None) -> Full:
        """Times of all events for depths (None: the present ones) that are known to keep the interval."""
        while True:
            loops = self.settle(depths)
            assert not loops, "these depths keep the interval"
            found = self.full()
            if found is not None:
                return found

    def occupancy(self, full: Full) -> dict[str, int]:
        """The least depth for which these times fit, for every stream that has a FIFO. Where time runs backwards in this system, the
        depths are of the system that it mirrors."""
        left_out = self._reduction.left_out(self.depths)
        known: dict[Port, Ints] = {}
        found = {}
        for e in self.system.edges:
            if self.depths.get(e.tensor, 0):
                given, taken = (self._beats(full, p, left_out, known) for p in (e.producer, e.consumer))
                if self.system.backwards:
                    given, taken = -given[::-1], -taken[::-1]
                found[e.tensor] = max(1, _least_depth(given + e.latency * self.interval.denominator, taken, self.interval))
        return found

    def _beats(self, full: Full, port: Port, left_out: Mapping[int, list[Link]], known: dict[Port, Ints]) -> Ints:
        """Times of all beats of a port."""
        if port.sequence not in left_out:
            found: Ints = full.times[port.sequence][self.system.events(port)]
            return found
        if port not in known:
            came = []
            for x in left_out[port.sequence]:
                frames, beats = divmod(x.shift, port.beats)
                t = np.roll(self._beats(full, x.src, left_out, known), beats) + x.delay * self.interval.denominator
                t[:beats] -= self.interval.numerator
                came.append(t - frames * self.interval.numerator)
            known[port] = np.maximum.reduce(came)
        return known[port]

    def _use(self, depths: Mapping[str, int]) -> set[int]:
        """Take the links of other depths; the sequences that have new ones to wait by."""
        old = self._links
        self.depths = dict(depths)
        self._net = self._layout.net(self._reduction.links(depths))
        self._links = self._net.links["number"].astype(np.int64)
        if room := len(self._layout.gaps) - len(self.times):
            self._seen = np.append(self._seen, np.zeros(room, dtype=np.int32))
            self._causes = np.append(self._causes, np.full(room, START, dtype=np.int32))
            self.times, self._before = (np.append(t, np.zeros(room, dtype=np.int64)) for t in (self.times, self._before))
        new = ~np.isin(self._links, old, assume_unique=True)
        return set(self._net.links["dst"][new].tolist())

    def _run(self, net: Net, rings: Iterable[Iterable[int]], most: int) -> list[Loop]:
        """Raise marked times until all links hold or loops (at most so many) are found; one more ring at a time."""
        self._queue[:] = 0
        patience = min(_PATIENCE, _TURNS * len(self.times))
        for ring in rings:
            net.sequences["active"][list(ring)] = 1
            left = patience
            while (state := self._settle(net, left)) != SETTLED:
                if state == STUCK:
                    return [self._deadlock(net)]
                if self.limit is not None and self.computed > self.limit:
                    return [GAVE_UP]
                left -= self._last
                if left <= 0:
                    before = self.computed
                    if loops := self._trace(net, most):
                        return loops
                    left = patience = max(patience + patience // 2, self.computed - before)
            if not (net.sequences["next_lo"][:-1] < net.events).any():  # nothing to do further away
                break
        return []

    def _settle(self, net: Net, most: int) -> int:
        """Go on for about so many events; how it ended."""
        if self.limit is not None:
            most = max(1, min(most, self.limit + 1 - self.computed))
        period, scale = self.interval.numerator, self.interval.denominator
        self._last, state = settle(*net, self._queue, self.times, self._causes, period, scale, most)
        self.computed += self._last
        return int(state)

    def _trace(self, net: Net, most: int) -> list[Loop]:
        place = np.full(self._links.max(initial=0) + 1, START, dtype=np.int32)
        place[self._links] = np.arange(len(self._links))
        found: list[Loop] = []
        since, start, followed = self._stamp + 1, 0, 0
        while len(found) < most:
            used = np.zeros(len(self._links), dtype=np.bool_)
            start, self._stamp, cycles, frames, count = trace(*net[:4], self._causes, place, start, self._seen, since, self._stamp, used)
            followed += count
            if not cycles:
                break
            found.append(self._loop((self._links[k] for k in np.flatnonzero(used)), int(cycles), int(frames)))
        self.computed += followed
        return found

    def _loop(self, numbers: Iterable[int], cycles: int, frames: int) -> Loop:
        return Loop(tuple(x for k in numbers for x in self._reduction.link(k // LAYERS).whole), cycles, frames)

    def _deadlock(self, net: Net) -> Loop:
        """The links that wait for each other."""
        q = int(np.flatnonzero(net.sequences["lo"][:-1] < net.events)[0])
        order: list[int] = []
        while q not in order:
            order.append(q)
            q = int(net.links[net.sequences[q].waits].src)
        numbers = [int(self._links[net.sequences[s].waits]) for s in order[order.index(q) :]]
        return self._loop(numbers, sum(self._reduction.link(k // LAYERS).delay for k in numbers), 0)


def _linked(net: Net) -> Bools:
    """Sequence -> whether any link joins it (not those that links pass over)."""
    rows = net.sequences
    found: Bools = np.append((np.diff(rows["ins"]) > 0) | (np.diff(rows["outs"]) > 0), False)
    return found


def neighbours(net: Net, q: int) -> list[int]:
    """The sequences that links join to one."""
    ins, outs = (net.sequences[field][q : q + 2] for field in ("ins", "outs"))
    found: list[int] = [*net.links["src"][slice(*ins)].tolist(), *net.links["dst"][net.out[slice(*outs)]].tolist()]
    return found


def _mark(net: Net, sequences: Iterable[int]) -> None:
    """All events of these sequences must be computed, where links join them."""
    linked = _linked(net)
    for q in (q for q in sequences if linked[q]):
        net.sequences["next_lo"][q], net.sequences["next_hi"][q] = 0, net.events[q] - 1


def _least_depth(writes: Ints, reads: Ints, interval: Fraction) -> int:
    """Least D with writes[k] >= reads[k - D] + 1 for all beats k of all frames (times are scaled)."""
    done = count_before(reads, interval.numerator, writes - interval.denominator + 1)
    return int((np.arange(1, len(writes) + 1) - done).max())


def slowest_loop(system: System, depths: Mapping[str, int], interval: Fraction) -> tuple[str, ...]:
    """Units, in the order of the design, that wait for each other in the loop that asks for the most cycles, about the interval.

    interval: the least one
    """
    loops = Periodic(system, depths, -(-interval.numerator // interval.denominator) - 1).settle()
    worst = max((x for x in loops if x.frames > 0), key=lambda x: Fraction(x.cycles, x.frames), default=None)
    owners = {system.owners[port.sequence] for x in (worst.links if worst else ()) for port in (x.src, x.dst)}
    return tuple(n.name for n in system.design.nodes if n.name in owners)


def least_interval(system: System, depths: Mapping[str, int]) -> tuple[Fraction | None, Periodic]:
    """The steady interval (largest cycles / frames of all loops), and times that fit it; None for a deadlock."""
    periodic = Periodic(system, depths, max(system.cycles))
    while (loops := periodic.settle()) or periodic.full() is None:
        if not all(x.frames > 0 for x in loops):
            return None, periodic
        if loops:
            periodic.faster(max(Fraction(x.cycles, x.frames) for x in loops))
    return periodic.interval, periodic
