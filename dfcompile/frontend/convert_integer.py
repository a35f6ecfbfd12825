"""Operators on integer codes (QLinear*, QGemm, *Integer), written out with Quantize and Dequantize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_linear import (
    convolved,
    kernel_of,
    matrices,
    over_space,
    product,
    reduced,
    scaled,
    spatial_of,
    to_channels_first,
    to_channels_last,
    window,
)
from dfcompile.frontend.convert_logic import select
from dfcompile.frontend.convert_pointwise import batched, binary, softmax_of
from dfcompile.frontend.convert_quant import along_axis, dequantized, requantized, scale_of, zero_of
from dfcompile.frontend.convert_shape import concatenated
from dfcompile.frontend.model import Array
from dfcompile.frontend.value import Act, Const, Refusal, Value, onnx_shape
from dfcompile.ir.modelop import AveragePool, Binary, Dequantize, Unary


@converts("QLinearConv")
def qlinear_conv(call: Call) -> Result:
    """Inputs x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias (int32 with scale x_scale * w_scale)."""

    def convolution(x: Value) -> Value:
        result = convolved(call, x, dequantized(call, 3, axis=0))
        shape = onnx_shape(result)
        if not call.has(8):
            return result
        if onnx_shape(call.value(8)) != (shape[1],):
            raise Refusal("bad-parameter", f"the bias of 'QLinearConv' does not fit {shape[1]} output channels")
        bias = _accumulators(call, 8, scale_of(call, 1).array * scale_of(call, 4).array)
        return call.apply(Binary("add"), result, call.reshape(bias, (shape[1], *(1,) * (len(shape) - 2))))

    return requantized(call, _in_pictures(call, dequantized(call, 0), convolution), 6)


def _in_pictures(call: Call, x: Value, operator: Callable[[Value], Value]) -> Value:
    """An operator on (N, C, ...) applied to x, which is (N, ..., C) where the attribute `channels_last` says so."""
    if not call.flag("channels_last"):
        return operator(x)
    return to_channels_last(call, operator(to_channels_first(call, batched(call, x))))


def _accumulators(call: Call, i: int, scale: Array) -> Value:
    """The integers at input i, of zero-point 0 and this scale (one, or one for each element of the last axis), as real numbers."""
    codes = call.value(i)
    if not isinstance(codes, Const):
        raise Refusal("dynamic-parameter", f"the bias of '{call.node.op_type}' is computed at run time", help="make it a constant")
    try:
        wide = np.broadcast_shapes(codes.shape, scale.shape)
    except ValueError:
        raise Refusal(
            "bad-parameter", f"the bias of '{call.node.op_type}' has shape {call.shape(codes)}, its scales are {scale.size}"
        ) from None
    spread = Const(np.broadcast_to(codes.array, wide), codes.elem, codes.name)
    return call.apply(Dequantize(), spread, call.const(scale, "bias_scale"), call.const(0.0, "zero"), elem="float32")


@converts("QLinearMatMul")
def qlinear_matmul(call: Call) -> Result:
    """Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; vectors of scales: rows of a, columns of b."""
    return requantized(call, product(call, _matrix(call, 0, -2), _matrix(call, 3, -1)), 6)


def _matrix(call: Call, first: int, axis: int) -> Value:
    x = call.value(first)
    rank = len(onnx_shape(x))
    return dequantized(call, first, axis if rank >= 2 else -1)


@converts("QGemm")
def qgemm(call: Call) -> Result:
    """As QLinearMatMul, with a bias C (int32 of scale alpha * a_scale * b_scale) before y_scale; without y_scale the result is real."""
    columns = 0 if call.flag("transB") else 1
    result = matrices(call, dequantized(call, 0), dequantized(call, 3, columns))
    if call.has(6):
        result = binary(call, "add", result, _accumulators(call, 6, scale_of(call, 1).array * scale_of(call, 4).array))
    result = scaled(call, result)  # C's scale has the factor alpha, too
    return requantized(call, result, 7) if call.has(7) else result


@converts("MatMulIntegerToFloat")
def matmul_integer_to_float(call: Call) -> Result:
    """Inputs a, b, a_scale, b_scale, a_zero, b_zero, bias; scales and zero-points of b may be per column, the result is real."""
    a, b = (_rescaled(call, i) for i in (0, 1))
    result = product(call, a, b)
    return binary(call, "add", result, call.value(6)) if call.has(6) else result


def _rescaled(call: Call, i: int) -> Value:
    """The codes at input i with the scale at i + 2 and the zero-point at i + 4."""
    x = call.value(i)
    scale, zero = (along_axis(call, x, p, -1) for p in (scale_of(call, i + 2), zero_of(call, i + 4)))
    return call.apply(Dequantize(), x, scale, zero, elem="float32")


def _shifted(call: Call, i: int, zero: int, axis: int) -> Value:
    """Codes at input i less the zero-point at input `zero`, as real numbers."""
    x = call.value(i)
    shift = along_axis(call, x, zero_of(call, zero), axis)
    return call.apply(Dequantize(), x, call.const(1.0, "one"), shift, elem="int32")


@converts("ConvInteger")
def conv_integer(call: Call) -> Result:
    """Inputs x, w, x_zero, w_zero; the result is int32."""
    x, w = _shifted(call, 0, 2, 1), _shifted(call, 1, 3, 0)
    if isinstance(w, Act):
        raise Refusal("dynamic-weights", "the weights of 'ConvInteger' are computed at run time")
    kernel_of(call, w)
    return convolved(call, x, w)


@converts("MatMulInteger")
def matmul_integer(call: Call) -> Result:
    """Inputs a, b, a_zero, b_zero; the result is int32."""
    return product(call, _shifted(call, 0, 2, -2), _shifted(call, 1, 3, -1))


@converts("QLinearAdd", "QLinearMul")
def qlinear_binary(call: Call) -> Result:
    """ONNX Runtime's elementwise operators: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    fn = "add" if call.node.op_type == "QLinearAdd" else "mul"
    return requantized(call, binary(call, fn, dequantized(call, 0), dequantized(call, 3)), 6)


@converts("QLinearWhere")
def qlinear_where(call: Call) -> Result:
    """ONNX Runtime's selection: condition, then tensor, scale, zero of both operands and of the result."""
    return requantized(call, select(call, call.value(0), dequantized(call, 1), dequantized(call, 4)), 7)


@converts("QLinearSigmoid", "QLinearLeakyRelu")
def qlinear_unary(call: Call) -> Result:
    """ONNX Runtime's activations: x, x_scale, x_zero, y_scale, y_zero."""
    op = Unary("sigmoid") if call.node.op_type == "QLinearSigmoid" else Unary("leaky_relu", call.real("alpha", 0.01))
    return requantized(call, call.apply(op, dequantized(call, 0)), 3)


@converts("QLinearSoftmax")
def qlinear_softmax(call: Call) -> Result:
    """ONNX Runtime's softmax: x, x_scale, x_zero, y_scale, y_zero; `opset` says which Softmax of ONNX it is."""
    return requantized(call, softmax_of(call, dequantized(call, 0), call.integer("opset", call.opset)), 3)


@converts("QLinearReduceMean")
def qlinear_reduce_mean(call: Call) -> Result:
    """ONNX Runtime's mean over axes: x, x_scale, x_zero, y_scale, y_zero."""
    return requantized(call, reduced(call, dequantized(call, 0), "mean", call.ints("axes", ())), 3)


@converts("QLinearGlobalAveragePool", "QLinearAveragePool")
def qlinear_pool(call: Call) -> Result:
    """ONNX Runtime's average pools: x, x_scale, x_zero, y_scale, y_zero."""

    def pool(x: Value) -> Value:
        if call.node.op_type == "QLinearGlobalAveragePool":
            return over_space(call, x, "mean")
        size, kernel = spatial_of(call, x), call.ints("kernel_shape")
        strides, pads, dilations = window(call, size, kernel)
        op = AveragePool(kernel, strides, pads, dilations, call.flag("ceil_mode"), call.flag("count_include_pad"))
        return call.apply(op, x)

    return requantized(call, _in_pictures(call, dequantized(call, 0), pool), 3)


@converts("QLinearConcat")
def qlinear_concat(call: Call) -> Result:
    """ONNX Runtime's concatenation: y_scale, y_zero, then tensor, scale, zero of each operand."""
    return requantized(call, concatenated(call, [dequantized(call, i) for i in range(2, len(call.inputs), 3)]), 0)
