"""Real resources of a saved build beside the estimates."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from dfcompile.device.family import FAMILIES
from dfcompile.errors import CompileError, Problem, did_you_mean
from dfcompile.mode.saved import load
from dfcompile.mode.serialize import part_of
from dfcompile.mode.vivado import synth_vivado
from dfcompile.synthesis.part import WORKERS, Progress, synthesise_parts
from dfcompile.tasks.pool import threads

TOOLS = ("yosys", "vivado")


def synth(
    out: str | Path, tool: str = "yosys", device: str | None = None, progress: Progress = lambda text: None, jobs: int = WORKERS
) -> dict[str, Any]:
    """Synthesise the build `out` from the SystemVerilog in ``out/rtl``: every unit and FIFO by itself, or its loopback engine.

    device: a device family; default the build's
    jobs: units synthesised at a time
    Returns {"tool", "device", "units": [{"name", "kind", "synthesised", "estimated"}], "total": {"synthesised", "estimated"}}; of Vivado,
    which takes the design as a whole for the build's board, with "fmax_mhz" and "critical_path".
    CompileError for an unknown tool or family, or when the tool is missing or fails.
    """
    if tool not in TOOLS:
        raise CompileError(Problem("bad-option", f"there is no synthesis tool '{tool}'", help=f"tools: {', '.join(TOOLS)}"))
    made = load(out)
    family = device or made.family
    if family not in FAMILIES:
        raise CompileError(Problem("bad-option", f"there is no device family '{family}'", help=did_you_mean(family, FAMILIES)))
    if tool == "vivado":
        if device:
            raise CompileError(Problem("bad-option", "Vivado synthesises for the build's board", help="leave --device out"))
        return {"tool": tool, "device": family} | synth_vivado(Path(out), made, progress)
    parts = made.parts(family, part_of(Path(out), "rtl"))
    with contextlib.closing(threads(jobs)) as pool:
        return {"tool": tool, "device": family} | synthesise_parts(parts, pool, progress)
