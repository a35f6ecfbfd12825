"""Integers behind stored real weights: what was folded is found again, and nothing is found that is not there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.streamline.weight_step import find_steps
from tests.exact_codes import Array, codes, exact, real
from tests.frontend.make import model
from tests.frontend.small import constants, quant
from tests.streamline.test_exports import MODES, W, X, compiled, node, params, same


def folded(n: Array, scale: Any) -> Array:
    """What a runtime makes of codes in float32."""
    return (n.astype(np.float32) * np.asarray(scale, np.float32)).astype(np.float32)


def rounds_to(n: int, step: float, w: float) -> bool:
    """Whether float32(n * step) is w, by the definition of rounding to the nearest, halves to even."""
    product = Fraction(n) * Fraction(step)
    near = [float(v) for v in (np.nextafter(np.float32(w), np.float32(e)) for e in (-np.inf, np.inf))]
    gaps = [abs(product - Fraction(v)) for v in near]
    own = abs(product - Fraction(w))
    return own < min(gaps) or (own == min(gaps) and np.float32(w).view(np.uint32) % 2 == 0)


@given(st.integers(2, 9), st.integers(0, 10**6), st.floats(2.0**-20, 2.0**6, width=32), st.integers(2, 60))
def test_a_folded_step_is_found_again(bits: int, seed: int, scale: float, count: int) -> None:
    n = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (count, 3))
    w = folded(n, scale).astype(np.float64)
    found = find_steps(w, None)
    assert found is not None
    assert np.abs(found.codes).max() <= np.abs(n).max()
    assert all(rounds_to(int(a), float(found.step), float(b)) for a, b in zip(found.codes.ravel(), w.ravel(), strict=True))


@given(st.integers(0, 10**6), st.integers(8, 40))
def test_no_step_is_found_in_real_numbers(seed: int, count: int) -> None:
    assert find_steps(np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32).astype(np.float64), 0) is None


def test_one_number_beside_the_grid_is_enough_to_refuse() -> None:
    n = np.arange(-127, 128).reshape(1, -1)
    w = folded(n, 0.0123).astype(np.float64)
    assert find_steps(w, None) is not None
    w[0, 40] = np.nextafter(np.float32(w[0, 40]), np.float32(1))
    assert find_steps(w, None) is None


def test_a_step_for_each_channel_where_one_does_not_serve() -> None:
    n = codes(np.int8, 5, 40)
    scales = np.array([0.011, 0.0071, 0.3, 1.7e-5, 0.09], np.float32)[:, None]
    found = find_steps(folded(n, scales).astype(np.float64), 0)
    assert found is not None and found.step.shape == (5, 1)
    np.testing.assert_array_equal(folded(found.codes, found.step.astype(np.float32)), folded(n, scales))
    assert find_steps(folded(n, scales).astype(np.float64), None) is None


def test_the_numbers_of_a_sample_do_not_decide_for_all() -> None:
    n = np.zeros(2**17 + 2, np.int64)
    n[[0, 2, 3, 5]] = 4, 100, 3, 1  # every second one is looked at first
    w = folded(n, 0.0123).astype(np.float64).reshape(2, -1)
    found = find_steps(w, None)
    assert found is not None
    np.testing.assert_array_equal(folded(found.codes, np.float32(found.step)), w.astype(np.float32))


def net(w: Any, layer: str = "MatMul", shape: tuple[int, ...] = (1, 5), **attributes: Any) -> onnx.ModelProto:
    """x quantized, one layer of stored real weights, with real outputs."""
    nodes = [node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "q xs xz", "r"), node(layer, "r w", "y", **attributes)]
    return model(nodes, {"x": shape}, ["y"], {"w": w, **params(x=X)}, opset=21)


@MODES
def test_folded_weights_are_compiled_as_their_integers(tmp_path: Path, mode: str) -> None:
    n, scales = codes(np.int8, 5, 4), np.array([0.011, 0.0071, 0.3, 0.09], np.float32)
    x = codes(np.uint8, 4, 5)
    made = compiled(net(folded(n, scales)), tmp_path, mode)
    same(made.run(real(x, *X).astype(np.float32)), np.dot(real(x, *X), real(n, scales, 0)))
    rows = str(dfc.explain(tmp_path / "exported.onnx"))
    assert "stored real weights are float32(n * step), n of 8 bits, a step for each of 4 output channels: taken as n * step" in rows


@pytest.mark.parametrize(("layer", "shape"), [("Conv", (3, 2, 2, 2)), ("ConvTranspose", (2, 3, 2, 2))])
def test_folded_kernels(tmp_path: Path, layer: str, shape: tuple[int, ...]) -> None:
    n = codes(np.int8, *shape)
    axis = 0 if layer == "Conv" else 1
    scales = np.array([0.011, 0.0071, 0.3], np.float32).reshape([3 if i == axis else 1 for i in range(4)])
    x = codes(np.uint8, 2, 2, 2, 2)
    made = compiled(net(folded(n, scales), layer, (1, 2, 2, 2)), tmp_path).run(real(x, *X).astype(np.float32))
    weights = real(n, scales, 0)
    if layer == "Conv":
        want = np.einsum("nchw,ochw->no", real(x, *X), weights, optimize=False)[:, :, None, None]
    else:
        want = np.full((2, 3, 3, 3), 0, object)
        for y, z, k, m in np.ndindex(2, 2, 2, 2):
            want[:, :, y + k, z + m] += np.dot(real(x, *X)[:, :, y, z], weights[:, :, k, m])
    same(made, want)


def test_weights_in_blocks_along_the_contracted_axis(tmp_path: Path) -> None:
    n, scale = codes(np.int8, 6, 3) // 16, np.array([[0.011, 0.3, 0.07], [0.0071, 0.31, 0.011]], np.float32)
    zero = np.array([[0, -3, 1], [2, 0, 0]], np.int8)
    blocks = node("DequantizeLinear", "n s z", "w", axis=0, block_size=3)
    proto = net(np.float32(0), shape=(1, 6))
    del proto.graph.initializer[0]
    proto.graph.node.insert(0, blocks)
    proto.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in (("n", n), ("s", scale), ("z", zero)))
    x = codes(np.uint8, 4, 6)
    weights = (exact(n) - exact(zero.repeat(3, 0))) * exact(scale.repeat(3, 0))
    same(compiled(proto, tmp_path).run(real(x, *X).astype(np.float32)), np.dot(real(x, *X), weights))


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2", "bfloat16", "float4_e2m1fn"])
def test_weights_of_narrow_floats(tmp_path: Path, kind: str) -> None:
    w = np.random.default_rng(4).normal(size=(5, 3)).astype(getattr(ml_dtypes, kind))
    proto = net(w)
    if kind == "bfloat16":
        proto.graph.node.insert(0, node("Cast", "b", "w", to=TensorProto.FLOAT))
        scale = exact(1)
    else:
        proto.graph.node.insert(0, node("DequantizeLinear", "b ws", "w"))
        proto.graph.initializer.append(numpy_helper.from_array(W[0], "ws"))
        scale = exact(W[0])
    proto.graph.initializer[0].name = "b"
    x = codes(np.uint8, 4, 5)
    same(compiled(proto, tmp_path).run(real(x, *X).astype(np.float32)), np.dot(real(x, *X), exact(w.astype(np.float64)) * scale))


@MODES
@pytest.mark.parametrize("rounding", ["ROUND", "FLOOR"])
def test_widths_of_each_channel(tmp_path: Path, mode: str, rounding: str) -> None:
    rng, widths, ends = np.random.default_rng(6), np.array([[2], [3], [5], [4]], np.float32), np.array([[1.0, 4, 2, 3, 6]], np.float32)
    w = (rng.normal(size=(4, 5)) * 2).astype(np.float32)
    nodes = [
        quant("x", "q", bits="ends", signed=0, rounding_mode=rounding),
        quant("w", "wq", bits="widths", narrow=1, rounding_mode=rounding),
        helper.make_node("Gemm", ["q", "wq"], ["y"], transB=1),
    ]
    proto = model(nodes, {"x": (1, 5)}, ["y"], constants(w=w, widths=widths, ends=ends))
    x = (rng.normal(size=(6, 5)) * 4).astype(np.float32)

    def clipped(v: Array, low: Any, high: Any) -> Array:
        whole = {"ROUND": np.rint, "FLOOR": np.floor}[rounding]
        return np.asarray(whole(np.clip(v.astype(np.float64) / 0.25, low, high)) * 0.25)

    want = clipped(x, 0, 2**ends - 1) @ clipped(w, -(2 ** (widths - 1)) + 1, 2 ** (widths - 1) - 1).T
    same(compiled(proto, tmp_path, mode).run(x), want)
