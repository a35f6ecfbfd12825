"""Product of two streams as matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.blocks import largest
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop_base import IntOp, Pair, Range
from dfcompile.ir.types import exact_dtype, exactly


@dataclass(frozen=True)
class IntMatMul(IntOp):
    """Each row of the first stream times a matrix of the second one, which has one for each head: rows (h, w, k) -> (h, w, n).

    A row is the channels of a position. Row r of either stream, in its order, is of head r // run % heads; what a head has of the second
    stream is its matrix (k, n), or where `transposed` (n, k), row by row.

    shape: (k, n); runs: rows of one head one after the other, in the first and in the second stream
    """

    kind: ClassVar[str] = "int_matmul"
    streams: ClassVar[range] = range(2, 3)
    side_by_side: ClassVar[bool] = False
    shape: Pair
    heads: int = 1
    runs: Pair = (1, 1)
    transposed: bool = False

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        if min(*self.shape, self.heads, *self.runs) < 1:
            return False
        (h, w, depth), (height, width, inner) = (t.shape for t in streams)
        outer = self.shape[1] if self.transposed else self.shape[0]
        whole = h * w % (self.heads * self.runs[0]) == 0 and outer % self.runs[1] == 0 and height * width == self.heads * outer
        return whole and depth == self.shape[0] and inner == self.shape[0 if self.transposed else 1]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if not self.fits(inputs, ()):
            raise ValueError(f"{inputs[1]} holds no matrices for the rows of {inputs[0]}")
        return (Tensor((*inputs[0].shape[:2], self.shape[1])),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        most = inputs[0].shape[3] * largest(inputs[0]) * largest(inputs[1])
        a, b = (x.astype(exact_dtype(most), copy=False) for x in inputs)
        n, (h, w) = max(len(a), len(b)), a.shape[1:3]  # one of them may be the same in all frames
        rows, matrices = (self._by_head(x, run) for x, run in zip((a, b), self.runs, strict=True))
        found = rows @ (matrices.swapaxes(2, 3) if self.transposed else matrices)
        blocks = found.reshape(n, self.heads, -1, self.runs[0], found.shape[3])
        return (np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(n, h, w, -1),)

    def _by_head(self, x: Array, run: int) -> Array:
        """Rows of a batch (n, h, w, c) by their heads: (n, heads, rows, c)."""
        n, _, _, c = x.shape
        return x.reshape(n, -1, self.heads, run, c).swapaxes(1, 2).reshape(n, self.heads, -1, c)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        k, n = self.shape
        sides = ((k, 1), (k, 1) if self.transposed else (1, n))  # term and column that a channel of either stream is
        most = k * math.prod(max(1.0, float(largest(np.stack(pair)))) for pair in operands)
        ends = [
            [np.broadcast_to(x, (max(side),)).reshape(side) for x in exactly(most, *pair)]
            for pair, side in zip(operands, sides, strict=True)
        ]
        corners = [np.broadcast_to(p * q, (k, n)) for p in ends[0] for q in ends[1]]
        return np.min(corners, axis=0).sum(axis=0), np.max(corners, axis=0).sum(axis=0)

    def __str__(self) -> str:
        return f"int_matmul<{self.shape} heads={self.heads} runs={self.runs}{' transposed' if self.transposed else ''}>"
