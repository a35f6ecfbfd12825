"""Matrix-vector unit that leaves out words of zeros: values, C++ and SystemVerilog beat for beat, cycles counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.folding.fold import cheapest, read_folding
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.parts.sparse_form import MOST_USED
from tests.examples import drawn, examples, simulated
from tests.three_way import check, check_cpp, one_unit
from tests.units.arithmetic_cases import Operands, lint, mvtu, types
from tests.units.exact import check_exact

UINT2, UINT4, UINT8 = IntType(2), IntType(4), IntType(8)
INT2, INT4, INT8 = (IntType(b, signed=True) for b in (2, 4, 8))


def used(rng: np.random.Generator, shape: tuple[int, int], blocks: tuple[int, int], density: float, pattern: tuple[int, int]) -> Array:
    """Which weights (mh, mw) stay: whole blocks, and of those at most n of each m columns."""
    mh, mw = shape
    mask = rng.random((-(-mh // blocks[0]), -(-mw // blocks[1]))) < density
    mask = mask.repeat(blocks[0], axis=0).repeat(blocks[1], axis=1)[:mh, :mw]
    n, m = pattern
    order = rng.random((mh, -(-mw // m), m)).argsort(axis=2).reshape(mh, -1)[:, :mw]
    return np.asarray(mask & (order < n))


def sparse_unit(rng: np.random.Generator, o: Operands, sizes: tuple[Any, ...], mask: Array, **fields: Any) -> Mvtu:
    """A unit with weights where `mask` has them."""
    shape, mh, mw = sizes
    made = mvtu(rng, o, shape, 1, mh, mw)
    return replace(made, weights=made.weights * mask, **fields)


@st.composite
def sparse_units(draw: st.DrawFn) -> Mvtu:
    """Of any folding, with and without a pattern."""
    name, n, m = draw(st.sampled_from([("skip", 1, 1), ("1:2", 1, 2), ("2:4", 2, 4), ("1:4", 1, 4)]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    mh, groups = draw(st.integers(1, 8)), draw(st.integers(1, max(1, 16 // m)))
    pe, simd = draw(st.integers(1, mh)), m * draw(st.integers(1, groups))
    out = draw(st.one_of(st.none(), types(4)))
    weight = draw(st.builds(IntType, st.integers(1, 8), st.booleans()))
    o = Operands(draw(types()), weight, out, draw(st.booleans()), draw(st.booleans()))
    mask = used(rng, (mh, m * groups), (draw(st.integers(1, 4)), m), draw(st.sampled_from([1.0, 0.5, 0.1, 0.0])), (n, m))
    fields = {"weight_style": draw(st.sampled_from(["auto", "bram"])), "zeros": name, "pe": pe, "simd": simd}
    return sparse_unit(rng, o, (draw(st.sampled_from([(1, 1), (1, 3), (2, 2)])), mh, m * groups), mask, **fields)


def test_hls() -> None:
    check_cpp(drawn(sparse_units(), 4), frames=3)


def test_elements_across_the_limbs_of_a_word_in_hls() -> None:
    """Four bits of weight and two of place: the eleventh weight lies in two limbs of the C++'s memory."""
    rng = np.random.default_rng(4)
    unit = sparse_unit(
        rng, Operands(UINT4, INT4, None), ((1, 3), 3, 32), used(rng, (3, 32), (1, 1), 1.0, (2, 4)), zeros="2:4", pe=3, simd=16
    )
    check(unit, frames=3, rtl=False)


@simulated(5)
@given(sparse_units())
def test_rtl_and_schedule(unit: Mvtu) -> None:
    check_exact(unit, hls=False)


# Types, (shape, rows, columns), (block, density, pattern), fields.
CORNERS: dict[str, tuple[Operands, tuple[Any, ...], tuple[Any, ...], dict[str, Any]]] = {
    "one of everything": (Operands(UINT2, INT2, UINT2), ((1, 1), 1, 1), ((1, 1), 1.0, (1, 1)), {}),
    "half of the blocks": (Operands(UINT4, INT4, UINT4, flip=True), ((2, 2), 8, 16), ((2, 4), 0.5, (1, 1)), {"pe": 2, "simd": 4}),
    "nothing but zeros": (Operands(UINT4, INT4, UINT2), ((1, 3), 6, 8), ((1, 1), 0.0, (1, 1)), {"pe": 2, "simd": 2}),
    "fewer words than beats": (Operands(INT4, INT4, None), ((1, 3), 2, 16), ((2, 2), 0.3, (1, 1)), {"pe": 2, "simd": 2}),
    "dummy rows and runs": (Operands(UINT4, INT4, UINT4), ((1, 2), 7, 30), ((3, 4), 0.5, (1, 1)), {"pe": 3, "simd": 4, "run": 10}),
    "bipolar inputs": (Operands(BIPOLAR, INT4, UINT2, flip=True), ((1, 2), 4, 12), ((2, 3), 0.5, (1, 1)), {"pe": 2, "simd": 3}),
    "one beat a vector": (Operands(UINT4, INT4, UINT4), ((1, 4), 6, 4), ((2, 4), 0.5, (1, 1)), {"pe": 2, "simd": 4}),
    "two of four": (Operands(UINT4, INT4, UINT4), ((1, 3), 4, 24), ((1, 1), 1.0, (2, 4)), {"pe": 2, "simd": 8, "zeros": "2:4"}),
    "two of four and blocks": (Operands(INT8, INT8, None), ((1, 3), 6, 24), ((2, 4), 0.5, (2, 4)), {"pe": 2, "simd": 4, "zeros": "2:4"}),
    "one of two, whole rows": (Operands(UINT8, INT4, UINT8), ((1, 2), 4, 8), ((1, 1), 1.0, (1, 2)), {"pe": 2, "simd": 8, "zeros": "1:2"}),
    "one of four, one lane": (Operands(BIPOLAR, INT2, UINT2), ((1, 2), 3, 8), ((1, 1), 1.0, (1, 4)), {"pe": 1, "simd": 4, "zeros": "1:4"}),
}  # fmt: skip


def corner(name: str) -> Mvtu:
    types, sizes, (blocks, density, pattern), fields = CORNERS[name]
    rng = np.random.default_rng(7)
    return sparse_unit(rng, types, sizes, used(rng, sizes[1:], blocks, density, pattern), **{"zeros": "skip", **fields})


ALWAYS = ("half of the blocks", "nothing but zeros", "dummy rows and runs", "one beat a vector", "two of four and blocks")


@pytest.mark.parametrize("name", [n if n in ALWAYS else pytest.param(n, marks=pytest.mark.full) for n in CORNERS])
def test_corners(name: str, tmp_path: Path) -> None:
    unit = corner(name)
    check_exact(unit, frames=3, stalls=(0.4,), hls=False)
    lint(unit, tmp_path)


def test_corners_in_cpp() -> None:
    check_cpp([corner(name) for name in CORNERS], frames=3)


def words(unit: Mvtu) -> int:
    """Words with a weight, one at least of each fold of rows, by definition."""
    _, mh, mw = unit.weights.shape
    count = 0
    for row in range(0, mh, unit.pe):
        here = unit.weights[0, row : row + unit.pe]
        count += max(1, sum(bool(here[:, c : c + unit.simd].any()) for c in range(0, mw, unit.simd)))
    return count


def test_half_of_the_blocks_take_half_of_the_cycles() -> None:
    """Whatever blocks these are, without a cycle between vectors."""
    rng = np.random.default_rng(3)
    mask = np.repeat(np.repeat(rng.permuted(np.arange(16) % 2 == 0).reshape(4, 4), 4, axis=0), 4, axis=1)
    unit = sparse_unit(rng, Operands(UINT4, INT4, UINT4), ((3, 3), 16, 16), mask, pe=4, simd=4)
    skipping = unit.folded(zeros="skip")
    assert (unit.folding, skipping.folding) == ({"pe": 4, "simd": 4}, {"pe": 4, "simd": 4, "zeros": "skip"})
    assert (unit.cycles, skipping.cycles) == (9 * 16, 9 * max(4, words(unit)))
    assert skipping.cycles <= 9 * 9
    run = check(skipping, frames=4, hls=False)
    assert run is not None and np.diff(run.frame_done).tolist() == [skipping.cycles] * 3


def test_two_of_four_take_half_of_the_cycles_of_as_many_products() -> None:
    rng = np.random.default_rng(0)
    unit = sparse_unit(rng, Operands(UINT4, INT4, UINT4), ((2, 2), 8, 32), used(rng, (8, 32), (1, 1), 1.0, (2, 4)), pe=4, simd=4)
    narrow = unit.folded(simd=8, zeros="2:4")
    assert narrow.sparse is not None and narrow.sparse.lanes == unit.simd
    assert 2 * narrow.cycles == unit.cycles
    with pytest.raises(ValueError, match="simd=2 has no whole groups of 4 inputs"):
        unit.folded(simd=2, zeros="2:4")
    with pytest.raises(ValueError, match="a row has more than 1 weights of 4 inputs"):
        unit.folded(zeros="1:4")
    assert check(narrow, frames=2, hls=False) is not None


@given(sparse_units(), st.data())
@examples(40)
def test_skipping_is_a_folding_where_a_tenth_of_the_words_goes(unit: Mvtu, data: Any) -> None:
    columns = unit.weights.shape[2]
    run = data.draw(st.sampled_from([d for d in range(1, columns + 1) if columns % d == 0]))
    unit = replace(unit, zeros="keep", pe=1, simd=1, run=run)
    offered = list(unit.foldings())
    for folding in (f for f in offered if "zeros" not in f):
        fewer = unit.folded(**folding, zeros="skip").cycles <= 0.9 * unit.folded(**folding).cycles
        assert ({**folding, "zeros": "skip"} in offered) == (fewer and (unit.weights != 0).mean() <= MOST_USED)


def test_the_optimiser_skips_where_it_is_less() -> None:
    """At an interval the cheaper of more lanes and fewer words; words with others than 0 are not skipped."""
    rng = np.random.default_rng(0)
    o, sizes = Operands(UINT4, INT4, UINT4), ((4, 4), 32, 64)
    half = sparse_unit(rng, o, sizes, used(rng, (32, 64), (4, 8), 0.5, (1, 1)))
    graph = one_unit(half).graph
    found = cheapest(graph, 16 * 64, "ecp5")  # whose lanes are no carry chains
    assert found.choices["unit"]["zeros"] == "skip"
    full = one_unit(sparse_unit(rng, o, sizes, np.ones((32, 64), bool))).graph
    dense = cheapest(full, 16 * 64, "ecp5")
    assert "zeros" not in dense.choices["unit"] and found.solution.cost < 0.75 * dense.solution.cost
    assert read_folding({"unit": {"pe": 4, "simd": 8, "zeros": "skip"}}, graph, {})["unit"]["zeros"] == "skip"
