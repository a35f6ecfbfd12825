"""Several copies of a design, or of an engine, on one board: how many it holds, and what each may take of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dfcompile.device.boards import Board
from dfcompile.device.feed import fed_cycles
from dfcompile.device.platform import OUTLETS

MOST = 16
"""Copies that are looked at."""
KINDS = ("zynq-7000", "zynq-ultrascale", "xrt")
"""Block designs that may have several."""


def held(area: Mapping[str, float], board: Board) -> int:
    """How many copies of an area, by the names of ``report.json``, the shares of a board that designs may fill hold."""
    if board.wiring:
        return 1  # one line
    return min((math.floor(limit / area[k]) for k, limit in board.usable.items() if area.get(k)), default=MOST)


def wired(board: Board, dmas: int) -> int:
    """Most copies with so many DMAs each whose registers the host's SmartConnect reaches: it has a port for each and for their own."""
    if board.vivado is None or board.vivado.kind not in KINDS:
        return 1
    return MOST if board.vivado.kind == "xrt" else min(MOST, max(1, OUTLETS // (1 + dmas)))


def share(board: Board, copies: int) -> Board:
    """What one of so many copies has of a board: a part of its device and of its memory, and of the ports its own, or one."""
    if copies == 1:
        return board
    return replace(
        board,
        lut=board.lut // copies,
        ff=board.ff // copies,
        bram36=board.bram36 / copies,
        uram=board.uram // copies,
        dsp=board.dsp // copies,
        bandwidth=board.bandwidth / copies,
        ports=max(1, board.ports // copies) if board.ports else 0,
    )


def copies_cycles(board: Board, inputs: Sequence[int], outputs: Sequence[int], clock: float, interval: float, copies: int) -> float:
    """Cycles between the frames of so many copies, each with one every `interval` of its own.

    inputs, outputs: bytes of a frame at each port, which the board's memory moves
    """
    return max(interval, fed_cycles(board, [*inputs] * copies, [*outputs] * copies, clock)) / copies
