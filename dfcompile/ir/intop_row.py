"""Operators of the integer stage that look at a whole row, the channels of a position, before they give any of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.blocks import largest
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop_base import Elementwise, Range

ROUNDINGS = ("down", "half_even", "half_up", "half_down", "up")
"""Rounding of a number that is not below 0, by the code that hardware knows it by."""
_CLOSE = 1e-6  # distance from a whole number within which a quotient in float64 is computed again in integers


@dataclass(frozen=True)
class IntBelowMax(Elementwise):
    """How far each code is below the largest of its row, at most `limit`."""

    kind: ClassVar[str] = "below_max"
    limit: int

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        (x,) = inputs
        return (np.minimum(x.max(axis=-1, keepdims=True) - x, self.limit),)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        ((lo, hi),) = operands
        lo, hi = np.asarray(lo), np.asarray(hi)
        return np.clip(lo.max() - hi, 0, self.limit), np.minimum(hi.max() - lo, self.limit)

    def __str__(self) -> str:
        return f"below_max<{self.limit}>"


@dataclass(frozen=True)
class IntNormalize(Elementwise):
    """Each code's share of the sum of its row: zero + min(round(code * factor / (sum * divisor)), most).

    Codes are not below 0; a row of nothing but 0 gives zero + most.

    factor, divisor: positive integers; rounding: of ROUNDINGS, of the result with `zero`
    """

    kind: ClassVar[str] = "normalize"
    factor: int
    divisor: int
    most: int
    zero: int = 0
    rounding: str = "half_even"

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        (x,) = streams
        return min(self.factor, self.divisor, self.most) > 0 and self.rounding in ROUNDINGS and x.lo is not None and bool(np.all(x.lo >= 0))

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0].astype(np.float64)
        total = x.sum(axis=-1, keepdims=True)
        ratio = x * (self.factor / self.divisor) / np.where(total > 0, total, 1)
        half = {"down": 0.0, "up": 1.0}.get(self.rounding, 0.5)
        found = np.floor(ratio + half)
        close = np.abs(ratio + half - np.rint(ratio + half)) < _CLOSE * np.maximum(1, ratio)
        if close.any():
            sums = np.broadcast_to(total, x.shape)[close]
            pairs = zip(x[close].astype(np.int64).tolist(), sums.astype(np.int64).tolist(), strict=True)
            found[close] = [self.rounded(e, s) for e, s in pairs]
        return (np.where(total > 0, np.minimum(found, self.most), self.most) + self.zero,)

    def rounded(self, code: int, total: int) -> int:
        """A quotient rounded, in integers."""
        below = 2 * max(total, 1) * self.divisor
        whole, rest = divmod(2 * self.factor * code + {"down": 0, "up": below}.get(self.rounding, below // 2), below)
        falls = self.rounding in ("half_down", "up") or (self.rounding == "half_even" and (whole + self.zero) % 2 == 1)
        return whole - (rest == 0 and falls)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        channels = np.shape(operands[0][1])
        return np.full(channels, self.zero), np.full(channels, self.zero + self.most)

    def __str__(self) -> str:
        return f"normalize<{self.factor}/{self.divisor} most={self.most} zero={self.zero} {self.rounding}>"


@dataclass(frozen=True)
class Moments:
    """Limits of d and V of rows of n codes (see `IntStandardize`).

    reach: largest magnitude of d; least, most: smallest V of a row with a d that is not 0, and largest V
    """

    reach: int
    least: int
    most: int

    @staticmethod
    def of(centred: bool, n: int, lo: int, hi: int) -> Moments:
        """Of codes from lo to hi."""
        if centred:
            return Moments((n - 1) * (hi - lo), max(1, n - 1), (n // 2) * (n - n // 2) * (hi - lo) ** 2)
        size = max(abs(lo), abs(hi))
        return Moments(size, 1, n * size * size)


_LIMB = 24
MOST_BITS, MOST_SHIFT, LARGEST_EPSILON = 96, 64, 2**62 - 1
"""Of a root, of the binary places of epsilon, and of epsilon in these."""


@dataclass(frozen=True)
class IntStandardize(Elementwise):
    """Each code over the root of its row's squares: floor(d * root / 2**drop), root = floor(2**bits / sqrt(V + epsilon / 2**shift)).

    centred: d = n * code - sum and V = n * sum of squares - sum**2 over the row's n codes; else d = code, V = sum of squares.
    A d of 0 gives 0 whatever V is.
    """

    kind: ClassVar[str] = "standardize"
    centred: bool
    bits: int
    drop: int
    epsilon: int = 0
    shift: int = 0

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        (x,) = streams
        if x.lo is None or not self.is_bounded:
            return False
        moments = self.moments(x)
        widest = moments.reach * self.root(moments.least)
        held = widest < 2**62 or widest >> self._limb < 2**62
        return moments.most < 2**52 and self.limit(x.channels) < 2**52 and held

    @property
    def is_bounded(self) -> bool:
        """Whether its numbers are of a size that there is hardware for."""
        sizes = 0 <= self.drop <= self.bits <= MOST_BITS and 0 <= self.shift <= MOST_SHIFT
        return sizes and 0 <= self.epsilon <= LARGEST_EPSILON

    def moments(self, x: Tensor) -> Moments:
        """Limits of what rows of a tensor give."""
        lo, hi = x.range
        return Moments.of(self.centred, x.channels, int(np.min(lo)), int(np.max(hi)))

    def limit(self, channels: int) -> int:
        """No result is larger, and none is below -limit - 1."""
        return math.isqrt((max(1, channels - 1) if self.centred else 1) << 2 * (self.bits - self.drop)) + 1

    def root(self, squares: int) -> int:
        """What a row with these squares, not 0, is multiplied by."""
        return math.isqrt((1 << 2 * self.bits + self.shift) // ((squares << self.shift) + self.epsilon))

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x = inputs[0].astype(np.int64)
        n = x.shape[-1] if self.centred else 1
        total = x.sum(axis=-1, keepdims=True) if self.centred else np.zeros((*x.shape[:-1], 1), np.int64)
        squares, where = np.unique(n * (x * x).sum(axis=-1, keepdims=True) - total * total, return_inverse=True)
        roots = np.array([self.root(v) if v else 0 for v in squares.tolist()], np.int64)[where.reshape(total.shape)]
        d = n * x - total
        if largest(d) * largest(roots) < 1 << 62:
            return ((d * roots >> self.drop).astype(np.float64),)
        limb = self._limb  # floor((d * high * 2**limb + d * low) / 2**drop)
        upper = d * (roots >> limb) + (d * (roots & ((1 << limb) - 1)) >> limb)
        return ((upper >> self.drop - limb).astype(np.float64),)

    @property
    def _limb(self) -> int:
        """Bits of a root's lower part that is multiplied by itself, so that int64 holds either product."""
        return min(_LIMB, self.drop)

    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        channels = len(np.asarray(operands[0][1]))
        most = self.limit(channels)
        return np.full(channels, -most - 1), np.full(channels, most)

    def __str__(self) -> str:
        form = "centred " if self.centred else ""
        return f"standardize<{form}bits={self.bits} drop={self.drop} epsilon={self.epsilon}/2^{self.shift}>"
