"""Weights of inputs whose scales have no common measure: up to three multiples that one sum holds in the order of the real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.grid import common_scale, fractions
from dfcompile.streamline.triple import Triple, ordered_triple

LARGEST_MULTIPLE = 256
"""Of a shared scale that an input of it may have."""
_TERMS = 3

Range = tuple[int, int]


def mixed_weights(codes: Array, table: Array, scale: Array, ranges: Sequence[Range]) -> tuple[Array, Array, list[Triple]] | None:
    """Integer weights (oc, ic / groups, kh, kw), what 1 of a sum is worth by input (oc, ic / groups), what sums mean; None for others.

    codes: integers of the weights, of scales `table` (oc, ic / groups); scale: (groups, ic / groups) of the inputs, whose codes lie in
    `ranges`, the groups' one after the other
    """
    oc, ic = codes.shape[:2]
    found, worth, orders = np.empty(codes.shape, np.int64), np.empty((oc, ic), object), []
    for o, row in enumerate(codes.astype(np.int64)):
        group = o // (oc // len(scale))
        scales: list[Fraction] = list(fractions(table[o]) * scale[group])
        parts = _commensurable(scales)
        if len(parts) > _TERMS or not all(scales):
            return None
        gains, multiples = [Fraction(0)] * _TERMS, np.empty(ic, np.int64)
        bounds = [(0, 0)] * _TERMS
        for j, part in enumerate(parts):
            gains[j], multiples[part] = common_scale([scales[i] for i in part])
            bounds[j] = _range(row[part] * multiples[part][:, None, None], [ranges[group * ic + i] for i in part])
        gains = [g or gains[0] for g in gains]
        made = ordered_triple((gains[0], gains[1], gains[2]), (bounds[0], bounds[1], bounds[2]))
        if made is None:
            return None
        for j, part in enumerate(parts):
            factor = made[0].factors[made[1][j]]
            found[o, part] = row[part] * (multiples[part] * factor)[:, None, None]
            worth[o, part] = gains[j] / factor if factor else Fraction(0)
        orders.append(made[0])
    return found, worth, orders


def _commensurable(scales: list[Fraction]) -> list[list[int]]:
    """Places of numbers that are small multiples of a common one."""
    parts: list[list[int]] = []
    for i, s in enumerate(scales):
        for part in parts:
            if max(map(abs, common_scale([*(scales[k] for k in part), s])[1])) <= LARGEST_MULTIPLE:
                part.append(i)
                break
        else:
            parts.append([i])
    return parts


def _range(weights: Array, ranges: Sequence[Range]) -> Range:
    """Least and largest sum of weights (inputs, kh, kw) times codes of these ranges."""
    up, down = (np.maximum(sign * weights, 0).sum(axis=(1, 2)).tolist() for sign in (1, -1))
    terms = list(zip(up, down, ranges, strict=True))
    return sum(u * lo - d * hi for u, d, (lo, hi) in terms), sum(u * hi - d * lo for u, d, (lo, hi) in terms)
