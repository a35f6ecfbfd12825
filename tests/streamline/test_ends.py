"""Zero-points and constants that have no stream of their own, and what the host does behind the last layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import dfcompile as dfc
from tests.exact_arithmetic import conv
from tests.exact_codes import Array, codes, exact, real
from tests.frontend.make import model
from tests.streamline.test_exports import MODES, W, X, compiled, node, params, same

CHANNELS = (np.array([0.031, 0.031, 0.031], np.float32), np.array([3, 0, 200], np.uint8))


def layer(source: str = "r", **attributes: Any) -> list[onnx.NodeProto]:
    return [node("DequantizeLinear", "w ws wz", "wr"), node("Conv", f"{source} wr", "y", **attributes)]


def quantized_input(**attributes: Any) -> list[onnx.NodeProto]:
    return [node("QuantizeLinear", "x xs xz", "q", **attributes), node("DequantizeLinear", "q xs xz", "r", **attributes)]


def column(v: Any) -> Array:
    return np.asarray(v).reshape(1, -1, 1, 1)


@MODES
@pytest.mark.parametrize("by", ["layer", "pad"])
def test_zero_points_of_each_channel_before_padding(tmp_path: Path, mode: str, by: str) -> None:
    w = codes(np.int8, 2, 3, 3, 3)
    pads = {"pads": [1, 1, 1, 1]} if by == "layer" else {}
    nodes = [*quantized_input(axis=1), *([] if pads else [node("Pad", "r around", "p")]), *layer("r" if pads else "p", **pads)]
    held = {"w": w, **params(x=CHANNELS, w=W)} | ({} if pads else {"around": np.array([0, 0, 1, 1, 0, 0, 1, 1])})
    x = real(codes(np.uint8, 2, 3, 4, 4), *(column(v) for v in CHANNELS))
    want = conv(x, real(w, *W), {"pads": [1, 1, 1, 1]})
    same(compiled(model(nodes, {"x": (1, 3, 4, 4)}, ["y"], held), tmp_path, mode).run(x.astype(np.float32)), want)


@MODES
@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize("kind", ["channel", "position"])
def test_constants_beside_channels(tmp_path: Path, mode: str, on_grid: bool, kind: str) -> None:
    if kind == "position" and (not on_grid or mode == "loopback"):
        return  # refused: it has no codes, or the engine no addressing for elements one by one
    shape = (1, 2, 1, 1) if kind == "channel" else (1, 2, 4, 3)
    held = real(codes(np.uint8, *shape, seed=7), *X).astype(float)
    held = np.broadcast_to(held if on_grid else np.array([0.123, -4.5]).reshape(shape), (1, 2, 4, 3))
    nodes = [*quantized_input(), node("Concat", "r held r", "c", axis=1), *layer("c")]
    w = codes(np.int8, 2, 6, 1, 1)
    x = real(codes(np.uint8, 3, 2, 4, 3), *X)
    # the exact products of float32 numbers have more digits than float32
    stored = np.float64(held) if on_grid else np.float32(held)
    proto = model(nodes, {"x": (1, 2, 4, 3)}, ["y"], {"w": w, "held": stored, **params(x=X, w=W)})
    whole = np.concatenate([x, np.broadcast_to(exact(stored), (3, 2, 4, 3)), x], axis=1)
    same(compiled(proto, tmp_path, mode).run(x.astype(np.float32)), conv(whole, real(w, *W), {}))


@pytest.mark.parametrize("axis", [2, 3])
def test_constants_beside_rows_and_columns(tmp_path: Path, axis: int) -> None:
    shape = [1, 2, 4, 3]
    shape[axis] = 2
    held = real(codes(np.uint8, *shape, seed=7), *X)
    nodes = [*quantized_input(), node("Concat", "held r", "c", axis=axis), *layer("c")]
    w = codes(np.int8, 2, 2, 2, 2)
    x = real(codes(np.uint8, 3, 2, 4, 3), *X)
    proto = model(nodes, {"x": (1, 2, 4, 3)}, ["y"], {"w": w, "held": held.astype(float), **params(x=X, w=W)})
    whole = np.concatenate([np.broadcast_to(held, (3, *shape[1:])), x], axis=axis)
    same(compiled(proto, tmp_path).run(x.astype(np.float32)), conv(whole, real(w, *W), {}))


def test_a_constant_row_beside_the_grid_is_refused(tmp_path: Path) -> None:
    nodes = [*quantized_input(), node("Concat", "held r", "c", axis=2), *layer("c")]
    held = {"w": codes(np.int8, 2, 2, 2, 2), "held": np.full((1, 2, 1, 3), 0.123, np.float32), **params(x=X, w=W)}
    path = tmp_path / "rows.onnx"
    path.write_bytes(model(nodes, {"x": (1, 2, 4, 3)}, ["y"], held).SerializeToString())
    (problem,) = dfc.check(path)
    assert problem.code == "constant-operand" and "grid" in problem.what


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2", "ReduceSum", "ReduceMax"])
def test_norms_at_the_end(tmp_path: Path, op: str) -> None:
    nodes = [*quantized_input(), node("DequantizeLinear", "w ws wz", "wr"), node("MatMul", "r wr", "m"), node("Relu", "m", "a")]
    nodes.append(node(op, "a", "y", axes=[1], keepdims=0) if op != "ReduceSum" else node(op, "a one", "y", keepdims=0))
    w = codes(np.int8, 5, 4)
    x = real(codes(np.uint8, 3, 5), *X)
    a = np.maximum(np.dot(x, real(w, *W)), 0).astype(float)
    want = {"ReduceL1": a.sum(1), "ReduceL2": np.sqrt((a**2).sum(1)), "ReduceSum": a.sum(1), "ReduceMax": a.max(1)}[op]
    held = {"w": w, **({"one": np.array([1])} if op == "ReduceSum" else {}), **params(x=X, w=W)}
    same(compiled(model(nodes, {"x": (1, 5)}, ["y"], held), tmp_path).run(x.astype(np.float32)), want)


@MODES
def test_several_real_heads_in_one_output(tmp_path: Path, mode: str) -> None:
    nodes = [*quantized_input(), node("DequantizeLinear", "w ws wz", "wr"), node("MatMul", "r wr", "m")]
    nodes += [node("Sigmoid", "m", "a"), node("Softmax", "m", "b", axis=1), node("Tanh", "m", "c"), node("Concat", "a b c m", "d", axis=1)]
    nodes.append(node("Mul", "d d", "y"))
    w = codes(np.int8, 5, 4)
    x = real(codes(np.uint8, 3, 5), *X)
    m = np.dot(x, real(w, *W)).astype(float)
    b = np.exp(m - m.max(1, keepdims=True))
    want = np.concatenate([1 / (1 + np.exp(-m)), b / b.sum(1, keepdims=True), np.tanh(m), m], axis=1) ** 2
    proto = model(nodes, {"x": (1, 5)}, ["y"], {"w": w, **params(x=X, w=W)})
    same(compiled(proto, tmp_path, mode).run(x.astype(np.float32)), want)


def test_a_normalization_at_the_end(tmp_path: Path) -> None:
    nodes = [*quantized_input(), node("DequantizeLinear", "w ws wz", "wr"), node("MatMul", "r wr", "m")]
    nodes.append(node("LayerNormalization", "m gain", "y", epsilon=0.25))
    w, gain = codes(np.int8, 5, 4), np.array([1, 2, -0.5, 0.25], np.float32)
    x = real(codes(np.uint8, 3, 5), *X)
    m = np.dot(x, real(w, *W)).astype(float)
    want = (m - m.mean(1, keepdims=True)) / np.sqrt(m.var(1, keepdims=True) + 0.25) * gain
    proto = model(nodes, {"x": (1, 5)}, ["y"], {"w": w, "gain": gain, **params(x=X, w=W)}, opset=17)
    same(compiled(proto, tmp_path).run(x.astype(np.float32)), want)


def test_no_real_operator_before_a_layer_goes_to_the_host(tmp_path: Path) -> None:
    nodes = [*quantized_input(), *layer("r")[:1], node("Conv", "r wr", "c"), node("Sigmoid", "c", "a")]
    nodes += [node("GlobalAveragePool", "a", "d"), node("QuantizeLinear", "d xs xz", "y")]
    held = {"w": codes(np.int8, 2, 2, 2, 2), **params(x=X, w=W)}
    path = tmp_path / "inside.onnx"
    path.write_bytes(model(nodes, {"x": (1, 2, 4, 3)}, ["y"], held).SerializeToString())
    assert {p.code for p in dfc.check(path)} == {"not-quantized"}
