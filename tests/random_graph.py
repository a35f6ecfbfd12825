"""Random legal quantized networks as QONNX models: chains, forks, residuals, odd shapes, every quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


class Maker:
    """Grows one model; every choice comes from `rng`."""

    def __init__(self, seed: int, size: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.count = 0
        self.power_of_two = bool(self.rng.integers(2))
        self.size = size

    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        self.count += 1
        names = [f"t{self.count}" if outputs == 1 else f"t{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{self.count}", domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def scale(self, channels: int = 1, rank: int = 0) -> Any:
        """A scale, per channel in half of the cases where channels are given."""

        def one() -> float:
            return float(2.0 ** int(self.rng.integers(-4, 1))) if self.power_of_two else float(self.rng.uniform(0.05, 0.7))

        if channels > 1 and self.chance(0.4):
            return np.array([one() for _ in range(channels)]).reshape((-1,) + (1,) * (rank - 1))
        return one()

    # Quantizers.

    def activation(self, x: str, shape: tuple[int, ...]) -> str:
        if self.chance(0.15):
            return str(self.op("BipolarQuant", x, self.const(self.scale()), domain=QONNX))
        bits, signed = int(self.rng.integers(2, 7)), int(self.rng.integers(2))
        zero = float(self.rng.integers(0, 2**bits - 1)) if not signed and self.chance(0.3) else 0.0
        scale = self.scale()
        if self.chance(0.15) and len(shape) == 3:
            scale = np.array([self.scale() for _ in range(shape[0])]).reshape(1, -1, 1, 1)
        return str(self.op(
            "Quant", x, self.const(scale), self.const(zero), self.const(float(bits)), domain=QONNX, signed=signed,
            narrow=int(signed and self.chance(0.3)), rounding_mode=self.pick(*ROUNDINGS)))  # fmt: skip

    def weight(self, shape: tuple[int, ...]) -> str:
        w = self.const(self.rng.normal(size=shape) * 0.8)
        kind = self.rng.random()
        if kind < 0.15:
            return str(self.op("BipolarQuant", w, self.const(self.scale(shape[0], len(shape))), domain=QONNX))
        bits = int(self.rng.integers(2, 9))
        return str(self.op(
            "Quant", w, self.const(self.scale(shape[0], len(shape))), self.const(0.0), self.const(float(bits)), domain=QONNX,
            signed=1, narrow=int(self.rng.integers(2)), rounding_mode="ROUND"))  # fmt: skip

    # Elementwise.

    def norm(self, x: str, c: int) -> str:
        gain = self.rng.normal(size=c)
        gain[self.rng.random(c) < 0.15] = 0.0
        rest = [self.const(v) for v in (self.rng.normal(size=c), self.rng.normal(size=c), self.rng.uniform(0.3, 2, c))]
        return str(self.op("BatchNormalization", x, self.const(gain), *rest, epsilon=1e-5))

    def function(self, x: str, c: int) -> str:
        """A random chain of elementwise operators."""
        if self.chance(0.6):
            x = self.norm(x, c)
        kind = self.pick("Relu", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Silu", "Abs", "none", "none", "scale")
        if kind in ("Relu", "Sigmoid", "Tanh", "Abs"):
            return str(self.op(kind, x))
        if kind == "LeakyRelu":
            return str(self.op(kind, x, alpha=0.125))
        if kind == "Clip":
            return str(self.op("Clip", x, self.const(-1.0), self.const(1.0)))
        if kind == "Silu":
            return str(self.op("Mul", x, self.op("Sigmoid", x)))
        if kind == "scale":
            return str(self.op("Sub", self.const(0.5), self.op("Mul", self.const(float(self.pick(-1.5, 0.25, 3.0))), x)))
        return x

    # Layers: (tensor, (c, h, w)) -> the same.

    def conv(self, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        c, h, w = shape
        divisors = [g for g in range(1, c + 1) if c % g == 0]
        groups = self.pick(1, 1, 1, c, self.pick(*divisors))
        oc = groups * int(self.rng.integers(1, 4)) if groups > 1 else int(self.rng.integers(1, 7))
        if groups == c and self.chance(0.6):
            oc = c
        k = [int(self.rng.integers(1, min(4, n + 1))) for n in (h, w)]
        d = [int(self.pick(1, 1, 2)) for _ in range(2)]
        pads = [int(self.rng.integers(0, 3)) if self.chance(0.5) else 0 for _ in range(4)]
        s = [int(self.pick(1, 1, 2, 3)) for _ in range(2)]
        out = [(n + pads[i] + pads[2 + i] - (k[i] - 1) * d[i] - 1) // s[i] + 1 for i, n in enumerate((h, w))]
        reach = [(k[i] - 1) * d[i] + 1 for i in range(2)]
        if min(out) < 1 or any(n + pads[i] + pads[2 + i] < reach[i] for i, n in enumerate((h, w))):
            return x, shape
        if any(max(pads[i], pads[2 + i]) >= reach[i] for i in range(2)):  # some window would see no element at all
            return x, shape
        y = self.op("Conv", x, self.weight((oc, c // groups, *k)), kernel_shape=k, pads=pads, strides=s, dilations=d, group=groups)
        return str(y), (oc, *out)

    def pool(self, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        c, h, w = shape
        k = [int(self.rng.integers(1, min(3, n) + 1)) for n in (h, w)]
        s = [int(self.rng.integers(1, 3)) for _ in range(2)]
        pads = [int(self.rng.integers(0, k[i % 2])) if self.chance(0.3) else 0 for i in range(4)]
        out = [(n + pads[i] + pads[2 + i] - k[i]) // s[i] + 1 for i, n in enumerate((h, w))]
        if min(out) < 1:
            return x, shape
        kind = self.pick("MaxPool", "MaxPool", "AveragePool")
        extra = {"count_include_pad": int(self.rng.integers(2))} if kind == "AveragePool" else {}
        return str(self.op(kind, x, kernel_shape=k, strides=s, pads=pads, **extra)), (c, *out)

    def shuffle(self, x: str, shape: tuple[int, ...]) -> str:
        c, h, w = shape
        g = self.pick(*[g for g in range(1, c + 1) if c % g == 0])
        y = self.op("Reshape", x, self.const([1, g, c // g, h, w], np.int64))
        y = self.op("Transpose", y, perm=[0, 2, 1, 3, 4])
        return str(self.op("Reshape", y, self.const([1, c, h, w], np.int64)))

    def mover(self, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        c, h, w = shape
        kind = self.pick("Pad", "Slice", "Resize", "shuffle", "channels")
        if kind == "Pad":
            p = [int(self.rng.integers(0, 2)) for _ in range(4)]
            y = self.op("Pad", x, self.const([0, 0, p[0], p[1], 0, 0, p[2], p[3]], np.int64))
            return str(y), (c, h + p[0] + p[2], w + p[1] + p[3])
        if kind == "Slice" and h > 2:
            y = self.op("Slice", x, self.const([1], np.int64), self.const([h], np.int64), self.const([2], np.int64))
            return str(y), (c, h - 1, w)
        if kind == "channels" and c > 1:
            start = int(self.rng.integers(0, c - 1))
            y = self.op("Slice", x, self.const([start], np.int64), self.const([c], np.int64), self.const([1], np.int64))
            return str(y), (c - start, h, w)
        if kind == "Resize" and h * w <= 36:
            y = self.op("Resize", x, "", self.const([1, 1, 2, 2]), mode="nearest", coordinate_transformation_mode="asymmetric",
                        nearest_mode="floor")  # fmt: skip
            return str(y), (c, 2 * h, 2 * w)
        return (self.shuffle(x, shape), shape) if kind == "shuffle" else (x, shape)

    def join(self, x: str, y: str, shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        c, h, w = shape
        if shape == other and self.chance(0.6):
            return str(self.op(self.pick("Add", "Add", "Sub", "Mul"), x, y)), shape
        if shape[1:] == other[1:]:
            return str(self.op("Concat", x, y, axis=1)), (c + other[0], h, w)
        return x, shape

    def model(self) -> tuple[Any, tuple[int, ...]]:
        """The model, and its input shape without batch."""
        shape = (int(self.rng.integers(1, 5)), int(self.rng.integers(3, 8)), int(self.rng.integers(3, 8)))
        first = shape
        x = self.activation("x", shape)
        alive = [(x, shape)]
        for _ in range(self.size):
            x, shape = alive[-1] if self.chance(0.75) else alive[int(self.rng.integers(len(alive)))]
            kind = self.pick("conv", "conv", "conv", "pool", "join", "mover", "function")
            if kind == "join":
                y, other = alive[int(self.rng.integers(len(alive)))]
                x, shape = self.join(x, y, shape, other)
            elif kind != "function":
                x, shape = getattr(self, kind)(x, shape)
            if shape[0] * shape[1] * shape[2] > 600:
                continue
            x = self.activation(self.function(x, shape[0]), shape)
            alive.append((x, shape))
        x, shape = alive[-1]
        if self.chance(0.7):
            x, shape = self.head(x, shape)
        return self.finish(x, shape, first), first

    def head(self, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        features = int(np.prod(shape))
        if self.chance(0.3):
            x, features = str(self.op("GlobalAveragePool", x)), shape[0]
            if self.chance(0.5):
                x = self.activation(x, (features, 1, 1))
        x = (
            str(self.op(self.pick("Flatten", "Flatten"), x))
            if self.chance(0.5)
            else str(self.op("Reshape", x, self.const([1, features], np.int64)))
        )
        w = self.op("Transpose", self.weight((5, features)), perm=[1, 0])
        y = self.op("MatMul", x, w)
        if self.chance(0.5):
            y = self.op("Add", y, self.const(self.rng.normal(size=5)))
        return str(y), (5,)

    def finish(self, x: str, shape: tuple[int, ...], first: tuple[int, ...]) -> Any:
        graph = helper.make_graph(
            self.nodes, "random", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *first])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, *shape])], self.constants)  # fmt: skip
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def random_model(seed: int, size: int) -> tuple[Any, tuple[int, ...]]:
    """A model of about `size` layers and its input shape (c, h, w)."""
    model, shape = Maker(seed, size).model()
    onnx.checker.check_model(model, full_check=False)
    return model, shape
