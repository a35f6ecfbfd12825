"""The front of frame rate against resources."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest

import dfcompile as dfc
from dfcompile import explore
from dfcompile.command import cli
from dfcompile.device.boards import USABLE, find_board
from dfcompile.errors import CompileError
from dfcompile.loopback.config import EngineConfig
from dfcompile.report.explore import draw_front
from tests.conftest import ROOT
from tests.shared import MODELS, needs_models

MODEL = ROOT / "examples" / "digits_cnn_w2a2.onnx"


def test_the_front_of_a_small_network(tmp_path: Path) -> None:
    found = explore(MODEL, board="pynq-z2", clock=50.0, out=tmp_path)
    points = found["points"]
    assert found["mode"] == "dataflow" and found["board"] == "pynq-z2" and found["clock_mhz"] == 50.0
    assert len(points) == len(found["foldings"]) >= 3
    assert [p["fps"] for p in points] == sorted((p["fps"] for p in points), reverse=True)
    assert [p["cost"] for p in points] == sorted((p["cost"] for p in points), reverse=True)
    assert all(p["gap"] == 0 for p in points)
    assert all(p["fps"] == pytest.approx(50e6 / p["interval"], rel=1e-3) for p in points)
    assert all(p["lut"] <= find_board("pynq-z2").lut * USABLE["lut"] for p in points)
    assert json.loads((tmp_path / "explore.json").read_text())["points"] == points
    engine = found["loopback"]
    assert engine["fps"] == pytest.approx(50e6 / engine["cycles"], rel=1e-3)
    drawn = (tmp_path / "explore.svg").read_text()
    assert drawn.count('class="dot"') == 1 + len(points) * drawn.count("<g transform=")


def test_a_picture_escapes_its_title() -> None:
    row = {"fps": 10.0, "cost": 5, "lut": 1.0, "ff": 0.0, "bram36": 0.5, "uram": 0.0, "dsp": 0.0}
    text = draw_front("a<b", [row, row], {})
    assert "a&lt;b" in text and "a<b" not in text and "flip-flops" not in text.partition("</style>")[2].replace("0 flip-flops", "")


def test_the_picture_of_a_front() -> None:
    """A panel for each resource that something takes; every dot in its place between ticks; the board's line where it is near."""
    rows = [{"fps": 10.0**k, "cost": 100 * k, "lut": 50.0 * k, "ff": 0.0, "bram36": 2.0, "uram": 0.0, "dsp": 0.0} for k in (4, 3, 2)]
    engine = {"fps": 500.0, "lut": 300.0, "bram36": 1.0, "dsp": 9.0}
    text = draw_front("net", rows, {"lut": 250, "bram36": 1000, "dsp": 20}, engine)
    panels = [p.partition("</g></g>")[0] for p in text.split("<g transform=")[1:]]
    titles = [re.findall(r'class="strong">([^<]*)<', p)[0] for p in panels]
    assert titles == ["LUT equivalents", "LUT", "block RAMs (36 kbit) (the board has 1,000)", "DSP slices"]
    assert [p.count("<circle") for p in panels] == [3, 4, 4, 4] and [p.count('class="limit"') for p in panels] == [0, 1, 0, 1]
    assert all("frames per second (logarithmic)" in p for p in panels)
    dots = [(float(x), float(y)) for x, y in re.findall(r'class="dot" cx="([\d.]+)" cy="([\d.]+)"', panels[1])]
    assert len(dots) == 3 and all(66 <= x <= 440 and 34 <= y <= 224 for x, y in dots)
    steps = np.diff([x for x, _ in dots])
    assert steps[0] == pytest.approx(steps[1], abs=0.02) and steps[0] < 0  # decades are as wide
    assert {"100", "1k", "10k"} <= set(re.findall(r'class="tick"[^>]*>([^<]*)<', panels[1]))
    assert "10,000 frames/s, 400 LUT equivalents, 200 LUT" in panels[1]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(CompileError, match="mode = 'sideways'"):
        explore(MODEL, board="pynq-z2", mode="sideways")


def test_several_networks_share_an_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [MODEL, ROOT / "examples" / "digits_mlp_w1a1.onnx"]
    options = ["--board", "pynq-z2", "-o", str(tmp_path / "out")]
    assert cli.main(["explore", *map(str, models), *options, "--mode", "loopback"]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "explore.json").read_text())
    assert found["networks"] == [m.stem for m in models] and found["gap"] == 0
    best = found["best"]
    assert f"best: pe {best['pe']}, simd {best['simd']}, " in said and "no other of the engines compared is faster" in said
    engine = {f.name: best[f.name] for f in fields(EngineConfig)}
    alone = [dfc.build(m, mode="loopback", folding={"engine": engine}, verify=False).timing.latency_cycles for m in models]
    assert sum(alone) == best["cycles"] and best["fps"] == pytest.approx(2 * 100e6 / best["cycles"], rel=1e-3)
    assert all(p["cycles"] >= best["cycles"] for p in found["points"])
    assert cli.main(["explore", *map(str, models), *options[:2], "--mode", "dataflow"]) == 2
    assert "a dataflow design is of one network" in capsys.readouterr().err


@pytest.mark.further
@pytest.mark.slow
@needs_models
def test_loopback_where_no_dataflow_design_fits(tmp_path: Path) -> None:
    rest = 'part = ""\nfamily = "xc7"\nlut = 17600\nff = 35200\nbram36 = 60\ndsp = 80\nbandwidth = 1.0\nclock = 100\n'
    (tmp_path / "small.toml").write_text(rest)
    found = explore(MODELS / "bnnpynq_cnv_2w2a.onnx", board=str(tmp_path / "small.toml"))
    assert found["mode"] == "loopback" and len({p["cycles"] for p in found["buffers"]}) > 1


def test_a_part_of_a_model() -> None:
    """A part is explored as it is built; of several models there is none."""
    found = explore(MODEL, board="pynq-z2", points=1)
    part = explore(MODEL, board="pynq-z2", points=1, to=_first_quantized(MODEL))
    assert part["points"][0]["cost"] < found["points"][0]["cost"]
    with pytest.raises(CompileError, match="a part is one of a single network"):
        explore([MODEL, MODEL], board="pynq-z2", mode="loopback", to="x")


def _first_quantized(path: Path) -> str:
    """The result of the second quantizer of activations."""
    graph = onnx.load(path).graph
    constants = {t.name for t in graph.initializer}
    return [n.output[0] for n in graph.node if n.op_type.endswith("Quant") and n.input[0] not in constants][1]
