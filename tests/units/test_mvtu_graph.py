"""Matrix-vector unit by adders of its constants: C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adder_graphs import matrix, unit_of
from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError
from dfcompile.folding.fold import cheapest, read_folding
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.run.hls import run_hls
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.units.mvtu import Mvtu
from tests.examples import drawn, simulated
from tests.three_way import check_cpp, one_unit, random_codes
from tests.units.arithmetic_cases import Operands, lint, mvtu, operands
from tests.units.exact import check_exact

UINT2, UINT4 = IntType(2), IntType(4)
INT1, INT2, INT4, INT8 = (IntType(b, signed=True) for b in (1, 2, 4, 8))


def graph_unit(rng: np.random.Generator, o: Operands, shape: tuple[int, int], mh: int, mw: int, density: float = 1.0, **more: Any) -> Mvtu:
    """A unit of whole vectors by adders; `density`: share of the weights that are not 0, as far as their type has a 0."""
    made = mvtu(rng, o, shape, 1, mh, mw, pe=mh, simd=mw, arithmetic="graph", **more)
    return made if o.w.bipolar else replace(made, weights=made.weights * (rng.random(made.weights.shape) < density))


@st.composite
def graph_units(draw: st.DrawFn) -> Mvtu:
    mh, mw = draw(st.integers(1, 8)), draw(st.integers(1, 16))
    shape = draw(st.sampled_from([(1, 1), (1, 3), (2, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    styles = {"threshold_style": draw(st.sampled_from(["auto", "bram"]))}
    return graph_unit(rng, draw(operands()), shape, mh, mw, draw(st.sampled_from([1.0, 0.5, 0.1, 0.0])), **styles)


def test_hls() -> None:
    check_cpp(drawn(graph_units(), 10), frames=2)


@simulated(8)
@given(graph_units())
def test_rtl_and_schedule(unit: Mvtu) -> None:
    check_exact(unit, hls=False)


CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "one of everything": (Operands(UINT2, INT2, UINT2), ((1, 1), 1, 1), {}),
    "thresholds": (Operands(UINT4, INT4, UINT4, flip=True), ((2, 2), 6, 30), {}),
    "sums": (Operands(INT4, INT4, None), ((2, 2), 6, 30), {}),
    "sums of beats that wait": (Operands(INT4, INT8, None), ((1, 9), 20, 12), {}),
    "bipolar": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 3), 12, 40), {}),
    "bipolar, sums": (Operands(BIPOLAR, BIPOLAR, None), ((1, 3), 5, 9), {}),
    "one-bit signed inputs, few weights": (Operands(INT1, INT8, None), ((1, 3), 5, 9), {"density": 0.3}),
    "nothing but zeros": (Operands(UINT4, INT4, UINT2), ((1, 2), 3, 5), {"density": 0.0}),
}


def corner(name: str) -> Mvtu:
    types, sizes, fields = CORNERS[name]
    return graph_unit(np.random.default_rng(7), types, *sizes, **fields)


def test_corners_in_cpp() -> None:
    check_cpp([corner(name) for name in CORNERS], frames=2)


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str, tmp_path: Path) -> None:
    unit = corner(name)
    check_exact(unit, frames=2, stalls=(0.4,), hls=False)
    lint(unit, tmp_path)


def test_sums_known_to_be_small_lint_clean(tmp_path: Path) -> None:
    """Inputs that never take all codes of their type make sums of fewer bits than the adders reckon with."""
    unit = graph_unit(np.random.default_rng(7), Operands(INT4, INT4, None), (1, 1), 3, 5)
    small = IntType(unit.acc_dtype.bits - 1, signed=True)
    lint(replace(unit, acc_dtype=small, out_dtype=small), tmp_path)


@pytest.mark.parametrize("name", CORNERS)
def test_beats_wait_where_they_have_fewer_bits(name: str) -> None:
    types, sizes, fields = CORNERS[name]
    unit = graph_unit(np.random.default_rng(7), types, *sizes, **fields)
    assert unit.graph is not None
    wide = unit.inputs[0].width > unit.outputs[0].width
    assert unit.graph.waiting == (types.out is None and not wide)


def test_two_units_in_one_file_of_cpp(tmp_path: Path) -> None:
    """Small designs are compiled as one file: each unit's adders have a name of their own."""
    rng = np.random.default_rng(3)
    units = [graph_unit(rng, Operands(INT4, INT4, None), (1, 2), mh, 5) for mh in (3, 4)]
    tensors = {f"{n}{i}": Tensor(s.shape, s.dtype) for i, u in enumerate(units) for n, (s,) in (("x", u.inputs), ("y", u.outputs))}
    nodes = tuple(Node(f"unit{i}", u, (f"x{i}",), (f"y{i}",)) for i, u in enumerate(units))
    design = Design(Graph("two", nodes, tensors, {}, ("x0", "x1"), ("y0", "y1")))
    inputs = [random_codes(u.inputs[0], 2, rng) for u in units]
    for found, unit, x in zip(run_hls(design, inputs), units, inputs, strict=True):
        np.testing.assert_array_equal(found, unit.compute(x)[0])


@pytest.mark.parametrize(("bits", "density"), [(1, 1.0), (4, 0.3)])
def test_area_is_that_of_the_matrix(bits: int, density: float) -> None:
    """Within 15 % of synthesis, whatever the weights are (`python -m benchmarks.adder_graphs areas`)."""
    unit = unit_of(matrix(16, 16, bits, density), IntType(bits))
    real, guess = unit_synthesis(unit, "xc7").run(), unit.resources("xc7")
    assert guess.lut == pytest.approx(real.lut, rel=0.15) and guess.ff == pytest.approx(real.ff, rel=0.15)


def test_what_switches_are_adders() -> None:
    """Not the products that there are none of: those are what a cycle is worth."""
    unit = unit_of(matrix(16, 32, 4, 0.25), IntType(4))
    assert unit.adders is not None and unit.mac_lanes == len(unit.adders.pipeline.graph.left) < 16 * 32 / 3
    assert unit.mac_rate == unit.folded(arithmetic="auto").mac_lanes == 16 * 32


def test_the_optimiser_takes_adders_where_they_are_less() -> None:
    """Of a matrix with few weights; of a folding that is not of whole vectors there are none to take."""
    unit = graph_unit(np.random.default_rng(0), Operands(UINT4, INT4, UINT2), (1, 4), 16, 16, 0.1).folded(arithmetic="auto")
    graph = one_unit(unit).graph
    assert cheapest(graph, 4).choices["unit"]["arithmetic"] == "graph"
    chosen = read_folding({"unit": {"pe": 16, "simd": 16, "arithmetic": "graph"}}, graph, {})
    assert chosen["unit"]["arithmetic"] == "graph"
    with pytest.raises(CompileError, match="is not a folding of mvtu 'unit'"):
        read_folding({"unit": {"pe": 8, "simd": 16, "arithmetic": "graph"}}, graph, {})
    with pytest.raises(ValueError, match="it needs one group, pe=16 and simd=16"):
        unit.folded(pe=8, arithmetic="graph")
