"""Brevitas' QuantLSTMCell, a whole quantized sequence in one node, as the operators of its definition, one time step after the other.

Every sum, function and state has a quantizer of its own. Operands, in brevitas' order: input, hidden and cell state; weights of input,
forget, cell and output gate on the input, then on the hidden state; biases of the gates; scale, zero-point and bits of each quantizer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dfcompile.frontend.model import OnnxNode
from dfcompile.frontend.value import Const, Refusal, Value, onnx_shape

GATES = ("input", "forget", "cell", "output")
QUANTIZERS = (
    "output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc", "input_sigmoid", "forget_sigmoid", "cell_tanh",
    "output_sigmoid", "hidden_state_tanh",
)  # fmt: skip
_FIRST = 15  # operand of the first quantizer
QONNX = "qonnx.custom_op.general"


def is_cell(node: OnnxNode) -> bool:
    """Whether a node is such a cell."""
    return node.op_type == "QuantLSTMCell"


@dataclass(eq=False)
class _Cell:
    node: OnnxNode

    def __post_init__(self) -> None:
        self.nodes = list[OnnxNode]()
        self.constants = dict[str, Const]()

    def put(self, kind: str, inputs: tuple[str, ...], out: str, domain: str = "", **attributes: Any) -> str:
        """A node whose result has a name of this one's own."""
        name = out if out in self.node.outputs else f"{self.node.label}/{out}"
        self.nodes.append(OnnxNode(len(self.nodes), kind, domain, f"{self.node.label}/{out}", inputs, (name,), attributes, 13))
        return name

    def constant(self, out: str, value: Any, elem: str = "int64") -> str:
        name = f"{self.node.label}/{out}"
        self.constants[name] = Const(np.asarray(value), elem, name)
        return name

    def quantized(self, x: str, which: str, out: str) -> str:
        """x behind one of the cell's quantizers."""
        given, first = self.node.attributes, _FIRST + 3 * QUANTIZERS.index(which)
        narrow = given.get(f"{which}_narrow", given.get(f"{which}_narrow_range", 0))
        rounding = given.get(f"{which}_rounding_mode", "ROUND")
        own = {"signed": given.get(f"{which}_signed", 1), "narrow": narrow, "rounding_mode": rounding}
        return self.put("Quant", (x, *self.node.inputs[first : first + 3]), out, QONNX, **own)

    def gate(self, i: int, x: str, hidden: str, at: str) -> str:
        """The quantized sum of a gate, through its function, quantized."""
        gate = GATES[i]
        weights, recurrent, bias = (self.node.inputs[3 + i + 4 * k] for k in range(3))
        ahead = self.put("Gemm", (x, weights), f"{at}/{gate}_x", transB=1)
        back = self.put("Gemm", (hidden, recurrent), f"{at}/{gate}_h", transB=1)
        total = self.put("Add", (self.put("Add", (ahead, back), f"{at}/{gate}_sum"), bias), f"{at}/{gate}_biased")
        kind, which = ("Tanh", "cell_tanh") if gate == "cell" else ("Sigmoid", f"{gate}_sigmoid")
        made = self.put(kind, (self.quantized(total, f"{gate}_acc", f"{at}/{gate}_acc"),), f"{at}/{gate}_function")
        return self.quantized(made, which, f"{at}/{gate}")

    def step(self, x: str, hidden: str, cell: str, at: str) -> tuple[str, str]:
        """Hidden and cell state behind a time step."""
        gates = [self.gate(i, x, hidden, at) for i in (0, 2, 3)]
        if self.node.attributes.get("cifg", 0):
            forget = self.put("Sub", (self.constant(f"{at}/one", np.float64(1), "float32"), gates[0]), f"{at}/forget")
        else:
            forget = self.gate(1, x, hidden, at)
        kept = self.quantized(self.put("Mul", (forget, cell), f"{at}/kept_real"), "cell_state", f"{at}/kept")
        new = self.quantized(self.put("Mul", (gates[0], gates[1]), f"{at}/new_real"), "cell_state", f"{at}/new")
        cell = self.quantized(self.put("Add", (kept, new), f"{at}/cell_real"), "cell_state", f"{at}/cell_state")
        tanh = self.quantized(self.put("Tanh", (cell,), f"{at}/tanh"), "hidden_state_tanh", f"{at}/hidden_tanh")
        return self.quantized(self.put("Mul", (gates[2], tanh), f"{at}/hidden_real"), "output", f"{at}/hidden"), cell


def expanded(node: OnnxNode, operands: list[Value | None]) -> tuple[dict[str, Const], list[OnnxNode]]:
    """Constants and nodes that stand for a cell."""
    count = steps_of(node, operands)
    work = _Cell(node)
    hidden, cell = node.inputs[1:3]
    order = range(count)
    collected: dict[int, str] = {}
    axis = work.constant("axis", [1])
    for t in reversed(order) if is_backwards(node) else order:
        x = work.put("Gather", (node.inputs[0], work.constant(f"{t}/at", t)), f"{t}/x", axis=1)
        hidden, cell = work.step(x, hidden, cell, str(t))
        collected[t] = work.put("Unsqueeze", (hidden, axis), f"{t}/out")
    for i, name in enumerate(node.outputs):
        if name and i == 0:
            work.put("Concat", tuple(collected[t] for t in order), name, axis=1)
        elif name:
            work.put("Identity", (hidden if i == 1 else cell,), name)
    return work.constants, [replace(n, index=i) for i, n in enumerate(work.nodes)]


def one_step(node: OnnxNode, x: str, hidden: str, cell: str) -> tuple[dict[str, Const], list[OnnxNode], tuple[str, str]]:
    """Constants and nodes of a time step that reads tensors of these names; its hidden and cell state."""
    work = _Cell(node)
    states = work.step(x, hidden, cell, "step")
    return work.constants, [replace(n, index=i) for i, n in enumerate(work.nodes)], states


def steps_of(node: OnnxNode, operands: list[Value | None]) -> int:
    """Time steps. Refusal where the cell is not as brevitas writes it."""
    shape = onnx_shape(operands[0]) if operands and operands[0] is not None else ()
    if len(node.inputs) < _FIRST + 3 * len(QUANTIZERS) or len(shape) != 3:
        what, why = f"'QuantLSTMCell' has {len(node.inputs)} operands", "it takes 48, the first of them of three axes"
        raise Refusal("invalid-node", what, why, "export the layer again, as brevitas writes it")
    if not node.attributes.get("batch_first", 0):
        why = "the batch is the second axis of its input, where the compiler takes the first for it"
        raise Refusal("unsupported-op", "'QuantLSTMCell' whose sequence comes first", why, "export the layer with batch_first=True")
    return shape[1]


def is_backwards(node: OnnxNode) -> bool:
    """Whether its last time step comes first."""
    return bool(node.attributes.get("reverse_input", 0))
