"""Which tools are installed, which are missing, and the command that installs each."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from dfcompile.toolchain import TOOLS, find_tool


@dataclass(frozen=True)
class Finding:
    """One tool as found on this machine: `install` is the command that brings it."""

    name: str
    used_for: str
    found: bool
    version: str
    install: str


_TRAINING = ("torch", "brevitas", "scikit-learn")
_VENDOR = {
    "vitis_hls": "building hls/ for AMD devices",
    "vivado": "place and route for AMD devices",
    "v++": "linking kernels for AMD cards",
}


def examine() -> tuple[Finding, ...]:
    """Every tool that a command, an example or a generated project uses, found or not."""
    return (_system(), *_tools(), *map(_package, _TRAINING), *map(_vendor, _VENDOR))


def _system() -> Finding:
    """The system: the suite has run on Linux alone."""
    name = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    return Finding(
        name, "running it: tried on Linux, not on macOS or Windows", name == "Linux", platform.release(), "a container, see docs/install.md"
    )


def _tools() -> Iterator[Finding]:
    for name, kind in TOOLS.items():
        tool = find_tool(name)
        yield Finding(name, kind.purpose, tool is not None, tool.version if tool else "", kind.install)


def _package(name: str) -> Finding:
    install = "pip install 'dfcompile[train]'"
    try:
        return Finding(name, "training the examples", True, importlib.metadata.version(name), install)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "training the examples", False, "", install)


def _vendor(name: str) -> Finding:
    return Finding(name, _VENDOR[name], shutil.which(name) is not None, "", "from AMD; nothing else needs it")
