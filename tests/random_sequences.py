"""Random networks of sequences as QONNX models: loops over time, attention with rotary positions and several masks, norms, residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.random_blocks import Blocks, random_blocks


class Sequences(Blocks):
    """Blocks of which half are loops over the tokens."""

    def state(self, x: str, scale: float, bits: int, clipped: bool) -> str:
        """Signed codes by a quantizer, or by one of 8 bits whose codes a Clip cuts."""
        if not clipped:
            return self.quantized(x, scale, bits=bits)
        step, zero = self.const(scale), self.const(0, np.int8)
        ends = (self.const(v, np.int8) for v in (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        return str(self.op("DequantizeLinear", self.op("Clip", self.op("QuantizeLinear", x, step, zero), *ends), step, zero))

    def both(self, x: str, h: str) -> str:
        """Layers of an element and of the state, added."""
        return str(self.op("Add", self.linear(x, self.width, self.width), self.linear(h, self.width, self.width)))

    def cell(self, x: str, h: str) -> str:
        """What becomes of a state, not quantized yet."""
        kind = self.pick("plain", "plain", "own", "gated", "input")
        if kind == "plain":
            return str(self.op(self.pick("Tanh", "Relu", "Sigmoid"), self.both(x, h)))
        if kind == "own":  # each number of the state by itself, some not at all
            gains = self.const(self.rng.integers(-3, 4, self.width) / 4)
            return str(self.op("Tanh", self.op("Add", self.linear(x, self.width, self.width), self.op("Mul", h, gains))))
        gate = self.linear(x, self.width, self.width) if kind == "input" else self.both(x, h)
        z = self.quantized(str(self.op("Sigmoid", self.quantized(gate))), None, 0)
        new = self.quantized(str(self.op("Tanh", self.quantized(self.both(x, h)))))
        return str(self.op("Add", self.op("Mul", self.op("Sub", self.const(1.0), z), new), self.op("Mul", z, h)))

    def loop(self, x: str) -> str:
        """A Scan over the tokens, perhaps backwards: the sequence of its states."""
        outer, self.nodes = self.nodes, []
        self.count += 1
        h, element, scale, bits = f"h{self.count}", f"x{self.count}", self.scale(), int(self.rng.integers(2, 7))
        after = self.state(self.cell(element, h), scale, bits, self.chance(0.3))
        kept = str(self.op("Identity", after))
        given, made = ([onnx.ValueInfoProto(name=n) for n in names] for names in ((h, element), (after, kept)))
        body = helper.make_graph(self.nodes, "body", given, made)
        self.nodes = outer
        first = self.const(np.full((1, self.width), self.pick(0.0, 0.0, scale)))
        back = [int(self.chance(0.2))]
        axes: dict[str, Any] = {
            "scan_input_axes": [1],
            "scan_output_axes": [1],
            "scan_input_directions": back,
            "scan_output_directions": back,
        }
        _, every = self.op("Scan", first, x, outputs=2, body=body, num_scan_inputs=1, **axes)
        return str(every)

    def turned(self, q: str) -> str:
        """Rotary positions of heads (1, heads, tokens, size), quantized."""
        size = self.width // self.heads
        angles = np.outer(np.arange(self.tokens), 0.3 ** (np.arange(size) % (size // 2)))
        cos, sin = (f(angles) if self.chance(0.5) else np.round(f(angles) * 8) / 8 for f in (np.cos, np.sin))
        lo, hi = self.op("Split", q, self.const([size // 2] * 2, np.int64), outputs=2, axis=3)
        rotated = self.op("Concat", self.op("Neg", hi), lo, axis=3)
        return self.quantized(str(self.op("Add", self.op("Mul", q, self.const(cos)), self.op("Mul", rotated, self.const(sin)))))

    def attention(self, x: str) -> str:
        """As of `Blocks`, with rotary positions where a head has two or four numbers, and up to two masks."""
        q, k, v = (self.quantized(self.linear(x, self.width, self.width)) for _ in range(3))
        q, k = (self.heads_of(t, [0, 2, 1, 3]) for t in (q, k))
        if self.width // self.heads % 2 == 0 and self.chance(0.7):
            q, k = self.turned(q), self.turned(k)
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.quantized(str(self.op("Mul", scores, self.const(0.5))), 0.25)
        if self.chance(0.5):
            scores = str(self.op("Add", scores, self.const(np.triu(np.full((self.tokens, self.tokens), -1e9), 1))))
        if self.tokens > 1 and self.chance(0.4):
            scores = str(self.op("Add", scores, self.const(np.where(np.arange(self.tokens) == self.tokens - 1, -1e4, 0))))
        shares = self.quantized(str(self.op("Softmax", scores, axis=-1)), float(self.pick(1 / 16, 0.07, 0.013)), 0)
        mixed = self.op("Transpose", self.op("MatMul", shares, self.heads_of(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        mixed = str(self.op("Reshape", mixed, self.const([1, self.tokens, self.width], np.int64)))
        return self.quantized(self.linear(self.quantized(mixed), self.width, self.width))

    def block(self, x: str) -> str:
        return str(self.pick(self.loop, self.loop, self.attention, self.norm, self.gated)(x))


def random_sequences(seed: int, size: int) -> tuple[onnx.ModelProto, tuple[int, ...]]:
    """As `random_blocks`, of such blocks."""
    return random_blocks(seed, size, Sequences)
