"""Quantizers of the model stage: rounding modes, codes, and back to real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, broadcast_shape, sized
from dfcompile.ir.operators import ROUNDINGS, quantized
from dfcompile.ir.types import signed_dtype

_BLOCK = 2**20
"""Weights that are quantized at once."""


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
        steps = x[where].astype(np.float32) / part(scale, first)
        codes[where] = quantized(steps, part(zero, first), op.lo, op.hi, op.rounding, op.zero_after)
    return codes


@dataclass(frozen=True)
class Bipolar(ModelOp):
    """+1 where x >= 0, else -1."""

    kind: ClassVar[str] = "bipolar"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (sized(*inputs[0].shape),)


@dataclass(frozen=True)
class Dequantize(ModelOp):
    """``(x - zero) * scale`` of (x, scale, zero)."""

    kind: ClassVar[str] = "dequantize"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return _like_first(inputs)


def _like_first(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x, scale, zero = (t.shape for t in inputs)
    if broadcast_shape(x, scale, zero) != x:
        raise ValueError(f"scale {scale} and zero-point {zero} do not fit a tensor of shape {x}")
    return (sized(*x),)
