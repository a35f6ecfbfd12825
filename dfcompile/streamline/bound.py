"""What a quantizer asks of its argument, code by code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.ir.modelop import Bipolar, Quantize, Unary
from dfcompile.ir.types import IntType
from dfcompile.streamline import exact
from dfcompile.streamline.step import Step


@dataclass(frozen=True)
class Bound:
    """y >= number (inclusive) or y > number; where y `falls` in what it is made of, <= or <."""

    number: Fraction
    inclusive: bool
    falls: bool = False

    def before(self, step: Step, c: int) -> Bound | bool:
        """What the step's argument must be for its result to be so; whether it always or never is, if that does not matter."""
        op = step.op
        if isinstance(op, Unary) and op.fn in ("relu", "clip"):
            low = 0.0 if op.fn == "relu" else op.alpha
            high = math.inf if op.fn == "relu" else op.beta
            never = self.number > high or (self.number == high and not self.inclusive)
            always = self.number < low or (self.number == low and self.inclusive)
            return always != self.falls if always or never else self
        shift = step.exact(Fraction(0), c)
        gain = step.exact(Fraction(1), c) - shift
        if not gain:
            return self.holds(shift)
        return Bound((self.number - shift) / gain, self.inclusive, self.falls != (gain < 0))

    def holds(self, y: Fraction) -> bool:
        """Whether it is met."""
        if y == self.number:
            return self.inclusive
        return (y < self.number) if self.falls else y > self.number


def ends_of(quantizer: Step) -> tuple[int, int]:
    """Least and largest code of a quantizer."""
    op = quantizer.op
    assert isinstance(op, Quantize), "only quantizers make codes of real numbers"
    return op.lo, op.hi


def codes_from(quantizer: Step, c: int, dtype: IntType) -> list[Bound | bool]:
    """For each code of the type but the least, what the argument of a channel's quantizer must be for a code as large."""
    op = quantizer.op
    if isinstance(op, Bipolar):
        return [Bound(Fraction(0), True)]
    assert isinstance(op, Quantize), "only quantizers make codes of real numbers"
    scale, zero = (Fraction(float(np.ravel(p)[0])) for p in quantizer.of_channel(c).params)
    found: list[Bound | bool] = []
    for code in range(dtype.lo + 1, dtype.hi + 1):
        if code <= op.lo or code > op.hi:
            found.append(code <= op.lo)
            continue
        near = [(code - part - zero) * scale for part in (Fraction(0), Fraction(1, 2), Fraction(1))]
        away = scale / 8
        at = next(x for x in near if exact.quantize(op, x - away, scale, zero) < code <= exact.quantize(op, x + away, scale, zero))
        found.append(Bound(at, exact.quantize(op, at, scale, zero) >= code))
    return found
