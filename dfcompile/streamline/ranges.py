"""Proven ranges of integer tensors, per channel, from constant weights and the ranges of the operands."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dfcompile.ir.graph import Array, Node, Tensor
from dfcompile.ir.intop import (
    ArgMaxCode,
    IntAdd,
    IntConcat,
    IntConv,
    IntMul,
    IntPad,
    IntPool,
    IntSlice,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
)

Range = tuple[Array, Array]
_BLOCK = 2**20
"""Weights whose products are held at once."""


def output_ranges(node: Node, ranges: Mapping[str, Range], constants: Mapping[str, Array], tensors: Mapping[str, Tensor]) -> Range:
    """Lowest and highest value of each output channel, float64 beyond int64."""
    op = node.op
    operands = [ranges[t] for t in node.inputs if t in ranges]
    lo, hi = operands[0]
    if isinstance(op, IntConv):
        return conv_range(op, constants[node.inputs[1]], lo, hi)
    if isinstance(op, IntPool):
        if op.mode != "sum":
            return lo, hi
        size = op.window.kernel[0] * op.window.kernel[1]
        padded = op.window.has_pads
        return (np.minimum(lo, op.pad_code) if padded else lo) * size, (np.maximum(hi, op.pad_code) if padded else hi) * size
    if isinstance(op, IntPad):
        return (np.minimum(lo, op.pad_code), np.maximum(hi, op.pad_code)) if op.window.has_pads else (lo, hi)
    if isinstance(op, IntAdd):
        terms = [_product(np.array(f, np.float64), r) for f, r in zip(op.factors, operands, strict=True)]
        return terms[0][0] + terms[1][0] + op.offset, terms[0][1] + terms[1][1] + op.offset
    if isinstance(op, IntMul):
        corners = np.stack([a.astype(np.float64) * b for a in operands[0] for b in operands[1]])
        return corners.min(axis=0), corners.max(axis=0)
    if isinstance(op, IntConcat):
        return np.concatenate([r[0] for r in operands]), np.concatenate([r[1] for r in operands])
    if isinstance(op, IntSlice):
        return lo[op.start : op.stop], hi[op.start : op.stop]
    if isinstance(op, View):
        return _viewed(lo, op.shape[2], np.min), _viewed(hi, op.shape[2], np.max)
    if isinstance(op, ArgMaxCode):
        return np.zeros(1), np.full(1, len(lo) - 1)
    if isinstance(op, ThresholdCode | LookupCode):
        out = tensors[node.outputs[0]]
        assert out.lo is not None and out.hi is not None
        return out.lo, out.hi
    assert isinstance(op, IntUpsample)
    return lo, hi


def conv_range(op: IntConv, weights: Array, lo: Array, hi: Array) -> Range:
    """Range of each output of a convolution; a padded tap may be the pad code instead."""
    if op.window.has_pads:
        lo, hi = np.minimum(lo, op.pad_code), np.maximum(hi, op.pad_code)
    oc, _, _, ic = weights.shape
    per_group = oc // op.groups
    low, high = np.empty(oc), np.empty(oc)
    step = max(1, _BLOCK // math.prod(weights.shape[1:]))
    for group in range(op.groups):
        part = slice(group * ic, (group + 1) * ic)
        for first in range(group * per_group, (group + 1) * per_group, step):
            rows = slice(first, min(first + step, (group + 1) * per_group))
            w = weights[rows].astype(np.float64)
            a, b = w * lo[part], w * hi[part]
            low[rows], high[rows] = np.minimum(a, b).sum(axis=(1, 2, 3)), np.maximum(a, b).sum(axis=(1, 2, 3))
    return low, high


def _product(factor: Array, bounds: Range) -> Range:
    a, b = factor * bounds[0], factor * bounds[1]
    return np.minimum(a, b), np.maximum(a, b)


def _viewed(bound: Array, channels: int, reduce: object) -> Array:
    if channels % len(bound) == 0:
        return np.tile(bound, channels // len(bound))
    if len(bound) % channels == 0:
        return np.asarray(reduce(bound.reshape(-1, channels), axis=0))  # type: ignore[operator]
    return np.full(channels, reduce(bound))  # type: ignore[operator]
