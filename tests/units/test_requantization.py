"""Requantization: equal to its thresholds on every number by brute force, and in units three ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.requantization import requantize
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.threshold import Threshold
from tests.examples import examples, some
from tests.three_way import check_cpp
from tests.units.arithmetic_cases import Array, Operands, count, lint, mvtu, vvtu
from tests.units.exact import check_exact

INT4, INT8, UINT8, UINT4, UINT3 = IntType(4, signed=True), IntType(8, signed=True), IntType(8), IntType(4), IntType(3)


def line(rng: np.random.Generator, lo: int, hi: int, channels: int, bits: int) -> Array:
    """Thresholds of a quantizer of random scale and offset in each channel, those of codes never reached at hi + 1."""
    slope = rng.uniform(0.3, 3.0, (channels, 1)) * (1 << bits) / (hi - lo + 1)
    middle = rng.uniform(lo, hi, (channels, 1))
    at = np.ceil((np.arange(1, 1 << bits) - (1 << bits - 1)) / slope + middle).astype(np.int64)
    return np.clip(at, lo, hi + 1)


@examples(150)
@given(st.integers(1, 4), st.integers(2, 6), st.integers(0, 999), st.booleans())
def test_every_number(channels: int, bits: int, seed: int, flipped: bool) -> None:
    rng = np.random.default_rng(seed)
    lo, hi = np.sort(rng.integers(-2000, 2000, (2, channels)), axis=0)
    table = np.concatenate([line(rng, int(a), int(b), 1, bits) for a, b in zip(lo, hi, strict=True)])
    flip = rng.random(channels) < 0.5 if flipped else None
    found = requantize(table, flip, lo, hi)
    assert found is not None
    for c in range(channels):
        falls = None if flip is None else flip[c : c + 1]
        for a in range(lo[c], hi[c] + 1):
            pattern = int(found.base[c]) + ((int(found.multiplier[c]) * a + int(found.offset[c])) >> found.shift)
            pattern = max(0, min(2**bits - 1, pattern))
            assert pattern == count(np.array([a]), table[c : c + 1], falls, IntType(bits))[0]


def test_none_where_thresholds_lie_on_no_line() -> None:
    """Seven thresholds of a curve: no line parts the numbers alike, as every slope and offset shows that brute force tries."""
    table, lo, hi = np.array([[0, 1, 4, 9, 16, 25, 36]]), np.array([-5]), np.array([40])
    assert requantize(table, None, lo, hi) is None
    numbers = np.arange(-5, 41)
    wanted = (numbers[:, None] >= table[0]).sum(axis=1)
    for multiplier in range(64):
        for offset in range(-256, 512):
            assert np.any(np.clip((multiplier * numbers + offset) >> 6, 0, 7) != wanted)


def test_wide_codes() -> None:
    """16-bit codes of sums of 28 bits, held to the thresholds at both sides of each."""
    rng = np.random.default_rng(0)
    lo, hi = np.array([-(1 << 27)]), np.array([(1 << 27) - 1])
    table = line(rng, int(lo[0]), int(hi[0]), 1, 16)
    found = requantize(table, None, lo, hi)
    assert found is not None
    m, o, b = int(found.multiplier[0]), int(found.offset[0]), int(found.base[0])
    for k, t in enumerate(table[0].tolist(), 1):
        if lo[0] < t <= hi[0]:
            assert b + ((m * t + o) >> found.shift) >= k > b + ((m * (t - 1) + o) >> found.shift)


def scaled(unit: Any, style: str, shared: bool, flipped: bool) -> Any:
    """The unit with thresholds on a line, done by a product."""
    rng = np.random.default_rng(5)
    acc = unit.in_dtype if isinstance(unit, Threshold) else unit.acc_dtype
    channels = unit.outputs[0].shape[2]
    table = line(rng, acc.lo, acc.hi, 1 if shared else channels, unit.out_dtype.bits)
    flip = rng.random(channels) < 0.5 if flipped else None
    scaling = requantize(table, flip, np.full(channels, acc.lo), np.full(channels, acc.hi))
    assert scaling is not None
    return replace(unit, thresholds=table, flip=flip, scaling=scaling, threshold_style=style)


def thresholds(x: IntType, out: IntType, channels: int, pe: int) -> Threshold:
    table = np.zeros((1, (1 << out.bits) - 1), np.int64)
    return Threshold(x, out, table, None, (2, 3, channels), pe=pe)


def matrix(x: IntType, w: IntType, out: IntType, groups: int, mh: int, mw: int, **fields: int) -> Any:
    return mvtu(np.random.default_rng(1), Operands(x, w, out), (1, 3), groups, mh, mw, **fields)


UNITS: dict[str, Any] = {
    "one lane": thresholds(INT8, UINT4, 3, 1),
    "dummy channels": thresholds(IntType(10), INT4, 5, 2),
    "all channels at once": thresholds(INT8, UINT3, 3, 3),
    "as wide as codes get": thresholds(IntType(20, signed=True), UINT8, 2, 1),
    "matrix": matrix(UINT4, INT4, INT8, 1, 6, 8, pe=2, simd=4),
    "groups": matrix(INT4, INT4, UINT4, 2, 3, 4, pe=2, simd=2),
    "bipolar weights": matrix(UINT4, BIPOLAR, UINT3, 1, 4, 9, pe=2, simd=3),
    "bipolar inputs": matrix(BIPOLAR, INT4, UINT3, 1, 4, 8, pe=4, simd=2),
    "bipolar both": matrix(BIPOLAR, BIPOLAR, UINT3, 1, 4, 16, pe=1, simd=4),
    "depthwise": vvtu(np.random.default_rng(2), Operands(INT8, INT4, INT8), (2, 2), 5, 9, pe=2),
}


@pytest.mark.parametrize("name", UNITS)
def test_by_a_product(name: str) -> None:
    check_exact(scaled(UNITS[name], "multiply", shared=False, flipped=True), frames=2, stalls=(0.4,), hls=False)


BY_SHIFTS_AND_ADDS = ("dummy channels", "all channels at once", "matrix", "depthwise")


@pytest.mark.parametrize("name", some(BY_SHIFTS_AND_ADDS, always=BY_SHIFTS_AND_ADDS[:3]))
def test_by_shifts_and_adds(name: str) -> None:
    check_exact(scaled(UNITS[name], "shift_add", shared=False, flipped=True), frames=2, stalls=(0.4,), hls=False)


def test_in_cpp() -> None:
    units = [scaled(u, "multiply", shared=False, flipped=True) for u in UNITS.values()]
    units += [scaled(UNITS[name], "shift_add", shared=False, flipped=True) for name in BY_SHIFTS_AND_ADDS]
    units += [scaled(u, style, shared=False, flipped=True) for u, style in PIECES.values()]
    units += [scaled(u, "shift_add", shared=False, flipped=True) for u in DIGITS.values()]
    check_cpp(units, frames=2)


PIECES = {  # bits of codes decide how many registers there are, those of sums how many pieces
    "no time": (thresholds(IntType(26, signed=True), UINT3, 5, 2), "multiply18"),
    "pieces registered": (thresholds(IntType(24), INT4, 5, 2), "multiply18"),
    "operands too": (thresholds(IntType(22, signed=True), IntType(5), 4, 4), "multiply18"),
    "two steps": (thresholds(IntType(24, signed=True), IntType(6, signed=True), 3, 1), "multiply18"),
    "codes that wait": (thresholds(IntType(26, signed=True), UINT8, 4, 2), "multiply18"),
    "one operand of pieces": (thresholds(IntType(26, signed=True), UINT8, 2, 2), "multiply27"),
    "one slice": (thresholds(IntType(12, signed=True), UINT8, 3, 1), "multiply25"),
}


@pytest.mark.parametrize("name", PIECES)
def test_products_of_pieces(name: str) -> None:
    unit, style = PIECES[name]
    check_exact(scaled(unit, style, shared=False, flipped=True), frames=2, stalls=(0.4,), hls=False)


DIGITS = {  # bits of codes decide how many registers the tree has
    "a stage": thresholds(IntType(14, signed=True), UINT3, 5, 2),
    "two stages": thresholds(IntType(12, signed=True), UINT4, 4, 4),
    "three stages": thresholds(IntType(17), IntType(5), 3, 1),
    "four stages": thresholds(IntType(22, signed=True), IntType(6, signed=True), 3, 2),
    "codes that wait": thresholds(IntType(20, signed=True), UINT8, 4, 2),
}


@pytest.mark.parametrize("name", DIGITS)
def test_products_of_digits(name: str) -> None:
    check_exact(scaled(DIGITS[name], "shift_add", shared=False, flipped=True), frames=2, stalls=(0.4,), hls=False)


@pytest.mark.parametrize("style", ["multiply", pytest.param("shift_add", marks=pytest.mark.full)])
def test_one_row_for_all_channels(style: str) -> None:
    check_exact(scaled(thresholds(INT8, INT8, 6, 3), style, shared=True, flipped=False), frames=2, stalls=(0.4,))


@pytest.mark.parametrize("style", ["multiply", "shift_add"])
@pytest.mark.parametrize("name", ["one lane", "all channels at once", "matrix", "depthwise"])
def test_lints_and_elaborates(name: str, style: str, tmp_path: Path) -> None:
    lint(scaled(UNITS[name], style, shared=False, flipped=True), tmp_path)
