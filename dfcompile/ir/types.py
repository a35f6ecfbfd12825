"""Integer types of streams, weights and accumulators."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDEST = 64


@dataclass(frozen=True)
class IntType:
    """Two's-complement or unsigned integer of `bits` bits, or bipolar: one bit that means -1 or +1."""

    bits: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if self.bits < 1 or (self.bipolar and (self.bits != 1 or not self.signed)):
            raise ValueError(f"no such integer type: bits={self.bits} signed={self.signed} bipolar={self.bipolar}")

    @classmethod
    def check_fields(cls, values: Mapping[str, int]) -> None:
        """ValueError for a type from outside that is wider than what is ever made."""
        if values["bits"] > WIDEST:
            raise ValueError(f"a type of {values['bits']} bits (limit {WIDEST})")

    @property
    def lo(self) -> int:
        """Smallest value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def __str__(self) -> str:
        return "bipolar" if self.bipolar else f"{'int' if self.signed else 'uint'}{self.bits}"

    @staticmethod
    def parse(text: str) -> IntType:
        """Read ``uint4``, ``int8`` or ``bipolar``; ValueError otherwise."""
        if text == "bipolar":
            return BIPOLAR
        found = re.fullmatch(r"(u?)int([1-9]\d?)", text)
        if not found:
            raise ValueError(f"'{text}' is not an integer type (examples: uint8, int4, bipolar)")
        return IntType(int(found[2]), signed=not found[1])

    @staticmethod
    def holding(lo: int, hi: int) -> IntType:
        """The narrowest two's-complement or unsigned type that holds [lo, hi]; never bipolar, which lacks 0."""
        if lo >= 0:
            return IntType(max(1, int(hi).bit_length()))
        return IntType(max((-lo - 1).bit_length(), hi.bit_length() if hi > 0 else 0) + 1, signed=True)

    def encode(self, codes: NDArray[np.generic]) -> NDArray[np.uint64]:
        """Values to bit patterns (low `bits` bits of each uint64); values are integers, in any numpy dtype."""
        values = codes.astype(np.int64)
        if self.bipolar:
            return (values > 0).astype(np.uint64)
        return values.astype(np.uint64) & np.uint64((1 << self.bits) - 1)

    def decode(self, patterns: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Bit patterns to values, the inverse of `encode`."""
        values = patterns.astype(np.int64)
        if self.bipolar:
            return 2 * values - 1
        if self.signed:
            sign = np.int64(1) << np.int64(self.bits - 1)
            return (values ^ sign) - sign
        return values


BIPOLAR = IntType(1, signed=True, bipolar=True)


def exact_dtype(bound: int) -> np.dtype[Any]:
    """The fastest numpy dtype in which sums of integers are exact while every partial sum stays within +-bound.

    int64 where that is more than it holds: what fits it in the end is right, whatever wraps around on the way.
    """
    if bound < 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < 1 << 53 else np.int64)


def exactly(bound: float, *values: NDArray[Any]) -> list[NDArray[Any]]:
    """Integers in float64 or, where that would round partial sums up to about +-bound (itself rounded), in a dtype that does not."""
    most = math.ceil(bound * (1 + 2.0**-20))
    dtype = exact_dtype(max(1 << 24, most)) if most < 1 << 63 else np.dtype(object)
    return [v.astype(dtype, copy=False) for v in values]


def signed_dtype(lo: int, hi: int) -> np.dtype[Any]:
    """The narrowest signed numpy dtype that holds [lo, hi] and the negatives of it."""
    return np.result_type(np.min_scalar_type(-max(-lo, hi, 0) - 1), np.int8)


def narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in the narrowest signed dtype that holds them and their negatives."""
    return values.astype(signed_dtype(int(values.min(initial=0)), int(values.max(initial=0))), copy=False)
