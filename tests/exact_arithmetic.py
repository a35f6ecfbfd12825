"""Rounding, windows and convolution on arrays of Python numbers (int, Fraction): what the exact oracles share."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

HALF = Fraction(1, 2)


def rational(a: Any) -> Any:
    array = np.asarray(a)
    if array.dtype.kind != "f":
        return array
    return np.array([Fraction(float(v)) for v in array.ravel()], object).reshape(array.shape)


def each(function: Any, *arrays: Any) -> Any:
    return np.vectorize(function, otypes=[object])(*arrays)


def rounded(x: Fraction, mode: str) -> int:
    sign, size = (1, x) if x >= 0 else (-1, -x)
    return {
        "ROUND": lambda: round(x),
        "HALF_EVEN": lambda: round(x),
        "CEIL": lambda: math.ceil(x),
        "FLOOR": lambda: math.floor(x),
        "UP": lambda: sign * math.ceil(size),
        "DOWN": lambda: sign * math.floor(size),
        "HALF_UP": lambda: sign * math.floor(size + HALF),
        "HALF_DOWN": lambda: sign * math.ceil(size - HALF),
    }[mode]()


def windows(x: Any, kernel: Any, strides: Any, pads: Any, dilations: Any, fill: Any) -> Any:
    """(n, c, h, w) -> (n, c, oh, ow, kh, kw)."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    v = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    return v[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]


def conv(x: Any, w: Any, a: dict[str, Any]) -> Any:
    """ONNX's Conv over one or two axes, attributes by name."""
    if x.ndim == 3:
        rows = {k: [v, *a[k]] for k, v in (("strides", 1), ("dilations", 1)) if k in a}
        pads = a.get("pads", [0, 0])
        return conv(x[:, :, None], w[:, :, None], {**a, **rows, "pads": [0, pads[0], 0, pads[1]]})[:, :, 0]
    g, k = a.get("group", 1), w.shape[2:]
    v = windows(x, k, a.get("strides", [1, 1]), a.get("pads", [0] * 4), a.get("dilations", [1, 1]), Fraction(0))
    n, _, oh, ow = v.shape[:4]
    parts = []
    for i in range(g):
        vi = v[:, i * w.shape[1] : (i + 1) * w.shape[1]].transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, -1)
        wi = w[i * (len(w) // g) : (i + 1) * (len(w) // g)].reshape(len(w) // g, -1)
        parts.append(np.dot(vi, wi.T).reshape(n, oh, ow, -1))
    return np.concatenate(parts, axis=3).transpose(0, 3, 1, 2)
