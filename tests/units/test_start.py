"""Sums that start with minus their threshold, and inputs that are read again out of distributed RAM: as the definition, stalls and all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.run import compile
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.parts.thresholding import PICKED
from dfcompile.units.vvtu import Vvtu
from tests.examples import simulated, some
from tests.three_way import check
from tests.units.arithmetic_cases import Operands, count, lint, mvtu, types, vvtu

UINT1, UINT2, UINT4, INT1, INT2, INT4, INT8 = (IntType(b, signed=s) for s, bits in ((False, (1, 2, 4)), (True, (1, 2, 4, 8))) for b in bits)
CORNERS: dict[str, tuple[Operands, tuple[Any, ...], dict[str, Any]]] = {
    "popcount": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 2), 1, 12, 48), {"pe": 2, "simd": 8}),
    "popcount of one row": (Operands(BIPOLAR, BIPOLAR, UINT1), ((1, 3), 1, 3, 48), {"pe": 3, "simd": 16}),
    "dummies in each run": (Operands(BIPOLAR, BIPOLAR, BIPOLAR), ((1, 2), 1, 5, 30), {"pe": 4, "simd": 4, "run": 10}),
    "groups, the code signed": (Operands(UINT4, INT4, INT1), ((1, 2), 2, 6, 16), {"pe": 3, "simd": 8}),
    "one threshold for all": (Operands(INT4, INT4, BIPOLAR, shared=True), ((1, 2), 1, 7, 10), {"pe": 3, "simd": 4}),
    "more rows than a LUT has room for": (Operands(UINT2, INT2, UINT1), ((1, 2), 1, 29, 6), {"pe": 1, "simd": 3}),
    "as many rows as there may be": (Operands(UINT1, INT2, UINT1), ((1, 1), 1, PICKED, 4), {"pe": 1, "simd": 2}),
    "bipolar inputs": (Operands(BIPOLAR, INT4, UINT1), ((1, 2), 1, 5, 9), {"pe": 3, "simd": 7}),
    "bipolar weights, signed inputs": (Operands(INT8, BIPOLAR, UINT1), ((1, 2), 2, 5, 9), {"pe": 3, "simd": 2, "run": 3}),
    "slices": (Operands(INT8, INT8, UINT1), ((1, 2), 1, 4, 12), {"pe": 2, "simd": 4}),
}  # fmt: skip


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator simulates the LUTs and chains themselves."""
    monkeypatch.setattr(compile, "TRANSLATE", [*compile.TRANSLATE, "+define+DFC_CELLS"])


def corner(name: str, **fields: Any) -> Mvtu:
    operands, sizes, given = CORNERS[name]
    return mvtu(np.random.default_rng(7), operands, *sizes, **given, threshold_style="start", **fields)


@pytest.mark.parametrize("name", some(CORNERS, always=["popcount", "groups, the code signed", "more rows than a LUT has room for"]))
def test_corners(name: str) -> None:
    check(corner(name, arithmetic="lut" if name == "slices" else "auto"), frames=3, stalls=0.4)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("name", some(CORNERS, always=["popcount", "dummies in each run", "bipolar weights, signed inputs"]))
def test_on_carry_chains(name: str) -> None:
    """Places that the numbers reach start in the register, those above them in front of the chain."""
    check(corner(name, arithmetic=("carry4", "carry8")[list(CORNERS).index(name) % 2]), frames=3, stalls=0.4, hls=False)


@pytest.mark.usefixtures("cells")
def test_sums_of_one_step_on_carry_chains() -> None:
    """Each step is a first and a last one; nothing lies above what the numbers reach."""
    unit = mvtu(np.random.default_rng(2), Operands(UINT2, INT2, UINT1), (1, 3), 1, 6, 4, pe=2, simd=4, arithmetic="carry4")
    check(replace(unit, threshold_style="start"), frames=3, stalls=0.3, hls=False)


@given(st.integers(0, 2**32), types(6), types(4), st.booleans(), st.sampled_from(["auto", "lut", "carry4"]))
@simulated(12)
def test_any_operands(seed: int, x: IntType, w: IntType, shared: bool, arithmetic: str) -> None:
    rng = np.random.default_rng(seed)
    mh, simd, beats = (int(rng.integers(1, n)) for n in (9, 6, 5))
    pe, out = int(rng.integers(1, mh + 1)), (BIPOLAR, UINT1, INT1)[int(rng.integers(3))]
    unit = mvtu(rng, Operands(x, w, out, shared=shared), (1, 2), 1, mh, simd * (beats + 1), pe=pe, simd=simd, arithmetic=arithmetic)
    check(replace(unit, threshold_style="start", input_style=("auto", "lutram")[seed % 2]), frames=3, stalls=0.3, hls=False)


def test_depthwise() -> None:
    unit = vvtu(np.random.default_rng(1), Operands(UINT4, INT4, UINT1), (1, 2), 6, 9, pe=2, threshold_style="start")
    check(unit, frames=3, stalls=0.4)


@pytest.mark.parametrize("style", ["auto", "lutram"])
def test_inputs_read_again(style: str) -> None:
    """Vectors of two and of many beats, the next one at once."""
    for simd in (3, 24):
        unit = mvtu(np.random.default_rng(3), Operands(INT4, INT4, UINT4), (2, 2), 1, 6, 48, pe=2, simd=simd, input_style=style)
        check(unit, frames=3, stalls=0.3, hls=False)


def test_bits_of_a_sum_are_no_more_than_its_distance_from_the_threshold_needs() -> None:
    """576 bipolar products against thresholds between 250 and 330: nine bits and a sign, by hand."""
    rng = np.random.default_rng(4)
    unit = mvtu(rng, Operands(BIPOLAR, BIPOLAR, UINT1), (1, 1), 1, 8, 576, pe=2, simd=16)
    near = replace(unit, thresholds=2 * rng.integers(250, 331, (8, 1)) - 576)
    assert near.form.start == 10
    dead = replace(near, thresholds=np.where(np.arange(8)[:, None] == 3, 10**6, near.thresholds))  # of no sum: as if one more than the most
    assert dead.form.start == 11
    assert replace(unit, thresholds=np.full((8, 1), -576)).form.start == 11  # of every sum


def test_codes_of_channels_that_are_always_or_never_reached() -> None:
    rng = np.random.default_rng(5)
    unit = mvtu(rng, Operands(BIPOLAR, BIPOLAR, UINT1), (1, 4), 1, 6, 8, pe=2, simd=4)
    unit = replace(unit, thresholds=np.array([[10**6], [-(10**6)], [0], [9], [-8], [8]]), threshold_style="start")
    x = 2 * rng.integers(0, 2, (3, 1, 4, 8)) - 1
    wanted = count(x @ unit.weights[0].T, np.asarray(unit.thresholds), None, UINT1)
    assert np.array_equal(unit.compute(x)[0], wanted)
    check(unit, frames=3, stalls=0.2)


def test_what_cannot_start() -> None:
    rng = np.random.default_rng(6)
    whole = mvtu(rng, Operands(UINT2, INT2, UINT1), (1, 1), 1, 4, 8, pe=2, simd=8)
    for unit in (
        whole,  # one step
        mvtu(rng, Operands(UINT2, INT2, UINT2), (1, 1), 1, 4, 8, pe=2, simd=4),  # three thresholds
        mvtu(rng, Operands(UINT2, INT2, UINT1, flip=True), (1, 1), 1, 40, 8, pe=2, simd=4),  # a falling function
        mvtu(rng, Operands(UINT2, INT2, UINT1), (1, 1), 1, PICKED + 1, 8, pe=1, simd=4),  # too many words
        mvtu(rng, Operands(UINT2, INT2, None), (1, 1), 1, 4, 8, pe=2, simd=4),  # no threshold
        mvtu(rng, Operands(INT8, INT8, UINT1), (1, 1), 1, 4, 8, pe=2, simd=4, arithmetic="packed27"),
    ):
        assert all(s["threshold_style"] != "start" or s["arithmetic"] in ("carry4", "carry8") for s in unit.styles("xcup") if unit is whole)
        assert unit is whole or all(
            s["threshold_style"] != "start" for s in unit.folded(arithmetic="auto").styles("ecp5") if unit.form.start == 0
        )
        with pytest.raises(ValueError, match="threshold_style=start"):
            unit.folded(threshold_style="start")
    depthwise: Vvtu = vvtu(rng, Operands(UINT4, INT4, UINT2), (1, 2), 6, 9, pe=2)
    with pytest.raises(ValueError, match="threshold_style=start"):
        depthwise.folded(threshold_style="start")


def test_offered_where_it_can_be() -> None:
    unit = mvtu(np.random.default_rng(8), Operands(BIPOLAR, BIPOLAR, UINT1), (1, 2), 1, 12, 48, pe=2, simd=8)
    offered = list(unit.styles("xcup"))
    assert {s["arithmetic"] for s in offered if s["threshold_style"] == "start"} == {"auto", "carry8"}
    assert {s["input_style"] for s in offered} == {"lutram"} and {s["input_style"] for s in unit.styles("ecp5")} == {"auto"}


def test_lints(tmp_path: Path) -> None:
    for arithmetic in ("auto", "carry8"):
        lint(corner("popcount", arithmetic=arithmetic, input_style="lutram"), tmp_path / arithmetic)
    lint(corner("popcount of one row", arithmetic="carry4"), tmp_path / "one")
