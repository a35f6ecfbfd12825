"""Random chains of elementwise operators, each with its meaning written out in rationals, independent of the compiler's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Op
from dfcompile.ir.modelop import BatchNorm, Binary, Bipolar, Dequantize, MultiThreshold, Quantize, Unary
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction
from tests.exact_arithmetic import rounded

CHANNELS = 2
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
# 0.2 / 0.1, 0.3 / 0.1 and 0.6 / 0.3: float64 rounds on the way to what is a tie in exact arithmetic, or just misses one.
SIZES = (0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.7, 1.0, 1.5, 3.0)
SHIFTS = (-2.0, -0.5, -0.1, 0.0, 0.1, 0.25, 0.5, 0.7, 1.0)
GRIDS = tuple(Fraction(*f) for f in ((1, 1), (1, 2), (1, 3), (3, 10), (-1, 4), (-1, 3), (0.1,), (-0.3,)))

Meaning = Callable[[Fraction, int], Any]


@dataclass(frozen=True, eq=False)
class Link:
    """One operator of a chain and what it means for a number of a channel."""

    step: Step
    meaning: Meaning


def of(p: Any, c: int) -> Fraction:
    """The parameter of a channel."""
    return Fraction(float(np.broadcast_to(p, (CHANNELS,))[c]))


def clamp(x: Fraction, low: float, high: float) -> Fraction:
    return min(max(x, Fraction(low)), Fraction(high))


class Chains:
    """Draws chains from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def parameter(self, values: tuple[float, ...], signed: bool = False) -> Array:
        """() or one for each channel."""
        drawn = np.array([self.pick(values) * (self.pick((1, 1, -1)) if signed else 1) for _ in range(CHANNELS)])
        return drawn if self.rng.random() < 0.4 else drawn[0].reshape(())

    def base(self) -> Grid:
        count = () if self.rng.random() < 0.6 else (CHANNELS,)
        scale, offset = (np.empty(count, object) for _ in range(2))
        for i in np.ndindex(count):
            scale[i], offset[i] = self.pick(GRIDS), self.pick((0, 0, Fraction(1, 2), Fraction(1, 6), Fraction(-1, 3)))
        return Grid.of(scale, offset)

    def link(self, kind: str | None = None) -> Link:
        return getattr(self, kind or self.pick(("linear", "shift", "piece", "piece", "unary", "norm", "quantizer")))()

    def linear(self) -> Link:
        p = self.parameter(SIZES, signed=True)
        if self.rng.random() < 0.5:
            return Link(Step(Binary("mul"), int(self.rng.integers(2)), (p,)), lambda x, c: x * of(p, c))
        return Link(Step(Binary("div"), 0, (p,)), lambda x, c: x / of(p, c))

    def shift(self) -> Link:
        p, kind = self.parameter(SHIFTS), self.pick(("add", "sub", "from"))
        meaning: Meaning = {"add": lambda x, c: x + of(p, c), "sub": lambda x, c: x - of(p, c), "from": lambda x, c: of(p, c) - x}[kind]
        return Link(Step(Binary("add" if kind == "add" else "sub"), int(kind == "from"), (p,)), meaning)

    def piece(self) -> Link:
        """A function of straight pieces."""
        p, a = self.parameter(SHIFTS), self.pick((-0.1, 0.1, 0.25))
        return self.pick((
            Link(Step(Binary("min"), 0, (p,)), lambda x, c: min(x, of(p, c))),
            Link(Step(Binary("max"), 0, (p,)), lambda x, c: max(x, of(p, c))),
            Link(Step(Binary("prelu"), 0, (p,)), lambda x, c: x if x >= 0 else x * of(p, c)),
            Link(Step(Unary("relu")), lambda x, c: max(x, Fraction(0))),
            Link(Step(Unary("leaky_relu", a)), lambda x, c: x if x >= 0 else x * Fraction(a)),
            Link(Step(Unary("clip", -1.1, 1.3)), lambda x, c: clamp(x, -1.1, 1.3)),
            Link(Step(Unary("clip", -math.inf, 0.7)), lambda x, c: min(x, Fraction(0.7))),
            Link(Step(Unary("hard_sigmoid", a, 0.5)), lambda x, c: clamp(Fraction(a) * x + Fraction(1, 2), 0, 1)),
        ))  # fmt: skip

    def unary(self) -> Link:
        kind = self.pick(("abs", "neg", "sign", "floor", "ceil", "round"))
        meaning: Meaning = {
            "abs": lambda x, c: abs(x),
            "neg": lambda x, c: -x,
            "sign": lambda x, c: (x > 0) - (x < 0),
            "floor": lambda x, c: math.floor(x),
            "ceil": lambda x, c: math.ceil(x),
            "round": lambda x, c: round(x),
        }[kind]
        return Link(Step(Unary(kind)), meaning)

    def norm(self) -> Link:
        """Batch normalization with a variance whose root is rational."""
        scale, bias, mean = (self.parameter(v, v is SIZES) for v in (SIZES, SHIFTS, SHIFTS))
        var = self.parameter((0.25, 1.0, 4.0))
        roots = {0.25: Fraction(1, 2), 1.0: Fraction(1), 4.0: Fraction(2)}
        return Link(
            Step(BatchNorm(0.0), 0, (scale, bias, mean, var)),
            lambda x, c: (x - of(mean, c)) / roots[float(of(var, c))] * of(scale, c) + of(bias, c),
        )

    def quantizer(self) -> Link:
        return self.pick((self.quantize, self.quantize, self.quantize, self.bipolar, self.thresholds))()

    def quantize(self, mode: str | None = None) -> Link:
        scale, zero = self.parameter(SIZES), self.parameter((-1.0, 0.0, 0.0, 3.0))
        op = Quantize(self.pick((-8, -7, 0)), self.pick((7, 15)), mode or self.pick(MODES), bool(self.rng.integers(2)))

        def meaning(x: Fraction, c: int) -> Fraction:
            if op.zero_after:
                return clamp(rounded(x / of(scale, c), op.rounding) + of(zero, c), op.lo, op.hi)
            return Fraction(rounded(clamp(x / of(scale, c) + of(zero, c), op.lo, op.hi), op.rounding))

        return Link(Step(op, 0, (scale, zero)), meaning)

    def bipolar(self) -> Link:
        return Link(Step(Bipolar()), lambda x, c: 1 if x >= 0 else -1)

    def thresholds(self) -> Link:
        rows = np.sort(self.rng.choice(np.array(SHIFTS), (self.pick((1, CHANNELS)), 3)), axis=1)
        scale, bias = self.pick((1.0, -1.0, 2.0)), self.pick((0.0, -2.0))

        def meaning(x: Fraction, c: int) -> Fraction:
            return sum(x >= Fraction(float(t)) for t in rows[c % len(rows)]) * Fraction(scale) + Fraction(bias)

        return Link(Step(MultiThreshold(scale, bias), 0, (rows,)), meaning)

    def dequantize(self) -> Link:
        scale, zero = self.parameter(SIZES), self.parameter((0.0, 3.0))
        return Link(Step(Dequantize(), 0, (scale, zero)), lambda x, c: (x - of(zero, c)) * of(scale, c))

    def chain(self, length: int) -> list[Link]:
        """Operators, a dequantizer behind each quantizer, and a quantizer at the end."""
        found: list[Link] = []
        for _ in range(length):
            found.append(self.link())
            op: Op = found[-1].step.op
            if isinstance(op, Quantize):
                found.append(self.dequantize())
        return [*found, self.quantizer()]


def function_of(base: Grid, links: list[Link]) -> StepFunction:
    """The chain on codes of `base`, its results integers."""
    return StepFunction(base, tuple(link.step for link in links), Grid.of(1, 0))


def meaning_of(base: Grid, links: list[Link], code: int, c: int) -> Fraction:
    """The same, in rationals, for one code of one channel."""
    scale, offset = (np.broadcast_to(a, (CHANNELS,))[c] for a in (base.scale, base.offset))
    x = Fraction(scale * code + offset)
    for link in links:
        x = Fraction(link.meaning(x, c))
    return x


def table_of(base: Grid, links: list[Link], codes: range) -> Array:
    """The meanings of all codes: (codes, channels)."""
    return np.array([[int(meaning_of(base, links, n, c)) for c in range(CHANNELS)] for n in codes])
