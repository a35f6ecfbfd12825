"""What area is worth: one figure in LUT equivalents, and how much of a device a design may fill.

A block RAM or DSP slice counts as many LUTs as the device has for each of them, so the cheapest design is the one
that leaves the most of the device. A flip-flop counts little: every LUT comes with two. A multiply-accumulate lane counts
two LUTs besides its area: it switches in every cycle, so of designs of nearly equal area the one with fewer lanes is better.
Without a board a middle-sized device of the family sets the rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.device.boards import Board
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Areas, Resources

RESOURCES = ("lut", "ff", "bram36", "uram", "dsp")
MEASURES = (*RESOURCES, "lanes")
"""What a vector of costs holds."""
Vector = NDArray[np.float64]

FF_RATE = 0.05
"""LUT equivalents of a flip-flop."""
LANE_RATE = 2.0
"""LUT equivalents of a multiply-accumulate lane, besides its area."""


def vector(area: Resources, lanes: int = 0) -> Vector:
    """Area and lanes as an array in the order of `MEASURES`."""
    return np.array([area.lut, area.ff, area.bram36, area.uram, area.dsp, lanes], dtype=np.float64)


def vectors(areas: Areas, lanes: int) -> Vector:
    """`vector` of each of several areas with equally many lanes, a row each."""
    return np.hstack([areas, np.full((len(areas), 1), lanes, np.float64)])


def rates(family: str, board: Board | None = None) -> Vector:
    """LUT equivalents of each of `MEASURES`."""
    if board is None:
        bram, uram, dsp = FAMILIES[family].worth
    else:
        bram, uram, dsp = (board.lut / n if n else 0.0 for n in (board.bram36, board.uram, board.dsp))
    return np.array([1.0, FF_RATE, bram, uram, dsp, LANE_RATE])


def budget(board: Board, reserved: Vector | None = None) -> Vector:
    """The most of each of `MEASURES` that units may take.

    reserved: what FIFOs take; they come out of the rest of the board first
    """
    usable = np.array([*(board.usable[r] for r in RESOURCES), np.inf])
    if reserved is None:
        return usable
    whole = np.array([*(board.budget[r] for r in RESOURCES), np.inf])
    left: Vector = np.minimum(usable, np.maximum(whole - reserved, 0.0))
    return left
