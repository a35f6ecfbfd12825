"""How fast a board brings frames to a design and takes its results: over its memory and ports, or its serial line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

from dfcompile.device.boards import Board
from dfcompile.device.platform import JTAG_BITS

T = TypeVar("T")
LINE_BITS = 10
"""Of a byte on a serial line."""


def port_bytes(bits: int) -> int:
    """Bytes of a beat of so many bits on the outside: a power of two, as DMAs want it."""
    return 1 << (-(-bits // 8) - 1).bit_length()


def by_port(masters: Sequence[T], ports: int) -> list[Sequence[T]]:
    """Which masters share each memory port: dealt out in turn."""
    return [masters[i::ports] for i in range(min(ports, len(masters)))]


def fed_cycles(board: Board, inputs: Sequence[int], outputs: Sequence[int], clock: float) -> float:
    """Cycles at `clock` MHz in which the memory moves a frame of so many bytes at each input and output.

    Each has a channel of a DMA, with a port of its own while there are enough; a port reads and writes a beat a cycle. On a card v++ joins
    all of them to one memory. 0 on an open board, whose frames come over its serial line (`line_rate`).
    """
    if board.wiring:
        return 0.0
    moved, kind = sum(inputs) + sum(outputs), board.vivado.kind if board.vivado else ""
    if kind == "jtag":
        return moved * 8 / JTAG_BITS
    channels = [pair for one in zip_longest(inputs, outputs, fillvalue=0) for pair in ((one[0], 0), (0, one[1])) if any(pair)]
    shared = [map(sum, zip(*port, strict=True)) for port in by_port(channels, 1 if kind == "xrt" else board.ports)]
    return max([moved / board.bandwidth * clock / 1000, *(max(sums) * 8 / board.port_bits for sums in shared)])


def engine_cycles(board: Board, moved: float, clock: float) -> float:
    """Cycles at `clock` MHz in which the memory moves what a loopback engine reads and writes for a frame, in bytes."""
    return moved / board.reachable(clock) * clock / 1000


def line_rate(board: Board, inputs: Sequence[int], outputs: Sequence[int]) -> float | None:
    """Frames a second that the serial line of an open board carries at most, each way at once; None where it has none."""
    return board.wiring.baud / LINE_BITS / max(sum(inputs), sum(outputs)) if board.wiring else None


def brought_cycles(board: Board, inputs: Sequence[int], outputs: Sequence[int], clock: float) -> float:
    """Cycles at `clock` MHz in which a board brings a frame and takes its results, over its memory and ports or its serial line."""
    line = line_rate(board, inputs, outputs)
    return max(fed_cycles(board, inputs, outputs, clock), clock * 1e6 / line if line else 0.0)
