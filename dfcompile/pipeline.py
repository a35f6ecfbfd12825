"""The compiler, as one list: read `STAGES` aloud; the first three are in `front.py`.

model file -> model graph -> integer graph -> unit graph -> folded units -> design -> accelerator
"""

from __future__ import annotations

import contextlib
import sys
import time
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.share import share_memories
from dfcompile.device.area import sum_of
from dfcompile.device.boards import find_board
from dfcompile.device.cost import Vector, budget, vector
from dfcompile.errors import CompileError, Problem
from dfcompile.folding.fold import Choice, Folded, cheapest, fastest, load_folding, read_folding
from dfcompile.front import FRONT, Build, Names, Progress, Stage, names_of
from dfcompile.ir.graph import Graph
from dfcompile.mode.choice import FITTING, best_dataflow, compare, dataflow_side, estimate_loopback, over_budget
from dfcompile.mode.dataflow import Accelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.loopback_build import build_loopback, check_program, loopback_roofline, too_slow
from dfcompile.mode.rate import check_options, missed_rate, wanted_interval
from dfcompile.mode.report_data import make_report
from dfcompile.mode.roofline import Roofline
from dfcompile.store.output import new_folder
from dfcompile.streamline.check import check_units
from dfcompile.timing.fifo_sizing import size_fifos
from dfcompile.units.base import Unit

_REFOLDS = 3


def _fold(b: Build) -> None:
    """A given folding over: the cheapest for an asked interval, else the fastest that the board holds."""
    assert b.units
    given = b.options.get("folding")
    interval = wanted_interval(b.options)
    if given is not None and not interval:
        chosen: dict[str, Choice] = {n.name: n.op.folding for n in b.units.nodes if isinstance(n.op, Unit)}
    else:
        b.folded = _optimum(b, b.units)
        chosen = b.folded.choices
    if given is not None:
        b.folded = None
        chosen = chosen | read_folding(given, b.units, chosen)
    b.unfolded, b.units = b.units, apply_folding(b.units, chosen)
    b.dump("fold", b.units)


def _optimum(b: Build, units: Graph, reserved: Vector | None = None) -> Folded:
    interval = wanted_interval(b.options)
    if b.board and not interval:
        return fastest(units, b.board, reserved)
    return cheapest(units, interval, board=b.board, reserved=reserved)


def _connect(b: Build) -> None:
    assert b.units
    b.design = connect(b.units)


def _size_fifos(b: Build) -> None:
    """FIFOs are known only behind the folding: where they no longer fit the board, the units fold again to leave them room."""
    assert b.design and b.unfolded
    b.design, b.sizing = size_fifos(b.design, b.progress)
    for _ in range(_REFOLDS):
        if not (b.board and b.folded):
            break
        fifos = vector(sum_of(f.resources(b.board.family) for f in b.design.fifos().values()))
        if b.folded.solution.fits(budget(b.board, fifos)):
            break
        b.folded = _optimum(b, b.unfolded, fifos)
        b.design, b.sizing = size_fifos(connect(apply_folding(b.unfolded, b.folded.choices)), b.progress)
    b.dump("design", b.design.graph)


def _check(b: Build) -> None:
    assert b.integer and b.design
    if b.options.get("verify", True):
        check_units(b.integer.probes, b.design.graph)


def _finish(b: Build) -> None:
    assert b.model and b.integer and b.design and b.sizing
    family = b.board.family if b.board else "xc7"
    b.design = share_memories(b.design, family, b.board)
    accelerator = Accelerator(b.design, b.integer.host, {}, _kept_options(b), family, b.sizing.interval)
    accelerator.report.update(make_report(accelerator, b.model, b.board, b.folded, b.sizing))
    b.result = accelerator
    problem = missed_rate(accelerator, b.options)
    if problem:
        raise CompileError(problem)


def _program(b: Build) -> None:
    """Loopback: one engine and the program that runs the network on it, at the wanted rate where one is asked for."""
    made = _make_loopback(b)
    wanted = wanted_interval(b.options)
    if wanted and made.timing.interval_cycles > wanted:
        raise CompileError(too_slow(made, wanted, b.board))
    b.result = cast(Accelerator, made)  # it has the same methods


def _make_loopback(b: Build) -> LoopbackAccelerator:
    assert b.model and b.integer
    made = build_loopback(b.integer.graph, b.integer.host, b.model, _kept_options(b), b.board)
    if b.options.get("verify", True):
        check_program(made, b.integer.probes.inputs)
        made.report["verification"]["simulator"] = "exact"
    return made


def _kept_options(b: Build) -> dict[str, Any]:
    """The options as a build keeps them: no paths, so that its bytes do not depend on where the user's files lie."""
    board = {"board": b.board.name, "part": b.board.part} if b.board else {}
    return {k: v for k, v in b.options.items() if k != "dump_ir"} | board


STAGES: tuple[Stage, ...] = (
    *FRONT,
    ("fold", _fold),
    ("connect", _connect),
    ("size FIFOs", _size_fifos),
    ("check", _check),
    ("finish", _finish),
)

LOOPBACK_STAGES: tuple[Stage, ...] = (
    *FRONT[:2],
    ("program", _program),
)


def _run(b: Build, stages: tuple[Stage, ...], progress: Progress | None) -> None:
    for name, stage in stages:
        if progress:
            progress(name)
        start = time.perf_counter()
        stage(b)
        b.seconds[name] = time.perf_counter() - start


def _run_mode(b: Build, progress: Progress | None) -> None:
    """Mode auto with a board compares both modes; without one, or with a folding for the units, there is nothing to compare."""
    if b.options["mode"] == "loopback":
        _run(b, LOOPBACK_STAGES, progress)
    elif b.options["mode"] == "dataflow" or not b.board or b.options["folding"] is not None:
        _run(b, STAGES, progress)
    else:
        try:
            _run(b, STAGES, progress)
            b.misfit = _over(b)
        except CompileError as e:
            if not {p.code for p in e.problems} <= FITTING:
                raise
            b.misfit = e.problems[0]
        _run(b, (("compare modes", _compare_modes),), progress)


def _over(b: Build) -> Problem | None:
    """Where the finished design, with its FIFOs, misses the budget of the whole board."""
    assert b.result and b.board
    over = over_budget(b.result, b.board)
    if not over:
        return None
    help = "ask for a lower frame rate, or take a larger board"
    return Problem("does-not-fit", f"the design does not fit {b.board.name}", why=f"it takes {over} with its FIFOs", help=help)


def _compare_modes(b: Build) -> None:
    """Dataflow where it fits the board at the wanted rate, else loopback where that reaches the rate; the report says why."""
    assert b.integer and b.board
    graph, clock, wanted = b.integer.graph, float(b.options["clock"]), wanted_interval(b.options)
    dataflow: Roofline | str
    if b.misfit is None:
        assert b.result
        dataflow, loopback = dataflow_side(b.result, graph, b.board), estimate_loopback(graph, b.board, clock)
    else:
        dataflow = b.misfit.why or b.misfit.what
        units = b.unfolded or b.units
        if wanted and units:
            slower = best_dataflow(units, graph, b.board, clock)
            dataflow = slower if isinstance(slower, Roofline) and slower.fps < clock * 1e6 / wanted else dataflow
        b.result, loopback = _loopback(b)
    choice = compare(dataflow, loopback, wanted, b.board, clock, b.misfit)
    assert b.result
    b.result.report["mode_choice"] = {"mode": choice.mode, "why": choice.why, **choice.numbers}


def _loopback(b: Build) -> tuple[Accelerator | None, Roofline | str]:
    """The loopback build and its figures, or why there is none."""
    try:
        made = _make_loopback(b)
    except CompileError as e:
        return None, "; ".join(p.why or p.what for p in e.problems)
    return cast(Accelerator, made), loopback_roofline(made)


def build(
    model: str | Path,
    *,
    mode: str = "auto",
    board: str | None = None,
    fps: float | None = None,
    interval: int | None = None,
    clock: float | None = None,
    folding: str | Path | Mapping[str, Any] | None = None,
    input_type: Names = None,
    from_: Names = None,
    to: Names = None,
    argmax: bool = False,
    verify: bool = True,
    dump_ir: str | Path | None = None,
    progress: Progress | None = None,
) -> Accelerator:
    """Compile a model. CompileError carries every problem found.

    fps or interval: the speed to fold for (frames a second at `clock` MHz, or cycles a frame)
    folding: JSON file or dict, unit -> {pe, simd, ...}; units not named keep their automatic folding. In loopback mode
        {"engine": {pe, simd, ..., batch}}, as report.json names them
    input_type: "[input=]TYPE[:scale[:offset]]", what a raw input stream carries
    from_, to: tensors between which the part lies that is compiled; none: the model's inputs, its outputs
    dump_ir: folder for the graph after each pass, as far as the build comes; one of an earlier build is replaced
    """
    chosen = find_board(board) if board else None
    options = {
        "mode": mode,
        "board": board,
        "fps": fps,
        "interval": interval,
        "clock": clock if clock is not None else chosen.clock if chosen else 100.0,
        "folding": dict(load_folding(folding)) if folding is not None else None,
        "input_type": input_type,
        "from": names_of(from_),
        "to": names_of(to),
        "argmax": argmax,
        "verify": verify,
        "dump_ir": dump_ir,
    }
    check_options(options)
    b = Build(Path(model), options, chosen)
    b.progress = progress or b.progress
    with new_folder(dump_ir, inputs=[model], always=True) if dump_ir else contextlib.nullcontext() as b.dumps:
        _run_mode(b, progress)
    assert b.result
    b.result.report["part"] = b.part.report if b.part else None
    b.result.report["seconds"] = {k: round(v, 3) for k, v in b.seconds.items()}
    return b.result


class _Callable(types.ModuleType):
    """``dfcompile.build`` is this module and, called, its function: importing the module hides any function of that name."""

    def __call__(self, *args: Any, **options: Any) -> Accelerator:
        return build(*args, **options)


sys.modules[__name__].__class__ = _Callable
