"""conv(x) --> conv(columns(x)): the host lays the columns of a window side by side in the lanes, where the first layer has few channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor, op_of
from dfcompile.ir.intop import IntConv, Window
from dfcompile.loopback.config import EngineConfig


@dataclass(frozen=True)
class Columns:
    """Frames (n, h, w, c) to (n, h, w', kernel * c): the columns of each window, with the pad code outside the picture."""

    kernel: int
    stride: int
    dilation: int
    left: int
    right: int
    pad: int

    def apply(self, x: Array) -> Array:
        view = self._window().view(np.asarray(x, np.float64), self.pad)
        n, h, w = view.shape[:3]
        return np.ascontiguousarray(view[..., 0, :].transpose(0, 1, 2, 4, 3)).reshape(n, h, w, -1)

    def width(self, height: int, width: int) -> int:
        return self._window().size(height, width)[1]

    def _window(self) -> Window:
        return Window((1, self.kernel), (1, self.stride), (0, self.left, 0, self.right), (1, self.dilation))


def pack_columns(graph: Graph, config: EngineConfig) -> tuple[Graph, dict[str, Columns]]:
    """The graph with packed inputs, and how the host packs each."""
    packs: dict[str, Columns] = {}
    readers = graph.consumers()
    nodes = {n.name: n for n in graph.nodes}
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    for name in graph.inputs:
        if len(readers[name]) != 1 or name in graph.outputs:
            continue
        node = readers[name][0]
        found = _columns(node, graph.tensors[name], config)
        if found is None:
            continue
        packs[name] = found
        tensors[name] = _packed(graph.tensors[name], found)
        nodes[node.name] = _narrowed(node, found)
        weights = constants[node.inputs[1]]
        constants[f"{node.inputs[1]}.columns"] = weights.reshape(*weights.shape[:2], 1, -1)
    changed = graph.replace(nodes=tuple(nodes[n.name] for n in graph.nodes), tensors=tensors, constants=constants)
    return (changed, packs) if packs else (graph, {})


def _columns(node: Node, x: Tensor, config: EngineConfig) -> Columns | None:
    """How to pack the input of a convolution; None where that saves no step."""
    op = node.op
    if not isinstance(op, IntConv) or op.groups > 1 or op.window.stuff != (1, 1) or min(op.window.pads) < 0:
        return None
    kernel, channels = op.window.kernel[1], x.channels
    if kernel == 1 or -(-kernel * channels // config.simd) >= kernel * -(-channels // config.simd):
        return None
    return Columns(kernel, op.window.stride[1], op.window.dilation[1], op.window.pads[1], op.window.pads[3], op.pad_code)


def _packed(x: Tensor, found: Columns) -> Tensor:
    h, w, c = x.shape
    lo, hi = np.min(x.range[0]), np.max(x.range[1])
    if found.left or found.right:
        lo, hi = min(lo, found.pad), max(hi, found.pad)
    size = found.kernel * c
    return Tensor((h, found.width(h, w), size), None, np.full(size, lo), np.full(size, hi))


def _narrowed(node: Node, found: Columns) -> Node:
    op = op_of(node, IntConv)
    win = op.window
    window = Window((win.kernel[0], 1), (win.stride[0], 1), (win.pads[0], 0, win.pads[2], 0), (win.dilation[0], 1))
    return replace(node, op=replace(op, window=window), inputs=(node.inputs[0], f"{node.inputs[1]}.columns"))
