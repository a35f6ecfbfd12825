"""Least costs of small programmes in zeros and ones, proved in integers.

Any multipliers y >= 0 of the rows A x >= b give a bound: c x >= y b + (c - y A) x, and the least of the last term over the bounds of each
x is known (Neumaier and Shcherbina, 2004). With integer multipliers all of it is exact. So the multipliers may come from a linear
programme in floating point, which need not be right: a wrong answer gives a bad bound, not a false one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FEW = 1 << 16
"""Choices of a programme that are all tried: sooner done than a solver is loaded."""
_FINE = 1 << 16  # multipliers are multiples of 1 / this
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class Programme:
    """Zeros and ones x of least costs @ x with rows @ x >= sides, all of integers; costs are above 0.

    costs: (columns,); rows: (rows, columns) of small numbers; sides: (rows,)
    chains: lengths of runs of columns, in order, in which rows allow a one only where one is before it
    """

    costs: Ints
    rows: NDArray[np.int8]
    sides: Ints
    chains: tuple[int, ...]

    @property
    def choices(self) -> int:
        """How many x the chains leave."""
        return math.prod(n + 1 for n in self.chains)

    def allows(self, x: Ints) -> bool:
        return bool((self.rows @ x >= self.sides).all())


def tried(programme: Programme, cutoff: int) -> Ints | None:
    """The x of least cost below `cutoff`, None when there is none: all `choices` are tried."""
    ones = np.indices([n + 1 for n in programme.chains]).reshape(len(programme.chains), programme.choices)
    place = np.concatenate([np.arange(n) for n in programme.chains]) if programme.chains else np.zeros(0, np.int64)
    every = (np.repeat(ones, programme.chains, axis=0) > place[:, None]).astype(np.int64)
    allowed = (programme.rows @ every >= programme.sides[:, None]).all(axis=0)
    costs = np.where(allowed, programme.costs @ every, cutoff)
    at = int(costs.argmin())
    return every[:, at] if costs[at] < cutoff else None


def cheaper(programme: Programme, cutoff: int, visit: Callable[[], None]) -> Ints | None:
    """The x of least cost below `cutoff`, None when it is proved that there is none; branch and bound.

    visit: called for every node; what it raises ends the search
    """
    best: Ints | None = None
    count = len(programme.costs)
    open_ = [(np.zeros(count, np.int64), np.ones(count, np.int64))]
    while open_:
        visit()
        low, high = open_.pop()
        x, multipliers = _relaxed(programme, low, high, cutoff)
        if _bound(programme, multipliers, low, high) >= cutoff:
            continue
        near = np.clip(np.rint(x).astype(np.int64), low, high)
        if programme.allows(near) and int(programme.costs @ near) < cutoff:
            best, cutoff = near, int(programme.costs @ near)
        free = np.flatnonzero(low < high)
        if len(free):
            at = free[np.abs(x[free] - _HALF).argmin()]
            for value in (0, 1) if x[at] > _HALF else (1, 0):
                fixed = low.copy(), high.copy()
                fixed[0][at] = fixed[1][at] = value
                open_.append(fixed)
    return best


def linprog(*args: Any, **options: Any) -> Any:
    """SciPy's, which takes long to load."""
    from scipy import optimize

    return optimize.linprog(*args, **options)


def _relaxed(programme: Programme, low: Ints, high: Ints, cutoff: int) -> tuple[NDArray[np.float64], Ints]:
    """(x of the linear relaxation, multipliers in units of 1 / `_FINE`); what a row lacks costs `cutoff`, so that there is always an x."""
    count, rows = len(programme.costs), len(programme.sides)
    if not count or not rows:
        return low.astype(np.float64), np.zeros(rows, np.int64)
    costs = np.concatenate([programme.costs, np.full(rows, cutoff)])
    bounds = np.column_stack([np.append(low, np.zeros(rows)), np.append(high, np.full(rows, np.inf))])
    found = linprog(costs, -np.hstack([programme.rows, np.eye(rows)]), -programme.sides, bounds=bounds)
    if not found.success:
        return np.full(count, _HALF), np.zeros(rows, np.int64)
    return found.x[:count], np.rint(np.maximum(-found.ineqlin.marginals, 0) * _FINE).astype(np.int64)


def _bound(programme: Programme, multipliers: Ints, low: Ints, high: Ints) -> int:
    """No x within its bounds that keeps the rows costs less."""
    left = _FINE * programme.costs - programme.rows.T @ multipliers
    total = int(multipliers @ programme.sides) + int(np.where(left > 0, left * low, left * high).sum())
    return -(-total // _FINE)
