"""Operators of the model stage that work element by element or along one axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, broadcast_shape, check_axis, shown_shape, sized


def _special(name: str, x: Array) -> Array:
    """A function of scipy.special, which takes long to load and few models need."""
    from scipy import special  # type: ignore[import-untyped,unused-ignore]

    return np.asarray(getattr(special, name)(x))


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, x))


def _elu(x: Array, alpha: float) -> Array:
    return np.asarray(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


UNARY: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda x, a, b: np.maximum(x, 0.0),
    "clip": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "elu": lambda x, a, b: _elu(x, a),
    "selu": lambda x, a, b: b * _elu(x, a),
    "celu": lambda x, a, b: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
    "sigmoid": lambda x, a, b: _special("expit", x),
    "tanh": lambda x, a, b: np.tanh(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0.0, 1.0),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6 + 0.5, 0.0, 1.0),
    "softplus": lambda x, a, b: _softplus(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "erf": lambda x, a, b: _special("erf", x),
    "gelu": lambda x, a, b: 0.5 * x * (1 + _special("erf", x / np.sqrt(2.0))),
    "gelu_tanh": lambda x, a, b: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x, a, b: x * _special("expit", x),
    "swish": lambda x, a, b: x * _special("expit", a * x),
    "mish": lambda x, a, b: x * np.tanh(_softplus(x)),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, 0.0),
    "shrink": lambda x, a, b: np.where(x < -b, x + a, np.where(x > b, x - a, 0.0)),
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "trunc": lambda x, a, b: np.trunc(x),
    "reciprocal": lambda x, a, b: 1.0 / x,
    "sin": lambda x, a, b: np.sin(x),
    "cos": lambda x, a, b: np.cos(x),
    "atan": lambda x, a, b: np.arctan(x),
    "sinh": lambda x, a, b: np.sinh(x),
    "cosh": lambda x, a, b: np.cosh(x),
    "asinh": lambda x, a, b: np.arcsinh(x),
}
"""Functions of one real number x and up to two parameters (alpha, beta), by name."""

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
    "prelu": lambda x, slope: np.where(x >= 0, x, slope * x),
}
"""Functions of two real numbers, by name."""


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):  # infinities and NaN are results here, as in ONNX
            return (np.asarray(UNARY[self.fn](inputs[0], self.alpha, self.beta)),)


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return (np.asarray(BINARY[self.fn](inputs[0], inputs[1])),)


def per_channel(values: Array, rank: int) -> Array:
    """A vector over channels reshaped to broadcast along axis 1 of a tensor of this rank."""
    return values.reshape((-1,) + (1,) * (rank - 2))


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        scale, bias, mean, var = (per_channel(p, x.ndim) for p in inputs[1:])
        return (np.asarray((x - mean) / np.sqrt(var + self.epsilon) * scale + bias),)


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, thresholds = inputs
        count = np.zeros(x.shape)
        for column in thresholds.T:
            count += x >= per_channel(column, x.ndim)
        return (np.asarray(self.out_scale * count + self.out_bias),)


@dataclass(frozen=True)
class Softmax(ModelOp):
    """exp(x) normalised to sum 1 along one axis."""

    axis: int
    kind: ClassVar[str] = "softmax"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        return (sized(*inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        powers = np.exp(inputs[0] - inputs[0].max(self.axis, keepdims=True))
        return (np.asarray(powers / powers.sum(self.axis, keepdims=True)),)


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        if self.select_last:
            found = x.shape[self.axis] - 1 - np.argmax(np.flip(x, self.axis), self.axis, keepdims=self.keepdims)
        else:
            found = np.argmax(x, self.axis, keepdims=self.keepdims)
        return (np.asarray(found, dtype=np.float64),)


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

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0]
        order = np.argsort(-x if self.largest else x, axis=self.axis, kind="stable")
        best = np.take(order, np.arange(self.k), axis=self.axis)
        return (np.take_along_axis(x, best, axis=self.axis), best.astype(np.float64))
