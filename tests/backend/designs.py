"""Small designs that the tests of the backend emit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.units.add import Add
from dfcompile.units.base import Array, Unit
from dfcompile.units.fork import Fork
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.pool import Pool
from dfcompile.units.sliding_window import SlidingWindow

SHAPE = (6, 6, 2)
UINT3 = IntType(3)


def joined(name: str, nodes: list[Node], inputs: tuple[str, ...], outputs: tuple[str, ...], **depths: int) -> Design:
    """A design of nodes whose units say everything about the streams."""
    tensors: dict[str, Tensor] = {}
    for node in nodes:
        assert isinstance(node.op, Unit)
        streams = zip((*node.inputs, *node.outputs), (*node.op.inputs, *node.op.outputs), strict=True)
        tensors |= {t: Tensor(s.shape, s.dtype) for t, s in streams}
    return Design(Graph(name, tuple(nodes), tensors, {}, inputs, outputs), depths)


def residual(**depths: int) -> Design:
    """x -> fork -> (3x3 maximum) + x: the short branch, stream `short`, must hold what the window waits for."""
    window = SlidingWindow(SHAPE, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), UINT3, channels_outer=True, simd=2)
    nodes = [
        Node("split up", Fork(SHAPE, UINT3, 2), ("x",), ("long", "short")),
        Node("Window/3x3", window, ("long",), ("windows",), ("Conv_0",)),
        Node("pool", Pool("max", SHAPE, 9, UINT3, UINT3, pe=2), ("windows",), ("largest",)),
        Node("add", Add(SHAPE, (UINT3, UINT3), lanes=2), ("largest", "short"), ("sum",)),
    ]
    return joined("Residual-1", nodes, ("x",), ("sum",), **depths)


def two_ports() -> Design:
    """Two inputs, two outputs of odd widths."""
    nodes = [
        Node("add", Add(SHAPE, (UINT3, IntType(5, True)), lanes=1), ("a", "b"), ("sum",)),
        Node("fork", Fork(SHAPE, IntType(6, True), 1), ("sum",), ("y", "z")),
    ]
    return joined("two_ports", nodes, ("a", "b"), ("y", "z"))


def dense(rows: int = 4, columns: int = 40) -> Design:
    """One matrix product with weights of 72 bits a word and thresholds."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-4, 4, (1, rows, columns))
    thresholds = np.sort(rng.integers(-60, 60, (rows, 3)), axis=1)
    unit = Mvtu(
        2, weights, UINT3, IntType(3, True), IntType(2), IntType(11, True), thresholds, None, (1, 2, columns), (1, 2, rows), pe=2, simd=20
    )
    return joined("dense", [Node("fc", unit, ("x",), ("y",), ("MatMul_0", "MultiThreshold_0"))], ("x",), ("y",))


class WrongAdd(Add):
    """An addition whose Python model is wrong in one element of frames whose second operand is 0 throughout."""

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        (out,) = super().compute(*codes)
        out = out.copy()
        out[~codes[1].any(axis=(1, 2, 3)), 2, 0, 1] ^= 1
        return (out,)


def wrong() -> Design:
    """`residual`, with a unit whose model differs from its C++ and SystemVerilog."""
    design = residual(short=20)
    nodes = tuple(replace(n, op=WrongAdd(SHAPE, (UINT3, UINT3), lanes=2)) if n.name == "add" else n for n in design.nodes)
    return Design(design.graph.replace(nodes=nodes), design.fifo_depths)
