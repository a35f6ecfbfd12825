"""Weights of few levels: sums of the inputs at each level first, one product with the level for each sum and output behind them.

A row w of a matrix with levels v_1 .. v_K is w = v_1 M_1 + .. + v_K M_K, with planes M_k of three kinds:

    one of each     M_k is 1 where w = v_k, else 0; v_k are the levels but 0
    by size         M_k is the sign of w where |w| = v_k, else 0; v_k are the sizes but 0
    two signs       M_k is a sign, v_1 +- v_2 are the two sizes; there is no 0

So w . x = v_1 (M_1 . x) + .. + v_K (M_K . x): a matrix unit whose rows are the planes of each channel, and behind it a unit that multiplies
what it gives of each channel by the channel's levels, and has the thresholds. Levels that are long numbers, as trained and rational ones
are, are then multiplied once an output in place of once a weight. The unit behind is one of three:

    by tap          a depthwise unit, whose taps are the planes: any number of channels at once
    a group each    a matrix unit, each channel a group of K inputs: where the time is for one channel after another
    all alike       the same, where all channels have the same levels: each is a vector of K inputs to the same adders of constants; where
                    thresholds differ by channel, they are a unit of their own
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from dfcompile.device.cost import rates, vectors
from dfcompile.device.family import DEFAULT
from dfcompile.ir.graph import Array
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Unit, divisors, quotients
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.threshold import Threshold
from dfcompile.units.vvtu import Vvtu

MOST = 16
"""Planes of a matrix; more are not tried."""
_GAIN = 0.85
"""What these units may cost of the one: as much less as estimates may be off."""


@dataclass(frozen=True, eq=False)
class Levels:
    """planes: (K, channels, columns) of -1, 0 and 1; values: (channels, K)."""

    planes: Array
    values: Array


def decompositions(weights: Array, most: int = MOST) -> Iterator[Levels]:
    """Each way that a matrix (channels, columns) of integers can be written in 2 to `most` planes."""
    weights = weights.astype(np.int64, copy=False)  # the size of the least number of a type is beyond it
    yield from _one_of_each(weights, most)
    if np.any(weights < 0):
        for found in _one_of_each(weights, most, by_size=True):
            yield found
            if len(found.planes) == 2 and weights.all():
                yield from _two_signs(weights)


def _one_of_each(weights: Array, most: int, by_size: bool = False) -> Iterator[Levels]:
    """A plane for each level of a row, or size of its levels, but 0, where there are 2 to `most`: mostly the first row tells."""
    values = []
    for row in weights:
        found = np.unique(np.abs(row) if by_size else row)
        values.append(found[found != 0])
        if len(values[-1]) > most:
            return
    count = max(map(len, values))
    if count > 1:
        table = np.array([np.pad(v, (0, count - len(v))) for v in values])
        keys, signs = (np.abs(weights), np.sign(weights)) if by_size else (weights, 1)
        planes = np.stack([((keys == table[:, k : k + 1]) & (keys != 0)) * signs for k in range(count)])
        yield Levels(planes.astype(np.int8), table)


def _two_signs(weights: Array) -> Iterator[Levels]:
    """Of weights other than 0, of at most two sizes a row, where half their sum is whole."""
    sizes, signs = np.abs(weights), np.sign(weights).astype(np.int8)
    small, large = sizes.min(axis=1, keepdims=True), sizes.max(axis=1, keepdims=True)
    if not np.any((small + large) % 2):
        planes = np.stack([signs, np.where(sizes == large, signs, -signs)])
        yield Levels(planes, np.concatenate([(large + small) // 2, (large - small) // 2], axis=1))


def by_levels(unit: Mvtu, most: int) -> tuple[Unit, ...] | None:
    """A matrix unit of the planes of a matrix unit's weights, and what adds them up; None where one unit is not larger.

    most: cycles that a position has: a plane takes one at least. As many planes as weights have bits, or more, are not smaller
    Compared on the default family at this pace: all columns at once in the planes, a share of them in the weights themselves.
    """
    groups, channels, columns = unit.weights.shape
    if groups > 1 or most < 2:
        return None
    best, limit = None, math.inf
    for found in decompositions(unit.weights[0], min(MOST, most, unit.weight_dtype.bits - 1)):
        count = len(found.planes)
        rate = channels * count / most  # rows of planes a cycle
        pe, simd = math.ceil(rate), math.ceil(columns * min(1.0, rate))
        alone = _cost(unit.folded(pe=min(pe, channels), simd=max(1, simd // count)))
        for units in _ways(unit, found):
            lanes = divisors(channels) if units[0].taps > 1 else quotients(channels * count)
            planes = units[0].folded(pe=next(n for n in lanes if n >= pe), simd=simd)
            cost = _cost(planes) + sum(_least(u, most * unit.vectors) for u in units[1:])
            if cost < min(_GAIN * alone, limit):
                best, limit = units, cost
    return best


def _ways(unit: Mvtu, found: Levels) -> Iterator[tuple[Mvtu, *tuple[Unit, ...]]]:
    """Planes and the units behind, of each way that there is."""
    count, channels, _ = found.planes.shape
    yield _planes(unit, found, by_tap=True), _by_tap(unit, found)
    planes = _planes(unit, found, by_tap=False)
    (sums,) = planes.outputs
    h, w, _ = unit.out_shape
    kind = IntType.holding(int(found.values.min()), int(found.values.max()))
    one = partial(Mvtu, in_dtype=sums.dtype, weight_dtype=kind, acc_dtype=unit.acc_dtype)
    steps: dict[str, Any] = {"thresholds": unit.thresholds, "flip": unit.flip, "scaling": unit.scaling, "out_dtype": unit.out_dtype}
    yield planes, one(unit.vectors, found.values[:, None], in_shape=(h, w, channels * count), out_shape=unit.out_shape, **steps)
    if np.any(found.values != found.values[0]):
        return
    each: dict[str, Any] = {"weights": found.values[None, :1], "in_shape": (h, w * channels, count), "out_shape": (h, w * channels, 1)}
    if unit.thresholds is None or (len(unit.thresholds) == 1 and unit.flip is None):
        yield planes, one(unit.vectors * channels, **each, **steps)
    else:
        plain: dict[str, Any] = {"thresholds": None, "flip": None, "out_dtype": unit.acc_dtype}
        behind = Threshold(unit.acc_dtype, unit.out_dtype, unit.thresholds, unit.flip, unit.out_shape, scaling=unit.scaling)
        yield planes, one(unit.vectors * channels, **each, **plain), behind


def _planes(unit: Mvtu, found: Levels, by_tap: bool) -> Mvtu:
    """The unit of the planes: all of a plane and then the next, as a depthwise unit reads them, or all of a channel and then the next."""
    count, channels, columns = found.planes.shape
    rows = (found.planes if by_tap else found.planes.transpose(1, 0, 2)).reshape(1, count * channels, columns)
    kind = BIPOLAR if np.all(rows) else IntType(1) if rows.min() >= 0 else IntType(2, signed=True)
    most, x = int(np.abs(rows.astype(np.int64)).sum(axis=2).max()), unit.in_dtype
    ends = (x.lo, x.hi) if rows.min() >= 0 else (-max(-x.lo, x.hi), max(-x.lo, x.hi))
    sums = IntType.holding(min(0, most * ends[0]), max(0, most * ends[1]))
    shape = (*unit.out_shape[:2], count * channels)
    plain: dict[str, Any] = {"thresholds": None, "flip": None, "scaling": None, "taps": count if by_tap else 1}
    return replace(unit, weights=rows, weight_dtype=kind, out_dtype=sums, acc_dtype=sums, out_shape=shape, **plain)


def _by_tap(unit: Mvtu, found: Levels) -> Vvtu:
    sums = _planes(unit, found, by_tap=True).out_dtype
    kind = IntType.holding(int(found.values.min()), int(found.values.max()))
    steps = unit.thresholds, unit.flip, unit.out_shape
    return Vvtu(found.values, sums, kind, unit.out_dtype, unit.acc_dtype, *steps, scaling=unit.scaling)


def _least(unit: Unit, most: int) -> float:
    """Least cost of a unit over its foldings of at most so many cycles; infinite where none is as fast."""
    fast = (made for made in (unit.folded(**choice) for choice in unit.foldings()) if made.cycles <= most)
    return min(map(_cost, fast), default=math.inf)


def _cost(unit: Unit) -> float:
    """Least LUT equivalents of a folded unit over its styles."""
    styles = [*unit.styles(DEFAULT), *unit.own_styles()]
    return float((vectors(unit.areas(styles, DEFAULT), unit.mac_lanes) @ rates(DEFAULT)).min())
