"""Layers whose weights come from external memory in each frame, through ports of their own.

A port brings a weight once a frame, and the row of an output meets all positions before the next row comes: the windows of a frame are kept
on chip, its results are turned from rows of outputs to rows of positions. That is worth it where both are smaller than the weights, as in
layers of few positions and many channels; a dense layer has one position, and nothing is turned.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from dfcompile.dataflow.vectors import is_direct, weight_type
from dfcompile.device.boards import Board
from dfcompile.device.feed import fed_cycles
from dfcompile.device.platform import OUTLETS
from dfcompile.ir.graph import Array, Delay, Graph, Node, Tensor
from dfcompile.ir.intop import IntAdd, IntConv, IntMatMul, IntPad, IntSlice, IntUnfold, View, Window
from dfcompile.ir.intop_base import IntOp, Range
from dfcompile.ir.types import IntType

_PORT = "_weights"


def why_kept(graph: Graph, node: Node) -> str:
    """Why the weights of a layer cannot come through a port, or why that would not pay; "" where they can."""
    if not isinstance(node.op, IntConv):
        return "it has no weights"
    if any(isinstance(n.op, Delay) for n in graph.nodes):
        return "the network has states, and a step of a loop is no frame"
    if node.op.groups > 1:
        return "it is grouped: each weight meets a part of its inputs only"
    if node.op.window.stuff != (1, 1):
        return "its window lies on a picture with zeros between the pixels"
    rows, columns, _ = graph.tensors[node.outputs[0]].shape
    kept, weights = kept_bits(graph, node), weight_bits(graph, node)
    if kept >= weights:
        positions = f"it has {rows * columns} positions a frame"
        return f"{positions}, whose windows and sums are {kept:,} bits on chip, its weights {weights:,}"
    return ""


def kept_bits(graph: Graph, node: Node) -> int:
    """Bits on chip in place of a layer's weights: two frames of windows, and the sums that are turned where it has several positions."""
    assert isinstance(node.op, IntConv), "only layers have weights"
    (height, width, outputs), weights = graph.tensors[node.outputs[0]].shape, graph.constants[node.inputs[1]]
    windows = 2 * height * width * prod(weights.shape[1:]) * graph.tensors[node.inputs[0]].codes.bits
    return windows + (height * width * outputs * graph.tensors[node.outputs[0]].codes.bits if height * width > 1 else 0)


def weight_bits(graph: Graph, node: Node) -> int:
    """Bits of all weights of a layer."""
    weights = graph.constants[node.inputs[1]]
    return int(weights.size) * weight_type(weights).bits


def streamable(graph: Graph) -> list[str]:
    """Nodes of an integer graph whose weights can come through a port, those first whose ports spare most bits on chip."""
    found = [n for n in graph.nodes if isinstance(n.op, IntConv) and not why_kept(graph, n)]
    return [n.name for n in sorted(found, key=lambda n: kept_bits(graph, n) - weight_bits(graph, n))]


def layer_of(port: str) -> str:
    """The node whose weights come through a port."""
    return port.rpartition(_PORT)[0]


def streamed_layers(graph: Graph) -> dict[str, int]:
    """The nodes that `stream_weights` has given ports, of its graph or of one made of that, and how many each has."""
    return dict(Counter(map(layer_of, graph.fixed)))


def stream_weights(graph: Graph, parts: Mapping[str, int]) -> Graph:
    """``int_conv(x, W) --> int_matmul(W as a stream, windows of x)``, its results turned, for nodes with so many ports each.

    W, a row of the matrix for each output, is an input of the graph and among its constants: what comes there is the same in each frame.
    Several ports have a part of each row; what they give is added.
    """
    if not parts:
        return graph
    made = _Streamed(graph)
    for node in graph.nodes:
        made.add(node, parts.get(node.name, 0))
    left = {t for n in made.nodes for t in n.inputs}
    constants = {t: v for t, v in made.constants.items() if t in left}
    tensors = {t: v for t, v in made.tensors.items() if t not in made.constants or t in constants}
    return graph.replace(nodes=tuple(made.nodes), tensors=tensors, constants=constants, inputs=tuple(made.inputs))


def port_counts(graph: Graph, names: Collection[str], board: Board | None, clock: float, wanted: int | None) -> dict[str, int]:
    """How many ports the weights of each layer get: as few as bring a frame in the wanted cycles, or as bring it as fast as the board can.

    The ports of layers go by the bits that they bring, so that those of the board's memory are as busy as one another.
    """
    layers = [n for n in graph.nodes if n.name in names]
    shapes = [(len(w), prod(w.shape[1:]), weight_type(w).bits) for w in (graph.constants[n.inputs[1]] for n in layers)]
    ends = ([graph.tensors[t] for t in ports] for ports in (graph.inputs, graph.outputs))
    inputs, outputs = ([-(-prod(x.shape) * x.codes.bits // 8) for x in end] for end in ends)
    best, chosen, total = math.inf, [1] * len(layers), sum(map(prod, shapes))
    for ports in range(1, board.ports + 1 if board else 0):
        counts = [min(shape[1], -(-prod(shape) * ports // total)) for shape in shapes]
        if ports > 1 and len(inputs) + sum(counts) > OUTLETS - 2:
            break  # a SmartConnect reaches no more DMAs
        width = board.port_bits if board else 0
        brought = [
            _row_bytes(-(-terms // n) * bits, width) * rows for (rows, terms, bits), n in zip(shapes, counts, strict=True) for _ in range(n)
        ]
        fed = fed_cycles(board, [*inputs, *brought], outputs, clock) if board else 0.0
        if fed < best:
            best, chosen = fed, counts
        if wanted and fed <= wanted:
            break
    return {n.name: count for n, count in zip(layers, chosen, strict=True)}


def _row_bytes(bits: int, width: int) -> int:
    """Bytes of a row of so many bits, in beats as wide as a memory's port where that has a width."""
    return -(-bits // width) * width // 8 if width else -(-bits // 8)


class _Streamed:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes, self.inputs = graph, list[Node](), list(graph.inputs)
        self.tensors, self.constants = dict(graph.tensors), dict(graph.constants)

    def add(self, node: Node, parts: int) -> None:
        if not parts:
            self.nodes.append(node)
            return
        weights = self.graph.constants[node.inputs[1]]
        height, width, rows = self.graph.tensors[node.outputs[0]].shape
        matrix = weights.reshape(rows, 1, -1)
        windows = self._windows(node, matrix.shape[2])
        sums = self._products(node, matrix, windows, min(parts, matrix.shape[2]))
        if height * width > 1:
            picture = self._node(node, "picture", View((rows, height * width, 1)), (sums,), _one_of(self.tensors[sums]))
            sums = self._node(node, "turned", IntUnfold(Window((rows, 1), (rows, 1))), (picture,), self.tensors[picture])
        self.nodes.append(Node(f"{node.name}_row", View((height, width, rows)), (sums,), node.outputs, node.source))

    def _node(self, node: Node, name: str, op: IntOp, inputs: tuple[str, ...], like: Tensor) -> str:
        """A node with one output, of the type and range of `like`; its tensor."""
        (made,) = op.infer(*(self.tensors[t] for t in inputs))
        tensor = f"{node.name}_{name}"
        self.tensors[tensor] = replace(like, shape=made.shape)
        self.nodes.append(Node(f"{node.name}_{name}_op", op, inputs, (tensor,), node.source))
        return tensor

    def _windows(self, node: Node, terms: int) -> str:
        """The tensor of a layer's windows, a row of the terms of each position."""
        assert isinstance(node.op, IntConv), "only layers have weights"
        window, source, x = node.op.window, node.inputs[0], self.graph.tensors[node.inputs[0]]
        height, width, outputs = self.graph.tensors[node.outputs[0]].shape
        h, w, c = x.shape
        if is_direct(window, (h, w, c), (height, width, outputs), 1, depthwise=False):
            lo, hi = _along(x, (h, w) if height * width == 1 else (1, 1))
            return self._node(node, "vector", View((height, width, terms)), (source,), replace(x, lo=lo, hi=hi))
        if window.has_pads:
            pad = Window(pads=window.pads)
            lo, hi = pad.widened(x.range, node.op.pad_code)
            padded = replace(x, dtype=_with(x, node.op.pad_code), lo=lo, hi=hi)
            source = self._node(node, "padded", IntPad(pad, node.op.pad_code), (source,), padded)
        lo, hi = _along(self.tensors[source], window.kernel)
        unfold = IntUnfold(replace(window, pads=(0, 0, 0, 0)))
        return self._node(node, "windows", unfold, (source,), replace(self.tensors[source], lo=lo, hi=hi))

    def _products(self, node: Node, matrix: Array, windows: str, parts: int) -> str:
        """The tensor of all sums, a row for each output and an element for each position."""
        rows, _, terms = matrix.shape
        x, found = self.tensors[windows], ""
        positions = x.shape[0] * x.shape[1]
        for i in range(parts):
            a, b = terms * i // parts, terms * (i + 1) // parts
            name, some = f"_{i}" if i else "", windows
            if parts > 1:
                lo, hi = ((v[a:b] if np.ndim(v) and len(v) > 1 else v) for v in x.range)
                some = self._node(node, f"part{name}", IntSlice(a, b), (windows,), replace(x, lo=lo, hi=hi))
            port, part = f"{node.name}{_PORT}{name}", np.ascontiguousarray(matrix[..., a:b])
            given = Tensor((rows, 1, b - a), weight_type(matrix), part.min(axis=(0, 1)), part.max(axis=(0, 1)))
            self.inputs.append(port)
            self.constants[port], self.tensors[port] = part, given
            product = IntMatMul((b - a, positions), transposed=True)
            made = self._sums(product, product.bounds((given.range, self.tensors[some].range), ()), rows, positions)
            tensor = f"{node.name}_sums{name}"
            self.tensors[tensor] = made
            self.nodes.append(Node(f"{node.name}{name}", product, (port, some), (tensor,), node.source))
            if found:
                add = IntAdd((1, 1))
                total = self._sums(add, add.bounds((self.tensors[found].range, made.range), ()), rows, positions)
                found = self._node(node, f"total{name}", add, (found, tensor), total)
            else:
                found = tensor
        return found

    def _sums(self, op: IntOp, bounds: Range, rows: int, positions: int) -> Tensor:
        lo, hi = bounds
        return Tensor((rows, 1, positions), _holding(lo, hi), lo, hi)


def _along(x: Tensor, kernel: tuple[int, int]) -> Range:
    """The range of each term of a window: its rows, columns and channels."""
    lo, hi = (np.tile(np.broadcast_to(b, x.shape[2:]), prod(kernel)) for b in x.range)
    return lo, hi


def _one_of(x: Tensor) -> Tensor:
    """The tensor with one range for all channels."""
    lo, hi = x.range
    return replace(x, lo=np.min(lo), hi=np.max(hi))


def _with(x: Tensor, pad: int) -> IntType:
    """The type of a tensor with pads."""
    held = abs(pad) == 1 if x.codes.bipolar else x.codes.lo <= pad <= x.codes.hi
    return x.codes if held else IntType.holding(min(x.codes.lo, pad), max(x.codes.hi, pad))


def _holding(lo: Array, hi: Array) -> IntType:
    return IntType.holding(int(np.min(lo)), int(np.max(hi)))
