"""Which axes of a tensor are the channels, rows and columns of its stream: channels come last in what TensorFlow exports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.encoder import Encoder
from dfcompile.streamline.layout import find_layout
from dfcompile.streamline.value import Value

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


def exchanges(order: Array) -> list[tuple[int, int, int, int]] | None:
    """An order of all elements as exchanges of neighbouring axes, one after another; None where it is not of that kind.

    (a, b, c, d): elements seen as (a, b, c, d) become (a, c, b, d).
    """
    loops = _loops(order)
    if loops is None:
        return None
    sizes = {stride: count for count, stride in loops}
    axes, steps = sorted(sizes, reverse=True), np.cumprod([1, *(sizes[s] for s in sorted(sizes))])
    if len(sizes) < len(loops) or sorted(sizes) != steps[:-1].tolist():
        return None
    found = []
    for at, (_, stride) in enumerate(loops):
        first = axes.index(stride)
        if first > at:
            counts = [sizes[s] for s in axes]
            found.append((math.prod(counts[:at]), math.prod(counts[at:first]), counts[first], math.prod(counts[first + 1 :])))
            axes.insert(at, axes.pop(first))
    return found


def _loops(order: Array) -> list[tuple[int, int]] | None:
    """Numbers as nested loops from 0 on, outermost first: (count, stride) of each; None where they are not."""
    found: list[tuple[int, int]] = []
    while len(order) > 1:
        stride = int(order[1] - order[0])
        broken = np.flatnonzero(np.diff(order) != stride)
        count = int(broken[0]) + 1 if len(broken) else len(order)
        if stride < 1 or len(order) % count or np.any(order.reshape(-1, count) != order[::count, None] + stride * np.arange(count)):
            return None
        found.insert(0, (count, stride))
        order = order[::count]
    return found if order[0] == 0 else None
