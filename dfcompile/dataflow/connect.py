"""Folded units --> a design: forks where a stream has several readers, converters where layouts differ.

The design's own inputs and outputs have no padding and may have a largest width: where a unit's port has another layout, a converter
stands between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.state import Loop
from dfcompile.ir.types import IntType
from dfcompile.units.base import Layout, Stream, Unit, unit_of
from dfcompile.units.delay import Delay
from dfcompile.units.fork import Fork
from dfcompile.units.repack import Repack
from dfcompile.units.width_converter import WidthConverter

Folding = Mapping[str, Mapping[str, int]]


def apply_folding(graph: Graph, folding: Folding) -> Graph:
    """Every unit with its chosen folding; what a depthwise unit reads takes its lanes, which define the order (`tied`)."""
    nodes = []
    for node in graph.nodes:
        unit = unit_of(node)
        choice = dict(folding.get(node.name, {}))
        nodes.append(replace(node, op=unit.folded(**choice) if choice else unit))
    by_name = {n.name: n for n in nodes}
    made = graph.producers()
    for node in nodes:
        source = made.get(node.inputs[0])
        if source is not None and (field := unit_of(source).tied_field):
            unit = unit_of(by_name[source.name])
            by_name[source.name] = replace(by_name[source.name], op=unit.folded(**{field: unit_of(node).inputs[0].lanes}))
    return graph.replace(nodes=tuple(by_name[n.name] for n in nodes))


def tied(graph: Graph) -> dict[str, str]:
    """Unit -> reader, where the reader's lanes define the order of what the unit gives: windows and results by tap."""
    made = graph.producers()
    found = {}
    for node in graph.nodes:
        source = made.get(node.inputs[0])
        if source is not None and unit_of(source).tied_field:
            found[source.name] = node.name
    return found


def converter(shape: tuple[int, int, int], dtype: IntType, given: Layout, wanted: Layout) -> Unit:
    """The unit between two different layouts of one stream."""
    if given[1] or wanted[1]:
        return Repack(shape, dtype, *given[:2], *wanted[:2])
    return WidthConverter(shape, dtype, given[0], wanted[0])


class _Connection:
    def __init__(self, graph: Graph, port_bits: int) -> None:
        self.graph = graph
        self.port_bits = port_bits
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.ends: dict[str, list[tuple[str, Stream]]] = {}  # original tensor -> unused (stream, type)
        self.given: dict[str, Stream] = {}  # original tensor -> its type where it comes from
        self.readers = {t: len(c) + graph.outputs.count(t) for t, c in graph.consumers().items()}

    def offer(self, tensor: str, stream: Stream, source: tuple[str, ...]) -> None:
        """Make as many ends of a stream as it has readers."""
        self.given[tensor] = stream
        ends = [tensor]
        for i in range(self.readers.get(tensor, 0) - 1):
            copies = (f"{tensor}/{i}a", f"{tensor}/{i}b")
            fork = Fork(stream.shape, stream.dtype, stream.lanes, run=stream.run, taps=stream.taps)
            self._add(f"fork_{_plain(tensor)}_{i}", fork, (ends.pop(),), copies, source)
            ends += copies
        self.ends[tensor] = [(e, stream) for e in ends]

    def take(self, tensor: str, wanted: Stream | None) -> str:
        """One end of a stream in the layout that its reader wants; None is the outside."""
        end, stream = self.ends[tensor].pop(0)
        lanes, run, taps = (wanted or stream.outside(self.port_bits)).layout
        if stream.layout == (lanes, run, taps):
            return end
        out = f"{end}>{lanes}" + (f".{run}" if run else "")
        unit = converter(stream.shape, stream.dtype, stream.layout, (lanes, run, taps))
        self._add(f"{unit.kind.partition('_')[0]}_{_plain(out)}", unit, (end,), (out,), ())
        return out

    def _add(self, name: str, unit: Unit, inputs: tuple[str, ...], outputs: tuple[str, ...], source: tuple[str, ...]) -> None:
        self.nodes.append(Node(name, unit, inputs, outputs, source))
        for t, s in zip(outputs, unit.outputs, strict=True):
            self.tensors[t] = Tensor(s.shape, s.dtype)

    def visit(self, node: Node) -> None:
        unit = unit_of(node)
        inputs = tuple(self.take(t, s) for t, s in zip(node.inputs, unit.inputs, strict=True))
        self._add(node.name, unit, inputs, node.outputs, node.source)
        for t, s in zip(node.outputs, unit.outputs, strict=True):
            self.offer(t, s, node.source)

    def close(self, loop: Loop, end: str) -> None:
        """Put a delay between what a state is at the end of a step and at the beginning of the next."""
        stream = self.given[loop.input]
        delay = Delay(stream.shape, stream.dtype, loop.first, stream.lanes, stream.run, loop.keep)
        self._add(f"delay_{_plain(loop.input)}", delay, (self.take(end, stream),), (loop.input,), ())


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def connect(graph: Graph, port_bits: int = 0, loops: Sequence[Loop] = ()) -> Design:
    """The design of a folded unit graph; its inputs have the lanes of their first reader, or as many as make no more beats.

    port_bits: most bits of a port's beats; 0: any
    loops: inputs and outputs (the last ones) of the graph that are states: a delay joins the two ends of each
    """
    state = _Connection(graph, port_bits)
    readers = graph.consumers()
    for name in graph.inputs:
        t = graph.tensors[name]
        h, w, c = t.shape
        first = readers[name][0] if readers.get(name) else None
        layout: Layout = (1, 0, 1)
        if first is not None:
            layout = unit_of(first).inputs[first.inputs.index(name)].layout
        state.tensors[name] = t
        inner = any(x.input == name for x in loops)
        state.offer(name, Stream((h, w, c), t.codes, *layout).outside(0 if inner else port_bits), ())
    for node in graph.nodes:
        state.visit(node)
    outputs = tuple(state.take(t, None) for t in graph.outputs[: len(graph.outputs) - len(loops)])
    for loop, end in zip(loops, graph.outputs[len(outputs) :], strict=True):
        state.close(loop, end)
    inputs = tuple(t for t in graph.inputs if not any(x.input == t for x in loops))
    design = Design(Graph(graph.name, tuple(state.nodes), state.tensors, graph.fixed, inputs, outputs).sorted())
    design.check()
    return design
