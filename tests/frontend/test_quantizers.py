"""QONNX and FINN operators against qonnx's own functions, on grids full of ties; QDQ and integer operators against exact arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.multithreshold import multithreshold
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from dfcompile.ir.modelop import ROUNDINGS, Quantize, quantize_weight
from tests.frontend.make import Array, check_against_onnxruntime, check_exactly, graph_of, model, run_graph
from tests.frontend.small import QONNX, random

GRID = np.arange(-80, 81).reshape(1, 7, 23) / 16.0  # every quarter of a step of 0.25
NARROW = pytest.mark.parametrize("narrow", [0, 1])


def quantized(tmp_path: Path, op: str, params: list[Any], x: Array = GRID, **attributes: Any) -> Array:
    names = [f"p{i}" for i in range(len(params))]
    node = helper.make_node(op, ["x", *names], ["y"], domain=attributes.pop("domain", QONNX), **attributes)
    proto = model([node], {"x": x.shape}, ["y"], dict(zip(names, params, strict=True)))
    return run_graph(graph_of(proto, tmp_path), {"x": x})[0]


@NARROW
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("rounding", [*ROUNDINGS, "HALF_EVEN", "half_up"])
@pytest.mark.parametrize("zero", [0.0, 3.0, -1.0])
def test_quant_equals_qonnx(tmp_path: Path, rounding: str, signed: int, narrow: int, zero: float) -> None:
    y = quantized(tmp_path, "Quant", [0.25, zero, 3.0], signed=signed, narrow=narrow, rounding_mode=rounding)
    np.testing.assert_array_equal(y, int_quant(GRID, np.array(0.25), np.array(zero), np.array(3.0), signed, narrow, rounding))


@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
@pytest.mark.parametrize("domain", ["", "onnx.brevitas", "finn.custom_op.general", "some.thing"])
def test_quant_defaults_in_any_domain(tmp_path: Path, op: str, domain: str) -> None:
    y = quantized(tmp_path, op, [np.array([0.5], np.float32), np.asarray(0), np.asarray(4)], domain=domain)
    np.testing.assert_array_equal(y, int_quant(GRID, 0.5, 0, np.array(4), 1, 0, "ROUND"))


@pytest.mark.parametrize("zero", [0.0, 0.5, -2.0])
def test_one_signed_bit_is_bipolar(tmp_path: Path, zero: float) -> None:
    y = quantized(tmp_path, "Quant", [0.5, zero, 1.0], signed=1, narrow=1)
    np.testing.assert_array_equal(y, int_quant(GRID, np.array(0.5), np.array(zero), np.array(1.0), 1, 1, "ROUND"))


def test_one_unsigned_bit_is_zero_or_one(tmp_path: Path) -> None:
    assert set(np.unique(quantized(tmp_path, "Quant", [0.5, 0.0, 1.0], signed=0))) == {0.0, 0.5}


def test_bipolar_quant_equals_qonnx(tmp_path: Path) -> None:
    y = quantized(tmp_path, "BipolarQuant", [0.75])
    np.testing.assert_array_equal(y, binary_quant(GRID, np.array(0.75)))
    assert y[GRID == 0] == 0.75


@pytest.mark.parametrize("shape", [(7, 1), (1, 7, 1), (1, 1, 23), (1, 1, 1)])
def test_quant_per_channel(tmp_path: Path, shape: tuple[int, ...]) -> None:
    scale = np.exp2(np.arange(np.prod(shape)) % 4 - 2).astype(np.float32).reshape(shape)
    y = quantized(tmp_path, "Quant", [scale, 0.0, 4.0])
    np.testing.assert_array_equal(y, int_quant(GRID, scale, 0.0, np.array(4.0), 1, 0, "ROUND"))


@NARROW
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
def test_trunc_2_equals_qonnx(tmp_path: Path, rounding: str, signed: int, narrow: int) -> None:
    params = [0.25, 2.0, 8.0, 1.0, 4.0]
    y = quantized(tmp_path, "Trunc", [*params], signed=signed, narrow=narrow, rounding_mode=rounding)
    s, z, bits_in, s_out, bits = map(np.array, params)
    np.testing.assert_array_equal(y, trunc_v2(GRID, s, z, bits_in, narrow, signed, s_out, bits, rounding))


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
def test_trunc_1_equals_qonnx(tmp_path: Path, rounding: str) -> None:
    y = quantized(tmp_path, "Trunc", [0.25, 0.0, 6.0, 4.0], rounding_mode=rounding)
    np.testing.assert_array_equal(y, trunc_v1(GRID, 0.25, 0.0, 6.0, 4.0, rounding))


@pytest.mark.parametrize(
    ("layout", "shape"), [("NCHW", (1, 3, 4, 5)), ("NHWC", (1, 4, 5, 3)), ("NC", (1, 3)), ("", (1, 5, 3)), ("NCW", (1, 3, 5))]
)
@pytest.mark.parametrize("shared", [False, True])
def test_multi_threshold_equals_qonnx(tmp_path: Path, layout: str, shape: tuple[int, ...], shared: bool) -> None:
    x = np.round(random(*shape) * 4).astype(np.float64)
    thresholds = np.sort(np.round(random(1 if shared else 3, 7) * 4), axis=1)
    attributes = {"data_layout": layout} if layout else {}
    y = quantized(tmp_path, "MultiThreshold", [thresholds], x, out_scale=0.5, out_bias=-2.0, domain="finn.custom_op.general", **attributes)
    last = layout in ("NHWC", "")
    moved = np.moveaxis(x, -1, 1) if last else x
    reference = multithreshold(moved, thresholds, 0.5, -2.0)
    np.testing.assert_array_equal(y, np.moveaxis(reference, 1, -1) if last else reference)


def test_quant_avg_pool(tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(0, 16, (1, 2, 7, 7)).astype(np.float64)
    y = quantized(tmp_path, "QuantAvgPool2d", [], x, kernel=7, stride=7, ibits=4, obits=4, signed=0)
    np.testing.assert_array_equal(y[:, :, 0, 0], np.floor(x.sum((2, 3)) / 64))  # 15 * 49 has 10 bits


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "BatchNormalization"])
def test_channels_last_domain(tmp_path: Path, op: str) -> None:
    x = random(1, 6, 5, 4).astype(np.float64)
    params: dict[str, list[Array]] = {
        "Conv": [random(3, 4, 3, 2)],
        "MaxPool": [],
        "BatchNormalization": [random(4), random(4), random(4), np.abs(random(4)) + 1],
    }
    attributes: dict[str, Any] = {"Conv": {"pads": [1, 0, 1, 1]}, "MaxPool": {"kernel_shape": [2, 2]}, "BatchNormalization": {}}[op]
    names = [f"p{i}" for i in range(len(params[op]))]
    first = model(
        [helper.make_node(op, ["x", *names], ["y"], **attributes)], {"x": (1, 4, 6, 5)}, ["y"], dict(zip(names, params[op], strict=True))
    )
    held = [np.moveaxis(p, 1, -1) if op == "Conv" else p for p in params[op]]
    node = helper.make_node(op, ["x", *names], ["y"], domain="qonnx.custom_op.channels_last", **attributes)
    last = model([node], {"x": x.shape}, ["y"], dict(zip(names, held, strict=True)))
    expected = run_graph(graph_of(first, tmp_path), {"x": np.moveaxis(x, -1, 1)})[0]
    np.testing.assert_allclose(run_graph(graph_of(last, tmp_path), {"x": x})[0], np.moveaxis(expected, 1, -1), rtol=1e-12)


def test_stored_weights_are_rounded_in_float32(tmp_path: Path) -> None:
    scale = np.float32(0.1)
    w = np.asarray([0.35, 0.25], np.float32)  # a little less than 3.5 and 2.5 steps; float32 says 3.5 and 2.5
    proto = model(
        [helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], domain=QONNX), helper.make_node("Add", ["x", "wq"], ["y"])],
        {"x": (1, 2)},
        ["y"],
        {"w": w, "s": scale, "z": 0.0, "b": 4.0},
    )
    graph = graph_of(proto, tmp_path)
    (op,) = (n.op for n in graph.nodes if isinstance(n.op, Quantize))
    assert op.weight
    y = run_graph(graph, {"x": np.zeros((1, 2))})[0]
    np.testing.assert_array_equal(y[0], np.rint(w / scale).astype(np.float64) * np.float64(scale))
    exact = Quantize(op.lo, op.hi).execute(w.astype(np.float64), np.float64(scale), np.float64(0))[0]
    assert (quantize_weight(op, w.astype(np.float64), np.asarray(scale, np.float64), np.zeros(())) != exact).any()


TYPES = {
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "uint16": TensorProto.UINT16,
    "int16": TensorProto.INT16,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
}


@pytest.mark.parametrize("elem", TYPES)
@pytest.mark.parametrize("axis", [None, 1, -1])
def test_quantize_linear_is_exact(tmp_path: Path, elem: str, axis: int | None) -> None:
    shape = (1, 4, 6)
    count = 1 if axis is None else shape[axis]
    scale = (np.exp2(np.arange(count) % 3 - 3)).astype(np.float32).reshape(() if axis is None else (count,))
    zero = helper.make_tensor("z", TYPES[elem], scale.shape, [i % 4 for i in range(count)])
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1 if axis is None else axis),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=1 if axis is None else axis),
    ]
    x = (np.arange(24).reshape(shape) - 12) / np.float32(16)
    check_exactly(model(nodes, {"x": shape}, ["y"], {"s": scale, "z": zero}, 21), {"x": x.astype(np.float32)}, tmp_path)


def test_quantize_linear_without_zero_point(tmp_path: Path) -> None:
    nodes = [helper.make_node("QuantizeLinear", ["x", "s"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s"], ["y"])]
    x = (np.arange(24).reshape(1, 24) - 12) / np.float32(16)
    check_exactly(model(nodes, {"x": (1, 24)}, ["y"], {"s": 0.125}), {"x": x.astype(np.float32)}, tmp_path)


def test_blocked_weights(tmp_path: Path) -> None:
    w = helper.make_tensor("w", TensorProto.INT4, (6, 4), [i % 16 - 8 for i in range(24)])
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=0, block_size=3), helper.make_node("MatMul", ["x", "d"], ["y"])]
    proto = model(nodes, {"x": (1, 6)}, ["y"], {"w": w, "s": np.abs(random(2, 4)) + np.float32(0.1)}, 21)
    check_against_onnxruntime(proto, {"x": random(1, 6)}, tmp_path)


def integers(low: int, high: int, *shape: int, dtype: Any = np.int8) -> Array:
    return np.random.default_rng(5).integers(low, high + 1, shape).astype(dtype)


@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv(tmp_path: Path, per_channel: bool) -> None:
    scale = np.asarray([0.01, 0.02, 0.005], np.float32) if per_channel else np.asarray(0.01, np.float32)
    zero = np.zeros(3, np.int8) if per_channel else np.asarray(0, np.int8)
    held = {
        "xs": 0.05,
        "xz": np.asarray(128, np.uint8),
        "w": integers(-127, 127, 3, 2, 3, 3),
        "ws": scale,
        "wz": zero,
        "ys": 0.25,
        "yz": np.asarray(100, np.uint8),
        "b": integers(-500, 500, 3, dtype=np.int32),
    }
    node = helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2])
    proto = model([node], {"x": (1, 2, 6, 6)}, ["y"], held, types={"x": TensorProto.UINT8, "y": TensorProto.UINT8})
    check_exactly(proto, {"x": integers(0, 255, 1, 2, 6, 6, dtype=np.uint8)}, tmp_path)


def test_qlinear_matmul(tmp_path: Path) -> None:
    held = {
        "as": 0.05,
        "az": np.asarray(3, np.int8),
        "b": integers(-127, 127, 8, 4),
        "bs": np.asarray([0.01, 0.02, 0.03, 0.04], np.float32),
        "bz": np.asarray([0, 1, 2, 3], np.int8),
        "ys": 0.125,
        "yz": np.asarray(-7, np.int8),
    }
    node = helper.make_node("QLinearMatMul", ["x", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"])
    proto = model([node], {"x": (1, 8)}, ["y"], held, types={"x": TensorProto.INT8, "y": TensorProto.INT8})
    check_exactly(proto, {"x": integers(-128, 127, 1, 8)}, tmp_path)


def test_conv_integer(tmp_path: Path) -> None:
    held = {"w": integers(0, 255, 3, 2, 3, 3, dtype=np.uint8), "xz": np.asarray(120, np.uint8), "wz": np.asarray(130, np.uint8)}
    node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], pads=[1, 0, 0, 1])
    proto = model([node], {"x": (1, 2, 6, 6)}, ["y"], held, types={"x": TensorProto.UINT8, "y": TensorProto.INT32})
    check_exactly(proto, {"x": integers(0, 255, 1, 2, 6, 6, dtype=np.uint8)}, tmp_path)


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_matmul_integer(tmp_path: Path, zeros: int) -> None:
    held = {"b": integers(0, 255, 8, 4, dtype=np.uint8), "az": np.asarray(120, np.uint8), "bz": np.asarray([130, 0, 1, 255], np.uint8)}
    node = helper.make_node("MatMulInteger", ["x", "b", "az", "bz"][: 2 + zeros], ["y"])
    proto = model([node], {"x": (1, 8)}, ["y"], held, types={"x": TensorProto.UINT8, "y": TensorProto.INT32})
    check_exactly(proto, {"x": integers(0, 255, 1, 8, dtype=np.uint8)}, tmp_path)
