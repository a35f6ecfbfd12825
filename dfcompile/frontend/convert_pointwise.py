"""Elementwise operators and what reads along one axis."""

from __future__ import annotations

import math

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.model import FLOATS, INTEGERS
from dfcompile.frontend.onnx_types import ELEMENTS
from dfcompile.frontend.value import Act, Const, Known, Refusal, Value, onnx_shape
from dfcompile.ir.modelop import ArgMax, BatchNorm, Binary, Softmax, TopK, Unary

LOWEST = -(2.0**100)
"""Stands for minus infinity in sums: what any other addend is lost beside, and float32 holds."""

_PLAIN = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Erf": "erf",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Silu": "silu",
    "SiLU": "silu",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Abs": "abs",
    "Neg": "neg",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Reciprocal": "reciprocal",
    "Sin": "sin",
    "Cos": "cos",
    "Atan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Asinh": "asinh",
}

_ONE_PARAMETER = {
    "LeakyRelu": ("leaky_relu", 0.01),
    "Elu": ("elu", 1.0),
    "ThresholdedRelu": ("thresholded_relu", 1.0),
    "Swish": ("swish", 1.0),
    "QuickGelu": ("swish", 1.702),
}

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


@converts(*_PLAIN)
def plain(call: Call) -> Result:
    """A function of one number without parameters."""
    return call.apply(Unary(_PLAIN[call.node.op_type]), call.value(0))


@converts(*_ONE_PARAMETER)
def one_parameter(call: Call) -> Result:
    """A function with the parameter `alpha`."""
    fn, default = _ONE_PARAMETER[call.node.op_type]
    alpha = call.real("alpha", default)
    if fn == "swish" and alpha == 1.0:
        return call.apply(Unary("silu"), call.value(0))
    return call.apply(Unary(fn, alpha), call.value(0))


@converts("Celu")
def celu(call: Call) -> Result:
    """A function with the parameter `alpha`, which is not 0."""
    alpha = call.real("alpha", 1.0)
    if alpha == 0:
        raise Refusal("bad-attribute", "attribute 'alpha' of 'Celu' is 0")
    return call.apply(Unary("celu", alpha), call.value(0))


@converts("Selu")
def selu(call: Call) -> Result:
    """Scaled exponential linear unit."""
    return call.apply(Unary("selu", call.real("alpha", _SELU[0]), call.real("gamma", _SELU[1])), call.value(0))


@converts("HardSigmoid")
def hard_sigmoid(call: Call) -> Result:
    """``clip(alpha * x + beta, 0, 1)``."""
    return call.apply(Unary("hard_sigmoid", call.real("alpha", 0.2), call.real("beta", 0.5)), call.value(0))


@converts("Shrink")
def shrink(call: Call) -> Result:
    """Towards 0 by `bias` outside of `lambd`, else 0."""
    return call.apply(Unary("shrink", call.real("bias", 0.0), call.real("lambd", 0.5)), call.value(0))


@converts("Gelu", "FastGelu", "BiasGelu")
def gelu(call: Call) -> Result:
    """Gelu, by erf or tanh; the forms of ONNX Runtime may add a bias first."""
    x = call.value(0)
    if call.has(1):
        x = binary(call, "add", x, call.value(1))
    form = call.text("approximate", "tanh" if call.node.op_type == "FastGelu" else "none")
    if form not in ("none", "tanh"):
        raise Refusal("bad-attribute", f"attribute 'approximate' of 'Gelu' is '{form}'", help="it is 'none' or 'tanh'")
    return call.apply(Unary("gelu_tanh" if form == "tanh" else "gelu"), x)


@converts("Clip")
def clip(call: Call) -> Result:
    """Bounds as attributes (opset < 11) or inputs; a missing one is infinite."""
    low = call.scalar(1, "lower bound") if call.has(1) else call.real("min", -math.inf)
    high = call.scalar(2, "upper bound") if call.has(2) else call.real("max", math.inf)
    return _clipped(call, low, high)


@converts("HardTanh", "Hardtanh")
def hard_tanh(call: Call) -> Result:
    """Clip to -1..1 unless told otherwise."""
    return _clipped(call, call.real("min_val", -1.0), call.real("max_val", 1.0))


def _clipped(call: Call, low: float, high: float) -> Value:
    x = call.value(0)
    if math.isnan(low) or math.isnan(high):
        raise Refusal("bad-parameter", f"a bound of '{call.node.op_type}' is not a number")
    low = min(low, high)  # ONNX: with a lower bound above the upper one everything is the upper one
    if isinstance(x, Const) and x.elem in INTEGERS:
        bottom, top = INTEGERS[x.elem]
        return Const(
            np.clip(x.array, max(bottom, math.ceil(low)) if low > bottom else bottom, min(top, math.floor(high)) if high < top else top),
            x.elem,
            x.name,
        )
    return call.apply(Unary("clip", low, high), x)


def binary(call: Call, fn: str, a: Value, b: Value) -> Value:
    """A function of two tensors with ONNX's broadcasting; neither may stretch the batch axis."""
    if fn == "add":
        a, b = (bottomless(call, v) for v in (a, b))
    a, b = aligned(call, a, b)
    elem = a.elem if isinstance(a, Act) or not isinstance(b, Act) else b.elem
    return call.apply(Binary(fn), a, b, elem=elem)


def bottomless(call: Call, value: Value) -> Value:
    """A constant addend without minus infinity, as attention masks have it: a number that takes every other one's place just as well."""
    if not isinstance(value, Const) or value.elem not in FLOATS or not np.isneginf(value.array).any():
        return value
    return call.const(np.where(np.isneginf(value.array), LOWEST, value.array), value.name)


def aligned(call: Call, a: Value, b: Value) -> tuple[Value, Value]:
    """Two operands whose graph tensors broadcast as their ONNX tensors do."""
    if not isinstance(a, Act) and not isinstance(b, Act):
        return a, b
    if isinstance(a, Act) and isinstance(b, Act):
        return _aligned_acts(call, a, b)
    if isinstance(a, Act) and not isinstance(b, Act):
        return _beside_known(call, a, b)
    if isinstance(b, Act) and not isinstance(a, Act):
        return _beside_known(call, b, a)[::-1]
    return a, b


def _aligned_acts(call: Call, a: Act, b: Act) -> tuple[Value, Value]:
    if len(a.onnx_shape) == len(b.onnx_shape) and a.unbatched == b.unbatched:
        return a, b
    rank = max(len(a.onnx_shape), len(b.onnx_shape))
    if call.builder.batch != 1:
        raise Refusal(
            "batch-axis",
            f"'{call.node.op_type}' joins tensors of shapes {call.shape(a)} and {call.shape(b)}",
            "the batch axis meets another axis",
        )
    padded = [call.reshape(v, (1,) * (rank - len(v.onnx_shape)) + v.onnx_shape) for v in (a, b)]
    if any(isinstance(v, Act) and v.unbatched for v in padded):
        padded = [call.builder.unbatched(v) if isinstance(v, Act) else v for v in padded]
    return padded[0], padded[1]


def _beside_known(call: Call, x: Act, known: Known) -> tuple[Value, Value]:
    rank, shape = len(x.onnx_shape), onnx_shape(known)
    if len(shape) > rank:
        padded = call.reshape(x, (1,) * (len(shape) - rank) + x.onnx_shape)
        assert isinstance(padded, Act), "reshaping keeps what depends on an input so"
        return _beside_known(call, padded, known)
    if x.unbatched or len(shape) < rank or shape[0] == 1:
        return x, known
    if shape[0] == call.builder.batch:
        plain_value = call.plain(known)
        assert isinstance(plain_value, Const), "`known` is constant"
        if (plain_value.array == plain_value.array[:1]).all():
            return x, Const(plain_value.array[:1], known.elem, known.name)
    return call.builder.unbatched(x), known


_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow"}


@converts(*_BINARY)
def arithmetic(call: Call) -> Result:
    """A function of two tensors; division of integers drops the fraction."""
    a, b = call.value(0), call.value(1)
    result = binary(call, _BINARY[call.node.op_type], a, b)
    if call.node.op_type == "Div" and a.elem in INTEGERS and b.elem in INTEGERS:
        return call.apply(Unary("trunc"), result)
    return result


@converts("Max", "Min", "Sum", "Mean")
def variadic(call: Call) -> Result:
    """A function of any number of tensors, two at a time."""
    fn = {"Max": "max", "Min": "min", "Sum": "add", "Mean": "add"}[call.node.op_type]
    result = call.value(0)
    for i in range(1, len(call.inputs)):
        result = binary(call, fn, result, call.value(i))
    if call.node.op_type == "Mean" and len(call.inputs) > 1:
        result = binary(call, "div", result, call.const(float(len(call.inputs)), "count"))
    return result


@converts("PRelu")
def prelu(call: Call) -> Result:
    """Slope per channel or shared; a bare vector over channels is taken for axis 1."""
    x, slope = call.value(0), call.plain(call.value(1))
    shape = onnx_shape(x)
    try:
        fits = np.broadcast_shapes(shape, slope.shape) == shape
    except ValueError:
        fits = False
    if not fits and len(shape) > 1 and isinstance(slope, Const) and slope.array.size == shape[1]:
        slope = call.reshape(slope, (shape[1], *(1,) * (len(shape) - 2)))
    return binary(call, "prelu", x, slope)


@converts("BatchNormalization", "channels_last/BatchNormalization")
def batch_norm(call: Call) -> Result:
    """Inference only; channel axis 1, or the last one in the channels-last domain."""
    if call.flag("training_mode") or not call.flag("spatial", True):
        raise Refusal(
            "unsupported-op",
            "'BatchNormalization' in training mode",
            "its mean and variance are found at run time",
            "export the model in evaluation mode",
        )
    epsilon = call.real("epsilon", 1e-5)
    params = [call.const(call.array(i, what), f"bn_{what}") for i, what in enumerate(("scale", "bias", "mean", "variance"), 1)]
    if not all(np.all(np.isfinite(p.array)) for p in params) or not np.all(params[3].array + epsilon > 0):
        raise Refusal("bad-parameter", "'BatchNormalization' has parameters that are not finite, or a variance that is not positive")
    params = [Const(call.array(i, "parameter").ravel(), "float32", call.value(i).name) for i in range(1, 5)]
    x = batched(call, call.value(0))
    rank = len(onnx_shape(x))
    if "channels_last" not in call.node.domain or rank < 3:
        return call.apply(BatchNorm(epsilon), x, *params)
    moved = call.builder.transpose(x, (0, rank - 1, *range(1, rank - 1)))
    return call.builder.transpose(call.apply(BatchNorm(epsilon), moved, *params), (0, *range(2, rank), 1))


def batched(call: Call, x: Value) -> Value:
    """x, whose axis 0 must be the batch axis."""
    if isinstance(x, Act) and x.unbatched:
        raise Refusal(
            "batch-axis",
            f"'{call.node.op_type}' works on a tensor without a batch axis",
            f"its input has shape {call.shape(x)}: the batch axis was merged, moved or removed before",
            "keep axis 0 for the batch",
        )
    return x


def softmax_of(call: Call, x: Value, opset: int) -> Value:
    """Softmax of x by the node's `axis`, as this opset means it: before 13 over all axes from `axis` on."""
    shape = onnx_shape(x)
    if opset >= 13:
        moved, (axis,) = call.along(x, call.integer("axis", -1))
        return call.run(Softmax(axis), moved)
    start = call.integer("axis", 1) % max(1, len(shape))
    flat = call.reshape(x, (math.prod(shape[:start]), math.prod(shape[start:])))
    moved, (axis,) = call.along(flat, 1)
    return call.reshape(call.run(Softmax(axis), moved), shape)


@converts("Softmax", "LogSoftmax")
def softmax(call: Call) -> Result:
    """Along one axis; before opset 13 over all axes from `axis` on. In hardware where a quantizer and a layer follow, else on the host."""
    result = softmax_of(call, call.value(0), call.opset)
    return call.apply(Unary("log"), result) if call.node.op_type == "LogSoftmax" else result


@converts("ArgMax", "ArgMin")
def arg_max(call: Call) -> Result:
    """Index of the largest (smallest) element along an axis."""
    x = call.value(0)
    if call.node.op_type == "ArgMin":
        x = call.apply(Unary("neg"), x)
    x, (axis,) = call.along(x, call.integer("axis", 0))
    result = call.run(ArgMax(axis, call.flag("keepdims", True), call.flag("select_last_index")), x)
    return call.retyped(result, "int64")


@converts("TopK")
def top_k(call: Call) -> Result:
    """Values and indices of the k largest elements; k is an attribute (opset 1), later an input."""
    (k,) = call.numbers(1, "k") if call.has(1) else (call.integer("k"),)
    x, (axis,) = call.along(call.value(0), call.integer("axis", -1))
    if not isinstance(x, Act):
        raise Refusal("constant-subgraph", "'TopK' of constants is not supported", help="fold the constants before, as onnxsim does")
    values, places = call.builder.apply_all(TopK(k, axis, call.flag("largest", True)), x)
    return values, call.retyped(places, "int64")


@converts("Cast", "CastLike")
def cast(call: Call) -> Result:
    """Between real types nothing happens; to integers the fraction is dropped."""
    x = call.value(0)
    elem = call.value(1).elem if call.node.op_type == "CastLike" else ELEMENTS.get(call.integer("to"), "")
    if elem in FLOATS or (elem == x.elem):
        return call.retyped(x, elem)
    if elem in INTEGERS and x.elem in INTEGERS:
        (low, high), (bottom, top) = INTEGERS[x.elem], INTEGERS[elem]
        if (bottom <= low and high <= top) or elem in ("int32", "int64"):
            return call.retyped(x, elem)
    if elem in INTEGERS and x.elem in FLOATS:
        return call.retyped(call.apply(Unary("trunc"), x), elem)
    raise Refusal(
        "unsupported-type",
        f"'Cast' from {x.elem} to {elem or 'an unknown type'} is not supported",
        "values could wrap around",
        "clip first",
    )


@converts("Identity", "DebugMarker", "StopGradient")
def identity(call: Call) -> Result:
    """Nothing."""
    return call.value(0)


@converts("Dropout")
def dropout(call: Call) -> Result:
    """Nothing at inference; its mask is all true."""
    if call.has(2) and call.array(2, "training mode").any():
        raise Refusal("unsupported-op", "'Dropout' in training mode", help="export the model in evaluation mode")
    x = call.value(0)
    return x, Const(np.broadcast_to(np.asarray(True), onnx_shape(x)), "bool", call.node.label)
