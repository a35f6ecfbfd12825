"""Running Vivado on the scripts in vivado/ of a build, and reading its reports (UG906: report_utilization, report_timing_summary)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError, Problem

LOG = "tool.log"
TOTALS = {"lut": r"(Slice|CLB) LUTs\*?", "ff": r"(Slice|CLB) Registers", "bram36": r"Block RAM Tile", "uram": r"URAM", "dsp": r"DSPs"}
"""Rows of the flat report; Slice on 7 series, CLB on UltraScale+."""
COLUMNS = {"lut": r"Total LUTs", "ff": r"FFs", "ramb36": r"RAMB36", "ramb18": r"RAMB18", "uram": r"URAM", "dsp": r"DSP(48)? Blocks"}
"""Columns of the report by units."""


@dataclass(frozen=True)
class Timing:
    """The slowest path. slack: ns, negative where it misses the clock; source, target: registers at its ends, "" where there is no path"""

    slack: float
    source: str
    target: str


def run_tool(name: str, arguments: Sequence[str], work: Path) -> None:
    """Run one of AMD's tools in a folder, where ``tool.log`` keeps what it says. CompileError when it is missing or fails."""
    path = shutil.which(name)
    if path is None:
        why = "AMD's tools are not on PyPI, and nothing else makes a bitstream of this device"
        help_ = (
            "install it from amd.com and put it on PATH (source INSTALLATION/settings64.sh), or take OUT/vivado to a machine that has it: "
            "`vivado -mode batch -source OUT/vivado/design.tcl` in an empty folder"
        )
        raise CompileError(Problem("missing-tool", f"'{name}' is not on PATH", why=why, help=help_))
    with open(work / LOG, "w") as log:
        status = subprocess.run([path, *arguments], cwd=work, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        said = (work / LOG).read_text(errors="replace").splitlines()
        errors = [line for line in said if line.startswith("ERROR")] or [line for line in said if line.strip()]
        raise CompileError(
            Problem(
                "synthesis-failed",
                f"{name} ended with status {status}",
                why=" | ".join(errors[-5:]),
                help="run the scripts in vivado/ by hand",
            )
        )


def run_script(script: Path, work: Path) -> None:
    """Run a script of vivado/ in an empty folder. CompileError as `run_tool`."""
    run_tool("vivado", ["-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", str(script.resolve())], work)


def read_totals(text: str) -> Resources:
    """What a design takes, from report_utilization. CompileError where the text is no such report."""
    found = {}
    for row in _rows(text):
        for key, pattern in TOTALS.items():
            if key not in found and re.fullmatch(pattern, row[0]):
                found[key] = _number(row[1], text)
    if not {"lut", "ff", "bram36", "dsp"} <= found.keys():
        raise _unreadable("utilisation", text)
    return Resources(**({"uram": 0.0} | found))


def read_hierarchy(text: str) -> dict[str, Resources]:
    """What each instance takes with all below it, by its path below the top (""), from report_utilization -hierarchical.

    CompileError where the text is no such report.
    """
    rows = _rows(text, strip=False)
    head = next((r for r in rows if r[0].strip() == "Instance"), None)
    if head is None:
        raise _unreadable("hierarchy", text)
    place = {k: [i for i, name in enumerate(head) if re.fullmatch(pattern, name.strip())] for k, pattern in COLUMNS.items()}
    if any(not at for key, at in place.items() if key != "uram"):
        raise _unreadable("hierarchy", text)
    found: dict[str, Resources] = {}
    path: list[str] = []
    for row in rows[rows.index(head) + 1 :]:
        name, depth = row[0].strip(), (len(row[0]) - len(row[0].lstrip()) - 1) // 2
        if name.startswith("(") and name.endswith(")"):
            continue  # an instance's own logic, which its row above counts too
        path = [*path[:depth], name]
        if len(row) != len(head):
            raise _unreadable("hierarchy", text)
        n = {k: _number(row[at[0]].strip(), text) if at else 0.0 for k, at in place.items()}
        found["/".join(path[1:])] = Resources(n["lut"], n["ff"], n["ramb36"] + n["ramb18"] / 2, n["uram"], n["dsp"])
    return found


def read_timing(text: str) -> Timing:
    """The slowest path of report_timing_summary. CompileError where the text is no such report, or nothing was timed."""
    table = re.search(r"^\s*WNS\(ns\).*\n\s*-[- ]*\n\s*(\S+)", text, re.MULTILINE)
    if table is None or not re.fullmatch(r"-?\d+(\.\d+)?", table[1]):
        raise _unreadable("timing", text)
    ends = re.search(r"^Slack \((?:MET|VIOLATED)\)[^\n]*\n\s*Source:\s*(\S+).*?^\s*Destination:\s*(\S+)", text, re.MULTILINE | re.DOTALL)
    return Timing(float(table[1]), *(ends.groups() if ends else ("", "")))


def _rows(text: str, strip: bool = True) -> list[list[str]]:
    """Cells of the rows of a report's tables."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.strip().startswith("|") and line.count("|") > 2]
    return [[cell.strip() if strip else cell for cell in row] for row in rows]


def _number(text: str, report: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _unreadable("utilisation", report) from None


def _unreadable(name: str, text: str) -> CompileError:
    shown = next((line.strip() for line in text.splitlines() if line.strip(" -+|")), "it is empty")
    return CompileError(Problem("synthesis-failed", f"the {name} report of Vivado is not as documented", why=shown[:120], help="see UG906"))
