"""`verify --engine netlist`: the netlist behind synthesis against the same vectors as the RTL."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.rtl import emit_rtl
from dfcompile.mode.verify_dataflow import _netlist_alone, netlist_of, verify_rtl
from tests.backend.designs import dense, residual


@pytest.mark.slow
def test_a_netlist_equals_the_rtl_beat_for_beat_and_cycle_for_cycle(model: Path, tmp_path: Path) -> None:
    out, found = tmp_path / "out", tmp_path / "found.json"
    dfc.build(model, board="ulx3s").save(out)
    assert main(["verify", str(out), "--engine", "netlist", "--frames", "4", "--json", str(found), "--quiet"]) == 0
    engines = json.loads(found.read_text())["engines"]
    assert engines.keys() == {"netlist"} and engines["netlist"]["pass"] and engines["netlist"]["mismatches"] == 0
    for what in ("interval", "latency"):
        assert engines["netlist"][f"{what}_cycles"] == engines["netlist"][f"predicted_{what}_cycles"]


@pytest.mark.further
def test_a_netlist_that_differs_is_found(tmp_path: Path) -> None:
    """Weights changed behind the golden outputs: the netlist has the others, its unit alone is right."""
    design = dense()
    frozen = golden(design, random_inputs(design, 3))
    emit_rtl(design, tmp_path)
    weights = next(tmp_path.glob("*weights.mem"))
    weights.write_text("".join(f"{'0' * len(line)}\n" for line in weights.read_text().split()))
    found = verify_rtl(design, frozen, netlist_of(design, tmp_path, "ecp5"), 0.3, _netlist_alone("ecp5"), "cpp")
    assert not found["pass"] and found["mismatches"] > 0
    assert "every unit is right alone" in found["first_mismatch"]


def test_a_loopback_build_has_no_netlist_engine(model: Path) -> None:
    made = dfc.build(model, board="ulx3s", mode="loopback")
    with pytest.raises(dfc.CompileError, match="there is no engine 'netlist' here"):
        made.verify(["netlist"])


@pytest.mark.full
@pytest.mark.parametrize("family", ["ecp5", "ice40", "gowin", "xc7", "xcup"])
@pytest.mark.parametrize("make", [partial(residual, short=16), dense], ids=["residual", "dense"])
def test_small_designs(make: object, family: str, tmp_path: Path) -> None:
    assert callable(make), "a function of tests.backend.designs"
    design = make()
    emit_rtl(design, tmp_path)
    frozen = golden(design, random_inputs(design, 4))
    found = verify_rtl(design, frozen, netlist_of(design, tmp_path, family), 0.3, _netlist_alone(family), "cpp")
    assert found["pass"], found["first_mismatch"]
