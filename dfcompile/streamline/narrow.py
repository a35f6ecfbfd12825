"""Products of a table's entries and a stream, read by thresholds: entries of few bits in place of wide ones.

code = f(u[z] * x) for integers z and x in proven ranges and thresholds f. Any integers v serve as well whose products keep the order
across every code boundary: the largest v[z] * x below it stays under the least above it. Both sides are finite, so each try is a check
of all pairs. Tables of real numbers, as 1 - z for a quantized z, lie on grids as fine as a float32 mantissa and become as narrow as z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor, op_of
from dfcompile.ir.intop import IntMul, LookupCode, ThresholdCode
from dfcompile.ir.requantization import straightened
from dfcompile.ir.types import IntType
from dfcompile.streamline.decline import Decline, in_silence

LARGEST_SEARCH = 2**21  # pairs of an entry and a value of the stream, over all channels
NARROW_BITS = 8  # entries of so many bits are left alone
NARROW = ".narrow"
_FAR = 2**62


def narrow_factors(graph: Graph, decline: Decline = in_silence) -> Graph:
    """thresholds(table(z) * x) --> thresholds'(table'(z) * x), with fewer bits and every code the same."""
    made, readers = graph.producers(), graph.consumers()
    for node in graph.nodes:
        if not isinstance(node.op, IntMul) or len(after := readers[node.outputs[0]]) != 1 or node.outputs[0] in graph.outputs:
            continue
        tables = [made[t] for t in dict.fromkeys(node.inputs) if t in made and isinstance(made[t].op, LookupCode)]
        tables = [n for n in tables if len(readers[n.outputs[0]]) == 1 and n.outputs[0] not in graph.outputs]
        if len(tables) == 1 and isinstance(after[0].op, ThresholdCode):
            found = _narrowed(graph, tables[0], node, after[0])
            if isinstance(found, str):
                decline(node, found)
            else:
                graph = found
    return graph


def _narrowed(graph: Graph, lookup: Node, product: Node, steps: Node) -> Graph | str:
    """The graph with narrower entries, or why there are none."""
    table, thresholds = (np.asarray(graph.constants[n.inputs[1]], np.int64) for n in (lookup, steps))
    other = next(t for t in product.inputs if t != lookup.outputs[0])
    lo, hi = graph.tensors[other].range
    channels = max(len(table), len(thresholds))
    if channels == 1:
        lo, hi = np.array([lo.min()]), np.array([hi.max()])
    if int(np.abs(table).max()).bit_length() <= NARROW_BITS:
        return graph
    pairs = channels * table.shape[1] * (int((hi - lo).max()) + 1)
    if pairs > LARGEST_SEARCH:
        return f"its table has {pairs:,} products with the stream, narrower entries are looked for among {LARGEST_SEARCH:,} at most"
    table = np.broadcast_to(table, (channels, table.shape[1]))
    thresholds = np.broadcast_to(thresholds, (channels, thresholds.shape[1]))
    streams = [np.arange(a, b + 1) for a, b in zip(lo.tolist(), hi.tolist(), strict=True)]
    for entries in _candidates(table):
        found: list[Array] = []
        for row in zip(table, entries, thresholds, streams, strict=True):
            if (moved := _moved(*row)) is None:
                break
            found.append(moved)
        else:
            return _replaced(graph, (lookup, product, steps), entries, np.stack(found))
    return "no narrower entries of its table keep every code"


def _candidates(table: Array) -> Iterator[Array]:
    """Entries in steps of their least difference, then of more and more bits, all narrower than they are."""
    largest = int(np.abs(table).max())
    steps = np.diff(np.unique(table))
    scales = [1 / int(steps.min())] if len(steps) else []
    scales += [((1 << bits) - 1) / largest for bits in range(2, largest.bit_length())]
    for scale in sorted(s for s in scales if s < 1):
        yield np.rint(table * scale).astype(np.int64)


def _moved(entries: Array, narrow: Array, thresholds: Array, stream: Array) -> Array | None:
    """Thresholds of narrower entries in one channel; None where their products do not keep the order."""
    codes = np.searchsorted(thresholds, np.multiply.outer(entries, stream).ravel(), side="right")
    products = np.multiply.outer(narrow, stream).ravel()
    least, most = np.full(len(thresholds) + 1, _FAR), np.full(len(thresholds) + 1, -_FAR)
    np.minimum.at(least, codes, products)
    np.maximum.at(most, codes, products)
    reached, missed = np.minimum.accumulate(least[::-1])[::-1][1:], np.maximum.accumulate(most)[:-1]
    if np.any(missed >= reached):
        return None
    straight = straightened(missed, reached)
    return np.minimum(reached if straight is None else straight, int(products.max()) + 1)


def _replaced(graph: Graph, nodes: tuple[Node, Node, Node], entries: Array, thresholds: Array) -> Graph:
    lookup, product, steps = nodes
    names = {n.outputs[0]: f"{n.outputs[0]}{NARROW}" for n in (lookup, product)}
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for node, value in ((lookup, entries), (steps, thresholds)):
        constants[node.inputs[1]], tensors[node.inputs[1]] = value, Tensor(value.shape)
    changed = {}
    for node in nodes:
        inputs, outputs = (tuple(names.get(t, t) for t in ends) for ends in (node.inputs, node.outputs))
        changed[node.name] = replace(node, inputs=inputs, outputs=outputs)
    ops: tuple[LookupCode | IntMul, ...] = (op_of(lookup, LookupCode), op_of(product, IntMul))
    for node, op in zip((changed[lookup.name], changed[product.name]), ops, strict=True):
        given = [constants[t] for t in node.inputs if t in constants]
        lo, hi = op.bounds(tuple(tensors[t].range for t in node.inputs if t not in constants), tuple(given))
        shape = graph.tensors[node.outputs[0].removesuffix(NARROW)].shape
        lo, hi = (np.broadcast_to(end, (shape[-1],)).astype(np.int64) for end in (lo, hi))
        tensors[node.outputs[0]] = Tensor(shape, IntType.holding(int(lo.min()), int(hi.max())), lo, hi)
    return graph.replace(nodes=tuple(changed.get(n.name, n) for n in graph.nodes), tensors=tensors, constants=constants)
