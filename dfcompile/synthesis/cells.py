"""Simulation models of the cells of a netlist: Yosys' own where they have contents, else those of templates/cells/.

A cell without a model would be silently 0 in a simulation, so one that neither has is an error.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from dfcompile.device.family import CELL_MODELS
from dfcompile.emit.resource import resource_dir
from dfcompile.errors import CompileError, Problem
from dfcompile.synthesis.yosys import share_dir

_ATTRIBUTE = r"(?:\(\*(?:(?!\*\)).)*\*\)\s*)*"
_MODULE = re.compile(rf"^{_ATTRIBUTE}module\s+(\w+)\b.*?\bendmodule\b", re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r'^`include "(\w+\.vh)"$', re.MULTILINE)
_CONTENTS = re.compile(r"\b(assign|always\w*|initial|generate)\b")
_SILENT = re.compile(r"//[^\n]*|/\*.*?\*/|\bspecify\b.*?\bendspecify\b", re.DOTALL)


def _included(path: Path) -> str:
    """The text of a file with the files that it includes in their places."""
    return _INCLUDE.sub(lambda found: _included(path.with_name(found[1])), path.read_text())


@functools.cache
def _library(path: Path) -> tuple[str, dict[str, str]]:
    """What stands between the modules of a file (definitions of macros), and the modules by name."""
    text = _included(path)
    return _MODULE.sub("", text), {found[1]: found[0] for found in _MODULE.finditer(text)}


def _needed(names: Iterable[str], modules: dict[str, str], ours: frozenset[str]) -> list[str]:
    """The modules of these names that are not ours, and those that they use in turn."""
    found: list[str] = []

    def visit(name: str) -> None:
        if name in found or name in ours or name not in modules:
            return
        for word in sorted({*re.findall(r"\w+", modules[name])} - {name}):
            visit(word)
        found.append(name)

    for name in sorted(names):
        visit(name)
    return found


def cell_models(cells: Iterable[str], family: str) -> str:
    """Verilog of the models of all these cells. CompileError that names those that have none."""
    theirs, own = CELL_MODELS[family]
    between, modules = _library(share_dir() / theirs)
    text = (resource_dir("templates") / "cells" / own).read_text() if own else ""
    ours = frozenset(found[1] for found in _MODULE.finditer(text))
    cells = set(cells)
    needed = _needed(cells, modules, ours)
    hollow = [n for n in needed if not has_contents(modules[n], modules)]
    missing = sorted({*(cells - ours - set(needed)), *hollow})
    if missing:
        why = "neither Yosys nor the compiler knows what they do, and a simulation would take their outputs for 0"
        help_ = "verify with --engine rtl, and report which network needs them"
        raise CompileError(Problem("cell-model", f"cells of the netlist have no model: {', '.join(missing)}", why=why, help=help_))
    return "\n".join([between, *(modules[n] for n in needed), text])


def has_contents(module: str, modules: dict[str, str]) -> bool:
    """Whether a module does anything: some outputs are driven, or it is made of other modules."""
    text = _SILENT.sub("", module)
    instances = {name for name in re.findall(r"(?:^|;)\s*(\w+)\s+(?:#\s*\(|\w+\s*\()", text, re.MULTILINE)} - {"module"}
    return bool(_CONTENTS.search(text)) or any(n in modules for n in instances)
