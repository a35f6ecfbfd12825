"""Pieces of a quantized function of one number: codes at numbers everywhere, on exact ties, at turning points that lie on a step."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.modelop import Binary, Bipolar, Quantize, Unary
from dfcompile.streamline import curve as module
from dfcompile.streamline.curve import Curve
from dfcompile.streamline.step import Chain, Join, Step
from tests.examples import examples

WIDTH = Fraction(1, 2**90)
DIGITS = 80
CHAINS: dict[str, Chain] = {
    **{fn: (Step(Unary(fn, 0.5, 1.0)),) for fn in ("silu", "gelu", "gelu_tanh", "hard_swish", "mish", "tanh", "elu", "leaky_relu", "relu")},
    "silu_of_parts": (Join(Binary("mul"), (), (Step(Unary("sigmoid")),)),),
    "wave": (Join(Binary("mul"), (Step(Unary("tanh")),), (Step(Unary("abs")), Step(Binary("sub"), 0, (np.array(2.0),)))),),
}


def quantizer(scale: float, bits: int, signed: bool = True, rounding: str = "ROUND", zero: float = 0.0) -> Step:
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Step(Quantize(lo, hi, rounding), 0, (np.array(scale), np.array(zero)))


def meant(chain: Chain, last: Step, x: float) -> tuple[int, bool]:
    """The code by float64, and whether x is so near to a step that float64 cannot tell."""

    def applied(steps: Chain, y: Any) -> Any:
        for s in steps:
            y = s.op.execute(applied(s.left, y), applied(s.right, y))[0] if isinstance(s, Join) else s.op.execute(*_args(s, y))[0]
        return y

    y = applied(chain, np.array(x))
    codes = {int(last.op.execute(np.asarray(y + off), *last.params)[0]) for off in (-1e-9, 0.0, 1e-9)}
    return int(last.op.execute(np.asarray(y), *last.params)[0]), len(codes) > 1


def _args(step: Step, y: Any) -> list[Any]:
    args: list[Any] = list(step.params)
    args.insert(step.slot, y)
    return args


@pytest.mark.parametrize("name", CHAINS)
@examples(8)
@given(
    st.integers(2, 6), st.booleans(), st.floats(0.0625, 0.625, width=32),
    st.sampled_from(["ROUND", "FLOOR", "CEIL", "HALF_UP", "DOWN"]), st.integers(0, 2**32),
)  # fmt: skip
def test_pieces(name: str, bits: int, signed: bool, scale: float, rounding: str, seed: int) -> None:
    last = quantizer(scale, bits, signed, rounding)
    curve = Curve(CHAINS[name], last)
    found = curve.pieces(Fraction(-7), Fraction(6), WIDTH, DIGITS)
    assert found is not None and len(found.codes) == len(found.regions) + 1
    assert all(b - a <= 4 * WIDTH for a, b in found.regions)
    assert all(a[1] < b[0] for a, b in zip(found.regions, found.regions[1:], strict=False))
    near = [float(a) + off for a, _ in found.regions for off in (-1e-6, 1e-6)]
    for x in [*np.random.default_rng(seed).uniform(-7, 6, 60), *near]:
        code, unsure = meant(CHAINS[name], last, float(x))
        if not unsure and -7 < x < 6:
            at = sum(Fraction(float(x)) > b for _, b in found.regions)
            assert found.codes[at] == code
            assert curve.code_at(Fraction(0), Fraction(float(x)), Fraction(0)) == code


@pytest.mark.parametrize(("rounding", "code"), [("ROUND", -2), ("HALF_UP", -2), ("HALF_DOWN", -1), ("FLOOR", -2), ("CEIL", -1)])
def test_a_turning_point_on_a_step(rounding: str, code: int) -> None:
    """hard_swish(-3/2) is -3/8, its least: with a scale of 1/4 a tie at one number alone."""
    curve = Curve(CHAINS["hard_swish"], quantizer(0.25, 4, rounding=rounding))
    found = curve.pieces(Fraction(-7), Fraction(7), WIDTH, DIGITS)
    assert found is not None
    assert curve.code_at(Fraction(0), Fraction(-3, 2), Fraction(0)) == code
    assert curve.code_at(Fraction(9, 4), Fraction(0), Fraction(-1)) == code  # as a root
    assert (
        curve.code_at(Fraction(2), Fraction(0), Fraction(-1))
        == {"ROUND": -1, "HALF_UP": -1, "HALF_DOWN": -1, "FLOOR": -2, "CEIL": -1}[rounding]
    )
    (at,) = [i for i, (a, b) in enumerate(found.regions) if a <= Fraction(-3, 2) <= b] or [None]
    beside = -1 if rounding != "FLOOR" else -2
    if at is None:  # the tie goes where its neighbours are
        assert code == beside
    else:
        assert found.codes[at] == found.codes[at + 1] == beside


def test_ties_of_floors_at_0() -> None:
    curve = Curve(CHAINS["gelu"], quantizer(0.25, 4, rounding="FLOOR"))
    assert curve.code_at(Fraction(2), Fraction(0), Fraction(0)) == 0
    assert curve.code_at(Fraction(0), Fraction(-1, 10**30), Fraction(0)) == -1


def test_signs() -> None:
    curve = Curve(CHAINS["wave"], Step(Bipolar(), 0, ()))
    found = curve.pieces(Fraction(-7), Fraction(7), WIDTH, DIGITS)
    assert found is not None and found.codes == [-1, 1, -1, 1]
    assert [round(float(a), 9) for a, _ in found.regions] == [-2, 0, 2]
    assert [curve.code_at(Fraction(4), Fraction(0), Fraction(s)) for s in (-1, 0, 1)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["silu", "hard_swish", "gelu"])
def test_slack(name: str) -> None:
    """Numbers as far from a step as it says have values within that share of a step of it."""
    share, curve = Fraction(1, 2**20), Curve(CHAINS[name], quantizer(0.125, 4))
    found = curve.pieces(Fraction(-7), Fraction(7), WIDTH, DIGITS)
    assert found is not None
    for region in found.regions:
        reach, middle = curve.slack(region, share), float(region[0])
        values = [float(Unary(name).execute(np.array(middle + off))[0]) for off in (-float(reach), 0.0, float(reach))]
        assert max(values) - min(values) <= 2 * 0.125 * 2**-20 * (1 + 1e-6)
        assert math.isclose(values[1] / 0.125 % 1, 0.5, abs_tol=1e-6)


def test_endless_halving_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_HALVED", 3)
    assert Curve(CHAINS["silu"], quantizer(0.1, 6)).pieces(Fraction(-7), Fraction(7), WIDTH, DIGITS) is None
