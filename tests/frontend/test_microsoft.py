"""ONNX Runtime's own operators, as its optimiser writes them: on codes against exact arithmetic, else against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.frontend.make import Array, check_against_onnxruntime, check_exactly, model
from tests.frontend.small import random

MS = "com.microsoft"
SCALES = {
    "as": 0.0625,
    "az": np.asarray(120, np.uint8),
    "ys": 0.25,
    "yz": np.asarray(100, np.uint8),
    "bs": 0.03125,
    "bz": np.asarray(7, np.uint8),
}


def codes(*shape: int) -> Array:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("QLinearAdd", ["x", "as", "az", "b", "bs", "bz", "ys", "yz"], {}),
        ("QLinearMul", ["x", "as", "az", "b", "bs", "bz", "ys", "yz"], {}),
        ("QLinearSigmoid", ["x", "as", "az", "bs", "bz"], {}),
        ("QLinearLeakyRelu", ["x", "as", "az", "ys", "yz"], {"alpha": 0.5}),
        ("QLinearGlobalAveragePool", ["x", "as", "az", "as", "az"], {}),
        ("QLinearAveragePool", ["x", "as", "az", "as", "az"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ],
)
def test_operators_on_codes(tmp_path: Path, op: str, inputs: list[str], attributes: dict[str, Any]) -> None:
    node = helper.make_node(op, inputs, ["y"], domain=MS, **attributes)
    held = {k: v for k, v in {**SCALES, "b": codes(1, 3, 1, 1)}.items() if k in inputs}
    kinds = {"x": TensorProto.UINT8, "y": TensorProto.UINT8}
    proto = model([node], {"x": (1, 3, 4, 4)}, ["y"], held, types=kinds, domains={MS: 1})
    check_exactly(proto, {"x": codes(1, 3, 4, 4)}, tmp_path)


def test_concatenation_of_codes(tmp_path: Path) -> None:
    node = helper.make_node("QLinearConcat", ["ys", "yz", "x", "as", "az", "v", "bs", "bz"], ["y"], domain=MS, axis=1)
    kinds = {t: TensorProto.UINT8 for t in "xvy"}
    proto = model([node], {"x": (1, 3, 2), "v": (1, 2, 2)}, ["y"], SCALES, types=kinds, domains={MS: 1})
    check_exactly(proto, {"x": codes(1, 3, 2), "v": codes(1, 2, 2)}, tmp_path)


@pytest.mark.parametrize("op", ["Gelu", "FastGelu", "QuickGelu", "BiasGelu"])
def test_gelu_forms(tmp_path: Path, op: str) -> None:
    inputs = ["x", "b"] if op in ("FastGelu", "BiasGelu") else ["x"]
    proto = model(
        [helper.make_node(op, inputs, ["y"], domain=MS)], {"x": (1, 8)}, ["y"], {"b": random(8)} if "b" in inputs else {}, domains={MS: 1}
    )
    check_against_onnxruntime(proto, {"x": 3 * random(1, 8)}, tmp_path)


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid", "Tanh"])
def test_fused_convolution(tmp_path: Path, activation: str) -> None:
    node = helper.make_node("FusedConv", ["x", "w", "b"], ["y"], domain=MS, activation=activation, pads=[1, 1, 1, 1])
    proto = model([node], {"x": (1, 2, 5, 5)}, ["y"], {"w": random(3, 2, 3, 3), "b": random(3)}, domains={MS: 1})
    check_against_onnxruntime(proto, {"x": random(1, 2, 5, 5)}, tmp_path)
