"""Intervals hold what functions of one number and their slopes really are, to sixty digits of mpmath; roots of rationals are exact."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.modelop import BatchNorm, Binary, Dequantize, Unary
from dfcompile.streamline.enclose import Field, Number, Real, Surd
from dfcompile.streamline.forms import FORMS, affine_of, has_form, value_of
from dfcompile.streamline.step import Chain, Join, Step
from tests.examples import examples

A, B = 0.75, 1.25
MP = mpmath.mp.clone()
MP.dps = 60


def _elu(x: Any, a: Any) -> Any:
    return x if x > 0 else a * MP.expm1(x)


MEANT: dict[str, Any] = {
    "relu": lambda x: max(x, 0),
    "clip": lambda x: min(max(x, A), B),
    "leaky_relu": lambda x: x if x > 0 else A * x,
    "elu": lambda x: _elu(x, A),
    "selu": lambda x: B * _elu(x, A),
    "celu": lambda x: x if x > 0 else A * MP.expm1(x / A),
    "sigmoid": lambda x: 1 / (1 + MP.exp(-x)),
    "tanh": MP.tanh,
    "hard_sigmoid": lambda x: min(max(A * x + B, 0), 1),
    "hard_swish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "softplus": lambda x: MP.log(1 + MP.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "erf": MP.erf,
    "gelu": lambda x: x * MP.ncdf(x),
    "gelu_tanh": lambda x: x / 2 * (1 + MP.tanh(MP.sqrt(2 / MP.pi) * (x + MP.mpf(44715) / 10**6 * x**3))),
    "silu": lambda x: x / (1 + MP.exp(-x)),
    "swish": lambda x: x / (1 + MP.exp(-A * x)),
    "mish": lambda x: x * MP.tanh(MP.log(1 + MP.exp(x))),
    "exp": MP.exp,
    "abs": abs,
    "neg": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
}
CURVED: dict[str, tuple[Chain, Any]] = {
    **{fn: ((Step(Unary(fn, A, B)),), f) for fn, f in MEANT.items()},
    "prelu": ((Step(Binary("prelu"), 0, (np.array(0.25),)),), lambda x: x if x > 0 else x / 4),
    "cube": ((Step(Binary("pow"), 0, (np.array(3.0),)),), lambda x: x**3),
    "affine": (
        (
            *(Step(Binary("mul"), 0, (np.array(-1.5),)), Step(Binary("sub"), 1, (np.array(0.25),))),
            Step(Dequantize(), 0, (np.array(0.5), np.array(3.0))),
        ),
        lambda x: ((0.25 + 1.5 * x) - 3) / 2,
    ),
    "normalized": (
        (Step(BatchNorm(0.25), 0, tuple(np.array(v) for v in (3.0, 0.5, -1.0, 2.0))),), lambda x: (x + 1) * 3 / MP.mpf(2.25) ** 0.5 + 0.5,
    ),
    "silu_of_parts": ((Join(Binary("mul"), (), (Step(Unary("sigmoid")),)),), MEANT["silu"]),
    "quotient": (
        (Join(Binary("div"), (), (Step(Unary("neg")), Step(Unary("exp")), Step(Binary("add"), 1, (np.array(1.0),)))),), MEANT["silu"],
    ),
    "larger": (
        (Join(Binary("max"), (), (Step(Unary("tanh")), Step(Binary("mul"), 0, (np.array(2.0),)))),), lambda x: max(x, 2 * MP.tanh(x)),
    ),
    "smaller": ((Join(Binary("min"), (Step(Unary("exp")),), (Step(Unary("abs")),)),), lambda x: min(MP.exp(x), abs(x))),
}  # fmt: skip


def mp(x: Decimal | Fraction) -> Any:
    n, d = x.as_integer_ratio()
    return MP.mpf(n) / d


def test_no_function_is_missed() -> None:
    assert set(MEANT) == set(FORMS)


@pytest.mark.parametrize("name", CURVED)
@examples(40)
@given(st.fractions(-12, 12, max_denominator=1000), st.sampled_from([0, 1e-9, 1e-3, 0.4, 5]), st.integers(0, 9), st.sampled_from([28, 50]))
def test_values_and_slopes_are_held(name: str, low: Fraction, width: float, tenth: int, digits: int) -> None:
    chain, meant = CURVED[name]
    field = Field(digits)
    ends = field.of(low)[0], field.of(low + Fraction(width))[1]
    x = mp(ends[0]) + (mp(ends[1]) - mp(ends[0])) * tenth / 9
    found = value_of(chain, Real.between(field, *ends)).real()
    (a, b), (down, up) = found.value, found.slope
    if not a.is_finite():
        assert name == "reciprocal" and ends[0] <= 0 <= ends[1]
        return
    slack = MP.mpf(10) ** -50  # of mpmath
    assert mp(a) - slack <= meant(x) <= mp(b) + slack
    h = MP.mpf(10) ** -20
    if mp(ends[0]) + h < x < mp(ends[1]) - h:  # a slope of a chord is one somewhere between
        chord = (meant(x + h) - meant(x - h)) / (2 * h)
        assert mp(down) - MP.mpf(10) ** -25 <= chord <= mp(up) + MP.mpf(10) ** -25
    if not width:
        assert b - a <= Decimal(10) ** (6 - digits) * max(1, abs(a))


numbers = st.fractions(-5, 5, max_denominator=12)


@examples(200)
@given(st.fractions(0, 9, max_denominator=9), numbers, numbers, numbers, numbers)
def test_roots_are_exact(square: Fraction, a: Fraction, b: Fraction, c: Fraction, d: Fraction) -> None:
    field = Field(40)
    x, y = Surd.of(field, square, a, b), Surd.of(field, square, c, d)
    root = MP.sqrt(mp(square))
    meant = [mp(u) + mp(v) * root for u, v in ((a, b), (c, d))]
    pairs: list[tuple[Number, Any]] = [(x + y, meant[0] + meant[1]), (x - y, meant[0] - meant[1]), (x * y, meant[0] * meant[1])]
    pairs += [(x.larger(y), max(meant)), (x.smaller(y), min(meant))]
    if y.sign:
        pairs.append((x / y, meant[0] / meant[1]))
    for found, right in pairs:
        assert isinstance(found, Surd)
        assert found.sign == (0 if abs(right) < 1e-40 else 1 if right > 0 else -1)
        low, high = found.real().value
        assert mp(low) - 1e-50 <= right <= mp(high) + 1e-50 and high - low < Decimal("1e-30")


@pytest.mark.parametrize("fn", ["silu", "gelu", "gelu_tanh", "mish", "tanh", "erf"])
def test_functions_of_0_are_0(fn: str) -> None:
    found = value_of((Step(Unary(fn)),), Surd.of(Field(30), Fraction(2), Fraction(0), Fraction(0)))
    assert isinstance(found, Surd) and found.sign == 0


def test_0_times_what_has_no_bounds_is_not_0() -> None:
    field = Field(30)
    zero = Surd.of(field, Fraction(2), Fraction(0), Fraction(0))
    assert not (zero * (zero.like(Fraction(1)) / zero)).real().value[0].is_finite()


def test_what_has_a_form() -> None:
    cube = np.array(3.0)
    assert has_form(Unary("mish"), 0) and not has_form(Unary("sin"), 0) and not has_form(Unary("floor"), 0)
    assert has_form(Binary("pow"), 0, cube) and not has_form(Binary("pow"), 1, cube) and not has_form(Binary("pow"), 0, np.array(0.5))
    assert has_form(Binary("div"), 1) and has_form(Binary("prelu"), 0) and not has_form(Binary("prelu"), 1)


def test_affines() -> None:
    assert affine_of(Step(Binary("sub"), 1, (np.array(0.25),))) == (-1, Fraction(1, 4))
    assert affine_of(Step(Binary("div"), 1, (np.array(0.25),))) is None and affine_of(Step(Unary("relu"))) is None
    assert affine_of(Join(Binary("add"), (), ())) is None
