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
from dfcompile.streamline.weight_step import find_steps, product_by_chance
from tests.exact_codes import Array, codes, exact, real
from tests.examples import examples
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


@examples(30)
@given(st.integers(0, 10**6), st.integers(2, 3), st.sampled_from(["tensor", "channel", "gains"]))
def test_a_coincidence_is_no_proof(seed: int, count: int, kind: str) -> None:
    """Two or three sizes have a step as often as not, for a tensor, for each channel, or times a gain for each channel; none is meant."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(0.05, 1, (8 if kind == "channel" else 1, count)).astype(np.float32)
    pick = np.stack([rng.permutation(np.arange(12) % (count + 1)) for _ in range(8)])
    signs, book = rng.choice([-1, 1], count), np.concatenate([0 * sizes[:, :1], sizes], axis=1)
    gains = rng.uniform(0.5, 2, (8, 1)).astype(np.float32) if kind == "gains" else np.float32(1)
    w = book[np.arange(8)[:, None] % len(book), pick] * np.append(1, signs)[pick].astype(np.float32) * gains
    found = find_steps(w.astype(np.float64), 0)
    assert found is None or not found.is_proved


def test_channels_of_one_ratio_are_one_coincidence() -> None:
    """Two levels that happen to be near 17 : 19, times gains: each of 48 channels has that step, which tells no more than one of them."""
    rng = np.random.default_rng(3)
    levels, gains = folded(np.array([17, 19, -17, 0]), 0.0123), rng.uniform(0.5, 2, (400, 1)).astype(np.float32)
    rows = (levels * gains).astype(np.float64)[:, None]
    each = [(row, step) for row in rows if (step := find_steps(row, None)) and np.abs(step.codes).max() == 19][:48]
    found = find_steps(np.concatenate([row for row, _ in each]), 0)
    assert len(each) == 48 and found is not None and np.abs(found.codes).max() == 19
    assert not found.is_proved and found.chance == each[0][1].chance


def test_channels_of_two_weights_prove_each_other() -> None:
    n, scales = np.random.default_rng(0).integers(-127, 128, (24, 2)), np.random.default_rng(1).uniform(0.01, 1, (24, 1))
    w = folded(n, scales).astype(np.float64)
    alone, found = [find_steps(row[None], None) for row in w], find_steps(w, 0)
    assert found is not None and found.is_proved
    assert not any(a.is_proved for a in alone if a is not None and a.chance > -np.inf)


def test_products_that_are_not_rounded_need_no_proof() -> None:
    found = find_steps(np.array([[1537.0, -2049.0, 0.0]]) * 0.375, None)
    assert found is not None and found.chance == -np.inf and found.codes.tolist() == [[1537, -2049, 0]]


def test_the_chance_is_that_of_products_of_even_numbers() -> None:
    """The probability that a product of that many even numbers is smaller, against as many drawn; sizes met by chance, likewise."""
    assert product_by_chance([-5.0]) == pytest.approx(-5) and product_by_chance([]) == -np.inf and product_by_chance([0.0, 0.0]) == 0
    drawn = np.log2(np.random.default_rng(0).random((200_000, 4))).sum(axis=1)
    for count in (-3.0, -6.0, -9.0):
        assert 2 ** product_by_chance([count / 2, count / 4, count / 8, count / 8]) == pytest.approx((drawn <= count).mean(), rel=0.02)


def test_chances_are_what_pairs_of_numbers_have() -> None:
    """Of 300 pairs, as many as the bound allows, or fewer, have a step of so small a chance or a smaller one."""
    rng = np.random.default_rng(2)
    chances = [
        found.chance for _ in range(300) if (found := find_steps(rng.uniform(0.5, 1, (1, 2)).astype(np.float32).astype(float), None))
    ]
    for bound in (-1, -2, -4):
        assert np.mean(np.array(chances) <= bound) <= 2.0**bound * 1.15
    assert np.mean(np.array(chances) <= -2) > 2.0**-2 / 4


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
    assert (
        "stored real weights are float32(n * step), n of 8 bits, a step for each of 4 output channels: taken as n * step (a coincidence"
        in rows
    )


def test_what_may_be_a_coincidence_is_told(tmp_path: Path) -> None:
    """Levels as they are, and no step; exactly so where nothing is rounded behind them."""
    w = np.random.default_rng(0).choice(np.float32([-0.3713562, 0, 0.5298131]), (20, 4))
    x = codes(np.uint8, 4, 20)
    made = compiled(net(w, shape=(1, 20)), tmp_path)
    same(made.run(real(x, *X).astype(np.float32)), np.dot(real(x, *X), exact(w.astype(np.float64))))
    rows = str(dfc.explain(tmp_path / "exported.onnx"))
    assert "up to 3 levels, taken exactly as they are: a step gives them back as multiples of at most" in rows


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
