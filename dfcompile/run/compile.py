"""C++ and Verilator builds of emitted projects, kept in the cache."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dfcompile.emit.resource import resource_dir
from dfcompile.errors import CompileError, Problem
from dfcompile.store.cache import cached, content_key, folder_key, held
from dfcompile.store.marker import MARKER
from dfcompile.toolchain import require_tool, verilator_root

Command = Sequence[str | Path]
JOBS = 2
LEVELS = ("-O2", "-O1", "-O0")
MODEL = "-DVERILATOR=1 -DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=0 -DVM_TRACE=0 -DVM_TRACE_FST=0 -DVM_TRACE_VCD=0 -DVM_TRACE_SAIF=0".split()
STANDARD = "-std=c++17"
HLS_STANDARD = "-std=c++14"
# Verilated sources up to this size are one compilation unit; larger ones are split and compiled in parallel. A file takes half a second.
UNITY_BYTES = 400_000
SPLIT = 10_000  # operations, as Verilator counts them, in one file
VERILATED = '#include "verilated.h"\n#include "verilated_types.h"\n'
NETLIST = "netlist.v"
"""In a folder whose design is a netlist."""
FAST_CYCLES = 5_000_000
"""Of a run for which a longer compilation pays that makes a faster simulator."""
NETLIST_CYCLES = 200_000
"""Below so many none pays for a netlist: one of 9,000 LUTs takes 32 processor seconds then, not 77, and runs 8,000 cycles/s, not 29,000."""
BRIEF_CYCLES = 10_000
"""Below so many none pays for any design."""
RTL_SUFFIXES = (".sv", ".svh", ".v", ".f")
TRANSLATE = "--cc --assert -Wall -O3 --x-assign unique --x-initial unique --prefix Vdut".split()


_WAY_OUT = "where files of the build were changed or are missing, build it again; `dfcompile doctor` shows the tools"


def run_tool(command: Command, folder: Path, what: str) -> str:
    """Run a command; its output, or a CompileError with the end of it when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        lines = [line for line in output.splitlines() if "error" in line.lower() or "warning" in line.lower()] or output.splitlines()
        program = next(Path(c).name for c in command if c != "env" and "=" not in str(c))
        raise CompileError(Problem("tool-failed", f"{what} failed", where=program, why="\n       ".join(lines[-12:]), help=_WAY_OUT))
    return output


def parallel(commands: Sequence[Command], folder: Path, what: str) -> None:
    """Run independent commands, at most `JOBS` at a time."""
    with ThreadPoolExecutor(JOBS) as pool:
        for _ in pool.map(lambda c: run_tool(c, folder, what), commands):
            pass


@functools.cache
def _verilator_flags() -> tuple[str, ...]:
    include = verilator_root() / "include"
    return (STANDARD, *MODEL, f"-I{include}", f"-I{include / 'vltstd'}")


@functools.cache
def _gxx() -> Path:
    return require_tool("g++").path


@functools.cache
def tool_key(*names: str) -> str:
    """Key of what tools make of the same input: their versions and places, and the headers that they carry."""
    parts = []
    for tool in map(require_tool, names):
        headers = {"ap_int": tool.path, "verilator": tool.path.parent.parent / "include"}.get(tool.name)
        parts += [tool.name, tool.version, str(tool.path), folder_key(headers) if headers else ""]
    return content_key(parts)


def levelled(kind: str, soonest: str, key: Callable[[str], str], build: Callable[[Path, str], None]) -> Path:
    """A simulator from the cache, of a faster level if there is one, or built at the level `soonest`, at which it pays for a run.

    key, build: as `cached` takes them, of a level
    """
    level = next((level for level in LEVELS[: LEVELS.index(soonest)] if held(kind, key(level))), soonest)
    return cached(kind, key(level), lambda folder: build(folder, level))


def precompiled(name: str, text: str, flags: Sequence[str], tools: Sequence[str]) -> Path:
    """A header of this text, precompiled with `flags`: use it with ``-include``. tools: whose headers it includes."""

    def build(folder: Path) -> None:
        (folder / f"{name}.hpp").write_text(text)
        run_tool([_gxx(), *flags, "-x", "c++-header", f"{name}.hpp", "-o", f"{name}.hpp.gch"], folder, "precompiling headers")

    return cached("headers", content_key([tool_key("g++", *tools), text, *flags]), build) / f"{name}.hpp"


def _runtime(sources: Sequence[Path], level: str) -> Path:
    """Folder with the objects of files that all simulators share: Verilator's runtime, the harness."""

    def build(folder: Path) -> None:
        flags = [*_verilator_flags(), level, "-w"]
        commands: list[Command] = [[_gxx(), *flags, "-c", s, "-o", f"{s.stem}.o"] for s in sources]
        parallel(commands, folder, "compiling the simulation runtime")

    texts = [p.read_text() for s in sources for p in (s, *sorted(s.parent.glob("*.hpp")))]
    return cached("runtime", content_key([tool_key("g++", "verilator"), *_verilator_flags(), level, *texts]), build)


def verilated_runtime(*more: Path) -> list[Path]:
    """Objects of Verilator's runtime and of further sources, which do not depend on the design."""
    include = verilator_root() / "include"
    parts = [[include / "verilated.cpp", include / "verilated_threads.cpp"], *([p] for p in more)]
    return [o for part in parts for o in sorted(_runtime(part, "-O2").glob("*.o"))]


def _cocotb_runtime() -> Path:
    include = verilator_root() / "include"
    return _runtime([include / f"verilated{part}.cpp" for part in ("", "_threads", "_vpi")], "-O1")


def simulator_key(rtl: Path) -> list[str]:
    """What a simulator of the project in `rtl` depends on, but for its test bench."""
    return [tool_key("g++", "verilator"), *TRANSLATE, *_verilator_flags(), folder_key(rtl, RTL_SUFFIXES)]


def verilate(rtl: Path, top: str, folder: Path, options: Sequence[str] = ()) -> None:
    """Translate the project in `rtl` to C++ in `folder`; any warning of -Wall is an error."""
    command: list[str | Path] = [require_tool("verilator").path, *TRANSLATE, "--top-module", top, "--Mdir", folder, *options]
    command += ["-f", "files.f"]
    run_tool(["env", f"VERILATOR_ROOT={verilator_root()}", *command], rtl, "Verilator")


def lint(rtl: Path, top: str) -> None:
    """CompileError when ``verilator --lint-only -Wall`` says anything about the project in `rtl`."""
    command: list[str | Path] = [require_tool("verilator").path, "--lint-only", "--assert", "-Wall", "--top-module", top, "-f", "files.f"]
    run_tool(["env", f"VERILATOR_ROOT={verilator_root()}", *command], rtl, "Verilator lint")


def _level(rtl: Path, cycles: int) -> str:
    """How hard to optimise for a run of so many cycles. A netlist is so much code that a short run never makes up for it."""
    if cycles > FAST_CYCLES:
        return "-O2"
    return "-O0" if cycles < (NETLIST_CYCLES if (rtl / NETLIST).exists() else BRIEF_CYCLES) else "-O1"


def build_harness(rtl: Path, top: str, ports: str, cycles: int) -> Path:
    """The compiled harness of an emitted RTL project.

    ports:  text of ports.cpp
    cycles: of the run, estimated
    """
    sources = [resource_dir("templates") / "sim" / f"{name}.cpp" for name in ("harness", "server")]

    def build(folder: Path, level: str) -> None:
        verilate(rtl, top, folder / "obj", ["--output-split", str(SPLIT)])
        (folder / "obj" / "ports.cpp").write_text(ports)
        compile_model(folder / "obj", level)
        objects = sorted((folder / "obj").glob("*.o"))
        link: Command = [_gxx(), *objects, *verilated_runtime(*sources), "-pthread", "-o", folder / "harness"]
        run_tool(link, folder, "linking the harness")
        run_tool(["rm", "-r", "obj"], folder, "cleaning up")

    bench = [p.read_text() for p in (*sources, sources[0].with_suffix(".hpp"))]
    parts = [*simulator_key(rtl), str(SPLIT), str(UNITY_BYTES), top, ports, *bench]
    return levelled("rtl", _level(rtl, cycles), lambda level: content_key([*parts, level]), build) / "harness"


def build_cocotb(sim: Path, rtl: Path, top: str) -> Path:
    """The simulator that the Makefile of an emitted sim/ folder builds for cocotb."""

    def build(folder: Path) -> None:
        # make finds these objects newer than their sources and does not compile them again
        shutil.copytree(_cocotb_runtime(), sim / "build" / "cocotb", ignore=shutil.ignore_patterns(MARKER))
        command: Command = [require_tool("make").path, f"-j{JOBS}", f"PYTHON={sys.executable}", "build/cocotb/simulator"]
        run_tool(command, sim, "building the cocotb bench")
        shutil.move(sim / "build" / "cocotb" / "simulator", folder / "simulator")

    makefile = (resource_dir("templates") / "sim" / "Makefile.j2").read_text()
    key = content_key([tool_key("cocotb"), *simulator_key(rtl), top, makefile])
    return cached("cocotb", key, build) / "simulator"


def compile_model(obj: Path, level: str) -> None:
    """Compile what Verilator wrote in `obj`, objects beside it. Files named Slow hold code that runs once: not worth optimising."""
    common = [*_verilator_flags(), "-I.", f"-I{resource_dir('templates') / 'sim'}"]
    sources = sorted(obj.glob("*.cpp"), key=lambda s: -s.stat().st_size)
    whole = sum(s.stat().st_size for s in sources) <= UNITY_BYTES
    commands: list[Command] = []
    for slow in (False, True):
        flags = [*common, "-O0" if slow else level]
        header = precompiled("verilated", VERILATED, [f for f in flags if f != "-I."], ["verilator"])
        for i, unit in enumerate(_in_units([s for s in sources if ("Slow" in s.name and not whole) == slow])):
            (obj / f"unit_{slow:d}_{i}.cc").write_text("".join(f'#include "{s.name}"\n' for s in unit))
            commands.append([_gxx(), *flags, "-include", header, "-c", f"unit_{slow:d}_{i}.cc", "-o", f"unit_{slow:d}_{i}.o"])
    parallel(commands, obj, "compiling the verilated design")


def _in_units(sources: Sequence[Path]) -> list[list[Path]]:
    """Sources, larger ones first, in compilation units of at most `UNITY_BYTES` where they hold several."""
    units: list[tuple[list[Path], list[int]]] = []
    for source in sources:
        size = source.stat().st_size
        unit = next((u for u in units if sum(u[1]) + size <= UNITY_BYTES), None)
        if unit is None:
            units.append(unit := ([], []))
        unit[0].append(source)
        unit[1].append(size)
    return [u for u, _ in units]
