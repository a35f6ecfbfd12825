"""Chains of DSP slices of several products: SystemVerilog against the definition, at random and at the ends of types, and as counted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.mode.verify_dataflow import _netlist_alone, netlist_of, verify_rtl
from dfcompile.run import compile
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.parts.packed import PACKED, Packing, columns
from tests.three_way import check, one_unit
from tests.units.arithmetic_cases import Operands, lint, mvtu
from tests.units.test_matmul import matmul

UINT2, UINT4, UINT8, INT2, INT4, INT8 = (IntType(b, signed=s) for s in (False, True) for b in (2, 4, 8))
CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "unsigned by signed": (Operands(UINT8, INT8, UINT4), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 3}),
    "signed by signed, odd rows": (Operands(INT8, INT8, None), ((1, 2), 1, 7, 10), {"pe": 3, "simd": 4}),
    "three of 4 bits": (Operands(UINT4, INT4, UINT4, flip=True), ((1, 2), 2, 8, 6), {"pe": 4, "simd": 3}),
    "all at once": (Operands(INT4, IntType(8), None), ((1, 2), 1, 4, 5), {"pe": 4, "simd": 5}),
    "unsigned by unsigned, a short chain": (Operands(UINT4, UINT4, None), ((1, 2), 1, 5, 21), {"pe": 5, "simd": 7}),
    "wide by narrow": (Operands(IntType(13, signed=True), INT2, UINT4), ((1, 2), 1, 4, 18), {"pe": 2, "simd": 9}),
}  # fmt: skip


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator simulates the slices themselves."""
    monkeypatch.setattr(compile, "TRANSLATE", [*compile.TRANSLATE, "+define+DFC_CELLS"])


def corner(name: str, arithmetic: str = "packed25") -> Mvtu:
    types, sizes, fields = CORNERS[name]
    return mvtu(np.random.default_rng(7), types, *sizes, **fields, arithmetic=arithmetic)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("arithmetic", PACKED)
@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str, arithmetic: str) -> None:
    check(corner(name, arithmetic), frames=3, stalls=0.4, hls=False)


@pytest.mark.parametrize("name", ["unsigned by signed", "unsigned by unsigned, a short chain"])
def test_the_sums_that_slices_make(name: str) -> None:
    check(corner(name, "packed27"), frames=3, stalls=0.4)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("arithmetic", PACKED)
def test_ends_of_types(arithmetic: str) -> None:
    """The largest products, and the least, beside each other, in chains as long as a field allows."""
    ends, rng = np.array([-128, 127]), np.random.default_rng(3)
    unit = mvtu(rng, Operands(INT8, INT8, None), (1, 2), 1, 7, 16, pe=3, simd=8, arithmetic=arithmetic)
    weights = np.vstack([np.full((1, 16), -128), np.full((1, 16), 127), rng.choice(ends, (5, 16))]).reshape(unit.weights.shape)
    sharp = replace(unit, weights=weights, acc_dtype=IntType(22, signed=True), out_dtype=IntType(22, signed=True))
    frames = rng.choice(ends, (6, *unit.in_shape))
    frames[0], frames[1] = -128, 127
    check(sharp, [frames], hls=False)


def test_no_field_overflows() -> None:
    """The sum of a chain is within its field at the ends of both types, and all fields within a slice, over all widths."""
    longest = 0
    widths = itertools.product(PACKED, range(1, 18), (False, True), range(1, 13), (False, True))
    for arithmetic, x, signed, w, minus in widths:
        if columns(arithmetic) - w - 1 < x + w:
            continue  # two do not fit
        form = Packing.of((x, signed), (w, minus), 16, arithmetic)
        a, b = IntType(x, signed=signed), IntType(w, signed=minus)
        products = [0, *(p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi))]
        half = 1 << form.field - 1 if signed or minus else 0
        assert min(products) * form.chain + half >= 0
        assert max(products) * form.chain + half < 1 << form.field
        assert (form.pack - 1) * form.field + w < columns(arithmetic), "and a bit for what is borrowed of the highest weight"
        assert form.pack * form.field <= 48
        assert form.chain * (form.chains - 1) < 16 <= form.chain * form.chains
        longest = max(longest, form.chain)
    assert longest == 4


def test_streams() -> None:
    unit = matmul(3, 2, 3, 6, 4, UINT4, in_dtype=INT8, matrix_dtype=INT8, arithmetic="packed25", pe=3, simd=2)
    check(unit, frames=2, stalls=0.4, hls=False)


def test_lints(tmp_path: Path) -> None:
    for arithmetic in PACKED:
        lint(corner("unsigned by unsigned, a short chain", arithmetic), tmp_path / arithmetic)


def test_slices_and_files(tmp_path: Path) -> None:
    unit = corner("three of 4 bits")
    assert unit_synthesis(unit, "xc7").run().dsp == unit.resources("xc7").dsp == 6, "three rows share a slice, the fourth has its own"
    emit_rtl(one_unit(unit), tmp_path / "packed")
    emit_rtl(one_unit(unit.folded(arithmetic="dsp")), tmp_path / "plain")
    for file in ("dfc_dots_packed.sv", "dfc_slice.sv"):
        assert [(tmp_path / f / file).exists() for f in ("packed", "plain")] == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "cell", "arithmetic"),
    [("xc7", "DSP48E1", "packed25"), pytest.param("xcup", "DSP48E2", "packed27", marks=pytest.mark.further)],
)
def test_netlist(family: str, cell: str, arithmetic: str, tmp_path: Path) -> None:
    """Behind synthesis, with Yosys' model of a DSP48E1, the slices do what the RTL does."""
    design = one_unit(corner("unsigned by unsigned, a short chain", arithmetic))
    emit_rtl(design, tmp_path)
    frozen = golden(design, random_inputs(design, 4))
    folder = netlist_of(design, tmp_path, family)
    assert (folder / "netlist.v").read_text().count(f" {cell} ") == 14
    found = verify_rtl(design, frozen, folder, 0.3, _netlist_alone(family), "cpp")
    assert found["pass"], found["first_mismatch"]


def test_where_it_is_offered() -> None:
    def offered(unit: Mvtu, family: str) -> set[str]:
        return set(PACKED) & {s["arithmetic"] for s in unit.styles(family)}

    wide = mvtu(np.random.default_rng(0), Operands(UINT8, INT8, None), (1, 1), 1, 4, 8, pe=2, simd=2)
    assert [offered(wide, f) for f in ("xc7", "xcup", "ecp5", "ice40")] == [{"packed25"}, {"packed27"}, set(), set()]
    assert not offered(wide.folded(pe=1), "xc7"), "no second row shares an input"
    for x, w in ((UINT2, INT2), (IntType(16), IntType(16)), (BIPOLAR, INT8)):
        other = mvtu(np.random.default_rng(0), Operands(x, w, None), (1, 1), 1, 4, 8, pe=2, simd=2)
        assert not offered(other, "xcup")
        with pytest.raises(ValueError, match="do not fit a slice"):
            other.folded(arithmetic="packed27")
