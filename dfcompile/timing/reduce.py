"""A system with fewer sequences and the same loops: those that only pass beats on become links between their neighbours.

A sequence x whose every step is an event, with one port, has x[k] >= x[k-1] + 1 and waits by links x[k] >= a[k-s] + d. Where
x is given the latest of these links the step before adds nothing, since a[k-s] >= a[k-s-1] + 1 already: so times for the
others exist with x iff they exist with a link (shift s + s', delay d + d') from each a to each b with b[k] >= x[k-s'] + d'. A
link from x back to itself is implied when its delay is at most its shift; else x stays. In a run from an empty design links ask nothing of
a frame's beats before the first; all times are the same without x there too where one of its links has no shift, as all but a source's.

FIFO writes, forks, sums, thresholds, most sources and sinks are such sequences: more than half of the events of a design.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dfcompile.timing.net import Ints, Link, Port, System

_MOST_LINKS = 24  # that may take the place of a sequence
_MOST_STREAMS = 16  # of a cluster: a change of one depth does all of it again
_BITS = 32
_NUMBERS = (1 << _BITS) - 1


class _Reduced(NamedTuple):
    """The links that are left, as `Reduction._numbered` has them, and each sequence left out with the links it waited by."""

    links: Ints
    gone: list[tuple[int, list[Link]]]


@dataclass
class _Cluster:
    """Streams that meet in simple sequences: what their FIFO depths make of the links depends on no other stream."""

    edges: list[int]
    sequences: list[int]
    known: dict[tuple[int, ...], _Reduced] = field(default_factory=dict)


class Reduction:
    """The links between the sequences that stay, for any FIFO depths."""

    def __init__(self, system: System, starts: bool = True) -> None:
        """starts: also without sequences that only give beats. Their first beats wait for nothing, so what is left says when others are
        in the steady state, but not in a run from an empty design."""
        self.system = system
        ports = [p for e in system.edges for p in (e.producer, e.consumer, e.write) if p is not None]
        bound = {p.sequence for x in system.inner for p in (x.src, x.dst)} | {p.sequence for p in ports if not system.passes(p)}
        simple = {p.sequence for p in ports} - bound
        if not starts:
            simple &= {p.sequence for e in system.edges for p in (e.consumer, e.write) if p is not None}
        self._clusters = _clusters(system, simple)
        self._of = {system.edges[i].tensor: c for c, cluster in enumerate(self._clusters) for i in cluster.edges}
        self._numbers: dict[Link, int] = {}
        self._all: list[Link] = []
        self._inner = self._numbered(system.inner)
        self._depths: dict[str, int] = {}
        self._now = [self._reduced(c, {}) for c in self._clusters]

    def links(self, depths: Mapping[str, int]) -> Ints:
        """Their numbers, in order of who waits. A link has the same number whatever the depths."""
        self._take(depths)
        return np.sort(np.concatenate([self._inner, *(c.links for c in self._now)])) & _NUMBERS

    def link(self, number: int) -> Link:
        """With the links of the system that it stands for."""
        return self._all[number]

    def _numbered(self, links: Iterable[Link]) -> Ints:
        """Their numbers, and above them who waits."""
        found = []
        for x in links:
            number = self._numbers.setdefault(x, len(self._all))
            if number == len(self._all):
                self._all.append(x)
            found.append(x.dst.sequence << _BITS | number)
        return np.array(found, dtype=np.int64)

    def left_out(self, depths: Mapping[str, int]) -> dict[int, list[Link]]:
        """Sequence that was left out -> the links it waits by, of sequences that stay or come before it here."""
        self._take(depths)
        return {q: ins for c in self._now for q, ins in reversed(c.gone)}

    def _take(self, depths: Mapping[str, int]) -> None:
        """Reduce the clusters of the streams whose depth is another than before."""
        old, self._depths = self._depths, {t: d for t, d in depths.items() if d}
        for c in sorted({self._of[t] for t, _ in self._depths.items() ^ old.items()}):
            self._now[c] = self._reduced(self._clusters[c], depths)

    def _reduced(self, cluster: _Cluster, depths: Mapping[str, int]) -> _Reduced:
        key = tuple(depths.get(self.system.edges[i].tensor, 0) for i in cluster.edges)
        if key not in cluster.known:
            links = [x for i, depth in zip(cluster.edges, key, strict=True) for x in self.system.stream_links(i, depth)]
            left, gone = _eliminate(self.system, links, cluster.sequences)
            cluster.known[key] = _Reduced(self._numbered(left), gone)
        return cluster.known[key]


def _clusters(system: System, simple: set[int]) -> list[_Cluster]:
    """Streams that share a simple sequence come together, those of most steps first, as long as clusters stay small."""
    of = list(range(len(system.edges)))  # edge -> one of its cluster
    members = {i: [i] for i in of}
    touching: dict[int, list[int]] = {}
    for i, e in enumerate(system.edges):
        for p in {p.sequence for p in (e.producer, e.consumer, e.write) if p is not None} & simple:
            touching.setdefault(p, []).append(i)
    gone: list[int] = []
    for q in sorted(touching, key=lambda q: (-system.cycles[q], q)):
        joined = sorted({of[i] for i in touching[q]})
        if sum(len(members[c]) for c in joined) > _MOST_STREAMS:
            continue
        gone.append(q)
        for c in joined[1:]:
            for i in members[c]:
                of[i] = joined[0]
            members[joined[0]] += members.pop(c)
    left_out: dict[int, list[int]] = {c: [] for c in members}
    for q in sorted(gone):
        left_out[of[touching[q][0]]].append(q)
    return [_Cluster(sorted(members[c]), left_out[c]) for c in sorted(members)]


Gone = list[tuple[int, list[Link]]]


class _Links:
    """Links between ports, none of which another one implies, by the sequences that they join."""

    def __init__(self, system: System, links: Iterable[Link], simple: Iterable[int]) -> None:
        self.system = system
        self.between: dict[tuple[Port, Port], list[Link]] = {}
        self.at: dict[int, dict[tuple[Port, Port], None]] = {q: {} for q in simple}
        for x in links:
            self.add(x)

    def add(self, x: Link) -> None:
        """Unless another link, or the order of a sequence's own steps, implies it."""
        pair = x.src, x.dst
        if x.src == x.dst and _implied(self.system, x):
            return
        same = self.between.get(pair, [])
        if not any(y.delay >= x.delay and y.shift <= x.shift for y in same):
            self.between[pair] = [y for y in same if not (x.delay >= y.delay and x.shift <= y.shift)] + [x]
            for p in pair:
                if p.sequence in self.at:
                    self.at[p.sequence][pair] = None

    def ins(self, q: int) -> list[Link]:
        """Those by which q waits for other sequences."""
        return [x for a, b in self.at[q] if b.sequence == q != a.sequence for x in self.between[a, b]]

    def outs(self, q: int) -> list[Link]:
        return [x for a, b in self.at[q] if a.sequence == q != b.sequence for x in self.between[a, b]]

    def has_own(self, q: int) -> bool:
        """Whether q waits for itself, by more than the order of its steps."""
        return any(a.sequence == b.sequence for a, b in self.at[q])

    def drop(self, q: int) -> set[int]:
        """Remove a sequence; its neighbours."""
        beside = set()
        for pair in self.at.pop(q):
            del self.between[pair]
            for p in pair:
                if p.sequence in self.at:
                    del self.at[p.sequence][pair]
                    beside.add(p.sequence)
        return beside


def _eliminate(system: System, links: Iterable[Link], simple: Iterable[int]) -> tuple[list[Link], Gone]:
    """The links without the simple sequences, the one that makes fewest links first; each with the links it waits by."""
    left_out: Gone = []
    left = _Links(system, links, simple)
    price = {q: _price(left, q) for q in left.at}
    while may := [(p, q) for q, p in price.items() if p is not None]:
        _, q = min(may)
        before, after = left.ins(q), left.outs(q)
        left_out.append((q, before))
        del price[q]
        changed = left.drop(q)
        for a in before:
            for b in after:
                left.add(_through(a, b))
        price |= {n: _price(left, n) for n in sorted(changed)}
    return [x for same in left.between.values() for x in same], left_out


def _price(links: _Links, q: int) -> int | None:
    """How many links leaving q out makes; None when they are too many, or a port would wait for itself."""
    before, after = links.ins(q), links.outs(q)
    if links.has_own(q) or not before or len(before) * len(after) > _MOST_LINKS:
        return None
    if not all(_implied(links.system, _through(a, b)) for a in before for b in after if a.src == b.dst):
        return None
    return len(before) * len(after)


def _implied(system: System, x: Link) -> bool:
    """Whether a link of a port to itself asks no more than the order of its own beats."""
    return 0 <= x.delay <= system.span(x.src, x.shift)


def _through(a: Link, b: Link) -> Link:
    return Link(a.src, b.dst, a.delay + b.delay, a.shift + b.shift, -2, False, (*a.whole, *b.whole))
