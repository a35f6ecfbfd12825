"""Compile an emitted C++ project with g++ and run frames through it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.design import Design
from dfcompile.emit.hls import GROUP, compiled_together, emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import read_beats, write_beats
from dfcompile.emit.sim import frame_cycles
from dfcompile.errors import CompileError, Problem
from dfcompile.run import compile
from dfcompile.run.compile import HLS_STANDARD, Command, levelled, parallel, precompiled, run_tool, tool_key
from dfcompile.run.rtl import check_inputs
from dfcompile.store.cache import content_key, folder_key
from dfcompile.toolchain import require_tool
from dfcompile.units.base import Array

SUFFIXES = (".cpp", ".hpp", ".h", ".inc")
# Headers worth precompiling, after the setting of dfc_common.hpp that they depend on.
SETTINGS = re.compile(r"^#define AP_INT_MAX_W .*$", re.MULTILINE)
HEADERS = ("ap_int.h", "cstdint", "cstdio", "cstdlib", "deque", "functional", "random", "string", "vector")
FAST_CYCLES = 20_000
BRIEF_CYCLES = 10_000
"""Below so many, optimising takes longer than it saves: a third of the seconds of 14 units, of which 10,000 cycles take .1 s without."""
# The ap_int headers set these off where g++ follows a branch that is never taken; dfc_common.hpp silences them by pragma, which
# precompiled headers do not keep.
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-uninitialized", "-Wno-maybe-uninitialized", "-Wno-aggressive-loop-optimizations")


def compile_flags(level: str, folder: Path) -> list[str]:
    """Of g++ for the sources of an emitted project in `folder`; warnings are errors."""
    return [HLS_STANDARD, *WARNINGS, level, f"-I{folder}", f"-I{folder / 'simulation'}", "-isystem", str(require_tool("ap_int").path)]


def ap_headers(hls: Path, level: str) -> Path:
    """The headers that the sources in `hls` include, precompiled: use it with ``-include``."""
    settings = SETTINGS.findall((hls / "dfc_common.hpp").read_text())
    text = "".join(f"{line}\n" for line in [*settings, *(f"#include <{h}>" for h in HEADERS)])
    return precompiled("ap_int", text, [HLS_STANDARD, level, "-isystem", str(require_tool("ap_int").path)], ["ap_int"])


def build_testbench(hls: Path, cycles: int) -> Path:
    """The compiled test bench of an emitted HLS project; g++ warnings are errors.

    cycles: of the run, estimated
    """
    gxx = require_tool("g++")
    hls = hls.resolve()  # compilers run in other folders than ours

    def build(folder: Path, level: str) -> None:
        flags, header = compile_flags(level, hls), ap_headers(hls, level)
        commands: list[Command] = []
        for i, group in enumerate(compiled_together(sorted(p.name for p in hls.glob("*.cpp")), compile.JOBS)):
            source = folder / f"group_{i}.cc"
            source.write_text("".join(f'#include "{name}"\n' for name in group))
            commands.append([gxx.path, *flags, "-include", header, "-c", source, "-o", source.with_suffix(".o")])
        parallel(commands, hls, "compiling the HLS C++")
        objects = sorted(folder.glob("*.o"))
        run_tool([gxx.path, *objects, "-o", folder / "testbench"], folder, "linking the HLS C++")
        for file in objects:
            file.unlink()

    def key(level: str) -> str:
        return content_key([tool_key("g++", "ap_int"), *compile_flags(level, Path()), *HEADERS, str(GROUP), sources])

    sources = folder_key(hls, SUFFIXES)
    soonest = "-O2" if cycles > FAST_CYCLES else "-O1" if cycles > BRIEF_CYCLES else "-O0"
    return levelled("hls", soonest, key, build) / "testbench"


def _failure(design: Design, why: str) -> Problem:
    if why.startswith("deadlock: "):
        help_ = "the streams of the top function are shallower than its units need: build it again"
        return Problem("deadlock", "units of the C++ wait for each other", design.name, why.removeprefix("deadlock: "), help_)
    return Problem("hls-run", "the compiled C++ failed", design.name, why, "please report it with the build folder")


def run_hls(design: Design, inputs: Sequence[Array], hls: Path | None = None, seed: int | None = None) -> tuple[NDArray[np.int64], ...]:
    """Run frames of codes, one array (n, h, w, c) for each input port, through the compiled C++; codes of each output.

    hls: folder of the emitted project; None emits it into a temporary one
    seed: let units take turns at random, in streams of the depths that they have in hardware; None is faster, with streams of more room
    Raises CompileError when the C++ does not compile, reads or gives too few or too many beats, or deadlocks, or tools are missing.
    """
    frames = check_inputs(design, inputs)
    interface = Interface.of(design)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if hls is None:
            hls = folder / "hls"
            emit_hls(design, hls)
        testbench = build_testbench(hls, frames * frame_cycles(design))
        for port, codes in zip(interface.inputs, inputs, strict=True):
            write_beats(folder / f"{port.axis}.hex", port.stream, codes)
        files = [folder / f"{p.axis}.hex" for p in (*interface.inputs, *interface.outputs)]
        turns = [] if seed is None else [f"--seed={seed}"]
        done = subprocess.run([testbench, *turns, *files], capture_output=True, text=True, check=False)
        output = (done.stdout + done.stderr).strip()
        if done.returncode or output:
            why = output or f"exit status {done.returncode}"
            raise CompileError(_failure(design, why))
        return tuple(read_beats(folder / f"{p.axis}.hex", p.stream) for p in interface.outputs)
