"""float64 decides a jump only where it is right; all else is found in rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dfcompile.ir.modelop import Binary, Bipolar, Quantize, Unary
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction

LAST = {
    "bipolar": Step(Bipolar()),
    "sign": Step(Unary("sign")),
    "floor": Step(Unary("floor")),
    "quantize": Step(Quantize(-7, 7, "FLOOR"), 0, (np.array(1.0), np.array(0.0))),
}


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("count", [1, 5])
def test_terms_that_cancel_beside_a_jump(last: str, count: int) -> None:
    """code * s * g * h - b, where b is the float64 nearest to the product: the difference is all rounding, however small the block."""
    rng = np.random.default_rng(count)
    for _ in range(300):
        s, g, h = rng.uniform(0.1, 1e4), rng.uniform(0.1, 1e3), rng.uniform(0.1, 1e3)
        code = int(rng.integers(1, 5000))
        b = float(Fraction(s) * code * Fraction(g) * Fraction(h))
        chain = tuple(Step(Binary(fn), 0, (np.array(v),)) for fn, v in (("mul", g), ("mul", h), ("sub", b)))
        f = StepFunction(Grid.of(s, 0), (*chain, LAST[last]), Grid.of(1, 0))
        (found,) = f.execute(np.full((count, 1), float(code)))
        assert found.ravel().tolist() == [f.exact(0, code)] * count


def test_blocks_of_any_size_give_the_same() -> None:
    """More arguments than a block, of two operands, per channel."""
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.5, 2, 37)
    f = StepFunction(Grid.of(0.1, 0), (Step(Binary("mul"), 0, (gain,)), LAST["quantize"]), Grid.of(1, 0), (Grid.of(0.3, -0.5),))
    a, b = (rng.integers(-40, 40, (2, 31, 33, 37)).astype(np.float64) for _ in range(2))
    (whole,) = f.execute(a, b)
    rows = [[f.execute(x, y)[0] for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]
    np.testing.assert_array_equal(whole, np.array(rows))
