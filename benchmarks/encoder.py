"""A transformer encoder with random weights, as QONNX: tokens, layers of attention and a perceptron with norms before each.

python -m benchmarks.encoder FILE.onnx [--layers 4] [--width 128] [--heads 4] [--tokens 64] [--bits 4]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from benchmarks.known_models import QONNX, Network
from benchmarks.models import Model


class Encoder(Network):
    """Grows layer by layer; `last` is the residual stream (1, tokens, width), quantized to 8 bits with one scale throughout."""

    def __init__(self, tokens: int, width: int, heads: int, bits: int) -> None:
        Model.__init__(self, "encoder")  # and no picture
        self.domains, self.bits = (QONNX,), bits
        self.inputs.append(helper.make_tensor_value_info("tokens", TensorProto.FLOAT, (1, tokens, width)))
        self.tokens, self.width, self.heads = tokens, width, heads
        self.last = self.quant("tokens", 1 / 32, 8, signed=1)

    def project(self, x: str, inputs: int, outputs: int) -> str:
        """A linear layer with a bias."""
        values = self.random.standard_normal((inputs, outputs), np.float32) / np.float32(np.sqrt(inputs))
        reach = np.abs(values).max(axis=0, keepdims=True)
        weight = self.quant(self.real(values), reach / (2 ** (self.bits - 1) - 1), self.bits, signed=1)
        return self.put("Add", self.put("MatMul", x, weight)[0], self.real(self.random.normal(0, 0.1, outputs)))[0]

    def norm(self) -> str:
        """LayerNormalization of the residual stream, quantized."""
        gamma, beta = (self.real(self.random.normal(at, 0.1, self.width)) for at in (1, 0))
        return self.quant(self.put("LayerNormalization", self.last, gamma, beta, axis=-1)[0], 6 / 2**self.bits, self.bits, signed=1)

    def residual(self, x: str) -> None:
        """x added to the stream: both in 8 bits of one scale, and so is the sum."""
        self.last = self.quant(self.put("Add", self.last, self.quant(x, 1 / 32, 8, signed=1))[0], 1 / 32, 8, signed=1)

    def heads_of(self, x: str, order: list[int]) -> str:
        """(1, tokens, width) as (1, heads, tokens, width / heads), or its last two axes exchanged."""
        shape = self.constant(np.array([1, self.tokens, self.heads, self.width // self.heads]))
        return self.put("Transpose", self.put("Reshape", x, shape)[0], perm=order)[0]

    def attention(self) -> None:
        """Multi-head attention of the normed stream on itself."""
        x = self.norm()
        q, k, v = (self.quant(self.project(x, self.width, self.width), 6 / 2**self.bits, self.bits, signed=1) for _ in range(3))
        scores = self.put("MatMul", self.heads_of(q, [0, 2, 1, 3]), self.heads_of(k, [0, 2, 3, 1]))[0]
        scores = self.put("Div", scores, self.real(np.sqrt(self.width // self.heads)))[0]
        shares = self.put("Softmax", self.quant(scores, 1 / 16, 8, signed=1), axis=-1)[0]
        shares = self.quant(shares, 1 / 2**self.bits, self.bits, signed=0)
        mixed = self.put("Transpose", self.put("MatMul", shares, self.heads_of(v, [0, 2, 1, 3]))[0], perm=[0, 2, 1, 3])[0]
        mixed = self.put("Reshape", mixed, self.constant(np.array([1, self.tokens, self.width])))[0]
        self.residual(self.project(self.quant(mixed, 3 / 2**self.bits, self.bits, signed=1), self.width, self.width))

    def perceptron(self) -> None:
        """Two linear layers with a ReLU, four times as wide between them."""
        inner = self.put("Relu", self.project(self.norm(), self.width, 4 * self.width))[0]
        self.residual(self.project(self.quant(inner, 4 / 2**self.bits, self.bits, signed=0), 4 * self.width, self.width))


def encoder(folder: Path, layers: int = 4, width: int = 128, heads: int = 4, tokens: int = 64, bits: int = 4) -> Path:
    """Layers of attention and a perceptron, a norm, the mean of all tokens, a linear layer of ten classes."""
    net = Encoder(tokens, width, heads, bits)
    for _ in range(layers):
        net.attention()
        net.perceptron()
    mean = net.put("ReduceMean", net.norm(), axes=[1], keepdims=0)[0]
    return net.write(folder, net.project(net.quant(mean, 1 / 16, 8, signed=1), width, 10))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    sizes: dict[str, Any] = {"layers": 4, "width": 128, "heads": 4, "tokens": 64, "bits": 4}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    made = encoder(given.file.parent, **{name: getattr(given, name) for name in sizes})
    made.replace(given.file)


if __name__ == "__main__":
    main()
