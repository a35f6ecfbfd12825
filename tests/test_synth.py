"""Synthesis of single units and of a saved build with Yosys."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calibration_units import dtype, mvtu
from dfcompile import build
from dfcompile.device.area import STYLE_CODES
from dfcompile.device.resources import Resources
from dfcompile.emit.rtl import rtl_parameters
from dfcompile.errors import CompileError
from dfcompile.ir.types import IntType
from dfcompile.mode.synth import synth
from dfcompile.synthesis.design import design_parts
from dfcompile.synthesis.flow import commands, count
from dfcompile.synthesis.unit import unit_synthesis, wrapper
from dfcompile.units.add import Add
from dfcompile.units.fifo import Fifo
from tests.conftest import ROOT


def test_xilinx_cells_are_counted() -> None:
    cells = {"LUT2": 3, "LUT6": 2, "INV": 1, "RAM32M": 2, "SRL16E": 1, "CARRY4": 9, "MUXF7": 4, "FDRE": 5, "FDSE": 1}
    cells |= {"RAMB18E1": 1, "RAMB36E1": 2, "DSP48E1": 3, "URAM288": 1}
    assert count(cells, "xc7") == Resources(3 + 2 + 1 + 8 + 1, 6, 2.5, 1, 3)


def test_lattice_cells_are_counted() -> None:
    cells = {"LUT4": 10, "CCU2C": 2, "TRELLIS_DPR16X4": 1, "TRELLIS_FF": 7, "DP16KD": 3, "MULT18X18D": 2, "PFUMX": 4, "L6MUX21": 1}
    assert count(cells, "ecp5") == Resources(10 + 4 + 6, 7, 1.5, 0, 2)


def test_the_default_script_is_the_tools_own() -> None:
    assert commands("xc7", "top", default=True)[0].startswith("synth_xilinx -top top -family xc7")
    assert len(commands("xc7", "top", default=True)) == 2
    assert any(c.startswith("abc ") for c in commands("ecp5", "top"))


def test_a_wrapper_names_every_port_and_memory() -> None:
    text = wrapper(Add((2, 2, 4), (dtype("u4"), dtype("u4")), lanes=2))
    for port in ("in0_data_i", "in1_ready_o", "out_valid_o"):
        assert f".{port}" in text
    unit = mvtu("u2", "s2", "u2", 8, 16, 2, 4)
    assert '.File("Weights.mem")' in wrapper(unit) and '.ThresholdsFile("Thresholds.mem")' in wrapper(unit)
    assert "dfc_rom" not in wrapper(unit, outside=True) and "output logic weights_en_o" in wrapper(unit, outside=True)


def test_a_unit_takes_what_its_estimate_says() -> None:
    unit = mvtu("u2", "s2", "u2", 8, 36, 2, 9, weight_style="bram")
    real, estimate = unit_synthesis(unit, "ecp5").run(), unit.resources("ecp5")
    assert real.bram36 == estimate.bram36 > 0
    assert real.lut == pytest.approx(estimate.lut, rel=0.3)
    assert real.ff == pytest.approx(estimate.ff, rel=0.3)


@pytest.mark.slow
def test_a_saved_build_is_synthesised_unit_by_unit(tmp_path: Path) -> None:
    made = build(ROOT / "examples" / "digits_mlp_w1a1.onnx", interval=640, verify=False)
    made.save(tmp_path / "out")
    said: list[str] = []
    found = synth(tmp_path / "out", device="ecp5", progress=said.append)
    assert found["tool"] == "yosys" and found["device"] == "ecp5"
    assert [u["name"] for u in found["units"]] == [n for n, _ in design_parts(made.design)]
    for side in ("synthesised", "estimated"):
        assert found["total"][side]["lut"] == pytest.approx(sum(u[side]["lut"] for u in found["units"]))
    assert found["total"]["synthesised"]["lut"] == pytest.approx(found["total"]["estimated"]["lut"], rel=0.3)
    assert said[-1] == f"synthesise {len(found['units'])}/{len(found['units'])}"


def test_an_unknown_tool_or_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="no synthesis tool 'quartus'"):
        synth(tmp_path, tool="quartus")
    build(ROOT / "examples" / "digits_mlp_w1a1.onnx", verify=False).save(tmp_path / "out")
    with pytest.raises(CompileError, match="no device family 'xc9'"):
        synth(tmp_path / "out", device="xc9")


def test_a_unit_by_itself_keeps_its_style() -> None:
    unit = Fifo((1, 16, 1), IntType(8, False), 1, 16, "bram")
    assert ("Style", STYLE_CODES["bram"]) in rtl_parameters(unit, lambda m: m.name)
    assert f".Style({STYLE_CODES['bram']})" in wrapper(unit)
