"""Linear operators of the model stage: convolutions and matrix products."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dfcompile.ir.graph import Op, Tensor
from dfcompile.ir.modelop_base import ModelOp, broadcast_shape, shown_shape, sized
from dfcompile.ir.operators import full_size, window_counts


def check_window(strides: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...], spatial: int) -> None:
    """ValueError unless the attributes of a sliding window have `spatial` (pads: twice as many) entries in range."""
    if len(strides) != spatial or len(dilations) != spatial or len(pads) != 2 * spatial:
        raise ValueError(f"strides {strides}, pads {pads} and dilations {dilations} do not fit {spatial} spatial axes")
    if min(strides) < 1 or min(dilations) < 1:
        raise ValueError(f"strides {strides} and dilations {dilations} must be positive")
    if min(pads) < 0:
        raise ValueError(f"pads {pads} must not be negative")


def too_large(kernel: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...], size: tuple[int, ...]) -> str:
    """That a window of this size fits nowhere into an input, for messages."""
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    padded = tuple(n + pads[i] + pads[len(size) + i] for i, n in enumerate(size))
    spread = f", spread over {shown_shape(reach)}," if reach != kernel else ""
    return f"{shown_shape(kernel)}{spread} is larger than the {'padded ' if any(pads) else ''}input {shown_shape(padded)}"


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
        counts = window_counts(x[2:], w[2:], self.strides, self.pads, self.dilations)
        if 0 in counts:
            raise ValueError(f"the kernel {too_large(w[2:], self.pads, self.dilations, x[2:])}")
        return (sized(x[0], w[0], *counts),)


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
        full = full_size(x[2:], w[2:], self.strides, self.dilations, self.output_padding)
        cut = (n - self.pads[i] - self.pads[spatial + i] for i, n in enumerate(full))
        return (sized(x[0], w[1] * self.groups, *cut),)


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


def multiplications(op: Op, *shapes: tuple[int, ...]) -> int:
    """Multiplications of a frame in an operator; shapes: of its inputs, then of its outputs, batch axis first."""
    if isinstance(op, Conv):
        return math.prod(shapes[-1][1:]) * math.prod(shapes[1][1:])
    if isinstance(op, ConvTranspose):
        return math.prod(shapes[0][1:]) * math.prod(shapes[1][1:])
    return math.prod(shapes[-1][1:]) * shapes[0][-1] if isinstance(op, MatMul) else 0
