"""What units give, and how it differs from the model: held to the digits CNN by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.dataflow.tap import tapped
from dfcompile.errors import CompileError
from dfcompile.report.chart import Axis
from dfcompile.units.base import unit_of
from tests.conftest import ROOT
from tests.digits_oracle import tensors

MODEL, MLP = (ROOT / "examples" / f"{name}.onnx" for name in ("digits_cnn_w2a2", "digits_mlp_w1a1"))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.load(MODEL.with_suffix(".npz"))["images"][:20]


@pytest.fixture(scope="module")
def cnn() -> dfc.Accelerator:
    return dfc.build(MODEL, verify=False)


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_units_give_the_tensors_of_the_model(mode: str, images: np.ndarray, tmp_path: Path) -> None:
    dfc.build(MODEL, mode=mode, verify=False).save(tmp_path / "out")
    made, wanted = dfc.load(tmp_path / "out"), tensors(MODEL, images, quantized=True)
    found = made.trace(images)
    named = [t for t in found.values() if t.tensor]
    assert len(named) == 6 and named[-1].tensor == list(wanted)[-1]
    for t in named:
        np.testing.assert_allclose(t.real, wanted[t.tensor], rtol=1e-6, atol=1e-9, err_msg=t.tensor)
        assert t.codes.dtype == np.int64 and t.codes.shape[0] == len(images) and t.codes.size == t.real.size
    np.testing.assert_array_equal(named[-1].real.astype(np.float32), made.run(images))
    if mode == "dataflow":
        assert list(found) == [n.name for n in made.design.nodes]


@pytest.mark.parametrize(
    ("mode", "engine"), [("dataflow", "rtl"), ("dataflow", "hls"), pytest.param("loopback", "rtl", marks=pytest.mark.further)]
)
def test_every_engine_gives_the_same_trace(mode: str, engine: str) -> None:
    made, x = dfc.build(MLP, mode=mode, verify=False), np.load(MLP.with_suffix(".npz"))["images"][:3]
    wanted, found = made.trace(x), made.trace(x, engine)
    assert list(wanted) == list(found) and len(wanted) >= 3
    for name, t in wanted.items():
        np.testing.assert_array_equal(found[name].codes, t.codes, err_msg=name)
        assert found[name].tensor == t.tensor


@pytest.mark.further
@pytest.mark.slow
def test_a_trace_of_the_rtl_through_padding(cnn: dfc.Accelerator, images: np.ndarray) -> None:
    """Lanes that do not divide their frames: the taps leave the padding out."""
    folding = {"conv_conv_1": {"pe": 6, "simd": 144}}
    made = dfc.build(MODEL, verify=False, folding=folding)
    assert any(s.run for s in made.design.streams().values())
    for name, t in made.trace(images[:2], "rtl").items():
        np.testing.assert_array_equal(t.codes, made.trace(images[:2])[name].codes, err_msg=name)


def test_a_tapped_design_holds_together(cnn: dfc.Accelerator, images: np.ndarray) -> None:
    design, shown = tapped(cnn.design)
    design.check()
    inner = {t for n in cnn.design.nodes for t in n.outputs}
    assert set(shown) == inner and len(shown) == len(design.graph.outputs)
    codes = cnn.host.encode(cnn.host.checked(images))
    made, values = design.graph.execute(codes), cnn.design.graph.execute(codes, keep=inner)
    for tap, stream in zip(design.graph.outputs, shown, strict=True):
        np.testing.assert_array_equal(np.ravel(made[tap]), np.ravel(values[stream]))


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_two_parts_told_apart(mode: str, images: np.ndarray) -> None:
    found = dfc.compare(MODEL, dfc.build(MODEL, mode=mode, verify=False), images)
    exact, plain = (tensors(MODEL, images, q) for q in (True, False))
    assert found.equal and found.frames == 20 and len(found.layers) == 6
    for x in found.layers:
        error, signal = exact[x.tensor] - plain[x.tensor], plain[x.tensor]
        assert x.elements == error.size and (x.differing, x.farthest) == (0, 0.0)
        assert x.rms == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6) and x.largest == pytest.approx(np.abs(error).max(), rel=1e-6)
        assert x.relative == pytest.approx(np.sqrt(np.sum(error**2) / np.sum(signal**2)), rel=1e-6)
        assert x.sqnr_db == pytest.approx(10 * np.log10(np.sum(signal**2) / np.sum(error**2)), rel=1e-6)


def test_a_wrong_unit_is_the_compilers(cnn: dfc.Accelerator, images: np.ndarray) -> None:
    """Only in its own layer: what reads it goes on from what it gave. Quantization did as much as before."""
    nodes = []
    for n in cnn.design.nodes:
        unit = unit_of(n)
        nodes.append(replace(n, op=unit.folded(thresholds=unit.thresholds + 1)) if n.name == "conv_conv_1" else n)
    graph = cnn.design.graph.replace(nodes=tuple(nodes))
    wrong = dfc.compare(MODEL, replace(cnn, design=replace(cnn.design, graph=graph)), images)
    right = dfc.compare(MODEL, cnn, images)
    assert not wrong.equal and [x.unit for x in wrong.layers if x.differing] == ["conv_conv_1"]
    exact = tensors(MODEL, images, quantized=True)["/6/act_quant/export_handler/Quant_output_0"]
    step = np.diff(np.unique(exact)).min()
    (layer,) = (x for x in wrong.layers if x.differing)
    assert layer.farthest == pytest.approx(step, rel=1e-5) and layer.differing < layer.elements
    assert [(x.rms, x.largest) for x in wrong.layers] == [(x.rms, x.largest) for x in right.layers]
    assert f"{layer.differing:,} of {layer.elements:,} differ" in wrong.svg and 'class="bad"' not in right.svg


def test_the_command(tmp_path: Path, images: np.ndarray, cnn: dfc.Accelerator, capsys: pytest.CaptureFixture[str]) -> None:
    cnn.save(tmp_path / "cnn")
    np.save(tmp_path / "x.npy", images)
    given = ["compare", str(MODEL), str(tmp_path / "cnn"), "--inputs", str(tmp_path / "x.npy"), "-o", str(tmp_path / "c.svg")]
    assert cli.main([*given, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] and found["frames"] == 20 and [x["differing"] for x in found["layers"]] == [0] * 6
    text = (tmp_path / "c.svg").read_text()
    assert text.count('class="bar"') == 6 and all(f">{x['unit']}<" in text for x in found["layers"])
    assert cli.main(given) == 0
    assert "compiler: differing" in capsys.readouterr().out and (tmp_path / "c.svg").read_text() == text
    with pytest.raises(CompileError, match="the model is not that of the design"):
        dfc.compare(MLP, cnn, images)


@pytest.mark.parametrize("change", [{"scale": "x"}, {"shape": [16, 8]}, {"stream": "nothing"}, {"tensor": 3}])
def test_meanings_of_damaged_builds(change: dict[str, object], tmp_path: Path, cnn: dfc.Accelerator) -> None:
    cnn.save(tmp_path / "cnn")
    data = json.loads((tmp_path / "cnn" / "design.json").read_text())
    data["meanings"][1]["fields"] |= change
    (tmp_path / "cnn" / "design.json").write_text(json.dumps(data))
    with pytest.raises(CompileError, match="not a build folder of this version, or it is damaged"):
        dfc.load(tmp_path / "cnn")


@pytest.mark.parametrize(
    ("values", "log", "ticks"),
    [
        ([1.0, 5.0], False, [0, 1, 2, 3, 4, 5]),
        ([20.0, 300.0], True, [20, 50, 100, 200]),
        ([0.0, 1000.0], False, [0, 200, 400, 600, 800, 1000]),
        ([3.0, 4e6], True, [10, 100, 1e3, 1e4, 1e5, 1e6]),
        ([0.0], False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_axes(values: list[float], log: bool, ticks: list[float]) -> None:
    axis = Axis.of(values, 100, 200)
    assert axis.log == log and axis.ticks == pytest.approx(ticks)
    assert all(100 <= axis.at(v) <= 200 for v in (*values, *axis.ticks)) and axis.at(axis.ends[1]) == pytest.approx(200)
