"""Encoding of matrix products; of two streams, one is rows and the other one's matrices are kept, whatever axes lie before the last two."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dfcompile.ir.graph import Array, Node
from dfcompile.ir.intop import IntMatMul, View
from dfcompile.streamline.encode_layout import gathered, permuted, without_offset
from dfcompile.streamline.encode_linear import encode_matmul_constant
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import WIDEST_FACTOR, Grid, common_scale
from dfcompile.streamline.value import Const, Value


@dataclass(frozen=True, eq=False)
class Rows:
    """A stream (1, rows, inner) of rows of an operand.

    order: for each row of the stream which row of the operand it is, counted over heads, then rows of a head
    """

    stream: str
    order: Array


def encode_matmul(enc: Encoder, node: Node) -> None:
    """Matrix product with a constant, or of two streams."""
    if any(isinstance(enc.known[t], Const) for t in node.inputs):
        encode_matmul_constant(enc, node)
        return
    a, b = (plain(enc, node, enc.codes(t, node)) for t in node.inputs)
    if min(a.index.ndim, b.index.ndim) < 2:
        refuse(
            "bad-layout", "a product of two streams takes matrices", node,
            f"without the batch the operands have shapes {a.index.shape} and {b.index.shape}", "give both operands at least three axes",
        )  # fmt: skip
    batch = np.broadcast_shapes(a.index.shape[:-2], b.index.shape[:-2])
    first, second = (_distinct(v.index, batch) for v in (a, b))
    swapped = len(first[0]) < math.prod(batch) == len(second[0])
    if swapped:  # the first one's matrices serve several of the second's: (A B)^T = B^T A^T
        a, b = b, a
        first, second = ((x.swapaxes(1, 2), which) for x, which in (second, first))
    stream, index = _product(enc, node, (a, first), (b, second))
    index = index.reshape(*batch, *index.shape[1:])
    index = index.swapaxes(-1, -2) if swapped else index
    shape = enc.model.tensors[node.outputs[0]].shape[1:]
    grid = Grid.of(a.known_grid.scale * b.known_grid.scale, 0)
    enc.known[node.outputs[0]] = Value(stream, np.ascontiguousarray(index.reshape(shape)), grid, (), grid, node.outputs[0])


def plain(enc: Encoder, node: Node, value: Value) -> Value:
    """The value on codes of one scale, whose 0 means real 0."""
    value = without_offset(enc, node, value)
    grid = value.known_grid.compact()
    if grid.scale.size == 1:
        return replace(value, base=grid, grid=grid)
    scale, factors = common_scale(grid.scale)
    widest = max(map(abs, factors))
    if widest > WIDEST_FACTOR:
        refuse(
            "unequal-scales", "channels of an operand of a product of two streams have scales without a common measure", node,
            f"{grid}: as integers, one would be multiplied by {widest:.3g}", "quantize the tensor with one scale",
        )  # fmt: skip
    grid = Grid.of(scale, 0)
    return replace(value, stream=enc.scaled(node, value.stream, factors), base=grid, grid=grid)


def _distinct(index: Array, batch: tuple[int, ...]) -> tuple[Array, Array]:
    """The different matrices of an operand (matrices, rows, columns), and which of them each element of the batch has."""
    count = max(1, math.prod(index.shape[:-2]))
    own = index.reshape(count, -1)
    _, first, which = np.unique(own, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # as they come
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    numbers = rank[which.ravel()].reshape(index.shape[:-2])
    return own[np.sort(first)].reshape(-1, *index.shape[-2:]), np.broadcast_to(numbers, batch).ravel()


def _product(
    enc: Encoder, node: Node, left: tuple[Value, tuple[Array, Array]], right: tuple[Value, tuple[Array, Array]]
) -> tuple[str, Array]:
    """The stream of the product, and where in it each element (batch, row, column) lies."""
    (a, (rows, of_rows)), (b, (matrices, of_matrices)) = left, right
    a, rows = own_channels(enc, node, a, rows)
    b, matrices = own_channels(enc, node, b, matrices)
    if len(rows) < len(of_rows):  # neither has a matrix of its own for each product
        rows, of_rows = rows[of_rows], np.arange(len(of_rows))
    (heads, m, k), n = rows.shape, matrices.shape[2]
    own = rows_of(enc, node, a, rows)
    held, transposed, runs = _matrices(enc, node, b, matrices)
    of_head = np.empty(heads, np.int64)
    of_head[of_rows] = of_matrices
    run = _run(of_head[own.order // m], len(matrices))
    if run is None:  # rows of each head one after the other
        together = np.argsort(of_head, kind="stable")
        own = rows_of(enc, node, a, rows[together], whole=False)
        own = replace(own, order=together[own.order // m] * m + own.order % m)
        run = _run(of_head[own.order // m], len(matrices))
    assert run is not None, "rows in the order of their heads come in runs"
    op = IntMatMul((k, n), len(matrices), (run, runs), transposed)
    stream = enc.emit(op, (own.stream, held), node.source, f"matmul_{node.name}")
    enc.note(node, f"product of two streams, {len(matrices)} heads of {m} x {k} x {n}" if heads > 1 else "product of two streams")
    place = np.empty(heads * m, np.int64)
    place[own.order] = np.arange(heads * m)
    index = place.reshape(heads, m)[:, :, None] * n + np.arange(n)
    return stream, index[of_rows].astype(np.int32)


def _run(heads: Array, count: int) -> int | None:
    """Rows of one head in a row where all heads come in turn; None where they do not."""
    changes = np.flatnonzero(np.diff(heads))
    run = int(changes[0]) + 1 if len(changes) else len(heads)
    turns = np.arange(len(heads)) // run % count
    return run if len(heads) % (run * count) == 0 and np.array_equal(heads, turns) else None


def _matrices(enc: Encoder, node: Node, value: Value, matrices: Array) -> tuple[str, bool, int]:
    """Stream of the matrices (heads, k, n), whether it is transposed, and how many rows of one head come in a row."""
    count = len(matrices)
    for transposed, index in ((True, matrices.swapaxes(1, 2)), (False, matrices)):
        flat = index.reshape(-1, index.shape[2])
        order = _order(flat, math.prod(enc.shape(value.stream)))
        if order is None:
            continue
        run = _run(order // index.shape[1], count)
        if run is not None and all(np.all(np.diff(order[order // index.shape[1] == h]) > 0) for h in range(count)):
            return rows_of(enc, node, value, index).stream, transposed, run
    found = rows_of(enc, node, value, matrices, whole=False)
    return found.stream, False, matrices.shape[1]


def _order(rows: Array, size: int) -> Array | None:
    """Which row each one of a stream is, where every row's elements follow each other and rows are all that it has."""
    inner = rows.shape[1]
    starts = rows[:, 0]
    order = np.argsort(starts, kind="stable")
    together = rows.size == size and np.array_equal(rows, starts[:, None] + np.arange(inner))
    return order if together and np.array_equal(starts[order], np.arange(len(rows)) * inner) else None


def own_channels(enc: Encoder, node: Node, value: Value, index: Array) -> tuple[Value, Array]:
    """Part of a tensor, some channels of all positions, on a stream of its own; what part, and where it lies there."""
    h, w, c = enc.shape(value.stream)
    used = np.unique(index % c)
    if len(used) == c or len(np.unique(index)) != h * w * len(used):
        return value, index
    return gathered(enc, value, used, node), index // c * len(used) + np.searchsorted(used, index % c)


def rows_of(enc: Encoder, node: Node, value: Value, index: Array, whole: bool = True) -> Rows:
    """The rows of an operand (heads, rows, inner) on a stream of their own; whole: in the stream's own order where that has them whole."""
    rows = index.reshape(-1, index.shape[2])
    order = _order(rows, math.prod(enc.shape(value.stream))) if whole else None
    if order is None:
        value = permuted(enc, value, node, np.ascontiguousarray(rows.T)[:, None, :])
        order = np.arange(len(rows))
    shape = (1, len(rows), rows.shape[1])
    stream = value.stream if enc.shape(value.stream) == shape else enc.emit(View(shape), (value.stream,), node.source, f"view_{node.name}")
    return Rows(stream, order)
