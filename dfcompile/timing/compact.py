"""Fewer events and links for the same loops: runs of beats are kept by their ends.

Where a sequence moves beat after beat of one port in steps that follow each other, only the first and the last of such a run
are kept. With P[b + 1] >= P[b] + 1 on both sides of a link Q[b + s] >= P[b] + d, a beat within P's run asks nothing that the
run's first did not, and what a beat within Q's run waits for, its last waits for too. So each kept beat b of P makes one arc,
to the first kept beat c >= b + s of Q, with delay d + c - (b + s); of several to one c the last says it all. Beats that are
dropped must not pass anything on: every pair of links through a port must be implied by the others (`Reduction.compact`).
"""

from __future__ import annotations

import numpy as np

from dfcompile.timing.net import (
    ACTIVE,
    DST,
    FIRST,
    IN,
    NUMBER,
    OUT,
    OUT_CURSOR,
    SIZE,
    SRC,
    WRAP,
    Bools,
    Ints,
    Link,
    Net,
    Port,
    Shorts,
    System,
)
from dfcompile.timing.reduce import Reduction

_ROOM = 24  # numbers in the pool for each event, about what large designs come to
_NO_ROWS: Shorts = np.empty((0, NUMBER + 1), dtype=np.int32)


class Layout:
    """Where the kept events of each sequence are, and the arcs of each link.

    gaps, first, size: as in Net, of the kept events
    compact: whether runs are kept by their ends
    """

    def __init__(self, system: System, reduction: Reduction, compact: bool) -> None:
        self.system, self.compact = system, compact
        self._reduction = reduction
        self._kept = reduction.kept if compact else [np.ones(len(g), dtype=np.bool_) for g in system.gaps]
        self._places: dict[Port, tuple[Ints, Ints]] = {}
        self._rows: Shorts = _NO_ROWS  # number -> row of Net.links, its NUMBER below 0 until it is known
        self._pool: Shorts = np.empty(1 << 16, dtype=np.int32)
        self._used = self._after_clean = 0
        gaps = [g if k.all() else _between(g, k) for g, k in zip(system.gaps, self._kept, strict=True)]
        self.gaps: Shorts = np.concatenate(gaps)
        self.size = np.array([len(g) for g in gaps], dtype=np.int64)
        self.first: Ints = np.cumsum(self.size) - self.size

    def net(self, numbers: Ints) -> Net:
        """The arrays for these links of the reduction, in order of who waits."""
        if self._used > 3 * self._after_clean + (1 << 22):  # mostly rows of links that are not there any more
            self._rows, self._pool, self._used = _NO_ROWS, np.empty(1 << 16, dtype=np.int32), 0
        clean = not len(self._rows)
        n = len(self.size)
        if len(numbers) and len(self._rows) <= numbers.max():
            self._rows = np.concatenate([self._rows, np.full((numbers.max() + 1, NUMBER + 1), -1, dtype=np.int32)])
        for k in numbers[self._rows[numbers, NUMBER] < 0].tolist():
            self._rows[k] = self._row(k)
        table = np.zeros((len(numbers), OUT_CURSOR + 1), dtype=np.int32)
        table[:, : NUMBER + 1] = self._rows[numbers]
        if clean:
            self._after_clean = self._used
        out = np.argsort(table[:, SRC], kind="stable")
        sequences = np.zeros((n + 1, ACTIVE + 1), dtype=np.int32)
        sequences[:-1, FIRST], sequences[:-1, SIZE] = self.first, self.size
        sequences[:-1, WRAP] = self.system.wraps
        sequences[:, IN] = np.searchsorted(table[:, DST], np.arange(n + 1))
        sequences[:, OUT] = np.searchsorted(table[out, SRC], np.arange(n + 1))
        return Net(sequences, table, self._pool, self.gaps, out)

    def beats(self, times: Ints, port: Port, scale: int) -> Ints:
        """Times of all beats of a port: those within runs as early as the run's first allows."""
        kept, events = self._place(port)
        steps = np.arange(port.beats)
        at = np.searchsorted(kept, steps, side="right") - 1
        found: Ints = times[self.first[port.sequence] + events[at]] + (steps - kept[at]) * scale
        return found

    def _place(self, port: Port) -> tuple[Ints, Ints]:
        """The beats that are kept, and their events."""
        if port not in self._places:
            kept = self._kept[port.sequence]
            events = self.system.events(port)
            beats = np.flatnonzero(kept[events])
            self._places[port] = beats, (np.cumsum(kept) - 1)[events[beats]]
        return self._places[port]

    def _row(self, number: int) -> tuple[int, ...]:
        x = self._reduction.link(number)
        sources, targets, delays, frames, beats = self._arcs(x)
        places = [self._store(a) for a in (sources, targets, delays)]
        return (x.src.sequence, x.dst.sequence, places[0], places[1], len(sources), places[2], frames, beats, number)

    def _arcs(self, x: Link) -> tuple[Ints, Ints, Ints, int, int]:
        """Events waited for and events that wait, both rising, delays by the latter, shift in frames and arcs."""
        beats, sources = self._place(x.src)
        kept, targets = self._place(x.dst)
        frames, least = divmod(beats + x.shift, x.src.beats)
        found = least if len(kept) == x.dst.beats else np.searchsorted(kept, least)
        extra = kept[found] - least
        order = frames * len(kept) + found
        last = np.flatnonzero(np.diff(order, append=np.iinfo(np.int64).max))
        first_frame = int(frames[0])
        if order[last[-1]] - order[last[0]] == len(kept):  # the same target a frame later, whose own frame says it all
            last = last[:-1]
        wrapped = int((frames[last] > first_frame).sum())
        turn = len(last) - wrapped
        by_target = np.roll(last, -turn)
        return sources[last], targets[found[by_target]], x.delay + extra[by_target], first_frame, wrapped

    def _store(self, values: Ints) -> int:
        start, self._used = self._used, self._used + len(values)
        if self._used > len(self._pool):
            pool = np.empty(max(2 * self._used, _ROOM * len(self.gaps)), dtype=np.int32)  # memory is taken only where it is written
            pool[:start] = self._pool[:start]
            self._pool = pool
        self._pool[start : self._used] = values
        return start

    def all_times(self, times: Ints, scale: int) -> Ints:
        """Times of all events, those within runs as early as the run's first allows."""
        found = []
        for first, kept, gaps in zip(self.first, self._kept, self.system.gaps, strict=True):
            steps = np.cumsum(gaps, dtype=np.int64)
            at = np.cumsum(kept) - 1
            found.append(times[first + at] + (steps - steps[kept][at]) * scale)
        return np.concatenate(found)


def _between(gaps: Shorts, kept: Bools) -> Shorts:
    """Gaps between the kept events; the first is kept."""
    found: Shorts = np.add.reduceat(gaps, np.append(0, np.flatnonzero(kept)[:-1] + 1), dtype=np.int32)
    return found
