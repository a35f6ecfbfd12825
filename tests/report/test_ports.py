"""The port table of a report: what it says of widths is what the hardware has, and of places what the driver makes of a frame."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.mode.dataflow import DataflowAccelerator
from tests.backend.test_driver import load
from tests.report.test_report import Page

SIDES = {"in": ("s_axis", "inputs"), "out": ("m_axis", "outputs")}


@pytest.fixture(scope="module", params=["digits_cnn_w2a2", "digits_mlp_w1a1"])
def streams(request: pytest.FixtureRequest, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dfc.Accelerator, Path]:
    folder = tmp_path_factory.mktemp("ports") / "out"
    made = dfc.build(examples / f"{request.param}.onnx", board="pynq-z2", interval=1024, verify=False)
    made.save(folder)
    return made, folder


def test_widths_are_those_of_the_verilog(streams: tuple[dfc.Accelerator, Path]) -> None:
    made, folder = streams
    rows = made.report["ports"]
    text = next(p for p in (folder / "vivado").glob("*_ip.v")).read_text()
    found = {name: int(high) + 1 for high, name in re.findall(r"\[(\d+):0\] (\w+)_tdata\b", text)}
    assert {p["name"]: 8 * p["bytes"] for p in rows} == found
    assert all(p["bits"] == p["lanes"] * p["element_bits"] and p["bits"] + p["padding"] == 8 * p["bytes"] for p in rows)
    assert any(p["padding"] for p in rows)  # else the sum above holds nothing


def test_elements_lie_where_the_table_says(streams: tuple[dfc.Accelerator, Path]) -> None:
    made, folder = streams
    assert isinstance(made, DataflowAccelerator)
    driver = load(folder / "driver").Driver()
    for row in made.report["ports"]:
        port = next(p for p in getattr(driver, SIDES[row["direction"]][1]) if p.name == row["tensor"])
        h, w, c = row["shape"]
        assert row["beats"] * row["lanes"] == h * w * c  # these two models pad no beat
        background = np.zeros((1, h, w, c), np.int64) - port.bipolar
        nothing = port.pack(background)
        assert nothing.shape == (row["beats"], row["bytes"])
        for index in {0, h * w * c - 1, h * w * c // 2}:
            codes = background.copy()
            codes.reshape(-1)[index] = 1
            beat, lane = divmod(index, row["lanes"])
            changed = np.argwhere(np.unpackbits(nothing ^ port.pack(codes), axis=1, bitorder="little"))
            assert changed.tolist() == [[beat, lane * row["element_bits"]]]


def test_words_of_an_engine_lie_where_the_table_says(examples: Path, tmp_path: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode="loopback", board="pynq-z2", verify=False)
    made.save(tmp_path / "out")
    driver = load(tmp_path / "out" / "driver").Driver()
    rows = {p["name"]: p for p in made.report["ports"]}
    assert [p["direction"] for p in rows.values()] == ["in", "out"]
    for data in (*driver.data["inputs"], *driver.data["outputs"]):
        row = rows[data["name"]]
        assert (row["address"], row["beats"] * row["bytes"]) == (data["address"], data["image_bytes"])
        assert row["lanes"] == made.report["engine"]["simd"]


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_the_page_shows_every_port(mode: str, examples: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode=mode, board="pynq-z2", verify=False)
    page = Page(made.page())
    for port in made.report["ports"]:
        at = next(i for i, r in enumerate(page.rows) if r and r[0][0] == port["name"] and len(r) > 8)
        assert [text for text, _ in page.rows[at]][-2] == f"{port['bytes']:,}"
        assert [text for text, _ in page.rows[at + 1]] == [port["layout"]], "the layout stands below"
