"""How the FPGA of an open board is wired: its clock, its host link, and the names that place and route knows it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wiring:
    """What a top level of a board's own needs.

    device, package, speed: as the place-and-route tool of the family names them ("" where it takes none)
    oscillator: of the board, MHz
    baud:       of the host's serial line
    clock_pin:  of the oscillator
    rx_pin, tx_pin: of the serial line, as seen from the FPGA
    high_pins:  outputs that must stay high, blanks between them
    standard:   I/O standard of all pins
    pins_from:  public file that the pins are taken from
    """

    device: str
    package: str
    speed: str
    oscillator: float
    baud: int
    clock_pin: str
    rx_pin: str
    tx_pin: str
    high_pins: str
    standard: str
    pins_from: str


DEFAULTS: Mapping[str, object] = {"package": "", "speed": "", "high_pins": "", "standard": "LVCMOS33", "pins_from": "the user's file"}
