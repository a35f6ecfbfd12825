"""Several copies of a design on a board: how many it holds, their scripts for Vivado, and the driver that deals the frames out."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.device.boards import find_board
from dfcompile.device.copies import copies_cycles, held, share, wired
from dfcompile.device.feed import fed_cycles
from dfcompile.device.resources import Resources
from dfcompile.emit.driver import emit_driver
from dfcompile.errors import SettingError
from dfcompile.mode import report_data
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.summary import lines_of, one_line_of
from dfcompile.options import Options
from tests.backend.pynq_mock import Board, Core
from tests.backend.test_driver_board import SETUP, Setting, settled
from tests.dataflow.test_stream_weights import layers
from tests.examples import examples

DEVICES = ("lut", "ff", "bram36", "uram", "dsp")


@given(st.sampled_from(["pynq-z2", "kv260", "alveo-u250"]), st.lists(st.integers(0, 40_000), min_size=5, max_size=5))
@examples(100)
def test_as_many_as_the_shares_hold(name: str, sizes: list[int]) -> None:
    """One more would exceed a share, so many do not; each has at least its area in its part of the board."""
    board, area = find_board(name), dict(zip(DEVICES, map(float, sizes), strict=True))
    n = held(area, board)
    assert all(n * area[k] <= board.usable[k] for k in area)
    if any(sizes):
        assert any((n + 1) * area[k] > board.usable[k] for k in area)
    part = share(board, 3)
    assert all(3 * getattr(part, k) <= getattr(board, k) for k in DEVICES) and 3 * part.bandwidth <= board.bandwidth * (1 + 1e-9)
    assert share(board, 1) is board


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_the_memory_bounds_them(copies: int) -> None:
    """Frames of all copies pass the memory: as far as that goes they are so many times faster, and no more."""
    board = find_board("pynq-z2")
    alone = copies_cycles(board, [32], [8], 100, 1e6, 1)
    assert alone == 1e6 and copies_cycles(board, [32], [8], 100, 1e6, copies) == 1e6 / copies
    moved = fed_cycles(board, [32] * copies, [8] * copies, 100)
    assert copies_cycles(board, [32], [8], 100, 1, copies) == moved / copies
    assert copies_cycles(board, [32], [8], 100, 1, copies) >= 40 / board.reachable(100) / 10 * (1 - 1e-9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"copies": 0, "board": "pynq-z2"}, "no number"), ({"copies": "many", "board": "pynq-z2"}, "no number"),
        ({"copies": True, "board": "pynq-z2"}, "no number"), ({"copies": 2}, "cannot be here"),
        ({"copies": 2, "board": "ulx3s"}, "cannot be here"), ({"copies": 2, "board": "arty-a7-100t"}, "cannot be here"),
        ({"copies": 2, "board": "pynq-z2", "streaming": True}, "cannot be here"),
        ({"copies": "auto", "board": "pynq-z2", "folding": {}}, "cannot be here"),
    ],
)  # fmt: skip
def test_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Options(**options)


def test_as_many_as_are_wired(request: pytest.FixtureRequest) -> None:
    """The number that auto takes: a network whose windows bound it becomes so many times faster, and a rate takes no more than it needs."""
    path = request.getfixturevalue("examples") / "digits_cnn_w2a2.onnx"
    one = dfc.build(path, board="kv260", verify=False)
    many = dfc.build(path, board="kv260", copies="auto", verify=False)
    assert isinstance(many, DataflowAccelerator) and many.copies == wired(find_board("kv260"), 1) == 8
    assert many.report["timing"]["fps"] == pytest.approx(8 * one.report["timing"]["fps"])
    assert many.report["mode_choice"]["dataflow"]["fps"] == pytest.approx(many.report["timing"]["fps"])
    some = dfc.build(path, board="kv260", copies="auto", fps=2.5 * one.report["timing"]["fps"], verify=False)
    assert isinstance(some, DataflowAccelerator) and some.copies == 3


def test_an_asked_rate_is_that_of_all() -> None:
    options = Options(board="pynq-z2", copies=3, fps=10_000)
    assert options.wanted_interval == 30_000 and options.target == find_board("pynq-z2")
    assert Options(board="pynq-z2", copies=3, interval=500).wanted_interval == 1500


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DataflowAccelerator:
    path = layers(tmp_path_factory.mktemp("copies") / "m.onnx")
    found = dfc.build(path, board="pynq-z2", interval=20, copies=3, verify=False)
    assert isinstance(found, DataflowAccelerator)
    return found


def test_what_the_report_tells(made: DataflowAccelerator) -> None:
    report, board = made.report, find_board("pynq-z2")
    assert made.timing.interval_cycles <= 60 and report["copies"]["count"] == 3
    assert report["copies"]["resources"]["lut"] == 3 * report["resources"]["lut"] <= board.budget["lut"]
    assert report["timing"]["fps"] == pytest.approx(report["timing"]["closing_mhz"] * 1e6 / made.frame_cycles(board))
    assert made.frame_cycles(board) == max(made.timing.interval_cycles / 3, fed_cycles(board, *(3 * b for b in made.frame_bytes), 100) / 3)
    assert report["copies"]["fit"] == min(wired(board, 1), held(report["resources"], board)) >= 3
    assert report["copies"]["fit_fps"] >= report["timing"]["fps"] * (1 - 1e-9)


def test_what_is_printed_is_of_all_copies(made: DataflowAccelerator) -> None:
    """The rate is theirs, so the area that stands beside the board's is theirs too."""
    count, of_all = made.report["copies"]["count"], made.report["copies"]["resources"]["lut"]
    size, *_, area = [line for line in lines_of(made.report) if "units" in line or ("estimated" in line and "LUT" in line)]
    assert count > 1 and f"units in each of {count} copies" in size
    assert f"estimated {of_all:,.0f} of" in area and of_all == count * made.report["resources"]["lut"]
    assert f"{of_all:,.0f} LUT" in one_line_of("x", made.report) and f"of {count} copies" in one_line_of("x", made.report)


@pytest.mark.parametrize(("lut", "fit"), [(11_000.0, 8), (12_252.0, 8), (20_000.0, 4)])  # within the shares, the board, neither
def test_copies_whose_fifos_take_of_the_rest_of_the_board_fit(lut: float, fit: int) -> None:
    timing = SimpleNamespace(interval_cycles=128)
    fake: Any = SimpleNamespace(copies=8, resources=Resources(lut=lut), frame_bytes=([32], [8]), options={"clock": 200.0}, timing=timing)
    found = report_data._copies(fake, find_board("kv260"), 200.0)
    assert (found["count"], found["fit"]) == (8, fit)


def test_it_is_loaded_again(made: DataflowAccelerator, tmp_path: Path) -> None:
    made.save(tmp_path / "out")
    again = dfc.load(tmp_path / "out")
    assert isinstance(again, DataflowAccelerator) and again.copies == 3
    x = np.random.default_rng(1).uniform(0, 4, (4, 12)).astype(np.float32)
    np.testing.assert_array_equal(again.run(x), made.run(x))
    said = (tmp_path / "out" / "vivado" / "design.tcl").read_text()
    assert all(f"1.0 {core}\n" in said for core in ("accelerator", "accelerator_1", "accelerator_2"))
    assert "link axi_dma_2/M_AXIS_MM2S accelerator_2/s_axis" in said


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104", "alveo-u250"])
def test_vivado_takes_the_scripts(made: DataflowAccelerator, board: str, tmp_path: Path) -> None:
    """The strict stand-in wires every copy: each pin, clock, stream and master is its own."""
    pytest.importorskip("tkinter", reason="Python was built without Tcl")
    from dfcompile.emit.interface import Interface
    from dfcompile.emit.rtl import emit_rtl
    from dfcompile.emit.vivado import emit_vivado
    from tools.vivado_strict import Vivado

    emit_rtl(made.design, tmp_path / "rtl", whole=True)
    emit_vivado(Interface.of(made.design).names.top, Options(board=board, copies=3).kept(), tmp_path / "rtl", tmp_path / "vivado")
    kernel = board == "alveo-u250"
    (tmp_path / "work").mkdir()
    Vivado().run(tmp_path / "vivado" / ("kernel.tcl" if kernel else "design.tcl"), tmp_path / "work")
    if kernel:
        link = (tmp_path / "vivado" / "link.cfg").read_text()
        assert ":3:accelerator.accelerator_1.accelerator_2\n" in link and link.count("stream_connect=") == 6
        assert "stream_connect=move_s_axis_2.stream:accelerator_2.s_axis\n" in link
    else:
        assert (tmp_path / "work" / "design.bit").exists()


class Several:
    """An overlay of boards of a design each, whose cores and DMAs have names of their own."""

    def __init__(self, setting: Setting, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        first = setting.board(monkeypatch, ["axi_dma_0"], ["axi_dma_0"])
        self.boards = [first]
        for k in range(1, count):
            device = type(first.device)([str(setting.program)], setting.folder / "rtl", SETUP)
            setting.devices.append(device)
            self.boards.append(Board(device, [f"axi_dma_{k}"], [f"axi_dma_{k}"]))
        self.loads = 0
        module: ModuleType = sys.modules["pynq"]
        several, cores = self, {f"accelerator_{k}" if k else "accelerator": b for k, b in enumerate(self.boards)}

        class Overlay:
            def __init__(self, bitstream: str) -> None:
                several.loads += 1

            def __getattr__(self, name: str) -> Any:
                if name in cores:
                    return Core(cores[name])
                return next(b.dmas[name] for b in several.boards if name in b.dmas)

        monkeypatch.setattr(module, "Overlay", Overlay)


@pytest.fixture(scope="module")
def setting(made: DataflowAccelerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("driver")
    found = settled(made, folder)
    emit_driver(made.design, made.host, folder, made.copies)
    yield found
    for device in found.devices:
        device.close()


def test_frames_are_dealt_out_and_come_back_in_order(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that no copies divide, fewer than there are: every copy gets its part, and the bitstream is loaded once."""
    several = Several(setting, 3, monkeypatch)
    driver = setting.driver()
    for frames in (1, 2, 10, 31):
        setting.check(driver.run(feeds := setting.feeds(frames)), feeds)
    assert several.loads == 1
    done = [p.counters()["counted_frames"] for p in driver.transport.parts]
    assert sorted(done) == [10, 10, 11]
    counted = driver.counters()
    assert counted["counted_frames"] == 31
    timing = setting.made.timing
    most = timing.latency_cycles + math.ceil(31 / 3) * timing.interval_cycles + 20 * SETUP
    assert counted["cycles"] <= most < timing.latency_cycles + 31 * timing.interval_cycles + 20 * SETUP
    driver.close()


def test_another_design_among_them_is_refused(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    several = Several(setting, 3, monkeypatch)
    read = several.boards[2].device.read
    monkeypatch.setattr(several.boards[2].device, "read", lambda at: read(at) ^ 1 if at == 0x20 else read(at))
    with pytest.raises(RuntimeError, match="not this design"):
        setting.driver()


def test_too_few_names(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    Several(setting, 3, monkeypatch)
    with pytest.raises(ValueError, match="3 copies of 2 streams need"):
        setting.driver(["axi_dma_0", "axi_dma_0"])
