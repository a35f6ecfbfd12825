"""Inner loops of the integer operators, over blocks of a frame: no more than a block is ever unfolded or copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.types import exact_dtype

UNFOLDED = 2**22
"""Elements of unfolded windows held at once."""
CACHED = 2**16
"""Elements of a block that several passes go over."""
MANY_PASSES = 64
"""Passes over a block beyond which one reduction, or a binary search, is faster."""


def largest(values: Array) -> int:
    """The largest magnitude of integers."""
    return max(-int(values.min()), int(values.max()))


def row_blocks(shape: tuple[int, ...], row: int, limit: int) -> Iterator[tuple[int, slice]]:
    """Frame and rows of (n, rows, ...) in blocks of at most `limit` elements, `row` in each row, but at least one row."""
    size = max(1, limit // row)
    yield from ((i, slice(first, first + size)) for i in range(shape[0]) for first in range(0, shape[1], size))


def depthwise(windows: Array, taps: Array, out: Array) -> None:
    """Windows (rows, ow, c, kh, kw) times taps (c, kh, kw), summed in the dtype of `out` (rows, ow, c)."""
    out[...] = 0
    for place in np.ndindex(taps.shape[1:]):
        out += windows[..., *place].astype(out.dtype, copy=False) * taps[..., *place]


def dense(windows: Array, matrices: Array, out: Array) -> None:
    """Windows (rows, ow, groups * c, kh, kw) times (groups, kh * kw * c, oc / groups), into `out` (rows, ow, oc)."""
    groups = len(matrices)
    rows, ow, channels, kh, kw = windows.shape
    unfolded = np.empty((groups, rows, ow, kh, kw, channels // groups), out.dtype)
    unfolded[...] = windows.reshape(rows, ow, groups, -1, kh, kw).transpose(2, 0, 1, 4, 5, 3)
    flat = unfolded.reshape(groups, rows * ow, -1)
    if groups == 1:
        np.matmul(flat[0], matrices[0], out=out.reshape(rows * ow, -1))
    else:
        out.reshape(rows * ow, groups, -1)[...] = np.matmul(flat, matrices).transpose(1, 0, 2)


def reduced(join: np.ufunc, windows: Array, out: Array) -> None:
    """Windows (rows, ow, c, kh, kw) joined by a function of two, into `out` (rows, ow, c)."""
    kernel = windows.shape[3:]
    if kernel[0] * kernel[1] > MANY_PASSES:
        join.reduce(windows, axis=(-2, -1), out=out)
        return
    out[...] = windows[..., 0, 0]
    for place in list(np.ndindex(kernel))[1:]:
        join(out, windows[..., *place], out=out)


def counts(x: Array, thresholds: Array, out: Array) -> None:
    """How many of a channel's thresholds (c or 1, n) are not above x (rows, c); n fits into a byte."""
    columns = [np.ascontiguousarray(t, x.dtype) if _holds(x.dtype, t) else t for t in thresholds.T]
    size = max(1, CACHED // x.shape[1])
    for first in range(0, len(x), size):
        block = x[first : first + size]
        count = np.zeros(block.shape, np.uint8)
        for column in columns:
            count += block >= column
        out[first : first + size] = count


def _holds(dtype: np.dtype[Any], values: Array) -> bool:
    """Whether a dtype of real numbers holds these integers exactly."""
    return dtype.kind == "f" and exact_dtype(largest(values)).itemsize <= dtype.itemsize
