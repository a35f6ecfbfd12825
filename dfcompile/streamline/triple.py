"""Integers in the order of sums of three real multiples.

g0 * x0 + g1 * x1 + g2 * x2 for integers x in ranges, g any rationals: the codes n0 * x0 + n1 * x1 + n2 * x2 lie in the same order, and
equal codes mean equal sums, if n is so near to a multiple of g that each sum, in units of 1 / that multiple, is less than a quarter
away from its code, and if no two points of the ranges share a code. Short vectors of the lattice of simultaneous approximations are
the candidates; both conditions are then checked exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.doubt import ERROR

WIDEST_CODES = 2**52
"""That float64 holds, with neighbours."""
_FINER = 2
_START = 4

Numbers = tuple[Fraction, Fraction, Fraction]
Integers = tuple[int, int, int]
Ranges = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Triple:
    """One channel: code = sum of factors * x + shift means sum of gains * x + offset, x in `ranges`, the longest of them first."""

    factors: Integers
    gains: Numbers
    ranges: Ranges
    offset: Fraction = Fraction(0)
    shift: int = 0

    @property
    def slope(self) -> Fraction:
        """Of the straight line next to the codes."""
        return self.gains[0] / self.factors[0]

    @property
    def reach(self) -> float:
        """A quarter of a code, as terms whose rounding errors are that large, and the terms themselves."""
        most = sum(abs(g) * max(-lo, hi) for g, (lo, hi) in zip(self.gains, self.ranges, strict=True))
        return float(abs(self.slope)) / 4 / ERROR + 2 * float(most + abs(self.offset))

    def exact(self, code: int) -> Fraction:
        """The real number; of a code that no point has, one of the line."""
        found = self._points.of(code - self.shift, self.ranges)
        if not found:
            return self.slope * (code - self.shift) + self.offset
        return sum((g * x for g, x in zip(self.gains, found[0], strict=True)), self.offset)

    def reals(self, codes: Array) -> Array:
        """The real numbers of codes in float64, up to a quarter of a code."""
        return np.asarray(float(self.slope) * (codes - self.shift) + float(self.offset))

    @cached_property
    def _points(self) -> _Points:
        return _Points(self.factors)

    def is_faithful(self) -> bool:
        """Whether each point is less than a quarter from its code, and no two of different sums share one."""
        errors = (abs(g - n * self.slope) * max(-lo, hi) for g, n, (lo, hi) in zip(self.gains, self.factors, self.ranges, strict=True))
        if sum(errors) * 4 >= abs(self.slope) or math.gcd(self.factors[0], self.factors[1]) != 1:
            return False
        spans = [hi - lo for lo, hi in self.ranges]
        if abs(self.factors[0]) <= 2 * spans[1]:
            return False
        apart = self._points.of(0, ((-spans[0], spans[0]), (-spans[1], spans[1]), (-spans[2], spans[2])))
        return all(not sum(g * x for g, x in zip(self.gains, d, strict=True)) for d in apart)


@dataclass(frozen=True, eq=False)
class _Points:
    """What points have a code: for each value of the last number there is one of the second modulo the first factor."""

    factors: Integers

    @cached_property
    def inverse(self) -> int:
        return pow(self.factors[1], -1, abs(self.factors[0]))

    def of(self, code: int, ranges: Ranges) -> list[Integers]:
        """The points of a code, their second range shorter than the first factor."""
        n0, n1, n2 = self.factors
        size, width = abs(n0), ranges[1][1] - ranges[1][0]
        start, step = (code * self.inverse - ranges[1][0]) % size, -n2 * self.inverse % size
        z, found = ranges[2][0], list[Integers]()
        while True:
            at = (start + z * step) % size  # of x above the least, where it is no larger than the width
            ahead = 0 if at <= width else _first(step, size, size - at, size - at + width)
            if ahead is None or z + ahead > ranges[2][1]:
                return found
            z += ahead
            x = ranges[1][0] + (start + z * step) % size
            y = (code - n1 * x - n2 * z) // n0
            if ranges[0][0] <= y <= ranges[0][1]:
                found.append((y, x, z))
            z += 1


def _first(step: int, size: int, low: int, high: int) -> int | None:
    """The least z >= 0 with low <= step * z modulo size <= high, 0 < low <= high < size; None where there is none. As Euclid does it."""
    if not step:
        return None
    z = -(-low // step)
    if step * z <= high:
        return z
    turns = _first_of_rest(size % step, step, -high % step, -low % step)
    return None if turns is None else -(-(low + size * turns) // step)


def _first_of_rest(step: int, size: int, low: int, high: int) -> int | None:
    return 0 if low == 0 else _first(step, size, low, high)


def ordered_triple(gains: Numbers, ranges: Ranges, offset: Fraction = Fraction(0)) -> tuple[Triple, Integers] | None:
    """Integers in the order of sums of three multiples (not 0), and the place of each in the `Triple`; None where they are too wide."""
    spans = [hi - lo for lo, hi in ranges]
    by_size = sorted(range(3), key=lambda i: -spans[i])
    places = (by_size.index(0), by_size.index(1), by_size.index(2))
    g, r = [gains[i] for i in by_size], [ranges[i] for i in by_size]
    most = [max(1, abs(lo), abs(hi)) for lo, hi in r]
    finest = _START * most[1] * most[2]
    while finest * spans[by_size[0]] < WIDEST_CODES * _FINER:
        for n in _near((g[1] / g[0], g[2] / g[0]), (most[1], most[2]), finest):
            found = Triple(n, (g[0], g[1], g[2]), (r[0], r[1], r[2]), offset)
            if sum(abs(f) * m for f, m in zip(n, most, strict=True)) < WIDEST_CODES and found.is_faithful():
                return found, places
        finest *= _FINER
    return None


def _near(ratios: tuple[Fraction, Fraction], most: tuple[int, int], finest: int) -> list[Integers]:
    """Some q, p1, p2 with small q > 0, q * ratios within about 1 / (8 * most) of integers."""
    scale = finest << 40
    rows = [[scale // finest // 8] + [int(m * r * scale) for m, r in zip(most, ratios, strict=True)]]
    rows += [[0, -most[0] * scale, 0], [0, 0, -most[1] * scale]]
    numbers = _reduced(rows, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    signs = [1 if n[0] > 0 else -1 for n in numbers]
    return [(s * n[0], s * n[1], s * n[2]) for s, n in zip(signs, numbers, strict=True) if n[0]]


def _reduced(rows: list[list[int]], numbers: list[list[int]]) -> list[list[int]]:
    """How the vectors of a reduced basis of a lattice in three dimensions are made of its rows, the shortest first."""
    while True:
        order = sorted(range(3), key=lambda i: _dot(rows[i], rows[i]))
        rows, numbers = [rows[i] for i in order], [numbers[i] for i in order]
        changed = False
        for i in (1, 2):
            for j in range(i):
                times = _nearest(_dot(rows[i], rows[j]), _dot(rows[j], rows[j]))
                if times:
                    shorter = [a - times * b for a, b in zip(rows[i], rows[j], strict=True)]
                    if _dot(shorter, shorter) < _dot(rows[i], rows[i]):
                        rows[i], changed = shorter, True
                        numbers[i] = [a - times * b for a, b in zip(numbers[i], numbers[j], strict=True)]
        if not changed:
            return numbers


def _dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _nearest(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)
