"""Holds generated C++ to what Vitis HLS and Bambu both take, without either: a real clang reads it, and the LLVM IR is looked through.

The headers of hls_strict/ stand in for the vendor's: they have only what both tools have. Each unit, top and engine is compiled as
C++14 with every warning an error; then `llvm_ir` says what no hardware can be made of, and whether the memories are constants with the
values of the files that the SystemVerilog reads. clang comes from the PyPI package ziglang.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.emit.engine import emit_hls_engine
from dfcompile.emit.hls import emit_hls, rom_banks
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import parse_hex
from dfcompile.emit.rtl import emit_rtl, memory_file
from dfcompile.loopback.config import EngineConfig
from dfcompile.run.cache import cached, content_key
from dfcompile.units.base import Memory
from tools.llvm_ir import Limbs, breaches

TOOLS = Path(__file__).resolve().parent
STRICT = TOOLS / "hls_strict"
# -O1 as HLS front ends do; read-only memories stay whole even where the optimiser has no more use for them.
FLAGS = (
    "-std=c++14 -O1 -g0 -S -emit-llvm -fkeep-static-consts -target x86_64-linux-gnu -mcpu=x86_64_v2 "
    "-Wall -Wextra -Wglobal-constructors -Wexit-time-destructors -Werror -Wno-unused-command-line-argument"
).split()


def compile_ir(source: Path) -> tuple[str, list[str]]:
    """LLVM IR of a source with its headers beside it, and what the compiler complains of: one of them is empty."""
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "unit.ll"
        command = [sys.executable, "-m", "ziglang", "c++", *FLAGS, f"-I{STRICT}", source.name, "-o", str(made)]
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
        if done.returncode == 0 and not done.stderr:
            return made.read_text(), []
        errors = re.findall(r"^.*(?:error|warning): .*$", done.stderr, re.MULTILINE)
        return "", errors or [done.stderr.strip() or f"exit status {done.returncode}"]


def check_source(source: Path, memories: Mapping[str, Limbs], state: Sequence[str] = ()) -> list[str]:
    """Sentences on what breaks the dialect in one C++ file; kept by content."""

    def build(folder: Path) -> None:
        text, errors = compile_ir(source)
        found = [f"{source.name}: {e}" for e in errors or breaches(text, memories, state)]
        (folder / "found.json").write_text(json.dumps(found))

    read = [*TOOLS.glob("*_ir.py"), *sorted(STRICT.glob("*.h")), *sorted(source.parent.glob("*.hpp"))]
    own = sorted(source.parent.glob(f"memory/{source.stem}_*"))
    parts: list[str | bytes] = [
        importlib.metadata.version("ziglang"),
        *FLAGS,
        source.name,
        *(p.read_bytes() for p in [*read, source, *own]),
    ]
    words = [part for name, limbs in memories.items() for part in (name, limbs.tobytes())]
    found = json.loads((cached("conformance", content_key([*parts, *words, *state]), build) / "found.json").read_text())
    assert isinstance(found, list), "as build has written it"
    return found


def limbs_of(unit: str, memory: Memory, file: Path) -> dict[str, Limbs]:
    """The read-only arrays of a memory in 64-bit limbs, (words, limbs), as the file of the SystemVerilog has them where there is one."""
    if file.exists():
        memory = dataclasses.replace(memory, words=parse_hex(file.read_text(), memory.width))
    found = {}
    for bank in rom_banks(unit, memory):
        words = bank["words"].reshape(-1, memory.words.shape[1])
        padded = np.zeros((len(words), -(-words.shape[1] // 8) * 8), np.uint8)
        padded[:, : words.shape[1]] = words
        found[bank["name"]] = padded.view("<u8")
    return found


def check_design(design: Design) -> list[str]:
    """What breaks the dialect in the C++ of a design: each unit, and the top."""
    with tempfile.TemporaryDirectory() as temporary:
        hls, rtl = Path(temporary) / "hls", Path(temporary) / "rtl"
        emit_hls(design, hls)
        emit_rtl(design, rtl)
        names = Interface.of(design).names
        found = check_source(hls / f"{names.top}.cpp", {})
        for node in design.nodes:
            name = names.units[node.name]
            memories = dict[str, Limbs]()
            for memory in design.unit(node.name).stored:
                memories |= limbs_of(name, memory, rtl / memory_file(name, memory))
            found += check_source(hls / f"{name}.cpp", memories)
        return found


def check_engine(config: EngineConfig) -> list[str]:
    """What breaks the dialect in the C++ of a loopback engine."""
    with tempfile.TemporaryDirectory() as temporary:
        hls = Path(temporary)
        emit_hls_engine(config, hls)
        return check_source(hls / "top.cpp", {}, ("core",))
