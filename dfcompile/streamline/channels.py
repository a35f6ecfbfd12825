"""Which channels of an integer graph belong together, and graphs with only some of them, or in another order.

A max pool, a threshold or a sum gives channel c from channel c: what becomes of one becomes of the other. Such channels, of all tensors
that they pass, are a **class**. Only at convolutions over all channels does one class end and another begin, so a class can go, or change
its place, by the rows of the convolutions that make it, the columns of those that read it, and the constants in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Op, Tensor, misplaced
from dfcompile.ir.intop import (
    IntAdd,
    IntConcat,
    IntConv,
    IntMul,
    IntOp,
    IntPad,
    IntPool,
    IntSlice,
    IntUnfold,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
)
from dfcompile.ir.types import IntType

BY_CHANNEL = (IntAdd, IntMul, IntPool, IntPad, IntUpsample, ThresholdCode, LookupCode)
"""Operators that give channel c from channels c alone."""


def is_dense(node: Node) -> bool:
    """Whether every output channel reads all channels: there one class ends and the next begins."""
    return isinstance(node.op, IntConv) and node.op.groups == 1


def is_depthwise(node: Node, graph: Graph) -> bool:
    """Whether it is a convolution of channel c with channel c alone."""
    return isinstance(node.op, IntConv) and node.op.groups > 1 and graph.constants[node.inputs[1]].shape[::3] == (node.op.groups, 1)


@dataclass(frozen=True, eq=False)
class Classes:
    """The channels of all streams of a graph, by class.

    of:      stream -> class of each of its channels
    fixed:   class -> whether it must stay where it is: channels of inputs, outputs, and of operators that are not followed
    ordered: class -> whether it may go, but not change its place among its neighbours
    """

    of: Mapping[str, Array]
    fixed: Array
    ordered: Array

    @staticmethod
    def find(graph: Graph) -> Classes:
        streams = [*graph.inputs, *(t for n in graph.nodes for t in n.outputs)]
        first: dict[str, int] = {}
        count = 0
        for t in streams:
            first[t] = count
            count += graph.tensors[t].channels
        number = {t: np.arange(first[t], first[t] + graph.tensors[t].channels) for t in streams}
        parent = np.arange(count)
        fixed, ordered = np.zeros(count, bool), np.zeros(count, bool)
        for t in (*graph.inputs, *graph.outputs):
            fixed[number[t]] = True
        for node in graph.nodes:
            inside = [t for t in node.inputs if t in number]
            pairs = _tied(node, graph, number)
            if pairs is None:
                for t in (*inside, *node.outputs):
                    fixed[number[t]] = True
            else:
                for a, b in pairs:
                    _join(parent, a, b)
                if isinstance(node.op, IntConcat | IntSlice | View | IntUnfold):
                    for t in (*inside, *node.outputs):
                        ordered[number[t]] = True
        roots = _roots(parent)
        _, labels = np.unique(roots, return_inverse=True)
        classes = int(labels.max()) + 1 if count else 0
        held, kept = np.zeros(classes, bool), np.zeros(classes, bool)
        np.logical_or.at(held, labels, fixed)
        np.logical_or.at(kept, labels, ordered)
        return Classes({t: labels[number[t]] for t in streams}, held, kept)


def _tied(node: Node, graph: Graph, number: Mapping[str, Array]) -> list[tuple[Array, Array]] | None:
    """Channels of the inputs and those of the output that come from them; None for an operator that is not followed."""
    op, out = node.op, number[node.outputs[0]]
    inside = [number[t] for t in node.inputs if t in number]
    if is_dense(node):
        return []
    if isinstance(op, BY_CHANNEL) or is_depthwise(node, graph):
        return [(x, out) for x in inside]
    if isinstance(op, IntConcat):
        return [(np.concatenate(inside), out)]
    if isinstance(op, IntSlice):
        return [(inside[0][op.start : op.stop], out)]
    if isinstance(op, IntUnfold) or (isinstance(op, View) and op.shape[:2] == (1, 1)):
        return [(np.tile(inside[0], len(out) // len(inside[0])), out)]
    if isinstance(op, View) and len(inside[0]) == len(out):
        return [(inside[0], out)]
    return None


def _root(parent: Array, at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = int(parent[at])
    return at


def _join(parent: Array, these: Array, those: Array) -> None:
    for a, b in zip(these.tolist(), those.tolist(), strict=True):
        x, y = _root(parent, a), _root(parent, b)
        parent[max(x, y)] = min(x, y)


def _roots(parent: Array) -> Array:
    """The root of each: a parent has a smaller number, so that one more look at all of them halves every path."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further


def by_channel(tensor: Tensor) -> tuple[Array, Array]:
    """The proven range of each channel."""
    lo, hi = (np.broadcast_to(end, (tensor.channels,)).astype(np.int64) for end in tensor.range)
    return lo, hi


def rearranged(graph: Graph, index: Mapping[str, Array], shift: Mapping[str, Array], mark: str) -> Graph:
    """The graph with other channels.

    index: stream -> the channels that it keeps, in their new order; absent: all. The same for all streams that a class passes
    shift: stream -> what its codes are less by than before, for each channel that it had; absent: 0. Thresholds go down with the codes
           that they are compared with, so streams behind them have none
    mark:  is added to the names of streams and constants that change
    """
    changed = {t for t in graph.tensors if t in index or t in shift}
    name = {t: f"{t}{mark}" for t in changed}
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        if not changed.intersection((*node.inputs, *node.outputs)):
            nodes.append(node)
            continue
        op, held = _cut(node, graph, index, shift)
        inputs = [name.get(t, t) for t in node.inputs]
        for place, value in held.items():
            inputs[place] = f"{node.name}.{node.inputs[place]}{mark}"
            constants[inputs[place]], tensors[inputs[place]] = value, Tensor(value.shape)
        node = replace(node, op=op, inputs=tuple(inputs), outputs=tuple(name.get(t, t) for t in node.outputs))
        nodes.append(node)
        for old, new in zip(graph.node(node.name).outputs, node.outputs, strict=True):
            tensors[new] = _tensor(graph.tensors[old], node, tensors, constants, index.get(old), shift.get(old))
    return graph.replace(nodes=tuple(nodes), tensors=tensors, constants=constants).without_dead()


def _cut(node: Node, graph: Graph, index: Mapping[str, Array], shift: Mapping[str, Array]) -> tuple[Op, dict[int, Array]]:
    """The operator and those constants of a node, by place, that change."""
    op, source, out = node.op, node.inputs[0], node.outputs[0]
    columns, rows = index.get(source), index.get(out)
    if isinstance(op, IntConv):
        weights = graph.constants[node.inputs[1]]
        weights = weights if rows is None else weights[rows]
        if op.groups == 1:
            return op, {1: weights if columns is None else weights[..., columns]}
        return replace(op, groups=len(weights) if is_depthwise(node, graph) else op.groups), {1: weights}
    if isinstance(op, ThresholdCode):
        thresholds, flip = (graph.constants[t] for t in node.inputs[1:3])
        if source in shift:
            thresholds = np.clip(thresholds - shift[source][:, None], -(2**62), 2**62)
        if rows is not None:
            thresholds, flip = (a[rows] if len(a) > 1 else a for a in (thresholds, flip))
        return op, {1: thresholds, 2: flip}
    if isinstance(op, LookupCode):
        table = graph.constants[node.inputs[1]]
        return op, {1: table[rows] if rows is not None and len(table) > 1 else table}
    if isinstance(op, IntSlice):
        whole = np.arange(graph.tensors[source].channels) if columns is None else columns
        start = int(np.searchsorted(whole, op.start))
        return replace(op, start=start, stop=int(np.searchsorted(whole, op.stop))), {}
    if isinstance(op, View) and rows is not None:
        return replace(op, shape=(*op.shape[:2], len(rows))), {}
    return op, {}


def _tensor(
    old: Tensor, node: Node, tensors: Mapping[str, Tensor], constants: Mapping[str, Array], index: Array | None, shift: Array | None
) -> Tensor:
    """What is known of a stream that was rearranged: what was known of its channels, and what its new operator says."""
    op = node.op
    if not isinstance(op, IntOp):
        raise misplaced(node)
    lo, hi = by_channel(old)
    if shift is not None:
        lo, hi = lo - shift, hi - shift
    if index is not None:
        lo, hi = lo[index], hi[index]
    shape = (*old.shape[:-1], len(lo))
    streams = tuple(by_channel(tensors[t]) for t in node.inputs if t not in constants)
    low, high = op.bounds(streams, tuple(constants[t] for t in node.inputs if t in constants))
    lo, hi = np.maximum(lo, np.asarray(low).astype(np.int64)), np.minimum(hi, np.asarray(high).astype(np.int64))
    sums = isinstance(op, IntConv | IntAdd | IntMul) or (isinstance(op, IntPool) and op.mode == "sum") or shift is not None
    return Tensor(shape, IntType.holding(int(lo.min()), int(hi.max())) if sums else old.dtype, lo, hi)


def orders(classes: Classes, wanted: Mapping[str, Array]) -> dict[str, Array] | None:
    """Orders of all streams that follow from those of two; None where a channel may not move, or the two contradict each other."""
    found: dict[str, Array] = {}
    seen: set[int] = set()
    for stream, order in wanted.items():
        if np.array_equal(order, np.arange(len(order))):
            continue
        labels = classes.of[stream][order]
        members = set(labels.tolist())
        if len(members) != len(labels) or members & seen or classes.fixed[labels].any() or classes.ordered[labels].any():
            return None
        seen |= members
        place = {label: i for i, label in enumerate(labels.tolist())}
        for t, of in classes.of.items():
            inside = [label in place for label in of.tolist()]
            if not any(inside):
                continue
            if not all(inside) or len(of) != len(labels) or len(set(of.tolist())) != len(labels):
                return None
            found[t] = np.argsort([place[label] for label in of.tolist()])
    stay = {t: np.arange(len(order)) for t, order in wanted.items()}
    return found if all(np.array_equal({**stay, **found}[t], order) for t, order in wanted.items()) else None
