"""Which float64 results are rounded, against rationals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.streamline.rounding import product_is_inexact, quotient_is_inexact, sum_is_inexact
from tests.examples import examples

# Many pairs are exact, many are not, and many miss by the last bit.
FEW = st.integers(-(2**53), 2**53).map(float) | st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 3.0, 1e-3, 2.0**-30, 1 + 2.0**-52, 7.0, -0.7])
NUMBERS = st.builds(lambda a, e: float(np.ldexp(a, e)), FEW | st.integers(-64, 64).map(float), st.integers(-60, 10))
CASES: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], Any]]] = {
    "sum": (sum_is_inexact, lambda a, b: a + b),
    "product": (product_is_inexact, lambda a, b: a * b),
    "quotient": (quotient_is_inexact, lambda a, b: a / b),
}


@pytest.mark.parametrize("case", CASES)
@examples(500)
@given(a=NUMBERS, b=NUMBERS)
def test_inexact_is_what_differs_from_the_rational(case: str, a: float, b: float) -> None:
    found, exact = CASES[case]
    b = b or 1.0
    assert bool(found(np.array(a), np.array(b))) == (Fraction(exact(a, b)) != exact(Fraction(a), Fraction(b)))


@pytest.mark.parametrize(
    ("case", "a", "b", "inexact"),
    [
        ("sum", 0.1, 0.2, True),
        ("sum", 1.0, 2.0**-53, True),
        ("sum", 1.0, 2.0**-52, False),
        ("product", 0.1, 3.0, True),
        ("product", 0.1, 0.5, False),
        ("quotient", 1.0, 3.0, True),
        ("quotient", 0.3, 0.1, True),
        ("quotient", 0.3, 2.0, False),
    ],
)
def test_examples(case: str, a: float, b: float, inexact: bool) -> None:
    assert bool(CASES[case][0](np.array([a]), np.array([b]))[0]) == inexact
