"""onnxruntime's operators on codes, each alone, against their definitions in exact rationals.

Its own 8-bit kernels are no reference: on processors without VNNI their sums saturate in 16 bits.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests import exact_codes
from tests.exact_codes import Array, codes, exact, real
from tests.frontend.make import graph_of, imported, model, run_graph

MS = "com.microsoft"
A = (np.float32(0.0137), np.uint8(131))
B = (np.float32(0.0291), np.int8(-3))
Y = (np.float32(0.171), np.uint8(97))
KINDS = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8, np.dtype(bool): TensorProto.BOOL}


def quantized(x: Array) -> Array:
    return exact_codes.quantized(x, *Y)


def outputs(op: str, inputs: list[Any], folder: Path, *data: int, out: Any = TensorProto.UINT8, **attributes: Any) -> Array:
    """The imported node's result; inputs at the positions `data` are inputs of the model, None is left out."""
    names = ["" if v is None else f"t{i}" for i, v in enumerate(inputs)]
    held = {names[i]: np.asarray(v) for i, v in enumerate(inputs) if v is not None and i not in data}
    kinds = {names[i]: KINDS[inputs[i].dtype] for i in data} | {"y": out}
    proto = model(
        [helper.make_node(op, names, ["y"], domain=MS, **attributes)],
        {names[i]: inputs[i].shape for i in data}, ["y"], held, types=kinds, domains={MS: 1},
    )  # fmt: skip
    (found,) = run_graph(graph_of(proto, folder), {names[i]: inputs[i] for i in data})
    return found


@pytest.mark.parametrize("bias", ["none", "vector", "matrix", "scalar"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("is_real", [False, True])
def test_qgemm(tmp_path: Path, bias: str, per_channel: bool, transposed: bool, alpha: float, is_real: bool) -> None:
    a, b = codes(np.uint8, 1, 7), codes(np.int8, 7, 4)
    scale = np.linspace(0.01, 0.05, 4).astype(np.float32) if per_channel else B[0]
    zero = np.array([-3, 0, 5, 1], np.int8) if per_channel else B[1]
    c = {"none": None, "vector": np.arange(-2, 2) * 999, "matrix": np.arange(-2, 2)[None] * 777, "scalar": np.array(-1234)}[bias]
    c = None if c is None else c.astype(np.int32)
    factor = exact(np.float32(alpha))
    want = np.dot(real(a, *A), real(b, scale, zero)) * factor
    if c is not None:
        want = want + exact(c) * exact(A[0]) * exact(scale) * factor
    inputs = [a, *A, b.T if transposed else b, scale, zero, c, *(() if is_real else Y)]
    kind = TensorProto.FLOAT if is_real else TensorProto.UINT8
    found = outputs("QGemm", inputs, tmp_path, 0, out=kind, transB=int(transposed), alpha=alpha)
    np.testing.assert_allclose(found, want.astype(float) if is_real else quantized(want), rtol=1e-13 if is_real else 0)


def test_qgemm_with_the_first_matrix_transposed(tmp_path: Path) -> None:
    a, b = codes(np.uint8, 1, 1), codes(np.int8, 1, 3)
    found = outputs("QGemm", [a, *A, b, *B, None, *Y], tmp_path, 0, transA=1)
    np.testing.assert_array_equal(found, quantized(np.dot(real(a.T, *A), real(b, *B))))


def test_matmul_integer_to_float(tmp_path: Path) -> None:
    a, b, bias = codes(np.uint8, 1, 5, 6), codes(np.int8, 6, 3), np.array([0.5, -1.25, 3], np.float32)
    scale, zero = np.array([0.01, 0.02, 0.03], np.float32), np.array([1, 0, -4], np.int8)
    found = outputs("MatMulIntegerToFloat", [a, b, A[0], scale, A[1], zero, bias], tmp_path, 0, out=TensorProto.FLOAT)
    want = np.dot(real(a, *A)[0], real(b, scale, zero)) + exact(bias)
    np.testing.assert_allclose(found[0], want.astype(float), rtol=1e-13)


@pytest.mark.parametrize(("opset", "axis", "rows"), [(13, -1, (6, 4)), (13, 1, (6, 4)), (11, 1, (1, 24))])
def test_qlinear_softmax(tmp_path: Path, opset: int, axis: int, rows: tuple[int, int]) -> None:
    x = codes(np.uint8, 1, 6, 4)
    found = outputs("QLinearSoftmax", [x, *A, np.float32(1 / 256), np.uint8(0)], tmp_path, 0, opset=opset, axis=axis)
    parts = (x[0].T if (opset, axis) == (13, 1) else x).reshape(rows if axis < 0 or opset < 13 else (4, 6))
    want = []
    for part in real(parts, *A):
        powers = [math.exp(v) for v in part]
        want.append([round(p / sum(powers) * 256) for p in powers])
    wanted = np.clip(np.array(want, float), 0, 255)
    np.testing.assert_array_equal(found[0], wanted.T if (opset, axis) == (13, 1) else wanted.reshape(6, 4))


@pytest.mark.parametrize(("axes", "keep"), [([2, 3], 0), ([2, 3], 1), ([1], 1), ([-1], 0)])
def test_qlinear_reduce_mean(tmp_path: Path, axes: list[int], keep: int) -> None:
    x = codes(np.int8, 1, 3, 4, 5)
    found = outputs("QLinearReduceMean", [x, A[0], np.int8(4), *Y], tmp_path, 0, axes=axes, keepdims=keep)
    values = real(x, A[0], np.int8(4))
    count = math.prod(x.shape[a] for a in axes)
    np.testing.assert_array_equal(found, quantized(values.sum(axis=tuple(axes), keepdims=bool(keep)) / count))


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 1), (1, 1, 4)])
def test_qlinear_where(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x, y = codes(np.uint8, 1, 3, 4), codes(np.uint8, 1, 3, 4, seed=2)
    chosen = np.random.default_rng(3).random(shape) < 0.5
    want = quantized(np.where(chosen, real(x, *A), real(y, B[0], np.uint8(9))))
    for data in ((1,), (4,), (1, 4)):
        found = outputs("QLinearWhere", [chosen, x, *A, y, B[0], np.uint8(9), *Y], tmp_path, *data)
        np.testing.assert_array_equal(found, want)


def test_qlinear_where_by_a_computed_condition(tmp_path: Path) -> None:
    x, y = codes(np.uint8, 1, 3, 4), codes(np.uint8, 1, 3, 4, seed=2)
    chosen = np.random.default_rng(3).random((1, 3, 4)) < 0.5
    found = outputs("QLinearWhere", [chosen, x, *A, y, B[0], np.uint8(9), *Y], tmp_path, 0, 1, 4)
    np.testing.assert_array_equal(found, quantized(np.where(chosen, real(x, *A), real(y, B[0], np.uint8(9)))))


def test_qlinear_concat_with_a_constant(tmp_path: Path) -> None:
    x, held = codes(np.uint8, 1, 3, 2), codes(np.int8, 1, 2, 2)
    found = outputs("QLinearConcat", [*Y, held, *B, x, *A], tmp_path, 5, axis=1)
    np.testing.assert_array_equal(found, quantized(np.concatenate([real(held, *B), real(x, *A)], axis=1)))


def test_pictures_with_channels_last(tmp_path: Path) -> None:
    x, w = codes(np.uint8, 1, 4, 5, 3), codes(np.int8, 2, 3, 1, 1)
    found = outputs("QLinearConv", [x, *A, w, *B, *Y], tmp_path, 0, channels_last=1)
    np.testing.assert_array_equal(found, quantized(np.dot(real(x, *A), real(w, *B)[:, :, 0, 0].T)))
    found = outputs("QLinearGlobalAveragePool", [x, *A, *Y], tmp_path, 0, channels_last=1)
    np.testing.assert_array_equal(found, quantized(real(x, *A).sum(axis=(1, 2), keepdims=True) / 20))
    found = outputs("QLinearAveragePool", [x, *A, *Y], tmp_path, 0, channels_last=1, kernel_shape=[2, 5])
    windows = np.stack([real(x, *A)[:, i : i + 2].sum(axis=(1, 2), keepdims=True)[:, 0] for i in range(3)], axis=1)
    np.testing.assert_array_equal(found, quantized(windows / 10))


@pytest.mark.parametrize("op", ["DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "QMoE"])
def test_what_finds_its_scale_at_run_time_is_refused_for_that(tmp_path: Path, op: str) -> None:
    node = helper.make_node(op, ["x", "w"], ["y"], domain=MS)
    proto = model([node], {"x": (1, 4)}, ["y"], {"w": codes(np.int8, 4, 4)}, domains={MS: 1})
    (problem,) = imported(proto, tmp_path).problems
    assert problem.code == "unsupported-op" and "run time" in problem.why + problem.what
