"""Pooling and reductions of the model stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import ModelOp, check_axis, shown_shape, sized
from dfcompile.ir.modelop_linear import check_window, too_large
from dfcompile.ir.operators import REDUCE, window_counts


@dataclass(frozen=True)
class _Pool(ModelOp):
    """A window over one or two spatial axes of x[N, C, *S]; pads: begin of each axis, then end of each."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if len(x) not in (3, 4) or len(self.kernel) != len(x) - 2 or min(self.kernel) < 1:
            raise ValueError(f"a pooling window {shown_shape(self.kernel)} does not fit a tensor of shape {shown_shape(x)}")
        check_window(self.strides, self.pads, self.dilations, len(x) - 2)
        return (sized(*x[:2], *self.out(x[2:])),)

    def out(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Windows along each spatial axis; ValueError where none fits."""
        counts = window_counts(size, self.kernel, self.strides, self.pads, self.dilations, self.ceil_mode)
        if 0 in counts:
            raise ValueError(f"the window {too_large(self.kernel, self.pads, self.dilations, size)}")
        return counts


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Largest element of each window; padding never wins."""

    kind: ClassVar[str] = "max_pool"


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean of each window, over its elements inside x, or (count_include_pad) inside x and its padding."""

    count_include_pad: bool = False
    kind: ClassVar[str] = "average_pool"


@dataclass(frozen=True)
class Reduce(ModelOp):
    """A function of `REDUCE` over some axes, all after the batch axis."""

    fn: str
    axes: tuple[int, ...]
    keepdims: bool = True
    kind: ClassVar[str] = "reduce"

    def __post_init__(self) -> None:
        if self.fn not in REDUCE:
            raise ValueError(f"'{self.fn}' is not a known reduction")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0]
        if len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes {self.axes} repeat")
        for a in self.axes:
            check_axis(a, x)
        kept = [1 if i in self.axes else d for i, d in enumerate(x.shape) if self.keepdims or i not in self.axes]
        return (sized(*kept),)
