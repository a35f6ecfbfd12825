"""Which axes of a tensor are the channels, rows and columns of its stream: channels come last in what TensorFlow exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.encoder import Encoder
from dfcompile.streamline.value import Value, find_layout

Axes = tuple[int, ...]


def as_chw(index: Array) -> Array:
    """An index array as (c, h, w): (c,) is one position, (c, l) is one row."""
    if index.ndim == 1:
        return index[:, None, None]
    return index[:, None, :] if index.ndim == 2 else index


def orientation(enc: Encoder, values: Sequence[Value]) -> Axes:
    """The order of a tensor's axes (batch not counted) in which all values are (channels, rows, columns) of their streams.

    The order that they have where no other fits.
    """
    rank = values[0].index.ndim
    orders = permutations(range(rank)) if rank <= 3 else ()
    return next((o for o in orders if all(_fits(enc, v, o) for v in values)), tuple(range(rank)))


def _fits(enc: Encoder, value: Value, order: Axes) -> bool:
    return find_layout(as_chw(value.index.transpose(order)), enc.shape(value.stream)) is not None


def turned(value: Value, order: Axes) -> Value:
    """The value as a tensor whose axes are `order` of the axes it has."""
    return replace(value, index=np.ascontiguousarray(value.index.transpose(order)))


def turned_back(value: Value, order: Axes) -> Value:
    """The inverse of `turned`."""
    return turned(value, tuple(np.argsort(order).tolist()))
