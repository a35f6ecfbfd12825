"""Dense layers whose weights come from external memory in each frame, through a port of their own.

A port brings a weight once a frame. So it serves layers that use each weight once a frame, those of a single position: dense layers, and
convolutions behind a pooling over the whole picture. One of P positions uses each weight P times.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dfcompile.dataflow.vectors import is_direct, weight_type
from dfcompile.ir.graph import Array, Delay, Graph, Node, Tensor
from dfcompile.ir.intop import IntConv, IntMatMul, View
from dfcompile.ir.intop_base import Range
from dfcompile.ir.types import IntType

_PORT = "_weights"


def why_kept(graph: Graph, node: Node) -> str:
    """Why the weights of a layer cannot come through a port; "" where they can."""
    if not isinstance(node.op, IntConv):
        return "it has no weights"
    if any(isinstance(n.op, Delay) for n in graph.nodes):
        return "the network has states, and a step of a loop is no frame"
    (h, w, c), (rows, columns, out) = graph.tensors[node.inputs[0]].shape, graph.tensors[node.outputs[0]].shape
    if rows * columns > 1:
        return f"it has {rows * columns} positions a frame, and needs each weight at each of them"
    if node.op.groups > 1:
        return "it is grouped: each weight meets a part of its inputs only"
    if not is_direct(node.op.window, (h, w, c), (rows, columns, out), 1, depthwise=False):
        return "its window is not the whole frame in its order"
    return ""


def weight_bits(graph: Graph, node: Node) -> int:
    """Bits of all weights of a layer."""
    weights = graph.constants[node.inputs[1]]
    return int(weights.size) * weight_type(weights).bits


def streamable(graph: Graph) -> list[str]:
    """Nodes of an integer graph whose weights can come through a port, those with the most bits first."""
    found = [n for n in graph.nodes if isinstance(n.op, IntConv) and not why_kept(graph, n)]
    return [n.name for n in sorted(found, key=lambda n: -weight_bits(graph, n))]


def streamed_layers(graph: Graph) -> tuple[str, ...]:
    """The nodes that `stream_weights` has given ports, of its graph or of one made of that."""
    return tuple(t.removesuffix(_PORT) for t in graph.fixed)


def stream_weights(graph: Graph, names: Collection[str]) -> Graph:
    """``int_conv(x, W) --> view(int_matmul(W as a stream, view(x)))`` for the nodes of these names.

    W, a row of the matrix for each output, is an input of the graph and among its constants: what comes there is the same in each frame.
    """
    if not names:
        return graph
    made = _Streamed(graph)
    for node in graph.nodes:
        made.add(node, node.name in names)
    left = {t for n in made.nodes for t in n.inputs}
    constants = {t: v for t, v in made.constants.items() if t in left}
    tensors = {t: v for t, v in made.tensors.items() if t not in made.constants or t in constants}
    return graph.replace(nodes=tuple(made.nodes), tensors=tensors, constants=constants, inputs=tuple(made.inputs))


class _Streamed:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes, self.inputs = graph, list[Node](), list(graph.inputs)
        self.tensors, self.constants = dict(graph.tensors), dict(graph.constants)

    def add(self, node: Node, streamed: bool) -> None:
        if not streamed:
            self.nodes.append(node)
            return
        x, out, source = self.graph.tensors[node.inputs[0]], node.outputs[0], node.source
        weights = self.graph.constants[node.inputs[1]]
        rows, terms = len(weights), int(np.prod(weights.shape[1:]))
        matrix = weights.reshape(rows, 1, terms)
        port, vector, sums = f"{node.name}{_PORT}", f"{node.name}_vector", f"{node.name}_sums"
        given = Tensor((rows, 1, terms), weight_type(weights), matrix.min(axis=(0, 1)), matrix.max(axis=(0, 1)))
        product = IntMatMul((terms, 1), transposed=True)
        codes = _along(x)
        lo, hi = product.bounds((given.range, codes), ())
        self.inputs.append(port)
        self.constants[port], self.tensors[port] = matrix, given
        self.tensors[vector] = Tensor((1, 1, terms), x.codes, *codes)
        self.tensors[sums] = Tensor((rows, 1, 1), _holding(lo, hi), lo, hi)
        self.nodes += [
            Node(f"{node.name}_flat", View((1, 1, terms)), (node.inputs[0],), (vector,), source),
            Node(node.name, product, (port, vector), (sums,), source),
            Node(f"{node.name}_row", View((1, 1, rows)), (sums,), (out,), source),
        ]


def _along(x: Tensor) -> Range:
    """The range of each element of a frame, row, column and channel."""
    lo, hi = (np.broadcast_to(b, x.shape).ravel() for b in x.range)
    return lo, hi


def _holding(lo: Array, hi: Array) -> IntType:
    return IntType.holding(int(lo.min()), int(hi.max()))
