"""The area estimates against the committed sweep of real syntheses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import dfcompile
from benchmarks.calibrate import RESOURCES, error, read_table
from benchmarks.calibration_sweep import sweep
from benchmarks.calibration_units import mvtu, window
from dfcompile.device.area import block_count, distinct, lutram_luts, ram, rom_bit
from dfcompile.device.boards import LINK, USABLE, find_board
from dfcompile.device.cost import FF_RATE, MEASURES, budget, rates, vector
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.synthesis.flow import commands
from dfcompile.units.fifo import Fifo
from dfcompile.units.parts.packed import PACKED

MEDIAN, WORST = 0.10, 0.30


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("resource", ["lut", "ff", "bram36", "dsp"])
def test_estimates_meet_the_sweep(family: str, resource: str) -> None:
    units = sweep()
    errors = {}
    for name, real in read_table()[family].items():
        estimate = getattr(units[name].resources(family), resource)
        if real[resource] or estimate:
            errors[name] = abs(error(real[resource], estimate))
    if resource == "dsp" and FAMILIES[family].dsp is None:
        assert not errors
        return
    assert errors
    assert median(errors.values()) <= MEDIAN
    assert max(errors.values()) <= WORST, {n: round(e, 2) for n, e in errors.items() if e > WORST}


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
def test_areas_of_all_styles_are_those_of_each(family: str) -> None:
    """Number for number: the search for a folding takes the ones, the report the others."""
    styled = {name: (unit, list(unit.styles(family))) for name, unit in sweep().items()}
    assert sum(len(styles) > 1 for _, styles in styled.values()) > 20
    for name, (unit, styles) in styled.items():
        each = [tuple(map(float, (unit.folded(**s) if s else unit).resources(family))) for s in styles]
        assert list(map(tuple, unit.areas(styles, family).tolist())) == each, name


def test_the_sweep_covers_every_kind_of_unit() -> None:
    from dfcompile.units import all_units

    assert {u.kind for u in sweep().values()} == set(all_units())
    assert len(read_table()["xc7"]) >= 40
    assert set(RESOURCES) <= set(MEASURES)


def test_a_vector_holds_every_measure() -> None:
    found = vector(Resources(1, 2, 3, 4, 5), 6)
    assert found.tolist() == [1, 2, 3, 4, 5, 6]
    assert len(found) == len(MEASURES) == len(rates("xc7"))


def test_a_block_ram_is_worth_what_the_board_has_fewer_of_it() -> None:
    board = find_board("pynq-z2")
    worth = dict(zip(MEASURES, rates("xc7", board), strict=True))
    assert worth["lut"] == 1 and worth["ff"] == FF_RATE
    assert worth["bram36"] == pytest.approx(53200 / 140)
    assert worth["dsp"] == pytest.approx(53200 / 220)
    assert worth["uram"] == 0  # the device has none, and its budget of 0 forbids them
    limit = dict(zip(MEASURES, budget(board), strict=True))
    assert limit["lut"] == pytest.approx(53200 * USABLE["lut"])
    assert limit["uram"] == 0 and np.isinf(limit["lanes"])


@pytest.mark.parametrize(
    ("depth", "width", "blocks"), [(512, 36, 1), (513, 36, 2), (16384, 1, 1), (32768, 18, 32), (2048, 144, 16), (1, 1, 1)]
)
def test_block_rams_take_the_shape_that_needs_fewest(depth: int, width: int, blocks: int) -> None:
    assert block_count(depth, width, "xc7") == blocks


def test_distributed_memories_grow_with_depth() -> None:
    assert lutram_luts(32, 6, "xc7") == 4  # one RAM32M
    assert lutram_luts(64, 3, "xc7") == 4  # one RAM64M
    assert lutram_luts(16, 4, "ecp5") == 6
    for family in FAMILIES:
        bits = [rom_bit(d, family) for d in (1, 2, 8, 64, 65, 256, 512, 1024)]
        assert bits == sorted(bits) and bits[0] == 0


def test_without_distributed_memory_a_block_is_weighed_against_flip_flops() -> None:
    """As Yosys decides: 64 bits and a few more a block."""
    few, many = ram(8, 8, "lutram", "ice40"), ram(8, 10, "lutram", "ice40")
    assert few.bram36 == 0 and few.ff >= 64
    assert many.bram36 == pytest.approx(1 / 9) and many.ff == 0
    assert ram(8, 8, "bram", "ice40").bram36 == pytest.approx(1 / 9), "where it is asked for"
    assert Fifo((1, 16, 1), IntType(16, False), 1, 16).resources("ice40").bram36 == pytest.approx(1 / 9)


def test_a_board_keeps_its_host_link_out_of_the_budget() -> None:
    board = find_board("icebreaker")
    assert board.budget["lut"] == 5280 - LINK["lut"] and board.budget["bram36"] == pytest.approx(28 / 9, abs=0.01)
    assert board.usable["lut"] == pytest.approx(5280 * FAMILIES["ice40"].fill - LINK["lut"])
    assert find_board("pynq-z2").budget["lut"] == 53200


def test_equal_columns_of_a_memory_are_stored_once() -> None:
    assert distinct(1, 4) == pytest.approx(1)
    assert distinct(1000, 4) == pytest.approx(16, abs=1e-6)
    assert distinct(100, 64) == 100


def test_more_parallel_is_larger_and_block_ram_saves_luts() -> None:
    small, large = mvtu("u2", "s2", "u2", 64, 576, 4, 16), mvtu("u2", "s2", "u2", 64, 576, 8, 32)
    assert small.resources("xc7").lut < large.resources("xc7").lut
    blocks = mvtu("u2", "s2", "u2", 64, 576, 4, 16, weight_style="bram")
    logic = mvtu("u2", "s2", "u2", 64, 576, 4, 16, weight_style="lut")
    assert blocks.resources("xc7").bram36 == 4 and logic.resources("xc7").bram36 == 0
    assert logic.resources("xc7").lut > blocks.resources("xc7").lut + 1000


def test_products_move_between_luts_and_dsp_slices() -> None:
    def area(style: str) -> Resources:
        return mvtu("u8", "s8", "u8", 16, 72, 2, 9, weight_style="bram", arithmetic=style).resources("xc7")

    assert area("dsp").dsp == 18 and area("lut").dsp == 0
    assert area("lut").lut > area("dsp").lut + 18 * 64


def test_a_line_buffer_in_uram_counts_uram() -> None:
    unit = window(112, 64, 3, "u4", 16, pad=1).folded(style="uram")
    assert unit.resources("xcup").uram == 1
    assert unit.resources("xcup").bram36 == 0


def test_fifos_come_out_of_the_rest_of_the_board_first() -> None:
    board = find_board("pynq-z2")
    small, large = vector(Resources(lut=5000)), vector(Resources(lut=20000, bram36=100))
    assert budget(board, small).tolist() == budget(board).tolist()
    left = dict(zip(MEASURES, budget(board, large), strict=True))
    assert left["lut"] == 53200 - 20000 and left["bram36"] == 40
    assert left["dsp"] == board.dsp


def test_a_family_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small LUTs, blocks of 4 kbit, no distributed RAM and no multipliers: every unit has an area, and none in what is not there."""
    blocks = ((256, 16), (512, 8), (1024, 4), (2048, 2))
    bare = replace(FAMILIES["ecp5"], title="bare", lutram=(), blocks=blocks, shared=blocks[1:], block=1 / 9, dsp=None)
    monkeypatch.setitem(FAMILIES, "bare", bare)
    units = {name: unit for name, unit in sweep().items() if getattr(unit, "arithmetic", "") not in PACKED}  # slices of AMD's
    areas = {name: unit.resources("bare") for name, unit in units.items()}
    for name, unit in units.items():
        styled = [unit.folded(**style).resources("bare") for style in unit.styles("bare")]
        assert all(a.dsp == 0 and a.uram == 0 and a.lut > 0 and a.ff >= 0 for a in (areas[name], *styled)), name
    assert any(a.bram36 for a in areas.values())
    assert block_count(512, 16, "bare") == 2 and ram(512, 16, "bram", "bare").bram36 == 2 / 9
    assert commands("bare", "top")[0].startswith("synth_ecp5 -top top")


def test_no_other_file_decides_by_the_name_of_a_family() -> None:
    names = "|".join(FAMILIES)
    decides = re.compile(rf'[=!]= "({names})"|\bin \(.*"({names})"|"({names})" *[:,]')
    files = [p for p in Path(dfcompile.__file__).parent.rglob("*.py") if p.name != "family.py"]
    assert [f"{p}: {found[0]}" for p in files for found in decides.finditer(p.read_text(encoding="utf-8"))] == []
