"""Dot products on carry chains: SystemVerilog against the definition with random stalls, cycles as predicted, area as counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.mode.verify_dataflow import _netlist_alone, netlist_of, verify_rtl
from dfcompile.run import compile
from dfcompile.units.base import Unit
from dfcompile.units.parts.carry import carry_area
from tests.examples import some
from tests.three_way import check, one_unit
from tests.units.arithmetic_cases import Operands, lint, mvtu, vvtu
from tests.units.test_matmul import matmul

UINT1, UINT2, UINT4, INT1, INT2, INT4, INT8 = (IntType(b, signed=s) for s, bits in ((False, (1, 2, 4)), (True, (1, 2, 4, 8))) for b in bits)
CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "one of everything": (Operands(UINT2, INT2, UINT2), ((1, 1), 1, 1, 1), {}),
    "popcount": (Operands(BIPOLAR, BIPOLAR, BIPOLAR, flip=True), ((1, 2), 1, 4, 64), {"pe": 2, "simd": 32}),
    "popcount of odd lanes": (Operands(BIPOLAR, BIPOLAR, None), ((1, 2), 1, 4, 27), {"pe": 2, "simd": 9}),
    "popcount with dummies in each run": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 2), 1, 5, 30), {"pe": 4, "simd": 4, "run": 10}),
    "unsigned by signed": (Operands(UINT4, INT4, UINT4), ((1, 2), 2, 6, 16), {"pe": 3, "simd": 8}),
    "signed by signed, dummies": (Operands(INT4, INT4, None), ((1, 2), 2, 7, 10), {"pe": 3, "simd": 4}),
    "signed by unsigned, odd lanes": (Operands(INT4, UINT4, UINT2), ((1, 2), 1, 4, 15), {"pe": 2, "simd": 5}),
    "bits by signed, odd lanes": (Operands(UINT1, INT2, None), ((1, 2), 1, 4, 9), {"pe": 2, "simd": 3}),
    "weights -1 and 0": (Operands(UINT2, INT1, UINT2), ((1, 2), 1, 4, 12), {"pe": 4, "simd": 12}),
    "signed bits": (Operands(INT1, INT1, None), ((1, 2), 1, 2, 20), {"simd": 10}),
    "bipolar inputs": (Operands(BIPOLAR, INT4, None), ((1, 2), 1, 5, 9), {"pe": 3, "simd": 7}),
    "bipolar weights, signed inputs": (Operands(INT8, BIPOLAR, UINT4), ((1, 2), 2, 5, 9), {"pe": 3, "simd": 2, "run": 3}),
    "sums in one step": (Operands(INT8, INT8, None), ((1, 2), 2, 3, 3), {"pe": 1, "simd": 3}),
}  # fmt: skip


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator simulates the LUTs and chains themselves."""
    monkeypatch.setattr(compile, "TRANSLATE", [*compile.TRANSLATE, "+define+DFC_CELLS"])


def corner(name: str, arithmetic: str) -> Unit:
    types, sizes, fields = CORNERS[name]
    return mvtu(np.random.default_rng(7), types, *sizes, **fields, arithmetic=arithmetic)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("name", some(CORNERS, always=[*list(CORNERS)[::4], "signed by signed, dummies"]))
def test_corners(name: str) -> None:
    """Of both cells in turn; the C++ knows nothing of them."""
    check(corner(name, ("carry4", "carry8")[list(CORNERS).index(name) % 2]), frames=3, stalls=0.4, hls=False)


@pytest.mark.parametrize("name", ["popcount of odd lanes", "signed by signed, dummies", "bipolar inputs", "bipolar weights, signed inputs"])
def test_the_sum_that_the_cells_make(name: str) -> None:
    check(corner(name, "carry4"), frames=3, stalls=0.4, hls=False)


def test_cpp_and_other_units() -> None:
    check(corner("unsigned by signed", "carry8"), frames=2, stalls=0.4)
    depthwise = vvtu(np.random.default_rng(1), Operands(UINT4, INT4, UINT4), (1, 2), 6, 9, pe=3, arithmetic="carry4")
    check(depthwise, frames=2, stalls=0.4, hls=False)
    check(matmul(3, 2, 3, 6, 4, UINT4, arithmetic="carry8", pe=2, simd=3), frames=2, stalls=0.4, hls=False)


def test_lints_and_is_of_its_own_files_alone(tmp_path: Path) -> None:
    lint(corner("popcount of odd lanes", "carry8"), tmp_path / "chains")
    emit_rtl(one_unit(corner("popcount of odd lanes", "auto")), tmp_path / "plain")
    own = {"dfc_dot_carry.sv", "dfc_dot_plain.sv", "dfc_carry_row.sv", "dfc_xilinx_cells.svh"}
    made, plain = ({p.name for p in (tmp_path / f).iterdir()} for f in ("chains", "plain"))
    assert own <= made and not own & plain


def area_node_by_node(simd: int, x: int, w: int, acc: int) -> tuple[int, int]:
    """LUTs and flip-flops of all rows, each a list of (lowest place, most) of its numbers: a place above the sum's is not kept."""

    def places(low: int, most: int) -> int:
        return max(0, min(most.bit_length(), acc) - low)

    def row(parts: list[tuple[int, int]], most: int) -> int:
        if len(parts) == 1:
            return 0
        ends, top = sorted(min(m.bit_length(), acc) for _, m in parts), min(most.bit_length(), acc)
        carry_alone = ends[-1] < top and ends[-2] < top - 1  # the highest place is a carry, which the chain gives for nothing
        return max(0, top - carry_alone - parts[1][0])

    terms = [t // simd for t in range(simd * w)]
    pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
    lut, ff = acc + sum(x + p[-1] - p[0] for p in pairs), acc
    nodes = [(p[0], sum(((1 << x) - 1) << j for j in p)) for p in pairs]
    while True:
        ff += sum(places(*n) for n in nodes)
        if len(nodes) <= 2:
            return lut, ff
        threes = [nodes[i : i + 3] for i in range(0, len(nodes), 3)]
        nodes = [(parts[0][0], sum(m for _, m in parts)) for parts in threes]
        lut += sum(row(parts, most) for parts, (_, most) in zip(threes, nodes, strict=True))


@given(st.integers(1, 90), st.sampled_from([1, 2, 3, 4, 8]), st.sampled_from([1, 2, 3, 4, 8]), st.sampled_from([5, 12, 20, 32]))
def test_area_of_equal_nodes_together_is_that_of_each(simd: int, x: int, w: int, acc: int) -> None:
    assert carry_area(simd, x, w, acc) == area_node_by_node(simd, x, w, acc)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("zeros", ["2:4", "skip"])
def test_words_skipped(zeros: str) -> None:
    """Where all sums have as many words: each lane has its own inputs, or a block of zeros is in every fold of rows."""
    rng = np.random.default_rng(3)
    unit = mvtu(rng, Operands(INT4, INT4, UINT4), (1, 2), 1, 6, 24, pe=2, simd=8)
    keep = np.tile([False, True, True, False], (6, 6)) if zeros == "2:4" else (np.arange(24) // 8 + np.arange(6)[:, None] // 2) % 3 > 0
    unit = replace(unit, weights=unit.weights * keep, zeros=zeros, arithmetic="carry4")
    assert unit.sparse is not None and unit.sparse.steps == (3 if zeros == "2:4" else 2)
    check(unit, frames=3, stalls=0.4, hls=False)


def test_words_are_not_skipped_where_sums_have_not_as_many() -> None:
    unit = mvtu(np.random.default_rng(3), Operands(INT4, INT4, UINT4), (1, 2), 1, 6, 24, pe=2, simd=8)
    uneven = replace(unit, weights=unit.weights * ((np.arange(6)[:, None] > 1) | (np.arange(24) > 7)), zeros="skip")
    with pytest.raises(ValueError, match="'carry4' needs as many words of each sum"):
        uneven.folded(arithmetic="carry4")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["xc7", pytest.param("xcup", marks=pytest.mark.full)])
def test_netlist(family: str, tmp_path: Path) -> None:
    """The cells are still there behind synthesis, and do what the RTL does."""
    arithmetic, carry = {"xc7": ("carry4", "CARRY4"), "xcup": ("carry8", "CARRY8")}[family]
    design = one_unit(mvtu(np.random.default_rng(5), Operands(UINT2, INT2, UINT2), (1, 2), 1, 4, 12, pe=2, simd=6, arithmetic=arithmetic))
    emit_rtl(design, tmp_path)
    frozen = golden(design, random_inputs(design, 4))
    folder = netlist_of(design, tmp_path, family)
    text = (folder / "netlist.v").read_text()
    assert text.count(" LUT6_2 ") >= 2 * 6 * 2 and f" {carry} " in text
    found = verify_rtl(design, frozen, folder, 0.3, _netlist_alone(family), "cpp")
    assert found["pass"], found["first_mismatch"]
