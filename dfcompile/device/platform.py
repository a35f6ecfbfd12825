"""What surrounds a design on an AMD board: which block design Vivado builds around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("zynq-7000", "zynq-ultrascale", "jtag", "xrt")
"""A processing system of either generation; an FPGA without one, whose host comes over JTAG; a card, whose host is XRT."""


DMA_BITS = 1024
"""Widest stream of AMD's AXI DMA (PG021) and of a data mover in a card."""
JTAG_BITS = 32
"""Of the block RAM that is the memory where the host comes over JTAG: one port, a word a cycle."""


OUTLETS = 16
"""Ports of a SmartConnect (PG247)."""


@dataclass(frozen=True)
class Platform:
    """What the scripts for Vivado need of a board.

    kind:       one of `KINDS`
    board_part: pattern of the board's name in Vivado's board files, whose preset sets the processing system up
    connector:  of a module on a carrier: connector and pattern of the carrier's name
    oscillator: MHz, with clock_pin and reset_pin (active low) where the FPGA has no processing system
    shell:      of a card: name of its platform
    source:     documents or public files the names come from
    """

    kind: str
    board_part: str
    connector: str
    oscillator: float
    clock_pin: str
    reset_pin: str
    shell: str
    source: str


DEFAULTS: Mapping[str, object] = {
    "board_part": "", "connector": "", "oscillator": 0, "clock_pin": "", "reset_pin": "", "shell": "", "source": "the user's file",
}  # fmt: skip
