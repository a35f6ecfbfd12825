"""Numbers as report.json holds them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dfcompile.device.boards import Board


def plain(value: Fraction | int) -> int | float:
    """A number that JSON holds: whole where it is."""
    return int(value) if value == int(value) else float(value)


def budget_of(board: Board | None, clock: float) -> dict[str, Any]:
    """What report.json holds of a board; `bandwidth` is what the logic reaches at `clock` MHz."""
    if board is None:
        return {}
    return {"board": board.name, **board.budget, "bandwidth": board.reachable(clock)}
