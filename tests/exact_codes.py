"""Codes and real numbers in exact rationals: what operators on integer codes are held to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def codes(dtype: Any, *shape: int, seed: int = 1) -> Array:
    """Random codes over the whole range of an integer type."""
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def exact(array: Any) -> Array:
    """Numbers as they are, in an object array of Fraction."""
    array = np.asarray(array)
    return np.array([Fraction(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def real(q: Array, scale: Any, zero: Any) -> Array:
    """What codes mean."""
    return np.asarray((exact(q) - exact(zero)) * exact(scale), object)


def quantized(x: Array, scale: Any, zero: Any) -> Array:
    """The 8-bit codes of real numbers, halves to even; signed where the zero-point is int8."""
    low, high = (-128, 127) if np.asarray(zero).dtype == np.int8 else (0, 255)
    steps = np.asarray(x / exact(scale), object)
    return np.array([min(max(round(v) + int(zero), low), high) for v in steps.ravel()], np.int64).reshape(steps.shape)
