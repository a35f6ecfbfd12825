"""Phase-locked loops of open boards' devices: the parameters that make a clock of the oscillator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dfcompile.device.family import PLACERS

Value = int | str


@dataclass(frozen=True)
class Pll:
    """A clock that a device can make.

    mhz:        its frequency
    cell:       the primitive that makes it; "" where it is the oscillator's own
    parameters: of the primitive
    """

    mhz: float
    cell: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)


def _ecp5(oscillator: float) -> Iterator[Pll]:
    """EHXPLLL with feedback from its output (Lattice FPGA-DS-02012: phase detector 10 to 400 MHz, VCO 400 to 800 MHz)."""
    for divide in range(1, 129):
        if oscillator / divide < 10:
            break
        for multiply in range(1, 81):
            mhz = oscillator * multiply / divide
            ways = [d for d in range(1, 129) if 400 <= mhz * d <= 800]
            if ways:
                out = min(ways, key=lambda d: (abs(mhz * d - 600), d))
                yield Pll(mhz, "EHXPLLL", {"CLKI_DIV": divide, "CLKFB_DIV": multiply, "CLKOP_DIV": out, "CLKOP_CPHASE": out - 1})


def _ice40(oscillator: float) -> Iterator[Pll]:
    """SB_PLL40_PAD, simple feedback (Lattice FPGA-TN-02052: phase detector 10 to 133 MHz, VCO 533 to 1,066 MHz, output from 16 MHz)."""
    edges = (17, 26, 44, 66, 101, 133)  # of FILTER_RANGE 1 to 6
    for divide in range(16):
        reference = oscillator / (divide + 1)
        if not 10 <= reference <= 133:
            continue
        filter_range = next(i for i, edge in enumerate(edges, 1) if reference <= edge)
        for multiply in range(128):
            for shift in range(1, 7):
                vco = reference * (multiply + 1)
                if 533 <= vco <= 1066 and vco / 2**shift >= 16:
                    yield Pll(
                        vco / 2**shift, "SB_PLL40_PAD", {"DIVR": divide, "DIVF": multiply, "DIVQ": shift, "FILTER_RANGE": filter_range}
                    )


def _gowin(oscillator: float) -> Iterator[Pll]:
    """rPLL of a GW1NR-9C C6/I5 (Gowin DS117: phase detector 3 to 400 MHz, VCO 400 to 1,200 MHz)."""
    for divide in range(64):
        if oscillator / (divide + 1) < 3:
            break
        for multiply in range(64):
            mhz = oscillator * (multiply + 1) / (divide + 1)
            out = next((d for d in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128) if 400 <= mhz * d <= 1200), 0)
            if out:
                yield Pll(mhz, "rPLL", {"FCLKIN": f"{oscillator:g}", "IDIV_SEL": divide, "FBDIV_SEL": multiply, "ODIV_SEL": out})


_PLLS: dict[str, Callable[[float], Iterator[Pll]]] = {"nextpnr-ecp5": _ecp5, "nextpnr-ice40": _ice40, "nextpnr-gowin": _gowin}
FAMILIES_WITH_FLOW = tuple(PLACERS)
"""Families whose bitstreams open tools make."""


def clock(family: str, oscillator: float, wanted: float) -> Pll | None:
    """The fastest clock of at most `wanted` MHz: the oscillator's own where that is it. None where there is none."""
    found = [Pll(oscillator), *_PLLS[PLACERS[family]](oscillator)]
    return max((p for p in found if p.mhz <= wanted * (1 + 1e-9)), key=lambda p: (p.mhz, not p.cell), default=None)
