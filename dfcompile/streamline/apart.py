"""Numbers d / sqrt(V + epsilon) held apart: how finely they must be known so that no threshold is passed by the wrong ones.

d and V are integers of a row of n codes (see `Row`). Whether d / sqrt(V + epsilon) reaches a threshold t is a comparison of squares: for
each d > 0 it does for the V up to d**2 / t**2 - epsilon. The last V that reaches it and the first that does not, over all d, bound an
interval around t in which no such number lies; hardware may know the numbers as roughly as the narrowest of these intervals allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array
from dfcompile.ir.intop_row import Moments
from dfcompile.jit import compiled

LARGEST_CHECK = 1 << 28
"""Pairs of a number and a threshold that are looked at."""
NOISE = 2.0**-48
"""More than float64 makes of the few operations here, relative."""
_DOUBTS = 1 << 16  # pairs that float64 may leave to integers


@dataclass(frozen=True)
class Row:
    """What is known of the integers of a row of n codes, each between lo and hi.

    centred: d = n * code - sum and V = n * sum of squares - sum**2, so that V = -d**2 modulo n and V >= d**2 / (n - 1);
             else d = code and V = the sum of squares, at least d**2
    epsilon: not below 0
    """

    n: int
    centred: bool
    lo: int
    hi: int
    epsilon: Fraction

    @property
    def moments(self) -> Moments:
        """Limits of d and V."""
        return Moments.of(self.centred, self.n, self.lo, self.hi)

    @property
    def reach(self) -> int:
        """Largest magnitude of d."""
        return self.moments.reach

    @property
    def most(self) -> int:
        """Largest V."""
        return self.moments.most

    @property
    def step(self) -> int:
        """Distance of neighbouring V that go with one d."""
        return self.n if self.centred else 1

    def from_square(self, d: int) -> int:
        """The smallest V that goes with d, not 0."""
        if not self.centred:
            return d * d
        least = -(-d * d // max(1, self.n - 1))
        return least + (-d * d - least) % self.n

    def around(self, d: int, square: Fraction, inclusive: bool) -> tuple[int | None, int | None]:
        """Of the V that go with d > 0: the largest with d**2 >= (inclusive; else >) square * (V + epsilon), and the smallest without."""
        limit = d * d / square - self.epsilon
        top = math.floor(limit) - (limit.denominator == 1 and not inclusive)
        first = self.from_square(d)
        reached = first + (top - first) // self.step * self.step
        without = max(reached + self.step, first)
        last = first + (self.most - first) // self.step * self.step
        return (min(reached, last) if min(reached, last) >= first else None), (without if without <= self.most else None)


def gaps(row: Row, squares: Sequence[Fraction], inclusive: Sequence[bool], blur: float = 0.0) -> tuple[Array, Array] | None:
    """For each threshold, the root of a square > 0: the largest number below it and the smallest that reaches it (or infinity).

    inclusive: whether a number equal to it reaches it
    blur:      absolute error of epsilon that is allowed for

    Relative errors of the results are below 2**-48. None where there is too much to look at.
    """
    if len(squares) * row.reach > LARGEST_CHECK:
        return None
    below, above = np.zeros(len(squares)), np.full(len(squares), np.inf)
    doubts = np.empty((_DOUBTS, 2), np.int64)
    inverse = np.array([float(1 / s) for s in squares])
    sizes = (row.most, row.step, float(row.epsilon), blur)
    count = _look(_firsts(row), *sizes, inverse, np.array(inclusive, bool), below, above, doubts)
    if count > _DOUBTS:
        return None
    below, above = np.sqrt(below), np.sqrt(above)
    for k, d in doubts[:count].tolist():
        reached, without = row.around(d, squares[k], inclusive[k])
        for v, nearest in ((reached, above), (without, below)):
            if v is not None:
                root, off = math.sqrt(v + float(row.epsilon)), blur / (2 * (v + float(row.epsilon)))
                if nearest is above:
                    above[k] = min(above[k], d / root * (1 - off))
                else:
                    below[k] = max(below[k], d / root * (1 + off))
    return below, above


def within(row: Row, spans: Sequence[tuple[Fraction, Fraction]]) -> list[list[Fraction]] | None:
    """For each pair 0 < low <= high, closer than 2**-52 of it: all d**2 / (V + epsilon) between them, d > 0, rising.

    None where there is too much to look at.
    """
    if len(spans) * row.reach > LARGEST_CHECK:
        return None
    doubts = np.empty((_DOUBTS, 2), np.int64)
    inverse = np.array([float(2 / (low + high)) for low, high in spans])
    unused = np.zeros(len(spans)), np.full(len(spans), np.inf)
    sizes = (row.most, row.step, float(row.epsilon), 0.0)
    count = _look(_firsts(row), *sizes, inverse, np.ones(len(spans), bool), *unused, doubts)
    if count > _DOUBTS:
        return None
    found: list[set[Fraction]] = [set() for _ in spans]
    for k, d in doubts[:count].tolist():  # what lies between is too near for float64 to tell
        low, high = spans[k]
        first = row.from_square(d)
        least = first + max(0, -((first + row.epsilon - d * d / high) // row.step)) * row.step
        for v in range(least, min(row.most, math.floor(d * d / low - row.epsilon)) + 1, row.step):
            found[k].add(d * d / (v + row.epsilon))
    return [sorted(f) for f in found]


def _firsts(row: Row) -> NDArray[np.int64]:
    """For d = 1, 2, ... the smallest V, those of them that rows reach."""
    firsts = np.array([row.from_square(d) for d in range(1, row.reach + 1)], np.int64)
    return firsts[: np.searchsorted(firsts, row.most, "right")]


@compiled
def _look(
    firsts: NDArray[np.int64], most: int, step: int, epsilon: float, blur: float, inverse: NDArray[np.float64],
    inclusive: NDArray[np.bool_], below: NDArray[np.float64], above: NDArray[np.float64], doubts: NDArray[np.int64],
) -> int:  # fmt: skip
    """Squares of `gaps` but for pairs so near to a V that float64 cannot tell, which are listed; returns how many those are.

    firsts: for d = 1, 2, ... the smallest V
    """
    count = 0
    for k in range(len(inverse)):
        low, high = below[k], above[k]
        for i in range(len(firsts)):
            square = float((i + 1) * (i + 1))
            ratio = square * inverse[k]
            turns = (ratio - epsilon - firsts[i]) / step
            whole = np.floor(turns)
            off = NOISE * (ratio + epsilon) / step
            if turns - whole <= off or whole + 1 - turns <= off:
                if count < len(doubts):
                    doubts[count, 0] = k
                    doubts[count, 1] = i + 1
                count += 1
                continue
            last = float((most - firsts[i]) // step)
            if whole >= 0:
                v = firsts[i] + min(whole, last) * step + epsilon
                number = square / v * (1 - blur / v)
                if number < high:
                    high = number
            if whole < last:
                v = firsts[i] + max(whole + 1, 0.0) * step + epsilon
                number = square / v * (1 + blur / v)
                if number > low:
                    low = number
        below[k], above[k] = low, high
    return count
