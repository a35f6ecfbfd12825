"""Least sums over a folding problem, exactly, by eliminating one unit after the other.

Under weights w >= 0 every option and every converter has one figure, its weighted area, and a design has their sum. Eliminating a
unit replaces the tables that its layouts are in by one over its neighbours' layouts: the least that the unit and all
behind it add there. When none is left the last table is the least sum (bucket elimination, Bertele and Brioschi 1972); the way
back gives for every option the least sum of the designs that have it. Figures are integers, rounded down from the real ones, so no
sum is above the true one. Tables grow with the number of streams that lie side by side; where one would pass `_MOST` entries, the unit
is eliminated separately from two groups of its tables. The sum may then be too low, never too high.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from dfcompile.device.cost import MEASURES, Vector
from dfcompile.folding.problem import FoldProblem, Options

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Port = tuple[str, int]
Scope = tuple[Port, ...]

NEVER = 1 << 58
"""What is not allowed; sums are far below."""
_TOTAL = 1 << 50  # about the largest sum
_DOWN, _UP = 1 - 2.0**-48, 1 + 2.0**-48  # more than the rounding of a weighted area
_MOST, _SMALL = 1 << 22, 1 << 16  # entries of a table
_TABLE = 2000  # entries that take as long as making a table


@dataclass(frozen=True, eq=False)
class _Part:
    """Tables from which a unit is eliminated together: their numbers, what is left, the number of the new table."""

    factors: tuple[int, ...]
    scope: Scope
    made: int


class FoldSums:
    """A folding problem as arrays: options of all units one after another, in the order of `names`.

    areas: (options, measures); starts: (units,) first option of each; ranges: (first, end) of each; owner: (options,) number of the unit
    measured: (measures,) whether any option or converter has some of it
    entries: of all tables of an elimination, each counted with what it takes besides
    """

    def __init__(self, problem: FoldProblem, options: Options) -> None:
        self.names = list(options)
        self.options = [o for n in self.names for o in options[n]]
        areas = np.array([o.area for o in self.options]).reshape(len(self.options), len(MEASURES))
        self.possible: Mask = np.isfinite(areas).all(axis=-1)
        self.areas = np.where(self.possible[:, None], areas, 0.0)
        counts = [len(options[n]) for n in self.names]
        ends = np.cumsum(counts).tolist()
        self.ranges = list(zip([0, *ends], ends, strict=False))
        self.starts = np.array([first for first, _ in self.ranges], np.int64)
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.sizes: dict[Port, int] = {}
        self.edges: list[tuple[Port, Port, NDArray[np.float64], Mask]] = []
        rows: dict[str, dict[Port, Ints]] = {n: {} for n in self.names}
        for edge in problem.joints():
            left, right, table = problem.tables(options, edge)
            allowed: Mask = np.asarray(np.isfinite(table).all(axis=2))
            self.edges.append((*edge.ends, np.where(allowed[..., None], table, 0.0), allowed))
            for (name, place), layouts in zip(edge.ends, (left, right), strict=True):
                index = {n: k for k, n in enumerate(layouts)}
                rows[name][name, place] = np.array([index[o.layouts[place]] for o in options[name]])
                self.sizes[name, place] = len(layouts)
        tables = [t.reshape(-1, len(MEASURES)) for _, _, t, _ in self.edges]
        self.measured: Mask = np.asarray(np.concatenate([self.areas, *tables]).any(axis=0))
        self._group(rows)
        self._plan(lambda entries, k: (entries, k))

    def _group(self, rows: dict[str, dict[Port, Ints]]) -> None:
        """Options with the same layouts form a group: self.group (options,), and the layouts of each unit's groups."""
        self.layouts: list[dict[Port, Ints]] = []
        parts: list[Ints] = []
        counts: list[int] = []
        for name, size in zip(self.names, np.bincount(self.owner, minlength=len(self.names)).tolist(), strict=True):
            columns = np.stack([*rows[name].values(), np.zeros(size, np.int64)])
            found, inverse = np.unique(columns, axis=1, return_inverse=True)
            self.layouts.append(dict(zip(rows[name], found, strict=False)))
            parts.append(inverse.reshape(-1) + sum(counts))
            counts.append(found.shape[1])
        self.group = np.concatenate(parts)
        self.group_starts = [0, *np.cumsum(counts).tolist()]

    def distinct(self) -> Mask:
        """(options,) all that are possible, one of those that are equal in layouts and area."""
        first = np.unique(np.column_stack([self.group, self.areas]), axis=0, return_index=True)[1]
        mask = np.zeros(len(self.options), bool)
        mask[first] = True
        return mask & self.possible

    def backwards(self) -> FoldSums:
        """The same with another order of elimination: from the last unit to the first, as long as tables stay small."""
        other = copy.copy(self)
        other._plan(lambda entries, k: (max(entries, _SMALL), -k))
        return other

    def _plan(self, rank: Callable[[int, int], tuple[int, int]]) -> None:
        """The order of elimination: always the unit of least rank, by the entries of its table and its number."""
        number = {n: k for k, n in enumerate(self.names)}
        scopes: list[Scope] = [(a, b) for a, b, *_ in self.edges]
        used: list[set[int]] = [set() for _ in self.names]
        for f, scope in enumerate(scopes):
            for name, _ in scope:
                used[number[name]].add(f)
        self.buckets: list[tuple[int, list[_Part]]] = []
        waiting = [(rank(self._entries(k, scopes, used[k]), k), k) for k in range(len(self.names))]
        heapq.heapify(waiting)
        gone: set[int] = set()
        while waiting:
            ranked, k = heapq.heappop(waiting)
            if k in gone or ranked != rank(self._entries(k, scopes, used[k]), k):
                continue  # counted anew since
            gone.add(k)
            parts = self._parts(k, scopes, used[k])
            touched = {number[n] for f in used[k] for n, _ in scopes[f]} - {k}
            for f in used[k]:
                for name, _ in scopes[f]:
                    if name != self.names[k]:
                        used[number[name]].discard(f)
            made = []
            for factors, scope in parts:
                made.append(_Part(factors, scope, len(scopes)))
                for name, _ in scope:
                    used[number[name]].add(len(scopes))
                scopes.append(scope)
            self.buckets.append((k, made))
            for t in touched:
                heapq.heappush(waiting, (rank(self._entries(t, scopes, used[t]), t), t))
        self.scopes = scopes
        tables = sum(_TABLE + self._entries(k, scopes, p.factors) for k, parts in self.buckets for p in parts)
        self.entries = len(self.options) + tables

    def _left(self, k: int, scopes: list[Scope], factors: set[int] | tuple[int, ...]) -> Scope:
        return tuple(sorted({p for f in factors for p in scopes[f] if p[0] != self.names[k]}))

    def _entries(self, k: int, scopes: list[Scope], factors: set[int] | tuple[int, ...]) -> int:
        groups = self.group_starts[k + 1] - self.group_starts[k]
        return int(groups) * prod(self.sizes[p] for p in self._left(k, scopes, factors))

    def _parts(self, k: int, scopes: list[Scope], factors: set[int]) -> list[tuple[tuple[int, ...], Scope]]:
        """All tables of a unit together, or first-fit groups that are small enough."""
        parts: list[tuple[int, ...]] = [()]
        for f in sorted(factors, key=lambda f: (-len(scopes[f]), f)):
            fits = (i for i, p in enumerate(parts) if self._entries(k, scopes, (*p, f)) <= _MOST)
            i = next(fits, len(parts))
            parts[i : i + 1] = [(*(parts[i] if i < len(parts) else ()), f)]
        return [(p, self._left(k, scopes, p)) for p in parts]

    def under(self, weights: Vector, mask: Mask) -> Weighted:
        """Sums under weights of the measures, of designs with options in `mask` (options,) only."""
        return Weighted(self, weights, mask)

    def area(self, chosen: Ints) -> Vector:
        """Area of the design with option chosen[k] for unit k."""
        total: Vector = np.sum(self._terms(chosen), axis=0)
        return total

    def exact_area(self, chosen: Ints) -> tuple[Fraction, ...]:
        """The same in rationals."""
        return tuple(sum(map(Fraction, column), Fraction(0)) for column in self._terms(chosen).T.tolist())

    def _terms(self, chosen: Ints) -> NDArray[np.float64]:
        """(units + edges, measures) areas; infinite where two layouts are not allowed together."""
        at: dict[Port, int] = {}
        for k, i in enumerate(chosen):
            group = int(self.group[i]) - self.group_starts[k]
            at |= {p: int(index[group]) for p, index in self.layouts[k].items()}
        between = [t[at[a], at[b]] if ok[at[a], at[b]] else np.full(len(MEASURES), np.inf) for a, b, t, ok in self.edges]
        return np.stack([*self.areas[chosen], *between])


class Weighted:
    """The tables under one choice of weights.

    least: no design's weighted area is below `least / scale`; NEVER or more when there is no design
    """

    def __init__(self, sums: FoldSums, weights: Vector, mask: Mask) -> None:
        self.sums, self.mask = sums, mask
        options, tables = _weighted(sums.areas, weights), [_weighted(t, weights) for _, _, t, _ in sums.edges]
        most = float(np.maximum.reduceat(options, sums.starts).sum()) + sum(float(t.max()) for t in tables)
        self.scale = _TOTAL / most if most else 1.0
        self.values = np.where(mask, _floor(options * self.scale), NEVER)
        self.unary = np.full(sums.group_starts[-1], NEVER, np.int64)
        np.minimum.at(self.unary, sums.group, self.values)
        self.factors = [np.where(ok, _floor(t * self.scale), NEVER) for t, (*_, ok) in zip(tables, sums.edges, strict=True)]
        for k, parts in sums.buckets:
            for i, part in enumerate(parts):
                self.factors.append(self._inner(k, i, part).min(axis=0))
        self.least = int(min(sum(int(self.factors[p.made]) for _, parts in sums.buckets for p in parts if not p.scope), NEVER))

    @property
    def real(self) -> float:
        """The least sum in weighted area."""
        return self.least / self.scale

    def exceeds(self, limit: float) -> bool:
        """Whether every design's weighted area is proven to be above `limit`, or that there is no design."""
        return self.least > self._ceiling(limit)

    def _ceiling(self, limit: float) -> int:
        return NEVER - 1 if limit * self.scale >= NEVER else int(np.ceil(limit * self.scale * _UP))

    def _inner(self, k: int, i: int, part: _Part) -> Ints:
        """(groups, *layouts of part.scope): a unit with the tables of one part."""
        sums = self.sums
        own = self.unary[sums.group_starts[k] : sums.group_starts[k + 1]]
        if i:
            own = np.where(own < NEVER, 0, NEVER)
        total = own.reshape(-1, *[1] * len(part.scope))
        for f in part.factors:
            total = np.minimum(total + self._seen(k, f, part.scope), NEVER)
        return np.broadcast_to(total, (len(own), *(sums.sizes[p] for p in part.scope)))

    def _seen(self, k: int, f: int, scope: Scope) -> Ints:
        """A table by a unit's groups and the other layouts in `scope`, with axes of one where it has none."""
        ports = self.sums.scopes[f]
        own = [i for i, p in enumerate(ports) if p in self.sums.layouts[k]]
        rest = [i for i, p in enumerate(ports) if p not in self.sums.layouts[k]]
        turned = self.factors[f].transpose(own + rest)[tuple(self.sums.layouts[k][ports[i]] for i in own)]
        shape = [self.sums.sizes[p] if p in ports else 1 for p in scope]
        return turned.reshape(-1, *shape)

    def chosen(self) -> Ints:
        """(units,) options of a design with the least sum, where no unit was eliminated in several groups."""
        sums = self.sums
        at: dict[Port, int] = {}
        found = np.zeros(len(sums.names), np.int64)
        for k, parts in reversed(sums.buckets):
            start, end = sums.group_starts[k], sums.group_starts[k + 1]
            total = self.unary[start:end].copy()
            for part in parts:
                for f in part.factors:
                    seen = self._seen(k, f, part.scope)
                    for p in part.scope:
                        seen = seen[:, at[p] if p in sums.scopes[f] else 0]
                    total += seen
            group = start + int(total.argmin())
            mine = slice(*sums.ranges[k])
            found[k] = mine.start + int(np.where(sums.group[mine] == group, self.values[mine], NEVER + 1).argmin())
            at |= {p: int(index[group - start]) for p, index in sums.layouts[k].items()}
        return found

    def within(self, limit: float) -> Mask:
        """(options,) those that some design may have whose weighted area is at most `limit`; the others are proven to have none."""
        sums = self.sums
        down: dict[int, Ints] = {}
        least = np.zeros(sums.group_starts[-1], np.int64)
        for k, parts in reversed(sums.buckets):
            start, end = sums.group_starts[k], sums.group_starts[k + 1]
            for i, part in enumerate(parts):
                behind = down[part.made] if part.scope else np.int64(max(self.least - int(self.factors[part.made]), 0))
                total = np.minimum(self._inner(k, i, part) + behind, NEVER)
                least[start:end] = np.maximum(least[start:end], total.reshape(len(total), -1).min(axis=1))
                for f in part.factors:
                    if f >= len(sums.edges):
                        down[f] = self._behind(k, f, part.scope, total)
        rise = np.where(self.mask, self.values - self.unary[sums.group], 0)  # above the best of its group
        return np.asarray(self.mask & (least[sums.group] + rise <= self._ceiling(limit)))

    def _behind(self, k: int, f: int, scope: Scope, total: Ints) -> Ints:
        """What is least added to each entry of a table by all that it does not hold."""
        ports, sums = self.sums.scopes[f], self.sums
        out = tuple(1 + i for i, p in enumerate(scope) if p not in ports)
        part = total.min(axis=out) if out else total
        own = [p for p in ports if p in sums.layouts[k]]
        rest = [p for p in scope if p in ports]
        least = np.full([sums.sizes[p] for p in (*own, *rest)], NEVER, np.int64)
        np.minimum.at(least, tuple(sums.layouts[k][p] for p in own), part)
        order = [(*own, *rest).index(p) for p in ports]
        mine = self.factors[f]
        return np.where(mine >= NEVER, 0, least.transpose(order) - mine)


def _weighted(areas: NDArray[np.float64], weights: Vector) -> NDArray[np.float64]:
    """Sums over the last axis, term by term: the same on every machine, which a matrix product is not."""
    total = areas[..., 0] * weights[0]
    for i in range(1, len(weights)):
        total = total + areas[..., i] * weights[i]
    return np.asarray(total)


def _floor(values: NDArray[np.float64]) -> Ints:
    return np.asarray(np.floor(values * _DOWN).astype(np.int64))
