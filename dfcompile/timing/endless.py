"""Whether a system goes on for ever, whatever the times: a proof on the counts of events alone, for all frames at once.

A link says how many events of one sequence must be done before each event of another: a rising step function (a *need*) that goes on with
the same steps in each frame. A sequence between two others is left out by putting needs one behind the other, and of two needs between
the same sequences the larger one holds. A need of a sequence for itself is either of earlier events alone, which the order of its events
asks for anyway, or its event waits for itself. Where every sequence can be left out, no events wait in a circle, nor for ever later frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Ints, Link, System
from dfcompile.timing.run import Share

_MOST = 400_000_000  # steps of needs looked at


class Need(NamedTuple):
    """From event `events[k]` of a frame on, `counts[k]` events of the other sequence must be done, counted from the frame's start."""

    events: Ints
    counts: Ints


def goes_on(system: System, links: list[Link], progress: Share = lambda done, of: None) -> bool:
    """Whether that is proved; where it is not, sequences wait for each other, or the proof would take too long.

    progress: is told how many sequences are left out, of how many
    """
    needs = _Needs(system)
    if not all(needs.add(x.src.sequence, x.dst.sequence, x) for x in links):
        return False
    prices = {q: needs.price(q) for q in range(len(system.gaps))}
    left = _MOST
    while prices:
        progress(len(system.gaps) - len(prices), len(system.gaps))
        q = min(prices, key=lambda p: (prices[p], p))
        left -= prices.pop(q)
        if left < 0 or not needs.leave_out(q):
            return False
        prices |= {p: needs.price(p) for p in needs.beside.pop(q)}
    return True


class _Needs:
    """The needs between the sequences that are left, of links only when one of their ends goes; `beside`: the neighbours of each."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._sizes = [len(g) for g in system.gaps]
        self._ins: list[dict[int, list[Need | Link]]] = [{} for _ in self._sizes]
        self.beside: dict[int, set[int]] = {q: set() for q in range(len(self._sizes))}

    def add(self, src: int, dst: int, asked: Need | Link) -> bool:
        """Let dst need so much of src; False where an event waits for itself."""
        if src == dst:
            need = self._largest(src, [asked])
            return bool((need.counts <= need.events).all())
        self._ins[dst].setdefault(src, []).append(asked)
        self.beside[src].add(dst)
        self.beside[dst].add(src)
        return True

    def price(self, q: int) -> int:
        """Steps of needs that leaving a sequence out looks at, at most."""
        ins = [sum(map(_steps, asked)) for asked in self._ins[q].values()]
        outs = [sum(map(_steps, self._ins[p][q])) for p in self.beside[q] if q in self._ins[p]]
        return len(outs) * sum(ins) + len(ins) * sum(outs)

    def leave_out(self, q: int) -> bool:
        """False where an event waits for itself."""
        ins = {src: self._largest(src, asked) for src, asked in self._ins[q].items()}
        for p in sorted(self.beside[q]):
            self.beside[p].discard(q)
            if q not in self._ins[p]:
                continue
            after = self._largest(q, self._ins[p].pop(q))
            for src, before in ins.items():
                if not self.add(src, p, Need(*_through(*before, *after, self._sizes[q], self._sizes[src]))):
                    return False
        self._ins[q].clear()
        return True

    def _largest(self, src: int, asked: list[Need | Link]) -> Need:
        """The largest of what is asked of a sequence for one other."""
        found, *others = (self._of_link(x) if isinstance(x, Link) else x for x in asked)
        for x in others:
            found = Need(*_larger(*found, *x, self._sizes[src]))
        return found

    def _of_link(self, x: Link) -> Need:
        """As many beats as come before each, less the link's shift."""
        frames, back = divmod(x.shift, x.src.beats)
        size = self._sizes[x.src.sequence]
        counts = np.roll(self._system.events(x.src), back).astype(np.int64) + (1 - frames * size)
        counts[:back] -= size
        return Need(self._system.events(x.dst).astype(np.int64), counts)


def _steps(asked: Need | Link) -> int:
    return asked.src.beats if isinstance(asked, Link) else len(asked.events)


@jit
def _through(events: Ints, counts: Ints, later: Ints, wanted: Ints, size: int, first: int) -> tuple[Ints, Ints]:
    """What a sequence needs of another through one between them.

    events, counts: what the one between needs of the first; later, wanted: what the last one needs of the one between
    size, first: events of the one between and of the first in a frame
    """
    found, asked = np.empty(len(later), dtype=np.int64), np.empty(len(later), dtype=np.int64)
    n = 0
    frame = (wanted[0] - 1) // size
    k = -1  # the last step of `events`, of this frame, that comes with what is wanted; -1: of the frame before
    for i in range(len(later)):
        last = wanted[i] - 1
        while True:
            if k + 1 < len(events):
                if events[k + 1] + frame * size > last:
                    break
                k += 1
            elif events[0] + (frame + 1) * size <= last:
                frame, k = frame + 1, 0
            else:
                break
        count = counts[k] + frame * first if k >= 0 else counts[-1] + (frame - 1) * first
        if n == 0 or count > asked[n - 1]:
            found[n], asked[n] = later[i], count
            n += 1
    return found[:n].copy(), asked[:n].copy()


@jit
def _larger(events: Ints, counts: Ints, others: Ints, also: Ints, first: int) -> tuple[Ints, Ints]:
    """The larger of two needs of the same sequence, which has `first` events in a frame."""
    found, asked = np.empty(len(events) + len(others), dtype=np.int64), np.empty(len(events) + len(others), dtype=np.int64)
    n = i = j = 0
    one, other = counts[-1] - first, also[-1] - first
    most = max(one, other)
    while i < len(events) or j < len(others):
        at = min(events[i] if i < len(events) else others[j], others[j] if j < len(others) else events[i])
        if i < len(events) and events[i] == at:
            one, i = counts[i], i + 1
        if j < len(others) and others[j] == at:
            other, j = also[j], j + 1
        if max(one, other) > most:
            most = max(one, other)
            found[n], asked[n] = at, most
            n += 1
    return found[:n].copy(), asked[:n].copy()
