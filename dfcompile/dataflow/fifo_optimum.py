"""The depths of fewest bits among all: a covering problem whose rows come from depths that fail.

    repeat  the cheapest depths that no known conflict forbids -> try them on the exact model
            they keep the interval: nothing cheaper does;  they lose it: their loop is a new conflict

A conflict says: of these streams one needs more room than it had, or a FIFO that the loop passes is left out. Before it is
kept, the room in it is raised stream by stream as far as the depths still fail, so that each row excludes many depths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

Depths = Mapping[str, int]


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


def improve(best: Depths, width: Mapping[str, int], known: list[Conflict], attempt: Try, rounds: int) -> tuple[dict[str, int], bool]:
    """Depths of fewest bits, and whether that is proved.

    best: depths that keep the interval; width: bits of a beat of every stream that may have a FIFO
    attempt: whether depths keep the interval, or why not; raises StoppedError when it may do no more
    known: conflicts; new ones are added
    """
    for _ in range(rounds):
        bits = _bits(best, width)
        found = _cheapest(width, known, bits)
        if found is None or _bits(found, width) >= bits:
            return dict(best), True
        try:
            conflict = attempt(found)
            if conflict is None:
                return found, True
            known.append(_raised(found, conflict, width, bits, attempt))
        except StoppedError:
            return dict(best), False
    return dict(best), False


def _bits(depths: Depths, width: Mapping[str, int]) -> int:
    return sum(width[t] * d for t, d in depths.items())


def _raised(depths: Depths, conflict: Conflict, width: Mapping[str, int], bits: int, attempt: Try) -> Conflict:
    """The conflict of larger depths that still fail: each stream is raised to the most that fewer than `bits` bits allow."""
    now = dict(depths)
    for t in sorted(conflict.room, key=lambda t: (width[t], t)):
        low, high = now.get(t, 0), (bits - 1) // width[t] + 1  # low fails, high is not worth trying
        while high - low > 1:
            tried = low + 1 if low == now.get(t, 0) else min(2 * low, (low + high) // 2)
            found = attempt({**now, t: tried})
            if found is None:
                high = tried
            else:
                low, conflict = tried, found
        now[t] = low
    return conflict


def _cheapest(width: Mapping[str, int], known: Iterable[Conflict], bits: int) -> dict[str, int] | None:
    """The depths of fewest bits that no conflict forbids; None when all take `bits` or more.

    One binary for each stream and room of a conflict: whether the depth is larger.
    """
    conflicts = list(known)
    levels = sorted({(t, d) for c in conflicts for t, d in [*c.room.items(), *((t, 0) for t in c.through)] if width[t] * (d + 1) < bits})
    place = {level: i for i, level in enumerate(levels)}
    costs = np.zeros(len(levels))
    rows = lil_matrix((len(conflicts) + len(levels), len(levels)))
    least = np.full(rows.shape[0], -np.inf)
    for (t, d), i in place.items():
        before = max((e for s, e in levels if s == t and e < d), default=None)
        costs[i] = width[t] * (d + 1 if before is None else d - before)
        if before is not None:  # deeper than d is deeper than before
            rows[len(conflicts) + i, place[t, before]], rows[len(conflicts) + i, i], least[len(conflicts) + i] = 1, -1, 0
    for r, c in enumerate(conflicts):
        ways = [place[t, d] for t, d in c.room.items() if (t, d) in place]
        out = [place[t, 0] for t in c.through if (t, 0) in place]
        if len(out) < len(c.through):
            continue  # a single slot is too dear already: that FIFO is always left out
        if not ways and not out:
            return None
        for i in ways:
            rows[r, i] = 1
        for i in out:
            rows[r, i] = -1
        least[r] = 1 - len(out)
    if not levels:
        return {}
    found = milp(costs, integrality=np.ones(len(levels)), bounds=Bounds(0, 1), constraints=LinearConstraint(rows.tocsr(), least))
    if found.x is None:
        return None
    depths: dict[str, int] = {}
    for (t, d), i in place.items():
        if found.x[i] > 0.5:
            depths[t] = max(depths.get(t, 0), d + 1)
    return depths
