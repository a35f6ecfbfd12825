"""Linear operators of the model stage: convolutions and matrix products."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dfcompile.ir.graph import Op, Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, broadcast_shape, shown_shape, sized

_UNFOLDED = 2**24
"""Elements of unfolded windows held at once."""


def check_window(strides: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...], spatial: int) -> None:
    """ValueError unless the attributes of a sliding window have `spatial` (pads: twice as many) entries in range."""
    if len(strides) != spatial or len(dilations) != spatial or len(pads) != 2 * spatial:
        raise ValueError(f"strides {strides}, pads {pads} and dilations {dilations} do not fit {spatial} spatial axes")
    if min(strides) < 1 or min(dilations) < 1:
        raise ValueError(f"strides {strides} and dilations {dilations} must be positive")
    if min(pads) < 0:
        raise ValueError(f"pads {pads} must not be negative")


def tap(x: Array, offset: tuple[int, ...], strides: tuple[int, ...], count: tuple[int, ...]) -> Array:
    """The elements of x (batch, channel, *spatial) under one kernel position of every window."""
    steps = (slice(o, o + s * (n - 1) + 1, s) for o, s, n in zip(offset, strides, count, strict=True))
    return x[(slice(None), slice(None), *steps)]


def at(weights: Array, position: tuple[int, ...]) -> Array:
    """The slice of the weights at one kernel position (the last axes)."""
    place: tuple[Any, ...] = (..., *position)
    return np.ascontiguousarray(weights[place])  # BLAS takes contiguous matrices only


def _check_operands(x: tuple[int, ...], w: tuple[int, ...], channels_in: int, groups: int) -> int:
    """Number of spatial axes."""
    if len(x) not in (3, 4) or len(w) != len(x):
        raise ValueError(
            f"input {shown_shape(x)} and weights {shown_shape(w)} do not fit: convolutions have 1 or 2 spatial axes, weights the same rank"
        )
    if groups < 1 or x[1] != channels_in or channels_in % groups:
        raise ValueError(f"input {shown_shape(x)} and weights {shown_shape(w)} do not fit with {groups} groups")
    return len(x) - 2


@dataclass(frozen=True)
class Conv(ModelOp):
    """Convolution without bias of (x[N, I, *S], w[O, I / groups, *K]); one or two spatial axes.

    pads: begin of each spatial axis, then end of each
    """

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    kind: ClassVar[str] = "conv"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x, w = (t.shape for t in inputs)
        spatial = _check_operands(x, w, w[1] * self.groups if len(w) > 1 else 0, self.groups)
        if w[0] % self.groups:
            raise ValueError(f"{w[0]} output channels are not a multiple of {self.groups} groups")
        check_window(self.strides, self.pads, self.dilations, spatial)
        return (sized(x[0], w[0], *self._out(x[2:], w[2:])),)

    def _out(self, size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        n = len(size)
        out = []
        for i in range(n):
            room = size[i] + self.pads[i] + self.pads[n + i] - self.dilations[i] * (kernel[i] - 1) - 1
            if room < 0:
                raise ValueError(f"the kernel {shown_shape(kernel)} is larger than the padded input {shown_shape(size)}")
            out.append(room // self.strides[i] + 1)
        return tuple(out)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, w = inputs
        n = w.ndim - 2
        count = self._out(x.shape[2:], w.shape[2:])
        x = np.pad(x, [(0, 0), (0, 0), *((self.pads[i], self.pads[n + i]) for i in range(n))])
        out = np.empty((x.shape[0], w.shape[0], math.prod(count)), np.result_type(x, w))
        step = max(1, _UNFOLDED // (x.shape[1] * math.prod(w.shape[2:]) * math.prod(count)))
        for i in range(0, x.shape[0], step):
            out[i : i + step] = self._unfolded(x[i : i + step], w, count)
        return (out.reshape(x.shape[0], w.shape[0], *count),)

    def _unfolded(self, x: Array, w: Array, count: tuple[int, ...]) -> Array:
        """Convolution of a padded input as one matrix product for each batch item and group."""
        g = self.groups
        grouped = (x.shape[0], g, w.shape[1], math.prod(count))
        places = list(itertools.product(*map(range, w.shape[2:])))
        columns = np.empty((*grouped[:3], len(places), grouped[3]), np.result_type(x, w))
        for i, k in enumerate(places):
            offset = tuple(p * d for p, d in zip(k, self.dilations, strict=True))
            columns[..., i, :] = tap(x, offset, self.strides, count).reshape(grouped)
        matrix = w.reshape(g, w.shape[0] // g, -1)
        product: Array = np.matmul(matrix, columns.reshape(x.shape[0], g, -1, grouped[3]))
        return np.asarray(product.reshape(x.shape[0], w.shape[0], -1))


@dataclass(frozen=True)
class ConvTranspose(ModelOp):
    """Transposed convolution without bias of (x[N, I, *S], w[I, O / groups, *K]); one or two spatial axes."""

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int = 1
    kind: ClassVar[str] = "conv_transpose"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x, w = (t.shape for t in inputs)
        spatial = _check_operands(x, w, w[0] if w else 0, self.groups)
        check_window(self.strides, self.pads, self.dilations, spatial)
        if len(self.output_padding) != spatial or min(self.output_padding) < 0:
            raise ValueError(f"output padding {self.output_padding} does not fit {spatial} spatial axes")
        return (sized(x[0], w[1] * self.groups, *self._out(x[2:], w[2:])),)

    def _full(self, size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """Size before the pads are cut off."""
        rows = zip(size, self.strides, self.dilations, kernel, self.output_padding, strict=True)
        return tuple((s - 1) * stride + d * (k - 1) + 1 + extra for s, stride, d, k, extra in rows)

    def _out(self, size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        n = len(size)
        return tuple(f - self.pads[i] - self.pads[n + i] for i, f in enumerate(self._full(size, kernel)))

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, w = inputs
        g, batch, size = self.groups, x.shape[0], x.shape[2:]
        out = np.zeros((batch, g * w.shape[1], *self._full(size, w.shape[2:])), np.result_type(x, w))
        grouped = x.reshape(batch, g, x.shape[1] // g, -1)
        weights = w.reshape(g, w.shape[0] // g, *w.shape[1:])
        for k in itertools.product(*map(range, w.shape[2:])):
            offset = tuple(i * d for i, d in zip(k, self.dilations, strict=True))
            product = np.matmul(np.swapaxes(at(weights, k), 1, 2), grouped)
            tap(out, offset, self.strides, size)[...] += product.reshape(batch, -1, *size)
        keep = (slice(b, b + n) for b, n in zip(self.pads, self._out(size, w.shape[2:]), strict=False))
        return (out[(slice(None), slice(None), *keep)],)


@dataclass(frozen=True)
class MatMul(ModelOp):
    """Matrix product of (x, w) with numpy semantics; either may be constant."""

    kind: ClassVar[str] = "matmul"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        a, b = (t.shape for t in inputs)
        if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
            raise ValueError(f"matrices of shapes {shown_shape(a)} and {shown_shape(b)} do not multiply")
        rows = a[-2:-1] if len(a) > 1 else ()
        columns = b[-1:] if len(b) > 1 else ()
        return (sized(*broadcast_shape(a[:-2], b[:-2]), *rows, *columns),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.matmul(inputs[0], inputs[1]),)


def multiplications(op: Op, *shapes: tuple[int, ...]) -> int:
    """Multiplications of a frame in an operator; shapes: of its inputs, then of its outputs, batch axis first."""
    if isinstance(op, Conv):
        return math.prod(shapes[-1][1:]) * math.prod(shapes[1][1:])
    if isinstance(op, ConvTranspose):
        return math.prod(shapes[0][1:]) * math.prod(shapes[1][1:])
    return math.prod(shapes[-1][1:]) * shapes[0][-1] if isinstance(op, MatMul) else 0
