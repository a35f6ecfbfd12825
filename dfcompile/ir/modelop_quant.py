"""Quantizers of the model stage: rounding modes, codes, and back to real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, broadcast_shape, sized
from dfcompile.ir.operators import ROUNDINGS, weight_codes
from dfcompile.ir.types import signed_dtype


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
    codes = np.empty_like(x, signed_dtype(op.lo, op.hi))
    weight_codes(x, scale, zero, op.lo, op.hi, op.rounding, op.zero_after, codes)
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
