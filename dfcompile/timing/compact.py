"""Fewer events and links for the same loops: of each sequence only some events are kept (corners).

A link makes one arc for each pair of kept events, the last one before a beat is given and the first one from where it is taken on, with
the cycles that the beat walks at its two ends added to the delay: of all beats between the two the one that asks for most. So an arc
asks for no more than the system does, and times that the arcs forbid are forbidden. An arc goes that another arc and the steps of a
sequence imply.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dfcompile.timing.kernel import inline, jit
from dfcompile.timing.net import ARCS, Ints, Net, Port, Records, Shorts, System, joined, record
from dfcompile.timing.reduce import Reduction
from dfcompile.timing.rising import found_in, merged

LAYERS = 8  # rows of a link at most: each has one arc into an event, so that it is known by which of them an event waits
_NO_ROWS: Records = np.empty(0, dtype=ARCS)
# source, target: places in the kept events of the two sequences; before: whether from the frame before; layer: arcs into the place so far
_ARC = record("source", "target", "delay", "before", "layer")
_NO_COUNT: Ints = np.empty(0, dtype=np.int64)


class Layout:
    """Where the kept events of each sequence are, and the arcs of each link.

    kept: sequence -> its events that are kept, the first and the last among them
    gaps, first, size: as in Net, of the kept events; only of sequences that links have joined so far
    """

    def __init__(self, system: System, reduction: Reduction, kept: list[Ints]) -> None:
        self.system, self.kept = system, kept
        self._reduction = reduction
        self._places: dict[Port, tuple[Ints, Ints]] = {}
        self._rows: Records = _NO_ROWS  # number of a row -> row of Net.links
        self._count: Ints = _NO_COUNT  # number of a link -> its rows, 0 until they are known
        self._pool: Shorts = np.empty(1 << 16, dtype=np.int32)
        self._used = self._after_clean = 0
        self._forget_places()

    def _forget_places(self) -> None:
        self.gaps: Shorts = np.empty(0, dtype=np.int32)
        self.size = np.zeros(len(self.kept), dtype=np.int64)
        self.first: Ints = np.zeros(len(self.kept), dtype=np.int64)

    def keep_more(self, more: Mapping[int, Ints]) -> None:
        """Keep more events of some sequences: only arcs of links that join these are other ones. All places are new."""
        self.kept = [merged(k, more[q]) if q in more else k for q, k in enumerate(self.kept)]
        self._places = {p: found for p, found in self._places.items() if p.sequence not in more}
        for number in np.flatnonzero(self._count).tolist():
            x = self._reduction.link(number)
            if x.src.sequence in more or x.dst.sequence in more:
                self._count[number] = 0
        self._forget_places()

    def net(self, numbers: Ints) -> Net:
        """The arrays for these links of the reduction, in order of who waits."""
        if self._used > 3 * self._after_clean + (1 << 22):  # mostly rows of links that are not there any more
            self._rows, self._count, self._pool, self._used = _NO_ROWS, _NO_COUNT, np.empty(1 << 16, dtype=np.int32), 0
        clean = not len(self._rows)
        if len(numbers) and len(self._count) <= numbers.max():
            room = int(numbers.max()) + 1
            self._rows = np.concatenate([self._rows, np.zeros(room * LAYERS, dtype=ARCS)])
            self._count = np.concatenate([self._count, np.zeros(room, dtype=np.int64)])
        for k in numbers[self._count[numbers] == 0].tolist():
            self._count[k] = self._add(k)
        count = self._count[numbers]
        ids = np.repeat(numbers * LAYERS - np.cumsum(count) + count, count) + np.arange(count.sum())
        links = self._rows[ids]
        if clean:
            self._after_clean = self._used
        self._include(np.union1d(links["src"], links["dst"]).tolist())
        return joined(self.first, self.size, self.system.wraps, links, self._pool, self.gaps)

    def _include(self, sequences: list[int]) -> None:
        """Make room for sequences that have none yet, behind all others."""
        parts, end = [self.gaps], len(self.gaps)
        for q in sequences:
            if not self.size[q]:
                positions = self.system.positions(q)
                at = positions[self.kept[q]] if len(positions) else self.kept[q]
                parts.append(np.diff(at, prepend=0).astype(np.int32))
                self.first[q], self.size[q] = end, len(parts[-1])
                end += len(parts[-1])
        if len(parts) > 1:
            self.gaps = np.concatenate(parts)

    def _place(self, port: Port) -> tuple[Ints, Ints]:
        """For each kept event the first beat that it or a later one carries, and the first of later ones alone."""
        if port not in self._places:
            events, kept = self.system.events(port), self.kept[port.sequence]
            first = found_in(events, kept)
            self._places[port] = first, first + (events[np.minimum(first, len(events) - 1)] == kept)
        return self._places[port]

    def _add(self, number: int) -> int:
        """Make the rows of a link; how many they are."""
        x = self._reduction.link(number)
        given, taken = x.src.sequence, x.dst.sequence
        frames, turn = divmod(x.shift, x.src.beats)
        positions = self.system.positions(given), self.system.positions(taken)
        starts, ends = self._place(x.src)[0], self._place(x.dst)[1]
        ports = self.system.events(x.src), self.system.events(x.dst)
        frame = self.system.frame(given)
        arcs = _arcs(self.kept[given], self.kept[taken], starts, ends, *ports, *positions, x.delay, turn, frame)
        layers = min(LAYERS, int(arcs["layer"].max()) + 1)
        for layer in range(layers):
            some = arcs[arcs["layer"] == layer]
            wrapped = int(some["before"].sum())
            shift = (frames + 1, 0) if wrapped == len(some) else (frames, wrapped)
            sources, targets, delays = (self._store(a) for a in (np.roll(some["source"], -wrapped), some["target"], some["delay"]))
            id_ = number * LAYERS + layer
            self._rows[id_] = (given, taken, sources, targets, len(some), *shift, delays, id_)
        return layers

    def _store(self, values: Shorts) -> int:
        start, self._used = self._used, self._used + len(values)
        if self._used > len(self._pool):
            pool = np.empty(2 * self._used, dtype=np.int32)
            pool[:start] = self._pool[:start]
            self._pool = pool
        self._pool[start : self._used] = values
        return start


@inline
def _at(positions: Ints, event: int) -> int:
    return positions[event] if len(positions) else event


@jit
def _arcs(
    given: Ints,
    taken: Ints,
    starts: Ints,
    ends: Ints,
    source: Shorts,
    target: Shorts,
    at_source: Ints,
    at_target: Ints,
    delay: int,
    turn: int,
    frame: int,
) -> Records:
    """The arcs of a link.

    given, taken: kept events of the two sequences; starts, ends: what `_place` says of their beats
    source, target: events of the two ports; at_source, at_target: positions; turn: the beats by which a beat is shifted
    frame: least cycles from an event to the same of the next frame, of the sequence that gives
    """
    beats = len(source)
    found = np.empty(len(given) + len(taken) + 2, dtype=_ARC)
    count = k = a = b = 0
    while k < beats:
        while ends[b] <= k:
            b += 1
        j = k - turn
        if j < 0:
            j += beats
        if k == 0 or k == turn:
            a = 0
        while a + 1 < len(given) and starts[a + 1] <= j:
            a += 1
        end = min(ends[b], beats)
        if k < turn:
            end = min(end, turn)
        if a + 1 < len(given):
            end = min(end, k + starts[a + 1] - j)
        first, last = _at(at_source, source[j]), _at(at_source, source[j + end - 1 - k])
        first, last = first - _at(at_target, target[k]), last - _at(at_target, target[end - 1])
        more = max(first, last) - _at(at_source, given[a]) + _at(at_target, taken[b]) + delay
        before = 1 if k < turn else 0
        k = end
        last = found[count - 1]
        same = count > 0 and last.source == a and last.before == before
        if same and last.delay + _at(at_target, taken[b]) - _at(at_target, taken[last.target]) >= more:
            continue
        while count and found[count - 1].target == b:
            last = found[count - 1]
            walk = _at(at_source, given[a]) - _at(at_source, given[last.source]) + (frame if last.before > before else 0)
            if last.delay > walk + more:
                break
            count -= 1
        new = found[count]
        new.source, new.target, new.delay, new.before = a, b, more, before
        new.layer = found[count - 1].layer + 1 if count and found[count - 1].target == b else 0
        count += 1
    return found[:count]
