"""Several copies of a design, or of an engine, on one board: how many it holds, and what each may take of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dfcompile.device.boards import Board
from dfcompile.device.feed import engine_cycles, fed_cycles
from dfcompile.device.platform import OUTLETS

MOST = 16
"""Copies that are looked at."""
ENGINE_MASTERS = 2
"""Of a loopback engine at the memory: one reads its program, one moves its data."""
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


def wired_engines(board: Board) -> int:
    """Most loopback engines that are wired: each has registers at the host's SmartConnect, two masters at those of memory ports."""
    if board.vivado is None or board.vivado.kind not in ("zynq-7000", "zynq-ultrascale"):
        return 1
    return max(1, min(MOST, OUTLETS, OUTLETS * board.ports // ENGINE_MASTERS))


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


def engines_cycles(board: Board, moved: float, clock: float, interval: float, copies: int) -> float:
    """Cycles at `clock` MHz between the frames of so many loopback engines, each with one every `interval` of its own.

    moved: bytes of a frame, all of them over the one memory. Of more engines than ports some share one, which is the last to be done.
    """
    shared = moved * 8 / board.port_bits * math.ceil(copies / board.ports) / copies if 0 < board.ports < copies else 0.0
    return max(interval / copies, engine_cycles(board, moved, clock), shared)
