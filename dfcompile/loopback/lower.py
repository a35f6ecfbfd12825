"""Integer graph --> layers and storage: which operators compute and which are addressing only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dfcompile.errors import Problem
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import (
    IntAdd,
    IntConcat,
    IntConv,
    IntPad,
    IntPool,
    IntSlice,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
    Window,
)
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp
from dfcompile.loopback.layer import Kernel, Layer, Operand, Steps, identity
from dfcompile.loopback.pack import Columns, pack_columns
from dfcompile.loopback.storage import Storage, planes_for, slots_of

OPS = {"max": AccOp.MAX, "min": AccOp.MIN, "sum": AccOp.ADD}


@dataclass
class Lowered:
    """Layers in order, where each tensor lies, the buffers' words per image, and the inputs that the host packs."""

    layers: list[Layer] = field(default_factory=list)
    storage: dict[str, Storage] = field(default_factory=dict)
    buffers: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    packs: dict[str, Columns] = field(default_factory=dict)


def lower(graph: Graph, config: EngineConfig) -> Lowered:
    """Layers of an integer graph; `problems` lists every node that the engine cannot run."""
    graph, packs = pack_columns(graph, config)
    walk = _Lowering(graph, config)
    for name in graph.inputs:
        walk.place(name)
    for node in graph.nodes:
        walk.visit(node)
    result = walk.result
    result.inputs, result.outputs, result.packs = graph.inputs, graph.outputs, packs
    return result


class _Lowering:
    def __init__(self, graph: Graph, config: EngineConfig) -> None:
        self.graph, self.config = graph, config
        self.result = Lowered()
        self.readers = graph.consumers()
        self.fused: set[str] = set()
        self.inside: dict[str, tuple[str, int]] = {}

    def refuse(self, node: Node, why: str, help_: str = "build it with --mode dataflow") -> None:
        origin = f" (ONNX: {', '.join(node.source)})" if node.source else ""
        what = f"'{node.op.kind}' does not run on the loopback engine"
        self.result.problems.append(Problem("not-loopback", what, f"node {node.name}{origin}", why, help_))

    def visit(self, node: Node) -> None:
        handler = getattr(self, f"_{node.op.kind}", None)
        if node.name in self.fused:
            return
        if any(t not in self.result.storage and t not in self.graph.constants for t in node.inputs):
            return
        if handler is None:
            self.refuse(node, "there is no layer of this kind")
            return
        try:
            handler(node, node.op)
        except ValueError as e:
            self.refuse(node, str(e))

    def tensor(self, name: str) -> Tensor:
        return self.graph.tensors[name]

    def bounds(self, name: str) -> tuple[int, int]:
        t = self.tensor(name)
        assert t.lo is not None and t.hi is not None
        return int(np.min(t.lo)), int(np.max(t.hi))

    def place(self, name: str) -> None:
        """Give a tensor its storage: its own buffer, or its part of a concatenation's."""
        if name in self.result.storage:
            return
        h, w, c = self.tensor(name).shape
        simd = self.config.simd
        joined = self._joined(name)
        if joined:
            self._place_parts(joined)
            return
        planes, shift = planes_for(*self.bounds(name))
        slots = slots_of(c, simd)
        words = len(slots) // simd
        self.result.storage[name] = Storage(name, slots, h, w, 0, w * words, words, h * w * words, planes, shift)
        self.result.buffers[name] = planes * h * w * words

    def _joined(self, name: str) -> Node | None:
        """The concatenation that may hold the tensor as one of its parts."""
        if name in self.graph.inputs:
            return None
        for node in self.readers[name]:
            if isinstance(node.op, IntConcat) and node.inputs.count(name) == 1 and node.outputs[0] not in self.result.storage:
                made = self.graph.producers()
                free = all(t in made and not isinstance(made[t].op, IntSlice | View | IntConcat) for t in node.inputs)
                if free and not any(t in self.result.storage for t in node.inputs):
                    return node
        return None

    def _place_parts(self, node: Node) -> None:
        """One buffer for a concatenation, its parts side by side in every pixel."""
        name = node.outputs[0]
        simd = self.config.simd
        h, w, _ = self.tensor(name).shape
        planes, shift = planes_for(*self.bounds(name))
        parts = [slots_of(self.tensor(t).channels, simd) for t in node.inputs]
        words = sum(map(len, parts)) // simd
        first = channel = 0
        slots = []
        for t, part in zip(node.inputs, parts, strict=True):
            self.result.storage[t] = Storage(name, part, h, w, first, w * words, words, h * w * words, planes, shift)
            slots.append(np.where(part >= 0, part + channel, part))
            first += len(part) // simd
            channel += self.tensor(t).channels
        self.result.storage[name] = Storage(name, np.concatenate(slots), h, w, 0, w * words, words, h * w * words, planes, shift)
        self.result.buffers[name] = planes * h * w * words

    def emit(self, node: Node, layer: Layer) -> None:
        """Append a layer, together with the step function that alone reads it."""
        dst = layer.dst
        readers = self.readers[dst]
        if len(readers) == 1 and dst not in self.graph.outputs and layer.place == (0, 0, 1, 1):
            steps = self.steps(readers[0])
            if steps is not None:
                self.fused.add(readers[0].name)
                dst = readers[0].outputs[0]
                layer = layer.with_steps(steps, dst, readers[0].name)
        self.place(dst)
        self.result.layers.append(layer)

    def steps(self, node: Node) -> Steps | None:
        """Thresholds of a step function; None when it is none or needs a table."""
        op = node.op
        if isinstance(op, ThresholdCode):
            thresholds, flip = (self.graph.constants[t] for t in node.inputs[1:3])
            most = (1 << self.config.tree_levels) - 1
            if thresholds.shape[1] > most:
                raise ValueError(f"it has {thresholds.shape[1]} thresholds, the engine holds {most}")
            return Steps(thresholds.astype(np.int64), np.asarray(flip, bool), op.lowest, op.step)
        if isinstance(op, LookupCode):
            return self._table(node, op)
        return None

    def _table(self, node: Node, op: LookupCode) -> Steps | None:
        table = self.graph.constants[node.inputs[1]].astype(np.int64)
        rises, falls = np.all(np.diff(table) >= 0, axis=1), np.all(np.diff(table) <= 0, axis=1)
        lowest, count = int(table.min()), int(table.max() - table.min())
        if not np.all(rises | falls) or count >= 1 << self.config.tree_levels:
            return None
        heights = np.where(rises[:, None], table - lowest, count - (table - lowest))
        rows = np.stack([np.searchsorted(h, np.arange(1, count + 1)) for h in heights]) + op.base
        return Steps(rows.reshape(len(table), count), ~rises, lowest)

    # One method for each kind of operator; a ValueError says why it cannot run.
    def _int_conv(self, node: Node, op: IntConv) -> None:
        x, out = node.inputs[0], node.outputs[0]
        kernel = Kernel(self.graph.constants[node.inputs[1]].astype(np.int64), op.groups)
        h, w, _ = self.tensor(out).shape
        layer = Layer(node.name, out, (Operand(x, kernel),), op.window, (h, w), pad=op.pad_code, source=(node.name,))
        if op.window.stuff == (1, 1):
            self.emit(node, layer)
            return
        self._phases(node, op, layer, kernel)

    def _phases(self, node: Node, op: IntConv, layer: Layer, kernel: Kernel) -> None:
        """Zero-stuffed (transposed) convolution: for each phase of the outputs the taps that meet no stuffed zero."""
        if op.pad_code or op.window.stride != (1, 1) or op.window.dilation != (1, 1):
            raise ValueError("zero-stuffing with a stride, a dilation, or a code of zero that is not 0")
        readers = self.readers[layer.dst]
        steps = self.steps(readers[0]) if len(readers) == 1 and layer.dst not in self.graph.outputs else None
        if steps is not None:
            self.fused.add(readers[0].name)
            layer = layer.with_steps(steps, readers[0].outputs[0], readers[0].name)
        self.place(layer.dst)
        for a, b in np.ndindex(op.window.stuff):
            found = phase(kernel, op.window, layer.size, (a, b))
            if found is not None:
                part, window, size = found
                operand = replace(layer.operands[0], kernel=part)
                place = (a, b, *op.window.stuff)
                made = replace(layer, name=f"{layer.name}.{a}{b}", operands=(operand,), window=window, size=size, place=place)
                self.result.layers.append(made)

    def _int_pool(self, node: Node, op: IntPool) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        acc = OPS[op.mode]
        pad = op.pad_code
        if acc != AccOp.ADD:
            if self.result.storage[x].planes > 1:
                raise ValueError("codes wider than 8 bits have no maximum or minimum here")
            pad = self.bounds(x)[0 if acc == AccOp.MAX else 1]
        layer = Layer(node.name, out, (Operand(x, identity(c, 1, op.window.kernel)),), op.window, (h, w), acc, 0, pad, source=(node.name,))
        self.emit(node, layer)

    def _int_pad(self, node: Node, op: IntPad) -> None:
        self._copy(node, op.window, op.pad_code)

    def _copy(self, node: Node, window: Window, pad: int = 0) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        self.emit(node, Layer(node.name, out, (Operand(x, identity(c)),), window, (h, w), pad=pad, source=(node.name,)))

    def _int_add(self, node: Node, op: IntAdd) -> None:
        h, w, c = self.tensor(node.outputs[0]).shape
        operands = tuple(Operand(t, identity(c, f)) for t, f in zip(node.inputs, op.factors, strict=True))
        self.emit(node, Layer(node.name, node.outputs[0], operands, Window(), (h, w), offset=op.offset, source=(node.name,)))

    def _threshold(self, node: Node, op: ThresholdCode | LookupCode) -> None:
        steps = self.steps(node)
        if steps is None:
            raise ValueError("its table neither rises nor falls, or has too many values")
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        self.place(out)
        self.result.layers.append(Layer(node.name, out, (Operand(x, identity(c)),), Window(), (h, w), steps=steps, source=(node.name,)))

    _lookup = _threshold

    def _int_upsample(self, node: Node, op: IntUpsample) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(x).shape
        self.place(out)
        for a, b in np.ndindex(op.factors):
            place = (a, b, *op.factors)
            layer = Layer(f"{node.name}.{a}{b}", out, (Operand(x, identity(c)),), Window(), (h, w), place=place, source=(node.name,))
            self.result.layers.append(layer)

    def _view(self, node: Node, op: View) -> None:
        storage = self.result.storage[node.inputs[0]]
        viewed = storage.viewed(op.shape, self.config.simd)
        if viewed is None:
            raise ValueError(f"{storage.height}x{storage.width}x{storage.channels} seen as {op.shape} is no addressing of whole pixels")
        self.result.storage[node.outputs[0]] = viewed

    def _int_slice(self, node: Node, op: IntSlice) -> None:
        self.result.storage[node.outputs[0]] = self.result.storage[node.inputs[0]].sliced(op.start, op.stop, self.config.simd)

    def _int_concat(self, node: Node, op: IntConcat) -> None:
        """Free where the parts were made in place; else each part is copied."""
        out = node.outputs[0]
        if out in self.result.storage and all(self.result.storage[t].buffer == out for t in node.inputs):
            return
        self._place_copies(node)

    def _place_copies(self, node: Node) -> None:
        out = node.outputs[0]
        simd = self.config.simd
        h, w, _ = self.tensor(out).shape
        aliases = [f"{out}.part{i}" for i in range(len(node.inputs))]
        held = {a: self.tensor(t) for a, t in zip(aliases, node.inputs, strict=True)}
        self.graph = self.graph.replace(tensors={**self.graph.tensors, **held})
        self._place_parts(replace(node, inputs=tuple(aliases)))
        for alias, t in zip(aliases, node.inputs, strict=True):
            kernel = identity(self.tensor(t).channels)
            self.result.layers.append(Layer(f"{alias}.copy", alias, (Operand(t, kernel),), Window(), (h, w), source=(node.name,)))
        assert self.result.storage[out].words(simd) >= 1


def phase(kernel: Kernel, window: Window, size: tuple[int, int], at: tuple[int, int]) -> tuple[Kernel, Window, tuple[int, int]] | None:
    """Kernel, window and size of the outputs (at + k * stuff) of a zero-stuffed convolution; None when there are none."""
    firsts, counts, pads, sizes = [], [], [], []
    for a, z, k, pad, n in zip(at, window.stuff, window.kernel, window.pads[:2], size, strict=True):
        first = (pad - a) % z
        firsts.append(first)
        counts.append(len(range(first, k, z)))
        pads.append((pad - a - first) // z)
        sizes.append(len(range(a, n, z)))
    if 0 in sizes:
        return None
    weights = kernel.weights[:, firsts[0] :: window.stuff[0], firsts[1] :: window.stuff[1]]
    if 0 in counts:  # only zeros meet this phase: one tap of weight zero
        counts, weights = [1, 1], np.zeros((len(kernel.weights), 1, 1, kernel.weights.shape[3]), np.int64)
    # Taps may leave the picture at every side; the far pads only say so.
    return Kernel(weights, kernel.groups), Window((counts[0], counts[1]), (1, 1), (pads[0], pads[1], 1, 1)), (sizes[0], sizes[1])
