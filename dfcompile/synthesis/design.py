"""Real resources of a saved build, unit by unit, beside the estimates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import shared_memories, unit_resources
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.emit.engine import TOP as LOOPBACK_TOP
from dfcompile.errors import CompileError, Problem
from dfcompile.loopback.area import resources as area_of_engine
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.saved import load
from dfcompile.mode.serialize import part_of
from dfcompile.options import did_you_mean
from dfcompile.synthesis.unit import synthesise_shared, synthesise_texts, synthesise_unit
from dfcompile.units.base import Unit

WORKERS = 2  # a synthesis takes one core and up to a gigabyte
Progress = Callable[[str], None]


def synth(out: Path, tool: str = "yosys", device: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Synthesise every unit and FIFO of the build `out` by itself, or its loopback engine, from the SystemVerilog in ``out/rtl``.

    A block RAM that two units share counts in the first of them.

    device: a device family; default the build's
    Returns {"tool", "device", "units": [{"name", "kind", "synthesised", "estimated"}], "total": {"synthesised", "estimated"}}.
    CompileError for an unknown tool or family, or when the tool is missing or fails.
    """
    if tool != "yosys":
        raise CompileError(Problem("bad-option", f"there is no synthesis tool '{tool}'", help="use yosys"))
    made = load(out)
    family = device or made.family
    if family not in FAMILIES:
        raise CompileError(Problem("bad-option", f"there is no device family '{family}'", help=did_you_mean(family, FAMILIES)))
    library = part_of(Path(out), "rtl")
    if isinstance(made, LoopbackAccelerator):
        if progress:
            progress("synthesise the engine")
        real = _engine(library, family)
        return _table(tool, family, [(LOOPBACK_TOP, "loopback", real, area_of_engine(made.config, family))])
    parts = design_parts(made.design)
    pairs = {p.units[0]: p for p in shared_memories(made.design)}
    shared = {u for units in made.design.shared for u in units}
    done = 0

    def run(part: tuple[str, Unit]) -> Resources:
        nonlocal done
        name, unit = part
        found = synthesise_unit(unit, family, library, outside=name in shared)
        if name in pairs:
            found = found + synthesise_shared(pairs[name], family, library)
        done += 1
        if progress:
            progress(f"synthesise {done}/{len(parts)}")
        return found

    if progress:
        progress(f"synthesise 0/{len(parts)}")
    with ThreadPoolExecutor(WORKERS) as pool:
        areas = list(pool.map(run, parts))
    estimates = unit_resources(made.design, family)
    found = zip(parts, areas, strict=True)
    return _table(tool, family, [(name, unit.kind, real, estimates.get(name) or unit.resources(family)) for (name, unit), real in found])


def _engine(library: Path, family: str) -> Resources:
    """Real area of the loopback engine in the folder rtl/ of a build."""
    headers = sorted(p.name for p in library.glob("*.svh"))
    listed = [f for f in (library / "files.f").read_text().split() if f.endswith(".sv")]
    return synthesise_texts([(f, (library / f).read_text()) for f in (*headers, *listed)], (), LOOPBACK_TOP, family)


def design_parts(design: Design) -> list[tuple[str, Unit]]:
    """Units of a design and its FIFOs as units."""
    units: list[tuple[str, Unit]] = [(n.name, design.unit(n.name)) for n in design.nodes]
    return [*units, *((f"fifo {t}", f) for t, f in design.fifos().items())]


def _table(tool: str, family: str, parts: list[tuple[str, str, Resources, Resources]]) -> dict[str, Any]:
    """The result, from (name, kind, synthesised, estimated)."""
    rows = []
    sums = [Resources(), Resources()]
    for name, kind, real, estimate in parts:
        sums = [sums[0] + real, sums[1] + estimate]
        rows.append({"name": name, "kind": kind, "synthesised": dataclasses.asdict(real), "estimated": dataclasses.asdict(estimate)})
    total = {"synthesised": dataclasses.asdict(sums[0]), "estimated": dataclasses.asdict(sums[1])}
    return {"tool": tool, "device": family, "units": rows, "total": total}
