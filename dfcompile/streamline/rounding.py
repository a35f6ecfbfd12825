"""Which float64 results are exact: error-free transformations (Dekker 1971, Knuth TAOCP 4.2.2). What infinities come to is inexact."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfcompile.ir.graph import Array

_SPLIT = 134217729.0  # 2**27 + 1


@np.errstate(all="ignore")
def sum_is_inexact(a: Any, b: Any) -> Array:
    """Where a + b is rounded."""
    s = a + b
    part = s - a
    return np.asarray((a - (s - part)) + (b - part) != 0)


@np.errstate(all="ignore")
def product_is_inexact(a: Any, b: Any) -> Array:
    """Where a * b is rounded."""
    return np.asarray(_product_error(a, b) != 0)


@np.errstate(all="ignore")
def quotient_is_inexact(a: Any, b: Any) -> Array:
    """Where a / b is rounded."""
    q = a / b
    return np.asarray((q * b != a) | (_product_error(q, b) != 0))


def _product_error(a: Any, b: Any) -> Any:
    p = a * b
    (a1, a0), (b1, b0) = _halves(a), _halves(b)
    return ((a1 * b1 - p) + a1 * b0 + a0 * b1) + a0 * b0


def _halves(a: Any) -> tuple[Any, Any]:
    t = _SPLIT * a
    high = t - (t - a)
    return high, a - high
