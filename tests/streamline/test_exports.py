"""What exporters write, compiled in both modes, against exact rationals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dfcompile as dfc
from dfcompile.mode.dataflow import DataflowAccelerator
from tests.exact_codes import Array, codes, exact, quantized, real
from tests.exact_oracle import run
from tests.frontend.make import model
from tests.frontend.small import quant

MS = "com.microsoft"
MODES = pytest.mark.parametrize("mode", ["dataflow", "loopback"])
X = (np.float32(0.031), np.uint8(128))
H = (np.float32(0.27), np.uint8(61))
W = (np.float32(0.017), np.int8(0))


def node(op: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    """Tensor names divided by blanks."""
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"/net/{op}_{outputs}", domain=domain, **attributes)


def compiled(proto: onnx.ModelProto, folder: Path, mode: str = "dataflow", **options: Any) -> DataflowAccelerator:
    path = folder / "exported.onnx"
    path.write_bytes(proto.SerializeToString())
    return dfc.build(path, mode=mode, **options)


def same(found: Array, want: Array) -> None:
    """Equal in float32, the host's last step; a code more or less is far from that."""
    want = np.asarray(want).astype(float)
    np.testing.assert_allclose(found, want, rtol=2e-7, atol=2e-7 * np.abs(want).max())


def params(**pairs: tuple[Any, Any]) -> dict[str, Any]:
    """xs, xz for a pair (scale, zero-point) called x."""
    return {f"{k}{end}": np.asarray(v) for k, pair in pairs.items() for end, v in zip("sz", pair, strict=True)}


@MODES
def test_operators_on_codes(tmp_path: Path, mode: str) -> None:
    w1, w2, bias, chosen = codes(np.int8, 6, 5), codes(np.int8, 3, 6, seed=2), np.arange(6) * 400 - 999, np.arange(6) % 3 > 0
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("QGemm", "q xs xz w1 ws wz bias hs hz", "a", MS, transB=1, alpha=0.75),
        node("QLinearLeakyRelu", "a hs hz hs hz", "b", MS, alpha=0.125),
        node("QLinearWhere", "chosen b hs hz five hs hz hs hz", "c", MS),
        node("QGemm", "c hs hz w2 ws wz", "y", MS, transB=1),
    ]
    held = {"w1": w1, "w2": w2, "bias": bias.astype(np.int32), "chosen": chosen, "five": np.full((1, 1), 77, np.uint8)}
    proto = model(nodes, {"x": (1, 5)}, ["y"], {**held, **params(x=X, h=H, w=W)}, domains={MS: 1})
    x = codes(np.uint8, 4, 5, seed=3)
    first = (np.dot(real(x, *X), real(w1, *W).T) + exact(bias) * exact(X[0]) * exact(W[0])) * exact(0.75)
    a = real(quantized(first, *H), *H)
    b = real(quantized(np.where(a < 0, a / 8, a), *H), *H)
    c = np.where(chosen, b, real(np.full(6, 77), *H))
    found = compiled(proto, tmp_path, mode).run(real(x, *X).astype(np.float32))
    same(found, np.dot(c, real(w2, *W).T))


def test_softmax_on_codes_is_the_hosts(tmp_path: Path) -> None:
    w, y = codes(np.int8, 5, 4), (np.float32(1 / 256), np.uint8(0))
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("QGemm", "q xs xz w ws wz  hs hz", "a", MS),
        node("QLinearSoftmax", "a hs hz ys yz", "b", MS, opset=13),
        node("DequantizeLinear", "b ys yz", "y"),
    ]
    nodes[1].input[:] = ["q", "xs", "xz", "w", "ws", "wz", "", "hs", "hz"]
    proto = model(nodes, {"x": (1, 5)}, ["y"], {"w": w, **params(x=X, h=H, w=W, y=y)}, domains={MS: 1})
    x = codes(np.uint8, 4, 5, seed=3)
    logits = real(quantized(np.dot(real(x, *X), real(w, *W)), *H), *H).astype(float)
    powers = np.exp(logits)
    want = np.clip(np.rint(powers / powers.sum(axis=1, keepdims=True) * 256), 0, 255) / 256
    np.testing.assert_array_equal(compiled(proto, tmp_path).run(real(x, *X).astype(np.float32)), want)


@MODES
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_inputs_of_integers_need_no_declared_type(tmp_path: Path, mode: str, dtype: Any) -> None:
    w, zero = codes(np.int8, 5, 4), np.asarray(7, dtype)
    nodes = [node("DequantizeLinear", "x xs xz", "r"), node("DequantizeLinear", "w ws wz", "wr"), node("MatMul", "r wr", "y")]
    kinds = {"x": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}
    proto = model(nodes, {"x": (1, 5)}, ["y"], {"w": w, **params(x=(X[0], zero), w=W)}, types=kinds, opset=21)
    x = codes(dtype, 4, 5)
    same(compiled(proto, tmp_path, mode).run(x), np.dot(real(x, X[0], zero), real(w, *W)))


def test_a_truth_value_as_input(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "v xs xz", "q"), node("DequantizeLinear", "q xs xz", "r"), node("Where", "x r five", "y")]
    proto = model(
        nodes, {"v": (1, 6), "x": (1, 6)}, ["y"], {"five": np.float32(0), **params(x=X)}, types={"x": TensorProto.BOOL}
    )  # fmt: skip
    v, chosen = codes(np.uint8, 4, 6), codes(np.uint8, 4, 6, seed=2) > 99
    found = compiled(proto, tmp_path).run({"v": real(v, *X).astype(np.float32), "x": chosen})
    same(found, np.where(chosen, real(v, *X), 0))


def test_the_example_of_an_input_type_fits_the_input(tmp_path: Path) -> None:
    real_type, whole = TensorProto.FLOAT, TensorProto.INT64
    for shape, kind, example in (((1, 3, 8, 8), real_type, "uint8:1/255"), ((1, 8), real_type, "int8:1/128"), ((1, 8), whole, "int16")):
        nodes = [node("DequantizeLinear", "w ws wz", "wr"), node("MatMul", "x wr", "y")]
        proto = model(nodes, {"x": shape}, ["y"], {"w": codes(np.int8, 8, 4), **params(w=W)}, types={"x": kind})
        path = tmp_path / "raw.onnx"
        path.write_bytes(proto.SerializeToString())
        (problem,) = dfc.check(path)
        assert problem.code == "no-input-type" and f"--input-type x={example} " in problem.help


def test_a_gate(tmp_path: Path) -> None:
    """(1 - sigmoid) * tanh of two layers of one input: the times of a stream that nothing asks for in the reduced system."""
    nodes = [node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "q xs xz", "r")]
    for name, activation in (("z", "Sigmoid"), ("n", "Tanh")):
        nodes += [node("DequantizeLinear", f"{name}w ws wz", f"{name}v"), node("MatMul", f"r {name}v", f"{name}m")]
        nodes += [node(activation, f"{name}m", f"{name}a"), node("QuantizeLinear", f"{name}a ys yz", f"{name}q")]
        nodes.append(node("DequantizeLinear", f"{name}q ys yz", f"{name}r"))
    nodes += [node("Sub", "one zr", "u"), node("Mul", "u nr", "y")]
    y, weights = (np.float32(0.00784), np.uint8(128)), {"zw": codes(np.int8, 8, 6), "nw": codes(np.int8, 8, 6, seed=2)}
    proto = model(nodes, {"x": (1, 8)}, ["y"], {**weights, "one": np.float32(1), **params(x=X, w=W, y=y)})
    x = real(codes(np.uint8, 4, 8, seed=3), *X)
    z, n = (np.dot(x, real(w, *W)).astype(float) for w in weights.values())
    gate, new = (real(quantized(exact(a), *y), *y) for a in (1 / (1 + np.exp(-z)), np.tanh(n)))
    same(compiled(proto, tmp_path).run(x.astype(np.float32)), (1 - gate) * new)


@MODES
def test_a_bit_width_for_each_channel(tmp_path: Path, mode: str) -> None:
    """Each channel's weights are clipped to its own width, as QONNX defines Quant: bounds are those of the bit width's element."""
    rng = np.random.default_rng(5)
    w, widths = rng.normal(size=(7, 9)).astype(np.float32) * 2, np.arange(2, 9, dtype=np.float32)[:, None]
    nodes = [quant("x", "q", "s", "z", "eight"), quant("w", "wq", "ws", "z", "widths"), node("Gemm", "q wq", "y", transB=1)]
    held = {"s": np.float32(0.0625), "ws": np.float32(0.125), "z": np.float32(0), "eight": np.float32(8), "widths": widths, "w": w}
    x = codes(np.int8, 5, 9)
    bounds = [(-(2 ** (int(b) - 1)), 2 ** (int(b) - 1) - 1) for b in widths.ravel()]
    weights = [[min(max(round(Fraction(float(v)) * 8), lo), hi) for v in row] for row, (lo, hi) in zip(w, bounds, strict=True)]
    assert any(min(row) == lo for row, (lo, _) in zip(weights, bounds, strict=True))
    want = np.dot(x.astype(object), np.array(weights, object).T) * Fraction(1, 128)
    same(compiled(model(nodes, {"x": (1, 9)}, ["y"], held), tmp_path, mode).simulate(x * np.float32(0.0625)), want)


AVERAGES = {
    "global": node("GlobalAveragePool", "t", "g"),
    "windows": node("AveragePool", "t", "g", kernel_shape=[2, 2], strides=[2, 2]),
    "uncounted pads": node("AveragePool", "t", "g", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "rows": node("ReduceMean", "t", "g", axes=[2], keepdims=1),
    "channels": node("ReduceMean", "t", "g", axes=[1], keepdims=1),
}


@pytest.mark.parametrize("relu", [False, True], ids=["sum", "relu of a sum"])
@pytest.mark.parametrize("name", AVERAGES)
def test_averages_of_sums_of_free_scales(name: str, relu: bool, tmp_path: Path) -> None:
    """Quantizers of two scales without a small common measure, an Add, an average, a quantizer: the sum is real until there."""
    rng = np.random.default_rng(1)
    nodes = [
        quant("x", "q", "s0"),
        quant("w", "v", "ws"),
        node("Conv", "q v", "c"),
        quant("c", "a", "s1", "z1"),
        quant("q", "d", "s2", "z2"),
        node("Add", "a d", "r" if relu else "t"),
        *([node("Relu", "r", "t")] if relu else []),
        AVERAGES[name],
        quant("g", "y", "s3"),
    ]
    scales = {"s0": 0.03, "ws": 0.02, "s1": 0.0234567, "s2": 0.0191919, "s3": 0.0123, "z": 0.0, "z1": 3.0, "z2": -5.0, "b": 8.0}
    held = {**{k: np.float32(v) for k, v in scales.items()}, "w": rng.normal(size=(3, 3, 1, 1)).astype(np.float32)}
    proto = model(nodes, {"x": (1, 3, 4, 4)}, ["y"], held)
    x = rng.integers(-128, 128, (3, 3, 4, 4)) * np.float32(0.03)
    want = run(proto, {"x": x})["y"]
    if relu and name in ("uncounted pads", "channels"):
        with pytest.raises(dfc.CompileError, match="too-wide"):
            compiled(proto, tmp_path)
        return
    for mode in ("dataflow",) if relu else ("dataflow", "loopback"):
        same(compiled(proto, tmp_path, mode).run(x.astype(np.float32)), want)


@MODES
def test_weights_of_four_bits_in_blocks(tmp_path: Path, mode: str) -> None:
    """MatMulNBits: two blocks a row, each of a free scale and a zero-point of its own; codes 0..15 packed from the low half-byte on."""
    rng = np.random.default_rng(4)
    packed, scales = rng.integers(0, 256, (3, 2, 8)).astype(np.uint8), rng.uniform(0.01, 0.1, (3, 2)).astype(np.float32)
    zeros = rng.integers(0, 256, (3, 1)).astype(np.uint8)
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("DequantizeLinear", "q xs xz", "d"),
        node("MatMulNBits", "d w s z", "m", MS, N=3, K=32, bits=4, block_size=16),
        node("QuantizeLinear", "m hs hz", "n"),
        node("DequantizeLinear", "n hs hz", "y"),
    ]
    held = {"w": packed, "s": scales.ravel(), "z": zeros.ravel(), **params(x=X, h=H)}
    x = real(codes(np.uint8, 4, 32), *X)
    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(3, 2, 16)
    origin = np.concatenate([zeros & 15, zeros >> 4], axis=1)
    weights = exact(halves.astype(int) - origin[:, :, None]) * exact(scales)[:, :, None]
    want = real(quantized(np.dot(x, weights.reshape(3, 32).T), *H), *H)
    proto = model(nodes, {"x": (1, 32)}, ["y"], held, domains={MS: 1})
    same(compiled(proto, tmp_path, mode).run(x.astype(np.float32)), want)
