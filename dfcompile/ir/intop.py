"""Operators of the integer stage: integer codes on channels-last frames (height, width, channels).

Arrays are (n, h, w, c) of integers held in float32 where every partial sum stays below 2**24, else in float64, exact below
2**53; the range analysis refuses anything wider. Constants (weights, thresholds, tables) are inputs, as in ONNX, of any
integer dtype.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dfcompile.ir.blocks import CACHED, MANY_PASSES, UNFOLDED, counts, dense, depthwise, largest, reduced, row_blocks
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.types import exact_dtype

Pair = tuple[int, int]
Quad = tuple[int, int, int, int]


@dataclass(frozen=True)
class Window:
    """Geometry of a window that slides over a frame.

    pads are (top, left, bottom, right) around the stuffed picture and may be negative (cropping); `stuff` is the
    distance of neighbouring elements after zero-stuffing, (1, 1) for none.
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pads: Quad = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    stuff: Pair = (1, 1)

    @classmethod
    def check_fields(cls, values: Mapping[str, Any]) -> None:
        """ValueError for a window from outside without a size or with sizes that no frame has."""
        sizes = [n for k, v in values.items() if k != "pads" for n in v]
        if min(sizes) < 1 or max(sizes) > 2**28 or max(map(abs, values["pads"])) > 2**28:
            raise ValueError(f"there is no window of sizes {sizes} and pads {values['pads']}")

    def size(self, height: int, width: int) -> Pair:
        """Output height and width; ValueError when no window fits."""
        top, left, bottom, right = self.pads
        result = []
        for n, k, s, d, z, pad in zip(
            (height, width), self.kernel, self.stride, self.dilation, self.stuff, (top + bottom, left + right), strict=True
        ):
            free = (n - 1) * z + 1 + pad - (k - 1) * d - 1
            if free < 0:
                raise ValueError(f"a window of {self.kernel} does not fit into {height}x{width} with pads {self.pads}")
            result.append(free // s + 1)
        return result[0], result[1]

    @property
    def is_trivial(self) -> bool:
        """Whether the windows are the elements themselves, in order."""
        return self == Window()

    @property
    def has_pads(self) -> bool:
        return any(p > 0 for p in self.pads) or self.stuff != (1, 1)

    def __str__(self) -> str:
        parts = [f"kernel={self.kernel}"]
        plain = Window(self.kernel)
        parts += [f"{f}={getattr(self, f)}" for f in ("stride", "pads", "dilation", "stuff") if getattr(self, f) != getattr(plain, f)]
        return " ".join(parts)

    def view(self, x: Array, fill: float) -> Array:
        """Windows of a batch: (n, h, w, c) -> (n, oh, ow, c, kh, kw), without a copy when nothing is padded."""
        n, h, w, c = x.shape
        if self.stuff != (1, 1):
            stuffed = np.full((n, (h - 1) * self.stuff[0] + 1, (w - 1) * self.stuff[1] + 1, c), fill, x.dtype)
            stuffed[:, :: self.stuff[0], :: self.stuff[1]] = x
            x = stuffed
        top, left, bottom, right = self.pads
        x = x[:, max(-top, 0) : x.shape[1] - max(-bottom, 0), max(-left, 0) : x.shape[2] - max(-right, 0)]
        pads = [max(p, 0) for p in self.pads]
        if any(pads):
            x = np.pad(x, ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)), constant_values=fill)
        reach = ((self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1)
        windows = sliding_window_view(x, reach, axis=(1, 2))
        return windows[:, :: self.stride[0], :: self.stride[1], :, :: self.dilation[0], :: self.dilation[1]]


@dataclass(frozen=True)
class IntConv:
    """Convolution of codes: inputs x (h, w, c) and integer weights (oc, kh, kw, c / groups); no bias.

    pad_code: the code that stands for real 0. A matrix product is a 1x1 convolution.
    """

    kind: ClassVar[str] = "int_conv"
    window: Window = Window()
    groups: int = 1
    pad_code: int = 0

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, _ = inputs[0].shape
        return (Tensor((*self.window.size(h, w), inputs[1].shape[0])),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, weights = inputs
        oc, kh, kw, cg = weights.shape
        dtype = exact_dtype(self._bound(x, weights))
        view = self.window.view(x, self.pad_code)
        n, oh, ow = view.shape[:3]
        out = np.empty((n, oh, ow, oc), dtype)
        if cg == 1 and oc == self.groups:
            taps = weights.reshape(oc, kh, kw).astype(dtype)
            for rows in row_blocks(out.shape, ow * oc, CACHED):
                depthwise(view[rows], taps, out[rows])
            return (out,)
        matrices = weights.reshape(self.groups, oc // self.groups, -1).astype(dtype).transpose(0, 2, 1)
        for rows in row_blocks(out.shape, ow * self.groups * kh * kw * cg, UNFOLDED):
            dense(view[rows], matrices, out[rows])
        return (out,)

    def _bound(self, x: Array, weights: Array) -> int:
        """Largest magnitude of any partial sum of these products, and of any operand."""
        most = max(largest(x), abs(self.pad_code))
        return max(most, largest(weights), int(np.abs(weights).sum(axis=(1, 2, 3), dtype=np.float64).max()) * most)

    def __str__(self) -> str:
        return f"int_conv<{self.window} groups={self.groups} pad_code={self.pad_code}>"


@dataclass(frozen=True)
class IntPool:
    """Largest, smallest or sum of the codes in a window, per channel. Pads count as `pad_code` in a sum, not at all else."""

    kind: ClassVar[str] = "int_pool"
    mode: str
    window: Window
    pad_code: int = 0

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, c = inputs[0].shape
        return (Tensor((*self.window.size(h, w), c)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        fill = {"max": -math.inf, "min": math.inf, "sum": float(self.pad_code)}[self.mode]
        most = max(largest(x), abs(self.pad_code)) * (math.prod(self.window.kernel) if self.mode == "sum" else 1)
        view = self.window.view(x.astype(exact_dtype(most), copy=False), fill)
        join: np.ufunc = {"max": np.maximum, "min": np.minimum, "sum": np.add}[self.mode]
        out = np.empty(view.shape[:4], view.dtype)
        for rows in row_blocks(out.shape, math.prod(view.shape[2:4]), CACHED):
            reduced(join, view[rows], out[rows])
        return (out,)

    def __str__(self) -> str:
        return f"int_pool<{self.mode} {self.window}>"


@dataclass(frozen=True)
class IntPad:
    """Pads (positive) and crops (negative) with a code, and subsamples: a window of one element."""

    kind: ClassVar[str] = "int_pad"
    window: Window
    pad_code: int = 0

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, c = inputs[0].shape
        return (Tensor((*self.window.size(h, w), c)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.ascontiguousarray(self.window.view(inputs[0], self.pad_code)[..., 0, 0]),)

    def __str__(self) -> str:
        return f"int_pad<{self.window} pad_code={self.pad_code}>"


@dataclass(frozen=True)
class IntAdd:
    """factors[0] * a + factors[1] * b + offset."""

    kind: ClassVar[str] = "int_add"
    factors: Pair
    offset: int = 0

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        most = sum(max(abs(f), 1) * largest(x) for f, x in zip(self.factors, inputs, strict=True)) + abs(self.offset)
        a, b = (x.astype(exact_dtype(most), copy=False) for x in inputs)
        return (self.factors[0] * a + self.factors[1] * b + self.offset,)

    def __str__(self) -> str:
        return f"int_add<factors={self.factors} offset={self.offset}>"


@dataclass(frozen=True)
class IntMul:
    """Elementwise product of two streams of one shape."""

    kind: ClassVar[str] = "int_mul"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].astype(np.float64) * inputs[1],)

    def __str__(self) -> str:
        return "int_mul"


@dataclass(frozen=True)
class IntConcat:
    """Joins streams along the channels, position by position."""

    kind: ClassVar[str] = "int_concat"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, _ = inputs[0].shape
        return (Tensor((h, w, sum(t.shape[2] for t in inputs))),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.concatenate(inputs, axis=3),)

    def __str__(self) -> str:
        return "int_concat"


@dataclass(frozen=True)
class IntSlice:
    """A contiguous range of channels."""

    kind: ClassVar[str] = "int_slice"
    start: int
    stop: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((*inputs[0].shape[:2], self.stop - self.start)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0][..., self.start : self.stop],)

    def __str__(self) -> str:
        return f"int_slice<{self.start}:{self.stop}>"


@dataclass(frozen=True)
class IntUpsample:
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
class View:
    """The same stream seen as another (height, width, channels) of as many elements; no hardware."""

    kind: ClassVar[str] = "view"
    shape: tuple[int, int, int]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if math.prod(self.shape) != math.prod(inputs[0].shape):
            raise ValueError(f"{inputs[0].shape} cannot be seen as {self.shape}")
        return (Tensor(self.shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].reshape(-1, *self.shape),)

    def __str__(self) -> str:
        return f"view<{'x'.join(map(str, self.shape))}>"


@dataclass(frozen=True)
class ArgMaxCode:
    """Index of the largest code over the channels; the first (or last) of equals."""

    kind: ClassVar[str] = "arg_max"
    select_last: bool = False

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor((*inputs[0].shape[:2], 1)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        index = x.shape[3] - 1 - np.argmax(x[..., ::-1], axis=3) if self.select_last else np.argmax(x, axis=3)
        return (index[..., None].astype(np.float64),)

    def __str__(self) -> str:
        return "arg_max"


@dataclass(frozen=True)
class ThresholdCode:
    """Step function by thresholds: inputs x, thresholds (c or 1, 2**bits - 1) rising, flip (c or 1).

    The pattern is the count of thresholds not above x, complemented where flip is set; the code is the pattern
    read as `bits` bits offset by the type's lowest value (bipolar: 0 is -1).
    """

    kind: ClassVar[str] = "threshold"
    bits: int
    lowest: int
    step: int = 1

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

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

    def __str__(self) -> str:
        return f"threshold<bits={self.bits} lowest={self.lowest}>"


@dataclass(frozen=True)
class LookupCode:
    """Any function of a code by table: inputs x and table (c or 1, size); entry x - base."""

    kind: ClassVar[str] = "lookup"
    base: int

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, table = inputs
        index = x.astype(np.int64) - self.base
        held = table.astype(exact_dtype(largest(table)))
        if len(table) == 1:
            return (np.take(held[0], index),)
        return (held[np.arange(x.shape[-1]), index],)

    def __str__(self) -> str:
        return f"lookup<base={self.base}>"


INTEGER_OPS: tuple[Any, ...] = (
    IntConv,
    IntPool,
    IntPad,
    IntAdd,
    IntMul,
    IntConcat,
    IntSlice,
    IntUpsample,
    View,
    ArgMaxCode,
    ThresholdCode,
    LookupCode,
)
