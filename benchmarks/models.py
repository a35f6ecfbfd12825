"""ONNX models that grow without end, to see how a build grows with them: quantized to 4 and 8 bits, random weights.

Each quantizer is QuantizeLinear and DequantizeLinear, as exporters write them; the scales are powers of two.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]


class Model:
    """Grows one model; each method appends operators and returns the tensor they end in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.domains: tuple[str, ...] = ()

    def constant(self, value: Array) -> str:
        name = f"c{len(self.held)}"
        self.held.append(numpy_helper.from_array(value, name))
        return name

    def put(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Append an operator; its outputs."""
        n = len(self.nodes)
        names = [f"t{n}" if outputs == 1 else f"t{n}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{n}", **attributes))
        return names

    def input(self, name: str, *shape: int) -> str:
        """A graph input, quantized to signed 8 bits."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *shape)))
        return self.quantized(name)

    def quantized(self, x: str, scale: float = 2.0**-4, signed: bool = True) -> str:
        """8-bit codes."""
        s, z = self.constant(np.array(scale, np.float32)), self.constant(np.zeros((), np.int8 if signed else np.uint8))
        return self.put("DequantizeLinear", *self.put("QuantizeLinear", x, s, z), s, z)[0]

    def weights(self, *shape: int) -> str:
        """4-bit weights, one scale."""
        codes = self.constant(self.random.integers(-8, 8, shape, dtype=np.int8))
        return self.put("DequantizeLinear", codes, self.constant(np.array(2.0**-5, np.float32)), self.constant(np.zeros((), np.int8)))[0]

    def conv(self, x: str, channels: int, k: int = 3) -> str:
        """A convolution that keeps rows, columns and channels."""
        return self.put("Conv", x, self.weights(channels, channels, k, k), pads=[k // 2] * 4, kernel_shape=[k, k])[0]

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        return self.put("MatMul", x, self.weights(inputs, outputs))[0]

    def relu(self, x: str) -> str:
        return self.quantized(self.put("Relu", x)[0], signed=False)

    def write(self, folder: Path, *outputs: str) -> Path:
        """The file of the whole model."""
        results = [helper.make_tensor_value_info(t, TensorProto.FLOAT, None) for t in outputs]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, results, self.held)
        path = folder / f"{self.name}.onnx"
        opsets = [helper.make_opsetid("", 13), *(helper.make_opsetid(d, 1) for d in self.domains)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path


def residual_chain(folder: Path, blocks: int, channels: int = 8, size: int = 4) -> Path:
    """Residual blocks of two 3x3 convolutions, one behind the other."""
    m = Model(f"residual_{blocks}")
    x = m.input("x", channels, size, size)
    for _ in range(blocks):
        y = m.quantized(m.conv(m.relu(m.conv(x, channels)), channels))
        x = m.relu(m.put("Add", x, y)[0])
    return m.write(folder, x)


def conv_chain(folder: Path, layers: int, channels: int = 8, size: int = 4) -> Path:
    """3x3 convolutions, one behind the other."""
    m = Model(f"convolutions_{layers}")
    x = m.input("x", channels, size, size)
    for _ in range(layers):
        x = m.relu(m.conv(x, channels))
    return m.write(folder, x)


def lstm_step(folder: Path, units: int) -> Path:
    """One step of an LSTM whose state comes in and goes out: four gates that split one sum, two products and their sum."""
    m = Model(f"lstm_{units}")
    x, h, c = m.input("x", units), m.input("h", units), m.input("c", units)
    both = m.put("Add", m.quantized(m.dense(x, units, 4 * units)), m.quantized(m.dense(h, units, 4 * units)))[0]
    parts = m.constant(np.full(4, units, np.int64))
    i, f, g, o = m.put("Split", m.quantized(both), parts, outputs=4, axis=1)

    def gate(kind: str, t: str) -> str:
        return m.quantized(m.put(kind, t)[0], 2.0**-7)

    def product(a: str, b: str) -> str:
        return m.quantized(m.put("Mul", a, b)[0])

    kept = product(gate("Sigmoid", f), c)
    c = m.quantized(m.put("Add", kept, product(gate("Sigmoid", i), gate("Tanh", g)))[0])
    h = product(gate("Sigmoid", o), gate("Tanh", c))
    return m.write(folder, h, c)


def products(folder: Path, inputs: int) -> Path:
    """Small dense layers behind one of so many inputs (3 inputs + 34 products in all), with a sum of what they read and give."""
    m = Model(f"products_{inputs}")
    x = m.relu(m.dense(m.input("x", inputs), inputs, 3))
    x = m.quantized(m.dense(x, 3, 2))
    y = m.quantized(m.dense(m.relu(m.dense(x, 2, 7)), 7, 2))
    twice = m.put("Add", m.put("Add", x, y)[0], x)[0]
    return m.write(folder, m.dense(m.quantized(twice), 2, 2))


GROWING: dict[str, Callable[[Path, int], Path]] = {f.__name__: f for f in (residual_chain, conv_chain, lstm_step, products)}
