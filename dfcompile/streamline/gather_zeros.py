"""Zeros of a matrix that lie apart are brought together: channels in another order, so that words of weights are 0 as a whole.

conv(x), rows and columns as they are --> conv(x), of rows with like zeros one behind the other, and of columns too

What skips words of zeros (a matrix unit of `pe` rows by `simd` columns, a tile of the loopback engine) has fewer to walk then. Rows move
with their thresholds and with the columns of those that read them, so an order is taken only if all matrices that it touches together
have fewer words, and none that has few weights of each 2 or 4 inputs gets more of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.streamline.channels import Classes, is_dense, orders, rearranged
from dfcompile.streamline.decline import Tell, in_silence

SHAPES = ((2, 8), (4, 4), (4, 8), (8, 8))
"""Rows and columns of the words that are counted; which ones the hardware has is not known here."""
MOST_USED = 0.6
"""Share of weights other than 0 up to which words are skipped."""
GAIN = 0.9
"""Of the words of all shapes, what may be left of them."""
LARGEST = 4096
"""Rows or columns of a matrix that is looked at."""


def gather_zeros(graph: Graph, tell: Tell = in_silence) -> Graph:
    """The graph with the channels in an order in which fewer words of weights are other than 0; the same graph where none is better."""
    for node in graph.nodes:
        if is_dense(node):
            graph = _gathered(graph, graph.node(node.name), tell)
    return graph


def _gathered(graph: Graph, node: Node, tell: Tell) -> Graph:
    used = _used(graph, node)
    outputs, _, inputs = used.shape
    if used.mean() > MOST_USED or max(outputs, inputs) > LARGEST or not used.any():
        return graph
    rows, columns = alike(used.reshape(outputs, -1)), alike(used.transpose(2, 0, 1).reshape(inputs, -1))
    classes = Classes.find(graph)
    best, least, before = graph, GAIN, words(used)
    for wanted in _choices(node, rows, columns):
        alone = used[wanted.get(node.outputs[0], slice(None))][:, :, wanted.get(node.inputs[0], slice(None))]
        index = orders(classes, wanted) if _left(words(alone), before) < GAIN else {}
        if not index:
            continue
        made = rearranged(graph, index, {}, ".gathered")
        share = _share(graph, made, index)
        if share < least:
            best, least = made, share
    if best is not graph:
        after = words(_used(best, best.node(node.name)))
        tell(node, f"channels in another order: of its words of 4 x 8 weights {after[2]} are not 0, before {before[2]}")
    return best


def _choices(node: Node, rows: Array, columns: Array) -> Iterator[Mapping[str, Array]]:
    """Orders of both its streams, or of one."""
    yield {node.outputs[0]: rows, node.inputs[0]: columns}
    yield {node.outputs[0]: rows}
    yield {node.inputs[0]: columns}


def _used(graph: Graph, node: Node) -> Array:
    """(outputs, taps, inputs): where weights are not 0."""
    weights = graph.constants[node.inputs[1]]
    return np.asarray(weights.reshape(len(weights), -1, weights.shape[3]) != 0)


def alike(used: Array) -> Array:
    """Rows (n, columns) of an order in which each is as much like the one before as any that is left; it begins with the fullest."""
    ones = used.astype(np.float32)
    both = ones @ ones.T
    apart = both.diagonal()[:, None] + both.diagonal() - 2 * both
    left = np.ones(len(used), bool)
    order = [int(np.argmax(both.diagonal()))]
    left[order[0]] = False
    while len(order) < len(used):
        order.append(int(np.argmin(np.where(left, apart[order[-1]], np.inf))))
        left[order[-1]] = False
    return np.array(order)


def words(used: Array) -> list[int]:
    """Words with a weight other than 0 of a matrix (rows, taps, columns), for each of the shapes."""
    by_8 = np.packbits(np.pad(used, ((0, -len(used) % 8), (0, 0), (0, 0))), axis=2)  # columns of a byte, of as many rows as 8 divides
    found = []
    for pe, simd in SHAPES:
        of_rows = np.bitwise_or.reduce(by_8.reshape(-1, pe, *by_8.shape[1:]), axis=1)
        parts = (of_rows >> 4, of_rows & 15) if simd == 4 else (of_rows,)
        found.append(sum(int(np.count_nonzero(p)) for p in parts))
    return found


def _share(before: Graph, after: Graph, index: Mapping[str, Array]) -> float:
    """Of the words of all matrices that an order touches what is left, the mean over the shapes; 1 where a pattern of few of each goes."""
    old, new = np.zeros(len(SHAPES)), np.zeros(len(SHAPES))
    for node in before.nodes:
        if is_dense(node) and index.keys() & {node.inputs[0], node.outputs[0]}:
            one, other = _used(before, node), _used(after, after.node(node.name))
            if any(_densest(one, m) < _densest(other, m) for m in (2, 4)):
                return 1.0
            h, w, _ = before.tensors[node.outputs[0]].shape
            old += h * w * np.array(words(one))
            new += h * w * np.array(words(other))
    return _left(new, old)


def _left(new: ArrayLike, old: ArrayLike) -> float:
    """Share of the words that is left, the mean over the shapes."""
    return float(np.mean(np.asarray(new) / np.maximum(old, 1)))


def _densest(used: Array, m: int) -> int:
    """Most weights other than 0 in m neighbours of a row; m where columns are no multiple."""
    return int(used.reshape(-1, m).sum(axis=1).max()) if used.shape[2] % m == 0 else m
