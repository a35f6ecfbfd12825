"""A system with fewer sequences and the same loops: those that only pass beats on become links between their neighbours.

A sequence x whose every step is an event, with one port, has x[k] >= x[k-1] + 1 and waits by links x[k] >= a[k-s] + d. Where
x is given the latest of these links the step before adds nothing, since a[k-s] >= a[k-s-1] + 1 already: so times for the
others exist with x iff they exist with a link (shift s + s', delay d + d') from each a to each b with b[k] >= x[k-s'] + d'. A
link from x back to itself is implied when its delay is at most its shift; else x stays.

FIFO writes, forks, sums, thresholds, most sources and sinks are such sequences: more than half of the events of a design.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dfcompile.dataflow.timing_net import Bools, Link, Port, System

_MOST_LINKS = 24  # that may take the place of a sequence


class _Reduced(NamedTuple):
    """Numbers of the links that are left, each sequence left out with the links it waited by, and whether runs may be
    kept by their ends."""

    links: list[int]
    gone: list[tuple[int, list[Link]]]
    compact: bool


@dataclass
class _Cluster:
    """Streams that meet in simple sequences: what their FIFO depths make of the links depends on no other stream."""

    edges: list[int]
    sequences: set[int]
    known: dict[tuple[int, ...], _Reduced] = field(default_factory=dict)


class Reduction:
    """The links between the sequences that stay, for any FIFO depths."""

    def __init__(self, system: System) -> None:
        self.system = system
        ports = [p for e in system.edges for p in (e.producer, e.consumer, e.write) if p is not None]
        bound = {p.sequence for x in system.inner for p in (x.src, x.dst)} | {p.sequence for p in ports if not system.passes(p)}
        self.simple = {p.sequence for p in ports} - bound
        self.kept = _kept(system, self.simple)
        self._clusters = self._join()
        self._partial: dict[Port, bool] = {}
        self._numbers: dict[Link, int] = {}
        self._all: list[Link] = []
        self._inner = self._numbered(system.inner)

    def links(self, depths: Mapping[str, int]) -> list[int]:
        """Their numbers, in order of who waits. A link has the same number whatever the depths."""
        found = list(self._inner)
        for c in self._clusters:
            found += self._reduced(c, depths).links
        return sorted(found, key=lambda k: (self._all[k].dst.sequence, k))

    def link(self, number: int) -> Link:
        """With the links of the system that it stands for."""
        return self._all[number]

    def neighbours(self, numbers: Iterable[int]) -> list[set[int]]:
        """Sequence -> those that links join to it."""
        beside: list[set[int]] = [set() for _ in self.system.names]
        for a, b in ((self._all[k].src.sequence, self._all[k].dst.sequence) for k in numbers):
            beside[a].add(b)
            beside[b].add(a)
        return beside

    def _numbered(self, links: Iterable[Link]) -> list[int]:
        found = []
        for x in links:
            found.append(self._numbers.setdefault(x, len(self._all)))
            if found[-1] == len(self._all):
                self._all.append(x)
        return found

    def compact(self, depths: Mapping[str, int]) -> bool:
        """Whether dropped beats of no port would pass anything on that the links do not say themselves."""
        return all(self._reduced(c, depths).compact for c in self._clusters)

    def left_out(self, depths: Mapping[str, int]) -> dict[int, list[Link]]:
        """Sequence that was left out -> the links it waits by, of sequences that stay or come before it here."""
        return {q: ins for c in self._clusters for q, ins in reversed(self._reduced(c, depths).gone)}

    def _join(self) -> list[_Cluster]:
        """Streams that share a simple sequence come together."""
        owner: dict[int, _Cluster] = {}
        clusters: dict[int, _Cluster] = {}
        for i, e in enumerate(self.system.edges):
            ports = (e.producer, e.consumer, e.write)
            touched = {p.sequence for p in ports if p is not None} & self.simple
            old = {id(owner[q]): owner[q] for q in touched if q in owner}
            whole = _Cluster([i], touched)
            for c in old.values():
                whole.edges += c.edges
                whole.sequences |= c.sequences
                del clusters[id(c)]
            clusters[id(whole)] = whole
            owner.update(dict.fromkeys(whole.sequences, whole))
        for c in clusters.values():
            c.edges.sort()
        return list(clusters.values())

    def _reduced(self, cluster: _Cluster, depths: Mapping[str, int]) -> _Reduced:
        key = tuple(depths.get(self.system.edges[i].tensor, 0) for i in cluster.edges)
        if key not in cluster.known:
            links = [x for i, depth in zip(cluster.edges, key, strict=True) for x in self.system.stream_links(i, depth)]
            left, gone = _eliminate(self.system, links, cluster.sequences)
            cluster.known[key] = _Reduced(self._numbered(left), gone, self._pass_nothing(left))
        return cluster.known[key]

    def _dropped(self, port: Port) -> bool:
        """Whether some of its beats are within runs."""
        if port not in self._partial:
            self._partial[port] = not bool(self.kept[port.sequence][self.system.events(port)].all())
        return self._partial[port]

    def _pass_nothing(self, links: list[Link]) -> bool:
        """Whether every pair of links through a port with dropped beats is implied by another link."""
        ins: dict[Port, list[Link]] = {}
        known: dict[tuple[Port, Port], list[Link]] = {}
        for x in links:
            ins.setdefault(x.dst, []).append(x)
            known.setdefault((x.src, x.dst), []).append(x)
        for b in (x for x in links if self._dropped(x.src)):
            for a in ins.get(b.src, ()):
                delay, shift = a.delay + b.delay, a.shift + b.shift
                if b.src in (a.src, b.dst):
                    return False
                if a.src == b.dst and delay <= self.system.span(a.src, shift):
                    continue
                same = known.get((a.src, b.dst), ())
                if not any(c.shift <= shift and c.delay + shift - c.shift >= delay for c in same):
                    return False
        return True


Gone = list[tuple[int, list[Link]]]


def _eliminate(system: System, links: list[Link], simple: Iterable[int]) -> tuple[list[Link], Gone]:
    left_out: Gone = []
    waiting = set(simple)
    while waiting:
        ins: dict[int, list[Link]] = {q: [] for q in waiting}
        outs: dict[int, list[Link]] = {q: [] for q in waiting}
        for x in links:
            if x.dst.sequence in ins:
                ins[x.dst.sequence].append(x)
            if x.src.sequence in outs:
                outs[x.src.sequence].append(x)
        may = [q for q in waiting if ins[q] and _may_go(system, q, ins[q], outs[q])]
        if not may:
            break
        q = min(may, key=lambda q: (len(ins[q]) * len(outs[q]), q))
        waiting.remove(q)
        before = [x for x in ins[q] if x.src.sequence != q]
        after = [x for x in outs[q] if x.dst.sequence != q]
        left_out.append((q, before))
        rest = [x for x in links if q not in (x.src.sequence, x.dst.sequence)]
        links = _needed(system, rest + [_through(a, b) for a in before for b in after])
    return links, left_out


def _may_go(system: System, q: int, ins: list[Link], outs: list[Link]) -> bool:
    """Whether leaving q out makes few links, and none by which a port waits for itself."""
    if any(x.src.sequence == q and not _implied(system, x) for x in ins) or len(ins) * len(outs) > _MOST_LINKS:
        return False
    before = [x for x in ins if x.src.sequence != q]
    after = [x for x in outs if x.dst.sequence != q]
    return bool(before) and all(_implied(system, _through(a, b)) for a in before for b in after if a.src == b.dst)


def _implied(system: System, x: Link) -> bool:
    """Whether a link of a port to itself asks no more than the order of its own beats."""
    return 0 <= x.delay <= system.span(x.src, x.shift)


def _through(a: Link, b: Link) -> Link:
    return Link(a.src, b.dst, a.delay + b.delay, a.shift + b.shift, -2, False, (*a.whole, *b.whole))


def _needed(system: System, links: list[Link]) -> list[Link]:
    """Without those that another link, or the order of a sequence's own steps, implies."""
    found: dict[tuple[Port, Port], list[Link]] = {}
    for x in links:
        if x.src == x.dst and _implied(system, x):
            continue
        same = found.setdefault((x.src, x.dst), [])
        if not any(y.delay >= x.delay and y.shift <= x.shift for y in same):
            same[:] = [y for y in same if not (x.delay >= y.delay and x.shift <= y.shift)]
            same.append(x)
    return [x for same in found.values() for x in same]


def _kept(system: System, simple: set[int]) -> list[Bools]:
    """Sequence -> event -> whether it is kept: not when it and both its neighbours move a beat of one port, a cycle apart."""
    counts = [np.zeros(len(g), dtype=np.int32) for g in system.gaps]
    runs = [np.zeros(len(g), dtype=np.bool_) for g in system.gaps]
    streams = [p for e in system.edges for p in (e.producer, e.consumer)]
    for p in [*streams, *(p for x in system.inner for p in (x.src, x.dst))]:
        counts[p.sequence][system.events(p)] += 1
    for p in streams:
        events, gaps = system.events(p), system.gaps[p.sequence]
        here = np.zeros(len(gaps) + 1, dtype=np.bool_)
        here[events] = True
        near = np.append(gaps, 0) == 1
        if p.sequence not in simple:
            runs[p.sequence][1:] |= here[1:-1] & here[:-2] & here[2:] & near[1:-1] & near[2:]
    return [~(run & (count == 1)) for run, count in zip(runs, counts, strict=True)]
