"""Affines between codes and real numbers, in exact rationals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array

WIDEST_FACTOR = 2**31 - 1  # that an addend is multiplied by
LARGEST_WHOLE = 2**53


def fractions(values: Any) -> Array:
    """Numbers (float64 values are taken exactly) to an object array of Fraction, shape () or (c,)."""
    array = np.asarray(values)
    if array.dtype == object:
        return array
    return np.array([Fraction(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def common_scale(values: Iterable[Fraction]) -> tuple[Fraction, list[int]]:
    """The largest s > 0 with every value an integer multiple of s, and the multiples. Zeros are allowed, not only zeros."""
    items = list(values)
    denominator = math.lcm(*(v.denominator for v in items))
    numerators = [v.numerator * (denominator // v.denominator) for v in items]
    divisor = math.gcd(*numerators)
    return Fraction(divisor, denominator), [n // divisor for n in numerators]


def are_integers(values: Any) -> bool:
    """Whether all Fractions of an object array (or a single one) are integers."""
    items: list[Any] = np.asarray(values, object).ravel().tolist()
    return all(v.denominator == 1 for v in items)


def whole_numbers(values: Array) -> Array | None:
    """The int64 of an array of integers; None where one is none, or of so many bits that float64 does not hold its neighbours."""
    array = np.asarray(values)
    if array.size and (not np.array_equal(array, np.rint(array)) or np.abs(array.astype(np.float64)).max() >= LARGEST_WHOLE):
        return None
    return array.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Grid:
    """real = scale * n + offset for an integer n; scale (never 0) and offset are object arrays of Fraction, () or (c,).

    pure: n is the stream's code itself, nothing but affine operators lie between.
    """

    scale: Array
    offset: Array
    pure: bool = True

    @staticmethod
    def of(scale: Any, offset: Any, pure: bool = True) -> Grid:
        return Grid(fractions(scale), fractions(offset), pure)

    def affine(self, gain: Any, shift: Any) -> Grid | None:
        """The grid of gain * x + shift, None when a gain is 0."""
        g = fractions(gain)
        scale = np.asarray(self.scale * g, object)
        if not all(scale.ravel()):
            return None
        return Grid(scale, np.asarray(self.offset * g + fractions(shift), object), self.pure)

    def clipped(self, lo: Any, hi: Any) -> Grid | None:
        """The grid after clipping, None when a finite bound is not on the grid."""
        for bound in (lo, hi):
            b = np.asarray(bound, np.float64)
            if np.isinf(b).all():
                continue
            if not are_integers((fractions(b) - self.offset) / self.scale):
                return None
        return Grid(self.scale, self.offset, pure=False)

    @cached_property
    def _floats(self) -> tuple[Array, Array]:
        return self.scale.astype(np.float64), self.offset.astype(np.float64)

    @cached_property
    def is_rounded(self) -> bool:
        """Whether a scale or an offset has no exact float64."""
        return any(
            Fraction(f) != v
            for a, b in zip((self.scale, self.offset), self._floats, strict=True)
            for v, f in zip(a.ravel(), b.ravel().tolist(), strict=True)
        )

    @property
    def reach(self) -> float:
        """Largest magnitude of terms that may cancel in what a code means, beside those of scale * code and offset."""
        return 0.0

    def floats(self) -> tuple[Array, Array]:
        """Scale and offset in float64."""
        return self._floats

    def real(self, codes: Array) -> Array:
        """Codes (..., c) to real numbers in float64."""
        scale, offset = self.floats()
        return codes * scale + offset

    def pick(self, channel: int) -> tuple[Fraction, Fraction]:
        """Scale and offset of one channel."""
        scale, offset = (a[channel] if a.ndim and a.size > 1 else a.ravel()[0] for a in (self.scale, self.offset))
        return scale, offset

    def exact(self, code: int, channel: int) -> Fraction:
        scale, offset = self.pick(channel)
        return scale * code + offset

    def of_zero(self) -> int | None:
        """The integer that stands for real 0 in every channel, None when there is none."""
        zeros: set[Any] = set(np.ravel(-self.offset / self.scale))
        value = zeros.pop()
        return int(value) if not zeros and value.denominator == 1 else None

    def per_channel(self, channels: int) -> Grid:
        """The same grid with one entry for each channel."""
        return Grid(np.broadcast_to(self.scale, (channels,)).copy(), np.broadcast_to(self.offset, (channels,)).copy(), self.pure)

    def tiled(self, positions: int, channels: int) -> Grid:
        """The grid of a frame of `positions` x `channels` elements seen as that many channels."""

        def tile(a: Array) -> Array:
            return np.tile(a, positions) if a.size == channels and a.ndim else a

        return Grid(tile(self.scale), tile(self.offset), self.pure)

    def compact(self) -> Grid:
        """The same grid with one entry where all channels have the same."""
        if len(set(np.ravel(self.scale))) > 1 or len(set(np.ravel(self.offset))) > 1:
            return self
        return Grid.of(self.scale.ravel()[0], self.offset.ravel()[0], self.pure)

    def __str__(self) -> str:
        def show(a: Array) -> str:
            return f"{float(a.ravel()[0]):.6g}" + (f"...({a.size})" if a.size > 1 else "")

        return f"{show(self.scale)}*n + {show(self.offset)}"
