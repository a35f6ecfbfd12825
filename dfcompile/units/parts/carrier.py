"""Which numpy dtype carries integers exactly and cheaply."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfcompile.units.base import Array


def carrier(array: Array, lo: int, hi: int) -> np.dtype[Any]:
    """The dtype for results in [lo, hi] computed from `array`: its own where that is exact, else the next that is.

    Floats stay floats (matrix products run at BLAS speed on them) as long as every integer in between is exact.
    """
    limit = max(-lo, hi)
    if array.dtype.kind == "f":
        if array.dtype.itemsize <= 4 and limit <= 1 << 24:
            return np.dtype(np.float32)
        if limit <= 1 << 53:
            return np.dtype(np.float64)
    elif array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        if info.min <= lo and hi <= info.max:
            return array.dtype
    if limit < 1 << 31:
        return np.dtype(np.int32)
    return np.dtype(np.int64 if limit < 1 << 63 else object)


def widened(array: Array, lo: int, hi: int) -> Array:
    """`array` in the dtype in which results in [lo, hi] are exact; no copy when it is its own."""
    return array.astype(carrier(array, lo, hi), copy=False)
