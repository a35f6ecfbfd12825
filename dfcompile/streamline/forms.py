"""Chains of elementwise operators as functions of one number, whatever holds it (`enclose`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.modelop import BatchNorm, Binary, Dequantize, Unary
from dfcompile.streamline import exact
from dfcompile.streamline.enclose import Number
from dfcompile.streamline.step import Chain, Join, Step

_HIGHEST_POWER = 8
_CUBIC = Fraction(44715, 10**6)  # of the tanh form of GELU


def _limited(x: Number, low: float, high: float) -> Number:
    raised = x if low == -math.inf else x.larger(x.like(Fraction(low)))
    return raised if high == math.inf else raised.smaller(x.like(Fraction(high)))


def _exponential(x: Number, rate: Fraction, gain: Fraction) -> Number:
    """x above 0, gain * (exp(rate * x) - 1) below."""
    zero = x.like(Fraction(0))
    return x.larger(zero) + x.like(gain) * ((x.like(rate) * x.smaller(zero)).exp() - x.like(Fraction(1)))


def _size(x: Number) -> Number:
    """The magnitude, of intervals around 0 too not below it."""
    zero = x.like(Fraction(0))
    return x.larger(zero - x).larger(zero)


def _bent(x: Number, slope: Fraction) -> Number:
    """x above 0, slope * x below."""
    zero = x.like(Fraction(0))
    return x.larger(zero) + x.like(slope) * x.smaller(zero)


def _gelu(x: Number) -> Number:
    half, one, f = x.like(Fraction(1, 2)), x.like(Fraction(1)), x.field
    return x * half * (one + (x * x.within(f.root(f.of(Fraction(1, 2))))).erf())


def _gelu_tanh(x: Number) -> Number:
    half, one = x.like(Fraction(1, 2)), x.like(Fraction(1))
    inner, f = x + x.like(_CUBIC) * (x * x * x), x.field
    rate = f.times(f.two_over_root_pi(), f.root(f.of(Fraction(1, 2))))  # sqrt(2 / pi)
    return x * half * (one + (inner * x.within(rate)).tanh())


FORMS: dict[str, Callable[[Number, float, float], Number]] = {
    "relu": lambda x, a, b: _limited(x, 0.0, math.inf),
    "clip": _limited,
    "leaky_relu": lambda x, a, b: _bent(x, Fraction(a)),
    "elu": lambda x, a, b: _exponential(x, Fraction(1), Fraction(a)),
    "selu": lambda x, a, b: x.like(Fraction(b)) * _exponential(x, Fraction(1), Fraction(a)),
    "celu": lambda x, a, b: _exponential(x, 1 / Fraction(a), Fraction(a)),
    "sigmoid": lambda x, a, b: x.sigmoid(),
    "tanh": lambda x, a, b: x.tanh(),
    "hard_sigmoid": lambda x, a, b: _limited(x.like(Fraction(a)) * x + x.like(Fraction(b)), 0.0, 1.0),
    "hard_swish": lambda x, a, b: x * _limited(x.like(Fraction(1, 6)) * x + x.like(Fraction(1, 2)), 0.0, 1.0),
    "softplus": lambda x, a, b: x.softplus(),
    "softsign": lambda x, a, b: x / (x.like(Fraction(1)) + _size(x)),
    "erf": lambda x, a, b: x.erf(),
    "gelu": lambda x, a, b: _gelu(x),
    "gelu_tanh": lambda x, a, b: _gelu_tanh(x),
    "silu": lambda x, a, b: x * x.sigmoid(),
    "swish": lambda x, a, b: x * (x.like(Fraction(a)) * x).sigmoid(),
    "mish": lambda x, a, b: x * x.softplus().tanh(),
    "exp": lambda x, a, b: x.exp(),
    "abs": lambda x, a, b: _size(x),
    "neg": lambda x, a, b: x.like(Fraction(0)) - x,
    "reciprocal": lambda x, a, b: x.like(Fraction(1)) / x,
}
"""Functions of one number that have a form here, by the names of `UNARY`, without jumps but at a pole."""

_JOINS: dict[str, Callable[[Number, Number], Number]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "min": lambda a, b: a.smaller(b),
    "max": lambda a, b: a.larger(b),
}


def has_form(op: Any, slot: int, parameter: Any = None) -> bool:
    """Whether an elementwise operator, the running number its input `slot`, has a form. parameter: a Binary's other operand"""
    if isinstance(op, Unary):
        return op.fn in FORMS
    if isinstance(op, Binary):
        if op.fn == "pow":
            return slot == 0 and parameter is not None and bool(np.all(np.isin(parameter, np.arange(1, _HIGHEST_POWER + 1))))
        return op.fn in _JOINS or (op.fn == "prelu" and slot == 0)
    return isinstance(op, Dequantize | BatchNorm)


def joins(op: Binary) -> bool:
    """Whether two functions of one number joined by an operator have a form."""
    return op.fn in _JOINS


def value_of(chain: Chain, x: Number) -> Number:
    """What a chain of one channel (its parameters scalars) makes of a number."""
    for step in chain:
        x = _JOINS[step.op.fn](value_of(step.left, x), value_of(step.right, x)) if isinstance(step, Join) else _applied(step, x)
    return x


def _applied(step: Step, x: Number) -> Number:
    op, p = step.op, [Fraction(float(np.ravel(a)[0])) for a in step.params]
    if isinstance(op, Unary):
        return FORMS[op.fn](x, op.alpha, op.beta)
    if isinstance(op, Dequantize):
        return (x - x.like(p[1])) * x.like(p[0])
    if isinstance(op, BatchNorm):
        scale, bias, mean, var = p
        return (x - x.like(mean)) * x.like(scale / exact.root(var + Fraction(op.epsilon))) + x.like(bias)
    assert isinstance(op, Binary), "has_form has been asked"
    if op.fn == "prelu":
        return _bent(x, p[0])
    if op.fn == "pow":
        result = x
        for _ in range(int(p[0]) - 1):
            result = result * x
        return result
    pair = (x, x.like(p[0])) if step.slot == 0 else (x.like(p[0]), x)
    return _JOINS[op.fn](*pair)


def affine_of(step: Step | Join) -> tuple[Fraction, Fraction] | None:
    """(gain, shift) of an operator of one channel that is an affine, exact rationals; None for others."""
    if isinstance(step, Join):
        return None
    op = step.op
    affine = isinstance(op, Dequantize | BatchNorm) or (isinstance(op, Unary) and op.fn == "neg")
    if isinstance(op, Binary):
        affine = op.fn in ("add", "sub", "mul") or (op.fn == "div" and step.slot == 0)
    if not affine:
        return None
    shift = step.exact(Fraction(0), 0)
    return step.exact(Fraction(1), 0) - shift, shift
