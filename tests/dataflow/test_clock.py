"""The clock that is estimated before place and route: held to units that were placed and routed, and stated in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import dfcompile as dfc
from benchmarks.clock import read_table, units
from dfcompile.device.delay import Path as Logic
from dfcompile.device.delay import lut_levels, rom_levels, slowest
from dfcompile.device.family import DELAYS
from dfcompile.mode.summary import lines_of

WORST = 0.15
UNITS, MEASURED = units(), read_table()


@pytest.mark.parametrize("name", sorted(n for n in MEASURED if UNITS[n].kind != "lookup" and any(True for _ in UNITS[n].paths("ecp5"))))
def test_estimates_are_near_what_place_and_route_finds(name: str) -> None:
    found = slowest(UNITS[name].paths("ecp5"), DELAYS["ecp5"])
    assert found is not None
    assert found[0] == pytest.approx(min(MEASURED[name]["mhz"].values()), rel=WORST), found[1]


def test_a_path_by_hand() -> None:
    """Cells and nets one behind the other; the last register lies beside a LUT or a carry, and a net away from all else."""
    d = replace(DELAYS["ecp5"], register=1, memory=7, lut=10, carry=100, bit=2, product=1000, net=0.5, fan=0.25)
    assert d.of(Logic("", levels=2, carries=(3,))) == 1 + 20 + 106 + 3 * 0.5
    assert d.of(Logic("", products=1, memory=True)) == 7 + 1000 + 2 * 0.5
    assert d.of(Logic("", levels=1, stores=True, fanout=8)) == 1 + 10 + 2 * 0.5 + 3 * 0.25


def test_levels_of_functions() -> None:
    assert [lut_levels(n, 4) for n in (1, 4, 5, 16, 17)] == [1, 1, 2, 2, 3]
    assert [rom_levels(n, 4) for n in (2, 16, 17, 64, 65)] == [1, 1, 2, 2, 3] and rom_levels(64, 6) == 1


def test_no_clock_where_nothing_was_placed_and_routed() -> None:
    unit = next(iter(UNITS.values()))
    assert slowest(unit.paths("xc7"), DELAYS.get("xc7")) is None and slowest([], DELAYS["ecp5"]) is None


@pytest.mark.parametrize("clock", [25.0, 1000.0])
def test_frames_are_stated_at_the_clock_that_closes(clock: float, examples: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", board="ulx3s", clock=clock, interval=1024, verify=False)
    timing, lines = made.report["timing"], "\n".join(lines_of(made.report))
    estimate = timing["clock_estimate_mhz"]
    assert 90 < estimate < 250 and timing["clock_limit"]["unit"] and timing["clock_limit"]["path"] in lines
    assert timing["closing_mhz"] == min(clock, estimate) and made.report["clock_mhz"] == clock
    assert timing["fps"] == pytest.approx(timing["closing_mhz"] * 1e6 / timing["interval_cycles"], rel=1e-9)
    assert (f"estimated to reach of {clock:g} MHz" in lines) == (clock > estimate)


def test_other_families_have_no_estimate(examples: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", interval=1024, verify=False)
    timing = made.report["timing"]
    assert timing["clock_estimate_mhz"] is None and timing["clock_limit"] is None and timing["closing_mhz"] == made.report["clock_mhz"]
    assert "clock estimated" not in "\n".join(lines_of(made.report))
