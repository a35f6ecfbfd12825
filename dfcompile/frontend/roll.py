"""Scan, Loop and cells for a sequence as one copy of their body, whose states are ports of the graph.

A state h of a body (x_t, h_t) -> (y_t, h_{t+1}) becomes one more input of the model graph, h_t, and one more output, h_{t+1}: what is left
is a graph without a loop, to which all passes apply. It is exact for a sequence if it is exact for every x_t and h_t, by induction over t,
where the codes of h_{t+1} are codes of h_t and the first state has one. So a state ends in a quantizer, which says what the codes are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dfcompile.frontend.builder import Builder
from dfcompile.frontend.lstm_cell import is_backwards, one_step, steps_of
from dfcompile.frontend.model import OnnxNode, Subgraph
from dfcompile.frontend.unroll import Unrolling, is_true
from dfcompile.frontend.value import Act, Const, Unknown, Value
from dfcompile.ir import Tensor
from dfcompile.ir.modelop import CollectSteps, Dequantize, Gather, IndexOp, Quantize, TakeStep, Unary
from dfcompile.ir.state import NotRolledError, State
from dfcompile.ir.types import IntType


@dataclass(frozen=True, eq=False)
class Body:
    """One step of a node that is repeated.

    taken:  sequences and their axis -> tensor that the step reads
    states: (tensor before the first step, tensor that the step reads, tensor that it gives, result of the node or "")
    collected: (tensor that the step gives, axis, result of the node)
    going_on: tensor that says whether there is another step, or ""
    """

    count: int
    constants: Mapping[str, Any]
    nodes: list[OnnxNode]
    taken: Mapping[tuple[str, int], str]
    states: Sequence[tuple[str, str, str, str]]
    collected: Sequence[tuple[str, int, str]]
    going_on: str = ""


def body_of(node: OnnxNode, operands: list[Value | None], opset: int) -> Body:
    """The step that a node repeats. NotRolledError where its steps are not all the same, or go backwards."""
    subgraph = node.attributes.get("body")
    return _cell_body(node, operands) if not isinstance(subgraph, Subgraph) else _loop_body(Unrolling(node, subgraph, operands, opset))


def _cell_body(node: OnnxNode, operands: list[Value | None]) -> Body:
    count = steps_of(node, operands)
    if is_backwards(node):
        raise NotRolledError("it goes backwards")
    x, *before = (f"{node.label}/{name}" for name in ("x", "hidden", "cell"))
    constants, nodes, after = one_step(node, x, *before)
    results = [*node.outputs, "", "", ""]
    states = [(first, a, b, out) for first, a, b, out in zip(node.inputs[1:3], before, after, results[1:3], strict=True)]
    return Body(count, constants, nodes, {(node.inputs[0], 1): x}, states, [(after[0], 1, results[0])])


def _loop_body(work: Unrolling) -> Body:
    if work.is_backwards:
        raise NotRolledError("it goes backwards")
    count, first = work.count, list(work.state)
    before = [f"{work.node.label}/state_{k}" for k in range(len(first))]
    work.state = list(before)
    constants, nodes = work.iteration(0)
    ends = len(nodes) - len(work.collected)
    taken, inner = {}, []
    for n in nodes[:ends]:
        if n.op_type == "Gather" and n.inputs[1] in work.numbers:
            taken[n.inputs[0], int(n.attributes.get("axis", 0))] = n.outputs[0]
        elif work.numbers.intersection(n.inputs):
            raise NotRolledError("its body computes with the number of the step")
        else:
            inner.append(n)
    outputs = [*work.node.outputs, *[""] * len(nodes)]
    states = list(zip(first, before, work.state, outputs, strict=False))
    axes = work.collected_axes
    collected = [(n.inputs[0], axes[k], outputs[len(first) + k]) for k, n in enumerate(nodes[ends:])]
    return Body(count, {**work.constants(), **constants}, inner, taken, states, collected, work.condition(0))


@dataclass(eq=False)
class Rolling:
    """Puts a body into the graph once. NotRolledError where what it reads is not made for that.

    fewest: steps that a loop has at least
    """

    node: OnnxNode
    body: Body
    env: dict[str, Value | Unknown]
    builder: Builder
    fewest: int

    def __post_init__(self) -> None:
        if self.builder.batch != 1:
            raise NotRolledError("the file is for several frames")
        if self.body.count < self.fewest:
            raise NotRolledError("there is nothing to repeat")
        self.taken = [self._act(sequence) for sequence, _ in self.body.taken]
        self.firsts = [self._first(name) for name, *_ in self.body.states]

    def run(self, take: Callable[[Mapping[str, Any], list[OnnxNode]], None]) -> tuple[list[State], tuple[Value | None, ...]]:
        """Its states, and the results of the node. take: converts nodes, given constants. NotRolledError where a state is in the way."""
        self.builder.begin(self.node)
        for x, ((_, axis), name) in zip(self.taken, self.body.taken.items(), strict=True):
            self.env[name] = self._step(x, axis)
        for first, (_, before, *_) in zip(self.firsts, self.body.states, strict=True):
            self.env[before] = self._input(before, first)
        take(self.body.constants, self.body.nodes)
        if self.body.going_on and not is_true(self.env.get(self.body.going_on)):
            raise NotRolledError("it may end by a condition")
        states = [self._state(*s, first) for s, first in zip(self.body.states, self.firsts, strict=True)]
        if len({s.output for s in states}) < len(states):
            raise NotRolledError("two of its states are one")
        self.builder.begin(self.node)
        return states, tuple(self._result(name) for name in self.node.outputs)

    def _act(self, name: str) -> Act:
        found = self.env.get(name)
        if not isinstance(found, Act):
            raise NotRolledError(f"'{name}' does not depend on the model's input")
        return found

    def _first(self, name: str) -> Const:
        found = self.env.get(name)
        if not isinstance(found, Const) or not found.array.size or np.any(found.array != found.array.flat[0]):
            raise NotRolledError(f"its first state '{name}' is not one constant number")
        return found

    def _input(self, name: str, first: Const) -> Act:
        """A state as an input of the graph, of its first value's shape."""
        unbatched = first.shape[:1] != (1,)
        shape = (1, *first.shape) if unbatched else first.shape
        self.builder.tensors[name] = Tensor(shape)
        return Act(name, shape, unbatched=unbatched)

    def _step(self, x: Act, axis: int) -> Value:
        axis %= len(x.onnx_shape)
        x = self.builder.unbatched(x) if axis == 0 else x
        return self.builder.apply(TakeStep(self.body.count, axis + x.unbatched), x)

    def _sequence(self, name: str, axis: int) -> Value:
        x = self._act(name)
        axis %= len(x.onnx_shape) + 1
        x = self.builder.unbatched(x) if axis == 0 else x
        return self.builder.apply(CollectSteps(self.body.count, axis + x.unbatched), x)

    def _result(self, name: str) -> Value | None:
        for tensor, axis, out in self.body.collected:
            if name and out == name:
                return self._sequence(tensor, axis)
        for _, _, tensor, out in self.body.states:
            if name and out == name:
                return self._last(tensor)
        return None

    def _last(self, name: str) -> Value:
        """The last element of the sequence of a state."""
        shape = self._act(name).onnx_shape
        axis = min(1, len(shape))
        every = self._sequence(name, axis)
        batched = axis + (isinstance(every, Act) and every.unbatched)
        return self.builder.reshape(self.builder.apply(Gather((self.body.count - 1,), batched), every), shape)

    def _state(self, _: str, before: str, after: str, __: str, first: Const) -> State:
        end = self._act(after)
        dtype, scale, zero = self._quantizer(end.name)
        if self.builder.tensors[before].shape != end.shape:
            raise NotRolledError("its state changes its shape")
        return State(self.node.label, self.body.count, before, end.name, dtype, scale, -zero * scale, float(first.array.flat[0]))

    def _quantizer(self, name: str) -> tuple[IntType, float, float]:
        """Codes of the quantizer that a tensor comes from, as far as a Clip behind it leaves them, and its one scale and zero-point."""
        made = {t: n for n in self.builder.nodes for t in n.outputs}
        lo, hi, are_codes = -math.inf, math.inf, False
        while name in made:
            op = made[name].op
            if isinstance(op, Unary) and op.fn == "clip" and are_codes:
                lo, hi = max(lo, op.alpha), min(hi, op.beta)
            elif not isinstance(op, IndexOp | Dequantize):
                break
            are_codes |= isinstance(op, Dequantize)
            name = made[name].inputs[0]
        node = made.get(name)
        if node is None or not isinstance(node.op, Quantize):
            raise NotRolledError("a state does not end in a quantizer")
        held = [self.builder.constants.get(t) for t in node.inputs[1:]]
        scale, zero = (float(a.ravel()[0]) if a is not None and a.size == 1 else None for a in held)
        if scale is None or zero is None:
            raise NotRolledError("a state's quantizer has a scale for each channel")
        return IntType.holding(math.ceil(np.clip(node.op.lo, lo, hi)), math.floor(np.clip(node.op.hi, lo, hi))), scale, zero


@dataclass(eq=False)
class Loops:
    """The loops of a model while it is imported.

    wanted: whether bodies are taken once; fewest: steps that such a loop has at least
    states: of those that are; left: node -> why it is not
    """

    wanted: bool
    fewest: int
    states: list[State] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def roll(
        self,
        node: OnnxNode,
        env: dict[str, Value | Unknown],
        builder: Builder,
        opset: int,
        take: Callable[[Mapping[str, Any], list[OnnxNode]], None],
    ) -> tuple[Value | None, ...] | None:
        """The results of a node whose body is converted once by `take`; None where it is to be unrolled, as all loops in a body are.

        NotRolledError where that is found out too late.
        """
        if not self.wanted:
            return None
        operands = [v for v in (env.get(t) if t else None for t in node.inputs) if not isinstance(v, Unknown)]
        try:
            work = Rolling(node, body_of(node, operands, node.opset or opset), env, builder, self.fewest)
        except NotRolledError as e:
            self.left[node.label] = str(e)
            return None
        self.wanted = False
        try:
            states, made = work.run(take)
        except NotRolledError as e:
            e.node = node.label
            raise
        self.wanted = True
        self.states += states
        return made
