"""An executor of ONNX models in exact rational arithmetic, independent of the compiler: the reference of random graphs.

Tensors are numpy object arrays of Fraction, so no rounding error can decide a tie. Roots are taken to 60 digits;
transcendental functions through float64, where no tie can fall but at exact values that float64 keeps.
"""

from __future__ import annotations

import math
import operator
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests import integer_oracle
from tests.exact_arithmetic import conv, each, rational, rounded, windows

getcontext().prec = 60


def quant(node: Any, a: dict[str, Any], x: Any, scale: Any, zero: Any, bits: Any, stored: Any) -> Any:
    signed, narrow = a.get("signed", 1), a.get("narrow", 0)
    n = int(bits.ravel()[0])
    mode = a.get("rounding_mode", "ROUND").upper()
    if n == 1 and signed:
        return each(lambda v: Fraction(1 if v >= 0 else -1), x) * scale
    lo, hi = (-(2 ** (n - 1)) + narrow, 2 ** (n - 1) - 1) if signed else (0, 2**n - 1 - narrow)
    if stored is not None:  # a weight: its integers are found in float32, as the exporting runtime does
        weight, s, z = stored
        steps = (weight / s + z).astype(np.float32)
        codes = each(lambda v: rounded(min(max(Fraction(float(v)), Fraction(lo)), Fraction(hi)), mode), steps)
    else:
        codes = each(lambda v: rounded(min(max(v, Fraction(lo)), Fraction(hi)), mode), x / scale + zero)
    return (codes - zero) * scale


def batch_norm(x: Any, s: Any, b: Any, m: Any, v: Any, eps: float) -> Any:
    shape = (1, -1) + (1,) * (x.ndim - 2)

    def root(f: Fraction) -> Fraction:
        return Fraction((Decimal(f.numerator) / Decimal(f.denominator)).sqrt())

    scale = s / each(lambda q: root(q + Fraction(float(np.float32(eps)))), v)
    return (x - m.reshape(shape)) * scale.reshape(shape) + b.reshape(shape)


def by_float(function: Any) -> Any:
    return lambda x: each(lambda v: Fraction(float(function(float(v)))), x)


UNARY = {
    "Relu": lambda x, a: each(lambda v: max(v, Fraction(0)), x),
    "LeakyRelu": lambda x, a: each(lambda v: v if v >= 0 else v * Fraction(float(a.get("alpha", 0.01))), x),
    "HardSigmoid": lambda x, a: each(lambda v: min(max(v * Fraction(a.get("alpha", 0.2)) + Fraction(a.get("beta", 0.5)), 0), 1), x),
    "Sigmoid": lambda x, a: by_float(lambda v: 1 / (1 + math.exp(-v)) if v > -700 else 0.0)(x),
    "Tanh": lambda x, a: by_float(math.tanh)(x),
    "Erf": lambda x, a: by_float(math.erf)(x),
    "HardSwish": lambda x, a: each(lambda v: v * min(max(v / 6 + Fraction(1, 2), Fraction(0)), Fraction(1)), x),
    "Abs": lambda x, a: each(abs, x),
    "Neg": lambda x, a: -x,
    "Identity": lambda x, a: x,
}


REDUCTIONS: dict[str, Any] = {"ReduceMax": np.max, "ReduceMin": np.min, "ReduceSum": np.sum, "ReduceMean": np.sum}


def reduced(op: str, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    total = REDUCTIONS[op](x, axis=axes, keepdims=keepdims)
    return total / Fraction(math.prod(x.shape[i] for i in axes)) if op == "ReduceMean" else total


def blocks(apart: bool, x: Any, k: int, mode: str) -> Any:
    n, c, h, w = x.shape
    if not apart:
        return x.reshape(n, c, h // k, k, w // k, k).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * k * k, h // k, w // k)
    if mode == "DCR":
        return x.reshape(n, k, k, -1, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, -1, h * k, w * k)
    return x.reshape(n, -1, k, k, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * k, w * k)


def padded(x: Any, pads: Any, value: Any) -> Any:
    """pads: (begin or end, axis); negative ones cut."""
    x = x[tuple(slice(max(-b, 0), n - max(-e, 0)) for b, e, n in zip(*pads, x.shape, strict=True))]
    return np.pad(x, np.maximum(pads, 0).T.tolist(), constant_values=value)


def gemm(a: dict[str, Any], x: Any, w: Any, c: Any = None) -> Any:
    y = np.dot(x.T if a.get("transA") else x, w.T if a.get("transB") else w) * Fraction(float(a.get("alpha", 1.0)))
    return y if c is None else y + c * Fraction(float(a.get("beta", 1.0)))


def pooled(op: str, x: Any, a: dict[str, Any]) -> Any:
    """Largest element or mean of each window; one axis as two."""
    if x.ndim == 3:
        return pooled(op, x[:, :, None], {k: [1, *a[k]] for k in ("kernel_shape", "strides")})[:, :, 0]
    kernel, strides, pads = a["kernel_shape"], a.get("strides", [1, 1]), a.get("pads", [0] * 4)
    edge = Fraction(-(10**9)) if op == "MaxPool" else Fraction(0)
    v = windows(x.astype(object), kernel, strides, pads, a.get("dilations", [1, 1]), edge)
    v = v.reshape(*v.shape[:4], -1)
    if op == "MaxPool":
        return v.max(axis=-1)
    ones = windows(np.full(x.shape, Fraction(1), object), kernel, strides, pads, [1, 1], Fraction(0))
    return v.sum(axis=-1) / (math.prod(kernel) if a.get("count_include_pad") else ones.reshape(v.shape).sum(axis=-1))


def compared(holds: Any) -> Any:
    return lambda a, x, y: each(lambda v, w: Fraction(int(holds(v, w))), x, y)


CHOICES: dict[str, Any] = {
    "Greater": compared(operator.gt),
    "GreaterOrEqual": compared(operator.ge),
    "Less": compared(operator.lt),
    "LessOrEqual": compared(operator.le),
    "Where": lambda a, c, x, y: each(lambda holds, v, w: v if holds else w, c, x, y),
    "Gather": lambda a, x, places: np.take(x, places.astype(np.int64), axis=a.get("axis", 0)),
    "Sqrt": lambda a, x: each(root, x),
    "Reciprocal": lambda a, x: each(lambda v: 1 / v, x),
    "LayerNormalization": lambda a, *given: layer_norm(a, *given),
    "Softmax": lambda a, x: softmax(x),
}


def root(v: Fraction) -> Fraction:
    """To 60 digits; exact for squares of rationals."""
    n, d = math.isqrt(v.numerator), math.isqrt(v.denominator)
    return (
        Fraction(n, d)
        if n * n == v.numerator and d * d == v.denominator
        else Fraction((Decimal(v.numerator) / Decimal(v.denominator)).sqrt())
    )


def layer_norm(a: dict[str, Any], x: Any, gamma: Any, beta: Any) -> Any:
    """Over the last axis."""
    d = x - x.sum(axis=-1, keepdims=True) / Fraction(x.shape[-1])
    spread = (d * d).sum(axis=-1, keepdims=True) / Fraction(x.shape[-1]) + Fraction(float(np.float32(a.get("epsilon", 1e-5))))
    return d / each(root, spread) * gamma + beta


def softmax(x: Any) -> Any:
    """Over the last axis; shares that are simple fractions but for the last digits are these."""
    powers = each(lambda v: Fraction((Decimal(v.numerator) / Decimal(v.denominator)).exp()), x - x.max(axis=-1, keepdims=True))

    def simple(v: Fraction) -> Fraction:
        near = v.limit_denominator(1000)
        return near if abs(v - near) < Fraction(1, 10**40) else v

    return each(simple, powers / powers.sum(axis=-1, keepdims=True))


def run_node(n: Any, a: dict[str, Any], ins: list[Any], stored: Any) -> Any:
    x, op = ins[0], n.op_type
    if op in integer_oracle.OPERATORS:
        return integer_oracle.OPERATORS[op](a, *ins)
    if op in UNARY:
        return UNARY[op](x, a)
    if op == "Quant":
        return quant(n, a, *ins[:4], stored)
    if op == "BipolarQuant":
        return each(lambda v: Fraction(1 if v >= 0 else -1), x) * ins[1]
    if op == "Conv":
        y = conv(x, ins[1], a)
        return y + ins[2].reshape(1, -1, *(1,) * (y.ndim - 2)) if len(ins) > 2 else y
    if op == "MatMul":
        return np.matmul(x, ins[1])
    if op == "Gemm":
        return gemm(a, *ins)
    if op == "BatchNormalization":
        return batch_norm(*ins[:5], a.get("epsilon", 1e-5))
    if op in ("Add", "Sub", "Mul", "Div"):
        return {"Add": x.__add__, "Sub": x.__sub__, "Mul": x.__mul__, "Div": x.__truediv__}[op](ins[1])
    if op == "PRelu":
        return each(lambda v, slope: v if v >= 0 else v * slope, x, ins[1])
    if op in ("Min", "Max"):
        return each(min if op == "Min" else max, x, ins[1])
    if op in CHOICES:
        return CHOICES[op](a, *ins)
    if op == "Clip":
        return each(lambda v: min(max(v, ins[1].item()), ins[2].item()), x)
    if op in ("MaxPool", "AveragePool"):
        return pooled(op, x, a)
    if op == "GlobalAveragePool":
        return x.sum(axis=(2, 3), keepdims=True) / Fraction(x.shape[2] * x.shape[3])
    if op == "Concat":
        return np.concatenate(ins, axis=a["axis"])
    if op == "Reshape":
        return x.reshape([int(v) for v in ins[1]])
    if op == "Unsqueeze":
        return np.expand_dims(x, tuple(int(v) for v in ins[1]))
    if op == "Flatten":
        return x.reshape(len(x), -1)
    if op == "Transpose":
        return x.transpose(a["perm"])
    if op in ("DepthToSpace", "SpaceToDepth"):
        return blocks(op == "DepthToSpace", x, a["blocksize"], a.get("mode", "DCR"))
    if op == "Pad":
        return padded(x, np.array([int(v) for v in ins[1]]).reshape(2, -1), ins[2].item() if len(ins) > 2 else Fraction(0))
    if op == "Slice":
        cut = [slice(None)] * x.ndim
        steps = ins[4].tolist() if len(ins) > 4 else [1] * len(ins[1])
        for s, e, axis, step in zip(*(i.tolist() for i in ins[1:4]), steps, strict=True):
            cut[axis] = slice(s, e, step)
        return x[tuple(cut)]
    if op == "Resize":
        for axis, factor in enumerate(ins[2]):
            x = x.repeat(int(factor), axis=axis)
        return x
    if op in REDUCTIONS:
        return reduced(op, x, tuple(a["axes"]), bool(a.get("keepdims", 1)))
    raise NotImplementedError(op)


def scanned(a: dict[str, Any], ins: list[Any], outer: dict[str, Any]) -> list[Any]:
    """Results of a Scan: its body for each element of the sequences. outer: what the body may read from outside."""
    k, body = a["num_scan_inputs"], a["body"]
    states, sequences, names = ins[:-k], ins[-k:], [i.name for i in body.input]
    steps = [np.moveaxis(x, axis, 0) for x, axis in zip(sequences, a.get("scan_input_axes", [0] * k), strict=True)]
    steps = [x[::-1] if back else x for x, back in zip(steps, a.get("scan_input_directions", [0] * k), strict=True)]
    collected = []
    for elements in zip(*steps, strict=True):
        env = tensors_of(body, {**outer, **dict(zip(names, [*states, *elements], strict=True))})
        made = [env[o.name] for o in body.output]
        states = made[: len(states)]
        collected.append(made[len(states) :])
    every = list(zip(*collected, strict=True))
    count = len(every)
    turned = [x[::-1] if back else x for x, back in zip(every, a.get("scan_output_directions", [0] * count), strict=True)]
    return [*states, *(np.stack(x, axis) for x, axis in zip(turned, a.get("scan_output_axes", [0] * count), strict=True))]


def run_tensors(model: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    """Every tensor of a ModelProto, its real numbers as Fraction, for feeds of float32 numbers or of Fraction."""
    return tensors_of(model.graph, feeds)


def tensors_of(graph: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    """`run_tensors` of a graph; feeds may hold what a body reads from outside."""
    raw = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    env = {k: rational(v) for k, v in {**raw, **feeds}.items()}
    for n in graph.node:
        a = {t.name: onnx.helper.get_attribute_value(t) for t in n.attribute}
        a = {k: v.decode() if isinstance(v, bytes) else v for k, v in a.items()}
        ins = [env[i] if i else None for i in n.input]
        stored = tuple(raw[i] for i in n.input[:3]) if n.op_type == "Quant" and n.input[0] in raw else None
        if n.op_type == "Scan":
            env.update(zip(n.output, scanned(a, ins, env), strict=True))
            continue
        if n.op_type == "Split":
            cuts = np.cumsum(ins[1])[:-1]
            env.update(zip(n.output, np.split(ins[0], cuts, axis=a["axis"]), strict=True))
            continue
        env[n.output[0]] = run_node(n, a, ins, stored)
    return env


def run(model: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    """Outputs (float64 of the exact results) of a ModelProto, as `run_tensors`."""
    env = run_tensors(model, feeds)
    return {o.name: np.vectorize(float, otypes=[np.float64])(env[o.name]) for o in model.graph.output}
