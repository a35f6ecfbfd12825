"""ONNX's operators on integer codes, and ONNX Runtime's, in exact arithmetic, for `tests.exact_oracle`.

No kernel of 8-bit integers is trusted as a reference: on x86 processors without VNNI ONNX Runtime's saturate in 16 bits
(tests/frontend/test_saturation.py shows it).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from tests.exact_arithmetic import conv, each, windows

ZERO = np.zeros((), np.uint8)


def limits(zero: Any) -> tuple[int, int]:
    """Lowest and highest code of the type of a zero-point."""
    found = re.fullmatch(r"(u?)int(\d+)", zero.dtype.name)
    assert found, zero.dtype
    bits = int(found[2])
    return (0, 2**bits - 1) if found[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def along(parameter: Any, rank: int, axis: int) -> Any:
    """A scalar or vector as something that broadcasts along `axis`."""
    return parameter.reshape([-1 if i == axis % rank else 1 for i in range(rank)]) if parameter.size > 1 else parameter.reshape(())


def shifted(x: Any, zero: Any, axis: int = 1) -> Any:
    return each(int, x) - along(each(int, ZERO if zero is None else zero), x.ndim, axis)


def dequantized(x: Any, scale: Any, zero: Any = None, axis: int = 1) -> Any:
    return shifted(x, zero, axis) * along(scale, x.ndim, axis)


def quantized(real: Any, scale: Any, zero: Any = None, axis: int = 1) -> Any:
    """Half to even before the zero-point is added, then into the range of its type."""
    z = ZERO if zero is None else zero
    lo, hi = limits(z)
    steps = each(lambda v: round(Fraction(v)), real / along(scale, real.ndim, axis)) + along(each(int, z), real.ndim, axis)
    return each(lambda v: min(max(v, lo), hi), steps)


def qlinear_conv(a: Any, x: Any, xs: Any, xz: Any, w: Any, ws: Any, wz: Any, ys: Any, yz: Any, bias: Any = None) -> Any:
    y = conv(dequantized(x, xs, xz), dequantized(w, ws, wz, 0), a)
    if bias is not None:
        y = y + along(each(int, bias) * xs * ws, y.ndim, 1)
    return quantized(y, ys, yz)


def qgemm(a: Any, x: Any, xs: Any, xz: Any, w: Any, ws: Any, wz: Any, bias: Any = None, ys: Any = None, yz: Any = None) -> Any:
    """Scales and zero-points of w by column; without ys the result is real."""
    columns = w.T if a.get("transB") else w
    y = np.dot(dequantized(x.T if a.get("transA") else x, xs, xz), dequantized(columns, ws, wz, -1))
    y = (y + each(int, bias) * xs * along(ws, 2, -1) if bias is not None else y) * Fraction(float(a.get("alpha", 1.0)))
    return y if ys is None else quantized(y, ys, yz)


def qlinear_pool(a: Any, x: Any, xs: Any, xz: Any, ys: Any, yz: Any) -> Any:
    kernel = a.get("kernel_shape", x.shape[2:])  # none: global
    view = windows(dequantized(x, xs, xz), kernel, a.get("strides", [1, 1]), [0] * 4, [1, 1], Fraction(0))
    return quantized(view.sum(axis=(4, 5)) / Fraction(math.prod(kernel)), ys, yz)


def qlinear_concat(a: Any, ys: Any, yz: Any, *parts: Any) -> Any:
    reals = [dequantized(*parts[i : i + 3]) for i in range(0, len(parts), 3)]
    return quantized(np.concatenate(reals, axis=a["axis"]), ys, yz)


def unary(function: Callable[[Any, Any], Any]) -> Any:
    return lambda a, x, xs, xz, ys, yz: quantized(each(lambda v: function(a, v), dequantized(x, xs, xz)), ys, yz)


def binary(function: Callable[[Any, Any], Any]) -> Any:
    return lambda a, x, xs, xz, b, bs, bz, ys, yz: quantized(function(dequantized(x, xs, xz), dequantized(b, bs, bz)), ys, yz)


OPERATORS: dict[str, Callable[..., Any]] = {
    "QuantizeLinear": lambda a, x, s, z=None: quantized(x, s, z, a.get("axis", 1)),
    "DequantizeLinear": lambda a, x, s, z=None: dequantized(x, s, z, a.get("axis", 1)),
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": lambda a, x, xs, xz, w, ws, wz, ys, yz: quantized(
        np.dot(dequantized(x, xs, xz, -2), dequantized(w, ws, wz, -1)), ys, yz, -1
    ),
    "QGemm": qgemm,
    "ConvInteger": lambda a, x, w, xz=None, wz=None: conv(shifted(x, xz), shifted(w, wz, 0), a),
    "MatMulInteger": lambda a, x, w, xz=None, wz=None: np.dot(shifted(x, xz, -2), shifted(w, wz, -1)),
    "QLinearAdd": binary(lambda x, y: x + y),
    "QLinearMul": binary(lambda x, y: x * y),
    "QLinearSigmoid": unary(lambda a, v: Fraction(1 / (1 + math.exp(-v)))),
    "QLinearLeakyRelu": unary(lambda a, v: v if v >= 0 else v * Fraction(a["alpha"])),
    "QLinearAveragePool": qlinear_pool,
    "QLinearGlobalAveragePool": qlinear_pool,
    "QLinearConcat": qlinear_concat,
}
