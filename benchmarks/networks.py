"""Unit graphs in the shapes of well-known networks, with random 4-bit weights: ResNet-8, ResNet-18, ResNet-50, MobileNet, MLP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.units.add import Add
from dfcompile.units.base import Unit
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.pool import Pool
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.threshold import Threshold
from dfcompile.units.vvtu import Vvtu

Array = NDArray[Any]
WEIGHTS = IntType(4, signed=True)
CODES = IntType(4)


def steps(channels: int, lo: int, hi: int) -> Array:
    """Rising thresholds within a range."""
    rows = np.linspace(lo, hi, (1 << CODES.bits) + 1)[1:-1]
    found: Array = np.tile(rows.astype(np.int64), (channels, 1))
    return found


class Network:
    """A unit graph that grows layer by layer; `last` is the present stream."""

    def __init__(self, name: str, shape: tuple[int, int, int]) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.tensors = {"in": Tensor(shape, CODES)}
        self.last = "in"
        self.random = np.random.default_rng(0)

    @property
    def shape(self) -> tuple[int, int, int]:
        h, w, c = self.tensors[self.last].shape
        return h, w, c

    def put(self, unit: Unit, *inputs: str) -> str:
        """Append a unit that reads `inputs`, default the present stream."""
        name = f"{unit.kind}_{len(self.nodes)}"
        stream = unit.outputs[0]
        self.nodes.append(Node(name, unit, inputs or (self.last,), (f"{name}:0",), ()))
        self.tensors[f"{name}:0"] = Tensor(stream.shape, stream.dtype)
        self.last = f"{name}:0"
        return self.last

    def window(self, k: int, stride: int, pad: int, outer: bool = False) -> None:
        """Square windows."""
        dtype = self.tensors[self.last].dtype
        assert dtype
        unit = SlidingWindow(self.shape, (k, k), (stride, stride), (pad,) * 4, (1, 1), dtype, channels_outer=outer)
        self.put(unit)

    def conv(self, channels: int, k: int = 1, stride: int = 1, pad: int = 0) -> None:
        """A convolution with thresholds."""
        run = self.shape[2]
        if k > 1 or stride > 1:
            self.window(k, stride, pad)
        h, w, columns = self.shape
        weights = self.random.integers(-8, 8, (1, channels, columns), dtype=np.int8)
        reach = int(np.abs(weights).sum(axis=2, dtype=np.int64).max()) * 15
        acc = IntType.holding(-reach, reach)
        thresholds = steps(channels, -reach // 8, reach // 8)
        self.put(Mvtu(h * w, weights, CODES, WEIGHTS, CODES, acc, thresholds, None, (h, w, columns), (h, w, channels), run=run))

    def depthwise(self, stride: int = 1) -> None:
        """A 3x3 depthwise convolution with thresholds."""
        channels = self.shape[2]
        self.window(3, stride, 1, outer=True)
        h, w, _ = self.shape
        weights = self.random.integers(-8, 8, (channels, 9), dtype=np.int8)
        acc = IntType.holding(-9 * 8 * 15, 9 * 8 * 15)
        self.put(Vvtu(weights, CODES, WEIGHTS, CODES, acc, steps(channels, -300, 300), None, (h, w, channels)))

    def add(self, other: str) -> None:
        """A sum with another stream, and thresholds."""
        shape = self.shape
        self.put(Add(shape, (CODES, CODES)), self.last, other)
        self.put(Threshold(IntType(5), CODES, steps(shape[2], 0, 30), None, shape))

    def pool_all(self) -> None:
        """The sum over all positions, back in 4 bits."""
        h, w, c = self.shape
        out = IntType.holding(0, 15 * h * w)
        self.put(Pool("sum", (1, 1, c), h * w, CODES, out, channels_outer=False))
        self.put(Threshold(out, CODES, steps(c, 0, out.hi), None, (1, 1, c)))

    def graph(self) -> Graph:
        return Graph(self.name, tuple(self.nodes), self.tensors, {}, ("in",), (self.last,))


def _blocks(net: Network, channels: list[int], blocks: int) -> None:
    """Residual stages; each but the first halves the picture."""
    for stage, c in enumerate(channels):
        for block in range(blocks):
            start = net.last
            stride = 2 if stage and not block else 1
            net.conv(c, 3, stride, 1)
            net.conv(c, 3, 1, 1)
            end = net.last
            if stride > 1:
                net.last = start
                net.conv(c, 1, stride)
                start, net.last = net.last, end
            net.add(start)


def resnet8() -> Graph:
    """ResNet-8 of MLPerf Tiny: 32x32x3, three stages of one block."""
    net = Network("resnet8", (32, 32, 3))
    net.conv(16, 3, 1, 1)
    _blocks(net, [16, 32, 64], 1)
    net.pool_all()
    net.conv(10)
    return net.graph()


def resnet18() -> Graph:
    """ResNet-18: 224x224x3, four stages of two blocks."""
    net = Network("resnet18", (224, 224, 3))
    net.conv(64, 7, 2, 3)
    net.window(3, 2, 1, outer=True)
    net.put(Pool("max", (56, 56, 64), 9, CODES, CODES))
    _blocks(net, [64, 128, 256, 512], 2)
    net.pool_all()
    net.conv(1000)
    return net.graph()


def resnet50(size: int = 224) -> Graph:
    """ResNet-50: size x size x 3, four stages of 3, 4, 6 and 3 bottleneck blocks."""
    net = Network("resnet50", (size, size, 3))
    net.conv(64, 7, 2, 3)
    net.window(3, 2, 1, outer=True)
    net.put(Pool("max", (*net.shape[:2], 64), 9, CODES, CODES))
    for stage, (channels, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(count):
            start = net.last
            stride = 2 if stage and not block else 1
            net.conv(channels)
            net.conv(channels, 3, stride, 1)
            net.conv(4 * channels)
            end = net.last
            if not block:
                net.last = start
                net.conv(4 * channels, 1, stride)
                start, net.last = net.last, end
            net.add(start)
    net.pool_all()
    net.conv(1000)
    return net.graph()


def mobilenet() -> Graph:
    """MobileNet v1: 224x224x3, thirteen depthwise-separable layers."""
    net = Network("mobilenet", (224, 224, 3))
    net.conv(32, 3, 2, 1)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in plan:
        net.depthwise(stride)
        net.conv(channels)
    net.pool_all()
    net.conv(1000)
    return net.graph()


def mlp() -> Graph:
    """784-1024-1024-1024-10."""
    net = Network("mlp", (1, 1, 784))
    for channels in (1024, 1024, 1024, 10):
        net.conv(channels)
    return net.graph()


NETWORKS = {"mlp": mlp, "resnet8": resnet8, "resnet18": resnet18, "resnet50": resnet50, "mobilenet": mobilenet}
