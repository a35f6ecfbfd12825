"""Tables whose sum, shifted and clipped, is a step function of a sum of two codes: what `TableAdd` is made of.

Each pair of patterns that can occur bounds the sum of its three entries from below (unless its code is the least) and above (unless it
is the largest), in units of 1 / 2**shift of a code. The entries start on the line through the thresholds; then those of the pairs beyond
a bound are moved, all at once, until none is (a perceptron: it ends where the bounds leave room, and a larger shift leaves more). What
is given back has been compared at every pair.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.types import IntType
from dfcompile.units.table_add import HIGH_BITS, LOW_BITS, SIZES, places

LARGEST_SHIFT = 13
LARGEST_SUM = 2**52
_ROUNDS = 300
_RATE = 0.05
_MARGIN = 0.3  # how much a pair that is within one unit of a bound counts beside one beyond it
_NEAR = 12  # units from a bound within which a pair is looked at in each round

Range = tuple[int, int]
Tables = tuple[Array, int]


@dataclass(frozen=True, eq=False)
class Sum:
    """pattern = #{k : factors[0] * a + factors[1] * b + offset >= thresholds[k]}, complemented where `falls`; a, b in `ranges`."""

    dtypes: tuple[IntType, IntType]
    ranges: tuple[Range, Range]
    factors: tuple[int, int]
    offset: int
    thresholds: Array
    falls: bool

    @property
    def key(self) -> Hashable:
        """The same for sums with the same tables."""
        return self.dtypes, self.ranges, self.factors, self.offset, self.thresholds.astype(np.int64).tobytes(), self.falls


def sum_tables(wanted: Sum) -> Tables | None:
    """The tables, one after the other, and a shift that is the smallest found; None where none is found."""
    reach = sum(abs(f) << t.bits for f, t in zip(wanted.factors, wanted.dtypes, strict=True)) + abs(wanted.offset)
    if max(t.bits for t in wanted.dtypes) > LOW_BITS + HIGH_BITS or reach > LARGEST_SUM:
        return None
    pairs = _Pairs.of(wanted)
    found: Tables | None = None
    shift = sum(t.bits for t in wanted.dtypes) // 2
    while shift <= LARGEST_SHIFT and (tables := pairs.fitted(shift)) is None:
        shift += 1
    while shift <= LARGEST_SHIFT and tables is not None:
        found = tables, shift
        shift -= 1
        tables = pairs.fitted(shift) if shift >= 0 else None
    return found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Every pair of codes: its entries of the three tables, its pattern; and the tables in codes, on a line."""

    columns: tuple[Array, Array, Array]
    patterns: Array
    steps: int
    line: tuple[Array, Array, Array]

    @staticmethod
    def of(wanted: Sum) -> _Pairs:
        codes = (np.arange(lo, hi + 1, 2 if t.bipolar else 1) for t, (lo, hi) in zip(wanted.dtypes, wanted.ranges, strict=True))
        a, b = (g.ravel() for g in np.meshgrid(*codes, indexing="ij"))
        sums = wanted.factors[0] * a + wanted.factors[1] * b + wanted.offset
        steps = len(wanted.thresholds)
        counts = np.searchsorted(wanted.thresholds, sums, side="right")
        columns = places(*(t.encode(x).astype(np.int64) for t, x in zip(wanted.dtypes, (a, b), strict=True)))
        first, width = _through(wanted.thresholds, int(sums.min()), int(sums.max()))
        gain, start = (-1 / width, steps + first / width) if wanted.falls else (1 / width, 1 - first / width)
        line = _line(wanted, gain, start)
        return _Pairs(columns, steps - counts if wanted.falls else counts, steps, line)

    def fitted(self, shift: int) -> Array | None:
        """Integer tables, those of the first two from 0 on."""
        unit = 1 << shift
        low = np.where(self.patterns > 0, self.patterns * unit, -(2**40))
        high = np.where(self.patterns < self.steps, (self.patterns + 1) * unit - 1, 2**40)
        tables = [t * unit for t in self.line]
        tables[2] = tables[2] - 0.5
        total = _summed(tables, self.columns)
        watched = np.minimum(total - low, high - total) < _NEAR
        for _ in range(3):
            found = _perceptron(tables, [c[watched] for c in self.columns], low[watched], high[watched])
            if found is None:
                return None
            total = _summed(found, self.columns)
            beyond = (total < low) | (total > high)
            if not beyond.any():
                return self._from_zero(found)
            watched |= beyond
        return None

    def _from_zero(self, tables: list[Array]) -> Array:
        """The same sums by entries that occur from 0 on in the first two tables, and 0 for those that do not."""
        moved = []
        for table, column in zip(tables, self.columns, strict=True):
            used = np.isin(np.arange(len(table)), column)
            least = int(table[used].min())
            moved.append((np.where(used, table - least, 0), least))
        (first, p), (second, q), (third, r) = moved
        third = np.where(np.isin(np.arange(len(third)), self.columns[2]), third + p + q + r, p + q + r)
        return np.concatenate([first, second, third]).astype(np.int64)


def _through(thresholds: Array, lo: int, hi: int) -> tuple[float, float]:
    """The first threshold and the distance between two of the line next to those within lo + 1..hi."""
    k = np.flatnonzero((thresholds > lo) & (thresholds <= hi))
    if len(k) < 2:
        return float(thresholds[k[0]] if len(k) else hi + 1) - 0.5, float(hi - lo + 1)
    width, first = np.polyfit(k, thresholds[k] - 0.5, 1)
    return float(first), float(width)


def _line(wanted: Sum, gain: float, start: float) -> tuple[Array, Array, Array]:
    """The tables of gain * (factors[0] * a + factors[1] * b + offset) + start."""
    values = []
    for dtype, factor in zip(wanted.dtypes, wanted.factors, strict=True):
        patterns = np.arange(1 << LOW_BITS + HIGH_BITS) & ((1 << dtype.bits) - 1)
        values.append(factor * dtype.decode(patterns.astype(np.uint64)).astype(np.float64))
    low = 1 << LOW_BITS
    a, b = values
    first = np.tile(a[:low], low) + np.repeat(b[:low], low) + wanted.offset
    return gain * first + start, gain * (a[::low] - a[0]), gain * (b[::low] - b[0])


def _summed(tables: list[Array], columns: tuple[Array, Array, Array] | list[Array]) -> Array:
    first, second, third = (t[c] for t, c in zip(tables, columns, strict=True))
    return np.asarray(first + second + third)


def _perceptron(tables: list[Array], columns: list[Array], low: Array, high: Array) -> list[Array] | None:
    """Whole tables whose sums keep the bounds, from real ones that nearly do."""
    now = [t.copy() for t in tables]
    for _ in range(_ROUNDS):
        whole = [np.rint(t) for t in now]
        total = _summed(whole, columns)
        beyond = np.maximum(low - total, 0) - np.maximum(total - high, 0)
        if not beyond.any():
            return whole
        real = _summed(now, columns)
        beyond += _MARGIN * (np.maximum(low + 1 - real, 0) - np.maximum(real - high + 1, 0))
        for table, column, size in zip(now, columns, SIZES, strict=True):
            table += np.clip(_RATE * np.bincount(column, beyond, minlength=size), -1, 1)
    return None
