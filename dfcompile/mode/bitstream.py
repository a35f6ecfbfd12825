"""From a saved build to a bitstream: synthesis of the board's top level, place and route for some seeds, packing, the report."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dfcompile.device.family import PLACERS
from dfcompile.emit.name import Names
from dfcompile.emit.resource import resource_dir
from dfcompile.errors import CompileError, Problem
from dfcompile.mode.accelerator import Accelerator, Progress
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.page import REPORT, draw_report
from dfcompile.mode.saved import load
from dfcompile.mode.schema import SchemaError
from dfcompile.mode.serialize import bad_build, part_of, read_json
from dfcompile.mode.vivado import implement
from dfcompile.store.files import writing
from dfcompile.store.output import add_files
from dfcompile.synthesis.netlist import Sources, design_sources, synthesise
from dfcompile.synthesis.place import FLOWS, Placed, Target, count, pack, place

STEPS = 6
"""Units of the critical path that are named."""


def bitstream(
    out: str | Path, seeds: int = 1, allow_timing_fail: bool = False, progress: Progress | None = None
) -> tuple[Path, dict[str, Any]]:
    """Make ``board/<top>.bit`` (or .bin, .fs) of the saved build `out`, and put `implementation` into its report.

    For an AMD board, with Vivado: ``vivado/design.bit`` and ``.hwh``, or ``design.xclbin``.
    seeds: places tried, from seed 1 on; the first one that reaches the clock is taken, else the fastest; Vivado has one
    Returns the bitstream's path and what is new in report.json: `implementation`, `clock_mhz` and `timing` at the real clock.
    CompileError where the build's board has no flow, a tool is missing or fails, and where the clock is missed unless
    `allow_timing_fail`: then the report has the figures all the same.
    """
    folder, report = Path(out), progress or (lambda _: None)
    made = load(folder)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if made.options.get("vivado"):
            figures, met, files = implement(folder, made, work, report)
        else:
            figures, met, files = _with_open_tools(folder, made, seeds, work, report)
        changed = _write(folder, made, figures, files if met or allow_timing_fail else {})
    if not met and not allow_timing_fail:
        raise CompileError(_missed(figures))
    return folder / next(iter(files)), changed


def _with_open_tools(
    folder: Path, made: Accelerator, seeds: int, work: Path, report: Progress
) -> tuple[dict[str, Any], bool, Mapping[str, Path]]:  # fmt: skip
    """Figures, whether the clock is reached, and the files of a bitstream made in an empty folder, by their names in the build."""
    target, sources = read_board(folder, made)
    name = f"{sources.top}{FLOWS[PLACERS[target.family]].suffix}"
    start = time.monotonic()
    report(f"synthesise for {target.family}")
    netlist = synthesise(sources, target.family, pads=True)
    shutil.copyfile(netlist / "netlist.json", work / "netlist.json")
    shutil.copyfile(folder / "board" / target.pins, work / target.pins)
    best = _best(work, target, seeds, report)
    report("pack the bitstream")
    pack(work, target, name)
    figures = _figures(made, target, best, seeds, time.monotonic() - start)
    return figures, best.fmax_mhz >= target.clock_mhz, {f"board/{name}": work / name}


def _best(work: Path, target: Target, seeds: int, report: Progress) -> Placed:
    """The first place that reaches the clock, else the fastest; the folder holds the files of it."""
    found: list[Placed] = []
    for seed in range(1, seeds + 1):
        report(f"place and route {seed - 1}/{seeds}")
        found.append(place(work, target, seed))
        if found[-1].fmax_mhz >= target.clock_mhz:
            return found[-1]
    best = max(found, key=lambda p: (p.fmax_mhz, -p.seed))
    if best is not found[-1]:
        place(work, target, best.seed)
    return best


def read_board(folder: Path, made: Accelerator) -> tuple[Target, Sources]:
    """What the folder board/ of a build says: what is placed on, and what. CompileError where it has none or is damaged."""
    path = folder / "board" / "board.json"
    if not path.exists():
        why = "its mode is loopback, whose engine needs an external memory" if made.mode == "loopback" else "it was built for no open board"
        help_ = "build it with --mode dataflow --board ulx3s, or another board that `dfcompile boards` lists as open"
        raise CompileError(Problem("no-bitstream", "no bitstream can be made of this build", why=why, help=help_))
    data = read_json(path)
    try:
        target = Target(**{k: data[k] for k in ("family", "device", "package", "speed", "part", "pins", "clock_mhz")})
        cells = sorted(p.stem for p in resource_dir("templates").glob("board/*.sv"))
        sources = design_sources(part_of(folder, "rtl"), data["top"], folder / "board", data["sources"])
        FLOWS[PLACERS[target.family]]
    except (KeyError, TypeError, OSError) as e:
        raise bad_build(folder, SchemaError(f"board/board.json: {e}")) from e
    return target, replace(sources, boxes=tuple(c for c in cells if f"{c}.sv" in sources.texts))


def unit_of_cell(cell: str, names: Names) -> str:
    """The unit of a design that a placed cell belongs to, "host link" for what is around the design; "" where its name does not say."""
    scopes = cell.split(".")
    if len(scopes) < 2:
        return ""
    if scopes[0] != "u_core":
        return "host link"
    units = {f"u_{name}": unit for unit, name in names.units.items()}
    return units.get(scopes[1], scopes[1].removeprefix("u_")) if len(scopes) > 2 else "between units"


def _path(made: Accelerator, cells: Sequence[str]) -> list[str]:
    """Units along a path, each named once in a row."""
    assert isinstance(made, DataflowAccelerator), "only a dataflow build has a folder board/"
    names = Names.of(made.design)
    found = [unit for unit in (unit_of_cell(cell, names) for cell in cells) if unit]
    return [unit for i, unit in enumerate(found) if found[i - 1 : i] != [unit]][:STEPS]


def _figures(made: Accelerator, target: Target, placed: Placed, seeds: int, seconds: float) -> dict[str, Any]:
    return {
        "tool": FLOWS[PLACERS[target.family]].tool,
        "family": target.family,
        "fmax_mhz": round(placed.fmax_mhz, 2),
        "clock_mhz": target.clock_mhz,
        **count(placed, target.family),
        "seconds": round(seconds, 1),
        "seed": placed.seed,
        "seeds": seeds,
        "critical_path": _path(made, placed.path),
    }


def _missed(figures: dict[str, Any]) -> Problem:
    reached, more = figures["fmax_mhz"], f", try more than --seeds {figures['seeds']}" if figures["tool"] != "vivado" else ""
    what = f"the design reaches {reached:.1f} MHz of {figures['clock_mhz']:g} MHz"
    why = f"the slowest path runs through {', '.join(figures['critical_path'])}"
    help_ = f"build it with --clock {int(reached)}{more}, or go on with --allow-timing-fail"
    return Problem("timing", what, why=why, help=help_)


def _write(folder: Path, made: Accelerator, figures: dict[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """Put the figures into the build's reports, and files of a bitstream, by their names in the build; what is new in report.json."""
    clock, timing = figures["clock_mhz"], made.report["timing"]
    stated = timing.get("closing_mhz", made.report["clock_mhz"])  # where the rate is
    made_timing = {**timing, "fps": timing["fps"] * (clock / stated)} | ({"closing_mhz": clock} if "closing_mhz" in timing else {})
    changed = {"implementation": figures, "clock_mhz": clock, "timing": made_timing}
    made.report.update(changed)
    with add_files(folder, ["report.json", REPORT, *files]) as new:
        page = draw_report(made, folder)
        with writing(folder):
            (new / "report.json").write_text(json.dumps(made.report, indent=1) + "\n")
            (new / REPORT).write_text(page, encoding="utf-8", errors="replace")
            for name, file in files.items():
                (new / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(file, new / name)
    return changed
