"""Several products in a DSP slice: SystemVerilog against the definition, at random and at the ends of the types, and slices as counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.mode.verify_dataflow import _netlist_alone, netlist_of, verify_rtl
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.units.mvtu import Mvtu
from tests.three_way import check, one_unit
from tests.units.arithmetic_cases import Operands, mvtu
from tests.units.test_matmul import matmul

UINT2, UINT4, UINT8, INT2, INT4, INT8 = (IntType(b, signed=s) for s in (False, True) for b in (2, 4, 8))
CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "unsigned by signed": (Operands(UINT8, INT8, UINT4), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 3}),
    "signed by signed, odd rows": (Operands(INT8, INT8, None), ((1, 2), 1, 7, 10), {"pe": 3, "simd": 4}),
    "three of 4 bits": (Operands(UINT4, INT4, UINT4, flip=True), ((1, 2), 2, 8, 6), {"pe": 4, "simd": 3}),
    "all at once": (Operands(INT4, IntType(8), None), ((1, 2), 1, 4, 5), {"pe": 4, "simd": 5}),
}  # fmt: skip


def corner(name: str) -> Mvtu:
    types, sizes, fields = CORNERS[name]
    return mvtu(np.random.default_rng(7), types, *sizes, **fields, arithmetic="packed")


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    check(corner(name), frames=3, stalls=0.4, hls=name == "unsigned by signed")


def test_ends_of_types() -> None:
    """The largest products, and the least, beside each other."""
    unit = corner("signed by signed, odd rows")
    ends = np.array([-128, 127])
    rng = np.random.default_rng(3)
    sharp = replace(
        unit, weights=rng.choice(ends, unit.weights.shape), acc_dtype=IntType(22, signed=True), out_dtype=IntType(22, signed=True)
    )
    check(sharp, [rng.choice(ends, (4, *unit.in_shape))], hls=False)


def test_streams() -> None:
    check(
        matmul(3, 2, 3, 6, 4, UINT4, in_dtype=INT8, matrix_dtype=INT8, arithmetic="packed", pe=3, simd=2), frames=2, stalls=0.4, hls=False
    )


def test_slices_and_files(tmp_path: Path) -> None:
    unit = corner("three of 4 bits")
    assert unit_synthesis(unit, "xc7").run().dsp == unit.resources("xc7").dsp == 3, "three rows share a slice, the fourth is in LUTs"
    emit_rtl(one_unit(unit), tmp_path / "packed")
    emit_rtl(one_unit(unit.folded(arithmetic="dsp")), tmp_path / "plain")
    assert [(tmp_path / f / "dfc_dots_packed.sv").exists() for f in ("packed", "plain")] == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "cell"), [("xc7", "DSP48E1"), pytest.param("xcup", "DSP48E2", marks=pytest.mark.full)])
def test_netlist(family: str, cell: str, tmp_path: Path) -> None:
    """The slices are packed behind synthesis, and do what the RTL does."""
    design = one_unit(corner("three of 4 bits"))
    emit_rtl(design, tmp_path)
    frozen = golden(design, random_inputs(design, 4))
    folder = netlist_of(design, tmp_path, family)
    assert (folder / "netlist.v").read_text().count(f" {cell} ") == 3
    found = verify_rtl(design, frozen, folder, 0.3, _netlist_alone(family), "cpp")
    assert found["pass"], found["first_mismatch"]


def test_where_it_is_offered() -> None:
    def offered(unit: Mvtu, family: str) -> bool:
        return "packed" in {s["arithmetic"] for s in unit.styles(family)}

    wide = mvtu(np.random.default_rng(0), Operands(UINT8, INT8, None), (1, 1), 1, 4, 8, pe=2, simd=2)
    assert [offered(wide, f) for f in ("xc7", "xcup", "ecp5", "ice40")] == [True, True, False, False]
    assert not offered(wide.folded(pe=1), "xc7"), "no second row shares an input"
    for x, w in ((UINT2, INT2), (IntType(16), IntType(16)), (BIPOLAR, INT8)):
        other = mvtu(np.random.default_rng(0), Operands(x, w, None), (1, 1), 1, 4, 8, pe=2, simd=2)
        assert not offered(other, "xcup")
        with pytest.raises(ValueError, match="do not fit a slice"):
            other.folded(arithmetic="packed")
