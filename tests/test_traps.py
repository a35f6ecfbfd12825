"""Legal models that other tools get wrong, get stuck on or crash on: each is exact here, or refused in the error form.

The reference is exact rational arithmetic (`tests.exact_oracle`), or ONNX Runtime for the operators it does not know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.errors import CompileError
from tests import exact_oracle
from tests.frontend.make import run_onnx
from tests.random_graph import QONNX, ROUNDINGS, Maker


class Model(Maker):
    """A model written by hand: `q` quantizes a tensor, `w` makes quantized weights."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def q(self, x: str, scale: Any = 0.5, bits: int = 4, signed: int = 1, zero: float = 0.0, narrow: int = 0, mode: str = "ROUND") -> str:
        names = self.const(scale), self.const(zero), self.const(float(bits))
        return str(self.op("Quant", x, *names, domain=QONNX, signed=signed, narrow=narrow, rounding_mode=mode))

    def w(self, values: Any, scale: Any = 1.0, bits: int = 4, narrow: int = 0) -> str:
        return self.q(self.const(values), scale, bits, 1, 0.0, narrow)

    def bn(self, x: str, gain: Any, bias: Any, mean: Any, var: Any) -> str:
        return str(self.op("BatchNormalization", x, *(self.const(v) for v in (gain, bias, mean, var)), epsilon=1e-5))

    def save(self, path: Path, out: str, shape: tuple[int | str, ...], opset: int = 13, outputs: tuple[str, ...] = ()) -> Path:
        graph = helper.make_graph(
            self.nodes, "trap", [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in (outputs or (out,))], self.constants)  # fmt: skip
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path


def frames(shape: tuple[int, ...], n: int = 3, size: float = 3.0) -> np.ndarray:
    """Random frames on a grid of quarters, where ties are common."""
    rng = np.random.default_rng(7)
    return (np.round(rng.normal(size=(n, *shape)) * size * 4) / 4).astype(np.float32)


def exact(tmp_path: Path, m: Model, out: str, shape: tuple[int, ...], x: np.ndarray | None = None, **options: Any) -> np.ndarray:
    """Compile, run, and hold equal to exact arithmetic; the outputs."""
    x = frames(shape) if x is None else x
    path = m.save(tmp_path / "trap.onnx", out, (1, *shape))
    made = dfc.build(path, **options).run(x)
    model = onnx.load(path)
    wanted = np.concatenate([next(iter(exact_oracle.run(model, {"x": f[None]}).values())) for f in x])
    np.testing.assert_allclose(made.reshape(wanted.shape), wanted.astype(np.float32), rtol=1e-6, atol=0)
    return np.asarray(made)


def like_runtime(tmp_path: Path, path: Path, x: np.ndarray, **options: Any) -> None:
    """Compile, run, and hold equal to ONNX Runtime in float32."""
    made = dfc.build(path, **options).run(x)
    model = onnx.load(path)
    wanted = np.concatenate([run_onnx(model, {"x": f[None]})[0] for f in x])
    np.testing.assert_allclose(made.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_every_rounding_mode_is_honoured(mode: str, tmp_path: Path) -> None:
    m = Model()
    y = m.q(m.op("MatMul", m.q("x", 0.25, 6), m.w(np.eye(4), 1.0, 2)), 0.5, 4, mode=mode)
    grid = (np.arange(64).reshape(16, 4) - 32).astype(np.float32) / 4
    exact(tmp_path, m, y, (4,), grid)


def test_half_to_even_ties_alternate(tmp_path: Path) -> None:
    m = Model()
    y = m.q(m.op("MatMul", m.q("x", 0.5, 6), m.w(np.eye(2), 1.0, 2)), 1.0, 4)
    made = exact(tmp_path, m, y, (2,), np.array([[0.5, 1.5], [2.5, -0.5], [-1.5, -2.5]], np.float32))
    np.testing.assert_array_equal(made, [[0, 2], [2, 0], [-2, -2]])


@pytest.mark.parametrize("gain", [0.0, -0.0])
def test_batch_norm_with_scale_zero(gain: float, tmp_path: Path) -> None:
    m = Model()
    h = m.op("MatMul", m.q("x"), m.w(np.ones((4, 3))))
    y = m.q(m.bn(h, [gain, gain, 1.0], [0.5, 1.5, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]), 0.5, 3, mode="HALF_UP")
    exact(tmp_path, m, y, (4,))


def test_negative_batch_norm_with_the_most_negative_weight(tmp_path: Path) -> None:
    m = Model()
    weights = np.random.default_rng(1).integers(-8, 8, (5, 2, 3, 3)).astype(float)
    weights[0, 0, 0, 0] = -8
    h = m.op("Conv", m.q("x"), m.w(weights), kernel_shape=[3, 3])
    y = m.q(m.bn(h, [-1.0, -0.3, 0.7, -2.0, 1.0], np.arange(5), np.arange(5) - 2.0, np.ones(5)), 4.0, 4)
    exact(tmp_path, m, y, (2, 6, 5))


def test_negative_batch_norm_behind_a_residual_add(tmp_path: Path) -> None:
    m = Model()
    a = m.q("x")
    b = m.q(m.op("Conv", a, m.w(np.ones((2, 2, 1, 1))), kernel_shape=[1, 1]))
    y = m.q(m.bn(m.op("Add", a, b), [-1.5, 0.5], [0.1, -0.2], [0.3, 0.0], [1.0, 2.0]), 0.25, 5)
    exact(tmp_path, m, y, (2, 4, 4))


def test_residual_add_keeps_the_bias_of_each_channel(tmp_path: Path) -> None:
    m = Model()
    a = m.q("x")
    left = m.op(
        "Add", m.op("Conv", a, m.w(np.ones((3, 2, 1, 1))), kernel_shape=[1, 1]), m.const(np.reshape([1.0, -2.0, 5.0], (1, 3, 1, 1)))
    )
    right = m.op(
        "Add", m.op("Conv", a, m.w(-np.ones((3, 2, 1, 1))), kernel_shape=[1, 1]), m.const(np.reshape([10.0, 20.0, -30.0], (1, 3, 1, 1)))
    )
    y = m.op("Conv", m.q(m.op("Add", left, right), 1.0, 8), m.w(np.ones((1, 3, 1, 1))), kernel_shape=[1, 1])
    exact(tmp_path, m, str(y), (2, 3, 3))


@pytest.mark.parametrize("kind", ["Add", "Concat"])
def test_operands_transposed_differently(kind: str, tmp_path: Path) -> None:
    m = Model()
    a, b = m.q("x"), m.q(m.op("Mul", "x", m.const(0.5)))
    left, right = m.op("Transpose", a, perm=[0, 2, 1, 3]), m.op("Transpose", b, perm=[0, 3, 2, 1])
    y = m.op(kind, left, right, **({"axis": 1} if kind == "Concat" else {}))
    exact(tmp_path, m, str(y), (3, 3, 3))


@pytest.mark.parametrize("pads", [[1, 1, 0, 0], [0, 2, 1, 0], [2, 0, 0, 1]])
def test_padding_that_differs_by_side(pads: list[int], tmp_path: Path) -> None:
    m = Model()
    weights = np.random.default_rng(2).integers(-4, 4, (3, 2, 3, 3)).astype(float)
    y = m.op("Conv", m.q("x"), m.w(weights), kernel_shape=[3, 3], pads=pads)
    exact(tmp_path, m, str(y), (2, 5, 4))


def test_a_product_that_forks_reaches_both_readers(tmp_path: Path) -> None:
    m = Model()
    h = m.op("MatMul", m.q("x"), m.w(np.random.default_rng(3).integers(-4, 4, (4, 4)).astype(float)))
    y = m.op("Add", m.q(h, 0.5, 4), m.q(m.op("MatMul", m.q(h, 1.0, 3), m.w(np.eye(4))), 0.5, 6))
    exact(tmp_path, m, str(y), (4,))


def test_a_norm_without_a_quantizer_is_refused_and_keeps_nothing_half_done(tmp_path: Path) -> None:
    m = Model()
    y = m.op("LayerNormalization", m.q("x"), m.const(np.ones(4)), m.const(np.arange(4)), axis=-1)
    path = m.save(tmp_path / "m.onnx", str(m.op("MatMul", y, m.w(np.eye(4)))), (1, 4), opset=17)
    with pytest.raises(CompileError) as refused:
        dfc.build(path)
    assert "LayerNormalization" in str(refused.value)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_softmax_at_the_end_is_over_its_own_axis(axis: int, tmp_path: Path) -> None:
    m = Model()
    y = m.op(
        "Softmax",
        m.op("DequantizeLinear", m.op("QuantizeLinear", "x", m.const(0.25), m.const(0, np.int8)), m.const(0.25), m.const(0, np.int8)),
        axis=axis,
    )
    like_runtime(tmp_path, m.save(tmp_path / "m.onnx", str(y), (1, 3, 2, 4)), frames((3, 2, 4)))


def test_bipolar_quantizers_only(tmp_path: Path) -> None:
    m = Model()
    weights = m.op("BipolarQuant", m.const(np.random.default_rng(4).normal(size=(6, 5))), m.const(0.5), domain=QONNX)
    h = m.op("BipolarQuant", m.op("MatMul", m.op("BipolarQuant", "x", m.const(1.0), domain=QONNX), weights), m.const(0.25), domain=QONNX)
    exact(tmp_path, m, str(h), (6,))


def test_zero_padded_convolution_of_bipolar_activations(tmp_path: Path) -> None:
    m = Model()
    weights = m.op("BipolarQuant", m.const(np.random.default_rng(5).normal(size=(4, 3, 3, 3))), m.const(1.0), domain=QONNX)
    y = m.op("Conv", m.op("BipolarQuant", "x", m.const(1.0), domain=QONNX), weights, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    exact(tmp_path, m, str(y), (3, 4, 5))


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "zero", "relu"),
    [
        (3, 0, 0, 0.0, False),
        (4, 1, 1, 0.0, True),
        (4, 1, 0, 0.0, True),
        (10, 1, 0, 0.0, False),
        (12, 0, 0, 0.0, True),
        (5, 0, 0, 7.0, False),
        (6, 1, 0, -5.0, False),
    ],
)
def test_every_form_of_activation_quantizer(bits: int, signed: int, narrow: int, zero: float, relu: bool, tmp_path: Path) -> None:
    m = Model()
    h = m.op("Conv", m.q("x"), m.w(np.random.default_rng(6).integers(-4, 4, (3, 2, 3, 3)).astype(float)), kernel_shape=[3, 3])
    h = m.op("Relu", h) if relu else h
    h = m.q(h, 0.25, bits, signed, zero, narrow)
    y = m.op("Conv", h, m.w(np.ones((2, 3, 3, 3))), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    exact(tmp_path, m, str(y), (2, 5, 5))


def test_weights_of_minus_one_and_zero(tmp_path: Path) -> None:
    m = Model()
    exact(tmp_path, m, str(m.op("MatMul", m.q("x"), m.w([[-1, 0], [0, -1], [-1, -1], [0, 0]]))), (4,))


def test_thresholds_beyond_the_integers_of_float32(tmp_path: Path) -> None:
    m = Model()
    h = m.op("MatMul", m.q("x", 2.0**-10, 16), m.w(np.full((64, 2), 127.0), 1.0, 8))
    y = m.q(m.op("Add", h, m.const(np.float32([2.0**-10, 0.0]))), 4096.0, 4)
    rng = np.random.default_rng(8)
    x = (rng.integers(-(2**15), 2**15, (16, 64)) / 2**10).astype(np.float32)
    x[8:] = 2.0**15 / 2**10 * (-1) ** np.arange(8)[:, None]
    exact(tmp_path, m, y, (64,), x)


@pytest.mark.parametrize(("groups", "multiplier"), [(2, 1), (3, 2), (6, 1), (6, 2), (1, 1)])
def test_grouped_convolutions_and_depth_multipliers(groups: int, multiplier: int, tmp_path: Path) -> None:
    m = Model()
    weights = np.random.default_rng(9).integers(-4, 4, (6 * multiplier, 6 // groups, 2, 2)).astype(float)
    y = m.op("Conv", m.q("x"), m.w(weights), kernel_shape=[2, 2], group=groups, strides=[2, 1])
    exact(tmp_path, m, str(m.q(str(y), 2.0, 5)), (6, 5, 4))


def test_convolution_with_every_attribute_left_out(tmp_path: Path) -> None:
    m = Model()
    exact(tmp_path, m, str(m.op("Conv", m.q("x"), m.w(np.ones((2, 3, 2, 3))))), (3, 4, 5))


def test_model_with_a_batch_of_four(tmp_path: Path) -> None:
    m = Model()
    h = m.op("Reshape", m.q("x"), m.const([4, 12], np.int64))
    y = m.op("MatMul", h, m.w(np.arange(24).reshape(12, 2) % 7 - 3))
    path = m.save(tmp_path / "m.onnx", str(y), (4, 3, 2, 2))
    x = frames((3, 2, 2), 4)
    wanted = next(iter(exact_oracle.run(onnx.load(path), {"x": x}).values()))
    np.testing.assert_array_equal(dfc.build(path).run(x), wanted)


def test_one_dimensional_network(tmp_path: Path) -> None:
    m = Model()
    q = m.op("DequantizeLinear", m.op("QuantizeLinear", "x", m.const(0.25)), m.const(0.25))
    weights = m.op("DequantizeLinear", m.const(np.random.default_rng(1).integers(-9, 9, (3, 2, 3)), np.int8), m.const(0.5))
    h = m.op("Conv", q, weights, kernel_shape=[3], pads=[2, 1], strides=[2])
    h = m.op("MaxPool", m.op("Relu", h), kernel_shape=[2], strides=[1])
    y = m.op("DequantizeLinear", m.op("QuantizeLinear", h, m.const(0.5)), m.const(0.5))
    exact(tmp_path, m, str(y), (2, 11), np.abs(frames((2, 11))))


@pytest.mark.parametrize(
    "attributes", [{"dilations": [2, 2]}, {"ceil_mode": 1, "strides": [2, 2]}, {"strides": [3, 3]}, {"pads": [1, 0, 0, 1]}]
)
def test_max_pools_of_every_kind(attributes: dict[str, Any], tmp_path: Path) -> None:
    m = Model()
    q = m.op("DequantizeLinear", m.op("QuantizeLinear", "x", m.const(0.25), m.const(3, np.int8)), m.const(0.25), m.const(3, np.int8))
    y = m.op("MaxPool", q, kernel_shape=[2, 2], **attributes)
    like_runtime(tmp_path, m.save(tmp_path / "m.onnx", str(y), (1, 2, 7, 6)), frames((2, 7, 6)))


def test_window_and_matrix_unit_of_different_widths(tmp_path: Path) -> None:
    m = Model()
    weights = np.random.default_rng(2).integers(-4, 4, (4, 6, 3, 3)).astype(float)
    h = m.q(m.op("Conv", m.q("x"), m.w(weights), kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 2.0, 4)
    path = m.save(tmp_path / "m.onnx", h, (1, 6, 4, 4))
    x = frames((6, 4, 4))
    plain = dfc.build(path)
    names = {n.op.kind: n.name for n in plain.design.nodes}
    for window, simd, pe in [(2, 9, 2), (3, 1, 4), (6, 4 - 1, 1), (1, 54, 1)]:
        folding = {names["sliding_window"]: {"simd": window}, names["mvtu"]: {"simd": simd, "pe": pe}}
        np.testing.assert_array_equal(dfc.build(path, folding=folding).run(x), plain.run(x))


def test_no_unit_is_estimated_at_nothing(tmp_path: Path) -> None:
    m = Model()
    h = m.q(m.op("Conv", m.q("x"), m.w(np.ones((4, 2, 3, 3))), kernel_shape=[3, 3]), 2.0, 4)
    h = m.q(m.op("Add", m.op("MaxPool", h, kernel_shape=[2, 2]), m.op("MaxPool", m.q(h, 4.0, 3), kernel_shape=[2, 2])), 2.0, 4)
    report = dfc.build(m.save(tmp_path / "m.onnx", h, (1, 2, 6, 6))).report
    assert all(u["resources"]["lut"] > 0 for u in report["units"]), report["units"]


def test_dynamic_batch_identity_dropout_cast_and_shared_constants(tmp_path: Path) -> None:
    m = Model()
    m.constants.append(numpy_helper.from_array(np.zeros(3, np.float32), "unused"))
    eight = m.const(8.0)
    q = m.op("Quant", "x", m.const(0.5), eight, eight, domain=QONNX, signed=0, narrow=0, rounding_mode="ROUND")
    h = m.op("Cast", m.op("Dropout", m.op("Identity", q)), to=TensorProto.FLOAT)
    y = str(m.op("Mul", m.const(3.0), m.op("MatMul", h, m.w(np.ones((4, 2))))))
    x = frames((4,))
    made = dfc.build(m.save(tmp_path / "m.onnx", y, ("batch", 4))).run(x)
    codes = np.clip(np.round(x.astype(np.float64) / 0.5 + 8), 0, 255) - 8
    np.testing.assert_array_equal(made, np.repeat(3 * 0.5 * codes.sum(axis=1, keepdims=True), 2, axis=1))


def test_a_mismatch_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dfcompile.streamline.pipeline as pipeline

    def broken(graph: Any, decline: Any) -> Any:
        constants = {k: v + 1 if k.endswith(".thresholds") else v for k, v in graph.constants.items()}
        return graph.replace(constants=constants, name="changed")

    monkeypatch.setattr(pipeline, "PASSES", (*pipeline.PASSES, broken))
    m = Model()
    y = m.q(m.op("MatMul", m.q("x"), m.w(np.eye(4))), 1.0, 3)
    with pytest.raises(CompileError, match="pass broken changed the numbers"):
        dfc.build(m.save(tmp_path / "m.onnx", y, (1, 4)))
