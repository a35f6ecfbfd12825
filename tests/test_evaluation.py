"""Accuracy of designs, held to plain counting."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.errors import CompileError
from dfcompile.mode.evaluation import rank
from tests.digits_oracle import scores

NAME = "digits_cnn_w2a2"


@pytest.fixture(scope="module")
def digits(examples: Path) -> dict[str, np.ndarray]:
    return dict(np.load(examples / f"{NAME}.npz"))


@pytest.fixture(scope="module")
def cnn(examples: Path) -> dfc.Accelerator:
    return dfc.build(examples / f"{NAME}.onnx", verify=False)


@pytest.fixture(scope="module")
def built(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 1-bit MLP and eight of its images, one of which it gets wrong."""
    out = tmp_path_factory.mktemp("evaluate")
    assert cli.main(["build", str(examples / "digits_mlp_w1a1.onnx"), "-o", str(out / "mlp"), "--no-verify", "--quiet"]) == 0
    test = np.load(examples / "digits_mlp_w1a1.npz")
    np.save(out / "x.npy", test["images"][:8])
    np.save(out / "y.npy", (test["labels"][:8] + (np.arange(8) == 3)) % 10)
    return out


def test_ranks_by_sorting() -> None:
    """Also where scores are equal: the class that argmax takes is the first."""
    rng = np.random.default_rng(1)
    given, labels = rng.integers(0, 4, (200, 7)).astype(float), rng.integers(0, 7, 200)
    wanted = [sorted(range(7), key=lambda c, s=s: (-s[c], c)).index(label) for s, label in zip(given, labels, strict=True)]
    assert rank(given, labels).tolist() == wanted
    np.testing.assert_array_equal(rank(given, given.argmax(1)), 0)


@pytest.mark.parametrize(("engine", "images"), [("python", 360), pytest.param("rtl", 360, marks=pytest.mark.further), ("hls", 36)])
def test_the_digits_in_each_engine(engine: str, images: int, cnn: dfc.Accelerator, digits: dict[str, np.ndarray]) -> None:
    """98.33 % of them: 354 of 360."""
    labels, known = digits["labels"][:images], digits["outputs_f64"][:images]  # of a float64 executor of ONNX
    found = cnn.evaluate(digits["images"][:images], labels, engine)
    assert (found["engine"], found["images"], found["classes"], found["agreement"]) == (engine, images, 10, None)
    assert found["top1"] == sum(int(s.argmax()) == y for s, y in zip(known, labels, strict=True)) / images
    assert images < 360 or round(100 * found["top1"], 2) == 98.33
    assert found["top5"] == sum(y in np.argsort(-s, kind="stable")[:5] for s, y in zip(known, labels, strict=True)) / images
    counted = [
        [sum(int(s.argmax()) == c and y == label for s, y in zip(known, labels, strict=True)) for c in range(10)] for label in range(10)
    ]
    assert found["confusion"] == counted
    assert found["images_per_s"] > 0


def test_loopback_and_agreement(examples: Path, digits: dict[str, np.ndarray], cnn: dfc.Accelerator) -> None:
    """In the other mode too; the float model is the convolutions and norms of the file, with weights of three values and no quantizer."""
    images, labels = digits["images"][:40], digits["labels"][:40]
    looped = dfc.build(examples / f"{NAME}.onnx", mode="loopback", verify=False)
    found = [made.evaluate(images, labels, model=examples / f"{NAME}.onnx") for made in (looped, cnn)]
    for result in found:
        del result["images_per_s"]
    assert found[0] == found[1]
    own = cnn.run(images).argmax(1)
    assert found[0]["agreement"] == np.mean(own == scores(examples / f"{NAME}.onnx", images).argmax(1))


def test_outputs_that_are_classes(examples: Path, digits: dict[str, np.ndarray], tmp_path: Path) -> None:
    model = onnx.load(examples / f"{NAME}.onnx")
    model.graph.node.append(helper.make_node("ArgMax", [model.graph.output[0].name], ["class"], axis=1, keepdims=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("class", TensorProto.INT64, ["N", 1]))
    onnx.save(model, tmp_path / "classes.onnx")
    made = dfc.build(tmp_path / "classes.onnx", verify=False)
    found = made.evaluate(digits["images"], digits["labels"], model=examples / f"{NAME}.onnx")
    assert round(100 * found["top1"], 2) == 98.33 and found["top5"] is None and 0.9 < found["agreement"] <= 1
    assert made.evaluate(digits["images"], digits["labels"], model=tmp_path / "classes.onnx")["agreement"] == found["agreement"]


def test_the_command(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["evaluate", built / "mlp", "--inputs", built / "x.npy", "--labels", built / "y.npy"]
    assert cli.main([*map(str, given), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert set(found) == {"engine", "images", "classes", "top1", "top5", "agreement", "images_per_s", "confusion"}
    assert found["images"] == 8 and sum(map(sum, found["confusion"])) == 8 and "evaluate (python)" in said.err
    assert cli.main([*map(str, given), "--quiet"]) == 0 and capsys.readouterr().out == ""
    assert cli.main([*map(str, given)]) == 0
    said = capsys.readouterr()
    assert f"8 images, top-1 {found['top1']:.2%}, top-5 {found['top5']:.2%}" in said.out and "confusion" in said.out


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (np.zeros(7), "7 labels for 8 frames"),
        (np.full(8, 10), "8 labels are beyond the 10 classes of the model"),
        (np.array([0, 1, 2.5, -1, np.nan, 0, 0, 0]), "3 labels are no classes"),
        (np.eye(10)[:8], "labels.argmax(1)"),
        (np.array(["a"] * 8), "the labels are of shape 8 and of <U1"),
    ],
)
def test_labels_that_are_none(labels: np.ndarray, wanted: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "y.npy", labels)
    given = ["evaluate", str(built / "mlp"), "-i", str(built / "x.npy"), "--labels", str(tmp_path / "y.npy"), "--quiet"]
    assert cli.main(given) == 1
    assert wanted in capsys.readouterr().err
    assert dfc.load(built / "mlp").evaluate(np.load(built / "x.npy"), np.zeros((8, 1), np.uint8))["images"] == 8


def test_what_cannot_be_evaluated(built: Path, examples: Path, tmp_path: Path) -> None:
    made, x = dfc.load(built / "mlp"), np.load(built / "x.npy")
    with pytest.raises(CompileError, match="there is no engine 'cpp' here"):
        made.evaluate(x, np.zeros(8), engine="cpp")
    with pytest.raises(CompileError, match="the model is not that of the design"):
        made.evaluate(x, np.zeros(8), model=_pixelwise(tmp_path))
    with pytest.raises(CompileError, match="no list of scores"):
        dfc.build(_pixelwise(tmp_path), verify=False).evaluate(np.zeros((2, 1, 4, 4)), np.zeros(2))
    assert cli.main(["evaluate", str(built / "mlp"), "-i", str(built / "x.npy"), "--labels", "missing.npy"]) == 2


def _pixelwise(folder: Path) -> Path:
    """A quantizer alone: its output is a picture."""
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("s", 0.25), ("z", 0.0), ("b", 4.0))]
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], domain="qonnx.custom_op.general")
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 4, 4]) for n in "xy"]
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    graph = helper.make_graph([node], "pixels", ports[:1], ports[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "pixels.onnx")
    return folder / "pixels.onnx"
