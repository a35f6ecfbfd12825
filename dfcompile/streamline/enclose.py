"""Numbers that functions are evaluated on with proof: intervals with slopes, and roots of rationals as they are.

`Real` is an interval that holds a function's values over an interval of its argument, and one that holds its slopes there; each operation
rounds outward. `Surd` is a number whole + part * sqrt(square), exact through sums, products and quotients; a transcendental function of it
is an interval, but at 0, where these functions have known values. Functions written for `Number` (`forms`) take either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cache

Span = tuple[Decimal, Decimal]
_ZERO, _ONE, _TWO, _INF = Decimal(0), Decimal(1), Decimal(2), Decimal("Infinity")
_NONE: Span = (_ZERO, _ZERO)
_WHOLE: Span = (_INF.copy_negate(), _INF)
_SPARE = 12  # digits that hold the rounding errors of a sum of up to a million terms


class Field:
    """Arithmetic of intervals with `digits` decimal digits."""

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self.down, self.up = (Context(digits, way, MIN_EMIN, MAX_EMAX, traps=[]) for way in (ROUND_FLOOR, ROUND_CEILING))

    def of(self, x: Fraction) -> Span:
        """An interval around a rational number."""
        n, d = Decimal(x.numerator), Decimal(x.denominator)
        return self.down.divide(n, d), self.up.divide(n, d)

    def add(self, a: Span, b: Span) -> Span:
        """All sums."""
        return _checked(self.down.add(a[0], b[0]), self.up.add(a[1], b[1]))

    def minus(self, a: Span, b: Span) -> Span:
        """All differences."""
        return _checked(self.down.subtract(a[0], b[1]), self.up.subtract(a[1], b[0]))

    def times(self, a: Span, b: Span) -> Span:
        """All products."""
        low, high = (tuple(way.multiply(x, y) for x in a for y in b) for way in (self.down, self.up))
        return _WHOLE if any(v.is_nan() for v in low) else (min(low), max(high))

    def over(self, a: Span, b: Span) -> Span:
        """All quotients."""
        if b[0] <= 0 <= b[1]:
            return _WHOLE
        low, high = (tuple(way.divide(x, y) for x in a for y in b) for way in (self.down, self.up))
        return _WHOLE if any(v.is_nan() for v in low) else (min(low), max(high))

    def exp(self, a: Span) -> Span:
        """All exponentials: Decimal's are off by at most half of their last digit."""
        low = _ONE if a[0].is_zero() else self.up.exp(a[0])
        high = low if a[0] == a[1] else _ONE if a[1].is_zero() else self.up.exp(a[1])
        return (low if a[0].is_zero() else max(_ZERO, self.down.next_minus(low))), (high if a[1].is_zero() else self.up.next_plus(high))

    def log1p_exp(self, a: Span) -> Span:
        """log(1 + exp(x))."""
        low, high = self.add(self.exp(a), (_ONE, _ONE))
        return max(_ZERO, self.down.next_minus(self.down.ln(low))), self.up.next_plus(self.up.ln(high))

    def sigmoid(self, a: Span) -> Span:
        """1 / (1 + exp(-x))."""
        low, high = self.over((_ONE, _ONE), self.add((_ONE, _ONE), self.exp(_negative(a))))
        return max(_ZERO, low), min(_ONE, high)

    def tanh(self, a: Span) -> Span:
        """2 / (1 + exp(-2 x)) - 1."""
        two = _TWO, _TWO
        low, high = self.minus(self.times(two, self.sigmoid(self.times(two, a))), (_ONE, _ONE))
        return (_ZERO if a[0].is_zero() else max(_ONE.copy_negate(), low)), (_ZERO if a[1].is_zero() else min(_ONE, high))

    def erf(self, a: Span) -> Span:
        """2 / sqrt(pi) * the integral of exp(-t**2) from 0 to x."""
        (low, below), (high, above) = _erf(a[0], self.digits), _erf(a[1], self.digits)
        return max(_ONE.copy_negate(), self.down.subtract(low, below)), min(_ONE, self.up.add(high, above))

    def two_over_root_pi(self) -> Span:
        """2 / sqrt(pi)."""
        pi = _pi(self.digits)
        return self.over((_TWO, _TWO), self.root((self.down.next_minus(pi), self.up.next_plus(pi))))

    def root(self, a: Span) -> Span:
        """Square roots of numbers not below 0."""
        low, high = self.down.sqrt(a[0]), self.up.sqrt(a[1])
        return (_ZERO if low.is_zero() else self.down.next_minus(low)), self.up.next_plus(high)


def _checked(low: Decimal, high: Decimal) -> Span:
    return _WHOLE if low.is_nan() or high.is_nan() else (low, high)


def _negative(a: Span) -> Span:
    return a[1].copy_negate(), a[0].copy_negate()


@cache
def _pi(digits: int) -> Decimal:
    """Machin's 16 atan(1/5) - 4 atan(1/239), to more than `digits` digits."""
    unit = int(10 ** (digits + _SPARE))

    def atan(n: int) -> int:
        total = term = unit // n
        for k in range(3, 4 * digits + 99, 2):
            term //= -n * n
            total += term // k
        return total

    return Decimal(16 * atan(5) - 4 * atan(239)).scaleb(-digits - _SPARE, Context(2 * digits + 99))


def _erf(x: Decimal, digits: int) -> tuple[Decimal, Decimal]:
    """erf of a number and what it may be off by: 2 / sqrt(pi) * exp(-x**2) * sum of 2**n * x**(2 n + 1) / (1 * 3 * ... * (2 n + 1))."""
    if x.is_zero():
        return _ZERO, _ZERO
    c = Context(digits + _SPARE, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
    last = _ONE.scaleb(-digits, c)
    square = c.multiply(x, x)
    if x.is_infinite() or square > 3 * digits:  # 1 - erf(x) is below exp(-x**2)
        return _ONE.copy_sign(x), last
    total = term = c.abs(x)
    twice, n = c.multiply(square, _TWO), 1
    rest = last.scaleb(-1, c)  # of the total; the last terms are each at most half of the one before
    while term > c.multiply(rest, total) or c.multiply(twice, _TWO) > n:
        n += 2
        term = c.divide(c.multiply(term, twice), Decimal(n))
        total = c.add(total, term)
    factor = c.divide(_TWO, c.sqrt(_pi(digits)))
    value = c.multiply(c.multiply(factor, c.exp(square.copy_negate())), total)
    return value.copy_sign(x), c.multiply(value, last)


class Number:
    """What functions are evaluated on."""

    field: Field

    def like(self, x: Fraction) -> Number:
        """A constant."""
        raise TypeError(f"{type(self).__name__} says how it holds a constant")

    def real(self) -> Real:
        """The number as an interval."""
        raise TypeError(f"{type(self).__name__} says what holds it")

    def within(self, span: Span) -> Number:
        """A constant that lies between two numbers."""
        return Real(self.field, span, _NONE)

    def __add__(self, other: Number) -> Number:
        a, b, f = self.real(), other.real(), self.field
        return Real(f, f.add(a.value, b.value), f.add(a.slope, b.slope))

    def __sub__(self, other: Number) -> Number:
        a, b, f = self.real(), other.real(), self.field
        return Real(f, f.minus(a.value, b.value), f.minus(a.slope, b.slope))

    def __mul__(self, other: Number) -> Number:
        a, b, f = self.real(), other.real(), self.field
        return Real(f, f.times(a.value, b.value), f.add(f.times(a.slope, b.value), f.times(a.value, b.slope)))

    def __truediv__(self, other: Number) -> Number:
        a, b, f = self.real(), other.real(), self.field
        value = f.over(a.value, b.value)
        return Real(f, value, f.over(f.minus(a.slope, f.times(value, b.slope)), b.value))

    def larger(self, other: Number) -> Number:
        """The larger of two."""
        a, b = self.real(), other.real()
        return _chosen(a, b, a.value[0] >= b.value[1], b.value[0] >= a.value[1], max)

    def smaller(self, other: Number) -> Number:
        """The smaller of two."""
        a, b = self.real(), other.real()
        return _chosen(a, b, a.value[1] <= b.value[0], b.value[1] <= a.value[0], min)

    def exp(self) -> Number:
        """e to it."""
        a, f = self.real(), self.field
        value = f.exp(a.value)
        return Real(f, value, f.times(a.slope, value))

    def sigmoid(self) -> Number:
        """1 / (1 + exp(-x)), whose slope is its product with 1 less it."""
        a, f = self.real(), self.field
        value = f.sigmoid(a.value)
        return Real(f, value, f.times(a.slope, f.times(value, f.minus((_ONE, _ONE), value))))

    def softplus(self) -> Number:
        """log(1 + exp(x)), whose slope is the sigmoid."""
        a, f = self.real(), self.field
        return Real(f, f.log1p_exp(a.value), f.times(a.slope, f.sigmoid(a.value)))

    def tanh(self) -> Number:
        """The hyperbolic tangent, whose slope is 1 less its square."""
        a, f = self.real(), self.field
        value = f.tanh(a.value)
        return Real(f, value, f.times(a.slope, f.times(f.add((_ONE, _ONE), value), f.minus((_ONE, _ONE), value))))

    def erf(self) -> Number:
        """The error function, whose slope is 2 / sqrt(pi) * exp(-x**2)."""
        a, f = self.real(), self.field
        ends = [f.times((x, x), (x, x)) for x in a.value]
        least = _ZERO if a.value[0] <= 0 <= a.value[1] else min(e[0] for e in ends)
        square = least, max(e[1] for e in ends)
        return Real(f, f.erf(a.value), f.times(a.slope, f.times(f.two_over_root_pi(), f.exp(_negative(square)))))


def _chosen(a: Real, b: Real, first: bool, second: bool, of: Callable[[Decimal, Decimal], Decimal]) -> Real:
    if first or second:
        return a if first else b
    value = of(a.value[0], b.value[0]), of(a.value[1], b.value[1])
    return Real(a.field, value, (min(a.slope[0], b.slope[0]), max(a.slope[1], b.slope[1])))


@dataclass(frozen=True)
class Real(Number):
    """Intervals that hold a function's values and slopes."""

    field: Field
    value: Span
    slope: Span

    @staticmethod
    def between(field: Field, low: Decimal, high: Decimal) -> Real:
        """The argument, from low to high."""
        return Real(field, (low, high), (_ONE, _ONE))

    def like(self, x: Fraction) -> Number:
        return Real(self.field, self.field.of(x), _NONE)

    def real(self) -> Real:
        return self


@dataclass(frozen=True)
class Surd(Number):
    """whole + part * sqrt(square); `part` is 0 where the root is rational. Operands have one `square`."""

    field: Field
    square: Fraction
    whole: Fraction
    part: Fraction

    @staticmethod
    def of(field: Field, square: Fraction, whole: Fraction, part: Fraction) -> Surd:
        """The number; roots of squares of rationals are rational."""
        n, d = math.isqrt(square.numerator), math.isqrt(square.denominator)
        if n * n == square.numerator and d * d == square.denominator:
            return Surd(field, Fraction(0), whole + part * Fraction(n, d), Fraction(0))
        return Surd(field, square, whole, part)

    def like(self, x: Fraction) -> Number:
        return replace(self, whole=x, part=Fraction(0))

    def real(self) -> Real:
        f = self.field
        root = f.root(f.of(self.square))
        value = f.of(self.whole) if not self.part else f.add(f.of(self.whole), f.times(f.of(self.part), root))
        return Real(f, value, _NONE)

    @property
    def sign(self) -> int:
        """-1, 0 or 1."""
        own, root = ((x > 0) - (x < 0) for x in (self.whole, self.part))
        if own * root >= 0:
            return own or root
        return own if self.whole**2 > self.part**2 * self.square else root

    def __add__(self, other: Number) -> Number:
        if not isinstance(other, Surd):
            return super().__add__(other)
        return replace(self, whole=self.whole + other.whole, part=self.part + other.part)

    def __sub__(self, other: Number) -> Number:
        if not isinstance(other, Surd):
            return super().__sub__(other)
        return replace(self, whole=self.whole - other.whole, part=self.part - other.part)

    def __mul__(self, other: Number) -> Number:
        if not isinstance(other, Surd):
            return self if not self.sign and all(v.is_finite() for v in other.real().value) else super().__mul__(other)
        whole = self.whole * other.whole + self.part * other.part * self.square
        return replace(self, whole=whole, part=self.whole * other.part + self.part * other.whole)

    def __truediv__(self, other: Number) -> Number:
        if not isinstance(other, Surd) or not other.sign:
            return super().__truediv__(other)
        norm = other.whole**2 - other.part**2 * self.square
        return self * replace(other, whole=other.whole / norm, part=-other.part / norm)

    def larger(self, other: Number) -> Number:
        if not isinstance(other, Surd):
            return super().larger(other)
        difference = self - other
        return self if isinstance(difference, Surd) and difference.sign >= 0 else other

    def smaller(self, other: Number) -> Number:
        if not isinstance(other, Surd):
            return super().smaller(other)
        difference = self - other
        return self if isinstance(difference, Surd) and difference.sign <= 0 else other

    def exp(self) -> Number:
        return super().exp() if self.sign else self.like(Fraction(1))

    def sigmoid(self) -> Number:
        return super().sigmoid() if self.sign else self.like(Fraction(1, 2))

    def tanh(self) -> Number:
        return super().tanh() if self.sign else self

    def erf(self) -> Number:
        return super().erf() if self.sign else self
