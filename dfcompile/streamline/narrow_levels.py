"""Weights of two sizes, read by thresholds: sizes of few bits in place of long numbers.

A row of weights of the sizes v1 and v2 gives v1 * S1 + v2 * S2, S_k the inputs at size k, added and subtracted. No weight is of both
sizes, so S1 and S2 take, as far as is proven of the inputs, any two values of two ranges, and what thresholds make of the sum is a step
function of two streams: `joint` finds the cheapest sizes n1 and n2 with n1 * S1 + n2 * S2 >= T_k exactly where v1 * S1 + v2 * S2
reaches the k-th threshold, at every point of the box. Trained sizes, which as rationals have the 24 bits of a float32 each, become as
narrow as what their sums are rounded to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor, op_of
from dfcompile.ir.intop import IntConv, ThresholdCode
from dfcompile.ir.types import IntType, narrowed
from dfcompile.streamline.decline import Decline, Tell, in_silence
from dfcompile.streamline.joint import LARGEST_SEARCH, WIDEST, Lines, cheapest, parted

NARROW_BITS = 4  # sizes of so many bits are left alone
NARROW = ".levels"

Range = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Channels of the same two sizes: sums[k] is the proven range (lo, hi), each (channels,), of the inputs at size k."""

    channels: Array
    sizes: tuple[int, int]
    sums: tuple[Range, Range]


def narrow_levels(graph: Graph, decline: Decline = in_silence, tell: Tell = in_silence) -> Graph:
    """thresholds(conv(x, v1 * M1 + v2 * M2)) --> thresholds'(conv(x, n1 * M1 + n2 * M2)), with fewer bits and every code the same."""
    readers = graph.consumers()
    for node in graph.nodes:
        if not isinstance(node.op, IntConv) or len(after := readers[node.outputs[0]]) != 1 or node.outputs[0] in graph.outputs:
            continue
        held = [node.inputs[1], *after[0].inputs[1:2]]
        if isinstance(after[0].op, ThresholdCode) and all(len(readers[t]) == 1 for t in held):
            found = _narrowed(graph, node, after[0])
            if isinstance(found, str):
                decline(node, found)
            elif found is not graph:
                before, now = (g.constants[node.inputs[1]] for g in (graph, found))
                bits = [IntType.holding(int(w.min()), int(w.max())).bits for w in (before, now)]
                tell(node, f"weights of two sizes take {bits[1]} bits in place of {bits[0]}, every code behind the same")
                graph = found
    return graph


def _narrowed(graph: Graph, conv: Node, steps: Node) -> Graph | str:
    """The graph with narrower sizes, or why there are none."""
    weights, thresholds = (np.asarray(graph.constants[n.inputs[1]], np.int64) for n in (conv, steps))
    sizes = [np.unique(np.abs(row[row != 0])) for row in weights]
    two = np.array([len(s) == 2 and int(s[1]).bit_length() > NARROW_BITS for s in sizes])
    if not two.any():
        return graph
    shared = len(thresholds) == 1 and all(np.array_equal(s, sizes[0]) for s in sizes)
    weights, found = weights.copy(), thresholds if shared else np.repeat(thresholds, len(weights) // len(thresholds), axis=0)
    for rows in _alike(graph, conv, weights, sizes, two):
        if shared:
            first, second = ((lo.min(keepdims=True), hi.max(keepdims=True)) for lo, hi in rows.sums)
            rows = replace(rows, sums=(first, second))
        points = _points(rows, found.shape[1])
        if points > LARGEST_SEARCH:
            return (
                f"sums at its two sizes have {points:,} boundaries with the thresholds, shorter sizes are looked for at {LARGEST_SEARCH:,}"
            )
        at = np.arange(1) if shared else rows.channels
        made, moved = _moved(rows, found[at])
        if max(made) < max(rows.sizes):
            part = weights[rows.channels]
            weights[rows.channels] = np.sign(part) * np.where(np.abs(part) == rows.sizes[0], *made)
            found = found.copy()
            found[at] = moved
    return _replaced(graph, conv, steps, narrowed(weights), found) if found is not thresholds else "no shorter sizes keep every code"


def _alike(graph: Graph, conv: Node, weights: Array, sizes: list[Array], two: Array) -> list[_Rows]:
    """Channels by their sizes, with the proven sums of each."""
    kinds: dict[tuple[int, int], list[int]] = {}
    signs = np.sign(weights)
    first = np.array([s[0] if len(s) else 0 for s in sizes]).reshape(-1, 1, 1, 1)
    planes = (np.where(np.abs(weights) == first, signs, 0), np.where(np.abs(weights) == first, 0, signs))
    ranges = [_bounds(graph, conv, plane) for plane in planes]
    for c in np.flatnonzero(two).tolist():
        kinds.setdefault((int(sizes[c][0]), int(sizes[c][1])), []).append(c)
    (lo, hi), (low, high) = ranges
    return [_Rows(np.array(at), pair, ((lo[at], hi[at]), (low[at], high[at]))) for pair, at in kinds.items()]


def _bounds(graph: Graph, conv: Node, weights: Array) -> Range:
    x = graph.tensors[conv.inputs[0]]
    lo, hi = (np.broadcast_to(end, (x.channels,)) for end in x.range)
    low, high = op_of(conv, IntConv).bounds(((lo, hi),), (weights,))
    return low.astype(np.int64), high.astype(np.int64)


def _wide(rows: _Rows) -> int:
    """Which of the two sums takes more values."""
    spans = [int((hi - lo).max()) for lo, hi in rows.sums]
    return int(spans[1] > spans[0])


def _points(rows: _Rows, steps: int) -> int:
    spans = [int((hi - lo).max()) + 1 for lo, hi in rows.sums]
    return min(spans) * steps * len(rows.sums[0][0]) if max(spans) < WIDEST else LARGEST_SEARCH + 1


def _moved(rows: _Rows, thresholds: Array) -> tuple[tuple[int, int], Array]:
    """The cheapest sizes and their thresholds."""
    wide = _wide(rows)
    size, other = rows.sizes[wide], rows.sizes[1 - wide]
    lines = []
    for lo, hi, low, high, row in zip(*rows.sums[wide], *rows.sums[1 - wide], thresholds, strict=True):
        narrow = np.arange(low, high + 1)
        least = -((other * narrow - row[:, None]) // size)  # T less what the other sum gives, over the size, rounded up
        lines.append(Lines(np.clip(least, lo, hi + 1), narrow, int(lo), int(hi)))
    first, second = cheapest(lines, Fraction(size, other))
    top = max(first * x.hi + second * int(x.narrow.max()) for x in lines) + 1
    moved = np.stack([np.minimum(parted(*x.extremes(first, second)[:2]), top) for x in lines])
    return ((second, first) if wide else (first, second)), moved


def _replaced(graph: Graph, conv: Node, steps: Node, weights: Array, thresholds: Array) -> Graph:
    name = f"{conv.outputs[0]}{NARROW}"
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for key, value in ((conv.inputs[1], weights), (steps.inputs[1], thresholds)):
        constants[key], tensors[key] = value, Tensor(value.shape)
    lo, hi = _bounds(graph, conv, weights)
    tensors[name] = Tensor(tensors[conv.outputs[0]].shape, IntType.holding(int(lo.min()), int(hi.max())), lo, hi)
    changed = {conv.name: replace(conv, outputs=(name,)), steps.name: replace(steps, inputs=(name, *steps.inputs[1:]))}
    return graph.replace(nodes=tuple(changed.get(n.name, n) for n in graph.nodes), tensors=tensors, constants=constants)
