"""Integer graphs shaped as residual networks, with random weights and thresholds."""

from __future__ import annotations

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import IntAdd, IntConv, IntPool, ThresholdCode, Window
from dfcompile.ir.types import IntType

BITS = 4


class Maker:
    """Appends nodes to a graph; every tensor gets the type and range it needs."""

    def __init__(self, size: int, channels: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.declare("x", (size, size, channels), 0, 255)

    def declare(self, name: str, shape: tuple[int, ...], lo: int, hi: int) -> None:
        c = shape[-1]
        self.tensors[name] = Tensor(shape, IntType.holding(lo, hi), np.full(c, lo, np.int64), np.full(c, hi, np.int64))

    def range(self, name: str) -> tuple[int, int]:
        t = self.tensors[name]
        assert t.lo is not None and t.hi is not None
        return int(np.min(t.lo)), int(np.max(t.hi))

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = value
        self.tensors[name] = Tensor(value.shape)
        return name

    def conv(self, x: str, oc: int, k: int, stride: int = 1, steps: bool = True) -> str:
        name = f"conv{len(self.nodes)}"
        c = self.tensors[x].channels
        weights = self.rng.integers(-7, 8, (oc, k, k, c))
        window = Window((k, k), (stride, stride), (k // 2,) * 4)
        op = IntConv(window)
        h, w, _ = self.tensors[x].shape
        top = 7 * k * k * c * max(map(abs, self.range(x)))
        self.declare(name, (*window.size(h, w), oc), -top, top)
        self.nodes.append(Node(name, op, (x, self.constant(f"{name}.w", weights)), (name,)))
        spread = 4.5 * 8 * np.sqrt(k * k * c) * (100 if self.range(x)[1] > 15 else 1)
        return self.steps(name, int(spread)) if steps else name

    def steps(self, x: str, spread: int) -> str:
        name = f"{x}.q"
        c = self.tensors[x].channels
        count = 2**BITS - 1
        thresholds = np.sort(self.rng.integers(-spread // 4, spread, (c, count)), axis=1)
        inputs = (x, self.constant(f"{name}.t", thresholds), self.constant(f"{name}.f", self.rng.random(c) < 0.2))
        self.declare(name, self.tensors[x].shape, 0, count)
        self.nodes.append(Node(name, ThresholdCode(BITS, 0), inputs, (name,)))
        return name

    def add(self, a: str, b: str) -> str:
        name = f"add{len(self.nodes)}"
        self.declare(name, self.tensors[a].shape, 0, 30)
        self.nodes.append(Node(name, IntAdd((1, 1)), (a, b), (name,)))
        return self.steps(name, 30)

    def pool(self, x: str, mode: str, k: int, stride: int, pad: int = 0) -> str:
        name = f"pool{len(self.nodes)}"
        h, w, c = self.tensors[x].shape
        window = Window((k, k), (stride, stride), (pad,) * 4)
        hi = self.range(x)[1]
        self.declare(name, (*window.size(h, w), c), 0, hi * k * k if mode == "sum" else hi)
        self.nodes.append(Node(name, IntPool(mode, window), (x,), (name,)))
        return name

    def graph(self, name: str, output: str) -> Graph:
        return Graph(name, tuple(self.nodes), self.tensors, self.constants, ("x",), (output,))


def resnet(blocks: tuple[int, ...], bottleneck: bool, size: int = 224, base: int = 64, classes: int = 1000) -> Graph:
    """ResNet of basic or bottleneck blocks, 4-bit weights and activations, 8-bit input."""
    m = Maker(size, 3)
    x = m.pool(m.conv("x", base, 7, 2), "max", 3, 2, 1)
    for stage, count in enumerate(blocks):
        width = base << stage
        out = width * 4 if bottleneck else width
        for block in range(count):
            stride = 2 if stage and not block else 1
            kernels = ((width, 1, 1), (width, 3, stride), (out, 1, 1)) if bottleneck else ((width, 3, stride), (width, 3, 1))
            y = x
            for oc, k, s in kernels:
                y = m.conv(y, oc, k, s)
            if stride > 1 or m.tensors[x].channels != out:
                x = m.conv(x, out, 1, stride)
            x = m.add(y, x)
    last = m.tensors[x].shape[0]
    x = m.conv(m.pool(x, "sum", last, 1), classes, 1, steps=False)
    return m.graph(f"resnet_{'b' if bottleneck else 'a'}{sum(blocks)}", x)
