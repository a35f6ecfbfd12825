"""Saved builds for AMD boards through Vivado: resources by units, and the bitstream with its figures."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfcompile.device.resources import Resources
from dfcompile.emit.engine import TOP
from dfcompile.emit.name import Names
from dfcompile.emit.vivado import Top, unwired
from dfcompile.errors import CompileError, Problem
from dfcompile.mode.accelerator import Accelerator, Progress
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.serialize import part_of
from dfcompile.synthesis.vivado import Timing, read_hierarchy, read_timing, read_totals, run_script, run_tool

CORE = "u_top/u_core"


def fmax(timing: Timing, clock: float) -> float:
    """MHz that the slowest path allows, of a design that was timed at `clock` MHz."""
    return clock / (1 - timing.slack * clock / 1000)


def folder_of(out: Path) -> Path:
    """vivado/ of a build. CompileError where it has none."""
    if not (out / "vivado").is_dir():
        why, help_ = "it was built for no AMD board", "build it with --board pynq-z2, or another AMD board of `dfcompile boards`"
        raise CompileError(Problem("no-scripts", "the build has no scripts for Vivado", why=why, help=help_))
    return part_of(out, "vivado")


def instances(made: Accelerator) -> dict[str, str]:
    """Path below the packaged top of every part of a build that has an instance of its own."""
    if not isinstance(made, DataflowAccelerator):
        return {TOP: "u_top"}
    names = Names.of(made.design)
    found = {unit: f"{CORE}/u_{name}" for unit, name in names.units.items()}
    return found | {f"fifo {tensor}": f"{CORE}/u_{name}" for tensor, name in names.fifos.items()}


def synth_vivado(out: Path, made: Accelerator, progress: Progress) -> dict[str, Any]:
    """The design by itself, placed and routed at the build's clock: {"units", "total", "fmax_mhz", "critical_path"} as `mode.synth.synth`.

    What no unit has, as registers and memories between units, is a row of its own. CompileError when Vivado is missing or fails.
    """
    script = folder_of(out) / "ooc.tcl"
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        progress("synthesise, place and route with Vivado")
        run_script(script, work)
        areas = read_hierarchy((work / "hierarchy.txt").read_text())
        total, timing = read_totals((work / "utilisation.txt").read_text()), read_timing((work / "timing.txt").read_text())
    places = instances(made)
    parts, rows, rest = made.parts(made.family, part_of(out, "rtl")), [], total
    for part in parts:
        real = area_of(areas, places[part.name])
        rest = Resources(*(a - b for a, b in zip(rest, real, strict=True)))
        rows.append(_row(part.name, part.kind, real, part.estimate))
    rows.append(_row("between units", "", rest, Resources()))
    estimate = sum((p.estimate for p in parts), Resources())
    sums = {"synthesised": total._asdict(), "estimated": estimate._asdict()}
    path = path_of(made, timing)
    return {"units": rows, "total": sums, "fmax_mhz": round(fmax(timing, float(made.options["clock"])), 2), "critical_path": path}


def _row(name: str, kind: str, real: Resources, estimate: Resources) -> dict[str, Any]:
    return {"name": name, "kind": kind, "synthesised": real._asdict(), "estimated": estimate._asdict()}


def path_of(made: Accelerator, timing: Timing) -> list[str]:
    """Units at both ends of the slowest path, each named once."""
    places = instances(made)

    def unit(register: str) -> str:
        _, found, inside = register.partition("u_top/")
        owned = (name for name, place in places.items() if f"{found}{inside}".startswith((f"{place}/", f"{place}__")))
        return next(owned, "between units" if found else "around the design")

    return list(dict.fromkeys(unit(r) for r in (timing.source, timing.target) if r))


def area_of(areas: Mapping[str, Resources], place: str) -> Resources:
    """Of an instance and the memories beside it, which have its name and two underscores; nothing where all was optimised away."""
    return sum((r for path, r in areas.items() if path == place or re.fullmatch(rf"{re.escape(place)}__\w+", path)), Resources())


def implement(out: Path, made: Accelerator, work: Path, progress: Progress) -> tuple[dict[str, Any], bool, Mapping[str, Path]]:
    """Make the bitstream in an empty folder.

    Returns figures for `implementation` of report.json, whether the clock is reached, and the files by their names in the build.

    CompileError where the board's block design does not fit the design, or a tool is missing or fails.
    """
    folder, board, clock = folder_of(out), made.options["vivado"], float(made.options["clock"])
    name = TOP if not isinstance(made, DataflowAccelerator) else Names.of(made.design).top
    reason = unwired(Top.read(name, part_of(out, "rtl")), board, int(made.options.get("copies") or 1))
    if reason:
        help_ = "`dfcompile synth OUT --tool vivado` places and routes the design by itself"
        raise CompileError(Problem("no-bitstream", "no bitstream can be made of this build", why=reason, help=help_))
    start = time.monotonic()
    if board["kind"] == "xrt":
        _link(folder, name, board["shell"], work, progress)
    else:
        progress("synthesise, place and route with Vivado")
        run_script(folder / "design.tcl", work)
    timing = read_timing(_report(work, "timing.txt").read_text())
    used = read_totals(_report(work, "utilisation.txt").read_text())
    figures = {
        "tool": "vivado", "family": made.family, "fmax_mhz": round(fmax(timing, clock), 2), "clock_mhz": clock,
        "lut": round(used.lut), "ff": round(used.ff), "ram": used.bram36, "dsp": round(used.dsp),
        "seconds": round(time.monotonic() - start, 1), "seed": 1, "seeds": 1, "critical_path": path_of(made, timing),
    }  # fmt: skip
    files = sorted(p for p in work.iterdir() if p.suffix in (".bit", ".hwh", ".xclbin"))
    return figures, timing.slack >= 0, {f"vivado/{p.name}": p for p in files}


def _link(folder: Path, name: str, shell: str, work: Path, progress: Progress) -> None:
    """An .xclbin from the kernel and the kernels that move its frames."""
    progress("package the kernel")
    run_script(folder / "kernel.tcl", work)
    source, config = folder / "mover.cpp", folder / "link.cfg"
    kernels = re.findall(r"^nk=(move_\w+):", config.read_text(), re.MULTILINE)
    for kernel in kernels:
        progress(f"compile {kernel}")
        options = ["--compile", "--target", "hw", "--platform", shell, "--kernel", kernel, "-o", f"{kernel}.xo"]
        run_tool("v++", [*options, str(source.resolve())], work)
    progress("link with v++")
    objects = [f"{name}_ip.xo", *(f"{k}.xo" for k in kernels)]
    run_tool(
        "v++", ["--link", "--target", "hw", "--config", str(config.resolve()), "--report_level", "2", "-o", "design.xclbin", *objects], work
    )


def _report(work: Path, name: str) -> Path:
    """A report of the scripts, or of the run that v++ keeps in its folder _x."""
    plain = work / name
    kind = "timing_summary" if name == "timing.txt" else "utilization"
    found = [plain] if plain.exists() else sorted(work.glob(f"_x/**/impl_1/*_{kind}_*routed.rpt"))
    if not found:
        raise CompileError(Problem("synthesis-failed", f"Vivado left no report of {kind}", help="see the log of the run"))
    return found[0]
