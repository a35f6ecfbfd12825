"""QONNX models of well-known networks with random weights: MobileNet-v1, ResNet-50, VGG-16; and two layers with wide activations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from benchmarks.models import Model

QONNX = "qonnx.custom_op.general"


class Network(Model):
    """A model that grows layer by layer; `last` is the present tensor, of `channels` channels.

    size: rows and columns of the picture; bits: of weights and activations
    """

    def __init__(self, name: str, size: int, bits: int) -> None:
        super().__init__(name)
        self.domains = (QONNX,)
        self.bits, self.channels = bits, 3
        self.inputs.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, size, size)))
        self.last = self.quant("image", 1 / 255, 8, signed=0)

    def real(self, value: Any) -> str:
        """A float32 constant."""
        return self.constant(np.asarray(value, np.float32))

    def quant(self, source: str, scale: Any, bits: int, signed: int) -> str:
        """A QONNX quantizer without zero-point."""
        given = self.real(scale), self.real(0), self.real(bits)
        return self.put("Quant", source, *given, domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND")[0]

    def weight(self, *shape: int) -> str:
        """Normal weights, quantized with a scale for each output channel."""
        values = self.random.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        reach = np.abs(values).max(axis=tuple(range(1, len(shape))), keepdims=True)
        return self.quant(self.real(values), reach / (2 ** (self.bits - 1) - 1), self.bits, signed=1)

    def layer(self, channels: int, k: int, stride: int = 1, groups: int = 1) -> None:
        """A convolution with batch normalisation."""
        weight = self.weight(channels, self.channels // groups, k, k)
        window = {"kernel_shape": [k, k], "strides": [stride] * 2, "pads": [k // 2] * 4}
        made = self.put("Conv", self.last, weight, group=groups, **window)[0]
        drawn = [self.real(self.random.normal(at, 0.1, channels)) for at in (1, 0.3, 0)]
        self.last = self.put("BatchNormalization", made, *drawn, self.real(self.random.uniform(0.5, 1.5, channels)))[0]
        self.channels = channels

    def act(self, bits: int = 0) -> None:
        """ReLU and a quantizer."""
        bits = bits or self.bits
        self.last = self.quant(self.put("Relu", self.last)[0], 4 / 2**bits, bits, signed=0)

    def pool(self, k: int, stride: int, pad: int = 0) -> None:
        """A maximum over windows."""
        self.last = self.put("MaxPool", self.last, kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4)[0]

    def linear(self, features: int, channels: int) -> None:
        """A linear layer with a bias."""
        self.last = self.put("Gemm", self.last, self.weight(channels, features), self.real(np.zeros(channels)), transB=1)[0]
        self.channels = channels

    def head(self) -> None:
        """The mean of each channel, in 8 bits, and a linear layer."""
        mean = self.quant(self.put("GlobalAveragePool", self.last)[0], 4 / 256, 8, signed=0)
        self.last = self.put("Flatten", mean)[0]
        self.linear(self.channels, 1000)


def mobilenet_v1(folder: Path, size: int = 224, bits: int = 4) -> Path:
    """MobileNet-v1: thirteen depthwise-separable blocks."""
    net = Network("mobilenet_v1", size, bits)
    net.layer(32, 3, 2)
    net.act()
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in plan:
        net.layer(net.channels, 3, stride, net.channels)
        net.act()
        net.layer(channels, 1)
        net.act()
    net.head()
    return net.write(folder, net.last)


def resnet50(folder: Path, size: int = 224, bits: int = 4) -> Path:
    """ResNet-50: four stages of 3, 4, 6 and 3 bottleneck blocks; both operands of an addition have one scale."""
    net = Network("resnet50", size, bits)
    net.layer(64, 7, 2)
    net.act()
    net.pool(3, 2, 1)
    for stage, (channels, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(count):
            _bottleneck(net, channels, 2 if stage and not block else 1, widens=not block)
    net.head()
    return net.write(folder, net.last)


def _bottleneck(net: Network, channels: int, stride: int, widens: bool) -> None:
    start, width = net.last, net.channels
    net.layer(channels, 1)
    net.act()
    net.layer(channels, 3, stride)
    net.act()
    net.layer(4 * channels, 1)
    main = net.quant(net.last, 4 / 2**net.bits, net.bits, signed=1)
    if widens:
        net.last, net.channels = start, width
        net.layer(4 * channels, 1, stride)
        start = net.quant(net.last, 4 / 2**net.bits, net.bits, signed=1)
    net.last = net.put("Add", main, start)[0]
    net.act()


def vgg16(folder: Path, size: int = 224, bits: int = 4) -> Path:
    """VGG-16: thirteen convolutions in five stages and three linear layers."""
    net = Network("vgg16", size, bits)
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            net.layer(channels, 3)
            net.act()
        net.pool(2, 2)
    net.last = net.put("Flatten", net.last)[0]
    features = 512 * (size // 32) ** 2
    for channels in (4096, 4096):
        net.linear(features, channels)
        net.act()
        features = channels
    net.linear(features, 1000)
    return net.write(folder, net.last)


def wide_activations(folder: Path, size: int = 32, bits: int = 16) -> Path:
    """Two convolutions of 4-bit weights with activations of `bits` bits."""
    net = Network("wide_activations", size, 4)
    for channels in (16, 16):
        net.layer(channels, 3)
        net.act(bits)
    return net.write(folder, net.last)


KNOWN: dict[str, Callable[..., Path]] = {f.__name__: f for f in (mobilenet_v1, resnet50, vgg16, wide_activations)}
