"""Numbers as report.json holds them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from dfcompile.device.boards import Board
from dfcompile.device.delay import slowest
from dfcompile.device.family import DELAYS
from dfcompile.units.base import Unit


def plain(value: Fraction | int) -> int | float:
    """A number that JSON holds: whole where it is."""
    return int(value) if value == int(value) else float(value)


def budget_of(board: Board | None, clock: float) -> dict[str, Any]:
    """What report.json holds of a board; `bandwidth` is what the logic reaches at `clock` MHz."""
    if board is None:
        return {}
    return {"board": board.name, **board.budget, "bandwidth": board.reachable(clock)}


def clocks(units: Mapping[str, Unit], family: str, asked: float) -> dict[str, Any]:
    """What report.json's `timing` holds of the clock before place and route; `asked` in MHz.

    clock_estimate_mhz, clock_limit: what the slowest known path allows, its unit, and in words which of the unit's; null where the family
    has no delays. clock_unknown: kinds of units of which no path is known. closing_mhz: the lower of that and `asked`, where `fps` is.
    clock_nets: "fitted" on units that were placed and routed for the family, "assumed" where none was; null without an estimate
    """
    delays = DELAYS.get(family)
    found = [(made, name) for name, unit in units.items() if (made := slowest(unit.paths(family), delays))]
    unknown = sorted({unit.kind for unit in units.values() if not any(True for _ in unit.paths(family))})
    if not found or not delays:
        return {"clock_estimate_mhz": None, "clock_limit": None, "clock_unknown": unknown, "clock_nets": None, "closing_mhz": asked}
    (mhz, path), name = min(found, key=lambda f: f[0][0])
    limit = {"unit": name, "path": path.what}
    return {
        "clock_estimate_mhz": round(mhz, 1),
        "clock_limit": limit,
        "clock_unknown": unknown,
        "clock_nets": "fitted" if delays.placed else "assumed",
        "closing_mhz": min(asked, round(mhz, 1)),
    }
