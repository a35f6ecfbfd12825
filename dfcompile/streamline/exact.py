"""The operators of a chain on single values, in exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from dfcompile.ir.modelop import Binary, Quantize, Unary


def _round(x: Fraction, mode: str) -> int:
    if mode in ("ROUND", "HALF_EVEN"):
        return round(x)
    if mode in ("FLOOR", "CEIL"):
        return math.floor(x) if mode == "FLOOR" else math.ceil(x)
    size = abs(x)
    half = Fraction(1, 2)
    n = {
        "UP": lambda: math.ceil(size),
        "DOWN": lambda: math.floor(size),
        "HALF_UP": lambda: math.floor(size + half),
        "HALF_DOWN": lambda: math.ceil(size - half),
    }[mode]()
    return n if x >= 0 else -n


def quantize(op: Quantize, x: Fraction, scale: Fraction, zero: Fraction) -> Fraction:
    """The code of x."""
    if op.zero_after:
        return min(max(_round(x / scale, op.rounding) + zero, Fraction(op.lo)), Fraction(op.hi))
    return Fraction(_round(min(max(x / scale + zero, Fraction(op.lo)), Fraction(op.hi)), op.rounding))


def root(x: Fraction) -> Fraction:
    """Square root to more than 100 digits; exact for squares of rationals."""
    n, d = x.numerator, x.denominator
    rn, rd = math.isqrt(n), math.isqrt(d)
    if rn * rn == n and rd * rd == d:
        return Fraction(rn, rd)
    shift = 10**120
    return Fraction(math.isqrt(n * shift * shift // d), shift)


def binary(fn: str, a: Fraction, b: Fraction) -> Fraction:
    """A function of `BINARY`; pow goes through float64."""
    match fn:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return a / b
        case "min":
            return min(a, b)
        case "max":
            return max(a, b)
        case "prelu":
            return a if a >= 0 else a * b
    return Fraction(float(Binary(fn).execute(np.asarray(float(a)), np.asarray(float(b)))[0]))


def unary(op: Unary, x: Fraction) -> Fraction:
    """A function of `UNARY`; transcendental ones go through float64."""
    match op.fn:
        case "relu":
            return max(x, Fraction(0))
        case "clip":
            low = x if op.alpha == -math.inf else max(x, Fraction(op.alpha))
            return low if op.beta == math.inf else min(low, Fraction(op.beta))
        case "leaky_relu":
            return x if x >= 0 else x * Fraction(op.alpha)
        case "abs":
            return abs(x)
        case "neg":
            return -x
        case "sign":
            return Fraction((x > 0) - (x < 0))
        case "floor" | "ceil" | "round":
            return Fraction(_round(x, {"floor": "FLOOR", "ceil": "CEIL", "round": "ROUND"}[op.fn]))
        case "hard_sigmoid":
            return min(max(Fraction(op.alpha) * x + Fraction(op.beta), Fraction(0)), Fraction(1))
    return Fraction(float(op.execute(np.asarray(float(x)))[0]))
