"""Table lookup: values against the definition, C++ and SystemVerilog against the values, cycles against the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import IntType
from dfcompile.units.lookup import Lookup
from tests.examples import simulated
from tests.three_way import check, random_codes
from tests.units.arithmetic_cases import lint, lookup, types
from tests.units.exact import check_exact


@st.composite
def lookups(draw: st.DrawFn) -> Lookup:
    channels = draw(st.integers(1, 8))
    fields = {"pe": draw(st.integers(1, channels)), "table_style": draw(st.sampled_from(["auto", "lut", "bram"]))}
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shape = (draw(st.integers(1, 2)), 3, channels)
    x = draw(types(10, bipolar=False))
    unit = lookup(rng, x, draw(types(9)), shape, draw(st.booleans()), **fields)
    pixels = draw(st.integers(1, 3))
    return replace(unit, shape=(*shape[:2], pixels * channels), pe=draw(st.integers(1, pixels * channels)))


@given(lookups(), st.sampled_from([np.float32, np.int16, np.int64]))
def test_values(unit: Lookup, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    wanted = np.zeros(x.shape, np.int64)
    for where in np.ndindex(x.shape):
        wanted[where] = unit.table[where[3] % len(unit.table), x[where] - unit.base]
    assert np.array_equal(unit.compute(x.astype(dtype))[0], wanted)


@simulated(10)
@given(lookups())
def test_three_ways(unit: Lookup) -> None:
    check_exact(unit)


def test_a_table_of_part_of_the_codes() -> None:
    """Only codes from 3 to 9 occur; the table holds no others."""
    unit = Lookup(IntType(4), IntType(6), np.arange(14).reshape(2, 7) * 4, 3, (1, 4, 2), pe=2)
    check(unit, [np.random.default_rng(0).integers(3, 10, (3, 1, 4, 2))], stalls=0.3)


@pytest.mark.parametrize("pe", [1, 2, 4, 6])
@pytest.mark.parametrize("shared", [False, True], ids=["tables", "one table"])
def test_lints_and_elaborates(pe: int, shared: bool, tmp_path: Path) -> None:
    lint(lookup(np.random.default_rng(1), IntType(5, signed=True), IntType(4), (1, 1, 6), shared, pe=pe), tmp_path)


def test_refuses_a_wrong_number_of_tables() -> None:
    with pytest.raises(ValueError, match="do not serve 6"):
        Lookup(IntType(4), IntType(2), np.zeros((4, 16), np.int64), 0, (1, 1, 6))
