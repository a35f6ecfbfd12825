"""The board/ folder of a build: the top level of an open board around the design, with a host link, and its pins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.device.family import PLACERS
from dfcompile.device.pll import Pll, clock
from dfcompile.device.wiring import Wiring
from dfcompile.emit.identity import design_hash, version_word
from dfcompile.emit.interface import Interface
from dfcompile.emit.resource import copy_library, render, resource_dir
from dfcompile.errors import CompileError, Problem

_FEWER = "compile a part of the model (--from TENSOR, --to TENSOR), or build for a board that PYNQ runs on"
CONSTRAINTS = {"nextpnr-ecp5": "pins.lpf", "nextpnr-ice40": "pins.pcf", "nextpnr-gowin": "pins.cst"}
"""File of the pins, by family."""
BUFFER_BYTES = {"nextpnr-ecp5": 2048, "nextpnr-ice40": 512, "nextpnr-gowin": 2048}
"""Of a port's buffer in the host link, by family: one block RAM."""
LIBRARY = ("dfc_reset.sv", "dfc_uart_rx.sv", "dfc_uart_tx.sv", "dfc_link.sv", "dfc_link_in.sv", "dfc_link_out.sv")
GAP_SECONDS = 0.01
"""Silence on the line after which what is left of a packet is given up: longer than any pause that a USB bridge makes."""
BAUD_ERROR = 0.02
PORTS = 8
"""Inputs, and outputs, that the link tells apart."""
PLL_DEVICE = "GW1NR-9C"


def board_top(names_top: str) -> str:
    """Module of the board's top level."""
    return f"{names_top}_board"


def board_clock(family: str, wiring: Wiring, mhz: float) -> Pll:
    """The clock that the board makes for a design of so many MHz. CompileError where it makes none, or its line cannot be served by it."""
    found = clock(family, wiring.oscillator, mhz)
    if found is None:
        raise CompileError(
            Problem("clock", f"the board makes no clock of {mhz:g} MHz or less", help=f"ask for at least {wiring.oscillator:g} MHz")
        )
    divisor = divisor_of(found.mhz, wiring.baud)
    error = abs(found.mhz * 1e6 / divisor / wiring.baud - 1) if divisor >= 4 else 1.0
    if error > BAUD_ERROR:
        why = f"{found.mhz:g} MHz are {found.mhz * 1e6 / wiring.baud:.2f} cycles a bit of {wiring.baud:,} baud"
        raise CompileError(Problem("clock", "the serial line cannot be served at this clock", why=why, help="ask for another --clock"))
    return found


def divisor_of(mhz: float, baud: int) -> int:
    """Cycles of a bit on the serial line."""
    return round(mhz * 1e6 / baud)


def pins_of(wiring: Wiring) -> list[tuple[str, str]]:
    """(port of the top level, pin)."""
    high = [(f"high{i}_o", pin) for i, pin in enumerate(wiring.high_pins.split())]
    return [("clk_i", wiring.clock_pin), ("rx_i", wiring.rx_pin), ("tx_o", wiring.tx_pin), *high]


def emit_board(design: Design, options: Mapping[str, Any], family: str, build: Path) -> None:
    """Write board/ (top level, link, pins, ``board.json``) and driver/uart.py of the build folder `build`, which has its rtl/ already.

    CompileError where the board cannot serve the design: its clock, its number of ports.
    """
    wiring = Wiring(**options["wiring"])
    interface = Interface.of(design)
    if max(len(interface.inputs), len(interface.outputs)) > PORTS:
        counts = f"{len(interface.inputs)} inputs and {len(interface.outputs)} outputs"
        raise CompileError(
            Problem(
                "host-link",
                f"the host link of a board has at most {PORTS} of each, the design {counts}",
                help="compile a part of the model (--from, --to), or for a board without such a link",
            )
        )
    made = board_clock(family, wiring, float(options["clock"]))
    folder = build / "board"
    folder.mkdir(parents=True, exist_ok=True)
    top = board_top(interface.names.top)
    values = {
        "title": design.name,
        "board": options["board"],
        "top": top,
        "names": interface.names,
        "clock": made,
        "pll_device": PLL_DEVICE,
        "baud": wiring.baud,
        "divisor": divisor_of(made.mhz, wiring.baud),
        "depth": BUFFER_BYTES[PLACERS[family]],
        "high": wiring.high_pins.split(),
        "version": version_word(),
        "hash": design_hash(design),
    }
    gap = round(made.mhz * 1e6 * GAP_SECONDS)
    text = render("board/top.sv.j2", inputs=interface.inputs, outputs=interface.outputs, gap=gap, **values)
    (folder / f"{top}.sv").write_text(text)
    pins = CONSTRAINTS[PLACERS[family]]
    (folder / pins).write_text(render(f"board/{pins}.j2", board=options["board"], wiring=wiring, pins=pins_of(wiring)))
    facts = {
        "board": options["board"], "part": options["part"], "family": family, "device": wiring.device, "package": wiring.package,
        "speed": wiring.speed, "clock_mhz": made.mhz, "divisor": values["divisor"], "top": top, "pins": pins,
        "sources": [*_library(folder, build / "rtl", made.cell), f"{top}.sv"],
    }  # fmt: skip
    (folder / "board.json").write_text(json.dumps(facts, indent=1) + "\n")
    ports = {side: [(p.beats, p.bytes) for p in getattr(interface, side)] for side in ("inputs", "outputs")}
    (build / "driver" / "uart.py").write_text(render("driver/uart.py.j2", gap=GAP_SECONDS, **values, **ports))


def _library(folder: Path, rtl: Path, pll: str) -> list[str]:
    """Copy the modules of the host link that the design's own folder `rtl` has not, and the PLL's model; their names."""
    for file in copy_library("rtl", LIBRARY, folder):
        if (rtl / file).exists() or not file.endswith(".sv"):
            (folder / file).unlink()
    if pll:
        shutil.copyfile(resource_dir("templates") / "board" / f"{pll}.sv", folder / f"{pll}.sv")
    return sorted(p.name for p in folder.glob("*.sv") if not p.name.endswith("_board.sv"))
