"""ONNX Runtime's own operators, as its optimiser writes them: on codes against exact arithmetic, else against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.frontend.make import Array, check_against_onnxruntime, check_exactly, graph_of, model, run_graph
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


def test_largest_of_pictures_with_channels_last(tmp_path: Path) -> None:
    node = helper.make_node("NhwcMaxPool", ["x"], ["y"], domain=MS, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1])
    proto = model([node], {"x": (1, 5, 6, 3)}, ["y"], types=dict.fromkeys("xy", TensorProto.UINT8), domains={MS: 1})
    check_against_onnxruntime(proto, {"x": codes(1, 5, 6, 3)}, tmp_path, 0)


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


@pytest.mark.parametrize(("bits", "zeros"), [(4, "none"), (4, "packed"), (4, "real"), (8, "none"), (8, "packed"), (2, "packed")])
@pytest.mark.parametrize("grouped", [False, True])
def test_weights_of_few_bits_in_blocks(tmp_path: Path, bits: int, zeros: str, grouped: bool) -> None:
    rng, n, k, block = np.random.default_rng(3), 5, 48, 16
    blocks = -(-k // block)
    held = {
        "w": rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8),
        "s": rng.uniform(0.01, 0.2, n * blocks).astype(np.float32),
        "z": rng.integers(0, 256, n * -(-blocks * bits // 8)).astype(np.uint8),
        "g": rng.permutation(np.arange(k) // block).astype(np.int32),
    }
    if zeros == "real":
        held["z"] = rng.uniform(0, 2**bits, n * blocks).astype(np.float32)
    inputs = ["x", "w", "s", "z" if zeros != "none" else "", "g" if grouped else ""]
    node = helper.make_node("MatMulNBits", inputs, ["y"], domain=MS, N=n, K=k, bits=bits, block_size=block)
    proto = model([node], {"x": (1, 3, k)}, ["y"], {t: held[t] for t in inputs[1:] if t}, domains={MS: 1})
    x = random(1, 3, k)
    (found,) = run_graph(graph_of(proto, tmp_path), {"x": x})
    weights = _by_the_byte(held, n, k, block, bits, zeros, grouped)
    np.testing.assert_allclose(found[0], x[0].astype(float) @ weights.T, rtol=1e-12, atol=1e-12)
    if not grouped:  # its kernel for group indices takes codes of 4 bits only and other zero-points
        check_against_onnxruntime(proto, {"x": x}, tmp_path, 1e-4)


def _by_the_byte(held: dict[str, Array], n: int, k: int, block: int, bits: int, zeros: str, grouped: bool) -> Array:
    """The real weights, code by code as MatMulNBits defines them."""
    blocks = k // block

    def code(data: Array, place: int) -> int:
        return int(data.ravel()[place * bits // 8]) >> (place * bits % 8) & (2**bits - 1)

    weights = np.empty((n, k))
    for i in range(n):
        for j in range(k):
            group = int(held["g"][j]) if grouped else j // block
            zero = 2.0 ** (bits - 1)
            if zeros == "packed":
                zero = code(held["z"].reshape(n, -1)[i], group)
            elif zeros == "real":
                zero = float(held["z"].reshape(n, blocks)[i, group])
            weights[i, j] = (code(held["w"][i], j) - zero) * float(held["s"].reshape(n, blocks)[i, group])
    return weights
