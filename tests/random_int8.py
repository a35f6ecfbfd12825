"""Random legal 8-bit networks as static quantizers write them: QDQ and QOperator of ONNX Runtime, quantizers before layers as TensorRT.

Scales are free, zero-points too; tensors share quantizers, or have several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.random_graph import Maker

MS = "com.microsoft"
STYLES = ("qdq", "qoperator", "tensorrt")
TYPES = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}


@dataclass(frozen=True)
class T:
    """A tensor: its real numbers, or its codes with what they mean. std: a guess at the spread of the real numbers."""

    name: str
    shape: tuple[int, ...]
    std: float
    scale: str = ""
    zero: str = ""
    number: float = 0.0  # of the scale
    positive: bool = False


class Int8Maker(Maker):
    """Grows one network in a style; layers take and give codes, in the style of TensorRT real numbers."""

    def __init__(self, seed: int, size: int) -> None:
        super().__init__(seed, size)
        self.style = self.pick(*STYLES)
        self.dtype: Any = np.int8 if self.style == "tensorrt" else self.pick(np.uint8, np.uint8, np.int8)
        self.centred = self.style == "tensorrt" or self.chance(0.2)  # zero-points are 0
        self.dequantized: dict[str, str] = {}

    # Quantizers.

    def parameters(self, std: float, positive: bool) -> tuple[str, str, float]:
        """Scale and zero-point for real numbers of a spread."""
        reach = float(std) * float(self.rng.uniform(2, 6)) + 1e-3
        low, high = np.iinfo(self.dtype).min, np.iinfo(self.dtype).max
        if self.power_of_two:
            reach = 2.0 ** np.ceil(np.log2(reach))
        if self.centred:
            zero, steps = 0, 255 if self.dtype == np.uint8 else 127
        elif positive:
            zero, steps = low, 255
        else:
            zero, steps = int(self.rng.integers(low // 2 + high // 4, high // 2 + high // 4)), 128
        number = np.float32(reach / steps)
        return self.const(number), self.const(zero, self.dtype), float(number)

    def quantize(self, x: T, like: T | None = None) -> T:
        """Codes of real numbers, by a quantizer of their own or by that of another tensor."""
        s, z, number = (like.scale, like.zero, like.number) if like else self.parameters(x.std, x.positive)
        return replace(x, name=str(self.op("QuantizeLinear", x.name, s, z)), scale=s, zero=z, number=number)

    def real(self, x: T) -> T:
        """Real numbers of codes, by one node for all that read them or by one for each."""
        if not x.scale:
            return x
        if x.name not in self.dequantized or self.chance(0.5):
            self.dequantized[x.name] = str(self.op("DequantizeLinear", x.name, x.scale, x.zero))
        return replace(x, name=self.dequantized[x.name], scale="", zero="")

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[str, str, str, Any]:
        """Stored codes, scale, zero-point and the scale's numbers: per tensor or per output channel."""
        many = shape[axis] if self.chance(0.5) else 1
        unsigned = many == 1 and self.style != "tensorrt" and self.chance(0.25)
        dtype: Any = np.uint8 if unsigned else np.int8
        centre = int(self.rng.integers(100, 150)) if unsigned else 0 if self.centred or self.chance(0.7) else int(self.rng.integers(-9, 9))
        codes = np.clip(np.rint(self.rng.normal(size=shape) * 40) + centre, np.iinfo(dtype).min, np.iinfo(dtype).max)
        scale = np.float32(self.rng.uniform(0.002, 0.02, many if many > 1 else ()))
        if self.power_of_two:
            scale = np.float32(2.0 ** np.round(np.log2(scale)))
        zero = np.full(scale.shape, centre)
        return self.const(codes, dtype), self.const(scale), self.const(zero, dtype), scale

    # Layers.

    def layer(self, x: T) -> T:
        """A convolution, plain, grouped or depthwise."""
        c, h, w = x.shape
        groups = self.pick(1, 1, c)
        oc = groups * int(self.rng.integers(1, 3)) if groups > 1 else int(self.rng.integers(1, 7))
        k = [int(self.rng.integers(1, min(4, n + 1))) for n in (h, w)]
        s = [int(self.pick(1, 1, 2)) for _ in range(2)]
        pads = [int(self.rng.integers(0, k[i % 2])) if self.chance(0.5) else 0 for i in range(4)]
        out = tuple((n + pads[i] + pads[2 + i] - k[i]) // s[i] + 1 for i, n in enumerate((h, w)))
        attributes = {"kernel_shape": k, "pads": pads, "strides": s, "group": groups}
        y = replace(x, shape=(oc, *out), std=x.std * 0.3 * float(np.sqrt(c // groups * k[0] * k[1])), positive=False)
        return self.product("Conv", x, y, self.weights((oc, c // groups, *k), 0), oc, attributes)

    def product(self, kind: str, x: T, y: T, weights: tuple[str, str, str, Any], rows: int, attributes: dict[str, Any]) -> T:
        """Convolution or matrix product in the style: y is what is known of the result."""
        w, ws, wz, numbers = weights
        codes = self.rng.integers(-500, 500, rows) if self.chance(0.6) else None
        if self.style == "qoperator":
            bias = [self.const(codes, np.int32)] if codes is not None else []
            s, z, number = self.parameters(y.std, False)
            inputs = (x.name, x.scale, x.zero, w, ws, wz)
            if kind == "Gemm":
                name = self.op("QGemm", *inputs, *(bias or [""]), s, z, domain=MS, **attributes)
            else:
                name = self.op("QLinearConv", *inputs, s, z, *bias, **attributes)
            return replace(y, name=str(name), scale=s, zero=z, number=number)
        source = self.quantized(x)
        bias = []
        if codes is not None and self.chance(0.7):
            scale = np.float32(np.float32(source.number) * numbers)
            bias = [self.op("DequantizeLinear", self.const(codes, np.int32), self.const(scale), self.const(np.zeros(scale.shape), np.int32),
                            axis=0)]  # fmt: skip
        elif codes is not None:
            bias = [self.const(codes * 0.001)]
        kernel = self.op("DequantizeLinear", w, ws, wz, axis=0)
        return replace(y, name=str(self.op(kind, self.real(source).name, kernel, *bias, **attributes)), scale="", zero="")

    def quantized(self, x: T) -> T:
        """Codes of x, shared with other readers or not."""
        if x.scale:
            return x
        key = f"codes of {x.name}"
        if key not in self.__dict__ or self.chance(0.3):
            self.__dict__[key] = self.quantize(x)
        found: T = self.__dict__[key]
        return found

    def activate(self, x: T) -> T:
        """Real numbers --> a function of them, in the QOperator style codes --> codes."""
        kind = self.pick("Relu", "Relu", "Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSwish", "none")
        if self.style == "qoperator":
            if kind not in ("LeakyRelu", "Sigmoid"):
                return x
            y = replace(x, std=0.3 if kind == "Sigmoid" else x.std, positive=kind == "Sigmoid")
            s, z, number = self.parameters(y.std, y.positive)
            extra = {"alpha": 0.1} if kind == "LeakyRelu" else {}
            name = self.op(f"QLinear{kind}", x.name, x.scale, x.zero, s, z, domain=MS, **extra)
            return replace(y, name=str(name), scale=s, zero=z, number=number)
        if self.style == "tensorrt" and self.chance(0.3):
            x = replace(x, name=self.norm(x.name, x.shape[0]), std=x.std + 1)
        if kind in ("Relu", "Sigmoid"):
            return replace(x, name=str(self.op(kind, x.name)), positive=True, std=0.3 if kind == "Sigmoid" else x.std)
        if kind == "Clip":
            top = float(self.pick(1.0, 6.0))
            return replace(x, name=str(self.op("Clip", x.name, self.const(0.0), self.const(top))), positive=True, std=min(x.std, top))
        if kind == "HardSwish":  # x * clip(x / 6 + 1 / 2, 0, 1), as opsets before 14 write it
            return replace(x, name=str(self.op("Mul", x.name, self.op("HardSigmoid", x.name, alpha=1 / 6, beta=0.5))))
        return replace(x, name=str(self.op("LeakyRelu", x.name, alpha=0.1))) if kind == "LeakyRelu" else x

    def ended(self, x: T) -> T:
        """The result of a layer: quantized, but in the style of TensorRT."""
        return x if x.scale or self.style == "tensorrt" else self.quantize(x)

    def pooled(self, x: T) -> T:
        c, h, w = x.shape
        kind = self.pick("MaxPool", "AveragePool", "GlobalAveragePool")
        k = [h, w] if kind == "GlobalAveragePool" else [int(self.rng.integers(1, min(3, n) + 1)) for n in (h, w)]
        s = [1, 1] if kind == "GlobalAveragePool" else [int(self.rng.integers(1, 3)) for _ in range(2)]
        attributes: dict[str, Any] = {} if kind == "GlobalAveragePool" else {"kernel_shape": k, "strides": s}
        y = replace(x, shape=(c, *((n - k[i]) // s[i] + 1 for i, n in enumerate((h, w)))))
        if kind == "MaxPool" and x.scale and self.chance(0.5):
            return replace(y, name=str(self.op("MaxPool", x.name, **attributes)))  # of codes
        if self.style == "qoperator" and kind != "MaxPool":
            s_, z_, number = self.parameters(y.std, y.positive)
            name = self.op(f"QLinear{kind}", x.name, x.scale, x.zero, s_, z_, domain=MS, **attributes)
            return replace(y, name=str(name), scale=s_, zero=z_, number=number)
        made = replace(y, name=str(self.op(kind, self.real(x).name, **attributes)), scale="", zero="")
        return made if not x.scale else self.quantize(made, x if self.chance(0.7) else None)

    def joined(self, a: T, b: T) -> T:
        """Sum, product or concatenation of two tensors."""
        same = a.shape == b.shape
        kind = self.pick("Add", "Add", "Add", "Mul", "Concat") if same else "Concat"
        shape = (a.shape[0] + b.shape[0], *a.shape[1:]) if kind == "Concat" else a.shape
        std = {"Add": float(np.hypot(a.std, b.std)), "Mul": a.std * b.std, "Concat": max(a.std, b.std)}[kind]
        y = T("", shape, std, positive=a.positive and b.positive)
        if self.style == "qoperator":
            s, z, number = self.parameters(std, y.positive)
            pairs = [(t.name, t.scale, t.zero) for t in (a, b)]
            if kind == "Concat":
                name = self.op("QLinearConcat", s, z, *pairs[0], *pairs[1], domain=MS, axis=1)
            else:
                name = self.op(f"QLinear{kind}", *pairs[0], *pairs[1], s, z, domain=MS)
            return replace(y, name=str(name), scale=s, zero=z, number=number)
        if self.style == "tensorrt" and (kind == "Mul" or self.chance(0.6)):
            b = self.quantized(b)
        x = [self.real(t).name for t in (a, b)]
        made = replace(y, name=str(self.op(kind, *x, axis=1) if kind == "Concat" else self.op(kind, *x)))
        return self.ended(self.activate(made) if kind == "Add" and self.chance(0.6) else made)

    def moved(self, x: T) -> T:
        """Elements moved, padded with 0 or repeated; the quantizer behind is most often that of what is moved."""
        name, shape = self.mover(self.real(x).name, x.shape)
        made = replace(x, name=name, shape=shape, scale="", zero="")
        return made if not x.scale else self.quantize(made, x if self.chance(0.8) else None)

    # The network.

    def network(self) -> tuple[Any, tuple[int, ...]]:
        """The model, and its input shape without batch."""
        first = (int(self.rng.integers(1, 5)), int(self.rng.integers(3, 7)), int(self.rng.integers(3, 7)))
        x = T("x", first, 2.0)
        typed = self.style != "tensorrt" and self.chance(0.2)
        if typed:
            s, z, number = self.parameters(2.0, False)
            x = replace(x, scale=s, zero=z, number=number)
        if self.style == "tensorrt":  # nothing but a layer reads numbers that no quantizer has seen
            x = self.activate(self.layer(x))
        alive = [x if typed else self.ended(x)]
        for _ in range(self.size):
            x = alive[-1] if self.chance(0.7) else alive[int(self.rng.integers(len(alive)))]
            kind = self.pick("layer", "layer", "layer", "pool", "join", "join", "move")
            others = [t for t in alive if t.shape[1:] == x.shape[1:]]
            if kind == "join":
                equal = [t for t in others if t.shape == x.shape]
                y = self.joined(x, self.pick(*(equal if self.chance(0.8) else others)))
            elif kind == "layer":
                y = self.ended(self.activate(self.layer(x)))
            else:
                y = self.pooled(x) if kind == "pool" else self.moved(x)
            if int(np.prod(y.shape)) <= 400:
                alive.append(y)
        x = self.head(alive[-1]) if self.chance(0.7) else alive[-1]
        x = self.real(x) if not x.scale or self.chance(0.8) else x
        return self.finished(x, first, typed), first

    def head(self, x: T) -> T:
        """Flatten and a dense layer, of real numbers or quantized again."""
        features = int(np.prod(x.shape))
        flat = replace(x, name=str(self.op("Flatten", x.name, axis=1)), shape=(features,))
        y = replace(flat, shape=(4,), std=x.std * 0.3 * float(np.sqrt(features)), positive=False)
        made = self.product("Gemm", flat, y, self.weights((4, features), 0), 4, {"transB": 1})
        return self.quantize(made) if not made.scale and self.chance(0.5) else made

    def finished(self, x: T, first: tuple[int, ...], typed: bool) -> Any:
        kinds = [TYPES[self.dtype] if is_codes else TensorProto.FLOAT for is_codes in (typed, bool(x.scale))]
        ends = [helper.make_tensor_value_info(n, k, [1, *s]) for n, k, s in zip(("x", x.name), kinds, (first, x.shape), strict=True)]
        graph = helper.make_graph(self.nodes, "random8", ends[:1], ends[1:], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(MS, 1)], ir_version=8)


def random_int8_model(seed: int, size: int) -> tuple[Any, tuple[int, ...]]:
    """A model of about `size` layers and its input shape (c, h, w)."""
    model, shape = Int8Maker(seed, size).network()
    onnx.checker.check_model(model, full_check=False)
    return model, shape
