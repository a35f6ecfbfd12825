"""Operators on integer codes (QLinear*, *Integer), written out with Quantize and Dequantize."""

from __future__ import annotations

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_linear import convolved, kernel_of, product, spatial_of, window
from dfcompile.frontend.convert_pointwise import batched, binary
from dfcompile.frontend.convert_quant import along_axis, dequantized, requantized, scale_of, zero_of
from dfcompile.frontend.value import Act, Refusal, Value, onnx_shape
from dfcompile.ir.modelop import AveragePool, Binary, Concat, Dequantize, Reduce, Unary


@converts("QLinearConv")
def qlinear_conv(call: Call) -> Result:
    """Inputs x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias (int32 with scale x_scale * w_scale)."""
    x, w = dequantized(call, 0), dequantized(call, 3, axis=0)
    result = convolved(call, x, w)
    if call.has(8):
        result = call.apply(Binary("add"), result, _bias(call, onnx_shape(result)))
    return requantized(call, result, 6)


def _bias(call: Call, shape: tuple[int, ...]) -> Value:
    """The bias of integers as real numbers of shape (C, 1, ...)."""
    codes = call.value(8)
    scale = scale_of(call, 1).array * scale_of(call, 4).array
    if isinstance(codes, Act) or onnx_shape(codes) != (shape[1],) or scale.ndim > 1 or scale.size not in (1, shape[1]):
        raise Refusal("bad-parameter", f"the bias of 'QLinearConv' does not fit {shape[1]} output channels")
    real = call.apply(Dequantize(), codes, call.const(scale, "bias_scale"), call.const(0.0, "zero"), elem="float32")
    return call.reshape(real, (shape[1], *(1,) * (len(shape) - 2)))


@converts("QLinearMatMul")
def qlinear_matmul(call: Call) -> Result:
    """Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; vectors of scales: rows of a, columns of b."""
    return requantized(call, product(call, _matrix(call, 0, -2), _matrix(call, 3, -1)), 6)


def _matrix(call: Call, first: int, axis: int) -> Value:
    x = call.value(first)
    rank = len(onnx_shape(x))
    return dequantized(call, first, axis if rank >= 2 else -1)


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


@converts("QLinearSigmoid", "QLinearLeakyRelu")
def qlinear_unary(call: Call) -> Result:
    """ONNX Runtime's activations: x, x_scale, x_zero, y_scale, y_zero."""
    op = Unary("sigmoid") if call.node.op_type == "QLinearSigmoid" else Unary("leaky_relu", call.real("alpha", 0.01))
    return requantized(call, call.apply(op, dequantized(call, 0)), 3)


@converts("QLinearGlobalAveragePool", "QLinearAveragePool")
def qlinear_pool(call: Call) -> Result:
    """ONNX Runtime's average pools: x, x_scale, x_zero, y_scale, y_zero."""
    if call.flag("channels_last"):
        raise Refusal(
            "unsupported-op",
            f"'{call.node.op_type}' with channels_last is not supported",
            help="save the model before ONNX Runtime optimizes it",
        )
    x = batched(call, dequantized(call, 0))
    if call.node.op_type == "QLinearGlobalAveragePool":
        x, axes = call.along(x, *range(2, len(onnx_shape(x))))
        return requantized(call, call.run(Reduce("mean", axes), x), 3)
    size, kernel = spatial_of(call, x), call.ints("kernel_shape")
    strides, pads, dilations = window(call, size, kernel)
    op = AveragePool(kernel, strides, pads, dilations, call.flag("ceil_mode"), call.flag("count_include_pad"))
    return requantized(call, call.apply(op, x), 3)


@converts("QLinearConcat")
def qlinear_concat(call: Call) -> Result:
    """ONNX Runtime's concatenation: y_scale, y_zero, then tensor, scale, zero of each operand."""
    parts = [dequantized(call, i) for i in range(2, len(call.inputs), 3)]
    if not parts or any(not isinstance(p, Act) or p.unbatched for p in parts):
        raise Refusal("bad-parameter", "'QLinearConcat' needs operands that depend on the model's inputs")
    _, (axis,) = call.along(parts[0], call.integer("axis"))
    return requantized(call, call.apply(Concat(axis), *parts), 0)
