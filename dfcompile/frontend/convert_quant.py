"""Quantizers of QONNX, of ONNX (QCDQ) and of FINN."""

from __future__ import annotations

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.model import INTEGERS, MINIFLOATS, Array
from dfcompile.frontend.onnx_types import ELEMENTS
from dfcompile.frontend.value import Act, Const, Refusal, Value, onnx_shape
from dfcompile.ir.modelop import ROUNDINGS, Binary, Bipolar, Dequantize, Quantize, Unary
from dfcompile.ir.modelop_base import shown_shape

MAX_BITS = 32


def parameter(call: Call, i: int, what: str) -> Const:
    """Scale or zero-point at input i: finite; a single number gets shape ()."""
    array = call.array(i, what)
    if not np.all(np.isfinite(array)):
        raise Refusal("bad-quantizer", f"a {what} of '{call.node.op_type}' is not finite", help="train or calibrate the quantizer again")
    found = call.value(i)
    one = array.reshape(()) if array.size == 1 else array
    stored = isinstance(found, Const) and found.stored
    return Const(one, found.elem, found.name, stored)


def scale_of(call: Call, i: int) -> Const:
    """The scale at input i, finite and above 0."""
    found = parameter(call, i, "scale")
    if found.array.size == 0 or not np.all(found.array > 0):
        low = float(np.min(found.array)) if found.array.size else "missing"
        raise Refusal(
            "bad-quantizer",
            f"a scale of '{call.node.op_type}' is not above 0",
            f"its smallest element is {low}",
            "a scale must be positive",
        )
    return found


def zero_of(call: Call, i: int) -> Const:
    """The zero-point at input i, 0 when left out."""
    return parameter(call, i, "zero-point") if call.has(i) else call.const(0.0, "zero")


def rounding_of(call: Call, default: str) -> str:
    """Rounding mode by its QONNX name."""
    name = call.text("rounding_mode", default).upper()
    name = {"HALF_EVEN": "ROUND", "ROUND_TO_ZERO": "DOWN"}.get(name, name)
    if name not in ROUNDINGS:
        raise Refusal("bad-attribute", f"'{name}' is not a rounding mode", help=f"there are {', '.join(ROUNDINGS)}")
    return name


def bits_of(call: Call, i: int) -> int:
    """The bit width at input i."""
    widths = widths_of(call, i)
    if widths.size != 1:
        raise Refusal("bad-quantizer", f"'{call.node.op_type}' has several bit widths", help="use one bit width for the tensor")
    return int(widths)


def widths_of(call: Call, i: int) -> Array:
    """The bit widths at input i, int64: shape () where they are all the same."""
    widths = call.array(i, "bit width")
    wrong = widths[(widths != np.floor(widths)) | (widths < 1) | (widths > MAX_BITS)]
    if wrong.size:
        raise Refusal(
            "bad-quantizer",
            f"'{call.node.op_type}' has a bit width of {float(wrong.flat[0]):g}",
            help=f"use a whole number of bits from 1 to {MAX_BITS}",
        )
    first = widths.ravel()[:1]
    return first.astype(np.int64).reshape(()) if widths.size and np.all(widths == first) else widths.astype(np.int64)


def code_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Lowest and highest code (QONNX)."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def is_weight(x: Value, scale: Const) -> bool:
    """Whether the file holds both numbers, so that the codes follow float32."""
    return isinstance(x, Const) and x.stored and scale.stored


def fitted(x: Value, *params: Const) -> Value:
    """x, after a check that the parameters broadcast against it."""
    shape = onnx_shape(x)
    for p in params:
        if np.broadcast_shapes(shape, p.shape) != shape:
            raise ValueError(f"a scale or zero-point of shape {shown_shape(p.shape)} does not fit a tensor of shape {shown_shape(shape)}")
    return x


def batchless(call: Call, x: Value, p: Const) -> Const:
    """A parameter that fits x whatever the batch size: its axis 0, if it has one there, must not vary."""
    if not isinstance(x, Act) or p.array.ndim < len(x.shape) or p.shape[0] == 1:
        return p
    if not (p.array == p.array[:1]).all():
        raise Refusal("batch-axis", f"'{call.node.op_type}' has parameters that differ along the batch axis")
    return Const(p.array[:1], p.elem, p.name, p.stored)


@converts("Quant", "IntQuant")
def quant(call: Call) -> Result:
    """QONNX Quant; each channel is clipped to its own bit width where these are given by channel."""
    x, scale, zero = call.value(0), scale_of(call, 1), zero_of(call, 2)
    x = fitted(x, scale, zero)
    scale, zero = batchless(call, x, scale), batchless(call, x, zero)
    widths, signed, narrow = widths_of(call, 3), call.flag("signed", True), call.flag("narrow", False)
    bits, rounding = int(widths.max()), rounding_of(call, "ROUND")
    if bits == 1 and signed:
        return _one_bit(call, x, scale, zero)
    low, high = code_range(bits, signed, narrow)
    if low >= high:
        raise Refusal("bad-quantizer", f"'{call.node.op_type}' has one code only", f"{bits} bit, narrow", "clear `narrow` or use more bits")
    codes = call.apply(Quantize(low, high, rounding, weight=is_weight(x, scale)), x, scale, zero, elem="float32")
    return call.apply(Dequantize(), _narrowed(call, codes, widths, signed, narrow), scale, zero)


def _narrowed(call: Call, codes: Value, widths: Array, signed: bool, narrow: bool) -> Value:
    """Codes of the widest width clipped to those of each width: rounding keeps integers, so that it may come before the bounds."""
    if not widths.ndim:
        return codes
    if signed and widths.min() == 1:
        why = "1 signed bit means -1 and +1, without 0"
        raise Refusal("bad-quantizer", f"'{call.node.op_type}' has widths of 1 and of more bits", why, "use 2 bits")
    ends = zip(*(code_range(int(w), signed, narrow) for w in widths.ravel()), strict=True)
    for fn, end in zip(("max", "min"), ends, strict=True):
        bounds = Const(np.array(end, np.float64).reshape(widths.shape), "float32", "bound")
        fitted(codes, bounds)
        codes = call.apply(Binary(fn), codes, batchless(call, codes, bounds))
    return codes


def _one_bit(call: Call, x: Value, scale: Const, zero: Const) -> Value:
    """-1 or +1 by the sign of x / scale + zero, then back to real numbers."""
    if not zero.array.any():
        return call.apply(Binary("mul"), call.apply(Bipolar(), x, elem="float32"), scale)
    shifted = call.apply(Binary("add"), x, call.const(zero.array * scale.array, "threshold"))
    return call.apply(Dequantize(), call.apply(Bipolar(), shifted, elem="float32"), scale, zero)


@converts("BipolarQuant")
def bipolar_quant(call: Call) -> Result:
    """QONNX BipolarQuant."""
    scale = scale_of(call, 1)
    x = fitted(call.value(0), scale)
    return call.apply(Binary("mul"), call.apply(Bipolar(), x, elem="float32"), batchless(call, x, scale))


@converts("Trunc")
def trunc(call: Call) -> Result:
    """QONNX Trunc, version 1 (5 inputs) or 2 (6 inputs): the integer x / scale + zero loses its lowest bits.

    The inner rounding is not a quantizer of its own (it has no range), so it becomes elementwise operators.
    """
    scale, zero = scale_of(call, 1), zero_of(call, 2)
    steps = call.apply(Binary("div"), call.value(0), scale)
    if zero.array.any():
        steps = call.apply(Binary("add"), steps, zero)
    steps = call.apply(Unary("round"), steps)
    rounding = rounding_of(call, "FLOOR")
    if len(call.inputs) > 5:
        return _trunc_2(call, steps, scale, zero, rounding)
    bits_in, bits = bits_of(call, 3), bits_of(call, 4)
    # Version 1 does not clamp; this range holds every code that bits_in bits can give, signed or not, at any rounding.
    wide = 1 << max(bits + 1, bits_in)
    step = call.const(2.0 ** (bits_in - bits), "step")
    codes = call.apply(Quantize(-wide, wide, rounding), steps, step, call.const(0.0, "zero"))
    return call.apply(Dequantize(), codes, scale, zero)


def _trunc_2(call: Call, steps: Value, scale: Const, zero: Const, rounding: str) -> Value:
    scale_out, bits = scale_of(call, 4), bits_of(call, 5)
    factor = np.exp2(np.rint(np.log2(scale_out.array / scale.array)))
    low, high = code_range(bits, call.flag("signed", True), call.flag("narrow", False))
    codes = call.apply(Quantize(low, high, rounding), steps, call.const(factor, "step"), call.const(0.0, "zero"))
    return call.apply(Dequantize(), codes, scale_out, call.const(zero.array / factor, "zero"))


def along_axis(call: Call, x: Value, p: Const, axis: int) -> Const:
    """A QDQ parameter reshaped to broadcast against x: per tensor, per axis, or per block along the axis."""
    shape = onnx_shape(x)
    if p.array.ndim == 0:
        return p
    if not -len(shape) <= axis < len(shape):
        raise Refusal("bad-axis", f"'{call.node.op_type}' names axis {axis} of a tensor of {len(shape)} axes")
    axis %= len(shape)
    block = call.integer("block_size", 0)
    if block > 0 and p.array.ndim == len(shape):
        if p.shape[axis] != -(-shape[axis] // block):
            raise ValueError(f"blocks of {block} along axis {axis}: parameters of shape {p.shape} do not fit a tensor of shape {shape}")
        repeated = np.repeat(p.array, block, axis)
        return Const(np.take(repeated, np.arange(shape[axis]), axis), p.elem, p.name, p.stored)
    if p.array.ndim == 1 and p.array.size == shape[axis]:
        return Const(p.array.reshape([-1 if i == axis else 1 for i in range(len(shape))]), p.elem, p.name, p.stored)
    raise ValueError(
        f"a scale or zero-point of shape {shown_shape(p.shape)} does not fit axis {axis} of a tensor of shape {shown_shape(shape)}"
    )


def qdq_parameters(call: Call, x: Value, first: int = 1, axis: int | None = None) -> tuple[Const, Const]:
    """Scale and zero-point at inputs first and first + 1."""
    place = call.integer("axis", 1) if axis is None else axis
    scale, zero = scale_of(call, first), zero_of(call, first + 1)
    return tuple(batchless(call, x, along_axis(call, x, p, place)) for p in (scale, zero))  # type: ignore[return-value]


def to_codes(call: Call, x: Value, scale: Const, zero: Const, elem: str) -> Value:
    """QuantizeLinear to an element type."""
    if elem not in INTEGERS:
        raise Refusal(
            "unsupported-type", f"'{call.node.op_type}' to {elem or 'an unknown type'} is not supported", help="quantize to integers"
        )
    low, high = INTEGERS[elem]
    op = Quantize(low, high, "ROUND", zero_after=True, weight=is_weight(x, scale))
    return call.apply(op, x, scale, zero, elem=elem)


@converts("QuantizeLinear")
def quantize_linear(call: Call) -> Result:
    """Real numbers to codes; the type is that of the zero-point, `output_dtype`, or uint8."""
    x = call.value(0)
    scale, zero = qdq_parameters(call, x)
    wanted = call.integer("output_dtype", 0)
    elem = call.value(2).elem if call.has(2) else ELEMENTS.get(wanted, "") if wanted else "uint8"
    return to_codes(call, x, scale, zero, elem)


@converts("DequantizeLinear")
def dequantize_linear(call: Call) -> Result:
    """Codes to real numbers; a bare one on stored integers or 8-bit floats is a weight."""
    x = call.value(0)
    if x.elem not in INTEGERS and not (isinstance(x, Const) and x.elem in MINIFLOATS):
        raise Refusal("unsupported-type", f"'DequantizeLinear' of {x.elem} is not supported", help="give it integers")
    scale, zero = qdq_parameters(call, x)
    return call.apply(Dequantize(), x, scale, zero, elem="float32")


@converts("FloatQuant")
def float_quant(call: Call) -> Result:
    """Refused: minifloats have no integer codes."""
    raise Refusal(
        "unsupported-op",
        "'FloatQuant' has no integer form",
        "it quantizes to a floating-point format",
        "train with integer quantizers (Quant, QuantizeLinear)",
    )


@converts("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
def dynamic_quantize(call: Call) -> Result:
    """Refused: its scale is found at run time."""
    raise Refusal(
        "unsupported-op",
        f"'{call.node.op_type}' finds its scale at run time",
        "hardware needs a constant scale",
        "use static quantization (QuantizeLinear, or quantize_static of onnxruntime)",
    )


@converts("QAttention", "QMoE", "QEmbedLayerNormalization")
def quantized_block(call: Call) -> Result:
    """Refused: a whole block in one operator, whose inner tensors are real numbers quantized at run time or not at all."""
    raise Refusal(
        "unsupported-op",
        f"'{call.node.op_type}' holds a whole block whose inner tensors have no quantizers",
        "what it computes inside are real numbers, found at run time",
        "quantize the model before ONNX Runtime fuses it, statically and operator by operator",
    )


def dequantized(call: Call, first: int, axis: int = 1) -> Value:
    """Codes at input `first` with scale and zero-point at the next two, as real numbers."""
    x = call.value(first)
    scale, zero = qdq_parameters(call, x, first + 1, axis)
    return call.apply(Dequantize(), x, scale, zero, elem="float32")


def requantized(call: Call, x: Value, first: int) -> Value:
    """Real numbers to codes with the scale and zero-point at inputs `first` and first + 1."""
    scale, zero = qdq_parameters(call, x, first)
    elem = call.value(first + 1).elem if call.has(first + 1) else "uint8"
    return to_codes(call, x, scale, zero, elem)
