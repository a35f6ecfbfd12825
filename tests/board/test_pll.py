"""Clocks that open boards make, against the data sheets' limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dfcompile.device.boards import boards
from dfcompile.device.pll import Pll, clock
from dfcompile.emit.board import board_clock, divisor_of
from dfcompile.errors import CompileError


def frequencies(family: str, oscillator: float, pll: Pll) -> tuple[float, float, float]:
    """Phase detector, oscillator and output of a PLL, MHz, by the formulas of the data sheets."""
    p = {k: v for k, v in pll.parameters.items() if isinstance(v, int)}
    if family == "ecp5":
        reference = oscillator / p["CLKI_DIV"]
        return reference, reference * p["CLKFB_DIV"] * p["CLKOP_DIV"], reference * p["CLKFB_DIV"]
    if family == "ice40":
        reference = oscillator / (p["DIVR"] + 1)
        vco = reference * (p["DIVF"] + 1)
        return reference, vco, vco / 2 ** p["DIVQ"]
    reference = oscillator / (p["IDIV_SEL"] + 1)
    out = reference * (p["FBDIV_SEL"] + 1)
    return reference, out * p["ODIV_SEL"], out


LIMITS = {"ecp5": (10, 400, 400, 800), "ice40": (10, 133, 533, 1066), "gowin": (3, 400, 400, 1200)}


@pytest.mark.parametrize("family, oscillator", [("ecp5", 25.0), ("ice40", 12.0), ("gowin", 27.0)])
@pytest.mark.parametrize("wanted", [20, 24, 27, 33.3, 50, 62.5, 100, 133])
def test_a_pll_stays_in_its_limits_and_below_what_is_wanted(family: str, oscillator: float, wanted: float) -> None:
    found = clock(family, oscillator, wanted)
    assert found and found.mhz <= wanted * 1.000001
    if not found.cell:
        assert found.mhz == oscillator
        return
    reference, vco, out = frequencies(family, oscillator, found)
    low, high, slowest, fastest = LIMITS[family]
    assert low <= reference <= high and slowest <= vco <= fastest and out == pytest.approx(found.mhz)


def test_the_oscillators_own_clock_needs_no_pll() -> None:
    assert clock("ecp5", 25, 25) == Pll(25)
    assert clock("ecp5", 25, 2) is None


def test_open_boards_serve_their_line_at_their_default_clock() -> None:
    found = {b.name: b for b in boards().values() if b.wiring}
    assert {"ulx3s", "ulx3s-12f", "ulx3s-25f", "ulx3s-45f"} <= set(found)
    for board in found.values():
        assert board.wiring
        made = board_clock(board.family, board.wiring, board.clock)
        assert made.mhz == pytest.approx(board.clock, rel=0.02)
        assert made.mhz * 1e6 / divisor_of(made.mhz, board.wiring.baud) == pytest.approx(board.wiring.baud, rel=0.02)


def test_clocks_that_cannot_be_served_are_refused() -> None:
    wiring = boards()["ulx3s"].wiring
    assert wiring
    with pytest.raises(CompileError, match="makes no clock of 1 MHz or less"):
        board_clock("ecp5", wiring, 1)
    with pytest.raises(CompileError, match=r"25 MHz are 3\.\d+ cycles a bit of 8,000,000 baud"):
        board_clock("ecp5", replace(wiring, baud=8_000_000), 25)
