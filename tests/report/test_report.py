"""The HTML page of a build: whole, self-contained, repeatable, and with the figures of report.json."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile import build
from dfcompile.command import cli
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.page import write_report
from dfcompile.mode.saved import load
from dfcompile.report.memories import BUFFERS, CONSTANTS, FIFOS, memory_rows
from dfcompile.report.page import render_report
from dfcompile.report.roofline import roofline
from dfcompile.report.schedule import BINS, fill, look_longer, steady_frame, window

VOID = {"meta", "link", "br", "img", "input", "hr"}
RESOURCES = ("lut", "ff", "bram36", "uram", "dsp")


class Page(HTMLParser):
    """A page as text pieces by element and table rows; holds every end tag against its start tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(k, v or "") for k, v in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append(("", dict(attrs).get("data-v")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "td" in self.open and "small" not in self.open:
            text, value = self.rows[-1][-1]
            self.rows[-1][-1] = (text + data.strip(), value)


@pytest.fixture(scope="module", params=["digits_cnn_w4a4", "digits_mlp_w1a1"])
def made(request: pytest.FixtureRequest, examples: Path) -> DataflowAccelerator:
    board = "pynq-z2" if "mlp" in request.param else None
    return build(examples / f"{request.param}.onnx", board=board, interval=2048, verify=False)


@pytest.fixture(scope="module")
def page(made: DataflowAccelerator) -> Page:
    return Page(render_report(made))


def test_nothing_comes_from_outside(page: Page, made: DataflowAccelerator) -> None:
    referring = ("src", "href", "xlink:href", "srcset", "action", "data")
    references = [(k, v) for k, v in page.attributes if k in referring and not v.startswith("#")]
    assert references == []
    assert re.findall(r"https?:|@import|url\(|<link|<iframe|fetch\(", render_report(made)) == []
    assert {"style", "script", "svg", "table"} <= set(page.tags)


def test_every_unit_is_in_every_view(page: Page, made: DataflowAccelerator) -> None:
    said = " ".join(page.texts)
    for unit in made.report["units"]:
        assert any(row and unit["name"] in (t for t, _ in row) for row in page.rows)
        assert f"{unit['name']} ({unit['kind']})" in said, "no box in the pipeline"
        assert f"{unit['name']}, frame " in said, "no bar in the schedule"


def test_unit_table_holds_the_figures_of_report_json(page: Page, made: DataflowAccelerator) -> None:
    by_name = {row[1][0]: row for row in page.rows if len(row) == 10 and row[0][0].isdigit()}
    assert list(by_name) == [u["name"] for u in made.report["units"]]
    for unit in made.report["units"]:
        values = [float(v) for _, v in by_name[unit["name"]] if v is not None]
        assert values[1:] == [unit["cycles"], *(unit["resources"][r] for r in RESOURCES)]


def test_fifo_table_holds_the_figures_of_report_json(page: Page, made: DataflowAccelerator) -> None:
    rows = {row[0][0]: [int(v) for _, v in row if v] for row in page.rows if len(row) == 7 and row[0][0]}
    wanted = {f["edge"]: [f["width"], f["depth"], f["max_occupancy"], f["width"] * f["depth"]] for f in made.report["fifos"]}
    assert rows == wanted


def test_headline_figures(page: Page, made: DataflowAccelerator) -> None:
    timing, said = made.report["timing"], " ".join(page.texts)
    assert f"{timing['interval_cycles']:,} cycles" in said and f"{timing['latency_cycles']:,} cycles" in said
    assert f"{timing['fps']:,.0f} fps" in said and timing["bottleneck"] in page.texts
    for resource, used in made.report["resources"].items():
        budget = made.report["budget"].get(resource)
        if used and budget:
            assert re.search(rf"[\d,.]+ of {budget:,} · {100 * used / budget:.1f} %", said), resource


def test_same_build_same_bytes(made: DataflowAccelerator, tmp_path: Path) -> None:
    made.save(tmp_path / "a")
    first = (tmp_path / "a" / "report.html").read_bytes()
    assert cli.main(["report", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a" / "report.html").read_bytes() == first
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    report["seconds"] = {"import": 99.0}
    (tmp_path / "a" / "report.json").write_text(json.dumps(report))
    assert write_report(tmp_path / "a").read_bytes() == first, "the page depends on how long the build took"


def test_names_are_escaped(made: DataflowAccelerator) -> None:
    report: dict[str, Any] = json.loads(json.dumps(made.report))
    report["model"]["name"] = "<script>alert(1)</script>"
    report["units"][0]["source"] = ['"><img src=x>']
    text = render_report(replace(made, report=report))
    Page(text)
    assert "<script>alert" not in text and "<img" not in text and "&lt;script&gt;alert(1)" in text


def test_fill_covers_every_change(made: DataflowAccelerator) -> None:
    """The drawn fill against a count of the beats in each cycle."""
    timing = look_longer(made.design, made.timing)
    assert made.report["fifos"]
    for fifo in made.report["fifos"]:
        writes, reads = timing.fifo_times[fifo["edge"]]
        end = window(timing)
        low, high = fill(timing, fifo["edge"], end)
        cycles = np.arange(end)
        held = np.searchsorted(writes, cycles, side="left") - np.searchsorted(reads, cycles, side="left")
        borders = np.linspace(0, end, BINS + 1)
        for k in range(BINS):
            inside = held[int(borders[k]) : int(np.ceil(borders[k + 1]))]
            assert (low[k], high[k]) == (inside.min(), inside.max()), (fifo["edge"], k)
        assert max(high) <= fifo["depth"]


def test_schedule_shows_a_steady_frame(made: DataflowAccelerator) -> None:
    timing = look_longer(made.design, made.timing)
    frame = steady_frame(timing)
    assert timing.interval_cycles == made.timing.interval_cycles
    assert timing.frame_done[frame] - timing.frame_done[frame - 1] == timing.interval_cycles


def test_roofline_figures(made: DataflowAccelerator) -> None:
    found = roofline(made.design, made.report)
    assert found
    report = made.report
    assert found.achieved == pytest.approx(report["model"]["macs"] * report["timing"]["fps"])
    assert found.achieved <= found.compute and found.achieved <= found.ports * found.intensity * (1 + 1e-9)
    assert found.refetch < found.intensity
    if report["budget"]:
        assert found.bandwidth == report["budget"]["bandwidth"] * 1e9


def test_a_folder_that_is_no_build(tmp_path: Path) -> None:
    assert cli.main(["report", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_loaded_build_draws_the_same(made: DataflowAccelerator, tmp_path: Path) -> None:
    made.save(tmp_path / "b")
    assert render_report(load(tmp_path / "b")) == render_report(made)


def test_memories_by_what_holds_them(made: DataflowAccelerator, page: Page) -> None:
    """Bits of what units store and of FIFOs, counted one by one; block RAMs as in the total."""
    rows = memory_rows(made.design, made.report, made.family)
    stored = [m for n in made.design.nodes for m in made.design.unit(n.name).stored]
    constants, fifos = ([r for r in rows if r["what"] == what] for what in (CONSTANTS, FIFOS))
    assert sum(r["bits"] for r in constants) == sum(m.width * m.depth for m in stored) > 0
    assert sum(r["bits"] for r in fifos) == sum(f["width"] * f["depth"] for f in made.report["fifos"])
    assert (sum(r["count"] for r in constants), sum(r["count"] for r in fifos)) == (len(stored), len(made.report["fifos"]))
    for kind in ("bram36", "uram"):
        assert sum(r[kind] for r in rows) == made.report["resources"][kind]
    shown = [[t for t, _ in row] for row in page.rows if len(row) == 6 and row[0][0] in (CONSTANTS, FIFOS, BUFFERS)]
    assert [row[:2] for row in shown] == [[r["what"], r["held"]] for r in rows]
