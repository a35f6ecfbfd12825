"""dfcompile is right where ONNX Runtime is not: on x86 processors without VNNI its u8 x s8 kernel, worked out here, saturates."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dfcompile as dfc
from tests.frontend.make import Array, check_exactly, graph_of, model, run_graph


def by_pmaddubsw(x: Array, w: Array) -> Array:
    """x (n, k) uint8 times w (k, m) int8 as VPMADDUBSW makes it: two products are added and saturate at 16 bits, then 32-bit sums."""
    products = x.astype(np.int64)[:, :, None] * w.astype(np.int64)
    pairs = np.pad(products, ((0, 0), (0, len(w) % 2), (0, 0))).reshape(len(x), -1, 2, w.shape[1]).sum(axis=2)
    return np.asarray(np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1))


def quantized(sums: Array, scale: int) -> Array:
    return np.clip(np.rint(sums / scale), 0, 255)


def product(w: Array, scale: float) -> onnx.ModelProto:
    """QLinearMatMul of uint8 by int8, every scale 1 but the result's."""
    held = {"s": 1.0, "z": np.asarray(0, np.uint8), "w": w, "wz": np.asarray(0, np.int8), "ys": scale}
    node = helper.make_node("QLinearMatMul", ["x", "s", "z", "w", "s", "wz", "ys", "z"], ["y"])
    return model([node], {"x": (1, len(w))}, ["y"], held, types={"x": TensorProto.UINT8, "y": TensorProto.UINT8})


def test_the_smallest_case(tmp_path: Path) -> None:
    x, w = np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8)
    assert quantized(by_pmaddubsw(x, w), 456) == 72
    proto = product(w, 456.0)
    assert run_graph(graph_of(proto, tmp_path), {"x": x}) == [142]
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    assert dfc.build(tmp_path / "model.onnx", input_type="uint8").run(x) == 142
    check_exactly(proto, {"x": x}, tmp_path)


@pytest.mark.parametrize(("largest", "differ"), [(127, True), (63, False)])
def test_seven_bits_of_weights_cannot_saturate(largest: int, differ: bool, tmp_path: Path) -> None:
    """255 * 63 * 2 < 2**15 <= 255 * 127 * 2: what docs/verification.md tells the user to try."""
    rng = np.random.default_rng(3)
    x, w = rng.integers(0, 256, (1, 36), np.uint8), (rng.choice([-largest, largest], (36, 64))).astype(np.int8)
    proto = product(w, 512.0)
    (y,) = run_graph(graph_of(proto, tmp_path), {"x": x})
    np.testing.assert_array_equal(y, quantized(x.astype(np.int64) @ w.astype(np.int64), 512))
    assert np.any(y != quantized(by_pmaddubsw(x, w), 512)) == differ


def test_the_example_of_the_docs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever processor this is, ONNX Runtime gives the exact sum or the saturated one."""
    (example,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "verification.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})
    exact, found = map(int, capsys.readouterr().out.split())
    x, w = np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8)
    assert exact == 255 * 127 * 2 and found in (exact, by_pmaddubsw(x, w))
