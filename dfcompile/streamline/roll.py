"""The steps of a loop along the pixels of a stream.

`streamline` sees the body of a loop once, as a part of a graph without loops: it reads an element of a sequence and the states before
the step, and gives an element and the states behind it. Operators of the body look at each pixel alone, so the same graph serves rows
of pixels, one for each step, once a delay by one pixel joins each state's two ends. By induction over the steps every code is then what
the body repeated would give: it is for every element and state, a state's codes before and behind a step are the same ones with the same
meaning, and the first one has a code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import (
    IntAdd,
    IntBelowMax,
    IntCollectSteps,
    IntConcat,
    IntConv,
    IntDelay,
    IntMul,
    IntNormalize,
    IntSlice,
    IntStandardize,
    IntTakeStep,
    LookupCode,
    ThresholdCode,
    View,
)
from dfcompile.ir.modelop import CollectSteps, TakeStep
from dfcompile.ir.state import Loop, NotRolledError, State, members
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.pipeline import Streamlined, streams_of
from dfcompile.streamline.value import InputPort, OutputPort

_BY_PIXEL = (IntAdd, IntMul, IntConcat, IntSlice, ThresholdCode, LookupCode, IntBelowMax, IntNormalize, IntStandardize)


def state_types(states: Iterable[State]) -> dict[str, InputType]:
    """What the graph's inputs that are states carry, as far as their quantizers say it."""
    return {s.input: InputType(s.dtype, s.scale, s.offset) for s in states}


def retyped(made: Streamlined, states: Sequence[State]) -> dict[str, InputType]:
    """States whose codes behind a step are not those before it: what they are and mean there, to begin with again.

    Where they are the same ones in the end, a state that has such codes before a step has them behind it, from the first step on.
    """
    found = {s.input: _after(made, s) for s in states}
    return {t: kind for t, kind in found.items() if kind != made.input_types[t]}


def rolled(made: Streamlined, states: Sequence[State], keep: bool = False) -> Streamlined:
    """What the body's graph is for rows of pixels. Its states stay inputs and outputs, named by `loops`.

    keep: whether a frame begins in the states that the one before it left

    NotRolledError where the body does not look at each pixel alone, or its parts do not fit each other.
    """
    if any(isinstance(n.op, TakeStep | CollectSteps) for g in (made.host.tail, *(p.head for p in made.host.inputs)) if g for n in g.nodes):
        raise NotRolledError("the host would compute a part of the loop")
    loops = tuple(replace(_loop(made, s), keep=keep) for s in states)
    if made.graph.outputs[-len(loops) :] != tuple(x.output for x in loops):
        raise NotRolledError("two of its states are one")
    counts = {x.input: s.count for x, s in zip(loops, states, strict=True)}
    graph, inside = _along_pixels(made.graph, counts, {x.output for x in loops})
    before, after = {s.input for s in states}, {s.output for s in states}
    inputs = tuple(p for p in made.host.inputs if p.input not in before)
    outputs = tuple(p for p in made.host.outputs if p.tensor not in after)
    ends = (tuple(t for t in names if t not in after) for names in (made.host.tail.inputs, made.host.tail.outputs))
    tail = made.host.tail.replace(**dict(zip(("inputs", "outputs"), ends, strict=True))).without_dead()
    shapes = {t: shape for t, shape in made.host.input_shapes.items() if t not in before}
    graph, loops = _without_idle(graph, loops)
    _refuse_rows(graph, loops)
    loose = closed(graph, loops)
    host = replace(made.host, input_shapes=shapes, inputs=inputs, outputs=outputs, tail=tail, streams=streams_of(loose))
    feeds = {t: made.probes.inputs[t] for t in loose.inputs}
    probes = replace(made.probes, inputs=feeds, outputs=loose.execute(feeds))
    meanings = tuple(m for m in made.meanings if m.stream not in inside)
    return replace(made, graph=graph, host=host, probes=probes, meanings=meanings, loops=loops)


def _without_idle(graph: Graph, loops: tuple[Loop, ...]) -> tuple[Graph, tuple[Loop, ...]]:
    """The graph without the states that nothing reads, as where a quantizer of what is made of one gives the same code for all."""
    while idle := [x for x in loops if not graph.consumers()[x.input]]:
        kept = tuple(x for x in loops if x not in idle)
        inputs = tuple(t for t in graph.inputs if t not in {x.input for x in idle})
        results = graph.outputs[: len(graph.outputs) - len(loops)]
        graph = graph.replace(inputs=inputs, outputs=(*results, *(x.output for x in kept))).without_dead()
        loops = kept
    return graph, loops


def _refuse_rows(graph: Graph, loops: Sequence[Loop]) -> None:
    """Units that read a row as a whole take the next one while they give one, in C++ before it: in a loop that waits for itself."""
    for name in members(graph, loops):
        if isinstance(graph.node(name).op, IntBelowMax | IntNormalize | IntStandardize):
            raise NotRolledError(f"{name}, a norm or a softmax, stands between a state and what it becomes")


def closed(graph: Graph, loops: Sequence[Loop]) -> Graph:
    """An integer graph with its states' ends joined."""
    nodes = [Node(f"delay_{x.input}", IntDelay(x.first, x.keep), (x.output,), (x.input,)) for x in loops]
    inputs = tuple(t for t in graph.inputs if t not in {x.input for x in loops})
    return graph.replace(nodes=(*nodes, *graph.nodes), inputs=inputs, outputs=graph.outputs[: len(graph.outputs) - len(loops)])


def _port(made: Streamlined, state: State) -> tuple[InputPort, OutputPort]:
    before = next((p for p in made.host.inputs if p.input == state.input), None)
    after = next((p for p in made.host.outputs if p.tensor == state.output), None)
    if before is None or after is None:
        raise NotRolledError("no codes stand for its state")
    return before, after


def _after(made: Streamlined, state: State) -> InputType:
    """What a state's codes are and mean behind a step."""
    _, port = _port(made, state)
    if np.size(port.scale) > 1 or np.size(port.offset) > 1:
        raise NotRolledError("its state has codes of several scales")
    return InputType(made.graph.tensors[port.stream].codes, float(port.scale), float(port.offset))


def _loop(made: Streamlined, state: State) -> Loop:
    ports, kind = _port(made, state), made.input_types[state.input]
    for port in ports:
        shape = made.graph.tensors[port.stream].shape
        if shape[:2] != (1, 1) or not np.array_equal(port.index.ravel(), np.arange(shape[2])):
            raise NotRolledError("its state's elements come in several orders")
    code = (Fraction(state.first) - Fraction(kind.offset)) / Fraction(kind.scale)
    if code.denominator != 1 or not kind.dtype.lo <= code <= kind.dtype.hi or (kind.dtype.bipolar and not code):
        raise NotRolledError("its first state has no code")
    return Loop(ports[0].stream, ports[1].stream, int(code))


def _along_pixels(graph: Graph, states: Mapping[str, int], ends: set[str]) -> tuple[Graph, set[str]]:
    """The graph with as many pixels as steps wherever a tensor belongs to one step; these tensors."""
    counts, tensors, nodes = dict(states), dict(graph.tensors), []
    for node in graph.nodes:
        streams = [t for t in node.inputs if t not in graph.constants]
        found = {counts.get(t, 0) for t in streams}
        op = node.op
        if isinstance(op, IntTakeStep) and found == {0}:
            counts[node.outputs[0]] = graph.tensors[streams[0]].shape[1]
        elif isinstance(op, IntCollectSteps) and found == {op.count}:
            pass
        elif found != {0}:
            if len(found) > 1 or not _is_by_pixel(node, [graph.tensors[t] for t in (*streams, *node.outputs)]):
                raise NotRolledError(f"{node.name} in its body does not look at each step alone")
            counts[node.outputs[0]] = found.pop()
        elif isinstance(op, IntTakeStep | IntCollectSteps):
            raise NotRolledError("its steps are not those of the sequence that it reads")
        out = node.outputs[0]
        if out in counts:
            tensors[out] = replace(tensors[out], shape=(1, counts[out], tensors[out].channels))
        if isinstance(op, IntTakeStep | IntCollectSteps | View):
            h, w, c = tensors[out].shape
            node = replace(node, op=View((h, w, c)))
        nodes.append(node)
    for t in states:
        tensors[t] = replace(tensors[t], shape=(1, states[t], tensors[t].channels))
    if stray := [t for t in graph.outputs if t in counts and t not in ends]:
        raise NotRolledError(f"{stray[0]} leaves it in each step")
    return graph.replace(nodes=tuple(nodes), tensors=tensors), set(counts)


def _is_by_pixel(node: Node, tensors: Sequence[Tensor]) -> bool:
    if any(math.prod(t.shape[:2]) != 1 for t in tensors):
        return False
    return isinstance(node.op, (*_BY_PIXEL, View)) or (isinstance(node.op, IntConv) and node.op.window.is_trivial)
