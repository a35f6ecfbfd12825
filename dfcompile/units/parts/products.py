"""Sums of products by constants in numpy: matrix products of BLAS, or counts of common bits where operands have few.

An operand of few values is lo + step * (sum of 2**i * bit_i). A sum of products over k columns is then

    sum(x * w) = k * lo_x * lo_w + lo_x * sum(w - lo_w) + lo_w * sum(x - lo_x) + sum((x - lo_x) * (w - lo_w))

whose last two terms are counts of ones: of the planes of x, and of what a plane of x has in common with one of w. 64 columns are
a word. Binary operands take one count a word, which is some five times as fast as a product of float32 matrices; those of two bits
take four.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dfcompile.ir.types import IntType, exact_dtype
from dfcompile.jit import compiled, popcount
from dfcompile.units.base import Array
from dfcompile.units.parts.arithmetic import sum_bound
from dfcompile.units.parts.thresholding import Thresholding

_BLOCK = 1 << 17  # sums computed at once: they stay in the second-level cache
_MOST_PAIRS = 4  # of planes, of columns in full words, up to which counting is not slower than multiplying


@compiled
def _count(x: Array, ones: Array, w: Array, shifts: Array, constant: Array, out: Array) -> None:
    """out[m, c] = constant[c] + sum_i ones[i] * |x[m, i]| + sum_ij |x[m, i] & w[j, :, c]| << shifts[i, j]; | | counts bits.

    x: (rows, planes, words); w: (planes, words, channels)
    """
    rows, planes, words = x.shape
    others, _, channels = w.shape
    for m in range(rows):
        total = np.int32(0)
        for i in range(planes):
            for k in range(words):
                total += ones[i] * np.int32(popcount(x[m, i, k]))
        for c in range(channels):
            out[m, c] = constant[c] + total
        for i in range(planes):
            for j in range(others):
                shift = shifts[i, j]
                for k in range(words):
                    word = x[m, i, k]
                    for c in range(channels):
                        out[m, c] += np.int32(popcount(word & w[j, k, c])) << shift


@dataclass(frozen=True)
class Planes:
    """Values lo, lo + step, ... as bits: value = lo + step * (sum of 2**i * bit_i); step is 1 or 2."""

    lo: int
    step: int
    count: int

    @staticmethod
    def of(lo: int, hi: int, step: int) -> Planes:
        """Those of the values lo, lo + step, ..., hi."""
        return Planes(lo, step, max(1, ((hi - lo) // step).bit_length()))

    def weights(self) -> list[int]:
        """What a one of each plane is worth."""
        return [self.step << i for i in range(self.count)]

    def pack(self, values: Array) -> Array:
        """(rows, columns) -> (rows, planes, words) of uint64; columns that fill the last word are zeros."""
        rows, columns = values.shape
        above = np.subtract(values, values.dtype.type(self.lo)).astype(np.uint8)
        out = np.zeros((rows, self.count, -(-columns // 64) * 8), np.uint8)
        for i, worth in enumerate(self.weights()):
            out[:, i, : -(-columns // 8)] = np.packbits(above & np.uint8(worth), axis=1)
        return out.view(np.uint64)


@dataclass(frozen=True, eq=False)
class _Counts:
    """Products of one group by counting. weights: (mw, mh)."""

    weights: Array
    x: Planes
    w: Planes

    @cached_property
    def constants(self) -> tuple[Array, Array, Array, Array]:
        """Of `_count`: ones, w, shifts, constant."""
        worth_x, worth_w = self.x.weights(), self.w.weights()
        ones = np.array([self.w.lo * worth for worth in worth_x], np.int32)
        shifts = np.array([[(a * b).bit_length() - 1 for b in worth_w] for a in worth_x], np.int32)
        # lo_x (k lo_w + sum(w - lo_w)) is lo_x times the sum of the weights.
        constant = (self.x.lo * self.weights.sum(axis=0)).astype(np.int32)
        return ones, np.ascontiguousarray(self.w.pack(self.weights.T.astype(np.int64)).transpose(1, 2, 0)), shifts, constant

    def into(self, x: Array, out: Array) -> None:
        """Sums of x (rows, mw) into out (rows, mh)."""
        _count(self.x.pack(x), *self.constants, out)


@dataclass(frozen=True, eq=False)
class Products:
    """What a matrix unit computes.

    weights:  (groups, mh, mw)
    x:        type of the inputs
    counting: thresholds of the groups * mh sums, or None
    """

    weights: Array
    x: IntType
    counting: Thresholding | None

    @cached_property
    def _counts(self) -> list[_Counts]:
        """One a group, where counting is faster; else none."""
        lo, hi = int(self.weights.min()), int(self.weights.max())
        steps = self.weights.astype(np.int64) - lo
        w = Planes.of(lo, hi, 2 if not np.any(steps & 1) else 1)
        x = Planes.of(self.x.lo, self.x.hi, 2 if self.x.bipolar else 1)
        columns = self.weights.shape[2]
        if x.count * w.count * -(-columns // 64) * 64 > _MOST_PAIRS * columns or sum_bound(self.weights, self.x) >= 1 << 31:
            return []
        return [_Counts(group.T, x, w) for group in self.weights]

    @cached_property
    def _matrices(self) -> Array:
        """(groups, mw, mh) in the dtype that makes the products exact."""
        return np.ascontiguousarray(self.weights.transpose(0, 2, 1).astype(exact_dtype(sum_bound(self.weights, self.x))))

    def frames(self, x: Array) -> Array:
        """Inputs (rows, groups * mw) -> codes or sums (rows, groups * mh)."""
        groups, mh, mw = self.weights.shape
        x = x.reshape(-1, groups, mw)
        dtype: np.dtype[Any] = np.dtype(np.int32) if self._counts else self._matrices.dtype
        made = np.empty((len(x), groups * mh), self.counting.code_dtype if self.counting else dtype)
        block = max(1, _BLOCK // (groups * mh))
        sums = np.empty((min(block, len(x)), groups * mh), dtype) if self.counting else made
        for first in range(0, len(x), block):
            part = x[first : first + block]
            acc = sums[: len(part)] if self.counting else made[first : first + block]
            self._into(part, acc)
            if self.counting:
                self.counting.codes_into(acc, made[first : first + block])
        return made

    def _into(self, x: Array, out: Array) -> None:
        """Sums of x (rows, groups, mw) into out (rows, groups * mh)."""
        groups, mh, _ = self.weights.shape
        by_group = out.reshape(len(x), groups, mh).transpose(1, 0, 2)
        if self._counts:
            for g, counts in enumerate(self._counts):
                counts.into(x[:, g], by_group[g])
        else:
            x = x.astype(self._matrices.dtype, copy=False)
            np.matmul(x.transpose(1, 0, 2), self._matrices, out=by_group)
