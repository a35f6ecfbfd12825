"""Holds generated C++ to what Vitis HLS and Bambu both take, without either: a real clang reads it, and the LLVM IR is looked through.

The headers of hls_strict/ stand in for the vendor's: they have only what both tools have. Each unit, top and engine is compiled as
C++14 with every warning an error, once as each tool reads it; then `llvm_ir` says what no hardware can be made of, and whether the
memories are constants with the values of the files that the SystemVerilog reads. clang comes from the PyPI package ziglang.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.emit.engine import emit_hls_engine
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import Words, parse_hex
from dfcompile.emit.rtl import emit_rtl, memory_file
from dfcompile.ir.graph import Delay
from dfcompile.loopback.config import EngineConfig
from dfcompile.store.cache import cached, content_key, folder_key
from dfcompile.units.base import Memory
from tools.llvm_ir import Limbs, breaches

TOOLS = Path(__file__).resolve().parent
STRICT = TOOLS / "hls_strict"
# -O1 as HLS front ends do; read-only memories stay whole even where the optimiser has no more use for them.
FLAGS = (
    "-std=c++14 -O1 -g0 -S -emit-llvm -fkeep-static-consts -fno-discard-value-names -target x86_64-linux-gnu -mcpu=x86_64_v2 "
    "-Wall -Wextra -Wshadow -Wold-style-cast -Wcast-qual -Wimplicit-fallthrough -Wconversion -Wsign-conversion "
    "-Wglobal-constructors -Wexit-time-destructors -Werror -ferror-limit=99 -Wno-unused-command-line-argument -Wno-unknown-pragmas"
).split()
# What each tool defines: Bambu's literal pragmas or Vitis' are chosen by it.
FORMS = {"Bambu": ("-D__BAMBU__",), "Vitis": ("-D__SYNTHESIS__", "-D__VITIS_HLS__")}


def compile_ir(source: Path, more: Sequence[str] = ()) -> tuple[str, list[str]]:
    """LLVM IR of a source with its headers beside it, and what the compiler complains of: one of them is empty."""
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "unit.ll"
        command = [sys.executable, "-m", "ziglang", "c++", *FLAGS, *more, "-isystem", str(STRICT), source.name, "-o", str(made)]
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
        if done.returncode == 0 and not done.stderr:
            return made.read_text(), []
        errors = re.findall(r"^.*(?:error|warning): .*$", done.stderr, re.MULTILINE)
        return "", errors or [done.stderr.strip() or f"exit status {done.returncode}"]


def check_source(
    source: Path,
    memories: Mapping[str, Limbs] = MappingProxyType({}),
    state: Sequence[str] = (),
    others: Sequence[str] = (),
    unit: str = "",
    more: Sequence[str] = (),
) -> list[str]:
    """Sentences on what breaks the dialect in one C++ file as either tool reads it, as `llvm_ir.breaches`."""
    found = dict[str, list[str]]()
    for tool, defined in FORMS.items():
        text, errors = compile_ir(source, [*defined, *more])
        for sentence in errors or breaches(text, memories, state, others, unit):
            found.setdefault(sentence, []).append(tool)
    return [f"{source.name}: {sentence} ({', '.join(tools)})" for sentence, tools in found.items()]


def _kept(folder: Path, check: Callable[[], list[str]]) -> list[str]:
    """What `check` finds in the sources of a folder; kept by content."""

    def build(place: Path) -> None:
        (place / "found.json").write_text(json.dumps(check()))

    own = [Path(__file__), TOOLS / "llvm_ir.py", *sorted(STRICT.glob("*.h"))]
    key = content_key([importlib.metadata.version("ziglang"), *(p.read_bytes() for p in own), folder_key(folder)])
    found = json.loads((cached("conformance", key, build) / "found.json").read_text())
    assert isinstance(found, list), "as build has written it"
    return found


def arrays_of(memory: Memory, file: Path) -> dict[str, Limbs]:
    """The arrays of a memory in 64-bit limbs, with the words of the SystemVerilog's file where it has one of its own."""
    read = replace(memory, words=parse_hex(file.read_text(), memory.width)) if file.exists() else memory
    banks = read.split()
    names = [f"{file.stem}_{i}" for i in range(len(banks))] if len(banks) > 1 else [file.stem]
    return dict(zip(names, map(_limbs, banks), strict=True))


def _limbs(words: Words) -> Limbs:
    """(lanes, words, bytes) -> (lanes * words, limbs), lowest limb first."""
    rows = words.reshape(-1, words.shape[-1])
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<u8")


def check_design(design: Design) -> list[str]:
    """What breaks the dialect in the C++ of a design: each unit with the top of its own, and the design's top."""
    with tempfile.TemporaryDirectory() as temporary:
        hls, rtl = Path(temporary) / "hls", Path(temporary) / "rtl"
        emit_hls(design, hls)
        emit_rtl(design, rtl)
        names = Interface.of(design).names

        def check() -> list[str]:
            found = check_source(hls / f"{names.top}.cpp", others=list(names.units.values()))
            for node in design.nodes:
                name = names.units[node.name]
                memories = {k: v for m in design.unit(node.name).stored for k, v in arrays_of(m, rtl / memory_file(name, m)).items()}
                state = ["kept"] if isinstance(node.op, Delay) and node.op.keep else []
                found += check_source(hls / "unit" / f"{name}.cpp", memories, state, unit=name)
            return found

        return _kept(Path(temporary), check)


def check_engine(config: EngineConfig) -> list[str]:
    """What breaks the dialect in the C++ of a loopback engine."""
    with tempfile.TemporaryDirectory() as temporary:
        hls = Path(temporary)
        emit_hls_engine(config, hls)
        top, state = hls / "top.cpp", ["core", "act", "weights", "kept", "tree", "lists"]
        return _kept(hls, lambda: check_source(top, state=state, more=["-DDFC_POLLS"]))
