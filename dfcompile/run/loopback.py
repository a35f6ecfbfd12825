"""Programs run on the loopback engine: HLS C++ under g++, SystemVerilog under Verilator."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfcompile.emit.engine import LATENCY, TOP, emit_hls_engine, emit_rtl_engine
from dfcompile.emit.resource import resource_dir
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.validate import MEANS, ErrorCode
from dfcompile.run.compile import (
    FAST_CYCLES,
    MODEL,
    STANDARD,
    Command,
    compile_model,
    levelled,
    run_tool,
    simulator_key,
    tool_key,
    verilate,
    verilated_runtime,
)
from dfcompile.run.hls import HEADERS, ap_headers, compile_flags
from dfcompile.store.cache import content_key, folder_key
from dfcompile.toolchain import require_tool, verilator_root

BRIEF_CYCLES = {"rtl": 100_000, "hls": 20_000}
"""Below so many a simulator is not optimised: of a 16 x 16 engine that takes 24 processor seconds in Verilator, 4 in C++, and not
to do so 8 more for 100,000 cycles, 2 for 20,000 steps."""


@dataclass(frozen=True, eq=False)
class LoopbackRun:
    """What a run gave: codes by output, the engine's cycle counter for each run, error code and faulty descriptor of the last."""

    outputs: dict[str, Array]
    cycles: tuple[int, ...]
    error: ErrorCode
    index: int


def _level(engine: str, cycles: int) -> str:
    return "-O2" if cycles >= FAST_CYCLES else "-O0" if cycles < BRIEF_CYCLES[engine] else "-O1"


def build_rtl_engine(config: EngineConfig, emitted: Path | None = None, cycles: int = 0) -> Path:
    """The compiled Verilator harness of an engine; any program runs on it.

    emitted: its SystemVerilog, by default written anew
    cycles: of the run, estimated
    """
    harness = resource_dir("templates") / "loopback" / "harness.cpp"
    with tempfile.TemporaryDirectory() as temporary:
        rtl = emitted.resolve() if emitted else Path(temporary)
        if emitted is None:
            emit_rtl_engine(config, rtl)

        include, split = verilator_root() / "include", ["--output-split", "0"]
        flags = [STANDARD, *MODEL, f"-I{include}", f"-I{include / 'vltstd'}", f"-DBUS_BITS={config.bus_bits}"]
        parts = [*simulator_key(rtl), *split, *flags, harness.read_text()]

        def build(folder: Path, level: str) -> None:
            obj = folder / "obj"
            verilate(rtl, TOP, obj, split)
            compile_model(obj, level)
            sources = [*sorted(obj.glob("*.o")), *verilated_runtime(), harness]
            command: Command = [require_tool("g++").path, *flags, level, f"-I{obj}", *sources, "-pthread", "-o", folder / "harness"]
            run_tool(command, folder, "compiling the loopback engine")
            shutil.rmtree(obj)

        return levelled("loopback_rtl", _level("rtl", cycles), lambda level: content_key([*parts, level]), build) / "harness"


def build_hls_engine(config: EngineConfig, emitted: Path | None = None, cycles: int = 0) -> Path:
    """The compiled HLS test bench of an engine.

    emitted: its C++, by default written anew
    cycles: of the run, estimated
    """
    with tempfile.TemporaryDirectory() as temporary:
        hls = emitted.resolve() if emitted else Path(temporary)
        if emitted is None:
            emit_hls_engine(config, hls)

        def build(folder: Path, level: str) -> None:
            (folder / "all.cc").write_text('#include "top.cpp"\n#include "testbench.cpp"\n')
            command: list[str | Path] = [require_tool("g++").path, *compile_flags(level, hls), "-include", ap_headers(hls, level)]
            run_tool([*command, "all.cc", "-o", "testbench"], folder, "compiling the loopback engine")
            (folder / "all.cc").unlink()

        parts = [tool_key("g++", "ap_int"), *HEADERS, folder_key(hls, (".cpp", ".hpp"))]
        made = levelled("loopback_hls", _level("hls", cycles), lambda level: content_key([*parts, *compile_flags(level, Path())]), build)
        return made / "testbench"


def run_loopback(
    program: Program,
    codes: Mapping[str, Array],
    engine: str,
    latency: int = LATENCY,
    stalls: float = 0.0,
    seed: int = 1,
    emitted: Path | None = None,
) -> LoopbackRun:
    """Run frames of codes, `program.batch` at a time, from the first states on, on engine "hls" or "rtl".

    latency: cycles of the external memory; stalls: chance in each cycle that a channel of it pauses (RTL only)
    emitted: folder with the engine's C++ or SystemVerilog, by default written anew
    Raises CompileError when the engine stops with an error or not at all.
    """
    predicted, count = predict(program, latency).cycles, len(next(iter(codes.values())))
    cycles_of_all = -(-count // program.batch) * predicted
    tool = (build_rtl_engine if engine == "rtl" else build_hls_engine)(program.config, emitted, cycles_of_all)
    limit = int(20 * (predicted + 200_000) / (1 - stalls) ** 2)
    parts, cycles, states = [], [], program.states
    for first in range(0, count, program.batch):
        part = {k: v[first : first + program.batch] for k, v in codes.items()}
        more = [str(latency), str(stalls), str(seed + first), str(limit)] if engine == "rtl" else []
        memory, numbers = run_image(tool, program, program.image(part, states), more)
        error, index = ErrorCode(numbers[-2]), numbers[-1]
        if error:
            what, help_ = f"the loopback engine stopped with {error.name}", "build it again, where its files were changed; else report it"
            raise CompileError(Problem("engine-error", what, f"descriptor {index}", MEANS[error], help_))
        parts.append(program.results(memory, len(next(iter(part.values())))))
        states = program.states_in(memory)
        cycles += numbers[:-2]
    return LoopbackRun({k: np.concatenate([p[k] for p in parts]) for k in parts[0]}, tuple(cycles), ErrorCode.NONE, 0)


def run_image(tool: Path, program: Program, image: Array, more: list[str]) -> tuple[Array, list[int]]:
    """Run a memory image; the memory afterwards, and the numbers printed: [cycles of RTL,] error code, descriptor."""
    with tempfile.TemporaryDirectory() as temporary:
        before, after = Path(temporary) / "before.bin", Path(temporary) / "after.bin"
        image.tofile(before)
        command: Command = [tool, before, after, str(program.program_address), str(len(program.code)), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            why = "it did not finish" if done.returncode == 2 else f"exit status {done.returncode} {done.stderr.strip()}"
            raise CompileError(Problem("simulation", "the simulation of the loopback engine failed", why=why))
        return np.fromfile(after, np.uint8), [int(n) for n in done.stdout.split()]
