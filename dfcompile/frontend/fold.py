"""Constant folding of what exporters compute with shapes, bit widths and scales.

Integers and booleans keep ONNX's own types; real numbers are float64, so that what is folded is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dfcompile.frontend.call import Call
from dfcompile.frontend.model import FLOATS, INTEGERS, Array, OnnxNode
from dfcompile.frontend.onnx_types import ELEMENTS
from dfcompile.frontend.value import Const, Refusal
from dfcompile.ir.modelop_base import broadcast_shape, sized


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.asarray(a / b)
    if np.any(b == 0):
        raise ValueError("an integer is divided by 0")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))  # towards 0, as in C


def _modulo(a: Array, b: Array) -> Array:
    if np.any(b == 0):
        raise ValueError("a remainder is taken modulo 0")
    return np.asarray(np.mod(a, b))


POINTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Mod": _modulo,
    "Pow": np.power,
    "Abs": np.abs,
    "Neg": np.negative,
    "Sign": np.sign,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Round": np.rint,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": np.reciprocal,
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
    "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Not": np.logical_not,
    "Where": np.where,
}
"""ONNX operators that are one numpy function of broadcast operands."""

_VARIADIC: dict[str, Callable[[Array, Array], Any]] = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}


def folded(call: Call) -> Const | None:
    """The value of a node whose inputs are all constant, None when this module does not know the operator."""
    name = call.node.op_type
    inputs = [i for i in call.inputs if isinstance(i, Const)]
    if call.node.domain not in ("", "ai.onnx") or len(inputs) != len(call.inputs):
        return None
    if name in _SPECIAL:
        return _SPECIAL[name](call)
    if not inputs or (name not in POINTWISE and name not in _VARIADIC):
        return None
    call.builder.spend(_elements(inputs))
    arrays = [i.array for i in inputs]
    with np.errstate(all="ignore"):
        if name in POINTWISE:
            _check_operands(name, arrays)
            result = np.asarray(POINTWISE[name](*arrays))
        else:
            result = arrays[0]
            for a in arrays[1:]:
                result = np.asarray(_VARIADIC[name](result, a))
    result = result.astype(np.float64) if result.dtype.kind == "f" else result
    kinds = {"f": "float32", "b": "bool"}
    return Const(result, kinds.get(result.dtype.kind) or inputs[0].elem, call.node.outputs[0] if call.node.outputs else name)


def is_folded(node: OnnxNode) -> bool:
    """Whether this module knows the operator, where all that it reads is constant."""
    return node.domain in ("", "ai.onnx") and (node.op_type in _SPECIAL or node.op_type in POINTWISE or node.op_type in _VARIADIC)


def _elements(inputs: list[Const]) -> int:
    """Elements of the broadcast of all inputs; empty ones are legal here."""
    shape = broadcast_shape(*(i.shape for i in inputs))
    return math.prod(shape if 0 in shape else sized(*shape).shape)


def _check_operands(name: str, arrays: list[Array]) -> None:
    function = POINTWISE[name]
    expected = function.nin if isinstance(function, np.ufunc) else 3 if name == "Where" else 2
    if len(arrays) != expected:
        raise Refusal("missing-input", f"'{name}' has {len(arrays)} inputs instead of {expected}")
    if (name == "Neg" and arrays[0].dtype.kind == "b") or (name == "Sub" and any(a.dtype.kind == "b" for a in arrays)):
        raise ValueError(f"'{name}' is not defined on booleans")
    if name == "Reciprocal" and arrays[0].dtype.kind != "f":
        raise ValueError("'Reciprocal' is defined on real numbers")
    if name == "Pow" and arrays[0].dtype.kind != "f" and np.any(arrays[1] < 0):
        raise ValueError("an integer is raised to a negative power")


def _constant(call: Call) -> Const:
    """``value`` in any of its forms."""
    given = {k: v for k, v in call.node.attributes.items() if v is not None}
    name = call.node.outputs[0] if call.node.outputs else call.node.label
    for key, elem in (("value_float", "float32"), ("value_floats", "float32"), ("value_int", "int64"), ("value_ints", "int64")):
        if key in given:
            many = key.endswith("s")
            if isinstance(given[key], tuple) != many or isinstance(given[key], str):
                raise Refusal("bad-attribute", f"attribute '{key}' of 'Constant' has the wrong type")
            return Const(np.asarray(given[key], np.float64 if elem == "float32" else np.int64), elem, name, stored=True)
    if "value" not in given and "sparse_value" not in given:
        raise Refusal("missing-attribute", "'Constant' has no value of a supported type")
    tensor = call.tensor("value" if "value" in given else "sparse_value")
    return Const(tensor.data, tensor.elem, name, stored=tensor.elem == "float32")


def _constant_of_shape(call: Call) -> Const:
    shape = call.numbers(0, "shape")
    if any(s < 0 for s in shape):
        raise Refusal("bad-parameter", f"'ConstantOfShape' is asked for a negative size: {shape}")
    if shape and 0 not in shape:
        sized(*shape)
    value = call.tensor("value") if call.given("value") else None
    if value is not None and value.data.size != 1:
        raise Refusal("bad-attribute", "attribute 'value' of 'ConstantOfShape' must have one element")
    one = np.zeros(()) if value is None else value.data.reshape(())
    # A view of one element: nothing is allocated however large the shape.
    return Const(np.broadcast_to(one, shape), value.elem if value else "float32", call.node.label)


def _range(call: Call) -> Const:
    start, limit, delta = (call.array(i, "bound") for i in range(3))
    if any(a.size != 1 for a in (start, limit, delta)) or not delta.any():
        raise Refusal("bad-parameter", "'Range' needs three numbers and a step that is not 0")
    first, last, step = (a.ravel()[0] for a in (start, limit, delta))
    count = max(0, int(np.ceil((float(last) - float(first)) / float(step))))
    call.builder.spend(count)
    values = np.asarray(first + np.arange(count) * step, dtype=start.dtype)
    return Const(values, call.value(0).elem, call.node.label)


def _cast(call: Call) -> Const:
    value = call.value(0)
    assert isinstance(value, Const), "only constants are folded"
    elem = ELEMENTS.get(call.integer("to"), "")
    if elem in FLOATS:
        return Const(value.array.astype(np.float64), elem, value.name, value.stored)
    if elem == "bool":
        return Const(value.array != 0, elem, value.name)
    if elem not in INTEGERS:
        raise Refusal("unsupported-type", f"'Cast' to {elem or 'an unknown type'} is not supported")
    bits = max(8, int(elem.lstrip("uint")))
    whole = np.trunc(value.array) if value.array.dtype.kind == "f" else value.array
    if not np.all(np.isfinite(whole)):
        raise ValueError("'Cast' of a number that is not finite to an integer")
    low, high = INTEGERS[elem]
    if whole.dtype.kind == "f":
        whole = np.clip(whole, low, float(high) if bits < 64 else 2.0**62)
    return Const(whole.astype(f"{elem.rstrip('0123456789')}{bits}"), elem, value.name)


def _non_zero(call: Call) -> Const:
    value = call.array(0, "operand")
    return Const(np.asarray(np.nonzero(value), dtype=np.int64), "int64", call.node.label)


def _reduce_prod(call: Call) -> Const:
    """Over `axes`, an attribute or (opset 18) an input; over all where there are none."""
    x = call.array(0, "operand")
    axes = call.numbers(1, "axes") if call.has(1) else tuple(call.node.attributes.get("axes") or ())
    if any(not -x.ndim <= a < x.ndim for a in axes):
        raise ValueError(f"the axes {axes} are not those of {x.ndim} axes")
    if not axes and call.flag("noop_with_empty_axes"):
        return Const(x, call.value(0).elem, call.node.label)
    product = np.prod(x, axis=axes or None, keepdims=call.flag("keepdims", True), dtype=x.dtype)
    return Const(np.asarray(product), call.value(0).elem, call.node.label)


def _cum_sum(call: Call) -> Const:
    x, axis = call.array(0, "operand"), int(call.scalar(1, "axis"))
    if call.flag("reverse") or call.flag("exclusive"):
        raise Refusal("bad-attribute", "'CumSum' in reverse or without its last element is not supported")
    return Const(np.cumsum(x, axis=axis, dtype=x.dtype), call.value(0).elem, call.node.label)


def _trilu(call: Call) -> Const:
    x, k = call.array(0, "operand"), int(call.scalar(1, "diagonal")) if call.has(1) else 0
    return Const((np.triu if call.flag("upper", True) else np.tril)(x, k), call.value(0).elem, call.node.label)


def _scatter_nd(call: Call) -> Const:
    """Elements, rows or blocks of a constant replaced."""
    x, at, new = (call.array(i, "operand") for i in range(3))
    if call.node.attributes.get("reduction", "none") != "none":
        raise Refusal("bad-attribute", "'ScatterND' with a reduction is not supported")
    if at.shape[-1] > x.ndim or np.any(at < -np.array(x.shape[: at.shape[-1]])) or np.any(at >= x.shape[: at.shape[-1]]):
        raise ValueError("its indices lie outside of its operand")
    result = x.copy()
    result[tuple(np.moveaxis(at, -1, 0))] = new
    return Const(result, call.value(0).elem, call.node.label)


_SPECIAL: dict[str, Callable[[Call], Const]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Cast": _cast,
    "NonZero": _non_zero,
    "ReduceProd": _reduce_prod,
    "CumSum": _cum_sum,
    "Trilu": _trilu,
    "ScatterND": _scatter_nd,
}
