"""Operators of the integer stage that decide: arg-max, step functions by thresholds, any function by a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.blocks import MANY_PASSES, counts, largest
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop_base import Elementwise, IntOp, Range
from dfcompile.ir.types import BIPOLAR, IntType, exact_dtype


@dataclass(frozen=True)
class ArgMaxCode(IntOp):
    """Index of the largest code over the channels; the first (or last) of equals."""

    kind: ClassVar[str] = "arg_max"
    select_last: bool = False

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((*inputs[0].shape[:2], 1)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        index = x.shape[3] - 1 - np.argmax(x[..., ::-1], axis=3) if self.select_last else np.argmax(x, axis=3)
        return (index[..., None].astype(np.float64),)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        return np.zeros(1), np.full(1, len(operands[0][0]) - 1)

    def __str__(self) -> str:
        return "arg_max"


@dataclass(frozen=True)
class ThresholdCode(Elementwise):
    """Step function by thresholds: inputs x, thresholds (c or 1, 2**bits - 1) rising, flip (c or 1).

    The pattern is the count of thresholds not above x, complemented where flip is set; the code is the pattern
    read as `bits` bits offset by the type's lowest value (bipolar: 0 is -1).
    """

    kind: ClassVar[str] = "threshold"
    constants: ClassVar[int] = 2
    bits: int
    lowest: int
    step: int = 1

    @property
    def dtype(self) -> IntType:
        """Of its codes."""
        return BIPOLAR if self.step == 2 else IntType.holding(self.lowest, self.lowest + 2**self.bits - 1)

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        (x,), (thresholds, flip) = streams, constants
        rows, steps = thresholds.shape if thresholds.ndim == 2 else (0, 0)
        right = rows in (1, x.shape[2]) and 1 <= steps == 2 ** min(self.bits, 30) - 1 and flip.shape in ((1,), (x.shape[2],))
        return right and bool(np.all(np.diff(thresholds) >= 0))

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, thresholds, flip = inputs
        steps = thresholds.shape[1]
        out = np.empty(x.shape, exact_dtype(steps * self.step + abs(self.lowest)))
        if steps <= MANY_PASSES:
            counts(x.reshape(-1, x.shape[-1]), thresholds, out.reshape(-1, x.shape[-1]))
        else:
            for c, row in enumerate(np.broadcast_to(thresholds, (x.shape[-1], steps))):
                out[..., c] = np.searchsorted(row, x[..., c], side="right")
        falls = np.broadcast_to(flip, (x.shape[-1],))
        if falls.any():
            out[..., falls] = steps - out[..., falls]
        out *= self.step
        out += self.lowest
        return (out,)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        """What the ends give: between them a step function reaches nothing else."""
        first, second = (self.execute(end[None, None, None], *constants)[0][0, 0, 0] for end in operands[0])
        return np.minimum(first, second), np.maximum(first, second)

    def __str__(self) -> str:
        return f"threshold<bits={self.bits} lowest={self.lowest}>"


@dataclass(frozen=True)
class LookupCode(Elementwise):
    """Any function of a code by table: inputs x and table (c or 1, size); entry x - base."""

    kind: ClassVar[str] = "lookup"
    constants: ClassVar[int] = 1
    base: int

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        (x,), (table,) = streams, constants
        lo, hi = x.range
        return table.ndim == 2 and len(table) in (1, x.shape[2]) and bool(self.base <= lo.min() and hi.max() < self.base + table.shape[1])

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, table = inputs
        index = x.astype(np.int64) - self.base
        held = table.astype(exact_dtype(largest(table)))
        if len(table) == 1:
            return (np.take(held[0], index),)
        return (held[np.arange(x.shape[-1]), index],)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = (end.astype(np.int64) - self.base for end in operands[0])
        rows = np.broadcast_to(constants[0], (len(lo), constants[0].shape[1]))
        reached = [row[first : last + 1] for row, first, last in zip(rows, lo, hi, strict=True)]
        return np.array([r.min() for r in reached]), np.array([r.max() for r in reached])

    def __str__(self) -> str:
        return f"lookup<base={self.base}>"
