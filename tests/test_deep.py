"""Networks of hundreds of layers one behind the other: no stage goes as deep into itself as the network is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dfcompile as dfc
from dfcompile import check
from tests.examples import some

LAYERS = 300
DEPTH = 200
"""Frames of the interpreter that a build may go below the test: far fewer than the layers."""


def chain(folder: Path, layers: int, weights: tuple[int, ...] = (-2, -1, 0, 1, 2)) -> Path:
    """Pointwise layers of two channels, each with a quantizer; weights: to draw from."""
    rng = np.random.default_rng(0)
    constants: dict[str, Any] = {"s": np.float32(0.25), "z": np.uint8(0), "zs": np.int8(0)}
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q0"]), helper.make_node("DequantizeLinear", ["q0", "s", "z"], ["t0"])]
    for i in range(1, layers + 1):
        constants[f"w{i}"] = rng.choice(weights, (2, 2, 1, 1)).astype(np.int8)
        nodes += [
            helper.make_node("DequantizeLinear", [f"w{i}", "s", "zs"], [f"v{i}"]),
            helper.make_node("Conv", [f"t{i - 1}", f"v{i}"], [f"c{i}"], kernel_shape=[1, 1]),
            helper.make_node("QuantizeLinear", [f"c{i}", "s", "z"], [f"q{i}"]),
            helper.make_node("DequantizeLinear", [f"q{i}", "s", "z"], [f"t{i}"]),
        ]
    held = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 1, 1])
    made = helper.make_tensor_value_info(f"t{layers}", TensorProto.FLOAT, [1, 2, 1, 1])
    path = folder / "deep.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "deep", [given], [made], held), opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


@pytest.fixture
def shallow() -> Any:
    """Leave the interpreter fewer frames than the network has layers."""
    before, frame, used = sys.getrecursionlimit(), sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        used += 1
    yield lambda: sys.setrecursionlimit(used + DEPTH)
    sys.setrecursionlimit(before)


def calls(path: Path) -> int:
    """Calls of Python and C functions that `check` makes."""
    count = 0

    def called(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        assert check(path) == ()
    finally:
        sys.setprofile(None)
    return count


def test_work_grows_with_the_layers(tmp_path: Path) -> None:
    """Twice as many more layers are twice as many more calls: no pass looks at the whole graph for each of its nodes."""
    full = (2,)  # codes keep their range: pruning what has none left goes on for more rounds the deeper a network is
    check(chain(tmp_path, 10, full))
    few, more, most = (calls(chain(tmp_path, n, full)) for n in (10, 30, 70))
    assert most - more < 2.2 * (more - few)


def test_check(tmp_path: Path, shallow: Any) -> None:
    (tmp_path / "small").mkdir()
    assert check(chain(tmp_path / "small", 40)) == ()  # loads and compiles modules, which may go deep
    path = chain(tmp_path, LAYERS)
    shallow()
    assert check(path) == ()


@pytest.mark.parametrize("mode", some(["dataflow", "loopback"], always=["dataflow"]))
def test_build(mode: str, tmp_path: Path, shallow: Any) -> None:
    (tmp_path / "small").mkdir()
    dfc.build(chain(tmp_path / "small", 40), mode=mode).save(tmp_path / "out")  # loads and compiles modules, which may go deep
    path = chain(tmp_path, LAYERS)
    shallow()
    dfc.build(path, mode=mode).save(tmp_path / "out")
    found = dfc.load(tmp_path / "out").run(np.ones((1, 2, 1, 1), np.float32))
    assert found.shape == (1, 2, 1, 1)
