"""quantizer(f(y)) of a real number y as pieces of one code each, with proof, for f that need not be monotone.

An interval of y is looked at as a whole (`enclose`): either f stays between two of the quantizer's steps, or f rises or falls throughout
and each step that it crosses is enclosed by trying points, or the interval is halved. What is narrower than asked for and still neither,
as around a turning point on a step, is left open like the places of steps are: `Region`. No code is claimed there but by `code_at`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction

import numpy as np

from dfcompile.ir.modelop import Bipolar, Quantize
from dfcompile.ir.types import IntType
from dfcompile.streamline.bound import Bound, codes_from
from dfcompile.streamline.enclose import Field, Real, Span, Surd
from dfcompile.streamline.forms import value_of
from dfcompile.streamline.step import Chain, Step

_COARSE = Field(28)
_FINE = Decimal("1e-9")  # width below which intervals are looked at with all digits
_MOST_DIGITS = 2000
_MOST_HALVED = 200_000
_PATIENCE = 6
_HALF = Decimal("0.5")
_EXACTLY = Context(4000, traps=[Inexact])
Region = tuple[Fraction, Fraction]
"""An interval of the argument, so narrow that what may happen in it is found number by number."""


@dataclass(frozen=True)
class Pieces:
    """codes[0], then regions[0], codes[1], ...: a code between two neighbouring regions holds throughout there, ends included.

    A first or last code may hold nowhere: where a region is at an end, it is that of the other side.
    """

    codes: list[int]
    regions: list[Region]


@dataclass(frozen=True)
class _Part:
    """Of an interval: its code, or None for a region."""

    low: Decimal
    high: Decimal
    code: int | None


class Curve:
    """A chain and the quantizer behind it, both of one channel.

    step: distance of the quantizer's codes in real numbers
    """

    def __init__(self, chain: Chain, quantizer: Step) -> None:
        self.chain, op = chain, quantizer.op
        if isinstance(op, Bipolar):
            bounds, self._first, self._stride, self.step = codes_from(quantizer, 0, IntType(1, signed=False)), -1, 2, Fraction(1)
        else:
            assert isinstance(op, Quantize), "only quantizers make codes of real numbers"
            self._first, self._stride, self.step = op.lo, 1, Fraction(float(np.ravel(quantizer.params[0])[0]))
            dtype = IntType.holding(op.lo, op.hi)
            bounds = codes_from(quantizer, 0, dtype)
        steps = [b for b in bounds if isinstance(b, Bound)]
        self._at = [_EXACTLY.divide(Decimal(b.number.numerator), Decimal(b.number.denominator)) for b in steps]
        self._inclusive = [b.inclusive for b in steps]

    def pieces(self, low: Fraction, high: Fraction, width: Fraction, digits: int) -> Pieces | None:
        """What its codes are from low to high; regions wider than `width` only where they meet. None at a pole, or too much work."""
        field = Field(digits)
        ends = field.of(low)[0], field.of(high)[1]
        parts = list[_Part]()
        stack, halved, narrow = [ends], 0, field.of(width)[0]
        while stack:
            a, b = stack.pop()
            f = self._enclosed(field if b - a < _FINE else _COARSE, a, b)
            counts = [self._reached(v) for v in f.value]
            if counts[0] == counts[1]:
                parts.append(_Part(a, b, counts[0]))
            elif f.slope[0] > 0 or f.slope[1] < 0:
                parts += self._crossed(field, a, b, f.slope[0] > 0, narrow)
            elif field.down.subtract(b, a) <= narrow and f.value[0].is_finite():
                parts.append(_Part(a, b, None))
            else:
                halved += 1
                if halved > _MOST_HALVED or b - a <= narrow:
                    return None
                middle = field.down.multiply(field.down.add(a, b), _HALF)
                stack += [(middle, b), (a, middle)]
        return self._joined(parts)

    def code_at(self, square: Fraction, whole: Fraction, part: Fraction) -> int | None:
        """The code at whole + part * sqrt(square), decided exactly; None where 2,000 digits do not tell a number from a step."""
        digits = 60
        while digits <= _MOST_DIGITS:
            y = value_of(self.chain, Surd.of(Field(digits), square, whole, part))
            if isinstance(y, Surd):
                count = sum(_at_least(y, Fraction(at), i) for at, i in zip(self._at, self._inclusive, strict=True))
                return self._first + self._stride * count
            counts = [self._reached(v) for v in y.real().value]
            if counts[0] == counts[1]:
                return self._first + self._stride * counts[0]
            digits *= 3
        return None

    def slack(self, region: Region, share: Fraction) -> Fraction:
        """How far from a region's middle an argument may lie for its value to be within `share` of a step of one there."""
        most = share * self.step
        reach, middle = most, (region[0] + region[1]) / 2
        while True:
            low, high = _COARSE.of(middle - reach)[0], _COARSE.of(middle + reach)[1]
            steepest = max(abs(Fraction(s)) for s in self._enclosed(_COARSE, low, high).slope)
            if steepest * reach <= most:
                return reach
            reach = min(reach / 2, most / steepest)

    def _reached(self, value: Decimal) -> int:
        """How many of the quantizer's steps a number reaches."""
        below = bisect_left(self._at, value)
        return below + (below < len(self._at) and self._at[below] == value and self._inclusive[below])

    def _enclosed(self, field: Field, a: Decimal, b: Decimal) -> Real:
        """Values and slopes from a to b: of the whole interval at once, and from its middle with the slopes."""
        whole = value_of(self.chain, Real.between(field, a, b)).real()
        if a == b or not (whole.slope[0].is_finite() and whole.slope[1].is_finite()):
            return whole
        m = field.down.multiply(field.down.add(a, b), _HALF)
        middle = value_of(self.chain, Real.between(field, m, m)).real()
        low, high = field.add(middle.value, field.times(whole.slope, field.minus((a, b), (m, m))))
        return Real(field, (max(low, whole.value[0]), min(high, whole.value[1])), whole.slope)

    def _crossed(self, field: Field, a: Decimal, b: Decimal, rises: bool, width: Decimal) -> list[_Part]:
        """Parts of an interval throughout which f rises, or falls."""
        values = [self._enclosed(field, x, x).value for x in ((a, b) if rises else (b, a))]
        first, last = self._reached(values[0][0]), self._reached(values[1][1])
        crossings = [self._crossing(field, a, b, self._at[k], rises, width) for k in range(first, last)]
        counts = list(range(first, last + 1))
        if not rises:
            crossings, counts = crossings[::-1], counts[::-1]
        parts, at = [], a
        for count, (low, high) in zip(counts, crossings, strict=False):
            if low > at:
                parts.append(_Part(at, low, count))
            if high > at:
                parts.append(_Part(max(low, at), high, None))
                at = high
        return [*parts, _Part(at, b, counts[-1])] if at < b else parts

    def _crossing(self, field: Field, a: Decimal, b: Decimal, level: Decimal, rises: bool, width: Decimal) -> Span:
        """Where a function that rises (or falls) from a to b takes a value: no wider than `width` where it is not too flat to tell.

        Halving until Newton's method makes more of it; both ends are only moved to points that lie on their sides of the level.
        """
        slow = 0  # halvings before Newton's method is tried again
        while b - a > width:
            near, size = field if b - a < _FINE else _COARSE, b - a
            m = near.down.multiply(near.down.add(a, b), _HALF)
            for x in (m,) if slow else self._newton(near, m, level):
                if a < x < b and (side := self._side(near, x, level)):
                    a, b = (x, b) if (side < 0) == rises else (a, x)
            if not slow:
                slow = _PATIENCE if (b - a) * 4 > size else 0
            elif b - a < size:
                slow -= 1
            else:  # the middle is too near to tell, but what is beside it may not be
                step = near.down.multiply(size, _HALF * _HALF)
                sides = [(x, self._side(near, x, level)) for x in (m - step, m + step)]
                if near is field and not all(s for _, s in sides):
                    break
                for x, side in sides:
                    if side:
                        a, b = (x, b) if (side < 0) == rises else (a, x)
                if b - a == size:
                    break
        return a, b

    def _newton(self, field: Field, m: Decimal, level: Decimal) -> tuple[Decimal, Decimal]:
        """Numbers around a better guess than m, as far from it as it may be off."""
        f = self._enclosed(field, m, m)
        by = field.down.divide(field.down.subtract(f.value[0], level), f.slope[0]) if f.slope[0] else Decimal(0)
        if not by.is_finite():
            return m, m
        guess = field.down.subtract(m, by)
        off = max(field.down.multiply(field.down.multiply(by, by), Decimal(8)), Decimal(1).scaleb(6 - field.digits, field.down))
        return field.down.subtract(guess, off), field.down.add(guess, off)

    def _side(self, field: Field, x: Decimal, level: Decimal) -> int:
        """Whether the value at x is below (-1) or above (1) a level; 0 where that is not known."""
        low, high = self._enclosed(field, x, x).value
        return 1 if low > level else -1 if high < level else 0

    def _joined(self, parts: list[_Part]) -> Pieces:
        """Parts side by side; regions that meet are one."""
        codes, regions = list[int | None](), list[tuple[Decimal, Decimal]]()
        for part in parts:
            if part.code is None:
                if regions and len(codes) == len(regions):
                    regions[-1] = regions[-1][0], part.high
                    continue
                if not codes:
                    codes.append(None)
                regions.append((part.low, part.high))
            elif len(codes) == len(regions):
                codes.append(part.code)
        if len(codes) == len(regions):
            codes.append(None)
        known = [c for c in codes if c is not None]
        found = [self._first + self._stride * c for c in _filled(codes, known)]
        return Pieces(found, [(Fraction(a), Fraction(b)) for a, b in regions])


def _filled(codes: list[int | None], known: list[int]) -> Iterator[int]:
    """Codes, at the ends those beside them."""
    for i, code in enumerate(codes):
        yield code if code is not None else 0 if not known else known[0] if i == 0 else known[-1]


def _at_least(y: Surd, step: Fraction, inclusive: bool) -> bool:
    difference = y - y.like(step)
    assert isinstance(difference, Surd), "both are roots of one number"
    return difference.sign > 0 or (inclusive and difference.sign == 0)
