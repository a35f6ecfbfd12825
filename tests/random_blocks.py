"""Random blocks of transformers and recurrent networks as QONNX models: norms however spelled, attention, gated cells, residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.random_graph import QONNX, Maker


class Blocks(Maker):
    """Grows a model on tensors (1, tokens, width); every tensor between blocks is quantized."""

    def __init__(self, seed: int, size: int) -> None:
        super().__init__(seed, size)
        self.tokens, self.heads = int(self.rng.integers(1, 5)), int(self.rng.integers(1, 3))
        self.width = self.heads * int(self.rng.integers(1, 4))

    def quantized(self, x: str, scale: Any = None, signed: int = 1, bits: int = 0) -> str:
        """Signed or unsigned codes of 2 to 6 bits."""
        chosen = bits or int(self.rng.integers(2, 7))
        scale = self.const(self.scale() if scale is None else scale)
        given = scale, self.const(0.0), self.const(float(chosen))
        return str(self.op("Quant", x, *given, domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND"))

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A dense layer, in half of the cases with a bias."""
        w = self.const(self.rng.normal(size=(inputs, outputs)))
        y = str(self.op("MatMul", x, self.quantized(w, bits=int(self.rng.integers(2, 5)))))
        return str(self.op("Add", y, self.const(self.rng.normal(size=outputs)))) if self.chance(0.5) else y

    def root(self, squares: str) -> str:
        """Root of mean squares and epsilon."""
        return str(self.op("Sqrt", self.op("Add", squares, self.const(float(self.pick(1e-5, 1e-3, 0.5))))))

    def norm(self, x: str, _: int = 0) -> str:
        """LayerNorm or RMSNorm in some spelling, perhaps scaled and shifted, quantized."""
        gamma, beta = self.rng.normal(1, 0.6, self.width), self.rng.normal(0, 0.3, self.width)
        kind = self.pick("operator", "centred", "plain", "reciprocal")
        if kind == "operator":
            y = self.op("LayerNormalization", x, self.const(gamma), self.const(beta), axis=-1, epsilon=float(self.pick(1e-5, 0.25)))
            return self.quantized(self.activated(str(y)))
        d = str(self.op("Sub", x, self.op("ReduceMean", x, axes=[-1]))) if kind == "centred" or self.chance(0.5) else x
        root = self.root(str(self.op("ReduceMean", self.op("Mul", d, d), axes=[-1])))
        y = self.op("Div", d, root) if kind != "reciprocal" else self.op("Mul", self.op("Reciprocal", root), d)
        y = self.op("Mul", y, self.const(gamma)) if self.chance(0.7) else y
        y = self.op("Add", y, self.const(beta)) if self.chance(0.5) else y
        return self.quantized(self.activated(str(y)))

    def activated(self, x: str) -> str:
        """Perhaps a function of a norm's results, some of which rise and fall."""
        kind = self.pick("none", "none", "none", "Relu", "HardSwish", "silu", "gelu")
        if kind in ("none", "Relu", "HardSwish"):
            return x if kind == "none" else str(self.op(kind, x))
        if kind == "gelu":
            share = self.op("Add", self.op("Erf", self.op("Div", x, self.const(1.41421356))), self.const(1.0))
            return str(self.op("Mul", self.op("Mul", x, share), self.const(0.5)))
        return str(self.op("Mul", x, self.op("Sigmoid", x)))

    def heads_of(self, x: str, order: list[int]) -> str:
        shape = self.const([1, self.tokens, self.heads, self.width // self.heads], np.int64)
        return str(self.op("Transpose", self.op("Reshape", x, shape), perm=order))

    def attention(self, x: str) -> str:
        """Every head of the tokens on each other, quantized."""
        q, k, v = (self.quantized(self.linear(x, self.width, self.width)) for _ in range(3))
        scores = self.op("MatMul", self.heads_of(q, [0, 2, 1, 3]), self.heads_of(k, [0, 2, 3, 1]))
        scores = self.quantized(str(self.op("Mul", scores, self.const(0.5))), 0.25)
        if self.chance(0.4):
            scores = str(self.op("Add", scores, self.const(np.triu(np.full((self.tokens, self.tokens), -1e9), 1))))
        shares = self.quantized(str(self.op("Softmax", scores, axis=-1)), float(self.pick(1 / 16, 0.07, 0.013)), 0)
        mixed = self.op("Transpose", self.op("MatMul", shares, self.heads_of(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        mixed = str(self.op("Reshape", mixed, self.const([1, self.tokens, self.width], np.int64)))
        return self.quantized(self.linear(self.quantized(mixed), self.width, self.width))

    def gated(self, x: str) -> str:
        """(1 - z) * n + z * x, z and n of x, as in a GRU."""
        z = self.quantized(str(self.op("Sigmoid", self.quantized(self.linear(x, self.width, self.width)))), None, 0)
        n = self.quantized(str(self.op("Tanh", self.quantized(self.linear(x, self.width, self.width)))))
        new = self.op("Mul", self.op("Sub", self.const(1.0), z), n)
        return self.quantized(str(self.op("Add", new, self.op("Mul", z, x))))

    def residual(self, x: str) -> str:
        """x and a block of it, by one quantizer."""
        scale = self.scale()
        total = self.op("Add", self.quantized(x, scale), self.quantized(self.block(x), scale))
        return self.quantized(str(total), scale)

    def block(self, x: str) -> str:
        return str(self.pick(self.norm, self.attention, self.gated)(x))


def random_blocks(seed: int, size: int, kind: type[Blocks] = Blocks) -> tuple[onnx.ModelProto, tuple[int, ...]]:
    """A model of up to `size` blocks (three at most) on an input x (1, tokens, width), and the shape of x without the batch."""
    made = kind(seed, size)
    x = made.quantized("x", 0.125, bits=6)
    for _ in range(min(3, 1 + size // 3)):
        x = str(made.pick(made.residual, made.block)(x))
    y = made.linear(x, made.width, int(made.rng.integers(1, 4)))
    shape = (made.tokens, made.width)
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *shape))]
    graph = helper.make_graph(made.nodes, "blocks", info, [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], made.constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), shape
