"""Weights of few levels: sums of the inputs at each level first, one product with the level for each sum and output behind them.

A row w of a matrix with levels v_1 .. v_K is w = v_1 M_1 + .. + v_K M_K, with planes M_k of three kinds:

    one of each     M_k is 1 where w = v_k, else 0; v_k are the levels but 0
    by size         M_k is the sign of w where |w| = v_k, else 0; v_k are the sizes but 0
    two signs       M_k is a sign, v_1 +- v_2 are the two sizes; there is no 0

So w . x = v_1 (M_1 . x) + .. + v_K (M_K . x): a matrix unit whose rows are the planes of each channel, and behind it a depthwise unit that
multiplies what it gives of each channel by the channel's levels, and has the thresholds. Levels that are long numbers, as trained and
rational ones are, are then multiplied once an output in place of once a weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dfcompile.device.cost import rates, vector
from dfcompile.device.family import DEFAULT
from dfcompile.ir.graph import Array
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Unit
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.vvtu import Vvtu

MOST = 16
"""Planes of a matrix; more are not tried."""
_GAIN = 0.6
"""What the two units may cost of the one."""
_LANES = 4
"""Channels at once, about, in what is compared."""


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


def by_levels(unit: Mvtu, most: int) -> tuple[Mvtu, Vvtu] | None:
    """A matrix unit of the planes of a matrix unit's weights, and the unit that adds them up; None where one unit is not larger.

    most: planes, each of which takes a cycle for each position at least. As many as weights have bits, or more, are not smaller
    Compared on the default family, at as many cycles: all columns at once in the planes, a share of them in the weights themselves.
    """
    groups, channels, columns = unit.weights.shape
    if groups > 1:
        return None
    best, limit, pe = None, math.inf, _LANES if channels % _LANES == 0 else 1
    for found in decompositions(unit.weights[0], min(MOST, most, unit.weight_dtype.bits - 1)):
        pair = _pair(unit, found)
        alone = _cost(unit.folded(pe=pe, simd=max(1, columns // len(found.planes))))
        both = _cost(pair[0].folded(pe=pe, simd=columns)) + _cost(pair[1].folded(pe=pe))
        if both < min(_GAIN * alone, limit):
            best, limit = pair, both
    return best


def _pair(unit: Mvtu, found: Levels) -> tuple[Mvtu, Vvtu]:
    count, channels, columns = found.planes.shape
    rows = found.planes.reshape(1, count * channels, columns)
    kind = BIPOLAR if np.all(rows) else IntType(1) if rows.min() >= 0 else IntType(2, signed=True)
    most, x = int(np.abs(rows.astype(np.int64)).sum(axis=2).max()), unit.in_dtype
    ends = (x.lo, x.hi) if rows.min() >= 0 else (-max(-x.lo, x.hi), max(-x.lo, x.hi))
    sums = IntType.holding(min(0, most * ends[0]), max(0, most * ends[1]))
    shape = (*unit.out_shape[:2], count * channels)
    plain: dict[str, Any] = {"thresholds": None, "flip": None, "scaling": None}
    first = replace(unit, weights=rows, weight_dtype=kind, out_dtype=sums, acc_dtype=sums, out_shape=shape, taps=count, **plain)
    values = IntType.holding(int(found.values.min()), int(found.values.max()))
    second = Vvtu(
        found.values, sums, values, unit.out_dtype, unit.acc_dtype, unit.thresholds, unit.flip, unit.out_shape, scaling=unit.scaling
    )  # fmt: skip
    return first, second


def _cost(unit: Unit) -> float:
    """Least LUT equivalents of a folded unit over its styles."""
    return min(float(vector(area, unit.mac_lanes) @ rates(DEFAULT)) for area in unit.areas(unit.styles(DEFAULT), DEFAULT))
