"""Factors and thresholds of a step function of two streams, held to exact rationals at every pair of codes."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.modelop import Binary, Quantize, Unary
from dfcompile.ir.requantization import requantize
from dfcompile.streamline import joint
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.joint import Joint, join
from dfcompile.streamline.step import Chain, Step, StepFunction

ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
SCALES = st.floats(2**-9, 2**3, width=32)
SIGNED = st.builds(lambda s, negative: -s if negative else s, SCALES, st.booleans())


def quantizer(scale: float, zero: int, bits: int, signed: bool, rounding: str) -> Step:
    lo = -(1 << bits - 1) if signed else 0
    return Step(Quantize(lo, lo + (1 << bits) - 1, rounding), 0, (np.array(scale), np.array(float(zero))))


@st.composite
def functions(draw: Any) -> tuple[StepFunction, tuple[int, int], tuple[int, int]]:
    """A function of two streams of up to 5 bits, and their ranges."""
    bounds = [tuple(sorted(draw(st.tuples(*[st.integers(-20, 20)] * 2)))) for _ in range(2)]
    channels = draw(st.integers(1, 3))
    first, second = draw(SIGNED), draw(SIGNED)
    gains = np.array([draw(st.sampled_from([1.0, 0.5, -1.0, 3.0])) for _ in range(channels)])
    bases = [Grid.of(s * gains, draw(st.floats(-3, 3, width=16))) for s in (first, second)]
    chain: list[Step] = []
    if draw(st.booleans()):
        chain.append(Step(Unary("relu")))
    if draw(st.booleans()):
        chain.append(Step(Binary("mul"), 0, (np.array([draw(st.sampled_from([1.0, -0.75, 0.0])) for _ in range(channels)]),)))
    zero, bits, rounding = draw(st.integers(-4, 4)), draw(st.integers(1, 5)), draw(st.sampled_from(ROUNDINGS))
    chain.append(quantizer(draw(SCALES), zero, bits, draw(st.booleans()), rounding))
    return StepFunction(bases[0], tuple(chain), Grid.of(1, 0), (bases[1],)), bounds[0], bounds[1]


def code(found: Joint, channel: int, a: int, b: int) -> int:
    """What the sum and its thresholds give, in plain integers."""
    row = channel if len(found.thresholds) > 1 else 0
    count = sum(found.factors[0] * a + found.factors[1] * b >= int(t) for t in found.thresholds[row])
    falls = bool(found.falling[row])
    return found.dtype.hi - count if falls else found.dtype.lo + count


def check(function: StepFunction, first: tuple[int, int], second: tuple[int, int]) -> Joint:
    channels = max(function.base.scale.size, 1)
    ranges = [(np.full(channels, lo), np.full(channels, hi)) for lo, hi in (first, second)]
    found = join(function, *ranges)
    assert found is not None
    for c, a, b in product(range(channels), range(first[0], first[1] + 1), range(second[0], second[1] + 1)):
        assert code(found, c, a, b) == function.exact(c, a, b), (c, a, b)
    assert np.all(np.diff(found.thresholds, axis=1) >= 0)
    return found


@given(functions())
def test_every_pair_of_codes_keeps_its_result(case: tuple[StepFunction, tuple[int, int], tuple[int, int]]) -> None:
    check(*case)


def residual(first: float, second: float, out: float, bits: int = 8) -> StepFunction:
    return StepFunction(Grid.of(first, 0), (quantizer(out, 0, bits, True, "ROUND"),), Grid.of(1, 0), (Grid.of(second, 0),))


def test_factors_of_float_scales_are_short() -> None:
    """int8 + int8 by scales with full float32 mantissas: factors of at most 10 bits, where the common measure takes 24."""
    found = check(residual(float(np.float32(0.0234567)), float(np.float32(0.0191919)), 0.031), (-128, 127), (-128, 127))
    assert max(map(abs, found.factors)) < 2**10
    most = 128 * sum(map(abs, found.factors))
    straight = requantize(found.thresholds, None, np.array([-most]), np.array([most]))
    assert straight is not None, "thresholds of a plain quantizer lie on a line"


def test_no_cheaper_factors_serve() -> None:
    """Against all smaller pairs by brute force: each puts a pair of codes on the wrong side of some threshold."""
    function = residual(float(np.float32(0.731)), float(np.float32(0.457)), 0.9, bits=4)
    lo, hi = -8, 7
    n1, n2 = check(function, (lo, hi), (lo, hi)).factors
    exact = {(a, b): function.exact(0, a, b) for a, b in product(range(lo, hi + 1), repeat=2)}
    for m1, m2 in product(range(1, n1 + 1), range(1, n2 + 1)):
        if joint._cost(m1, m2) < joint._cost(n1, n2):
            by_code: dict[int, list[int]] = {}
            for (a, b), k in exact.items():
                by_code.setdefault(k, []).append(m1 * a + m2 * b)
            ends = [(min(v), max(v)) for _, v in sorted(by_code.items())]
            assert any(low[1] >= high[0] for low, high in pairwise(ends)), (m1, m2)


def test_an_accumulator_joins_codes() -> None:
    """Sums of 20 bits beside codes of 8, sampled at both sides of every boundary."""
    function = residual(float(np.float32(0.0123 * 0.00071)), float(np.float32(0.0191919)), 0.031)
    ranges = [(np.array([lo]), np.array([hi])) for lo, hi in ((-400_000, 400_000), (-128, 127))]
    found = join(function, *ranges)
    assert found is not None
    for b in range(-128, 128, 15):
        for t in found.thresholds[0]:
            a = -(-(int(t) - found.factors[1] * b) // found.factors[0])
            for near in (a - 1, a):
                if -400_000 <= near <= 400_000:
                    assert code(found, 0, near, b) == function.exact(0, near, b)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize(("first", "second"), [(0.0371, 0.0913), (0.0713, -0.61), (-0.0917, 0.0047), (0.31, 2.9)])
def test_boundaries_between_those_of_some_values(first: float, second: float, samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of them are looked for where the samples say; also where these reach few heights, or all."""
    monkeypatch.setattr(joint, "_SAMPLES", samples)
    check(residual(first, second, 0.9, bits=3), (-60, 60), (-9, 5))


@pytest.mark.parametrize(
    "chain",
    [
        (Step(Unary("abs")), quantizer(0.1, 0, 4, False, "ROUND")),
        (Step(Binary("prelu"), 0, (np.array(-0.5),)), quantizer(0.1, 0, 4, True, "ROUND")),
    ],
)
def test_declines_what_is_not_monotone(chain: Chain) -> None:
    ends = np.array([-8]), np.array([7])
    assert join(StepFunction(Grid.of(0.3, 0), chain, Grid.of(1, 0), (Grid.of(0.7, 0),)), ends, ends) is None


def test_declines_scales_whose_ratio_differs_by_channel() -> None:
    ends = np.full(2, -8), np.full(2, 7)
    chain = (quantizer(0.1, 0, 4, True, "ROUND"),)
    assert join(StepFunction(Grid.of([0.3, 0.4], 0), chain, Grid.of(1, 0), (Grid.of(0.7, 0),)), ends, ends) is None


@given(st.fractions(0, 50, max_denominator=60), st.fractions(Fraction(1, 4000), 2, max_denominator=4000), st.booleans())
def test_simplest_fraction(low: Fraction, width: Fraction, bounded: bool) -> None:
    high = low + width if bounded else None
    found = joint._simplest(low, high)
    assert low < found and (high is None or found < high)
    for d in range(1, found.denominator):
        n = low.numerator * d // low.denominator + 1
        assert high is not None and Fraction(n, d) >= high
