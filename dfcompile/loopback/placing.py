"""Where the tensors of a loopback program lie: a buffer each, or their places in the buffer of a concatenation."""

from __future__ import annotations

import numpy as np

from dfcompile.errors import Problem
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntConcat, IntConv, IntPad, IntPool, IntSlice, View
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.storage import Storage, planes_for, slots_of


class Placing:
    """The storage of a graph's tensors, in `result`."""

    def __init__(self, graph: Graph, config: EngineConfig) -> None:
        self.graph, self.config = graph, config
        self.result = Lowered()
        self.readers = dict(graph.consumers())

    def filled(self, name: str) -> int:
        """Codes of a pixel of an input that only fill up rows of windows."""
        pack = self.result.packs.get(name)
        return pack.filled(self.tensor(name).channels) if pack else 0

    def tensor(self, name: str) -> Tensor:
        return self.graph.tensors[name]

    def bounds(self, name: str) -> tuple[int, int]:
        lo, hi = self.tensor(name).range
        return int(np.min(lo)), int(np.max(hi))

    def held(self, name: str) -> tuple[int, int]:
        """Bounds of a tensor with the codes that windows read outside it."""
        lo, hi = self.bounds(name)
        for node in self.readers[name]:
            op = node.op
            if isinstance(op, IntSlice | View):
                found = self.held(node.outputs[0])
                lo, hi = min(lo, found[0]), max(hi, found[1])
            elif isinstance(op, IntConv | IntPad | IntPool) and op.window.has_pads and getattr(op, "mode", "sum") == "sum":
                lo, hi = min(lo, op.pad_code), max(hi, op.pad_code)
        return lo, hi

    def declare(self, name: str, tensor: Tensor) -> None:
        """A tensor that the graph does not have."""
        self.graph = self.graph.replace(tensors={**self.graph.tensors, name: tensor})
        self.readers[name] = []

    def place(self, name: str) -> None:
        """Give a tensor its storage: its own buffer, or its part of a concatenation's."""
        if name in self.result.storage:
            return
        h, w, c = self.tensor(name).shape
        simd = self.config.simd
        joined = self._joined(name)
        if joined:
            self.place_parts(joined)
            return
        planes, shift = planes_for(*self.held(name), self.config.acc_bits, self.config.act_bits)
        slots = slots_of(c, simd)
        words = len(slots) // simd
        self.result.storage[name] = Storage(name, slots, h, w, 0, w * words, words, h * w * words, planes, shift, self.config.act_bits)
        self.result.buffers[name] = planes * h * w * words

    def place_input(self, name: str) -> None:
        """Give an input its storage, or say why it has none."""
        try:
            self.place(name)
        except ValueError as e:
            what, help_ = f"input '{name}' does not run on the loopback engine", "give it other parameters, or build with --mode dataflow"
            self.result.problems.append(Problem("not-loopback", what, "", str(e), help_))

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

    def place_parts(self, node: Node) -> None:
        """One buffer for a concatenation, its parts side by side in every pixel."""
        name = node.outputs[0]
        simd = self.config.simd
        h, w, _ = self.tensor(name).shape
        held, bits = [self.held(t) for t in (name, *node.inputs)], self.config.act_bits
        planes, shift = planes_for(min(lo for lo, _ in held), max(hi for _, hi in held), self.config.acc_bits, bits)
        parts = [slots_of(self.tensor(t).channels, simd) for t in node.inputs]
        words = sum(map(len, parts)) // simd
        first = channel = 0
        slots = []
        for t, part in zip(node.inputs, parts, strict=True):
            self.result.storage[t] = Storage(name, part, h, w, first, w * words, words, h * w * words, planes, shift, bits)
            slots.append(np.where(part >= 0, part + channel, part))
            first += len(part) // simd
            channel += self.tensor(t).channels
        whole = np.concatenate(slots)
        self.result.storage[name] = Storage(name, whole, h, w, 0, w * words, words, h * w * words, planes, shift, bits)
        self.result.buffers[name] = planes * h * w * words
