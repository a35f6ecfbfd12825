"""conv(x) --> conv(windows(x)): the host lays columns of a window side by side in the lanes, of one row or more, where channels are few."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor, op_of
from dfcompile.ir.intop import IntConv, Window
from dfcompile.loopback.config import EngineConfig


@dataclass(frozen=True)
class Columns:
    """Frames (n, h, w, c) to (n, h', w', rows * kernel * c): the columns of each window, with the pad code outside the picture; of one row,
    and h' = h, or of so many rows, from every `row_stride`-th on.

    spare: rows that the last of several such windows has beyond the kernel's
    """

    kernel: int
    stride: int
    dilation: int
    left: int
    right: int
    pad: int
    rows: int = 1
    row_stride: int = 1
    row_dilation: int = 1
    top: int = 0
    bottom: int = 0
    spare: int = 0

    def filled(self, channels: int) -> int:
        """Codes of so many that the spare rows are."""
        return channels // self.rows * self.spare

    def apply(self, x: Array) -> Array:
        view = self._window().view(np.asarray(x, np.float64), self.pad)
        n, h, w = view.shape[:3]
        return np.ascontiguousarray(view.transpose(0, 1, 2, 4, 5, 3)).reshape(n, h, w, -1)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(h', w') of frames of a size."""
        return self._window().size(height, width)

    def _window(self) -> Window:
        pads = (self.top, self.left, self.bottom, self.right)
        return Window((self.rows, self.kernel), (self.row_stride, self.stride), pads, (self.row_dilation, self.dilation))


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
        found = _columns(node, graph, config)
        if found is None:
            continue
        packs[name] = found
        tensors[name] = _packed(graph.tensors[name], found)
        nodes[node.name] = _narrowed(node, found)
        weights = constants[node.inputs[1]]
        constants[f"{node.inputs[1]}.columns"] = _gathered(weights, found.rows)
    changed = graph.replace(nodes=tuple(nodes[n.name] for n in graph.nodes), tensors=tensors, constants=constants)
    return (changed, packs) if packs else (graph, {})


def _columns(node: Node, graph: Graph, config: EngineConfig) -> Columns | None:
    """How to pack the input of a convolution: as is fastest, the array's steps and the loads beside them, of equals what takes least of
    both, which do not all go side by side; None where that saves no step.
    """
    op, x = node.op, graph.tensors[node.inputs[0]]
    if not isinstance(op, IntConv) or op.groups > 1 or op.window.stuff != (1, 1) or min(op.window.pads) < 0:
        return None
    win, outs = op.window, graph.tensors[node.outputs[0]]
    steps = outs.shape[0] * -(-outs.shape[1] // config.pixels) * -(-outs.channels // config.pe)
    least, best = steps * win.kernel[0] * win.kernel[1] * -(-x.channels // config.simd), None
    columns = _of_rows(op, 1, *x.shape[:2])
    lo, hi = _held(x, columns)
    planes = -(-max(1, (hi - lo).bit_length()) // config.act_bits)
    loads = _loads(x.shape[0], x.shape[1] * -(-x.channels // config.simd), planes, win, config)
    for rows in range(1, win.kernel[0] + 1):
        found = columns if rows == 1 else _of_rows(op, rows, outs.shape[0], x.shape[0])
        h, w = found.size(*x.shape[:2])
        words = -(-found.rows * found.kernel * x.channels // config.simd)
        walked, moved = steps * -(-win.kernel[0] // rows) * words, _loads(h, w * words, planes, _window(op, found), config)
        if walked < least and (best is None or (max(walked, moved), walked + moved) < (max(least, loads), least + loads)):
            least, loads, best = walked, moved, found
    return best


def _loads(height: int, row: int, planes: int, win: Window, config: EngineConfig) -> int:
    """Cycles in which a plane of an input of so many rows of words is loaded; where it leaves no room for what is made of it in strips of a
    quarter of the memory, which have rows of their neighbours.
    """
    beats, reach = height * row * config.word_beats, (win.kernel[0] - 1) * win.dilation[0] + 1
    if 2 * height * row * planes <= config.act_words:
        return beats
    outputs = max(1, (config.act_words // (4 * row * planes) - reach) // win.stride[0] + 1)
    return beats * ((outputs - 1) * win.stride[0] + reach) // (outputs * win.stride[0])


def _of_rows(op: IntConv, rows: int, outputs: int, height: int) -> Columns:
    """Windows of so many rows, at each row of the picture from which a group of the kernel's rows begins for some output."""
    win = op.window
    columns = Columns(win.kernel[1], win.stride[1], win.dilation[1], win.pads[1], win.pads[3], op.pad_code)
    if rows == 1:
        return columns
    groups, apart = -(-win.kernel[0] // rows), rows * win.dilation[0]
    step = gcd(win.stride[0], apart) if groups > 1 else win.stride[0]
    read = (outputs - 1) * win.stride[0] + (groups - 1) * apart + (rows - 1) * win.dilation[0] + 1
    bottom = max(0, read - height - win.pads[0])
    spare = groups * rows - win.kernel[0]
    return replace(columns, rows=rows, row_stride=step, row_dilation=win.dilation[0], top=win.pads[0], bottom=bottom, spare=spare)


def _held(x: Tensor, found: Columns) -> tuple[int, int]:
    """The range of codes with the pad code, where windows leave the picture."""
    lo, hi = int(np.min(x.range[0])), int(np.max(x.range[1]))
    if found.left or found.right or found.top or found.bottom:
        lo, hi = min(lo, found.pad), max(hi, found.pad)
    return lo, hi


def _packed(x: Tensor, found: Columns) -> Tensor:
    h, w, c = x.shape
    lo, hi = _held(x, found)
    size = found.rows * found.kernel * c
    return Tensor((*found.size(h, w), size), None, np.full(size, lo), np.full(size, hi))


def _narrowed(node: Node, found: Columns) -> Node:
    op = op_of(node, IntConv)
    return replace(node, op=replace(op, window=_window(op, found)), inputs=(node.inputs[0], f"{node.inputs[1]}.columns"))


def _window(op: IntConv, found: Columns) -> Window:
    """What the convolution walks of the packed input."""
    win = op.window
    if found.rows == 1:
        return Window((win.kernel[0], 1), (win.stride[0], 1), (win.pads[0], 0, win.pads[2], 0), (win.dilation[0], 1))
    step, groups = found.row_stride, -(-win.kernel[0] // found.rows)
    apart = found.rows * win.dilation[0] // step if groups > 1 else 1
    return Window((groups, 1), (win.stride[0] // step, 1), (0, 0, 0, 0), (apart, 1))


def _gathered(weights: Array, rows: int) -> Array:
    """Weights (outputs, kernel_h, kernel_w, c) of groups of rows: (outputs, groups, 1, rows * kernel_w * c), the last with zeros behind."""
    filled = np.pad(weights, ((0, 0), (0, -weights.shape[1] % rows), (0, 0), (0, 0)))
    return filled.reshape(len(weights), filled.shape[1] // rows, 1, -1)
