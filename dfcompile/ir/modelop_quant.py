"""Quantizers of the model stage: rounding modes, codes, and back to real numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, broadcast_shape, sized
from dfcompile.ir.types import signed_dtype

_BLOCK = 2**20
"""Weights that are quantized at once."""


def _away(x: Array, up: Callable[[Array], Array]) -> Array:
    """Round the magnitude; halves are told apart without adding 0.5, which would itself round."""
    size = np.abs(x)
    whole = np.floor(size)
    return np.asarray(np.copysign(whole + up(size - whole), x))


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": lambda x: np.asarray(np.rint(x)),
    "CEIL": lambda x: np.asarray(np.ceil(x)),
    "FLOOR": lambda x: np.asarray(np.floor(x)),
    "UP": lambda x: np.asarray(np.copysign(np.ceil(np.abs(x)), x)),
    "DOWN": lambda x: np.asarray(np.trunc(x)),
    "HALF_UP": lambda x: _away(x, lambda part: part >= 0.5),
    "HALF_DOWN": lambda x: _away(x, lambda part: part > 0.5),
}
"""Rounding modes of QONNX by name: ROUND is half to even, UP away from 0, DOWN towards 0, HALF_* by magnitude."""


@dataclass(frozen=True)
class Quantize(ModelOp):
    """Integer codes, as real numbers, of (x, scale, zero); scale and zero broadcast against x.

    zero_after = False (QONNX Quant):        ``round(clip(x / scale + zero, lo, hi))``
    zero_after = True (ONNX QuantizeLinear): ``clip(round(x / scale) + zero, lo, hi)``
    weight: x is a stored float32 constant, so the codes are found in float32 (see `quantize_weight`)
    """

    lo: int
    hi: int
    rounding: str = "ROUND"
    zero_after: bool = False
    weight: bool = False
    kind: ClassVar[str] = "quantize"

    def __post_init__(self) -> None:
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"'{self.rounding}' is not a rounding mode; there are {', '.join(ROUNDINGS)}")
        if self.lo > self.hi:
            raise ValueError(f"the code range {self.lo}..{self.hi} is empty")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return _like_first(inputs)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, scale, zero = inputs
        if self.weight:
            return (quantize_weight(self, x, scale, zero).astype(np.float64),)
        return (self.codes(x / scale, zero),)

    def codes(self, steps: Array, zero: Array) -> Array:
        """Codes of x / scale, in the precision of the arguments."""
        rounded = ROUNDINGS[self.rounding]
        if self.zero_after:
            return np.asarray(np.clip(rounded(steps) + zero, self.lo, self.hi))
        return rounded(np.clip(steps + zero, self.lo, self.hi))


def quantize_weight(op: Quantize, x: Array, scale: Array, zero: Array) -> Array:
    """Codes (in a narrow integer dtype) of a stored weight, rounded in float32 as the exporter's runtime does.

    A trained weight can sit so near the middle of two codes that float64 finds the other one.
    """
    scale, zero = (p.astype(np.float32) for p in (scale, zero))
    codes = np.empty(x.shape, signed_dtype(op.lo, op.hi))
    rows = max(1, _BLOCK * len(x) // x.size) if x.ndim else 1

    def part(p: Array, first: int) -> Array:
        return p[first : first + rows] if p.ndim == x.ndim and p.ndim and len(p) > 1 else p

    for first in range(0, len(x) if x.ndim else 1, rows):
        where = slice(first, first + rows) if x.ndim else ...
        codes[where] = op.codes(x[where].astype(np.float32) / part(scale, first), part(zero, first))
    return codes


@dataclass(frozen=True)
class Bipolar(ModelOp):
    """+1 where x >= 0, else -1."""

    kind: ClassVar[str] = "bipolar"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (sized(*inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.where(inputs[0] >= 0, 1.0, -1.0),)


@dataclass(frozen=True)
class Dequantize(ModelOp):
    """``(x - zero) * scale`` of (x, scale, zero)."""

    kind: ClassVar[str] = "dequantize"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return _like_first(inputs)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, scale, zero = inputs
        shifted = np.asarray(x - zero, np.float64)
        return (np.multiply(shifted, scale, out=shifted if shifted.ndim else None),)


def _like_first(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x, scale, zero = (t.shape for t in inputs)
    if broadcast_shape(x, scale, zero) != x:
        raise ValueError(f"scale {scale} and zero-point {zero} do not fit a tensor of shape {x}")
    return (sized(*x),)
