"""Norms: what divides by the root of a mean of squares. Each becomes the operators of its definition, as exporters spell it too."""

from __future__ import annotations

import math

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_pointwise import binary
from dfcompile.frontend.value import Refusal, Value, onnx_shape
from dfcompile.ir.modelop import Binary, Reduce, Unary


def standardized(call: Call, x: Value, axes: range, centred: bool, epsilon: float = 1e-5) -> Value:
    """x, less its mean over the axes where it is centred, over the root of the mean of squares and epsilon (its default given)."""
    x, places = call.along(x, *axes)
    d = call.apply(Binary("sub"), x, call.run(Reduce("mean", places), x)) if centred else x
    squares = call.run(Reduce("mean", places), call.apply(Binary("mul"), d, d))
    variance = call.apply(Binary("add"), squares, call.const(call.real("epsilon", epsilon), "epsilon"))
    return call.apply(Binary("div"), d, call.apply(Unary("sqrt"), variance))


def scaled(call: Call, x: Value, first: int, axis: int | None = None) -> Value:
    """x times input `first` plus the next one, where they are given; along one axis, else as numpy broadcasts."""
    for i, fn in ((first, "mul"), (first + 1, "add")):
        if call.has(i):
            operand = call.value(i)
            if axis is not None:
                rank = len(onnx_shape(x))
                operand = call.reshape(operand, (math.prod(onnx_shape(operand)), *(1,) * (rank - axis - 1)))
            x = binary(call, fn, x, operand)
    return x


def _trailing(call: Call, x: Value, default: int) -> range:
    rank = len(onnx_shape(x))
    return range(call.integer("axis", default) % max(1, rank), rank)


@converts("LayerNormalization")
def layer_norm(call: Call) -> Result:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over the last axes; with a quantizer behind it a unit, else on the host."""
    x = call.value(0)
    return scaled(call, standardized(call, x, _trailing(call, x, -1), True), 1)


@converts("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(call: Call) -> Result:
    """x / sqrt(mean of squares + epsilon) * scale over the last axes; with a quantizer behind it a unit, else on the host."""
    x = call.value(0)
    return scaled(call, standardized(call, x, _trailing(call, x, -1), False), 1)


@converts("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def skip_layer_norm(call: Call) -> Result:
    """A sum of two tensors and perhaps a bias, then LayerNormalization or RMSNormalization over the last axis."""
    simplified = call.node.op_type == "SkipSimplifiedLayerNormalization"
    total = binary(call, "add", call.value(0), call.value(1))
    bias = 3 if simplified else 4
    if call.has(bias):
        total = binary(call, "add", total, call.value(bias))
    rank = len(onnx_shape(total))
    made = binary(call, "mul", standardized(call, total, range(rank - 1, rank), not simplified, 1e-12), call.value(2))
    return binary(call, "add", made, call.value(3)) if not simplified and call.has(3) else made


@converts("InstanceNormalization")
def instance_norm(call: Call) -> Result:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over rows and columns; with a quantizer behind it a unit, else on the host."""
    x = call.value(0)
    return scaled(call, standardized(call, x, range(2, len(onnx_shape(x))), True), 1, 1)


@converts("GroupNormalization")
def group_norm(call: Call) -> Result:
    """InstanceNormalization over groups of channels; scale and bias of each group or, from opset 21 on, of each channel."""
    x, groups = call.value(0), call.integer("num_groups")
    shape = onnx_shape(x)
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise Refusal("bad-attribute", f"'GroupNormalization' has {groups} groups for a tensor of shape {'x'.join(map(str, shape))}")
    grouped = call.reshape(x, (shape[0], groups, math.prod(shape[1:]) // groups))
    made = standardized(call, grouped, range(2, 3), True)
    if call.has(1) and onnx_shape(call.value(1)) == (groups,):
        return call.reshape(scaled(call, made, 1, 1), shape)
    return scaled(call, call.reshape(made, shape), 1, 1)


@converts("LpNormalization")
def lp_norm(call: Call) -> Result:
    """x over the sum of its magnitudes along an axis, or over the root of the sum of its squares; with a quantizer behind it a unit."""
    x, p = call.value(0), call.integer("p", 2)
    x, places = call.along(x, call.integer("axis", -1))
    if p == 1:
        return call.apply(Binary("div"), x, call.run(Reduce("sum", places), call.apply(Unary("abs"), x)))
    return call.apply(Binary("div"), x, call.apply(Unary("sqrt"), call.run(Reduce("sum", places), call.apply(Binary("mul"), x, x))))
