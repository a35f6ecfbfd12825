"""Integers in the order of the sums of two real multiples that they stand for.

y + r * x for integers y and x in a window of w values, r > 0 any rational: the codes q * y + p * x lie in the same order, and equal
codes mean equal sums, if p / q is a node on the way to r in the tree of Stern and Brocot and q >= w. For whatever lies strictly
between a node and r is below that node in the tree, of a larger denominator: no difference -dy / dx of two sums, its dx below w,
lies there, so that dy + r * dx and q * dy + p * dx have one sign. As p and q have no common divisor, each integer is the code of one
pair (x, y) with x in a window of q values: a step function of the sum is a step function of the code, over all integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.grid import Grid


def approach(ratio: Fraction, window: int) -> tuple[int, int]:
    """p, q of the first node p / q with q >= window on the way to a positive ratio; the ratio itself where that is simpler."""
    low, high = (0, 1), (1, 0)
    while True:
        p, q = low[0] + high[0], low[1] + high[1]
        if q >= window or Fraction(p, q) == ratio:
            return p, q
        if Fraction(p, q) < ratio:
            low = _jump(low, high, window, lambda n, d: Fraction(n, d) < ratio)
        else:
            high = _jump(high, low, window, lambda n, d: Fraction(n, d) > ratio)


def _jump(side: tuple[int, int], other: tuple[int, int], window: int, inside: Callable[[int, int], bool]) -> tuple[int, int]:
    """`side` plus as often `other` as stays on its side of the ratio, but no further than the window asks."""
    times, step = 1, 1
    while step:
        n, d = side[0] + (times + step) * other[0], side[1] + (times + step) * other[1]
        if inside(n, d) and d < window:
            times, step = times + step, step * 2
        else:
            step //= 2
    return side[0] + times * other[0], side[1] + times * other[1]


@dataclass(frozen=True, eq=False)
class Pair:
    """One channel: code = q * y + p * x + shift means gain * (y + ratio * x) + offset.

    first: the least x of the window. Where `floor` is given, the codes of y + r * x are those of even distance from `shift` (code =
    2 * (q * y + p * x) + shift), and those between mean y alone: code = 2 * q * y + floor means gain * y + bottom.
    """

    p: int
    q: int
    ratio: Fraction
    gain: Fraction
    offset: Fraction
    first: int
    shift: int = 0
    floor: int | None = None
    bottom: Fraction = Fraction(0)

    @property
    def slope(self) -> Fraction:
        """Of the straight line next to the codes."""
        return self.gain / self.q / (1 if self.floor is None else 2)

    @property
    def reach(self) -> float:
        """Largest magnitude of the terms of a sum."""
        return 2 * float(abs(self.gain) * self.ratio * (abs(self.first) + self.q)) + float(abs(self.offset) + abs(self.bottom))

    @cached_property
    def inverse(self) -> int:
        """Of p modulo q."""
        return pow(self.p, -1, self.q) if self.q > 1 else 0

    def exact(self, code: int) -> Fraction:
        """The real number; between codes of the order that no pair of the window has, one of a neighbour."""
        code -= self.shift
        if self.floor is not None:
            if code % 2:
                y, rest = divmod(code + self.shift - self.floor, 2 * self.q)
                if not rest:
                    return self.gain * y + self.bottom
                code -= 1
            code //= 2
        x = self.first + (code * self.inverse - self.first) % self.q
        return self.gain * ((code - self.p * x) // self.q + self.ratio * x) + self.offset

    def reals(self, codes: Array) -> Array:
        """The real numbers of codes, in float64."""
        code = codes.astype(np.int64) - self.shift
        alone = np.zeros(code.shape, bool)
        if self.floor is not None:
            above = code + (self.shift - self.floor)
            alone = (code % 2 == 1) & (above % (2 * self.q) == 0)
            code = code // 2
        x = self.first + (code % self.q * self.inverse - self.first) % self.q
        result = float(self.gain) * ((code - self.p * x) // self.q + float(self.ratio) * x) + float(self.offset)
        if self.floor is not None and alone.any():
            result[alone] = float(self.gain) * (above[alone] // (2 * self.q)) + float(self.bottom)
        return np.asarray(result)

    def between(self, bound: Fraction) -> int:
        """An odd number above 2 * (q * y + p * x) just where y + ratio * x is below a bound."""
        plain = Pair(self.p, self.q, self.ratio, Fraction(1), Fraction(0), self.first)
        middle = int(bound * self.q)
        reach = 1
        while plain.exact(middle - reach) >= bound or plain.exact(middle + reach) < bound:
            reach *= 2
        low, high = middle - reach, middle + reach
        while high - low > 1:
            at = (low + high) // 2
            low, high = (low, at) if plain.exact(at) >= bound else (at, high)
        return 2 * high - 1


class Order(Protocol):
    """What codes of one channel mean that rise with real numbers."""

    @property
    def slope(self) -> Fraction:
        """Of the straight line next to the codes."""
        ...

    @property
    def reach(self) -> float:
        """Largest magnitude of the terms of a number, for its rounding errors."""
        ...

    def exact(self, code: int) -> Fraction:
        """The number of a code."""
        ...

    def reals(self, codes: Array) -> Array:
        """The numbers of codes in float64."""
        ...


@dataclass(frozen=True, eq=False)
class Ordered(Grid):
    """What codes mean that are no multiples of a scale but rise with it: an `Order` for each channel.

    scale, offset: of the straight line next to them, for its direction only
    """

    orders: tuple[Order, ...] = ()

    @staticmethod
    def of_orders(orders: Sequence[Order]) -> Ordered:
        return Ordered(np.array([o.slope for o in orders], object), np.array([o.exact(0) for o in orders], object), False, tuple(orders))

    @property
    def is_rounded(self) -> bool:
        return True

    @property
    def reach(self) -> float:
        return max(o.reach for o in self.orders)

    def affine(self, gain: Any, shift: Any) -> Grid | None:
        return None

    def clipped(self, lo: Any, hi: Any) -> Grid | None:
        return None

    def of_zero(self) -> int | None:
        return None

    def exact(self, code: int, channel: int) -> Fraction:
        return self.orders[channel].exact(code)

    def real(self, codes: Array) -> Array:
        columns = [order.reals(codes[..., c]) for c, order in enumerate(self.orders)]
        return np.stack(columns, axis=-1)

    def tiled(self, positions: int, channels: int) -> Grid:
        return Ordered.of_orders(self.orders * positions)
