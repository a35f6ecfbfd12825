"""The page of a loopback build, and the figure that compares both modes."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Unit
from dfcompile.loopback.predict import predict
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.report.loopback_page import render_loopback
from dfcompile.report.loopback_pictures import busy, held_blocks, merged
from dfcompile.report.page import render_report
from dfcompile.report.roofline import BOTTOM, HEIGHT, LEFT, TOP, WIDTH
from dfcompile.report.roofs import Point, Roof, draw_roofs
from tests.loopback.resnet import resnet
from tests.report.test_report import Page


@pytest.fixture(scope="module")
def made(examples: Path) -> LoopbackAccelerator:
    found = dfc.build(examples / "digits_cnn_w4a4.onnx", mode="loopback", board="pynq-z2", verify=False)
    assert isinstance(found, LoopbackAccelerator)
    return found


@pytest.fixture(scope="module")
def text(made: LoopbackAccelerator) -> str:
    return render_loopback(made)


def test_nothing_comes_from_outside(text: str) -> None:
    page = Page(text)
    referring = ("src", "href", "xlink:href", "srcset", "action", "data")
    assert [(k, v) for k, v in page.attributes if k in referring and not v.startswith("#")] == []
    assert re.findall(r"https?:|@import|url\(|<link|<iframe|fetch\(", text) == []
    anchors = {v[1:] for k, v in page.attributes if k == "href"}
    assert anchors <= {v for k, v in page.attributes if k == "id"} and len(anchors) == 8


def test_layer_table_holds_the_figures_of_report_json(made: LoopbackAccelerator, text: str) -> None:
    rows = {row[1][0]: [float(v) for _, v in row if v is not None] for row in Page(text).rows if len(row) == 9}
    assert list(rows) == [u["name"] for u in made.report["units"]]
    lanes = made.config.multipliers
    for k, u in enumerate(made.report["units"]):
        array = u["macs"] / (u["steps"] * lanes)
        assert rows[u["name"]] == [k, u["cycles"], u["utilisation"], array, u["macs"], u["constant_bytes"], u["act_bytes"]]


def test_headline_and_engine(made: LoopbackAccelerator, text: str) -> None:
    page = Page(text)
    said = " ".join(page.texts)
    assert f"{made.report['timing']['interval_cycles']:,} cycles" in said and f"{made.report['timing']['fps']:,.0f} fps" in said
    shown = {row[0][0]: row[1][0] for row in page.rows if len(row) == 3}
    for name, value in {**dataclasses.asdict(made.config), "batch": made.batch}.items():
        assert shown[name] == f"{value:,}"


def test_saved_and_written_again(made: LoopbackAccelerator, text: str, tmp_path: Path) -> None:
    made.save(tmp_path / "out")
    page = tmp_path / "out" / "report.html"
    assert page.read_text() == text
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    report["seconds"] = {"import": 99.0}
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    page.unlink()
    assert cli.main(["report", str(tmp_path / "out")]) == 0
    assert page.read_text() == text


def test_names_are_escaped(made: LoopbackAccelerator) -> None:
    report: dict[str, Any] = json.loads(json.dumps(made.report))
    report["model"]["name"] = "<script>alert(1)</script>"
    report["units"][0] |= {"source": ['"><img src=x>'], "name": "<b>"}
    found = render_loopback(dataclasses.replace(made, report=report))
    Page(found)
    assert "<script>alert" not in found and "<img" not in found and "<b>:" not in found and "&lt;script&gt;alert(1)" in found


def test_merged_intervals() -> None:
    assert merged([(5, 6), (0, 2), (2, 3), (1, 2)]) == [(0, 3), (5, 6)]
    assert merged([(0, 2), (4, 6)], gap=2) == [(0, 6)]


def test_busy_cycles_by_counting() -> None:
    graph = resnet((1, 1), True, size=32, base=8, classes=10)
    found = predict(compile_program(graph, EngineConfig(pe=8, simd=8, act_words=2048)))
    for unit in Unit:
        working = np.zeros(found.cycles + 1, bool)
        for r in found.runs:
            if r.unit == unit:
                working[r.start : r.end + 1] = True
        assert busy(found, unit) == working.sum() > 0


def test_what_a_layer_reads_is_held_in_the_picture() -> None:
    """Each word that a layer's steps read lies in a block that reaches from an earlier or the same layer to this one, and no two
    blocks that differ share a word at the same layer, unless both are strips that were loaded or made there."""
    program = compile_program(resnet((1, 1), True, size=32, base=8, classes=10), EngineConfig(pe=8, simd=8, act_words=512))
    assert program.spilled
    blocks = held_blocks(program)
    for s in program.steps:
        if not isinstance(s.descriptor, Compute):
            continue
        for space, first, end in s.reads:
            covered = np.zeros(max(0, end - first), bool)
            for h in blocks:
                if space == "act" and h.start <= s.layer <= h.last:
                    covered[max(0, h.first - first) : max(0, h.end - first)] = True
            assert space != "act" or covered.all(), (program.layers[s.layer].name, first, end)
    for layer in range(len(program.layers)):
        alive = [h for h in blocks if h.start < layer <= h.last]
        for i, a in enumerate(alive):
            assert not any(a.first < b.end and b.first < a.end for b in alive[i + 1 :])


def test_both_modes_in_the_page_of_a_dataflow_build(examples: Path) -> None:
    built = dfc.build(examples / "digits_mlp_w1a1.onnx", board="pynq-z2", interval=512)
    page = Page(render_report(built))
    choice = built.report["mode_choice"]
    rows = {row[0][0]: [t for t, _ in row[1:]] for row in page.rows if len(row) == 3}
    sides = [choice["dataflow"], choice["loopback"]]
    assert rows["frames a second"] == [f"{s['fps']:,.0f}" for s in sides]
    assert rows["multipliers"] == [f"{s['lanes']:,}" for s in sides]
    said = " ".join(page.texts)
    assert choice["why"] in said
    assert "Roofline of both modes" in [v for k, v in page.attributes if k == "aria-label"]
    for mode in ("dataflow", "loopback"):
        assert f"{mode}, {choice[mode]['lanes']:,} multipliers: " in said
    plain = dfc.build(examples / "digits_mlp_w1a1.onnx", interval=512, verify=False)
    assert "Dataflow or loopback" not in render_report(plain)


def test_labels_do_not_meet() -> None:
    points = [Point(m, x, 5e9, f"at {m}", (m, "1 frames/s")) for m, x in (("dataflow", 100.0), ("loopback", 101.0))]
    text = str(draw_roofs([Roof("x", 6e9, "roof"), Roof("y", 6.1e9, "roof")], [Roof("m", 1e9, "roof")], points, "both"))
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="strong"', text)
    assert len(found) == 2 and len(set(found)) == 2


def test_points_far_apart_stay_in_the_picture() -> None:
    """Rates five decades apart, and one at the right edge: every point and label is between the axes."""
    points = [Point(m, x, y, m, (m, "12,500,000 frames/s")) for m, x, y in (("dataflow", 1e3, 1e12), ("loopback", 1e-2, 1e7))]
    text = str(draw_roofs([Roof("x", 1e12, "roof"), Roof("y", 3e9, "roof")], [Roof("m", 2.1e9, "roof")], points, "both"))
    labels = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)"(?: class="strong")?>(?:dataflow|loopback|12,500,000 frames/s)<', text)
    assert len(labels) == 4 and all(LEFT < float(x) < WIDTH - 2 - 6.7 * 8 and TOP - 8 < float(y) < HEIGHT - BOTTOM for x, y in labels)
    circles = [float(cy) for cy in re.findall(r'<circle[^>]* cy="([\d.]+)"', text)]
    assert len(circles) == 2 and max(circles) < HEIGHT - BOTTOM - 5
    (name,) = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]* class="along"', text)
    ends = re.findall(r'<circle[^>]* cx="([\d.]+)" cy="([\d.]+)"', text)
    assert all(math.dist(tuple(map(float, name)), tuple(map(float, end))) > 100 for end in ends), "the roof's name is beside no point"
