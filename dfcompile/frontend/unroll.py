"""Scan and Loop of a known count: their bodies one after the other, in place of the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dfcompile.frontend.inline import MOST_NODES, placed
from dfcompile.frontend.lstm_cell import expanded, is_cell
from dfcompile.frontend.model import OnnxNode, Subgraph
from dfcompile.frontend.value import Const, Refusal, Unknown, Value, onnx_shape

_DAMAGED = "check the file with onnx.checker, or export it again"


def is_true(value: Value | Unknown | None) -> bool:
    """Whether it is known, and not 0."""
    return isinstance(value, Const) and bool(value.array.all())


def _uncounted(what: str) -> Refusal:
    why = "how often it is repeated depends on numbers of a frame"
    return Refusal("dynamic-parameter", what, why, "export the model with a fixed sequence length, or unroll the loop before the export")


def is_repeated(node: OnnxNode) -> bool:
    """Whether a node stands for others that are repeated: a Scan or Loop, or a cell for a sequence."""
    loop = node.op_type in ("Scan", "Loop") and node.domain in ("", "ai.onnx") and isinstance(node.attributes.get("body"), Subgraph)
    return loop or is_cell(node)


@dataclass(eq=False)
class Unrolling:
    """The iterations of a node. state: names of what goes from one iteration to the next, `given` of what does at first."""

    node: OnnxNode
    body: Subgraph
    operands: Sequence[Value | None]
    opset: int

    def __post_init__(self) -> None:
        self._check()
        self.own = {*self.body.initializers, *self.body.inputs, *(t for n in self.body.nodes for t in n.outputs)}
        self.collected: list[list[str]] = [[] for _ in self._last_outputs]
        self.state = list(self._given)
        self.numbers = set[str]()  # names of the constants that say which iteration it is
        if self.count < 1:
            raise Refusal("unsupported-op", f"'{self.node.op_type}' is repeated {self.count} times", help="leave it out of the model")
        if self.count * (len(self.body.nodes) + len(self.body.inputs)) > MOST_NODES:
            why = f"it would become more than {MOST_NODES} nodes"
            raise Refusal("too-large", f"'{self.node.op_type}' is repeated {self.count} times", why, "use a shorter sequence")

    def _check(self) -> None:
        """Refusal unless node and body have operands and results for each other."""
        fixed = 0 if self.is_scan else 2
        states = len(self.body.inputs) - fixed - self._scanned
        given = len(self.node.inputs) >= len(self.body.inputs) and states >= 0
        if not given or len(self.body.outputs) < states + fixed // 2:
            counts = f"{len(self.body.inputs)} inputs and {len(self.body.outputs)} outputs"
            raise Refusal("invalid-node", f"'{self.node.op_type}' does not fit the graph that it repeats", f"that has {counts}", _DAMAGED)

    @property
    def is_scan(self) -> bool:
        return self.node.op_type == "Scan"

    def _integers(self, name: str, default: int, count: int) -> list[int]:
        found = self.node.attributes.get(name) or [default] * count
        if len(found) != count:
            raise Refusal("bad-attribute", f"attribute '{name}' has {len(found)} entries for {count} tensors", help=_DAMAGED)
        return [int(v) for v in found]

    @property
    def _scanned(self) -> int:
        """How many of the last operands give an element to each iteration."""
        return int(self.node.attributes.get("num_scan_inputs", 0)) if self.is_scan else 0

    @property
    def _given(self) -> tuple[str, ...]:
        names = self.node.inputs[: len(self.body.inputs)]  # behind them are those that the body reads from outside
        return names[: len(names) - self._scanned] if self.is_scan else names[2:]

    @property
    def _last_outputs(self) -> tuple[str, ...]:
        """Those of the body that are collected over all iterations."""
        return self.body.outputs[len(self._given) + (0 if self.is_scan else 1) :]

    @cached_property
    def count(self) -> int:
        """Iterations. Refusal where the file does not say how many."""
        if self.is_scan:
            return self._length()
        trips, condition = (self.operands[i] if i < len(self.operands) else None for i in (0, 1))
        if not isinstance(trips, Const) or trips.array.size != 1 or not (condition is None or is_true(condition)):
            raise _uncounted("'Loop' has no constant count")
        return int(trips.array.ravel()[0])

    def _length(self) -> int:
        first = len(self._given)
        lengths = set()
        if self.opset < 9 or not self._scanned or first + self._scanned > len(self.operands):
            raise Refusal("unsupported-op", "'Scan' of opset 8, or without a tensor to go along", help="export with opset 9 or later")
        for axis, operand in zip(self._axes, self.operands[first:], strict=False):
            shape = onnx_shape(operand) if operand is not None else ()
            if not -len(shape) <= axis < len(shape):
                raise Refusal("bad-attribute", f"'Scan' goes along axis {axis} of a tensor of {len(shape)} axes")
            lengths.add(shape[axis])
        if len(lengths) != 1:
            shown = ", ".join(map(str, sorted(lengths)))
            why = f"they have {shown} elements there"
            raise Refusal("invalid-node", "'Scan' goes along tensors of different lengths", why, _DAMAGED)
        return lengths.pop()

    @property
    def _axes(self) -> list[int]:
        return self._integers("scan_input_axes", 0, self._scanned)

    def constants(self) -> dict[str, Any]:
        """Stored tensors of the body, by the names that all iterations have for them."""
        return {self._shared(k): v for k, v in self.body.initializers.items()}

    def _shared(self, name: str) -> str:
        return f"{self.node.label}/{name}"

    def iteration(self, i: int) -> tuple[dict[str, Const], list[OnnxNode]]:
        """Constants and nodes of an iteration; the state moves on."""
        names: dict[str, str] = {}
        constants: dict[str, Const] = {}
        nodes = list[OnnxNode]()
        label = f"{self.node.label}/{i}"

        def rename(name: str) -> str:
            if name in self.body.initializers:
                return self._shared(name)
            return names.setdefault(name, f"{label}/{name}") if name in self.own else name

        def constant(name: str, value: Any) -> str:
            constants[name] = Const(np.asarray(value), "bool" if isinstance(value, bool) else "int64", name)
            return name

        carried = self.body.inputs[: len(self.state)] if self.is_scan else self.body.inputs[2:]
        names.update(zip(carried, self.state, strict=False))
        if self.is_scan:
            for j, t in enumerate(self.body.inputs[len(self.state) :]):
                at = constant(f"{label}/at_{j}", self.count - 1 - i if self._input_directions[j] else i)
                self.numbers.add(at)
                source = self.node.inputs[len(self._given) + j]
                nodes.append(self._put("Gather", (source, at), rename(t), f"{label}/take_{j}", axis=self._axes[j]))
        else:
            names[self.body.inputs[0]] = constant(f"{label}/number", i)
            self.numbers.add(names[self.body.inputs[0]])
            names[self.body.inputs[1]] = constant(f"{label}/condition", True)
        nodes += [placed(n, label, rename, {}, n.opset) for n in self.body.nodes]
        results = [rename(t) for t in self.body.outputs]
        first = 0 if self.is_scan else 1
        self.state = results[first : first + len(self.state)]
        for k, t in enumerate(results[first + len(self.state) :]):
            axes = constant(f"{label}/axes_{k}", [self.collected_axes[k]])
            out = f"{label}/collected_{k}"
            nodes.append(self._put("Unsqueeze", (t, axes), out, out, opset=13))
            self.collected[k].append(out)
        return constants, [replace(n, index=j) for j, n in enumerate(nodes)]

    def condition(self, i: int) -> str:
        """What a Loop's iteration says of going on; "" of a Scan."""
        return "" if self.is_scan else f"{self.node.label}/{i}/{self.body.outputs[0]}"

    @property
    def _input_directions(self) -> list[int]:
        return self._integers("scan_input_directions", 0, self._scanned)

    @property
    def _output_directions(self) -> list[int]:
        return self._integers("scan_output_directions", 0, len(self._last_outputs))

    @property
    def is_backwards(self) -> bool:
        """Whether it begins with the last element of a sequence, or gives one in that order."""
        return any(self._input_directions) or any(self._output_directions)

    @property
    def collected_axes(self) -> list[int]:
        """Of the tensors that are collected over all iterations."""
        return self._integers("scan_output_axes", 0, len(self._last_outputs))

    def ending(self) -> list[OnnxNode]:
        """Nodes that give the results their names."""
        turned = self._output_directions
        nodes = [
            self._put("Identity", (t,), out, f"{self.node.label}/{out}")
            for t, out in zip(self.state, self.node.outputs, strict=False)
            if out
        ]
        for k, out in enumerate(self.node.outputs[len(self.state) :]):
            if out:
                parts = tuple(reversed(self.collected[k]) if turned[k] else self.collected[k])
                nodes.append(self._put("Concat", parts, out, f"{self.node.label}/{out}", axis=self.collected_axes[k]))
        return [replace(n, index=j) for j, n in enumerate(nodes)]

    @staticmethod
    def _put(kind: str, inputs: tuple[str, ...], out: str, name: str, opset: int | None = None, **attributes: Any) -> OnnxNode:
        return OnnxNode(0, kind, "", name, inputs, (out,), attributes, opset)


def unroll(node: OnnxNode, env: dict[str, Value | Unknown], opset: int, take: Callable[[Mapping[str, Any], list[OnnxNode]], None]) -> None:
    """Convert all iterations by `take`, which is given constants and nodes. Refusal where their number is not constant."""
    operands = [v for v in (env.get(t) if t else None for t in node.inputs) if not isinstance(v, Unknown)]
    body = node.attributes.get("body")
    if not isinstance(body, Subgraph):
        take(*expanded(node, operands))
        return
    work = Unrolling(node, body, operands, node.opset or opset)
    take(work.constants(), [])
    for i in range(work.count):
        take(*work.iteration(i))
        going_on = env.get(work.condition(i)) if work.condition(i) else None
        if going_on is not None and not is_true(going_on):
            raise _uncounted("'Loop' ends by a condition")
    take({}, work.ending())
