"""Run an emitted design in Verilator, frame after frame, and see what comes out and when."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.design import Design
from dfcompile.emit.interface import Interface, PortView
from dfcompile.emit.memory import read_beats, write_beats
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import emit_sim, frame_cycles, harness_ports, idle_limit
from dfcompile.errors import CompileError, Problem
from dfcompile.run.compile import build_cocotb, build_harness
from dfcompile.timing.net import FULL_RATE, Rates
from dfcompile.units.base import Array

GAVE_UP = 2


@dataclass(frozen=True, eq=False)
class RtlRun:
    """What a simulation gave.

    outputs:    codes (n, h, w, c) for each output port
    frame_done: cycle of each frame's last output transfer
    first_take: cycle of the first input transfer
    cycles:     length of the run
    registers:  what the design's registers say at its end: frames of a batch, version, hash (low, high), cycles, frames complete
    """

    outputs: tuple[NDArray[np.int64], ...]
    frame_done: NDArray[np.int64]
    first_take: int
    cycles: int
    registers: tuple[int, ...] = ()

    @property
    def latency_cycles(self) -> int:
        """From the first beat taken to the first frame complete, both cycles counted."""
        return int(self.frame_done[0]) - self.first_take + 1

    @property
    def interval_cycles(self) -> int:
        """Between the last two frames; of the first alone when there is one."""
        return int(self.frame_done[-1] - self.frame_done[-2]) if len(self.frame_done) > 1 else self.latency_cycles


def check_inputs(design: Design, inputs: Sequence[Array]) -> int:
    """Number of frames; CompileError when the arrays do not fit the design's inputs."""
    streams = design.streams()
    wanted = [streams[t] for t in design.graph.inputs]
    shapes = [tuple(x.shape[1:]) for x in inputs]
    if shapes != [s.shape for s in wanted] or len({len(x) for x in inputs}) != 1:
        given = ", ".join(str(list(x.shape)) for x in inputs)
        text = ", ".join(f"[n, {', '.join(map(str, s.shape))}]" for s in wanted)
        raise CompileError(Problem("input-shape", f"{design.name} wants codes of shape {text}", "", f"given: {given}", "give them so"))
    return len(inputs[0])


def _failure(design: Design, code: int, message: str, times: Path, max_idle: int) -> CompileError:
    if code != GAVE_UP:
        what = "the design broke the stream protocol" if code == 3 else "the simulation failed"
        return CompileError(Problem("simulation", what, where=design.name, why=message.strip()))
    waits = []
    for line in times.read_text().splitlines():
        side, name, *rest = line.split()
        if side not in ("input", "output"):
            continue
        done, count, valid, _ready = map(int, rest)
        if side == "input" and done < count:
            waits.append(f"{name} is refused beat {done} of {count}")
        elif side == "output" and done < count:
            waits.append(f"{name} gave {done} of {count} beats" + ("" if valid else ", offers none"))
    return _deadlock(design, f"nothing moved for {max_idle} cycles: {'; '.join(waits)}")


def _deadlock(design: Design, why: str) -> CompileError:
    help_ = "deepen the FIFOs on the branches that meet"
    return CompileError(Problem("deadlock", "the design stopped", where=design.name, why=why, help=help_))


def _parse_times(path: Path) -> tuple[NDArray[np.int64], int, int, tuple[int, ...]]:
    values: dict[str, list[int]] = {"frame_done": [], "first_take": [], "cycles": [], "registers": []}
    for line in path.read_text().splitlines():
        name, *rest = line.split()
        if name in values:
            values[name] += map(int, rest)
    return np.array(values["frame_done"], np.int64), values["first_take"][0], values["cycles"][0], tuple(values["registers"])


def run_harness(
    design: Design,
    rtl: Path,
    inputs: Sequence[Array],
    stalls: float,
    seed: int,
    rates: Rates = FULL_RATE,
    reset_at: int = 0,
    batch: int = 0,
) -> RtlRun:
    """Run frames through the project in folder `rtl` with the C++ harness; batch: frames for each tlast, 0 leaves the design as it is."""
    frames = check_inputs(design, inputs)
    interface = Interface.of(design)
    harness = build_harness(rtl, interface.names.top, harness_ports(design), frames * frame_cycles(design))
    max_idle = idle_limit(design, stalls, rates)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)

        def file(port: PortView) -> Path:
            return folder / f"{port.axis}.hex"

        for port, codes in zip(interface.inputs, inputs, strict=True):
            write_beats(file(port), port.stream, codes)
        files = [file(p) for p in (*interface.inputs, *interface.outputs)]
        times = folder / "times.txt"
        command: list[str | Path] = [harness, str(frames), str(stalls), str(seed), str(max_idle)]
        command += [str(rates.source_gap), str(rates.sink_gap), str(rates.frame_period), str(reset_at), str(batch), times, *files]
        done = subprocess.run(command, cwd=rtl, capture_output=True, text=True, check=False)
        if done.returncode:
            raise _failure(design, done.returncode, done.stdout + done.stderr, times, max_idle)
        outputs = tuple(read_beats(file(p), p.stream) for p in interface.outputs)
        return RtlRun(outputs, *_parse_times(times))


def run_cocotb(
    design: Design, rtl: Path, inputs: Sequence[Array], stalls: float, seed: int, rates: Rates = FULL_RATE, reset_at: int = 0
) -> RtlRun:
    """Run frames through the project in folder `rtl` with the cocotb bench that builds carry in sim/."""
    check_inputs(design, inputs)
    interface = Interface.of(design)
    with tempfile.TemporaryDirectory() as temporary:
        sim, link = Path(temporary) / "sim", Path(temporary) / "rtl"
        link.symlink_to(rtl.resolve(), target_is_directory=True)  # make reads no path of the user's
        emit_sim(design, sim, inputs, None, link, rates)
        simulator = build_cocotb(sim, rtl, interface.names.top)
        command = ["make", f"PYTHON={sys.executable}", f"SIMULATOR={simulator}", f"STALLS={stalls}", f"SEED={seed + 1}"]
        command += [f"SOURCE_GAP={rates.source_gap}", f"SINK_GAP={rates.sink_gap}", f"FRAME_PERIOD={rates.frame_period}"]
        command += [f"RESET_AT={reset_at}"]
        done = subprocess.run(command, cwd=sim, capture_output=True, text=True, check=False)
        run = sim / "results" / "run.json"
        if done.returncode or not run.exists():
            raise _cocotb_failure(design, done.stdout + done.stderr)
        outputs = tuple(read_beats(sim / "results" / f"{p.axis}.hex", p.stream) for p in interface.outputs)
        times = json.loads(run.read_text())
        return RtlRun(outputs, np.array(times["frame_done"], np.int64), times["first_take"], times["cycles"])


def _cocotb_failure(design: Design, text: str) -> CompileError:
    broken, failed = (re.findall(rf"{kind}: (.*)", text) for kind in ("AssertionError", "%Error"))
    if broken and "nothing moved" in broken[0]:
        return _deadlock(design, broken[0])
    what = "the design broke the stream protocol" if broken else "the simulation failed"
    why = (broken or failed or ["\n       ".join(text.splitlines()[-8:])])[0]
    return CompileError(Problem("simulation", what, where=design.name, why=why))


def run_rtl(
    design: Design,
    inputs: Sequence[Array],
    stalls: float = 0.0,
    seed: int = 0,
    rtl: Path | None = None,
    driver: str = "auto",
    rates: Rates = FULL_RATE,
    reset_at: int = 0,
) -> RtlRun:
    """Simulate frames of codes, one array (n, h, w, c) for each input port.

    stalls: chance in each cycle that an input pauses between beats or an output is not ready
    rates:  how fast sources and sinks are, as `solve` takes it
    reset_at: cycle in which the design is reset, to start all over again; 0: none
    rtl:    folder of the emitted project; None emits it into a temporary one
    driver: "cpp" (the C++ harness), "cocotb", or "auto": the C++ harness, which is the faster one
    Raises CompileError: deadlock (which ports wait), broken stream protocol, missing tools.
    """
    if rtl is None:
        with tempfile.TemporaryDirectory() as temporary:
            emit_rtl(design, Path(temporary) / "rtl")
            return run_rtl(design, inputs, stalls, seed, Path(temporary) / "rtl", driver, rates, reset_at)
    if driver not in ("auto", "cpp", "cocotb"):
        raise ValueError(f"no driver '{driver}': auto, cpp or cocotb")
    return (run_cocotb if driver == "cocotb" else run_harness)(design, rtl, inputs, stalls, seed, rates, reset_at)
