"""float64 decides a jump only where it is right; all else is found in rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dfcompile.ir.modelop import Binary, Bipolar, Quantize, Unary
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Join, Step, StepFunction

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


def test_what_a_quantizer_cuts_off_is_not_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The square of a sum of 21 bits, nearly all of it beyond an 8-bit quantizer: exact arithmetic only beside its jumps."""
    asked = []
    exact = StepFunction.exact
    monkeypatch.setattr(StepFunction, "exact", lambda self, *a: asked.append(a) or exact(self, *a))
    join = Join(Binary("mul"), (), ())
    f = StepFunction(Grid.of(0.0025, 0), (join, Step(Quantize(-128, 127), 0, (np.array(1.0), np.array(0.0)))), Grid.of(1, 0))
    codes = np.arange(-1_000_000, 1_000_000, 61)
    (found,) = f.execute(codes[:, None].astype(np.float64))
    assert found.ravel().tolist() == [min(round(Fraction(0.0025) ** 2 * int(c) ** 2), 127) for c in codes]
    assert len(asked) < len(codes) / 20


@pytest.mark.parametrize("rounding", ["ROUND", "FLOOR", "CEIL"])
@pytest.mark.parametrize("after", [False, True])
def test_beside_the_ends_of_a_quantizer(rounding: str, after: bool) -> None:
    """Arguments at and next to the last jumps on both sides, where what is cut off begins."""
    scale, zero = 0.1, 3.0
    step = Step(Quantize(-7, 6, rounding, after), 0, (np.array(scale), np.array(zero)))
    f = StepFunction(Grid.of(Fraction(1, 40), 0), (step,), Grid.of(1, 0))
    codes = np.arange(-60, 40)
    (found,) = f.execute(codes[:, None].astype(np.float64))
    assert found.ravel().tolist() == [f.exact(0, int(c)) for c in codes]


@pytest.mark.parametrize("fn,asks", [("exp", True), ("relu", False)])
def test_functions_that_are_no_arithmetic_keep_a_wide_doubt(fn: str, asks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value 1e-12 beside a jump: behind exp in doubt, behind sums and products decided."""
    asked = []
    exact = StepFunction.exact
    monkeypatch.setattr(StepFunction, "exact", lambda self, *a: asked.append(a) or exact(self, *a))
    (value,) = Unary(fn).execute(np.array(1.0))
    quantizer = Step(Quantize(-128, 127), 0, (np.array(value / 1.5 * (1 + 1e-12)), np.array(0.0)))
    StepFunction(Grid.of(1, 0), (Step(Unary(fn)), quantizer), Grid.of(1, 0)).execute(np.array([[1.0]]))
    assert bool(asked) == asks
