"""Step functions of a sum of two streams whose scales have no small common measure.

code = f(g1 * q1 + g2 * q2 + o) for integers q1, q2 in proven ranges and a monotone f. Each code boundary parts the lattice of
(q1, q2) by a line of slope -g1/g2, and any integers n1, n2 whose lines part it alike serve as well: n1 * q1 + n2 * q2 >= T_k exactly
where the code is at least the k-th. They serve iff at each boundary all points A above and B below keep
n1 * (A1 - B1) + n2 * (A2 - B2) > 0: a bound on n1/n2 that |g1/g2| itself meets. So the search takes the cheapest fraction between
the bounds known so far and holds it against every boundary; one that it breaks gives a new bound. Every bound is a fraction of
differences of q2 and q1, so the mediant of the neighbours of g1/g2 among such fractions always serves, and the search ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.requantization import straightened
from dfcompile.ir.types import IntType
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import StepFunction

LARGEST_SEARCH = 2**24  # pairs of a code and a value of the narrower operand, over all channels
WIDEST = 2**40  # of an operand's range
_FAR = 2**62
_SAMPLES = 32  # values of the narrow operand beside which the wide one is searched for from end to end
_SECOND_FACTORS = 1024  # how many second factors are tried for the cheapest pair

Range = tuple[Array, Array]
Cost = Callable[[int, int], tuple[int, int] | None]


@dataclass(frozen=True, eq=False)
class Joint:
    """pattern = #{k : factors[0] * q1 + factors[1] * q2 >= thresholds[:, k]}, complemented where `falling`: (channels or 1,).

    dtype: of the codes; lowest: the least one
    """

    factors: tuple[int, int]
    dtype: IntType
    thresholds: Array
    falling: Array
    lowest: int


@dataclass(frozen=True, eq=False)
class Lines:
    """Boundaries of one channel: at[k, i] is the least wide operand in lo..hi + 1 that, beside narrow[i], reaches height k + 1."""

    at: Array
    narrow: Array
    lo: int
    hi: int

    def extremes(self, first: int, second: int) -> tuple[Array, Array, Array, Array]:
        """For each boundary the least sum above and the largest below, +-_FAR where there is none, and their places in `narrow`."""
        sums = first * self.at + second * self.narrow
        above, below = np.where(self.at <= self.hi, sums, _FAR), np.where(self.at > self.lo, sums - first, -_FAR)
        i, j = above.argmin(axis=1), below.argmax(axis=1)
        rows = np.arange(len(sums))
        return above[rows, i], below[rows, j], i, j

    def broken(self, first: int, second: int) -> Fraction | None:
        """A fraction that first / second must not lie beyond or on, from the boundary that it misses most; None where it serves."""
        above, below, i, j = self.extremes(first, second)
        k = int((below - above).argmax())
        if below[k] < above[k]:
            return None
        step = int(self.at[k, i[k]] - self.at[k, j[k]]) + 1
        return Fraction(int(self.narrow[j[k]] - self.narrow[i[k]]), step)


def join(function: StepFunction, first: Range, second: Range) -> Joint | None:
    """Factors and thresholds equal to a monotone function of two streams wherever the operands lie in their ranges.

    first, second: (lo, hi), int64, one a channel. None where the function is not known to be monotone, the ratio of the scales
    differs by channel, or there are too many boundaries to look at.
    """
    direction = function.direction()
    ratios: set[Any] = set(np.ravel(function.base.scale / function.addends[0].scale))
    if direction is None or len(ratios) > 1:
        return None
    grids, ranges, ratio = [function.base, function.addends[0]], [first, second], ratios.pop()
    channels = len(first[0]) if function.per_channel() else 1
    if channels == 1:
        ranges = [(np.array([lo.min()]), np.array([hi.max()])) for lo, hi in ranges]
    ends = np.stack([function.execute(a, b)[0] for a in ranges[0] for b in ranges[1]])
    dtype = IntType.holding(int(ends.min()), int(ends.max()))
    swap = _span(ranges[0]) < _span(ranges[1])
    if swap:
        grids, ranges, ratio = grids[::-1], ranges[::-1], 1 / ratio
    if _span(ranges[1]) * (dtype.hi - dtype.lo) * channels > LARGEST_SEARCH or _span(ranges[0]) > WIDEST:
        return None
    sign = 1 if ratio > 0 else -1
    falling = np.broadcast_to((direction * sign if swap else direction) < 0, (channels,))
    lines = [_lines(function, grids, ranges, c, sign, bool(falling[c]), dtype) for c in range(channels)]
    found = cheapest(lines, [abs(ratio)] * channels)
    assert found is not None, "a ratio that all channels have serves all"
    wide, narrow = found
    top = max(wide * x.hi + narrow * int(x.narrow.max()) for x in lines) + 1
    thresholds = np.stack([np.minimum(parted(*x.extremes(wide, narrow)[:2]), top) for x in lines])
    factors = (sign * narrow, wide) if swap else (wide, sign * narrow)
    return Joint(factors, dtype, thresholds, falling.copy(), int(ends.min()))


def parted(reached: Array, missed: Array) -> Array:
    """One threshold between the sums that miss a code and those that reach it: on a line where there is one, for requantization."""
    straight = straightened(missed, reached)
    return reached if straight is None else straight


def _span(bounds: Range) -> int:
    return int((bounds[1] - bounds[0]).max()) + 1


def _lines(f: StepFunction, grids: list[Grid], ranges: list[Range], c: int, sign: int, falling: bool, dtype: IntType) -> Lines:
    """Boundaries of channel c: each value of the narrow operand is an offset, the wide one is searched for all of them at once."""
    (lo, hi), (low, high) = ((int(a[c]), int(b[c])) for a, b in ranges)
    narrow = np.arange(low, high + 1)
    (scale, offset), (gain, shift) = (g.pick(c) for g in grids)
    offsets = np.array([gain * int(n) + shift + offset for n in narrow], object)
    target = Grid.of(*f.grid.pick(c))
    rows = StepFunction(Grid(np.full(len(narrow), scale, object), offsets), tuple(s.of_channel(c) for s in f.chain), target)
    steps = dtype.hi - dtype.lo

    def height(wide: Array, rows: StepFunction = rows) -> Array:
        pattern = rows.execute(wide)[0].astype(np.int64) - dtype.lo
        return np.asarray(steps - pattern if falling else pattern)

    levels = np.arange(1, steps + 1)
    shape = (len(levels), len(narrow))
    if hi - lo < 2 * steps:
        heights = height(np.broadcast_to(np.arange(lo, hi + 1)[:, None], (hi - lo + 1, len(narrow))))
        at = np.stack([np.searchsorted(column, levels) for column in heights.T], axis=1) + lo
    elif len(narrow) < 4 * _SAMPLES:
        at = _bisect(height, levels, np.full(shape, lo - 1), np.full(shape, hi + 1))
    else:
        some = np.linspace(0, len(narrow) - 1, _SAMPLES).astype(np.int64)
        few = StepFunction(Grid(np.full(len(some), scale, object), offsets[some]), rows.chain, target)
        ends = np.full((len(levels), len(some)), lo - 1), np.full((len(levels), len(some)), hi + 1)
        known = _bisect(lambda wide: height(wide, few), levels, *ends)
        at = _bisect(height, levels, *_brackets(known, offsets / scale, some, lo, hi))
    return Lines(at, sign * narrow, lo, hi)


def _brackets(known: Array, offsets: Array, some: Array, lo: int, hi: int) -> tuple[Array, Array]:
    """Where the wide operand reaches each height beside every value of the narrow one, from where it does beside some: on one line.

    known: (heights, samples); offsets: of the narrow operand's values, in steps of the wide one. Returns (low, high), low below and high
    at or behind the place; a step is left on each side for what float64 rounds.
    """
    shift = offsets.astype(np.float64)
    reaches, below = known <= hi, known > lo
    most = np.where(reaches, known + shift[some], np.inf).min(axis=1, keepdims=True)
    least = np.where(below, known - 1 + shift[some], -np.inf).max(axis=1, keepdims=True)
    low, high = np.floor(least - shift) - 1, np.ceil(most - shift) + 1
    return np.clip(low, lo - 1, hi).astype(np.int64), np.clip(high, lo, hi + 1).astype(np.int64)


def _bisect(height: Callable[[Array], Array], levels: Array, low: Array, high: Array) -> Array:
    """The least wide operands in low + 1..high that reach each height: (heights, values of the narrow operand)."""
    least = low.min() + 1
    while np.any(high - low > 1):
        middle = low + (high - low) // 2
        reached = height(np.maximum(middle, least)) >= levels[:, None]
        open_ = high - low > 1
        high, low = np.where(open_ & reached, middle, high), np.where(open_ & ~reached, middle, low)
    return high


def cheapest(lines: list[Lines], ratios: list[Fraction], cost: Cost | None = None) -> tuple[int, int] | None:
    """The cheapest factors of the wide and the narrow operand that every boundary allows; None where some exclude each other.

    ratios: |g1 / g2| of each channel's lines, which its own boundaries allow: of one ratio there are always factors
    """
    low, high = Fraction(0), None
    while True:
        wide, narrow = _candidate(low, high, cost or _cost)
        bounds = [(b, r) for x, r in zip(lines, ratios, strict=True) if (b := x.broken(wide, narrow)) is not None]
        if not bounds:
            return wide, narrow
        before = low, high
        low = max([low, *(b for b, r in bounds if b < r)])
        above = [b for b, r in bounds if b > r] + ([high] if high is not None else [])
        high = min(above) if above else None
        if high is not None and high <= low:
            return None
        assert (low, high) != before, "a broken boundary always narrows the bounds, so the search ends"


def _candidate(low: Fraction, high: Fraction | None, costs: Cost) -> tuple[int, int]:
    """The cheapest n1, n2 with low < n1 / n2 < high."""
    simplest = _simplest(low, high)
    best = simplest.numerator, simplest.denominator
    if (cost := costs(*best)) is None:
        best = 2 * best[0], 2 * best[1]
        cost = costs(*best) or (0, 0)
    for n2 in range(simplest.denominator, simplest.denominator + _SECOND_FACTORS):
        least = low.numerator * n2 // low.denominator + 1
        most = least if high is None else -(-high.numerator * n2 // high.denominator) - 1
        for n1 in range(least, min(most, least + 2) + 1):
            if (found := costs(n1, n2)) is not None and found < cost:
                best, cost = (n1, n2), found
        if n2.bit_length() > sum(cost):
            break
    return best


def _simplest(low: Fraction, high: Fraction | None) -> Fraction:
    """The fraction of least denominator, then numerator, strictly between."""
    whole = low.numerator // low.denominator
    if high is None or high > whole + 1:
        return Fraction(whole + 1)
    rest = low - whole
    inner = _simplest(1 / (high - whole), 1 / rest if rest else None)
    return whole + 1 / inner


def _cost(n1: int, n2: int) -> tuple[int, int]:
    """Adders of the two products (digits of the canonical signed form beyond the first), and bits."""
    return _digits(n1) + _digits(n2) - 2, n1.bit_length() + n2.bit_length()


def cost_of_signs(n1: int, n2: int) -> tuple[int, int] | None:
    """The cost of their half sum and half difference; None where these are not whole. Twice any factors have a cost."""
    return None if (n1 + n2) % 2 else _cost((n1 + n2) // 2, abs(n1 - n2) // 2)


def cost_of_bits(n1: int, n2: int) -> tuple[int, int]:
    """Bits, and then the adders: of factors that are words of a memory."""
    adders, bits = _cost(n1, n2)
    return bits, adders


def _digits(n: int) -> int:
    return (n ^ (3 * n)).bit_count()
