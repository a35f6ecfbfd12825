"""The rate that is told for a board: a design's own, or what the board's memory, its ports and its serial line let through."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.device.boards import find_board
from dfcompile.device.feed import fed_cycles, line_rate
from dfcompile.mode.summary import lines_of

BY_HAND = [
    # Zynq: a memory port of 64 bits for each DMA channel, 2.1 GB/s together.
    ("pynq-z2", [32], [16], 100, 32 / 8),
    ("pynq-z2", [8], [64], 100, 64 / 8),
    ("pynq-z2", [80] * 2, [80] * 2, 100, 320 / 21),  # four ports are faster than the memory: 21 bytes a cycle
    ("pynq-z2", [8] * 3, [8] * 3, 25, 8 * 2 / 8),  # the first and the third input share a port, and so do outputs
    ("pynq-z2", [8] * 5, [8], 25, 8 * 2 / 8),  # the first and the fourth input
    ("zcu104", [32], [16], 200, 32 / 16),
    ("arty-a7-100t", [32], [16], 100, 48 / 4),  # one port of 32 bits reads and writes
    ("alveo-u250", [64, 64], [64], 200, 128 / 64),  # all at one controller
    ("ulx3s", [32], [16], 50, 0),
]


@pytest.mark.parametrize("board, inputs, outputs, clock, cycles", BY_HAND)
def test_cycles_of_a_frame_on_its_way(board: str, inputs: list[int], outputs: list[int], clock: float, cycles: float) -> None:
    assert fed_cycles(find_board(board), inputs, outputs, clock) == pytest.approx(cycles)


@pytest.mark.parametrize("board, interval", [("pynq-z2", 4), ("ulx3s", 8192)])
def test_no_faster_than_the_board_brings_frames(board: str, interval: int, examples: Path) -> None:
    """Whether 32 bytes come in 4 cycles over a port of 64 bits or in 16,000 over a serial line: a design of 2 or 3 is of no use."""
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", board=board, verify=False)
    slowest, (told,) = made.report["timing"]["interval_cycles"], (x for x in lines_of(made.report) if "folding:" in x)
    if slowest < made.report["folding"]["value"]:
        assert told == f"  folding: no faster than the board brings frames, one in {made.report['folding']['value']:,.0f} cycles"
    else:
        assert told.startswith(f"  folding: {slowest:,} cycles, none has fewer than")
    quick = dfc.build(examples / "digits_mlp_w1a1.onnx", board=board, interval=3, verify=False)
    timing = made.report["timing"]
    assert made.mode == "dataflow" and timing["interval_cycles"] == interval and made.report["folding"]["gap"] == 0
    assert timing["line_fps"] == quick.report["timing"]["line_fps"]
    assert timing["fps"] == quick.report["timing"]["fps"] if board == "pynq-z2" else timing["fps"] > timing["line_fps"] == 3125
    assert made.resources.lut < 0.8 * quick.resources.lut


def test_frames_over_a_serial_line() -> None:
    assert line_rate(find_board("ulx3s"), [30, 20], [10]) == 1e6 / 10 / 50
    assert line_rate(find_board("pynq-z2"), [50], [10]) is None


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """A board whose memory moves half a byte a cycle."""
    keys = {"part": "xc7z010clg400-1", "family": "xc7", "lut": 17600, "ff": 35200, "bram36": 60, "dsp": 80, "bandwidth": 0.05, "clock": 100}
    path = tmp_path / "slow.toml"
    path.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()))
    return str(path)


def test_a_board_that_feeds_a_design_too_slowly(model: Path, slow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A frame is 2 bytes in and 1 out: 6 cycles of the memory, whatever the design needs."""
    said = "16,666,667 frames/s at 100 MHz, all that the board's memory moves"
    assert main(["build", str(model), "-o", str(tmp_path / "out"), "--board", slow, "--interval", "2", "--no-verify"]) == 0
    assert said in capsys.readouterr().out
    assert said.partition(", ")[2] in html.unescape((tmp_path / "out" / "report.html").read_text())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    timing, choice = report["timing"], report["mode_choice"]
    assert timing["interval_cycles"] <= 2 and timing["fps"] == pytest.approx(100e6 / 6) and timing["limit"] == "memory"
    assert choice["dataflow"]["fps"] == choice["dataflow"]["bandwidth_fps"] == pytest.approx(100e6 / 6)
    assert report["energy"]["watts"] == pytest.approx(report["energy"]["frame_uj"] * 1e-6 * timing["fps"])
    points = dfc.explore(model, board=slow)["points"]
    assert points and max(p["fps"] for p in points) == pytest.approx(100e6 / 6, rel=1e-6)


@pytest.mark.parametrize("mode", ["auto", "dataflow"])
def test_a_rate_that_the_memory_does_not_reach_is_refused(mode: str, model: Path, slow: str) -> None:
    with pytest.raises(dfc.CompileError, match=r"its memory moves [\d,]+ frames/s, 17,000,000 are asked for") as error:
        dfc.build(model, board=slow, fps=17e6, mode=mode, verify=False)
    assert {p.code for p in error.value.problems} == {"does-not-fit"}
    assert dfc.build(model, board=slow, fps=4e6, mode=mode, verify=False).report["timing"]["fps"] >= 4e6


def test_an_engine_that_the_memory_does_not_keep_busy(model: Path, slow: str) -> None:
    """Its bus takes 4 bytes a cycle, the memory half a byte."""
    made = dfc.build(model, board=slow, mode="loopback", verify=False)
    report = made.report
    assert report["timing"]["limit"] == "memory" and report["timing"]["interval_cycles"] < 2 * report["roofline"]["bytes"]
    assert report["timing"]["fps"] == pytest.approx(0.05e9 / report["roofline"]["bytes"])
    choice = dfc.build(model, board=slow, interval=2, verify=False).report["mode_choice"]["loopback"]
    assert choice["fps"] == choice["bandwidth_fps"] == pytest.approx(0.05e9 / choice["frame_bytes"])
    points = dfc.explore(model, board=slow, mode="loopback")["points"]
    assert all(p["fps"] is None or p["fps"] <= 0.05e9 / p["ext_bytes"] + 0.1 for p in points)


def test_an_open_board_tells_its_serial_line(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["build", str(model), "-o", str(tmp_path / "out"), "--board", "ulx3s", "--no-verify"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["timing"]["limit"] == "design" and report["timing"]["line_fps"] == 1e6 / 10 / 2
    assert " frames/s at 50 MHz, 50,000 over the serial line" in capsys.readouterr().out
    assert "50,000 over the serial line" in (tmp_path / "out" / "report.html").read_text()
