"""Comparisons, logic and selection, written out with signs: a truth value is the number 0 or 1."""

from __future__ import annotations

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_pointwise import binary, bottomless
from dfcompile.frontend.model import FLOATS
from dfcompile.frontend.value import Act, Const, Refusal, Value
from dfcompile.ir.modelop import Binary, Bipolar, Unary

_COMPARISONS = {"GreaterOrEqual": (0, 1), "Greater": (1, 0), "LessOrEqual": (1, 0), "Less": (0, 1)}
"""Which operand is subtracted from which, so that the sign of the difference decides (see `compare`)."""


@converts("GreaterOrEqual", "Greater", "LessOrEqual", "Less")
def compare(call: Call) -> Result:
    """``a >= b`` is whether a - b has the sign +1, ``a > b`` whether b - a has not; the others likewise."""
    first, second = _COMPARISONS[call.node.op_type]
    reached = _reaches_zero(call, binary(call, "sub", call.value(first), call.value(second)))
    return reached if call.node.op_type.endswith("OrEqual") else negation(call, reached)


def _reaches_zero(call: Call, x: Value) -> Value:
    sign = call.apply(Bipolar(), x, elem="bool")
    return _affine(call, sign, 0.5, 0.5)


def _affine(call: Call, x: Value, gain: float, shift: float) -> Value:
    product = call.apply(Binary("mul"), x, call.const(gain, "gain"), elem="bool")
    return call.apply(Binary("add"), product, call.const(shift, "shift"), elem="bool")


@converts("Equal")
def equal(call: Call) -> Result:
    """Whether the difference of two tensors has neither sign."""
    difference = binary(call, "sub", call.value(0), call.value(1))
    return negation(call, call.apply(Unary("abs"), call.apply(Unary("sign"), difference)))


def negation(call: Call, x: Value) -> Value:
    """1 - x"""
    return _affine(call, x, -1.0, 1.0)


@converts("Not")
def logical_not(call: Call) -> Result:
    """1 - x of a truth value."""
    return negation(call, call.value(0))


@converts("And", "Or")
def logical(call: Call) -> Result:
    """The smaller or the larger of two truth values."""
    fn = "min" if call.node.op_type == "And" else "max"
    return call.retyped(binary(call, fn, truth(call, call.value(0)), truth(call, call.value(1))), "bool")


def truth(call: Call, x: Value) -> Value:
    """A truth value as the number 0 or 1."""
    return call.const(x.array != 0, x.name) if isinstance(x, Const) else x


@converts("Where")
def where(call: Call) -> Result:
    """A selection by a condition; see `select`."""
    return select(call, call.value(0), call.value(1), call.value(2))


def select(call: Call, condition: Value, x: Value, y: Value) -> Value:
    """``condition * x + (1 - condition) * y``: exact, since one of the terms is 0; a term that is always 0 is left out."""
    condition = truth(call, condition)
    terms = []
    for factor, operand in ((condition, x), (negation(call, condition), y)):
        operand = bottomless(call, operand)
        if isinstance(operand, Const) and operand.elem in FLOATS and not np.all(np.isfinite(operand.array)):
            raise Refusal(
                "not-finite",
                f"'{call.node.op_type}' selects a number that is not finite",
                "infinity and NaN have no integer code",
                "select a finite number",
            )
        if not (isinstance(operand, Const) and not operand.array.any()):
            terms.append(call.retyped(binary(call, "mul", factor, operand), operand.elem))
    if not terms:
        return call.const(np.zeros(np.broadcast_shapes(*(v.shape for v in (condition, x, y) if not isinstance(v, Act)))), "nothing")
    return terms[0] if len(terms) == 1 else binary(call, "add", *terms)
