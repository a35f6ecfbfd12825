"""The exact arithmetic of chains on single values, against definitions written out here."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.modelop import Binary, Quantize, Unary
from dfcompile.streamline import exact
from tests.exact_arithmetic import rounded
from tests.examples import examples
from tests.streamline.chains import MODES

HALVES = [Fraction(n, 4) for n in range(-14, 15)]
NUMBERS = st.fractions(-9, 9, max_denominator=12)


@pytest.mark.parametrize("mode", [*MODES, "HALF_EVEN"])
@pytest.mark.parametrize("zero", [0, 3, -1])
@pytest.mark.parametrize("zero_after", [False, True])
def test_every_rounding_mode_on_ties(mode: str, zero: int, zero_after: bool) -> None:
    if mode == "HALF_EVEN":
        mode = "ROUND"  # its other name in QONNX
    op = Quantize(-3, 4, mode, zero_after)
    for x in HALVES:
        if zero_after:
            wanted = min(max(rounded(x / 3, mode) + zero, -3), 4)
        else:
            wanted = rounded(min(max(x / 3 + zero, Fraction(-3)), Fraction(4)), mode)
        assert exact.quantize(op, x, Fraction(3), Fraction(zero)) == wanted


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        ("ROUND", [-2, -2, 0, 0, 2, 2]),
        ("UP", [-3, -2, -1, 1, 2, 3]),
        ("DOWN", [-2, -1, 0, 0, 1, 2]),
        ("CEIL", [-2, -1, 0, 1, 2, 3]),
        ("FLOOR", [-3, -2, -1, 0, 1, 2]),
        ("HALF_UP", [-3, -2, -1, 1, 2, 3]),
        ("HALF_DOWN", [-2, -1, 0, 0, 1, 2]),
    ],
)
def test_halves_by_hand(mode: str, codes: list[int]) -> None:
    """-2.5 to 2.5: so that no oracle stands between the modes and their definition in QONNX."""
    op = Quantize(-9, 9, mode)
    assert [exact.quantize(op, Fraction(n, 2), Fraction(1), Fraction(0)) for n in (-5, -3, -1, 1, 3, 5)] == codes


@examples(200)
@given(st.fractions(0, 50, max_denominator=99))
def test_root(x: Fraction) -> None:
    """Exact for squares; else within 1e-100, from below."""
    assert exact.root(x * x) == x
    found = exact.root(x)
    assert found * found <= x < (found + Fraction(1, 10**100)) ** 2


@examples(200)
@given(NUMBERS, NUMBERS.filter(bool))
def test_functions_of_two(a: Fraction, b: Fraction) -> None:
    found = {fn: exact.binary(fn, a, b) for fn in ("add", "sub", "mul", "div", "min", "max", "prelu")}
    assert found == {
        "add": a + b, "sub": a - b, "mul": a * b, "div": a / b,
        "min": min(a, b), "max": max(a, b), "prelu": a if a >= 0 else a * b,
    }  # fmt: skip


UNARY = {
    Unary("relu"): lambda x: max(x, 0),
    Unary("clip", -1.5, 2.5): lambda x: min(max(x, Fraction(-3, 2)), Fraction(5, 2)),
    Unary("clip", -math.inf, 2.5): lambda x: min(x, Fraction(5, 2)),
    Unary("clip", -1.5, math.inf): lambda x: max(x, Fraction(-3, 2)),
    Unary("leaky_relu", 0.25): lambda x: x if x >= 0 else x / 4,
    Unary("abs"): abs,
    Unary("neg"): lambda x: -x,
    Unary("sign"): lambda x: (x > 0) - (x < 0),
    Unary("floor"): math.floor,
    Unary("ceil"): math.ceil,
    Unary("round"): round,
    Unary("hard_sigmoid", 0.5, 0.25): lambda x: min(max(x / 2 + Fraction(1, 4), 0), 1),
}


@pytest.mark.parametrize("op", UNARY, ids=str)
def test_functions_of_one(op: Unary) -> None:
    assert all(exact.unary(op, x) == UNARY[op](x) for x in HALVES)


def test_the_rest_goes_through_float64() -> None:
    assert exact.unary(Unary("tanh"), Fraction(1, 2)) == Fraction(math.tanh(0.5))
    assert exact.binary("pow", Fraction(3, 2), Fraction(2)) == Fraction(9, 4)
    assert exact.binary("pow", Fraction(2), Fraction(1, 2)) == Fraction(float(Binary("pow").execute(np.array(2.0), np.array(0.5))[0]))
