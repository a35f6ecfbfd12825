"""Hold the generated C++ and SystemVerilog of a dataflow design equal to the Python engine, beat for beat and cycle for cycle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.emit.golden import Golden, default_frames, golden, random_inputs
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import frame_cycles
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Delay, Graph, Node
from dfcompile.mode.figures import plain
from dfcompile.mode.serialize import part_of
from dfcompile.mode.verify import DEFAULT_STALLS, Difference, Progress, compare, compared, no_result
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import RtlRun, run_rtl
from dfcompile.synthesis.netlist import design_sources, netlist_project
from dfcompile.timing.solve import Timing, solve
from dfcompile.toolchain import find_tool
from dfcompile.units.base import Array, unit_of

# cocotb runs some 40,000 cycles a second and takes ten seconds to build: worth it for small designs.
COCOTB_CYCLES = 100_000
Run = Callable[[Design, Sequence[Array]], tuple[Array, ...]]


def differences(design: Design, got: Sequence[Array], wanted: Sequence[Array]) -> list[Difference]:
    """Of all outputs of a design."""
    streams = design.streams()
    found = [compare(t, streams[t], g, w) for t, g, w in zip(design.graph.outputs, got, wanted, strict=True)]
    return [d for d in found if d]


def alone(design: Design, node: Node) -> Design:
    """One unit of a design as a design of its own."""
    graph = design.graph
    tensors = {t: graph.tensors[t] for t in (*node.inputs, *node.outputs)}
    return Design(Graph(f"{graph.name}_{node.name}", (node,), tensors, {}, node.inputs, node.outputs))


def first_wrong_unit(design: Design, inputs: Sequence[Array], run: Run) -> str:
    """Run every unit alone on golden inputs, in order; the first that differs, as a sentence."""
    streams = design.streams()
    names = {t for n in design.nodes for t in (*n.inputs, *n.outputs)}
    feeds = dict(zip(design.graph.inputs, inputs, strict=True))
    values = design.graph.execute(feeds, keep=names)
    for node in design.nodes:
        unit = unit_of(node)
        given = [values[t].reshape(-1, *s.shape) for t, s in zip(node.inputs, unit.inputs, strict=True)]
        wanted = [values[t].reshape(-1, *streams[t].shape) for t in node.outputs]
        if isinstance(node.op, Delay):
            continue  # alone it gives the first pixel of a frame that does not come
        one = alone(design, node)
        try:
            found = differences(one, run(one, given), wanted)
        except CompileError as error:
            return f"unit {node.name} fails alone: {error.problems[0].why or error.problems[0].what}"
        if found:
            return f"unit {node.name}, {found[0]}"
    return "every unit is right alone: the connections or the saved files differ"


def _result(design: Design, frozen: Golden, outputs: Sequence[Array], run: Run) -> dict[str, Any]:
    found = differences(design, outputs, frozen.outputs)
    return compared(found, frozen.frames, lambda: first_wrong_unit(design, frozen.inputs, run))


def _failed(design: Design, frozen: Golden, error: CompileError, run: Run) -> dict[str, Any]:
    beats = sum(design.streams()[t].beats for t in design.graph.outputs)
    return no_result(error, frozen.frames, frozen.frames * beats, lambda: first_wrong_unit(design, frozen.inputs, run))


def verify_hls(design: Design, frozen: Golden, hls: Path) -> dict[str, Any]:
    """Run the golden frames through the C++ project in folder `hls`, its units by turns in streams of the depths that it gives them."""
    try:
        outputs = run_hls(design, frozen.inputs, hls, seed=1)
    except CompileError as error:
        return _failed(design, frozen, error, run_hls)
    return _result(design, frozen, outputs, run_hls)


def _rtl_alone(design: Design, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return run_rtl(design, inputs).outputs


def measured_interval(run: RtlRun, over: int) -> float | int:
    """Cycles per frame, averaged over the last `over` frames (the period of the steady state)."""
    cycles = int(run.frame_done[-1] - run.frame_done[-1 - over])
    return cycles // over if cycles % over == 0 else cycles / over


def _netlist_alone(family: str) -> Run:
    """Run a design as its netlist for a device family."""

    def run(design: Design, inputs: Sequence[Array]) -> tuple[Array, ...]:
        with tempfile.TemporaryDirectory() as temporary:
            emit_rtl(design, Path(temporary))
            return run_rtl(design, inputs, rtl=netlist_of(design, Path(temporary), family), driver="cpp").outputs

    return run


def netlist_of(design: Design, rtl: Path, family: str) -> Path:
    """A project like the one in folder `rtl`, of the netlist that synthesis for a device family makes of it."""
    return netlist_project(design_sources(rtl, Interface.of(design).names.top), family)


def verify_rtl(design: Design, frozen: Golden, rtl: Path, stalls: float, alone: Run = _rtl_alone, driver: str = "") -> dict[str, Any]:
    """Run the golden frames through the SystemVerilog project in folder `rtl`: without pauses for data and cycles, then with pauses.

    The frames are fed over and over until the steady state shows; every frame must end in its predicted cycle.
    alone:  runs one unit by itself, to find the one that differs
    driver: of the run with pauses, "" for what suits the size
    """
    timing = solve(design)
    times = -(-max(2, len(timing.frame_done)) // frozen.frames)  # the interval is between two at least
    timing = solve(design, frames=times * frozen.frames)
    try:
        run = run_rtl(design, [np.tile(x, (times, 1, 1, 1)) for x in frozen.inputs], rtl=rtl)
        result = _result(design, frozen, [x[: frozen.frames] for x in run.outputs], alone)
        if result["pass"]:
            paused = _paused_run(design, frozen, rtl, stalls, driver)
            result = _result(design, frozen, paused.outputs, alone)
    except CompileError as error:
        return _failed(design, frozen, error, alone)
    return {**result, **_cycles(result, run, timing)}


def _cycles(result: dict[str, Any], run: RtlRun, timing: Timing) -> dict[str, Any]:
    """Measured and predicted cycles; fails the result at the first frame that ends in another cycle than predicted."""
    found: dict[str, Any] = {
        "interval_cycles": measured_interval(run, min(Fraction(timing.interval_cycles).denominator, len(run.frame_done) - 1)),
        "latency_cycles": run.latency_cycles,
        "predicted_interval_cycles": plain(timing.interval_cycles),
        "predicted_latency_cycles": timing.latency_cycles,
    }
    wrong = np.flatnonzero(run.frame_done - run.first_take != timing.frame_done)
    if len(wrong):
        f = int(wrong[0])
        text = f"frame {f} ends in cycle {run.frame_done[f] - run.first_take}, predicted {timing.frame_done[f]}"
        found |= {"pass": False, "first_mismatch": result["first_mismatch"] or text}
    return found


def _paused_run(design: Design, frozen: Golden, rtl: Path, stalls: float, driver: str) -> RtlRun:
    small = frozen.frames * frame_cycles(design) < COCOTB_CYCLES and find_tool("cocotb")
    return run_rtl(design, frozen.inputs, stalls, 1, rtl, driver or ("cocotb" if small else "cpp"))


def verify_dataflow(
    design: Design, engines: Sequence[str], frames: int | None, stalls: float, progress: Progress, folder: Path | None, family: str
) -> dict[str, Any]:
    """`Accelerator.verify` for a dataflow design. family: the device whose netlist is verified."""
    frozen = golden(design, random_inputs(design, frames or default_frames(design)))
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        for engine in engines:
            progress(f"verify ({engine})")
            if folder is None:
                emit_hls(design, place / "hls") if engine == "hls" else emit_rtl(design, place / "rtl")
            if engine == "hls":
                results[engine] = verify_hls(design, frozen, part_of(place, "hls"))
            elif engine == "rtl":
                results[engine] = verify_rtl(design, frozen, part_of(place, "rtl"), stalls or DEFAULT_STALLS)
            else:
                netlist = netlist_of(design, part_of(place, "rtl"), family)
                results[engine] = verify_rtl(design, frozen, netlist, stalls or DEFAULT_STALLS, _netlist_alone(family), "cpp")
    return {"engines": results}
