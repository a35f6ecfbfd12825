"""Energy of a device family's primitives and of boards. Read from the reports and papers that are named here; nothing was measured by us.

AMD's figures are those of `report_power` for routed designs in public repositories: power of a kind of primitive, over how many there are,
over the clock. Those reports were made without simulated activity: Vivado then takes `DEFAULT_TOGGLES` for what it cannot derive (UG907),
and so do we for all of their nets.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TOGGLES = 0.125
"""Toggles of a net in a cycle, where nothing is known of it (AMD UG907, UG440)."""
PJ_DRAM = 1300.0 / 64
"""pJ of a bit of external memory, of the least that the paper gives for 64 bits (Horowitz, ISSCC 2014, DRAM)."""
PJ_DSP = 3.2
"""pJ of a DSP slice's operation: a 32-bit multiplier and adder of 45 nm (Horowitz, ISSCC 2014), as no report read has busy slices."""


@dataclass(frozen=True)
class Energies:
    """pJ: of a toggle of a LUT's output with the nets around it; in a cycle of a clocked flip-flop with its share of the clock's tree; in a
    cycle in which they work of a block RAM of 36 kbit and of a DSP slice.
    """

    lut: float
    ff: float
    bram36: float
    dsp: float
    source: str


def _of_report(mhz: float, luts: int, registers: int, blocks: float, logic: float, clocks: float, rams: float, source: str) -> Energies:
    """From a power report: counts of primitives, and watts of logic and signals together, of clocks and of block RAMs."""
    cycle = 1e12 / (mhz * 1e6)  # watts to pJ a cycle
    return Energies(logic * cycle / luts / DEFAULT_TOGGLES, clocks * cycle / registers, rams * cycle / blocks, PJ_DSP, source)


SEVEN_SERIES = _of_report(
    1000 / 7.0, 15_428, 17_979, 18.5, 0.170 + 0.247, 0.091, 0.027,
    "Vivado 2020.1 report_power, xc7z020, github.com/theCow61/AES-Accelerator 194c0d3; DSP: Horowitz, ISSCC 2014, 45 nm",
)  # fmt: skip
ULTRASCALE_PLUS = _of_report(
    100.0, 8_083 + 1_728 + 471, 12_301, 3, 0.020 + 0.014, 0.018, 0.001,
    "Vivado 2023.1 report_power, xck26 at 0.72 V, github.com/Risamp/ELEN90096-Group-2 8bf42b9; DSP: Horowitz, ISSCC 2014, 45 nm",
)  # fmt: skip


@dataclass(frozen=True)
class Power:
    """What a board takes whatever the design does. static: watts of the device's logic, by the maker's tool; board: of all else on it, 0
    where nobody has measured it; source: documents the figures come from.
    """

    static: float
    board: float
    source: str


POWER_DEFAULTS = {"board": 0.0, "source": "the user's file"}
