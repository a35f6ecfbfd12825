"""From a build to a bitstream: what the commands say, and what they leave in the build folder."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from dfcompile.command.cli import main
from dfcompile.device.boards import find_board
from dfcompile.emit.name import Names
from dfcompile.mode.bitstream import unit_of_cell
from tests.backend.designs import dense, residual
from tests.board.simulated import emit
from tests.frontend.make import model as make_model

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_a_bitstream_in_one_command(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["build", str(model), "-o", str(out), "--board", "ulx3s-25f", "--bitstream", "--quiet", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    report = json.loads((out / "report.json").read_text())
    made = report["implementation"]
    assert printed == report
    assert made["tool"] == "nextpnr-ecp5" and made["family"] == "ecp5" and made["fmax_mhz"] >= made["clock_mhz"] == 50
    assert made["seed"] == made["seeds"] == 1 and made["lut"] > 200 and made["ram"] == 2 and made["critical_path"]
    assert report["timing"]["fps"] == 50e6 / report["timing"]["interval_cycles"]
    assert f"{made['fmax_mhz']:.1f} MHz" in (out / "report.html").read_text()
    first = (out / "board" / "tiny_board.bit").read_bytes()

    assert main(["bitstream", str(out), "--json", "--quiet"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in made.items() if k != "seconds"}
    assert (out / "board" / "tiny_board.bit").read_bytes() == first, "the same seed gives the same bytes"


@pytest.mark.further
def test_a_missed_clock(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["build", str(model), "-o", str(out), "--board", "ulx3s-25f", "--clock", "400", "--quiet"]) == 0
    assert main(["bitstream", str(out), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "error[timing]" in said and "of 400 MHz" in said and "--allow-timing-fail" in said and "the slowest path runs through" in said
    made = json.loads((out / "report.json").read_text())["implementation"]
    assert made["fmax_mhz"] < made["clock_mhz"] == 400
    assert not (out / "board" / "tiny_board.bit").exists()
    assert main(["bitstream", str(out), "--quiet", "--allow-timing-fail"]) == 0
    assert (out / "board" / "tiny_board.bit").stat().st_size > 10_000


@pytest.mark.full
@pytest.mark.parametrize(
    "board, name, interval, memories",
    [("ulx3s", "digits_cnn_w2a2", 768, 2), ("icebreaker", "digits_mlp_w1a1", 120, 20), ("tang-nano-9k", "digits_mlp_w1a1", 120, 8)],
)
def test_bitstreams_of_the_open_boards(board: str, name: str, interval: int, memories: int, tmp_path: Path) -> None:
    """At the board's own clock, and their netlists are the model's beat for beat."""
    out, found = tmp_path / "out", tmp_path / "found.json"
    command = ["build", str(EXAMPLES / f"{name}.onnx"), "-o", str(out), "--board", board, "--interval", str(interval), "--quiet"]
    assert main([*command, "--bitstream"]) == 0
    made = json.loads((out / "report.json").read_text())["implementation"]
    assert made["fmax_mhz"] >= made["clock_mhz"] == find_board(board).clock and made["lut"] > 1000
    assert made["ram"] >= memories
    (bitstream,) = (p for p in (out / "board").iterdir() if p.suffix in (".bit", ".bin", ".fs"))
    assert bitstream.stat().st_size > 50_000
    assert main(["verify", str(out), "--engine", "netlist", "--frames", "4", "--json", str(found), "--quiet"]) == 0
    engine = json.loads(found.read_text())["engines"]["netlist"]
    assert engine["pass"] and engine["interval_cycles"] == engine["predicted_interval_cycles"] == interval


def tfc_w1a1() -> onnx.ModelProto:
    """784-64-64-64-10 of BNN-PYNQ, all weights and activations of one bit, with random weights and normalizations."""
    rng = np.random.default_rng(0)
    sizes, held, nodes = (784, 64, 64, 64, 10), {"one": np.float32(1), "zero": np.zeros(64), "wide": np.full(64, 100.0)}, []
    bipolar = partial(helper.make_node, "BipolarQuant", domain="qonnx.custom_op.general")
    x = "x"
    for i, (k, n) in enumerate(pairwise(sizes)):
        held |= {f"w{i}": rng.normal(size=(k, n)), f"g{i}": rng.uniform(0.5, 2, 64), f"b{i}": rng.normal(size=64)}
        nodes += [bipolar([x, "one"], [f"x{i}"]), bipolar([f"w{i}", "one"], [f"v{i}"])]
        x = f"n{i}" if n == 64 else "y"
        nodes.append(helper.make_node("MatMul", [f"x{i}", f"v{i}"], [f"m{i}" if n == 64 else "y"]))
        if n == 64:
            nodes.append(helper.make_node("BatchNormalization", [f"m{i}", f"g{i}", f"b{i}", "zero", "wide"], [x]))
    constants = {k: np.float32(v) for k, v in held.items()}
    return make_model(nodes, {"x": (1, 784)}, ("y",), constants, domains={"qonnx.custom_op.general": 1})


@pytest.mark.full
def test_a_binary_network_reaches_100_mhz(tmp_path: Path) -> None:
    onnx.save(tfc_w1a1(), tmp_path / "tfc_w1a1.onnx")
    command = ["build", str(tmp_path / "tfc_w1a1.onnx"), "-o", str(tmp_path / "out"), "--board", "ulx3s", "--interval", "896"]
    assert main([*command, "--clock", "100", "--bitstream", "--no-verify"]) == 0
    made = json.loads((tmp_path / "out" / "report.json").read_text())["implementation"]
    assert made["fmax_mhz"] >= made["clock_mhz"] == 100


PINS = {
    "ulx3s": ('LOCATE COMP "clk_i" SITE "G2";', 'LOCATE COMP "rx_i" SITE "M1";', 'LOCATE COMP "tx_o" SITE "L4";'),
    "icebreaker": ("set_io clk_i 35", "set_io rx_i 6", "set_io tx_o 9", "set_frequency clk_i 12"),
    "tang-nano-9k": ('IO_LOC "clk_i" 52;', 'IO_LOC "rx_i" 18;', 'IO_LOC "tx_o" 17;'),
}
"""Lines of the constraint files, from the boards' own."""


@pytest.mark.parametrize("board", PINS)
def test_the_pins_are_the_boards(board: str, tmp_path: Path) -> None:
    facts = emit(dense(), tmp_path, board, clock=0)
    lines = (tmp_path / "board" / facts["pins"]).read_text().splitlines()
    assert set(PINS[board]) <= set(lines)
    assert facts["clock_mhz"] == pytest.approx(find_board(board).clock)


def test_builds_without_a_board_of_their_own_say_why(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["build", str(model), "-o", str(out), "--board", "ecp5-85f", "--quiet"]) == 0
    assert main(["bitstream", str(out)]) == 1
    assert "error[no-bitstream]" in (said := capsys.readouterr().err) and "it was built for no open board" in said
    assert main(["build", str(model), "-o", str(out), "--board", "ulx3s", "--mode", "loopback", "--quiet"]) == 0
    assert main(["bitstream", str(out)]) == 1
    assert "its mode is loopback" in capsys.readouterr().err


def test_a_damaged_board_file_is_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["build", str(model), "-o", str(out), "--board", "ulx3s", "--quiet"]) == 0
    (out / "board" / "board.json").write_text("{}")
    assert main(["bitstream", str(out)]) == 1
    assert "board/board.json: 'family'" in capsys.readouterr().err


def test_cells_are_known_by_their_units() -> None:
    names = Names.of(residual())
    assert unit_of_cell("u_core.u_window_3x3.u_walk.count_q_TRELLIS_FF_Q_1", names) == "Window/3x3"
    assert unit_of_cell("u_link.state_q_LUT4_A", names) == "host link"
    assert unit_of_cell("u_core.valid_LUT4_A", names) == "between units"
    assert unit_of_cell("$PACKER_VCC", names) == ""
