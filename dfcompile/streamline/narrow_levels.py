"""Weights of few sizes, read by thresholds: sizes of few bits in place of long numbers.

A row of weights of the sizes v1 and v2 gives v1 * S1 + v2 * S2, S_k the inputs at size k, added and subtracted. No weight is of both
sizes, so S1 and S2 take, as far as is proven of the inputs, any two values of two ranges, and what thresholds make of the sum is a step
function of two streams: `joint` finds the cheapest sizes n1 and n2 with n1 * S1 + n2 * S2 >= T_k exactly where v1 * S1 + v2 * S2
reaches the k-th threshold, at every point of the box. Trained sizes, which as rationals have the 24 bits of a float32 each, become as
narrow as what their sums are rounded to.

Of three to six sizes those are taken that gaps between sums and thresholds leave room for (`gaps`): sums of more sizes take so many values
that this needs few inputs at each, where layers of two sizes may be of any width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.blocks import largest
from dfcompile.ir.graph import Array, Graph, Node, Tensor, op_of
from dfcompile.ir.intop import IntConv, ThresholdCode
from dfcompile.ir.types import IntType, narrowed
from dfcompile.streamline.decline import Decline, Tell, in_silence
from dfcompile.streamline.gaps import Row, shorter
from dfcompile.streamline.joint import LARGEST_SEARCH, WIDEST, Cost, Lines, cheapest, cost_of_bits, cost_of_signs, parted

NARROW_BITS = 4  # sizes of so many bits are left alone
MOST_SIZES = 6  # of a channel
NARROW = ".levels"

Range = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Channels of two sizes each, (channels, 2): sums[k] is the proven range (lo, hi), each (channels,), of the inputs at size k."""

    channels: Array
    sizes: Array
    sums: tuple[Range, Range]

    def part(self, at: Array) -> _Rows:
        """Some of them."""
        (lo, hi), (low, high) = self.sums
        return _Rows(self.channels[at], self.sizes[at], ((lo[at], hi[at]), (low[at], high[at])))

    def hull(self) -> _Rows:
        """One for all of the same sizes."""
        (lo, hi), (low, high) = ((lo.min(keepdims=True), hi.max(keepdims=True)) for lo, hi in self.sums)
        return _Rows(self.channels[:1], self.sizes[:1], ((lo, hi), (low, high)))

    def alike(self) -> list[_Rows]:
        """Those of the same sizes together."""
        _, which = np.unique(self.sizes, axis=0, return_inverse=True)
        return [self.part(np.flatnonzero(which.ravel() == k)) for k in range(int(which.max()) + 1)]

    def spans(self) -> list[int]:
        """How many values each sum takes at most."""
        return [int((hi - lo).max()) + 1 for lo, hi in self.sums]


def narrow_levels(graph: Graph, decline: Decline = in_silence, tell: Tell = in_silence) -> Graph:
    """thresholds(conv(x, v1 * M1 + v2 * M2)) --> thresholds'(conv(x, n1 * M1 + n2 * M2)), with fewer bits and every code the same."""
    readers = graph.consumers()
    for node in graph.nodes:
        if not isinstance(node.op, IntConv) or len(after := readers[node.outputs[0]]) != 1 or node.outputs[0] in graph.outputs:
            continue
        if largest(graph.constants[node.inputs[1]]).bit_length() <= NARROW_BITS:
            continue
        held = [node.inputs[1], *after[0].inputs[1:2]]
        if isinstance(after[0].op, ThresholdCode) and all(len(readers[t]) == 1 for t in held):
            found = _narrowed(graph, node, after[0])
            found = found if found is not graph else _by_gaps(graph, node, after[0])
            if isinstance(found, str):
                decline(node, found)
            elif found is not graph:
                before, now = (g.constants[node.inputs[1]] for g in (graph, found))
                bits = [IntType.holding(int(w.min()), int(w.max())).bits for w in (before, now)]
                tell(node, f"weights of few sizes take {bits[1]} bits in place of {bits[0]}, every code behind the same")
                graph = found
    return graph


def _narrowed(graph: Graph, conv: Node, steps: Node) -> Graph | str:
    """The graph with narrower sizes, or why there are none: the same for all channels where there are such, as these may share hardware."""
    weights, thresholds = (np.asarray(graph.constants[n.inputs[1]], np.int64) for n in (conv, steps))
    rows = _rows(graph, conv, weights)
    if rows is None:
        return graph
    spans = rows.spans()
    points = min(spans) * thresholds.shape[1] * len(rows.channels)
    if points > LARGEST_SEARCH or max(spans) > WIDEST:
        return f"sums at its two sizes meet thresholds at {points:,} places, shorter sizes are looked for at {LARGEST_SEARCH:,} at most"
    signs = bool(np.all(weights[rows.channels]))
    if len(thresholds) == 1 and len(rows.channels) == len(weights) and np.all(rows.sizes == rows.sizes[0]):
        parts, made = [rows], [_moved(rows.hull(), thresholds, cost_of_signs if signs else None)]
    else:
        thresholds = np.repeat(thresholds, len(weights) // len(thresholds), axis=0)
        parts, made = [rows], [_moved(rows, thresholds[rows.channels], cost_of_signs if signs else None)]
        if made[0] is None:
            parts = rows.alike()
            made = [_moved(part, thresholds[part.channels], cost_of_signs if signs else cost_of_bits) for part in parts]
    weights, thresholds = weights.copy(), thresholds.copy()
    before = int(np.abs(weights).max())
    for part, found in zip(parts, made, strict=True):
        if found is not None and max(found[0]) < part.sizes.max():
            old = weights[part.channels]
            small = np.abs(old) == part.sizes[:, :1, None, None]
            weights[part.channels] = np.sign(old) * np.where(small, *found[0])
            thresholds[part.channels if len(thresholds) > 1 else slice(None)] = found[1]
    if np.abs(weights).max() == before:
        return "no shorter sizes keep every code"
    return _replaced(graph, conv, steps, narrowed(weights), thresholds)


def _by_gaps(graph: Graph, conv: Node, steps: Node) -> Graph:
    """The graph with narrower sizes in every channel where some have three or more, else the same graph."""
    weights, thresholds = (np.asarray(graph.constants[n.inputs[1]], np.int64).copy() for n in (conv, steps))
    sizes = [np.unique(np.abs(row[row != 0])) for row in weights]
    most = max(map(len, sizes))
    if not 3 <= most <= MOST_SIZES:
        return graph
    table = np.array([np.pad(s, (0, most - len(s)), constant_values=-1) for s in sizes])
    numbers = (np.abs(weights)[..., None] == table[:, None, None, None]).argmax(axis=-1)  # of each weight's size, where it is not 0
    planes = [_bounds(graph, conv, np.where(numbers == k, np.sign(weights), 0)) for k in range(most)]
    rows = [Row(tuple(s.tolist()), tuple((int(lo[c]), int(hi[c])) for lo, hi in planes[: len(s)])) for c, s in enumerate(sizes)]
    thresholds = np.repeat(thresholds, len(weights) // len(thresholds), axis=0)
    for c, row in enumerate(rows):
        if row.sizes:
            found = shorter(row, thresholds[c].tolist(), LARGEST_SEARCH // len(rows))
            if found is None:
                return graph
            weights[c] = np.sign(weights[c]) * np.array(found[0])[numbers[c]]
            thresholds[c] = found[1]
    return _replaced(graph, conv, steps, narrowed(weights), thresholds)


def _rows(graph: Graph, conv: Node, weights: Array) -> _Rows | None:
    """Channels of two sizes that are long, with the proven sums of each; None where there are none."""
    sizes = [np.unique(np.abs(row[row != 0])) for row in weights]
    at = np.array([c for c, s in enumerate(sizes) if len(s) == 2 and int(s[1]).bit_length() > NARROW_BITS], int)
    if not len(at):
        return None
    first = np.array([s[0] if len(s) else 0 for s in sizes]).reshape(-1, 1, 1, 1)
    small, signs = np.abs(weights) == first, np.sign(weights)
    (lo, hi), (low, high) = (_bounds(graph, conv, np.where(plane, signs, 0)) for plane in (small, ~small))
    return _Rows(at, np.stack([sizes[c] for c in at]), ((lo[at], hi[at]), (low[at], high[at])))


def _bounds(graph: Graph, conv: Node, weights: Array) -> Range:
    x = graph.tensors[conv.inputs[0]]
    lo, hi = (np.broadcast_to(end, (x.channels,)) for end in x.range)
    low, high = op_of(conv, IntConv).bounds(((lo, hi),), (weights,))
    return low.astype(np.int64), high.astype(np.int64)


def _moved(rows: _Rows, thresholds: Array, cost: Cost | None) -> tuple[tuple[int, int], Array] | None:
    """The cheapest sizes that serve all channels and their thresholds; None where there are none."""
    spans = rows.spans()
    wide = int(spans[1] > spans[0])
    lines, ratios = [], []
    for pair, lo, hi, low, high, row in zip(rows.sizes.tolist(), *rows.sums[wide], *rows.sums[1 - wide], thresholds, strict=True):
        size, other, narrow = pair[wide], pair[1 - wide], np.arange(low, high + 1)
        least = -((other * narrow - row[:, None]) // size)  # T less what the other sum gives, over the size, rounded up
        lines.append(Lines(np.clip(least, lo, hi + 1), narrow, int(lo), int(hi)))
        ratios.append(Fraction(size, other))
    found = cheapest(lines, ratios, cost)
    if found is None:
        return None
    first, second = found
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
