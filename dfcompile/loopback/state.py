"""Loops over time: a state is a row of pixels in memory, one for each step, behind one more pixel with what it is at first.

A delay moves a row on by a pixel, so it is addressing: before --> after, h being what a step gives and g what it reads,

    g = delay(h)  -->  h in pixels 1..T of a buffer, g in its pixels 0..T-1, and a layer that writes pixel 0

Layers that depend on each other through a state take turns: each turn is the next pixel of all of them. A layer in a loop looks at each
pixel alone, so turns are the steps of the loop. What is read in the turn that makes it and nowhere else keeps one pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import networkx as nx
import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntConcat, IntDelay, IntPad, IntSlice, View, Window
from dfcompile.loopback.layer import Kernel, Layer, Operand, Stored
from dfcompile.loopback.lowered import Lowered, Turns
from dfcompile.loopback.placing import Placing
from dfcompile.loopback.storage import Storage, planes_for, slots_of

_HELP = "build it with --mode dataflow"


def own_states(graph: Graph) -> Graph:
    """before --> after: delay(x) --> delay(copy(x)), where no layer computes x, or another state has its buffer."""
    made, taken = graph.producers(), set[str]()
    nodes, copies, tensors = list[Node](), list[Node](), dict(graph.tensors)
    for node in graph.nodes:
        if isinstance(node.op, IntDelay):
            x = node.inputs[0]
            if x not in made or x in taken or isinstance(made[x].op, View | IntSlice | IntConcat | IntDelay):
                copy = f"{node.outputs[0]}.next"
                copies.append(Node(copy, IntPad(Window(), 0), (x,), (copy,), node.source))
                tensors[copy], node = tensors[x], replace(node, inputs=(copy,))
            taken.add(node.inputs[0])
        nodes.append(node)
    return graph.replace(nodes=(*nodes, *copies), tensors=tensors) if taken else graph


def place_states(walk: Placing) -> None:
    """Give the states their buffers. A problem for each that has too wide codes."""
    result, config = walk.result, walk.config
    for node in walk.graph.nodes:
        if not isinstance(node.op, IntDelay):
            continue
        (after,), (before,) = node.inputs, node.outputs
        _, w, c = walk.tensor(before).shape
        held = [walk.held(t) for t in (after, before)]
        try:
            planes, shift = planes_for(min(lo for lo, _ in held), max(hi for _, hi in held), config.acc_bits, config.act_bits)
        except ValueError as e:
            result.problems.append(
                Problem("not-loopback", f"state '{before}' does not run on the loopback engine", node.name, str(e), _HELP)
            )
            continue
        slots = slots_of(c, config.simd)
        words = len(slots) // config.simd
        row = Storage(before, slots, 1, w, 0, w * words, words, (w + 1) * words, planes, shift, config.act_bits)
        result.storage |= {before: row, after: replace(row, start=words)}
        result.buffers[before] = planes * (w + 1) * words
        result.states.add(before)
        if node.op.keep:
            result.kept[before] = node.op.first_code
            continue
        first = first_of(node)
        walk.declare(first, Tensor((1, 1, c), None, *(np.full(c, end) for end in (min(held)[0], max(hi for _, hi in held)))))
        result.storage[first] = replace(row, width=1, row=words)


def first_of(node: Node) -> str:
    """Name of the pixel with what a state is at first."""
    return f"{node.outputs[0]}.first"


def first_state(walk: Placing, node: Node, op: IntDelay) -> Layer:
    """The layer that writes it: a number, to which an input by weights of 0 is added."""
    source, first = walk.graph.inputs[0], first_of(node)
    channels, inputs = walk.tensor(first).channels, walk.tensor(source).channels
    kernel = Kernel(np.zeros((channels, 1, 1, inputs), np.int64), 1)
    return Layer(node.name, first, (Operand(source, kernel),), Window(), (1, 1), offset=op.first_code, source=(node.name,))


def take_turns(low: Lowered) -> None:
    """Bring the layers of each loop together, behind all that they need. CompileError where one does not look at each pixel alone."""
    if not low.states:
        return
    layers, waits = low.layers, _waits(low)
    parts: nx.DiGraph[int] = nx.condensation(waits)
    members = {k: sorted(parts.nodes[k]["members"]) for k in parts}
    low.layers = []
    for k in nx.lexicographical_topological_sort(parts, key=lambda k: members[k][0]):
        found, first = [layers[i] for i in members[k]], len(low.layers)
        low.layers += found
        if len(found) > 1 or waits.has_edge(members[k][0], members[k][0]):
            low.loops.append(Turns(first, len(low.layers), _count(found)))
    for loop in low.loops:
        _keep_one_pixel(low, loop)


def _waits(low: Lowered) -> nx.DiGraph[int]:
    """The numbers of the layers, each behind those that write what it reads: of a state also those of the turn before."""
    waits: nx.DiGraph[int] = nx.DiGraph()
    writers: dict[str, list[int]] = {}
    for i, layer in enumerate(low.layers):
        waits.add_node(i)
        writers.setdefault(low.storage[layer.dst].buffer, []).append(i)
    for i, layer in enumerate(low.layers):
        for buffer in {low.storage[o.tensor].buffer for o in layer.operands}:
            waits.add_edges_from((j, i) for j in writers.get(buffer, ()) if j < i or buffer in low.states)
    return waits


def _count(layers: Iterable[Layer]) -> int:
    """Turns that layers take."""
    counts = {x.size[1] for x in layers}
    for x in layers:
        plain = x.window.is_trivial and x.size[0] == 1 and x.place == (0, 0, 1, 1) and not x.op.picks
        if not plain or len(counts) > 1 or any(isinstance(o.kernel, Stored) for o in x.operands):
            what = "the steps of a loop over time do not run one after the other on the loopback engine"
            raise CompileError(Problem("not-loopback", what, f"layer {x.name}", "it does not look at each step alone", _HELP))
    return counts.pop()


def _keep_one_pixel(low: Lowered, loop: Turns) -> None:
    """Of buffers that are read in the turn that writes them and nowhere else one pixel is kept.

    The array walks the operands of a layer alike: they all keep one pixel, or none does.
    """
    inside = low.layers[loop.first : loop.end]
    outside = {low.storage[t].buffer for t in (*low.inputs, *low.outputs)} | low.states
    for layer in (*low.layers[: loop.first], *low.layers[loop.end :]):
        outside |= {low.storage[t].buffer for t in (layer.dst, *(o.tensor for o in layer.operands))}
    groups = [{low.storage[o.tensor].buffer for o in layer.operands} for layer in inside]
    while more := [g for g in groups if g & outside and not g <= outside]:
        outside = outside.union(*more)
    kept = {low.storage[x.dst].buffer for x in inside} - outside
    for name, s in low.storage.items():
        if s.buffer in kept:
            plane, rest = divmod(s.start, s.plane)
            low.storage[name] = replace(s, start=plane * s.col + rest % s.col, col=0, row=s.col, plane=s.col)
    for buffer in kept:
        low.buffers[buffer] //= loop.count
