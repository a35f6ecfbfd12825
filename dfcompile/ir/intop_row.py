"""Operators of the integer stage that look at a whole row, the channels of a position, before they give any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
