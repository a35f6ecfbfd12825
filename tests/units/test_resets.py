"""A reset in any cycle of a run leaves nothing of it behind: partial sums, windows, counters."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import IntType
from dfcompile.run.rtl import run_rtl
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Unit
from dfcompile.units.pool import Pool
from dfcompile.units.repack import Repack
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.upsample import Upsample
from tests.three_way import assert_same, one_unit, random_codes
from tests.units.arithmetic_cases import Operands, mvtu, vvtu

INT3, UINT4 = IntType(3, signed=True), IntType(4)
SUMS = Operands(UINT4, INT3, None)
UNITS: list[Unit] = [
    mvtu(np.random.default_rng(0), SUMS, (1, 2), 1, 4, 8, pe=2, simd=2),
    vvtu(np.random.default_rng(0), SUMS, (1, 2), 4, 4, pe=2),
    Pool("sum", (1, 2, 4), 3, UINT4, IntType(6), 2),
    Argmax((1, 3, 6), INT3, None, 2),
    SlidingWindow((3, 4, 2), (2, 2), (1, 1), (1, 0, 1, 0), (1, 1), INT3, 1, simd=1),
    Upsample((2, 2, 2), (2, 2), INT3, 1),
    Repack((1, 3, 5), INT3, 2, 5, 3, 5),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.kind)
def test_reset_in_any_cycle(unit: Unit) -> None:
    codes = [random_codes(s, 2, np.random.default_rng(1)) for s in unit.inputs]
    design, wanted = one_unit(unit), unit.compute(*codes)
    plain = run_rtl(design, codes, 0.2)
    for at in range(1, plain.cycles):
        run = run_rtl(design, codes, 0.2, reset_at=at)
        for stream, got, want in zip(unit.outputs, run.outputs, wanted, strict=True):
            assert_same(f"{unit} after a reset in cycle {at}", stream, got, want)
        assert run.frame_done.tolist() == plain.frame_done.tolist(), at
