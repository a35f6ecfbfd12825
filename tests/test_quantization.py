"""`dfcompile quantize`: a float network becomes one that compiles, by onnxruntime's quantizer; wrong frames are refused all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.errors import CompileError
from dfcompile.quantization import input_names, quantize
from dfcompile.toolchain import TOOLS, ToolKind
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = np.load(ROOT / "examples" / "digits_mlp_w1a1.npz")
    return found["images"], found["labels"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, digits: tuple[np.ndarray, np.ndarray]) -> Path:
    """Random features and a least-squares readout, from the first 240 images."""
    images, labels = digits
    hidden = np.random.default_rng(1).normal(0, 0.25, (64, 128)).astype(np.float32)
    features = np.maximum(images[:240] @ hidden, 0)
    gram = features.T @ features + np.eye(128)
    readout = np.linalg.solve(gram, features.T @ (np.eye(10)[labels[:240]] * 2 - 1)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "hidden"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["features"]),
        helper.make_node("MatMul", ["features", "readout"], ["scores"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 64), ("scores", 10))]
    weights = [numpy_helper.from_array(hidden, "hidden"), numpy_helper.from_array(readout, "readout")]
    graph = helper.make_graph(nodes, "float_mlp", ends[:1], ends[1:], weights)
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_a_float_network_compiles_behind_it(tmp_path: Path, network: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("onnxruntime", reason="it comes with the extra [test]")
    images, labels = digits
    np.save(tmp_path / "x.npy", images[:100])
    assert dfc.check(network)
    assert cli.main(["quantize", str(network), "-o", str(tmp_path / "q.onnx"), "--data", str(tmp_path / "x.npy"), "--quiet"]) == 0
    found = dfc.build(tmp_path / "q.onnx", board="pynq-z2", interval=4096).evaluate(images[240:], labels[240:], model=network)
    assert found["agreement"] >= 0.97 and found["top1"] > 0.85
    quantize(network, tmp_path / "again.onnx", {"x": images[:100]})
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "q.onnx").read_bytes()


def test_wrong_frames_are_refused(tmp_path: Path, network: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("onnxruntime", reason="it comes with the extra [test]")
    images, _ = digits
    assert input_names(network) == ("x",)
    for frames, said in (
        ({"x": images[:, :63]}, "input 'x' has an array of shape 360x63"),
        ({"y": images}, "the model has no input 'y'"),
        ({"x": images * np.nan}, "not finite"),
        ({"x": images[:0]}, "not finite, or none"),
    ):
        with pytest.raises(CompileError, match=said):
            quantize(network, tmp_path / "q.onnx", frames)
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(CompileError, match="not a model that onnxruntime runs"):
        quantize(tmp_path / "bad.onnx", tmp_path / "q.onnx", {"x": images})
    assert not (tmp_path / "q.onnx").exists()


def test_without_onnxruntime_the_command_that_installs_it_is_said(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = TOOLS["onnxruntime"]
    monkeypatch.setitem(TOOLS, "onnxruntime", ToolKind(lambda: None, kind.package, kind.install, kind.purpose))
    with pytest.raises(CompileError, match=r"pip install 'dfcompile\[quantize\]'"):
        input_names(network)
