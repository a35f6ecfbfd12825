"""How tensors of the model lie on channels-last streams."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array

Shape3 = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """A tensor (c', h', w') on a stream (h, w, c): element (i, y, x) is stream element (rows[y], cols[x], channels[i])."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    channels: Array

    def is_whole(self, h: int, w: int) -> bool:
        return self.rows == tuple(range(h)) and self.cols == tuple(range(w))


def natural_index(c: int, h: int, w: int) -> Array:
    """Index of a tensor (c, h, w) on its own channels-last stream."""
    positions = np.arange(h * w, dtype=np.int32).reshape(1, h, w) * np.int32(c)
    return positions + np.arange(c, dtype=np.int32)[:, None, None]


def default_layout(shape: tuple[int, ...]) -> tuple[Shape3, Array]:
    """Stream shape and index of a tensor (batch left out) whose first axis is the channels."""
    if len(shape) in (2, 3):
        c, h, w = shape if len(shape) == 3 else (shape[0], 1, shape[1])
        return (h, w, c), natural_index(c, h, w).reshape(shape)
    size = math.prod(shape)
    return (1, 1, size), np.arange(size, dtype=np.int32).reshape(shape)


def find_layout(index: Array, stream: Shape3) -> Layout | None:
    """How an index array (c', h', w') lies on a stream (h, w, c); None when rows, columns and channels are mixed."""
    _, w, c = stream
    channels = index[:, 0, 0] % c
    rows = index[0, :, 0] // (w * c)
    cols = index[0, 0, :] // c % w
    expected = (rows[None, :, None] * w + cols[None, None, :]) * c + channels[:, None, None]
    if not np.array_equal(expected, index):
        return None
    return Layout(tuple(rows.tolist()), tuple(cols.tolist()), channels)
