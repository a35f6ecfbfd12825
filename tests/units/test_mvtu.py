"""Matrix-vector-threshold unit: values against the definition, C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array, Stream, divisors
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.parts.products import Products
from tests.examples import drawn, examples, simulated
from tests.three_way import check, check_cpp, random_codes
from tests.units.arithmetic_cases import Operands, count, lint, mvtu, operands
from tests.units.exact import check_exact

UINT2, UINT4, UINT8 = IntType(2), IntType(4), IntType(8)
INT1, INT2, INT4, INT8 = (IntType(b, signed=True) for b in (1, 2, 4, 8))


def oracle(unit: Mvtu, x: Array) -> Array:
    """From the definition, in int64."""
    groups, _, mw = unit.weights.shape
    sums = np.einsum("nvgk,gok->nvgo", x.reshape(len(x), unit.vectors, groups, mw).astype(np.int64), unit.weights)
    sums = sums.reshape(len(x), *unit.out_shape)
    return sums if unit.thresholds is None else count(sums, unit.thresholds, unit.flip, unit.out_dtype)


@st.composite
def mvtus(draw: st.DrawFn, most_bits: int = 8, most_columns: int = 24) -> Mvtu:
    mh, mw, groups = draw(st.integers(1, 8)), draw(st.integers(1, most_columns)), draw(st.integers(1, 3))
    folding = {"pe": draw(st.integers(1, mh)), "simd": draw(st.integers(1, mw)), "run": draw(st.sampled_from([0, *divisors(mw)]))}
    shape = draw(st.sampled_from([(1, 1), (1, 3), (2, 2)]))
    styles = {
        "arithmetic": draw(st.sampled_from(["auto", "lut", "dsp", "carry4", "carry8"])),
        "weight_style": draw(st.sampled_from(["auto", "lut", "bram"])),
        "threshold_style": draw(st.sampled_from(["auto", "bram"])),
    }
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return mvtu(rng, draw(operands(most_bits)), shape, groups, mh, mw, **folding, **styles)


@examples(150)
@given(mvtus(12, 70), st.sampled_from([np.float32, np.float64, np.int16, np.int64]))
def test_values(unit: Mvtu, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    assert np.array_equal(unit.compute(x.astype(dtype))[0], oracle(unit, x))


FEW = [BIPOLAR, IntType(1), INT1, UINT2, INT2]


@examples(150)
@given(
    st.sampled_from(FEW), st.integers(-3, 1), st.integers(0, 2), st.sampled_from([1, 2]), st.integers(48, 200), st.integers(1, 2),
    st.sampled_from([np.int8, np.float32, np.int64]), st.integers(0, 999),
)  # fmt: skip
def test_operands_of_few_bits_are_counted(
    x: IntType, lo: int, steps: int, step: int, columns: int, groups: int, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = lo + step * rng.integers(0, steps, (groups, 5, columns), endpoint=True)
    codes = random_codes(Stream((2, 1, groups * columns), x, 1), 3, rng)
    found = Products(weights, x, None).frames(codes.astype(dtype).reshape(6, -1))
    assert np.array_equal(found, np.einsum("ngk,gok->ngo", codes.reshape(6, groups, columns), weights).reshape(6, -1))
    # Two planes of each and words that are half full are slower than products.
    words = -(-columns // 64) * 64
    assert found.dtype == (np.int32 if x.bits * steps.bit_length() * words <= 4 * columns or not steps else np.float32)


def test_sums_beyond_float32() -> None:
    unit = mvtu(np.random.default_rng(0), Operands(IntType(16), IntType(16, signed=True), None), (1, 2), 1, 4, 300)
    x = random_codes(unit.inputs[0], 3, np.random.default_rng(1))
    assert unit.compute(x)[0].dtype == np.float64
    assert np.array_equal(unit.compute(x)[0], oracle(unit, x))


def test_input_may_be_a_strided_view() -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (3, 4), 1, 5, 6)
    wide = random_codes(unit.inputs[0], 2, np.random.default_rng(1)).astype(np.float32).repeat(2, axis=2).repeat(3, axis=3)
    view = wide[:, :, ::2, ::3]
    assert np.array_equal(unit.compute(view)[0], oracle(unit, view))


def test_hls() -> None:
    check_cpp(drawn(mvtus(), 25), frames=2)


@simulated(14)
@given(mvtus())
def test_rtl_and_schedule(unit: Mvtu) -> None:
    check_exact(unit, hls=False)


CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "one of everything": (Operands(UINT2, INT2, UINT2), ((1, 1), 1, 1, 1), {}),
    "full folding": (Operands(UINT4, INT4, UINT4), ((2, 2), 1, 6, 30), {"pe": 6, "simd": 30}),
    "no folding": (Operands(INT4, INT4, INT4), ((1, 2), 2, 3, 5), {}),
    "popcount": (Operands(BIPOLAR, BIPOLAR, BIPOLAR, flip=True), ((1, 2), 1, 4, 64), {"pe": 2, "simd": 32}),
    "popcount without thresholds": (Operands(BIPOLAR, BIPOLAR, None), ((1, 2), 1, 4, 27), {"pe": 2, "simd": 27}),
    "bipolar inputs": (Operands(BIPOLAR, INT4, UINT2, flip=True), ((1, 2), 2, 4, 10), {"pe": 2, "simd": 5}),
    "bipolar inputs without thresholds": (Operands(BIPOLAR, INT2, None), ((1, 2), 1, 4, 10), {"pe": 4, "simd": 2}),
    "bipolar weights, unsigned inputs": (Operands(UINT8, BIPOLAR, UINT4, flip=True), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 4}),
    "bipolar weights, signed inputs": (Operands(INT2, BIPOLAR, INT2, shared=True), ((1, 2), 1, 6, 12), {"pe": 2, "simd": 6}),
    "bipolar weights without thresholds": (Operands(INT8, BIPOLAR, None), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 3}),
    "weights -1 and 0": (Operands(UINT2, INT1, UINT2), ((1, 2), 1, 4, 12), {"pe": 4, "simd": 12}),
    "one-bit signed inputs and weights": (Operands(INT1, INT1, None), ((1, 2), 1, 2, 20), {"simd": 10}),
    "wide operands": (Operands(IntType(16), IntType(16, signed=True), None), ((1, 2), 1, 4, 6), {"pe": 2, "simd": 3}),
    "wide operands in LUTs": (Operands(INT8, INT8, UINT2), ((1, 2), 1, 4, 6), {"pe": 2, "simd": 3, "arithmetic": "lut"}),
    "bit planes behind registers": (Operands(UINT2, INT2, UINT2), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 6, "arithmetic": "lut"}),
    "popcount in LUTs": (Operands(BIPOLAR, BIPOLAR, UINT2), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 6, "arithmetic": "lut"}),
    "8-bit outputs": (Operands(INT8, INT8, INT8, flip=True), ((1, 2), 1, 6, 9), {"pe": 2, "simd": 9}),
    "dummy rows and columns": (Operands(UINT4, INT4, UINT4, flip=True), ((1, 2), 2, 7, 10), {"pe": 3, "simd": 4}),
    "popcount with dummies in each run": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 2), 1, 5, 30), {"pe": 4, "simd": 4, "run": 10}),
    "popcount with dummies, sums": (Operands(BIPOLAR, BIPOLAR, None), ((1, 2), 2, 5, 9), {"pe": 2, "simd": 6}),
    "bipolar weights with dummies": (Operands(INT8, BIPOLAR, UINT4), ((1, 2), 2, 5, 9), {"pe": 3, "simd": 2, "run": 3}),
    "bipolar inputs with dummies": (Operands(BIPOLAR, INT4, None), ((1, 2), 1, 5, 9), {"pe": 3, "simd": 7}),
    "three row folds in block RAM": (Operands(UINT4, INT4, UINT4), ((1, 2), 1, 6, 8), {"pe": 2, "simd": 2, "threshold_style": "bram"}),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    types, sizes, fields = CORNERS[name]
    check_exact(mvtu(np.random.default_rng(7), types, *sizes, **fields), frames=2, stalls=(0.4,), hls=False)


def test_corners_in_cpp() -> None:
    check_cpp([mvtu(np.random.default_rng(7), types, *sizes, **fields) for types, sizes, fields in CORNERS.values()], frames=2)


@pytest.mark.parametrize(
    "name",
    [
        "one of everything",
        "full folding",
        "popcount",
        "bipolar inputs without thresholds",
        "bit planes behind registers",
        "8-bit outputs",
        "dummy rows and columns",
        "popcount with dummies in each run",
    ],
)
def test_lints_and_elaborates(name: str, tmp_path: Path) -> None:
    types, sizes, fields = CORNERS[name]
    lint(mvtu(np.random.default_rng(7), types, *sizes, **fields), tmp_path)


@pytest.mark.parametrize("arithmetic", ["auto", "lut", "dsp", "carry4"])
def test_sums_narrower_than_an_input_lint_clean(arithmetic: str, tmp_path: Path) -> None:
    """Inputs that never take all codes of their type make sums of fewer bits than these have."""
    unit = mvtu(np.random.default_rng(7), Operands(INT8, INT2, None), (1, 1), 1, 2, 2, pe=1, simd=1, arithmetic=arithmetic)
    small = IntType(6, signed=True)
    lint(replace(unit, acc_dtype=small, out_dtype=small), tmp_path)


def test_no_bubbles_between_vectors_and_frames() -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (3, 3), 1, 8, 16, pe=2, simd=4)
    run = check(unit, frames=5, hls=False)
    assert run is not None
    assert np.diff(run.frame_done).tolist() == [9 * 4 * 4] * 4


def test_foldings_are_the_fewest_lanes_for_each_number_of_folds() -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 2, 6, 4)
    assert {(f["pe"], f["simd"]) for f in unit.foldings()} == {(p, s) for p in (1, 2, 3, 6) for s in (1, 2, 4)}
    assert unit.folded(pe=3, simd=4).cycles == 2 * 2 * 1
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 1, 5, 27, run=9)
    assert sorted({f["pe"] for f in unit.foldings()}) == [1, 2, 3, 5]
    assert sorted({f["simd"] for f in unit.foldings()}) == [1, 2, 3, 5, 9, 14, 27]


@pytest.mark.parametrize(("simd", "run", "folds"), [(9, 0, 3), (5, 0, 6), (5, 9, 6), (4, 9, 9), (4, 0, 7), (14, 9, 2), (27, 9, 1)])
def test_columns_start_again_after_each_run(simd: int, run: int, folds: int) -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 1, 5, 27, pe=2, simd=simd, run=run)
    assert unit.cycles == 3 * folds


@pytest.mark.parametrize("choice", [{"pe": 7}, {"simd": 5}, {"pe": 0}])
def test_refuses_more_lanes_than_there_are(choice: dict[str, int]) -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 1, 6, 4)
    with pytest.raises(ValueError, match=r"must be 1 to 6, the rows, and simd=\d 1 to 4, the columns"):
        unit.folded(**choice)


def test_refuses_runs_that_do_not_divide_a_vector() -> None:
    with pytest.raises(ValueError, match="runs of 3 elements do not divide the 4 columns"):
        mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 1, 6, 4, run=3)


def test_refuses_thresholds_that_fall() -> None:
    unit = mvtu(np.random.default_rng(0), Operands(UINT2, INT2, UINT2), (1, 1), 1, 6, 4)
    assert unit.thresholds is not None
    with pytest.raises(ValueError, match="must rise"):
        replace(unit, thresholds=unit.thresholds[:, ::-1] - np.arange(3)).memories()
