"""Requantization: thresholds that lie on a line, as multiply, add, shift and clip.

The count of thresholds <= a is clip((m * a + b) >> s, 0, n) for every integer a in lo..hi iff for each k in 1..n
    m * T_k + b >= k * 2**s         where T_k <= hi (the count gets that far),
    m * (T_k - 1) + b < k * 2**s    where T_k > lo (it is not there before).
For given s and m these bound b from below and above; the room between the two bounds is a concave function of m, so going uphill
finds an m with room or shows that there is none. Of the points (T_k, k) only the corners of their convex hull decide, so all is
done in Python's integers, exactly, and a result that is found equals the thresholds on all of lo..hi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.types import IntType
from dfcompile.jit import compiled

LARGEST_SHIFT = 61
_NOWHERE = 2**60
_WIDEST = 2**34  # of what is compared: the hull's cross products stay within 64 bits

Points = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Requantization:
    """pattern = clip(base + ((multiplier * a + offset) >> shift), 0, 2**bits - 1), the bits being those of the code.

    multiplier, offset, base: int64, (channels or 1,); 0 <= offset < 2**shift
    """

    multiplier: Array
    offset: Array
    base: Array
    shift: int

    def affine(self, scale: int, offset: Array) -> Requantization:
        """The same on b where a = scale * b + offset (offset one or a channel each)."""
        shifted = [int(m) * int(o) + int(c) for m, o, c in np.broadcast(self.multiplier, offset, self.offset)]
        more = np.array([v >> self.shift for v in shifted], np.int64)
        rest = np.array([v & ((1 << self.shift) - 1) for v in shifted], np.int64)
        return Requantization(np.broadcast_to(self.multiplier * scale, rest.shape).copy(), rest, self.base + more, self.shift)

    def tiled(self, times: int) -> Requantization:
        """The same for so many times the channels, which have these rows again and again."""
        if self.shared:
            return self
        return Requantization(np.tile(self.multiplier, times), np.tile(self.offset, times), np.tile(self.base, times), self.shift)

    def words(self, channels: int) -> list[int]:
        """For each channel what is stored: multiplier, then base * 2**shift + offset above it, both two's complement."""
        low, high = self.factor_bits, self.offset_bits
        rows = zip(*(np.broadcast_to(a, (channels,)).tolist() for a in (self.multiplier, self.offset, self.base)), strict=True)
        return [((((b << self.shift) + o) & ((1 << high) - 1)) << low) | (m & ((1 << low) - 1)) for m, o, b in rows]

    @property
    def factor_bits(self) -> int:
        """Bits of the multiplier, a signed number."""
        return _signed_bits(self.multiplier)

    @property
    def offset_bits(self) -> int:
        """Bits of base * 2**shift + offset, a signed number."""
        return _signed_bits(self.base) + self.shift

    @property
    def digits(self) -> float:
        """Mean number of digits of two bits of a multiplier that are not 0: terms of its product by shifts and adds."""
        places = range(0, self.factor_bits, 2)
        return sum((int(m) >> p) & 3 > 0 for m in self.multiplier for p in places) / len(self.multiplier)

    @property
    def shared(self) -> bool:
        """Whether one multiplier and one offset serve all channels."""
        return len(self.multiplier) == 1


def _signed_bits(numbers: Array) -> int:
    return IntType(IntType.holding(min(int(numbers.min()), -1), int(numbers.max())).bits, signed=True).bits


def requantize(thresholds: Array, flip: Array | None, lo: Array, hi: Array) -> Requantization | None:
    """A requantization of small shift that equals counting thresholds wherever lo <= a <= hi; None where there is none.

    thresholds: (channels or 1, 2**bits - 1), rising; flip: (channels,) true where the pattern is complemented, or None
    lo, hi:     (channels,), what a is proven to lie between
    """
    falls = np.zeros(1, bool) if flip is None else np.asarray(flip, bool)
    if len(thresholds) == 1 and np.all(falls == falls[0]):
        lo, hi, falls = np.array([lo.min()]), np.array([hi.max()]), falls[:1]
    if int(hi.max()) - int(lo.min()) > _WIDEST or thresholds.shape[1] < 2:
        return None
    lines = []
    for row, low, high in zip(np.broadcast_to(thresholds, (len(lo), thresholds.shape[1])), lo.tolist(), hi.tolist(), strict=True):
        line = _Line.through(row, low, high)
        if line is None:
            return None
        lines.append(line)
    shift = 0
    for line in lines:
        shift = shift if line.fits(shift) else max(shift, line.least_shift())
    return _made([line.at(shift) for line in lines], np.broadcast_to(falls, (len(lo),)), shift, thresholds.shape[1])


def straightened(missed: Array, reached: Array) -> Array | None:
    """Thresholds on a line, each above missed[k] and not above reached[k] (far below or above where there is no such number).

    None where no line does it. missed, reached: int64, (n,), rising.
    """
    some_missed, some_reached = missed > -_NOWHERE, reached < _NOWHERE
    known = np.concatenate([missed[some_missed], reached[some_reached]])
    if not len(known) or int(np.ptp(known)) > _WIDEST:
        return None
    line = _Line.between(missed, reached, some_missed, some_reached, int(known.min()))
    if line is None:
        return None
    shift = line.least_shift()
    multiplier, offset = line.at(shift)
    if not multiplier:
        return None
    at = [-((offset - (k << shift)) // multiplier) for k in range(1, len(reached) + 1)]
    return np.asarray(np.clip(np.array(at), np.where(some_missed, missed + 1, -_NOWHERE), np.where(some_reached, reached, _NOWHERE)))


def _made(pairs: Points, falls: Array, shift: int, steps: int) -> Requantization:
    """Multipliers and offsets put together; a pattern that falls is steps - (y >> shift) = (2**shift * (steps + 1) - 1 - y) >> shift."""
    pairs = [(-m, ((steps + 1) << shift) - 1 - b) if f else (m, b) for (m, b), f in zip(pairs, falls.tolist(), strict=True)]
    columns = ([m for m, _ in pairs], [b & ((1 << shift) - 1) for _, b in pairs], [b >> shift for _, b in pairs])
    multiplier, offset, base = (np.array(c, np.int64) for c in columns)
    return Requantization(multiplier, offset, base, shift)


@dataclass(frozen=True)
class _Line:
    """Corners (T_k, k) that the line must reach and (T_k - 1, k) that it must miss, and a multiplier that does so by LARGEST_SHIFT."""

    reached: Points
    missed: Points
    slope: int = 0

    @staticmethod
    def through(thresholds: Array, lo: int, hi: int) -> _Line | None:
        """The corners of one channel's thresholds with a slope that parts them; None where there is none."""
        at = np.clip(thresholds, lo, hi + 1).astype(np.int64)
        return _Line.between(at - 1, at, at > lo, at <= hi, lo)

    @staticmethod
    def between(missed: Array, reached: Array, some_missed: Array, some_reached: Array, origin: int) -> _Line | None:
        """The corners where code k + 1 is missed at missed[k] and reached at reached[k], both rising, unless there is no such number."""
        k = np.arange(1, len(reached) + 1, dtype=np.int64)
        ends = ((reached[some_reached] - origin, k[some_reached], True), (missed[some_missed] - origin, k[some_missed], False))
        corners = [[(x + origin, y) for x, y in _corners(*end)] for end in ends]
        line = _Line(corners[0], corners[1])
        slope = line._climb()
        return None if slope is None else _Line(line.reached, line.missed, slope)

    def _bounds(self, multiplier: int, shift: int) -> tuple[int | None, int | None, int]:
        """Least and largest offset, None where any will do, and how fast the room between them grows with the multiplier."""
        above = [(k << shift) - multiplier * t for t, k in self.reached]
        below = [(k << shift) - 1 - multiplier * t for t, k in self.missed]
        if not above or not below:
            return max(above, default=None), min(below, default=None), 0
        least, most = max(above), min(below)
        growing = self.reached[-1 - above[::-1].index(least)][0]  # of equal ones the largest number here, the smallest there
        return least, most, growing - self.missed[below.index(most)][0]

    def _climb(self) -> int | None:
        low, high = 0, (max((k for _, k in self.missed), default=0) << LARGEST_SHIFT) + 1
        flat, steep = self._extremes()
        while low <= high:
            middle = (low + high) // 2
            if middle <= flat or middle >= steep:
                low, high = (middle + 1, high) if middle <= flat else (low, middle - 1)
                continue
            least, most, growth = self._bounds(middle, LARGEST_SHIFT)
            if least is None or most is None or least <= most:
                return middle
            if growth == 0:
                return None
            low, high = (middle + 1, high) if growth > 0 else (low, middle - 1)
        return None

    def _extremes(self) -> tuple[int, int]:
        """Multipliers, not less and not more of which no line has that parts the first corner of one kind from the last of the other.

        m * t + b >= k * 2**s and m * u + b < j * 2**s ask for m * (t - u) > (k - j) * 2**s.
        """
        flat, steep = -1, _NOWHERE << LARGEST_SHIFT
        if self.reached and self.missed:
            for (t, k), (u, j) in ((self.reached[-1], self.missed[0]), (self.reached[0], self.missed[-1])):
                most = (k - j) << LARGEST_SHIFT
                if t > u:
                    flat = max(flat, most // (t - u))
                elif t < u:
                    steep = min(steep, -(most // (u - t)))
        return flat, steep

    def fits(self, shift: int) -> bool:
        """Whether a multiplier next to the slope serves at this shift."""
        return self._near(shift) is not None

    def _near(self, shift: int) -> tuple[int, int] | None:
        """A multiplier next to the slope and an offset, for a smaller shift."""
        drop = LARGEST_SHIFT - shift
        nearest = (self.slope + ((1 << drop) >> 1)) >> drop
        for multiplier in (nearest, nearest + 1, nearest - 1):
            least, most, _ = self._bounds(multiplier, shift) if multiplier >= 0 else (1, 0, 0)
            if least is None or most is None or least <= most:
                return multiplier, next((b for b in (least, most) if b is not None), 0)
        return None

    def least_shift(self) -> int:
        """A small shift that has a multiplier next to the slope, by bisection."""
        low, high = 0, LARGEST_SHIFT
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._near(middle) else (middle + 1, high)
        return low

    def at(self, shift: int) -> tuple[int, int]:
        """Multiplier and offset for a shift not below the least."""
        found = self._near(shift)
        if found is None:  # twice both of a shift that has them serve the next one, though perhaps not next to the slope
            multiplier, offset = self.at(shift - 1)
            return 2 * multiplier, 2 * offset
        return found


def _corners(x: Array, y: Array, up: bool) -> Points:
    """Corners of the convex hull of points with rising x and y, on the side of large y or of small y."""
    if not len(x):
        return []
    kept = _hull(x, y if up else -y)
    return list(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


@compiled
def _hull(x: Array, y: Array) -> Array:
    """Indices of the corners of the upper hull, x rising (points of one x: the highest counts)."""
    kept = np.empty(len(x), np.int64)
    n = 0
    for i in range(len(x)):
        while n and x[kept[n - 1]] == x[i] and y[kept[n - 1]] <= y[i]:
            n -= 1
        if n and x[kept[n - 1]] == x[i]:
            continue
        while n > 1:
            a, b = kept[n - 2], kept[n - 1]
            if (x[b] - x[a]) * (y[i] - y[a]) < (y[b] - y[a]) * (x[i] - x[a]):
                break
            n -= 1
        kept[n] = i
        n += 1
    return kept[:n].copy()
