"""Recurrent networks in ONNX with quantized states, and what they are: a loop over time in float64, exact: scales are powers of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.frontend.make import model

Array = np.ndarray[Any, Any]
QONNX = "qonnx.custom_op.general"
STATE, GATE = 2.0**-4, 2.0**-5


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), out.split(","), name=f"{op}_{out.replace(',', '_')}", **attributes)


def quant(x: str, out: str, scale: str, signed: int = 1) -> Any:
    return node("Quant", f"{x},{scale},zero,bits", out, domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND")


def quantized(x: Array, scale: float, signed: bool = True, bits: int = 6) -> Array:
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return np.clip(np.rint(x / scale), lo, hi) * scale


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def as_qcdq(graph: Any) -> None:
    """Every Quant of 6 bits in a graph and the bodies of its loops as QuantizeLinear, Clip of its codes, and DequantizeLinear."""
    nodes = []
    for n in graph.node:
        for body in (a.g for a in n.attribute if a.name == "body"):
            as_qcdq(body)
        if n.op_type != "Quant":
            nodes.append(n)
            continue
        (signed,) = (a.i for a in n.attribute if a.name == "signed")
        (x, scale, *_), (out,) = n.input, n.output
        ends = (-32, 31) if signed else (0, 63)
        codes = [onnx.numpy_helper.from_array(np.array(v, np.int8 if signed else np.uint8), f"{out}_{v}") for v in {0, *ends}]
        graph.initializer.extend(codes)
        nodes += [
            node("QuantizeLinear", f"{x},{scale},{out}_0", f"{out}_wide"),
            node("Clip", ",".join([f"{out}_wide", *(f"{out}_{v}" for v in ends)]), f"{out}_codes"),
            node("DequantizeLinear", f"{out}_codes,{scale},{out}_0", out),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


@dataclass(frozen=True)
class Cell:
    """A cell: nodes from tensors x and s0, s1, ... to n0, n1, ...; how it does a step; sizes of its weights wi (of x) and ui (of s0)."""

    nodes: Callable[[], list[Any]]
    step: Callable[[dict[str, Array], Array, list[Array]], list[Array]]
    gates: int
    states: int = 1


def _elman() -> list[Any]:
    return [
        node("MatMul", "x,w0", "a"), node("MatMul", "s0,u0", "b"), node("Add", "a,b", "c"), node("Add", "c,bias", "d"),
        node("Tanh", "d", "e"), quant("e", "n0", "state"),
    ]  # fmt: skip


def _elman_step(held: dict[str, Array], x: Array, states: list[Array]) -> list[Array]:
    return [quantized(np.tanh(x @ held["w0"] + states[0] @ held["u0"] + held["bias"]), STATE)]


def _normed() -> list[Any]:
    return [
        *_elman()[:4], quant("d", "dq", "state"), node("LayerNormalization", "dq,ones", "e", axis=-1, epsilon=2.0**-8),
        quant("e", "n0", "state"),
    ]  # fmt: skip


def _normed_step(held: dict[str, Array], x: Array, states: list[Array]) -> list[Array]:
    d = quantized(x @ held["w0"] + states[0] @ held["u0"] + held["bias"], STATE)
    d = d - d.mean(axis=-1, keepdims=True)
    return [quantized(d / np.sqrt((d * d).mean(axis=-1, keepdims=True) + 2.0**-8), STATE)]


def _gate(i: int, hidden: str, kind: str) -> list[Any]:
    return [
        node("MatMul", f"x,w{i}", f"a{i}"), node("MatMul", f"{hidden},u{i}", f"b{i}"), node("Add", f"a{i},b{i}", f"c{i}"),
        node(kind, f"c{i}", f"d{i}"), quant(f"d{i}", f"g{i}", "gate", int(kind == "Tanh")),
    ]  # fmt: skip


def _gate_value(held: dict[str, Array], i: int, x: Array, hidden: Array, tanh: bool = False) -> Array:
    total = x @ held[f"w{i}"] + hidden @ held[f"u{i}"]
    return quantized(np.tanh(total) if tanh else sigmoid(total), GATE, tanh)


def _gru() -> list[Any]:
    return [
        *_gate(0, "s0", "Sigmoid"), *_gate(1, "s0", "Sigmoid"), node("Mul", "g1,s0", "rh"), quant("rh", "rhq", "state"),
        *_gate(2, "rhq", "Tanh"), node("Sub", "one,g0", "keep"), node("Mul", "keep,g2", "new"), node("Mul", "g0,s0", "old"),
        node("Add", "new,old", "sum"), quant("sum", "n0", "state"),
    ]  # fmt: skip


def _gru_step(held: dict[str, Array], x: Array, states: list[Array]) -> list[Array]:
    (h,) = states
    z, r = (_gate_value(held, i, x, h) for i in (0, 1))
    n = _gate_value(held, 2, x, quantized(r * h, STATE), tanh=True)
    return [quantized((1 - z) * n + z * h, STATE)]


def _lstm() -> list[Any]:
    return [
        *_gate(0, "s0", "Sigmoid"), *_gate(1, "s0", "Sigmoid"), *_gate(2, "s0", "Tanh"), *_gate(3, "s0", "Sigmoid"),
        node("Mul", "g1,s1", "kept"), quant("kept", "keptq", "cell"), node("Mul", "g0,g2", "new"), quant("new", "newq", "cell"),
        node("Add", "keptq,newq", "sum"), quant("sum", "n1", "cell"), node("Tanh", "n1", "t"), quant("t", "tq", "gate"),
        node("Mul", "g3,tq", "out"), quant("out", "n0", "state"),
    ]  # fmt: skip


def _lstm_step(held: dict[str, Array], x: Array, states: list[Array]) -> list[Array]:
    h, c = states
    i, f, o = (_gate_value(held, k, x, h) for k in (0, 1, 3))
    g = _gate_value(held, 2, x, h, tanh=True)
    c = quantized(quantized(f * c, 2.0**-3) + quantized(i * g, 2.0**-3), 2.0**-3)
    return [quantized(o * quantized(np.tanh(c), GATE), STATE), c]


CELLS = {
    "elman": Cell(_elman, _elman_step, 1), "normed": Cell(_normed, _normed_step, 1),
    "gru": Cell(_gru, _gru_step, 3), "lstm": Cell(_lstm, _lstm_step, 4, 2),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Network:
    """`layers` cells one behind the other over `steps` steps, each a Scan; outputs: the last sequence "ys" and the last state "h"."""

    cell: str
    features: int
    hidden: int
    steps: int
    layers: int = 1
    outputs: tuple[str, ...] = ("ys", "h")
    first: float = 0.0
    seed: int = 0

    def held(self, layer: int) -> dict[str, Array]:
        rng = np.random.default_rng(self.seed + layer)
        sizes = {"w": self.features if not layer else self.hidden, "u": self.hidden}
        cell = CELLS[self.cell]
        found: dict[str, Array] = {
            f"{k}{i}": (rng.integers(-4, 5, (n, self.hidden)) / 8).astype(np.float32) for k, n in sizes.items() for i in range(cell.gates)
        }
        return found | {"bias": (rng.integers(-9, 9, self.hidden) / 16).astype(np.float32)}

    def proto(self, **attributes: Any) -> onnx.ModelProto:
        cell = CELLS[self.cell]
        scalars = {"zero": 0, "bits": 6, "one": 1, "state": STATE, "gate": GATE, "cell": 2.0**-3}
        kept: dict[str, Any] = {k: np.float32(v) for k, v in scalars.items()}
        kept["ones"] = np.ones(self.hidden, np.float32)
        kept["s"] = np.full((1, self.hidden), self.first, np.float32)
        nodes, x = [quant("x", "seq0", "gate")], "seq0"
        for layer in range(self.layers):
            held = [onnx.numpy_helper.from_array(v, k) for k, v in self.held(layer).items()]
            inner = [*cell.nodes(), node("Identity", "n0", "y")]
            states, after = ([f"{k}{i}" for i in range(cell.states)] for k in "sn")
            given, made = ([onnx.ValueInfoProto(name=n) for n in names] for names in ([*states, "x"], [*after, "y"]))
            body = helper.make_graph(inner, "body", given, made, held)
            last = layer == self.layers - 1
            names = [f"l{layer}_{k}" for k in range(cell.states)]
            names[0] = "h" if last else names[0]
            out = "ys" if last else f"seq{layer + 1}"
            axes = {"scan_input_axes": [1], "scan_output_axes": [1], **attributes}
            nodes.append(node("Scan", ",".join(["s"] * cell.states + [x]), ",".join([*names, out]), body=body, num_scan_inputs=1, **axes))
            x = out
        return model(nodes, {"x": (1, self.steps, self.features)}, list(self.outputs), kept)

    def inputs(self, frames: int) -> Array:
        return np.random.default_rng(self.seed).integers(-32, 32, (frames, self.steps, self.features)) * GATE

    def reference(self, x: Array) -> dict[str, Array]:
        """Sequence and last state, each with the frames in front."""
        cell = CELLS[self.cell]
        sequence = x
        for layer in range(self.layers):
            states = [np.full((len(x), self.hidden), self.first)] * cell.states
            held = {k: v.astype(np.float64) for k, v in self.held(layer).items()}
            found = []
            for t in range(self.steps):
                states = cell.step(held, sequence[:, t], states)
                found.append(states[0])
            sequence = np.stack(found, axis=1)
        return {"ys": sequence, "h": states[0]}
