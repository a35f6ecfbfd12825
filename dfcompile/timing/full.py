"""Times of all events from those of the kept ones, and with them the proof that every link holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Ints, Link, Shorts, System
from dfcompile.timing.rising import found_in, merged

_NONE = np.empty(0, dtype=np.int64)
_VISITS = 64  # of a sequence, on average
_LATE = 1  # the same, after which what kept events move that moved themselves is looked at no more


class Full:
    """Least times of all events that are no earlier than those given and keep all links.

    times: sequence -> event -> time
    more: empty when the given times are proved; else sequence -> events that pass on what moves kept ones: they must be kept too
    work: beats of links and events that were looked at
    """

    def __init__(self, system: System, links: Iterable[Link], given: Mapping[int, tuple[Ints, Ints]], interval: int, scale: int) -> None:
        """given: sequence -> (kept events, their times); interval and times are in cycles / scale"""
        self.system, self._interval, self._scale = system, interval, scale
        self._given = given
        self._ins: dict[int, list[Link]] = {q: [] for q in given}
        self._outs: dict[int, set[int]] = {q: set() for q in given}
        for x in links:
            self._ins[x.dst.sequence].append(x)
            self._outs[x.src.sequence].add(x.dst.sequence)
        self.times = {q: _between(kept, times, system.positions(q), len(system.gaps[q]), scale) for q, (kept, times) in given.items()}
        self.work = 0
        moved = self._raise()
        self.more: dict[int, Ints] = self._passing(moved) if moved else {}

    def _raise(self) -> dict[int, Ints]:
        """Raise all times to what links ask for; sequence -> kept events that moved. What these move in turn is looked at for a while."""
        queue = deque(sorted(self._given, reverse=self.system.backwards))
        waiting = set(queue)
        visits, moved = 0, {}
        while queue:
            q = queue.popleft()
            waiting.discard(q)
            visits += 1
            if not self._visit(q):
                continue
            kept, times = self._given[q]
            late = kept[self.times[q][kept] > times]
            if len(late) or visits > _VISITS * len(self._given):
                moved[q] = late
                if visits > _LATE * len(self._given):
                    continue
            new = self._outs[q] - waiting
            queue.extend(sorted(new))
            waiting |= new
        return moved

    def _visit(self, q: int) -> bool:
        """Raise a sequence to what its links ask for; whether it rose."""
        y, rose = self.times[q], False
        for x in self._ins[q]:
            self.work += x.src.beats
            given = self.times[x.src.sequence]
            if len(given) == len(y) == x.src.beats:
                rose |= _ask_each(given, y, *self._terms(x))
            else:
                rose |= _ask(given, *self._ports(x), y, *self._terms(x))
        if rose:
            self.work += len(y)
            _walk(y, self.system.gaps[q], self._scale)
        return rose

    def _ports(self, x: Link) -> tuple[Shorts, Shorts]:
        return self.system.events(x.src), self.system.events(x.dst)

    def _terms(self, x: Link) -> tuple[int, int, int]:
        """(beats by which a beat is shifted beside whole frames, what is added to a time, interval)."""
        frames, back = divmod(x.shift, x.src.beats)
        return back, x.delay * self._scale - frames * self._interval, self._interval

    def _passing(self, moved: Mapping[int, Ints]) -> dict[int, Ints]:
        """The events without which nothing says that these move: followed back to kept ones."""
        found: dict[int, Ints] = {}
        todo = dict(moved)
        while todo:
            new: dict[int, list[Ints]] = {}
            for q, events in sorted(todo.items()):
                y = self.times[q]
                starts = _rising(_starts(y, self.system.gaps[q], self._scale, self._given[q][0], events))
                for x in self._ins[q]:
                    causes = _causes(self.times[x.src.sequence], *self._ports(x), y, *self._terms(x), starts)
                    new.setdefault(x.src.sequence, []).append(causes[causes >= 0])
                    new.setdefault(q, []).append(starts[causes >= 0])
                    starts = starts[causes < 0]
            todo = {}
            for q, parts in new.items():
                known = found.get(q, _NONE)
                events = _without(_without(_rising(np.concatenate(parts)), self._given[q][0]), known)
                if len(events):
                    todo[q] = events
                    found[q] = merged(known, events)
        return found or {q: np.arange(len(self.times[q])) for q in moved}


def _rising(numbers: Ints) -> Ints:
    """Each number once, in order."""
    found = np.sort(numbers)
    return found[np.diff(found, prepend=-1) > 0]


def _without(numbers: Ints, others: Ints) -> Ints:
    """The numbers that are not among the others; both rise."""
    if not len(others):
        return numbers
    found: Ints = numbers[others[np.minimum(found_in(others, numbers), len(others) - 1)] != numbers]
    return found


@jit
def _between(kept: Ints, times: Ints, positions: Ints, size: int, scale: int) -> Ints:
    """Times of all events, those between kept ones as early as the one before allows."""
    found = np.empty(size, dtype=np.int64)
    for i in range(len(kept)):
        first, end = kept[i], kept[i + 1] if i + 1 < len(kept) else size
        for e in range(first, end):
            found[e] = times[i] + (positions[e] - positions[first] if len(positions) else e - first) * scale
    return found


@jit
def _ask(x: Ints, source: Shorts, target: Shorts, y: Ints, back: int, add: int, interval: int) -> bool:
    """Raise y to what a link from x asks for."""
    rose = False
    for k in range(len(target)):
        t = x[source[k - back]] + add if k >= back else x[source[k - back + len(target)]] + add - interval
        if t > y[target[k]]:
            y[target[k]] = t
            rose = True
    return rose


@jit
def _ask_each(x: Ints, y: Ints, back: int, add: int, interval: int) -> bool:
    """`_ask` where all events of x and of y are beats."""
    rose = False
    n = len(y) - back
    for first, given, wait in ((y[:back], x[n:], add - interval), (y[back:], x[:n], add)):
        for k in range(len(first)):
            t = given[k] + wait
            rose |= t > first[k]
            first[k] = max(first[k], t)
    return rose


@jit
def _starts(y: Ints, gaps: Shorts, scale: int, kept: Ints, events: Ints) -> Ints:
    """For each event (rising) the first of those that follow each other without slack up to it, or the last kept one among them."""
    found = np.empty(len(events), dtype=np.int64)
    start = i = k = 0
    for e in range(len(y)):
        if e and y[e - 1] + gaps[e] * scale < y[e]:
            start = e
        if k < len(events) and events[k] == e:
            found[k] = start
            k += 1
        if i < len(kept) and kept[i] == e:
            start = e
            i += 1
    return found


@jit
def _causes(x: Ints, source: Shorts, target: Shorts, y: Ints, back: int, add: int, interval: int, events: Ints) -> Ints:
    """For each event of y (they rise) the event of x that asks for its time by this link, -1 where none does."""
    found = np.full(len(events), -1, dtype=np.int64)
    places = found_in(target, events)
    for i in range(len(events)):
        k = places[i]
        if k < len(target) and target[k] == events[i]:
            j = k - back if k >= back else k - back + len(target)
            if x[source[j]] + add - (0 if k >= back else interval) >= y[events[i]]:
                found[i] = source[j]
    return found


@jit
def _walk(y: Ints, gaps: Shorts, scale: int) -> None:
    """Raise each event to what the one before it asks for; the first one asks for nothing new where the last one does not move."""
    for e in range(1, len(y)):
        y[e] = max(y[e], y[e - 1] + gaps[e] * scale)
