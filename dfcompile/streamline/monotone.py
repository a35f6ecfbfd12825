"""Step functions as thresholds: where a monotone function of a code takes each of its values for the first time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.step import StepFunction

_COARSE = 16
"""Levels that are found by bisection of the whole range; those between them start from a straight line."""
_QUESTIONS = 8
"""Values for each threshold up to which all are looked at."""
_FAR = 2**60
_BLOCK = 2**18
"""Values or thresholds looked at together."""


@dataclass(frozen=True, eq=False)
class Table:
    """A step function as thresholds: pattern = count of thresholds <= a, complemented where flip is set."""

    dtype: IntType
    thresholds: Array
    flip: Array


def monotone_table(function: StepFunction, direction: Array, lo: Array, hi: Array) -> Table:
    """Thresholds of a monotone function over [lo, hi] per channel; direction: below 0 where it falls.

    All values are looked at where they are few. Else some thresholds are found by bisection and the others between two of
    these, from the straight line between them: a few questions for each where the function is linear before it is rounded, never
    more than twice the logarithm of the distance.
    """
    ends = np.stack([evaluate(function, lo), evaluate(function, hi)])
    dtype = IntType.holding(int(ends.min()), int(ends.max()))
    falling, steps, size = direction < 0, dtype.hi - dtype.lo, int((hi - lo).max()) + 1

    def height(a: Array) -> Array:
        pattern = evaluate(function, np.clip(a, lo, hi)) - dtype.lo
        return np.asarray(np.where(falling, steps - pattern, pattern))

    found = _from_all(height, steps, lo, size) if size <= _QUESTIONS * steps else _searched(height, steps, lo, hi)
    thresholds = np.ascontiguousarray(np.clip(found, lo, hi + 1).T)
    return finished(dtype, thresholds, falling, int(ends.min()))


def finished(dtype: IntType, thresholds: Array, falling: Array, lowest: int) -> Table:
    """The table of a function whose least code is `lowest`; one threshold where its codes are -1 and 1."""
    if dtype == IntType(2, signed=True) and lowest == -1 and np.all(_never_zero(thresholds, falling)):
        column = np.where(falling, thresholds[:, 1], thresholds[:, 2])
        return Table(BIPOLAR, column[:, None], falling.copy())
    return Table(dtype, thresholds, falling.copy())


def _never_zero(thresholds: Array, falling: Array) -> Array:
    """For codes -2..1 by three thresholds: whether code 0 is never taken (and -2 neither, as the ends say)."""
    return np.asarray(np.where(falling, thresholds[:, 0] == thresholds[:, 1], thresholds[:, 1] == thresholds[:, 2]))


def _from_all(height: Callable[[Array], Array], steps: int, lo: Array, size: int) -> Array:
    """Thresholds (steps, channels) from all heights of a range of `size` codes, block by block."""
    found = np.repeat((lo + size)[None], steps, axis=0)
    done = np.zeros(len(lo), np.int64)
    rows = max(1, _BLOCK // len(lo))
    for first in range(0, size, rows):
        heights = height(lo + np.arange(first, min(first + rows, size))[:, None])
        for c in np.flatnonzero(heights[-1] > done):
            top = int(heights[-1, c])
            found[done[c] : top, c] = lo[c] + first + np.searchsorted(heights[:, c], np.arange(done[c] + 1, top + 1))
            done[c] = top
    return found


def _searched(height: Callable[[Array], Array], steps: int, lo: Array, hi: Array) -> Array:
    """Thresholds (steps, channels) by asking here and there."""
    gap = max(1, steps // _COARSE)
    coarse = np.unique(np.append(np.arange(1, steps + 1, gap), steps))
    shape = (len(coarse), len(lo))
    low, high = np.broadcast_to(lo - 1, shape).copy(), np.broadcast_to(hi + 1, shape).copy()
    _narrow(height, coarse, low, high, (low + high) // 2, int((hi - lo).max()) + 2)
    found = np.empty((steps + 1, len(lo)), np.int64)
    found[coarse] = high
    rest = np.setdiff1d(np.arange(1, steps + 1), coarse)
    rows = max(1, _BLOCK // len(lo))
    for first in range(0, len(rest), rows):
        levels = rest[first : first + rows]
        at = np.searchsorted(coarse, levels)
        below, above = coarse[at - 1], coarse[at]
        low, high = found[below] - 1, found[above].copy()
        share = ((levels - below) / (above - below))[:, None]
        _narrow(height, levels, low, high, np.rint(found[below] + (high - found[below]) * share).astype(np.int64), 1)
        found[levels] = high
    return found[1:]


def _narrow(height: Callable[[Array], Array], levels: Array, low: Array, high: Array, guess: Array, reach: int) -> None:
    """Move `low` (not reached, or below the range) and `high` (reached, or beyond it) together, (levels, channels), in place.

    The first question is the guess, the second `reach` beside it, the next twice as far each time, until a threshold lies between
    two answers; from there on the middle.
    """
    open_ = np.flatnonzero((high - low > 1).any(axis=1))
    ask = np.clip(guess, low + 1, high - 1)
    while len(open_):
        a, b = low[open_], high[open_]
        at = np.where(b - a > 1, ask[open_], b)
        reached = (height(at) >= levels[open_, None]) | (b - a <= 1)
        low[open_], high[open_] = np.where(reached, a, at), np.where(reached, at, b)
        outward = np.where(reached, at - reach, at + reach)
        a, b = low[open_], high[open_]
        ask[open_] = np.where((outward > a) & (outward < b), outward, a + (b - a) // 2)
        open_ = open_[(b - a > 1).any(axis=1)]
        reach = min(2 * reach, _FAR)


def evaluate(function: StepFunction, codes: Array) -> Array:
    """The function of integer codes (..., c), as integers."""
    return np.asarray(function.execute(codes)[0]).astype(np.int64)


def values_of(function: StepFunction, lo: Array, hi: Array) -> Array:
    """All values of a function: (channels, largest range); beyond a channel's own range its last value."""
    size = int((hi - lo).max()) + 1
    return evaluate(function, np.minimum(lo + np.arange(size)[:, None], hi)).T


def type_of(values: Array) -> IntType:
    """The narrowest type that holds all values."""
    return IntType.holding(int(values.min()), int(values.max()))


def table_of(values: Array, rises: Array, lo: Array) -> Table:
    """Thresholds of monotone functions given by all their values (channels, range) from `lo` on."""
    dtype = type_of(values)
    steps = dtype.hi - dtype.lo
    heights = np.where(rises[:, None], values - dtype.lo, steps - (values - dtype.lo))
    rows = [np.searchsorted(h, np.arange(1, steps + 1)) for h in heights]
    return Table(dtype, np.stack(rows) + lo[:, None], ~rises)
