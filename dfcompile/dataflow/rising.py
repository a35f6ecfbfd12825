"""Thresholds that fall, made to rise: a channel whose code falls with its sum is one that rises with the sum of the negated weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfcompile.dataflow.vectors import weight_type
from dfcompile.ir.requantization import Requantization, requantize
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts.thresholding import SCALED_BITS


@dataclass(frozen=True, eq=False)
class Risen:
    """Weights (channels, ...), the type of their sums, thresholds (channels or 1, n) and what they are as a product, if they are one."""

    weights: Array
    acc: IntType
    values: Array
    scaling: Requantization | None


def risen(weights: Array, values: Array, flip: Array, dtype: IntType, low: Array, high: Array) -> Risen | None:
    """The same codes without flips; None where the negated weights would need a wider type.

    values: (channels or 1, n) thresholds; flip: (channels,) true where the function falls; dtype: of the codes
    low, high: (channels,) least and largest sum

    lo + #{k : s < T_k} is lo + #{k : -s >= 1 - T_k}.
    """
    signs = np.where(flip, -1, 1)
    wide = weights.astype(np.int64) * signs.reshape(-1, *(1,) * (weights.ndim - 1))
    if weight_type(wide) != weight_type(weights):
        return None
    falls = flip[:1] if len(values) == 1 and flip.all() else flip  # one row stays one where all channels fall
    rows = np.where(falls[:, None], 1 - values[:, ::-1], values)
    ends = np.where(flip, -high, low), np.where(flip, -low, high)
    scaling = requantize(rows, None, *ends) if dtype.bits >= SCALED_BITS else None
    acc = IntType.holding(int(ends[0].min()), int(ends[1].max()))
    return Risen(wide.astype(weights.dtype), acc, rows, scaling)
