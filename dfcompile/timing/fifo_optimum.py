"""The depths of fewest bits among all: a covering problem whose rows come from depths that fail.

    repeat  cheaper depths that no known conflict forbids -> try them on the exact model
            they keep the interval: they are the best known;  they lose it: their loop is a new conflict
    until   there are none, which is proved

A conflict says: of these streams one needs more room than it had, or a FIFO that the loop passes is left out. Before it is
kept, the room in it is raised stream by stream as far as the depths still fail, so that each row excludes many depths.

Conflicts that share no stream are problems of their own (`_parts`): the cheapest depths of all rows are those of each part, side
by side. A part is done when no cheaper depths keep its rows, until a new conflict joins it to others. When all parts are done, the
depths cost what every row together asks for: nothing cheaper keeps the interval. Of small parts all choices are tried; for others HiGHS
proposes depths; that there are none is never taken from it, but proved in integers (cover.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from dfcompile.timing.cover import FEW, Ints, Programme, cheaper, tried

Depths = Mapping[str, int]
_NODE = 3000  # work of a node of the solver for each row and column: about as long as so many events of the model
_FASTER = 4  # times that a bound may yet rise faster than it has
_HOPE = 16  # share of an allowance after which it is asked whether the rest can suffice


@dataclass(frozen=True)
class Conflict:
    """Depths that lose the interval: all those with no more than `room` on its streams and a FIFO on all of `through`."""

    room: Mapping[str, int]
    through: frozenset[str]

    def forbids(self, depths: Depths) -> bool:
        """Whether these depths are among them; a depth below 0 is unbounded."""
        lacks = all(0 <= depths.get(t, 0) <= d for t, d in self.room.items())
        return lacks and all(depths.get(t, 0) for t in self.through)


Try = Callable[[Depths], Conflict | None]


class StoppedError(Exception):
    """The search may not go on."""


@dataclass
class Allowance:
    """Work that may yet be done, in events of the model: a count, so that results do not depend on the machine's speed."""

    left: int

    def spend(self, work: int) -> None:
        """StoppedError when nothing is left."""
        self.left -= work
        if self.left < 0:
            raise StoppedError


def improve(
    best: Depths, width: Mapping[str, int], known: list[Conflict], attempt: Try, allowance: Allowance
) -> tuple[dict[str, int], bool]:
    """Depths of fewest bits, and whether that is proved.

    best: depths that keep the interval; width: bits of a beat of every stream that may have a FIFO
    attempt: whether depths keep the interval, or why not; raises StoppedError when it may do no more
    known: conflicts; new ones are added
    """
    now = {t: d for t, d in best.items() if d}
    done: set[tuple[int, ...]] = set()
    begun: dict[int, tuple[int, int]] = {}  # a row of a part -> allowance and bits of the cheapest depths when it was begun
    whole = allowance.left
    try:
        while left := [p for p in _parts(known, now) if p not in done]:
            for part in left:
                rows = [known[i] for i in part]
                streams = _streams(rows) if rows else now.keys() - _streams(known)
                mine = {t: now[t] for t in now if t in streams}
                bits = _bits(mine, width)
                found = _cheaper(width, rows, bits, allowance)
                least = bits if found is None else _bits(found, width)
                if not begun.keys() & set(part) or (whole - allowance.left) * _HOPE < whole:  # the first rows tell the most
                    begun[min(part, default=-1)] = allowance.left, least
                if found is None:
                    done.add(part)
                    continue
                if part and _hopeless([begun[i] for i in part if i in begun], allowance.left, least, bits):
                    return now, False
                tried = {t: d for t, d in now.items() if t not in streams} | found
                conflict = attempt(tried)
                if conflict is not None:
                    known.append(_raised(tried, conflict, width, bits, attempt))
                    break
                now = tried
    except StoppedError:
        return now, False
    return now, True


def _hopeless(begun: Sequence[tuple[int, int]], left: int, least: int, bits: int) -> bool:
    """Whether the cheapest depths that no row forbids have come too slowly from what they cost when the part was begun to what is
    known, to meet it before the allowance is used up.

    Where loops share many streams rows are found without end, each a few bits dearer than the last.
    """
    had, first = max(h for h, _ in begun), sum(b for _, b in begun)
    return (had - left) * _HOPE > had and (least - first) * had * _FASTER < (bits - first) * (had - left)


def _streams(rows: Iterable[Conflict]) -> set[str]:
    return {t for c in rows for t in (*c.room, *c.through)}


def _parts(known: Sequence[Conflict], depths: Depths) -> list[tuple[int, ...]]:
    """Numbers of the conflicts that hang together by the streams they name; none for FIFOs that no conflict names."""
    graph = nx.Graph((i, t) for i, c in enumerate(known) for t in (*c.room, *c.through))
    found = sorted(tuple(sorted(x for x in part if isinstance(x, int))) for part in nx.connected_components(graph))
    return found + ([()] if any(t not in graph for t in depths) else [])


def _bits(depths: Depths, width: Mapping[str, int]) -> int:
    return sum(width[t] * d for t, d in depths.items())


def _raised(depths: Depths, conflict: Conflict, width: Mapping[str, int], bits: int, attempt: Try) -> Conflict:
    """The conflict of larger depths that still fail: each stream is raised to the most that fewer than `bits` bits allow.

    A slot more is tried first, then the most, then depths that double: mostly a stream helps at once or not at all.
    """
    now, raised = dict(depths), set[str]()
    while left := [t for t in conflict.room if t not in raised]:
        t = min(left, key=lambda t: (width[t], t))
        first = low = now.get(t, 0)  # low fails, high is not worth trying
        high = most = (bits - 1) // width[t] + 1
        while high - low > 1 and t in conflict.room:
            if low == first:
                tried = low + 1
            elif high == most and low == first + 1:
                tried = high - 1
            else:
                tried = min(2 * low, (low + high) // 2)
            found = attempt({**now, t: tried})
            if found is None or not found.forbids(depths):  # that a FIFO of t is passed says nothing where there is none
                high = tried
            else:
                low, conflict = tried, found
        now[t] = low if t in conflict.room else max(low, most - 1)  # a conflict that does not name t holds at any depth of it
        raised.add(t)
    return conflict


def _cheaper(width: Mapping[str, int], conflicts: Sequence[Conflict], bits: int, allowance: Allowance) -> dict[str, int] | None:
    """Depths of fewer bits that no conflict forbids, mostly those of fewest; None when it is proved that there are none."""
    levels = sorted({(t, d) for c in conflicts for t, d in [*c.room.items(), *((t, 0) for t in c.through)] if width[t] * (d + 1) < bits})
    programme = _programme(width, conflicts, levels)
    chosen = None if programme is None else _solve(programme, bits, allowance)
    if chosen is None:
        return None
    depths: dict[str, int] = {}
    for (t, d), x in zip(levels, chosen, strict=True):
        if x:
            depths[t] = max(depths.get(t, 0), d + 1)
    return depths


def _programme(width: Mapping[str, int], conflicts: Sequence[Conflict], levels: list[tuple[str, int]]) -> Programme | None:
    """One binary for each stream and room of a conflict: whether the depth is larger. None where no such depths keep all conflicts."""
    place = {level: i for i, level in enumerate(levels)}
    costs = np.zeros(len(levels), np.int64)
    cells: list[tuple[int, int, int]] = []  # row, column, factor
    least: list[int] = []
    for i, (t, d) in enumerate(levels):
        before = levels[i - 1][1] if i and levels[i - 1][0] == t else None
        costs[i] = width[t] * (d + 1 if before is None else d - before)
        if before is not None:  # deeper than d is deeper than before
            cells += [(len(least), i - 1, 1), (len(least), i, -1)]
            least.append(0)
    for c in conflicts:
        ways = [place[t, d] for t, d in c.room.items() if (t, d) in place]
        out = [place[t, 0] for t in c.through if (t, 0) in place]
        if len(out) < len(c.through):
            continue  # a single slot is too dear already: that FIFO is always left out
        if not ways and not out:
            return None
        cells += [*((len(least), i, 1) for i in ways), *((len(least), i, -1) for i in out)]
        least.append(1 - len(out))
    row, column, factor = np.array(cells, np.int64).reshape(-1, 3).T
    rows = np.zeros((len(least), len(levels)), np.int8)
    np.add.at(rows, (row, column), factor)
    return Programme(costs, rows, np.array(least, np.int64), tuple(Counter(t for t, _ in levels).values()))


def _solve(programme: Programme, bits: int, allowance: Allowance) -> Ints | None:
    """Binaries that cost less than `bits`; None when it is proved that there are none."""
    count, rows = len(programme.costs), len(programme.sides)
    price = _NODE * (count + rows)
    allowance.spend(price)
    if programme.choices <= FEW:
        return tried(programme, bits)
    found = _proposed(programme, 1 + allowance.left // price) if rows else None
    proposed = np.zeros(count, np.int64)
    if found is not None:
        allowance.spend(price * max(0, (found.mip_node_count or 1) - 1))
        proposed = proposed if found.x is None else np.rint(found.x).astype(np.int64)
    if programme.allows(proposed) and int(programme.costs @ proposed) < bits:
        return proposed
    return cheaper(programme, bits, lambda: allowance.spend(price))


def _proposed(programme: Programme, nodes: int) -> Any:
    """What HiGHS makes of a programme with at most so many nodes of its search."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # here, as it takes long to load
    from scipy.sparse import csr_array

    limit = LinearConstraint(csr_array(programme.rows.astype(np.float64)), programme.sides)
    return milp(
        programme.costs, integrality=np.ones(len(programme.costs)), bounds=Bounds(0, 1), constraints=limit, options={"node_limit": nodes}
    )
