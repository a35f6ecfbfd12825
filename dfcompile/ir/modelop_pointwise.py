"""Operators of the model stage that work element by element or along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import ModelOp, broadcast_shape, check_axis, shown_shape, sized
from dfcompile.ir.operators import BINARY, UNARY


@dataclass(frozen=True)
class Unary(ModelOp):
    """A function of `UNARY` on each element; clip has alpha = lowest, beta = highest value (infinities allowed)."""

    fn: str
    alpha: float = 0.0
    beta: float = 0.0
    kind: ClassVar[str] = "unary"

    def __post_init__(self) -> None:
        if self.fn not in UNARY:
            raise ValueError(f"'{self.fn}' is not a known function of one number")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (sized(*inputs[0].shape),)


@dataclass(frozen=True)
class Binary(ModelOp):
    """A function of `BINARY` on each pair of elements, with numpy broadcasting; the slope of prelu is input 1."""

    fn: str
    kind: ClassVar[str] = "binary"

    def __post_init__(self) -> None:
        if self.fn not in BINARY:
            raise ValueError(f"'{self.fn}' is not a known function of two numbers")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (sized(*broadcast_shape(inputs[0].shape, inputs[1].shape)),)


@dataclass(frozen=True)
class BatchNorm(ModelOp):
    """``(x - mean) / sqrt(var + epsilon) * scale + bias`` of (x, scale, bias, mean, var) along channel axis 1."""

    epsilon: float = 1e-5
    kind: ClassVar[str] = "batch_norm"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if len(x) < 2:
            raise ValueError(f"batch normalization needs a channel axis, the input has shape {shown_shape(x)}")
        for name, p in zip(("scale", "bias", "mean", "variance"), inputs[1:], strict=True):
            if p.shape != (x[1],):
                raise ValueError(f"the {name} of a batch normalization has shape {shown_shape(p.shape)}, the input {x[1]} channels")
        return (sized(*x),)


@dataclass(frozen=True)
class MultiThreshold(ModelOp):
    """``out_scale * #{k : x >= thresholds[c, k]} + out_bias`` of (x, thresholds[C or 1, N]); channel axis 1 (FINN)."""

    out_scale: float = 1.0
    out_bias: float = 0.0
    kind: ClassVar[str] = "multi_threshold"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x, t = (i.shape for i in inputs)
        if len(x) < 2 or len(t) != 2 or t[0] not in (1, x[1]):
            raise ValueError(f"thresholds of shape {shown_shape(t)} do not fit a tensor of shape {shown_shape(x)}")
        return (sized(*x),)


@dataclass(frozen=True)
class Softmax(ModelOp):
    """exp(x) normalised to sum 1 along one axis."""

    axis: int
    kind: ClassVar[str] = "softmax"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        return (sized(*inputs[0].shape),)


@dataclass(frozen=True)
class Standardize(ModelOp):
    """x over sqrt(gain * M + epsilon), M the mean of squares over some axes; centred: x less its mean over them, and M of that."""

    axes: tuple[int, ...]
    centred: bool
    gain: float
    epsilon: float
    kind: ClassVar[str] = "standardize"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for a in self.axes:
            check_axis(a, inputs[0])
        return (sized(*inputs[0].shape),)


@dataclass(frozen=True)
class ArgMax(ModelOp):
    """Index of the largest element along an axis, as a real number; the first of equals, or the last (select_last)."""

    axis: int
    keepdims: bool = True
    select_last: bool = False
    kind: ClassVar[str] = "arg_max"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        x = list(inputs[0].shape)
        x[self.axis : self.axis + 1] = [1] if self.keepdims else []
        return (sized(*x),)


@dataclass(frozen=True)
class TopK(ModelOp):
    """The k largest (or smallest) elements along an axis in order, and their indices; of equals the first comes first."""

    k: int
    axis: int
    largest: bool = True
    kind: ClassVar[str] = "top_k"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        x = list(inputs[0].shape)
        if not 1 <= self.k <= x[self.axis]:
            raise ValueError(f"cannot take the top {self.k} of {x[self.axis]} elements")
        x[self.axis] = self.k
        return (sized(*x), sized(*x))
