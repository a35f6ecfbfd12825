"""Operators of the integer stage that slide a window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.blocks import CACHED, UNFOLDED, dense, depthwise, largest, reduced, row_blocks
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop_base import IntOp, Range, Window
from dfcompile.ir.types import exact_dtype, exactly

_BLOCK = 2**20
"""Weights whose products are held at once."""


@dataclass(frozen=True)
class IntConv(IntOp):
    """Convolution of codes: inputs x (h, w, c) and integer weights (oc, kh, kw, c / groups); no bias.

    pad_code: the code that stands for real 0. A matrix product is a 1x1 convolution.
    """

    kind: ClassVar[str] = "int_conv"
    constants: ClassVar[int] = 1
    window: Window = Window()
    groups: int = 1
    pad_code: int = 0

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        (x,), (weights,) = streams, constants
        if weights.ndim != 4 or weights.shape[1:3] != self.window.kernel:
            return False
        outputs, inputs = weights.shape[0], weights.shape[3]
        return bool(inputs * self.groups == x.shape[2] and outputs % self.groups == 0)

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

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = self.window.widened(operands[0], self.pad_code)  # a padded tap may be the pad code instead
        weights = constants[0]
        oc, _, _, ic = weights.shape
        per_group = oc // self.groups
        lo, hi = exactly(self._bound(np.stack([lo, hi]), weights), lo, hi)
        low, high = np.empty(oc, lo.dtype), np.empty(oc, lo.dtype)
        step = max(1, _BLOCK // math.prod(weights.shape[1:]))
        for group in range(self.groups):
            part = slice(group * ic, (group + 1) * ic)
            for first in range(group * per_group, (group + 1) * per_group, step):
                rows = slice(first, min(first + step, (group + 1) * per_group))
                w = weights[rows].astype(lo.dtype)
                a, b = w * lo[part], w * hi[part]
                low[rows], high[rows] = np.minimum(a, b).sum(axis=(1, 2, 3)), np.maximum(a, b).sum(axis=(1, 2, 3))
        return low, high

    def __str__(self) -> str:
        return f"int_conv<{self.window} groups={self.groups} pad_code={self.pad_code}>"


class _ByChannel(IntOp):
    """A code for each channel and place of its window."""

    window: Window

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, c = inputs[0].shape
        return (Tensor((*self.window.size(h, w), c)),)


@dataclass(frozen=True)
class IntPool(_ByChannel):
    """Largest, smallest or sum of the codes in a window, per channel. Pads count as `pad_code` in a sum, not at all else."""

    kind: ClassVar[str] = "int_pool"
    mode: str
    window: Window
    pad_code: int = 0

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        most = max(largest(x), abs(self.pad_code)) * (math.prod(self.window.kernel) if self.mode == "sum" else 1)
        fill = {"max": -most - 1, "min": most + 1, "sum": self.pad_code}[self.mode]
        view = self.window.view(x.astype(exact_dtype(most + 1), copy=False), fill)
        join: np.ufunc = {"max": np.maximum, "min": np.minimum, "sum": np.add}[self.mode]
        out = np.empty(view.shape[:4], view.dtype)
        for rows in row_blocks(out.shape, math.prod(view.shape[2:4]), CACHED):
            reduced(join, view[rows], out[rows])
        return (out,)

    @property
    def keeps_bipolar(self) -> bool:
        return self.mode != "sum"

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        if self.mode != "sum":
            return operands[0]
        lo, hi = self.window.widened(operands[0], self.pad_code)
        size = math.prod(self.window.kernel)
        low, high = exactly(size * float(largest(np.stack([lo, hi]))), lo, hi)
        return low * size, high * size

    def __str__(self) -> str:
        return f"int_pool<{self.mode} {self.window}>"


@dataclass(frozen=True)
class IntPad(_ByChannel):
    """Pads (positive) and crops (negative) with a code, and subsamples: a window of one element."""

    kind: ClassVar[str] = "int_pad"
    window: Window
    pad_code: int = 0

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.ascontiguousarray(self.window.view(inputs[0], self.pad_code)[..., 0, 0]),)

    @property
    def keeps_bipolar(self) -> bool:
        return not self.window.has_pads

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        return self.window.widened(operands[0], self.pad_code)

    def __str__(self) -> str:
        return f"int_pad<{self.window} pad_code={self.pad_code}>"


@dataclass(frozen=True)
class IntUnfold(IntOp):
    """The elements of each window side by side: (h, w, c) -> (oh, ow, kh * kw * c), rows of the window first, then columns, then channels.

    The window has no pads.
    """

    kind: ClassVar[str] = "int_unfold"
    window: Window

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        h, w, c = inputs[0].shape
        return (Tensor((*self.window.size(h, w), math.prod(self.window.kernel) * c)),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        view = self.window.view(inputs[0], 0.0).transpose(0, 1, 2, 4, 5, 3)
        return (view.reshape(*view.shape[:3], -1),)

    @property
    def keeps_bipolar(self) -> bool:
        return True

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        lo, hi = (np.tile(b, math.prod(self.window.kernel)) for b in operands[0])
        return lo, hi

    def __str__(self) -> str:
        return f"int_unfold<{self.window}>"
