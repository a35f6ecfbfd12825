"""Operators of the integer stage that join, move and cut streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.blocks import largest
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop_base import Elementwise, IntOp, Pair, Range
from dfcompile.ir.types import exact_dtype, exactly


@dataclass(frozen=True)
class IntAdd(Elementwise):
    """factors[0] * a + factors[1] * b + offset."""

    kind: ClassVar[str] = "int_add"
    streams: ClassVar[range] = range(2, 3)
    factors: Pair
    offset: int = 0

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        return streams[0].shape == streams[1].shape

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        most = sum(max(abs(f), 1) * largest(x) for f, x in zip(self.factors, inputs, strict=True)) + abs(self.offset)
        a, b = (x.astype(exact_dtype(most), copy=False) for x in inputs)
        return (self.factors[0] * a + self.factors[1] * b + self.offset,)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        most = sum(abs(f) * float(largest(np.stack(pair))) for f, pair in zip(self.factors, operands, strict=True)) + abs(self.offset)
        exact = [exactly(most, *pair) for pair in operands]
        ends = [(f * lo, f * hi) for f, (lo, hi) in zip(self.factors, exact, strict=True)]
        (a, b), (c, d) = ((np.minimum(x, y), np.maximum(x, y)) for x, y in ends)
        return a + c + self.offset, b + d + self.offset

    def __str__(self) -> str:
        return f"int_add<factors={self.factors} offset={self.offset}>"


@dataclass(frozen=True)
class IntMul(Elementwise):
    """Elementwise product of two streams of one shape."""

    kind: ClassVar[str] = "int_mul"
    streams: ClassVar[range] = range(2, 3)

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        return streams[0].shape == streams[1].shape

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        a, b = (x.astype(exact_dtype(max(1 << 24, math.ceil(_products(*inputs)))), copy=False) for x in inputs)
        return (a * b,)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        most = _products(*map(np.stack, operands))
        corners = np.stack([np.multiply(*exactly(most, a, b)) for a in operands[0] for b in operands[1]])
        return corners.min(axis=0), corners.max(axis=0)

    def __str__(self) -> str:
        return "int_mul"


class _Moving(IntOp):
    """What only moves codes, those of a channel in it unless it says otherwise."""

    @property
    def keeps_bipolar(self) -> bool:
        return True

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        return operands[0]


@dataclass(frozen=True)
class IntConcat(_Moving):
    """Joins streams along the channels, position by position."""

    kind: ClassVar[str] = "int_concat"
    streams: ClassVar[range] = range(1, 10_000)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, _ = inputs[0].shape
        return (Tensor((h, w, sum(t.shape[2] for t in inputs))),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.concatenate(inputs, axis=3),)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        return np.concatenate([lo for lo, _ in operands]), np.concatenate([hi for _, hi in operands])

    def __str__(self) -> str:
        return "int_concat"


@dataclass(frozen=True)
class IntSlice(_Moving):
    """A contiguous range of channels."""

    kind: ClassVar[str] = "int_slice"
    start: int
    stop: int

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        return 0 <= self.start < self.stop <= streams[0].shape[2]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((*inputs[0].shape[:2], self.stop - self.start)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0][..., self.start : self.stop],)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = operands[0]
        return lo[self.start : self.stop], hi[self.start : self.stop]

    def __str__(self) -> str:
        return f"int_slice<{self.start}:{self.stop}>"


@dataclass(frozen=True)
class IntUpsample(_Moving):
    """Repeats every row and column by integer factors (nearest neighbour)."""

    kind: ClassVar[str] = "int_upsample"
    factors: Pair

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, c = inputs[0].shape
        return (Tensor((h * self.factors[0], w * self.factors[1], c)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2),)

    def __str__(self) -> str:
        return f"int_upsample<{self.factors}>"


@dataclass(frozen=True)
class View(_Moving):
    """The same stream seen as another (height, width, channels) of as many elements; no hardware."""

    kind: ClassVar[str] = "view"
    shape: tuple[int, int, int]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if math.prod(self.shape) != math.prod(inputs[0].shape):
            raise ValueError(f"{inputs[0].shape} cannot be seen as {self.shape}")
        return (Tensor(self.shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].reshape(-1, *self.shape),)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = operands[0]
        return _viewed(lo, self.shape[2], np.minimum), _viewed(hi, self.shape[2], np.maximum)

    def __str__(self) -> str:
        return f"view<{'x'.join(map(str, self.shape))}>"


@dataclass(frozen=True)
class IntTakeStep(_Moving):
    """Pixel 0 of a row of pixels: the first step of a sequence (see `TakeStep`)."""

    kind: ClassVar[str] = "int_take_step"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((1, 1, inputs[0].shape[2])),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0][:, :1, :1],)

    def __str__(self) -> str:
        return "int_take_step"


@dataclass(frozen=True)
class IntCollectSteps(_Moving):
    """A row of `count` pixels, all of them like the one given: a sequence of like steps (see `CollectSteps`)."""

    kind: ClassVar[str] = "int_collect_steps"
    count: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((1, self.count, inputs[0].shape[2])),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].repeat(self.count, axis=2),)

    def __str__(self) -> str:
        return f"int_collect_steps<{self.count}>"


@dataclass(frozen=True)
class IntDelay(IntOp):
    """Each pixel of a row moved on by one; the first is `first_code` in all channels, or with `keep` the last one of the frame before."""

    kind: ClassVar[str] = "int_delay"
    first_code: int
    keep: bool = False

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        return streams[0].shape[0] == 1

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        moved = np.roll(inputs[0], 1, axis=2)
        before = moved[:-1, :, 0].copy()
        moved[:, :, 0] = self.first_code
        if self.keep:
            moved[1:, :, 0] = before
        return (moved,)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = operands[0]
        return np.minimum(lo, self.first_code), np.maximum(hi, self.first_code)

    def __str__(self) -> str:
        return f"int_delay<{self.first_code}{', keep' if self.keep else ''}>"


def _products(a: Array, b: Array) -> float:
    """The largest magnitude of a product, and of either."""
    return max(1.0, float(largest(a))) * max(1.0, float(largest(b)))


def _viewed(bound: Array, channels: int, wider: np.ufunc) -> Array:
    """A bound for each of another number of channels."""
    if channels % len(bound) == 0:
        return np.tile(bound, channels // len(bound))
    if len(bound) % channels == 0:
        return np.asarray(wider.reduce(bound.reshape(-1, channels), axis=0))
    return np.full(channels, wider.reduce(bound))
