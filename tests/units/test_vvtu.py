"""Vector-vector-threshold unit: values against the definition, C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array
from dfcompile.units.vvtu import Vvtu
from tests.examples import drawn, examples, simulated
from tests.three_way import check_cpp, random_codes
from tests.units.arithmetic_cases import Operands, count, lint, operands, vvtu
from tests.units.exact import check_exact

UINT4, INT4, INT8 = IntType(4), IntType(4, signed=True), IntType(8, signed=True)


def oracle(unit: Vvtu, x: Array) -> Array:
    """Channel by channel from the order of the stream: (channel group, tap, lane)."""
    h, w, channels = unit.out_shape
    k = unit.weights.shape[1]
    sums = np.zeros((len(x), h, w, channels), np.int64)
    for c in range(channels):
        first, lanes = c // unit.pe * unit.pe, min(unit.pe, channels - c // unit.pe * unit.pe)
        places = [first * k + tap * lanes + c % unit.pe for tap in range(k)]
        sums[..., c] = x[..., places].astype(np.int64) @ unit.weights[c]
    return sums if unit.thresholds is None else count(sums, unit.thresholds, unit.flip, unit.out_dtype)


@st.composite
def vvtus(draw: st.DrawFn, most_bits: int = 8) -> Vvtu:
    channels, k = draw(st.integers(1, 8)), draw(st.integers(1, 9))
    shape = draw(st.sampled_from([(1, 1), (1, 3), (2, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    fields = {"pe": draw(st.integers(1, channels)), "arithmetic": draw(st.sampled_from(["auto", "lut", "carry4", "carry8"]))}
    return vvtu(rng, draw(operands(most_bits)), shape, channels, k, **fields)


@examples(100)
@given(vvtus(12), st.sampled_from([np.float32, np.float64, np.int16, np.int64]))
def test_values(unit: Vvtu, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    assert np.array_equal(unit.compute(x.astype(dtype))[0], oracle(unit, x))


def test_hls() -> None:
    check_cpp(drawn(vvtus(), 15), frames=2)


@simulated(12)
@given(vvtus())
def test_rtl_and_schedule(unit: Vvtu) -> None:
    check_exact(unit, hls=False)


CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "one of everything": (Operands(UINT4, INT4, UINT4), ((1, 1), 1, 1), {}),
    "one tap": (Operands(INT8, INT8, UINT4, flip=True), ((2, 2), 6, 1), {"pe": 2}),
    "3x3, 8 bits": (Operands(INT8, INT8, INT8), ((2, 2), 6, 9), {"pe": 3}),
    "bipolar": (Operands(BIPOLAR, BIPOLAR, BIPOLAR, flip=True), ((1, 3), 4, 9), {"pe": 4}),
    "bipolar, without thresholds": (Operands(BIPOLAR, BIPOLAR, None), ((1, 3), 4, 9), {"pe": 4}),
    "bipolar inputs, without thresholds": (Operands(BIPOLAR, INT4, None), ((1, 3), 4, 9), {"pe": 2}),
    "dummy channels": (Operands(INT8, INT8, UINT4, flip=True), ((2, 2), 7, 4), {"pe": 3}),
    "dummy channels, bipolar": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 3), 5, 9), {"pe": 4}),
    "bipolar weights": (Operands(UINT4, BIPOLAR, UINT4, shared=True), ((1, 3), 4, 9), {"pe": 2}),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    types, sizes, fields = CORNERS[name]
    check_exact(vvtu(np.random.default_rng(7), types, *sizes, **fields), frames=2, stalls=(0.4,), hls=False)


def test_corners_in_cpp() -> None:
    check_cpp([vvtu(np.random.default_rng(7), types, *sizes, **fields) for types, sizes, fields in CORNERS.values()], frames=2)


@pytest.mark.parametrize("name", ["one of everything", "one tap", "bipolar", "bipolar inputs, without thresholds", "dummy channels"])
def test_lints_and_elaborates(name: str, tmp_path: Path) -> None:
    types, sizes, fields = CORNERS[name]
    lint(vvtu(np.random.default_rng(7), types, *sizes, **fields), tmp_path)


def test_foldings_are_the_fewest_lanes_for_each_number_of_folds() -> None:
    unit = vvtu(np.random.default_rng(0), Operands(UINT4, INT4, UINT4), (2, 2), 10, 9)
    assert [f["pe"] for f in unit.foldings()] == [1, 2, 3, 4, 5, 10]
    assert unit.folded(pe=4).cycles == 4 * 3 * 9


@pytest.mark.parametrize(("choice", "words"), [({"pe": 7}, "must be 1 to 6, the channels"), ({"simd": 3}, "must be 1")])
def test_refuses_other_foldings(choice: dict[str, int], words: str) -> None:
    unit = vvtu(np.random.default_rng(0), Operands(UINT4, INT4, UINT4), (2, 2), 6, 9)
    with pytest.raises(ValueError, match=words):
        unit.folded(**choice)
