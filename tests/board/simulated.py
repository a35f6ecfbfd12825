"""Small designs on a simulated board, and the driver's transport that a build carries."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.device.boards import find_board
from dfcompile.emit import board as emitted
from dfcompile.emit.resource import resource_dir
from dfcompile.emit.rtl import emit_rtl
from dfcompile.run.board import SimulatedLine, build_board
from dfcompile.synthesis.netlist import design_sources, netlist_project

GAP_CYCLES = 2_000
"""In place of the ten milliseconds of a real line."""


def emit(design: Design, folder: Path, name: str = "ulx3s", clock: float = 4.0) -> dict[str, Any]:
    """rtl/, board/ and driver/uart.py of a design; what board.json holds. At 4 MHz a bit lasts few cycles; 0 is the board's own clock."""
    board = find_board(name)
    assert board.wiring
    wiring = {**asdict(board.wiring), "oscillator": clock or board.wiring.oscillator}
    clock = clock or board.clock
    emit_rtl(design, folder / "rtl")
    (folder / "driver").mkdir()
    options = {"board": name, "part": board.part, "clock": clock, "wiring": wiring}
    emitted.emit_board(design, options, board.family, folder)
    facts: dict[str, Any] = json.loads((folder / "board" / "board.json").read_text())
    top = folder / "board" / f"{facts['top']}.sv"
    text = top.read_text()
    gap = f".Gap({round(clock * 1e6 * emitted.GAP_SECONDS)})"
    assert text.count(gap) == 1
    top.write_text(text.replace(gap, f".Gap({GAP_CYCLES})"))
    return facts


def transport(folder: Path) -> ModuleType:
    """driver/uart.py of a build as a module of its own."""
    spec = importlib.util.spec_from_file_location("uart_of_build", folder / "driver" / "uart.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def powered(folder: Path, facts: dict[str, Any], netlist: bool = False) -> Iterator[SimulatedLine]:
    """The line of a build's board, simulated from its SystemVerilog or from the netlist of its top level, after a reset."""
    rtl, sources = folder / "rtl", [folder / "board" / s for s in facts["sources"]]
    if netlist:
        boxes = tuple(s.stem for s in sources if (resource_dir("templates") / "board" / s.name).exists())
        whole = design_sources(rtl, facts["top"], folder / "board", facts["sources"])
        rtl, sources = netlist_project(replace(whole, boxes=boxes), facts["family"], pads=True), []
    with SimulatedLine(build_board(rtl, facts["top"], sources), rtl, facts["divisor"], 4 * GAP_CYCLES) as line:
        line.rest(2 * GAP_CYCLES)
        yield line
