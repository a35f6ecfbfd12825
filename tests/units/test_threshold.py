"""Thresholds: values against the definition, C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.parts.thresholding import heap_order
from dfcompile.units.threshold import Threshold
from tests.examples import drawn, examples, simulated
from tests.three_way import check, check_cpp, random_codes
from tests.units.arithmetic_cases import Operands, count, lint, threshold, types
from tests.units.exact import check_exact


@st.composite
def thresholds(draw: st.DrawFn, most_out_bits: int = 5) -> Threshold:
    channels = draw(st.integers(1, 8))
    operands = Operands(draw(types(12)), BIPOLAR, draw(types(most_out_bits)), draw(st.booleans()), draw(st.booleans()))
    fields = {"pe": draw(st.integers(1, channels)), "threshold_style": draw(st.sampled_from(["auto", "lut", "bram"]))}
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shape = (draw(st.integers(1, 2)), 3, channels)
    if not operands.shared and draw(st.booleans()):
        return repeated(threshold(rng, operands, shape), draw(st.sampled_from([2, 3, 4])), draw(st.integers(1, 4)))
    return threshold(rng, operands, shape, **fields)


def repeated(unit: Threshold, pixels: int, pe: int) -> Threshold:
    """The unit on vectors of several pixels; a beat has `pe` pixels, or a part of one."""
    h, w, c = unit.shape
    return replace(unit, shape=(h, w, pixels * c), pe=min(pe * c if pe > 1 else max(1, c // 2), pixels * c))


@examples(150)
@given(thresholds(8), st.sampled_from([np.float32, np.float64, np.int16, np.int64]))
def test_values(unit: Threshold, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    by_pixel = x.reshape(
        -1, 1 if unit.flip is None and len(unit.thresholds) == 1 else len(unit.flip if unit.flip is not None else unit.thresholds)
    )
    wanted = count(by_pixel, unit.thresholds, unit.flip, unit.out_dtype).reshape(x.shape)
    assert np.array_equal(unit.compute(x.astype(dtype))[0], wanted)


def test_hls() -> None:
    check_cpp(drawn(thresholds(9), 15), frames=2)


@simulated(12)
@given(thresholds())
def test_rtl_and_schedule(unit: Threshold) -> None:
    check_exact(unit, hls=False)


INT8, INT12 = IntType(8, signed=True), IntType(12, signed=True)
CORNERS: dict[str, tuple[IntType, IntType, tuple[int, int, int], dict[str, Any]]] = {
    "one element": (INT8, IntType(2), (1, 1, 1), {}),
    "a bit for a bit": (BIPOLAR, BIPOLAR, (1, 2, 4), {"pe": 2}),
    "as wide out as in": (INT8, INT8, (1, 2, 6), {"pe": 2}),
    "unsigned": (IntType(10), IntType(4), (2, 2, 6), {"pe": 6}),
    "dummy channels": (INT8, IntType(3), (1, 3, 7), {"pe": 3}),
    "12 output bits": (INT12, IntType(12), (1, 4, 2), {"pe": 1}),
    "block RAM from 128 words on": (INT12, IntType(7), (1, 2, 34), {"pe": 2, "threshold_style": "bram"}),
}


def corner(name: str, shared: bool) -> Threshold:
    x, out, shape, fields = CORNERS[name]
    return threshold(np.random.default_rng(3), Operands(x, BIPOLAR, out, flip=not shared, shared=shared), shape, **fields)


@pytest.mark.parametrize("shared", [False, True], ids=["rows", "one row"])
@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str, shared: bool) -> None:
    check_exact(corner(name, shared), frames=2, stalls=(0.4,), hls=False)


def test_corners_in_cpp() -> None:
    check_cpp([corner(name, shared) for name in CORNERS for shared in (False, True)], frames=2)


SIDE_BY_SIDE = (1, 2, 3, 6, 12, 8, 24)


def pixels_side_by_side(pe: int) -> Threshold:
    """Vectors of eight pixels of three channels: whole pixels in a beat keep one word, parts of one keep a word each."""
    unit = threshold(np.random.default_rng(5), Operands(INT8, BIPOLAR, IntType(2), flip=True), (1, 2, 3))
    return replace(unit, shape=(1, 2, 24), pe=pe)


def test_pixels_side_by_side_in_cpp() -> None:
    check_cpp([pixels_side_by_side(pe) for pe in SIDE_BY_SIDE], frames=2)


@pytest.mark.parametrize("pe", SIDE_BY_SIDE)
def test_pixels_side_by_side(pe: int) -> None:
    unit = pixels_side_by_side(pe)
    check_exact(unit, frames=2, stalls=(0.4,), hls=False)
    words = {1: 4, 2: 4, 3: 1, 6: 1, 12: 1, 8: 4, 24: 1}[pe]  # of the first level, a power of two
    assert unit.memories()[0].banks[0] == words


@pytest.mark.parametrize("name", CORNERS)
def test_lints_and_elaborates(name: str, tmp_path: Path) -> None:
    x, out, shape, fields = CORNERS[name]
    lint(threshold(np.random.default_rng(3), Operands(x, BIPOLAR, out, flip=True), shape, **fields), tmp_path)


def test_every_accumulator_and_both_ends() -> None:
    """All 256 codes against thresholds at the very ends of the range, beyond them, and equal ones."""
    int8, uint2 = IntType(8, signed=True), IntType(2)
    table = np.array([[-128, -128, 127], [128, 128, 128], [-1, 0, 0], [-1000, 5, 1000]])
    unit = Threshold(int8, uint2, table, np.array([False, True, False, True]), (1, 256, 4), pe=2)
    x = np.broadcast_to(np.arange(-128, 128).reshape(1, 1, 256, 1), (1, 1, 256, 4)).copy()
    assert np.array_equal(unit.compute(x)[0], count(x, table, unit.flip, uint2))
    check(unit, [x])


def test_the_search_tree_in_heap_order() -> None:
    assert heap_order(3).tolist() == [3, 1, 5, 0, 2, 4, 6]


def test_refuses_a_wrong_number_of_thresholds() -> None:
    unit = Threshold(IntType(4), IntType(2), np.zeros((1, 4), np.int64), None, (1, 1, 1))
    with pytest.raises(ValueError, match="uint2 needs 3 thresholds a channel"):
        unit.memories()


def test_refuses_more_lanes_than_channels() -> None:
    with pytest.raises(ValueError, match="must be 1 to 6, the channels"):
        Threshold(IntType(4), IntType(2), np.zeros((1, 3), np.int64), None, (1, 1, 6), pe=7)
