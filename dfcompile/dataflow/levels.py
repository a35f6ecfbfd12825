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

from dfcompile.device.area import sum_of
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


def decompositions(weights: Array) -> Iterator[Levels]:
    """Each way that a matrix (channels, columns) of integers can be written in 2 to `MOST` planes."""
    sizes = np.abs(weights)
    yield from _one_of_each(weights, np.ones_like(weights))
    if np.any(weights < 0):
        yield from _one_of_each(sizes, np.sign(weights))
    small, large = sizes.min(axis=1, keepdims=True), sizes.max(axis=1, keepdims=True)
    if small.all() and np.all((sizes == small) | (sizes == large)) and not np.any((small + large) % 2):
        signs = np.sign(weights).astype(np.int8)
        planes = np.stack([signs, np.where(sizes == large, signs, -signs)])
        yield Levels(planes, np.concatenate([(large + small) // 2, (large - small) // 2], axis=1))


def _one_of_each(keys: Array, signs: Array) -> Iterator[Levels]:
    """A plane for each key of a row but 0."""
    found = [np.unique(row[row != 0]) for row in keys]
    count = max(map(len, found))
    if 2 <= count <= MOST:
        values = np.array([np.pad(v, (0, count - len(v))) for v in found])
        planes = np.stack([(keys == values[:, k : k + 1]) & (keys != 0) for k in range(count)])
        yield Levels((planes * signs).astype(np.int8), values)


def by_levels(unit: Mvtu, most: int) -> tuple[Mvtu, Vvtu] | None:
    """A matrix unit of the planes of a matrix unit's weights, and the unit that adds them up; None where one unit is not larger.

    most: planes, each of which takes a cycle for each position at least
    Compared on the default family, at as many cycles: all columns at once in the planes, a share of them in the weights themselves.
    """
    groups, channels, _ = unit.weights.shape
    if groups > 1 or unit.weight_dtype.bits < 3 or most < 2:
        return None
    best, limit = None, math.inf
    for found in decompositions(unit.weights[0]):
        pair = _pair(unit, found)
        planes, pe, whole = len(found.planes), _LANES if channels % _LANES == 0 else 1, unit.weights.shape[2]
        if planes > most:
            continue
        alone = _cost(unit.folded(pe=pe, simd=max(1, whole // planes)))
        both = _cost(pair[0].folded(pe=pe, simd=whole)) + _cost(pair[1].folded(pe=pe))
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
    worth = rates(DEFAULT, None)
    return min(float(vector(sum_of([area]), unit.mac_lanes) @ worth) for area in unit.areas(list(unit.styles(DEFAULT)), DEFAULT))
