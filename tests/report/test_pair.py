"""Two builds side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.report.pair import render_pair
from tests.conftest import ROOT
from tests.report.test_report import Page

MODEL = ROOT / "examples" / "digits_mlp_w1a1.onnx"


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    for mode in ("dataflow", "loopback"):
        dfc.build(MODEL, board="pynq-z2", mode=mode, verify=False).save(folder / mode)
    return folder / "dataflow", folder / "loopback"


def test_the_page_of_two_builds(builds: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", *map(str, builds), "-o", str(tmp_path / "both.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "both.html")
    text = (tmp_path / "both.html").read_text()
    page = Page(text)
    assert re.findall(r"https?:|@import|url\(|<link|<script", text) == []
    a, b = (json.loads((out / "report.json").read_text()) for out in builds)
    cells = {row[0][0]: [c for c, _ in row[1:]] for row in page.rows if row}
    assert cells["mode"] == ["dataflow", "loopback", ""] and cells["network"][2] == "same"
    for about, key in (("interval, cycles", "interval_cycles"), ("latency, cycles", "latency_cycles")):
        one, two = a["timing"][key], b["timing"][key]
        assert cells[about] == [f"{one:,}", f"{two:,}", f"{100 * (two / one - 1):+.1f} %"]
    names = list(dict.fromkeys(u["name"] for u in (*a["units"], *b["units"])))
    assert set(names) <= set(cells) and f"{b['energy']['watts']:.3g}" in cells["power (model), W"][1]
    assert "clock of the slowest path, MHz" not in cells
    assert cli.main(["report", *map(str, builds), "-o", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == text


def test_figures_that_one_lacks(builds: tuple[Path, Path]) -> None:
    report = json.loads((builds[0] / "report.json").read_text())
    placed = {**report, "implementation": {"fmax_mhz": 98.5, "lut": 1200, "ff": 800}, "energy": None}
    cells = {row[0][0]: [c for c, _ in row[1:]] for row in Page(render_pair(("a<b", "c"), (report, placed))).rows if row}
    assert cells["clock of the slowest path, MHz"] == ["-", "98.5", ""] and cells["power (model), W"][1:] == ["-", ""]
    assert "a&lt;b" in render_pair(("a<b", "c"), (report, placed))


def test_what_cannot_be_shown(builds: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").mkdir()
    assert cli.main(["report", str(builds[0]), str(tmp_path / "none"), "-o", str(tmp_path / "x.html")]) == 1
    assert "'none' is not a build folder" in capsys.readouterr().err and not (tmp_path / "x.html").exists()
    assert cli.main(["report", str(builds[0]), "-o", str(tmp_path / "x.html")]) == 2
