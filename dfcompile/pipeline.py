"""The compiler, as one list: read `DESIGN` aloud; its first stages are in `front.py`.

model file -> model graph -> integer graph -> unit graph -> folded units -> design -> accelerator
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import share_memories
from dfcompile.dataflow.stream_weights import streamed_layers
from dfcompile.device.area import sum_of
from dfcompile.device.cost import Vector, budget, vector
from dfcompile.errors import CompileError, Problem
from dfcompile.folding.fold import Choice, Folded, cheapest, fastest, load_folding, read_folding
from dfcompile.folding.proportion import check_memories
from dfcompile.front import FRONT, IMPORT, INTEGER, UNITS, Imported, Integer, Job, Lowered, Progress, on_engine, repeated, stage
from dfcompile.ir.graph import Graph
from dfcompile.loops import LoopFolding, check_loops
from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.choice import FITTING, best_dataflow, compare, dataflow_side, over_budget, within_line
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.loopback_build import build_loopback, check_program, loopback_roofline, too_slow
from dfcompile.mode.rate import missed_rate
from dfcompile.mode.report_data import make_report
from dfcompile.mode.roofline import Roofline
from dfcompile.mode.watts import check_watts, engine_within, too_many_watts
from dfcompile.options import Options
from dfcompile.several import estimated, with_copies, with_engines
from dfcompile.spill import spilled
from dfcompile.store.output import new_folder
from dfcompile.store.waiting import shown_by
from dfcompile.streamline.check import check_units
from dfcompile.timing.fifo_sizing import FifoSizing, size_fifos
from dfcompile.timing.hls_streams import size_streams
from dfcompile.timing.solve import solve
from dfcompile.units.base import Unit, unit_of

_REFOLDS = 3
SLOWER = 1.25


@dataclass(frozen=True, eq=False)
class FoldedUnits:
    """Units at their folding; `optimum` says what is proved of it, None where a folding was given."""

    lowered: Lowered
    units: Graph
    optimum: Folded | None


@dataclass(frozen=True, eq=False)
class Connected:
    """Folded units joined by forks and converters."""

    folded: FoldedUnits
    design: Design


@dataclass(frozen=True, eq=False)
class Sized:
    """A design with its FIFOs, and the optimum of the folding that leaves them room."""

    integer: Integer
    optimum: Folded | None
    design: Design
    sizing: FifoSizing


def _fold(job: Job, lowered: Lowered) -> FoldedUnits:
    """A given folding over: the cheapest for an asked interval, else the fastest that the board holds."""
    units, given = lowered.units, job.options.folding
    optimum = None
    if given is not None and not job.options.wanted_interval:
        chosen: dict[str, Choice] = {n.name: n.op.folding for n in units.nodes if isinstance(n.op, Unit)}
    else:
        optimum = _optimum(job, lowered)
        chosen = optimum.choices
    if given is not None:
        optimum, chosen = None, chosen | read_folding(load_folding(given), units, chosen, job.options.family)
    folded = apply_folding(units, chosen)
    check_loops(folded, lowered.integer.streamlined.loops)
    job.dump("fold", folded)
    numbers = sum(prod(t.shape) for t in lowered.integer.model.tensors.values())
    check_memories(folded, numbers, job.options.family)
    return FoldedUnits(lowered, folded, optimum)


def _optimum(job: Job, lowered: Lowered, reserved: Vector | None = None) -> Folded:
    board, interval, units = job.options.share, job.options.wanted_interval, lowered.units
    loops, bits, mhz = lowered.integer.streamlined.loops, job.options.port_bits, job.options.mhz
    if loops:
        joined = partial(_joined, job, lowered)
        return LoopFolding(units, loops, joined, board, reserved, bits, mhz, job.progress).best(interval)
    if board and not interval:
        return fastest(units, board, reserved, job.progress, bits, mhz, mhz)
    return cheapest(units, interval, board=board, reserved=reserved, progress=job.progress, port_bits=bits, mhz=mhz)


def _connect(job: Job, folded: FoldedUnits) -> Connected:
    return Connected(folded, _joined(job, folded.lowered, folded.units))


def _joined(job: Job, lowered: Lowered, units: Graph) -> Design:
    return connect(units, job.options.port_bits, lowered.integer.streamlined.loops)


def _size_fifos(job: Job, connected: Connected) -> Sized:
    """FIFOs are known only behind the folding: where they no longer fit the board, the units fold again to leave them room."""
    lowered, optimum, board = connected.folded.lowered, connected.folded.optimum, job.options.share
    design, sizing = size_fifos(connected.design, job.progress)
    for _ in range(_REFOLDS):
        if not (board and optimum):
            break
        fifos = vector(sum_of(f.resources(board.family) for f in design.fifos().values()))
        if optimum.solution.fits(budget(board, fifos)):
            break
        optimum = _optimum(job, lowered, fifos)
        design, sizing = size_fifos(_joined(job, lowered, apply_folding(lowered.units, optimum.choices)), job.progress)
    design = size_streams(design, sizing.interval, job.progress)
    job.dump("design", design.graph)
    return Sized(lowered.integer, optimum, design, sizing)


def _check(job: Job, sized: Sized) -> Sized:
    if job.options.verify:
        check_units(sized.integer.streamlined.probes, sized.design.graph, job.progress)
    return sized


def _finish(job: Job, sized: Sized) -> DataflowAccelerator:
    options, integer = job.options, sized.integer
    design = share_memories(sized.design, options.family, options.share)
    timing = solve(design, interval=sized.sizing.interval, progress=lambda done, of: job.progress(f"finish {100 * done // of}/100"))
    made = DataflowAccelerator(
        design=design,
        host=integer.streamlined.host,
        options=options.kept(),
        family=options.family,
        solved=timing,
        meanings=tuple(m for m in integer.streamlined.meanings if m.stream in design.graph.tensors),
    )
    made.report.update(make_report(made, integer.model, options.target, sized.optimum, sized.sizing) | {"part": _part(integer)})
    problem = missed_rate(made, options)
    if problem:
        raise CompileError(problem)
    return made


def _program(job: Job, integer: Integer) -> LoopbackAccelerator:
    """Loopback: one engine and the program that runs the network on it, at the wanted rate where one is asked for."""
    made = _make_loopback(job, integer)
    problem = too_slow(made, replace(job.options, copies=made.copies))
    if problem:
        raise CompileError(problem)
    return made


def _make_loopback(job: Job, integer: Integer) -> LoopbackAccelerator:
    return with_engines(job, lambda tried: on_engine(tried, integer, lambda x: _for_engine(tried, x)), integer.closed)


def _for_engine(job: Job, integer: Integer) -> LoopbackAccelerator:
    options, found = job.options, integer.streamlined
    made = build_loopback(integer.closed, found.host, integer.model, options.kept(), options.engine_board, meanings=found.meanings)
    made.report["part"] = _part(integer)
    if options.verify:
        check_program(made, found.probes.inputs)
        made.report["verification"]["simulator"] = "exact"
    return made


def _part(integer: Integer) -> dict[str, Any] | None:
    """What report.json says of the part of the model that is compiled, where that is not all."""
    return integer.part.report if integer.part else None


DESIGN = (
    stage("fold", _fold)
    >> stage("connect", _connect)
    >> stage("size FIFOs", _size_fifos)
    >> stage("check", _check)
    >> stage("finish", _finish)
)
FOLDED = INTEGER >> UNITS >> stage("fold", _fold)
LOOPBACK = IMPORT >> INTEGER >> stage("program", _program)


def _dataflow(job: Job, path: Path) -> DataflowAccelerator:
    integer = (IMPORT >> INTEGER)(job, path)
    try:
        return _designed(job, path, integer, UNITS(job, integer))
    except CompileError as e:
        found = _with_room(job, integer) if {p.code for p in e.problems} == {"does-not-fit"} else None
        if not found:
            raise
        return found[1]


def _with_room(job: Job, integer: Integer) -> tuple[Lowered, DataflowAccelerator] | None:
    """The design of a network too large for the board with weights in external memory, or None."""
    return spilled(job, integer, _optimum, DESIGN)


def _designed(job: Job, path: Path, integer: Integer, lowered: Lowered) -> DataflowAccelerator:
    """The design; where the steps of its loops are too slow for the wanted rate, with hardware for each step."""
    try:
        return DESIGN(job, lowered)
    except CompileError:
        repeats = integer.streamlined.loops and not job.options.streaming
        if not repeats or not job.options.wanted_interval or job.options.folding is not None:
            raise
    return DESIGN(job, UNITS(job, repeated(job, path)))


@dataclass(eq=False)
class _Sides:
    """What is known of both modes where they are compared; misfit: why dataflow does not fit the board at the wanted rate.

    integer: as the loopback engine runs it
    """

    integer: Integer
    lowered: Lowered | None = None
    made: DataflowAccelerator | None = None
    misfit: Problem | None = None


def _auto(job: Job, path: Path) -> Accelerator:
    """Compares both modes on a board; without one, or with a folding for the units, there is nothing to compare."""
    board = job.options.target
    if not board or job.options.folding is not None:
        return _dataflow(job, path)
    integer = (IMPORT >> INTEGER)(job, path)
    sides = _Sides(integer)
    try:
        sides.lowered = UNITS(job, integer)
        sides.made = _designed(job, path, integer, sides.lowered)
        over = over_budget(sides.made, job.options.share or board)
        if over:
            help_ = "ask for a lower frame rate, or take a larger board"
            why = f"it takes {over} with its FIFOs"
            sides.misfit = Problem("does-not-fit", f"the design does not fit {board.name}", why=why, help=help_)
    except CompileError as e:
        if not {p.code for p in e.problems} <= FITTING:
            raise
        sides.misfit = e.problems[0]
    found = _with_room(job, integer) if sides.misfit and sides.misfit.code == "does-not-fit" else None
    if found:
        (sides.lowered, sides.made), sides.misfit = found, None
    return stage("compare modes", _compare_modes)(job, sides)


def _compare_modes(job: Job, sides: _Sides) -> Accelerator:
    """Dataflow where it fits the board at the wanted rate, else loopback where that reaches the rate; without one the faster mode, where
    both fit. The report says why."""
    board, clock, wanted = job.options.target, job.options.mhz, job.options.wanted_interval
    assert board  # nothing is compared without one
    graph, misfit = sides.integer.closed, sides.misfit
    dataflow: Roofline | str
    result: Accelerator | None = sides.made
    if sides.made and not misfit:
        dataflow, loopback = dataflow_side(sides.made, board), estimated(job, graph)
        if not wanted and isinstance(loopback, Roofline) and loopback.fps > dataflow.fps:  # maybe: then it is built and replayed
            engine, loopback = _loopback_side(job, sides.integer)
            result = engine if isinstance(loopback, Roofline) and loopback.fps > dataflow.fps else result
    else:
        dataflow = (misfit.why or misfit.what) if misfit else ""
        if wanted and sides.lowered:
            slower = best_dataflow(sides.lowered.units, graph, board, clock, job.options.port_bits)
            dataflow = slower if isinstance(slower, Roofline) and slower.fps < (job.options.fps or clock * 1e6 / wanted) else dataflow
        result, loopback = _loopback_side(job, sides.integer)
    choice = compare(dataflow, loopback, job.options, board, misfit)
    assert result  # `compare` has refused where neither mode runs
    result.report["mode_choice"] = {"mode": choice.mode, "why": choice.why, **choice.numbers}
    return result


def _loopback_side(job: Job, integer: Integer) -> tuple[Accelerator | None, Roofline | str]:
    """The loopback build and its figures, or why there is none."""
    try:
        made = _make_loopback(job, integer)
    except CompileError as e:
        return None, "; ".join(p.why or p.what for p in e.problems)
    roof = loopback_roofline(made)
    return made, within_line(roof, integer.closed, job.options.target) if job.options.target else roof


def _within_watts(job: Job, path: Path, made: Accelerator) -> Accelerator:
    """The design, or where its power is above `watts` the fastest that is found within; of loopback engines always that one. CompileError
    where none keeps it."""
    options, limit = job.options, job.options.watts
    check_watts(made, limit, options.target)
    if not limit:
        return made
    chosen = options.folding is None and options.target is not None
    if isinstance(made, LoopbackAccelerator) and chosen:
        found = _within(job, path, made, limit)
    elif made.report["energy"]["watts"] <= limit:
        return made
    elif options.folding is not None or made.mode == "loopback":
        raise CompileError(too_many_watts(made, limit))
    else:
        found = _slower(job, path, made, limit)
    found.options.update(made.options)
    found.report.update({k: v for k, v in made.report.items() if k == "mode_choice"})
    return found


def _slower(job: Job, path: Path, made: Accelerator, limit: float) -> Accelerator:
    """The first within the limit of designs that may each take `SLOWER` times the cycles of the one before.

    Which ones are looked at does not depend on the limit: with more watts a build is never slower.
    """
    options, interval = job.options, float(made.timing.interval_cycles)
    job = replace(job, streamed=streamed_layers(made.graph))
    units = FRONT(job, path)
    while made.report["energy"]["watts"] > limit:
        if options.wanted_interval or interval >= max(unit_of(n).cycles for n in units.units.nodes):  # all do one thing at a time
            raise CompileError(too_many_watts(made, limit))
        interval *= SLOWER
        made = DESIGN(replace(job, options=replace(options, interval=math.ceil(interval), fps=None)), units)
    return made


def _within(job: Job, path: Path, made: LoopbackAccelerator, limit: float) -> Accelerator:
    """The fastest engine within the limit. CompileError where there is none, and where it misses the wanted rate."""
    board = job.options.engine_board
    assert board  # without one there is nothing to choose from
    config = engine_within(made, board, limit, job.progress)
    if config == made.config:
        return made
    given = replace(job, several=False, options=replace(job.options, folding={"engine": asdict(config)}, copies=made.copies))
    found = _make_loopback(given, (IMPORT >> INTEGER)(job, path))
    problem = too_slow(found, given.options, f" within {limit:g} W")
    if problem:
        raise CompileError(problem)
    return found


MODES: dict[str, Callable[[Job, Path], Accelerator]] = {"auto": _auto, "dataflow": _dataflow, "loopback": LOOPBACK}


def fit(job: Job, imported: Imported) -> None:
    """CompileError where the units of an imported model, or in the other mode an engine for it, are larger than the board."""
    mode, made = job.options.mode, INTEGER >> stage("program", _program)
    if mode == "loopback":
        made(job, imported)
        return
    try:
        FOLDED(job, imported)
    except CompileError:
        if mode != "auto":
            raise
        made(job, imported.unrolled() if imported.unrolled and not job.options.streaming else imported)


def compile_model(model: Path, options: Options, dump_ir: str | Path | None = None, progress: Progress | None = None) -> Accelerator:
    """Compile a model. CompileError carries every problem found.

    dump_ir: folder for the graph after each pass, as far as the build comes; one of an earlier build is replaced
    """
    if options.folding is not None:
        options = replace(options, folding=dict(load_folding(options.folding)))  # the file is read once, before anything is built
    job = Job(model, options, shown=str(dump_ir))
    if progress:
        job = replace(job, progress=progress)
    with new_folder(dump_ir, inputs=[model], always=True) if dump_ir else contextlib.nullcontext() as dumps:
        job = replace(job, dumps=dumps)
        with shown_by(job.progress):
            if options.copies == "auto":
                job = with_copies(replace(job, several=True), model, _optimum)
            made = _within_watts(job, model, MODES[options.mode](job, model))
    made.report["seconds"] = {k: round(v, 3) for k, v in job.seconds.items()}
    return made
