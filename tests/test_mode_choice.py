"""Mode auto on a board: which mode is taken, what the report says of both, and what is said where neither will do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dfcompile as dfc
from dfcompile import pipeline
from dfcompile.errors import CompileError
from dfcompile.mode.choice import frame_bytes
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.roofline import Roofline, choose_mode
from tests.shared import MODELS, needs_models
from tests.test_cli import run

SMALL = {"part": "xc7z010clg400-1", "family": "xc7", "lut": 17600, "ff": 35200, "bram36": 60, "dsp": 80, "bandwidth": 1.0, "clock": 100}
CNV = MODELS / "bnnpynq_cnv_2w2a.onnx"


@pytest.fixture
def small_board(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in SMALL.items()))
    return str(path)


def consistent(made: Any) -> dict[str, Any]:
    """The choice in the report, held against the build."""
    report = made.report
    choice: dict[str, Any] = report["mode_choice"]
    taken = choice[report["mode"]]
    assert choice["mode"] == report["mode"] and taken["runs"] and taken["exact"]
    assert taken["fps"] == pytest.approx(report["timing"]["fps"])
    for side in (s for s in (choice["dataflow"], choice["loopback"]) if s["runs"]):
        assert 0 < side["fps"] <= min(side["compute_fps"], side["bandwidth_fps"]) * (1 + 1e-9)
        assert side["lanes"] > 0 and side["frame_bytes"] > 0
    return choice


def test_dataflow_where_it_fits(examples: Path) -> None:
    made = dfc.build(examples / "digits_cnn_w2a2.onnx", board="pynq-z2", interval=2048)
    choice = consistent(made)
    assert isinstance(made, DataflowAccelerator) and choice["wanted_fps"] == pytest.approx(100e6 / 2048)
    # The roofs by hand: lanes from the folding of the report; 64 pixels, a byte each, over a memory port of 8 bytes.
    lanes = sum(u["folding"]["pe"] * u["folding"]["simd"] for u in made.report["units"] if u["kind"] in ("mvtu", "vvtu"))
    assert choice["dataflow"]["lanes"] == lanes
    assert choice["dataflow"]["compute_fps"] == pytest.approx(lanes * 100e6 / made.report["model"]["macs"])
    assert choice["dataflow"]["bandwidth_fps"] == pytest.approx(100e6 / 8) and choice["dataflow"]["frame_bytes"] == 64 + 10
    assert choice["loopback"]["runs"] and choice["why"].startswith("a dataflow design fits pynq-z2 with ")
    engine = dfc.build(examples / "digits_cnn_w2a2.onnx", board="pynq-z2", mode="loopback")
    assert 0.8 * engine.report["timing"]["fps"] <= choice["loopback"]["fps"] <= engine.report["timing"]["fps"]


def test_no_comparison_without_a_board_or_with_a_folding(examples: Path) -> None:
    model = examples / "digits_mlp_w1a1.onnx"
    plain = dfc.build(model)
    first = next(u for u in plain.report["units"] if u["kind"] == "mvtu")
    for made in (plain, dfc.build(model, board="pynq-z2", folding={first["name"]: {"pe": 1, "simd": 1}})):
        assert made.report["mode"] == "dataflow" and "mode_choice" not in made.report


def test_a_rate_that_no_mode_reaches(examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("build", examples / "digits_cnn_w2a2.onnx", "-o", tmp_path / "out", "--board", "pynq-z2", "--fps", 10_000_000, "--quiet")
    assert run(*command) == 1
    said = capsys.readouterr().err
    assert said.startswith("error[does-not-fit]: neither mode reaches 10,000,000 frames/s on pynq-z2")
    assert "a dataflow design fits pynq-z2 with at most 173,611 frames/s" in said and "; loopback reaches " in said
    assert "error[interval-too-short]: " in said and not (tmp_path / "out").exists()


@needs_models
@pytest.mark.parametrize("fps", [None, pytest.param(100, marks=pytest.mark.further)])
def test_loopback_where_dataflow_does_not_fit(fps: float | None, small_board: str) -> None:
    made = dfc.build(CNV, board=small_board, fps=fps, stream_weights="never")
    choice = consistent(made)
    assert isinstance(made, LoopbackAccelerator) and not choice["dataflow"]["runs"]
    assert "bram36 of 57" in choice["dataflow"]["why"] and choice["why"].startswith("no dataflow design fits small: ")
    assert made.resources.bram36 <= 57 and made.resources.lut <= 0.8 * SMALL["lut"]


@needs_models
def test_a_pipeline_with_weights_from_memory(small_board: str) -> None:
    """The same network and board: the engine is slower than a pipeline that leaves weights of dense layers in memory."""
    made = dfc.build(CNV, board=small_board, verify=False)
    choice = consistent(made)
    assert isinstance(made, DataflowAccelerator) and made.graph.fixed
    assert choice["dataflow"]["fps"] > choice["loopback"]["fps"]
    assert made.resources.bram36 <= SMALL["bram36"] and made.resources.lut <= SMALL["lut"]


@pytest.mark.further
@needs_models
def test_both_rates_are_told(small_board: str) -> None:
    with pytest.raises(CompileError, match="neither mode reaches 5,000 frames/s on small") as found:
        dfc.build(CNV, board=small_board, fps=5000)
    assert "no dataflow design fits small" in found.value.problems[0].why and "loopback reaches " in found.value.problems[0].why


@needs_models
def test_a_frame_is_its_codes() -> None:
    made = dfc.build(MODELS / "digits_mlp_1w1a.onnx", mode="loopback")
    assert isinstance(made, LoopbackAccelerator)
    size = {t: -(-h * w * c * d.bits // 8) for t, ((h, w, c), d) in made.codes.items()}
    assert frame_bytes(made.graph) == ([size[t] for t in made.graph.inputs], [size[t] for t in made.graph.outputs])


def test_a_bound_does_not_decide(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where loopback may be faster by its bound it is built, and its replay compared."""
    bound = Roofline(1e9, 1e9, 1e9, 256, 100, exact=False)
    monkeypatch.setattr(pipeline, "estimated", lambda *_: bound)
    made = dfc.build(examples / "digits_cnn_w2a2.onnx", board="pynq-z2", verify=False)
    choice = consistent(made)
    engine = dfc.build(examples / "digits_cnn_w2a2.onnx", board="pynq-z2", mode="loopback", verify=False)
    assert made.mode == "dataflow" and choice["loopback"]["exact"]
    assert choice["loopback"]["fps"] == pytest.approx(engine.report["timing"]["fps"])


def test_the_faster_mode_without_a_rate(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataflow design slower than the engine: the engine is taken, but not where a rate is asked for that dataflow reaches too."""
    slow = Roofline(1000.0, 1e9, 1000.0, 1, 100)
    monkeypatch.setattr(pipeline, "dataflow_side", lambda *_: slow)
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", board="pynq-z2", verify=False)
    assert isinstance(made, LoopbackAccelerator) and consistent(made)["why"].endswith(", which is faster")
    asked = dfc.build(examples / "digits_mlp_w1a1.onnx", board="pynq-z2", fps=900, verify=False)
    assert isinstance(asked, DataflowAccelerator) and "faster" not in asked.report["mode_choice"]["why"]


@pytest.mark.parametrize(
    ("dataflow", "loopback", "wanted", "mode"),
    [
        ((100.0, True), (200.0, True), None, "loopback"), ((200.0, True), (100.0, True), None, "dataflow"),
        ((100.0, True), (100.0, True), None, "dataflow"), ((100.0, True), (200.0, False), None, "dataflow"),
        ((100.0, True), (200.0, True), 50.0, "dataflow"), ((100.0, True), (200.0, True), 150.0, "loopback"),
        ((100.0, True), (200.0, True), 300.0, ""), (None, (200.0, True), None, "loopback"), ((100.0, True), None, None, "dataflow"),
    ],
)  # fmt: skip
def test_which_mode(dataflow: Any, loopback: Any, wanted: float | None, mode: str) -> None:
    sides = ["it does not fit" if s is None else Roofline(1e9, 1e9, s[0], exact=s[1]) for s in (dataflow, loopback)]
    assert choose_mode(*sides, wanted, "a board").mode == mode
