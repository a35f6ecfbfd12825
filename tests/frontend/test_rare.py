"""Operators that few exporters write, each against its definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.make import graph_of, imported, model, run_graph
from tests.frontend.small import random

MS = "com.microsoft"
X, PICTURE, A, B = random(2, 5), random(1, 6, 4, 3), random(2, 3, 4), random(2, 4, 5)


def result(folder: Path, op: str, *inputs: Any, domain: str = "", **attributes: Any) -> np.ndarray[Any, Any]:
    """The output of a node whose first input is the model's; the others are constants."""
    names = ["x", *(f"c{i}" for i in range(1, len(inputs)))]
    node = helper.make_node(op, names, ["y"], domain=domain, **attributes)
    held = {n: np.asarray(v) for n, v in zip(names[1:], inputs[1:], strict=True)}
    proto = model([node], {"x": ["N", *inputs[0].shape[1:]]}, ["y"], held, opset=15, domains={domain: 1} if domain else None)
    (found,) = run_graph(graph_of(proto, folder), {"x": inputs[0]})
    return found


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def pooled(x: Any, reduce: Any) -> Any:
    """Windows of 2 x 2 with their own size as stride, channels last."""
    n, h, w, c = x.shape
    return reduce(x[:, : h // 2 * 2, : w // 2 * 2].astype(float).reshape(n, h // 2, 2, w // 2, 2, c), axis=(2, 4))


@pytest.mark.parametrize(
    ("op", "attributes", "wanted"),
    [
        ("SiLU", {}, X * sigmoid(X)),
        ("Swish", {"alpha": 0.5}, X * sigmoid(0.5 * X)),
        ("HardTanh", {}, np.clip(X, -1, 1)),
        ("Hardtanh", {"min_val": -0.25, "max_val": 0.5}, np.clip(X, -0.25, 0.5)),
        ("StopGradient", {}, X),
    ],
)
def test_functions(op: str, attributes: dict[str, float], wanted: np.ndarray[Any, Any], tmp_path: Path) -> None:
    np.testing.assert_allclose(result(tmp_path, op, X, **attributes), wanted, rtol=1e-12)


def test_cast_like(tmp_path: Path) -> None:
    np.testing.assert_array_equal(result(tmp_path, "CastLike", X * 4, np.zeros(1, np.int8)), np.trunc(X * 4))


@pytest.mark.parametrize("kind", ["Relu", "Sigmoid"])
def test_fused_gemm(kind: str, tmp_path: Path) -> None:
    w, c = random(3, 5), random(3)
    wanted = 0.5 * X.astype(float) @ w.T + c
    found = result(tmp_path, "FusedGemm", X, w, c, domain=MS, activation=kind, transB=1, alpha=0.5)
    np.testing.assert_allclose(found, np.maximum(wanted, 0) if kind == "Relu" else sigmoid(wanted), rtol=1e-12)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_fused_mat_mul(trans_a: int, trans_b: int, tmp_path: Path) -> None:
    a, b = A.swapaxes(1, 2) if trans_a else A, random(5, 4) if trans_b else random(4, 5)
    wanted = 0.25 * A.astype(float) @ (b.T if trans_b else b)
    found = result(tmp_path, "FusedMatMul", a, b, domain=MS, alpha=0.25, transA=trans_a, transB=trans_b)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_pools_with_channels_last(tmp_path: Path) -> None:
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    last = "qonnx.custom_op.channels_last"
    np.testing.assert_allclose(result(tmp_path, "MaxPoolNHWC", PICTURE, domain="finn", **window), pooled(PICTURE, np.max), rtol=1e-12)
    np.testing.assert_allclose(result(tmp_path, "AveragePool", PICTURE, domain=last, **window), pooled(PICTURE, np.mean), rtol=1e-12)


def test_size(tmp_path: Path) -> None:
    """A constant of the model: it scales what it is multiplied by."""
    size = [helper.make_node("Size", ["x"], ["n"]), helper.make_node("Cast", ["n"], ["f"], to=1)]
    nodes = [*size, helper.make_node("Mul", ["x", "f"], ["y"])]
    (found,) = run_graph(graph_of(model(nodes, {"x": [1, 5]}, ["y"]), tmp_path), {"x": X[:1]})
    np.testing.assert_allclose(found, X[:1].astype(float) * 5, rtol=1e-12)


@pytest.mark.parametrize(("op", "attributes"), [("FusedMatMul", {"transBatchA": 1}), ("QEmbedLayerNormalization", {})])
def test_what_is_refused(op: str, attributes: dict[str, int], tmp_path: Path) -> None:
    proto = model([helper.make_node(op, ["x", "w"], ["y"], domain=MS, **attributes)], {"x": [1, 4, 4]}, ["y"], {"w": B}, domains={MS: 1})
    (problem,) = imported(proto, tmp_path).problems
    assert problem.code == "unsupported-op" and problem.help
