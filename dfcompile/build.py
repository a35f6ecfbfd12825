"""The compiler, as one list: read `STAGES` aloud.

model file -> model graph -> integer graph -> unit graph -> folded units -> design -> accelerator
"""

from __future__ import annotations

import contextlib
import sys
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dfcompile.accelerator import Accelerator
from dfcompile.boards import Board, find_board
from dfcompile.config import parse_input_type
from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.cost import Vector, budget, vector
from dfcompile.dataflow.design import Design
from dfcompile.dataflow.fifo_sizing import FifoSizing, size_fifos
from dfcompile.dataflow.fold import Choice, Folded, cheapest, default_interval, fastest, load_folding, read_folding
from dfcompile.dataflow.lower import lower
from dfcompile.dataflow.share import share_memories
from dfcompile.errors import CompileError, Problem
from dfcompile.files import writing
from dfcompile.frontend.importer import import_model
from dfcompile.ir.graph import Graph
from dfcompile.ir.types import IntType
from dfcompile.loopback.mode import Roofline
from dfcompile.loopback_accelerator import LoopbackAccelerator
from dfcompile.loopback_build import build_loopback, check_program, loopback_roofline, too_slow
from dfcompile.mode_choice import FITTING, best_dataflow, compare, dataflow_side, estimate_loopback, over_budget
from dfcompile.output import new_folder
from dfcompile.rate import check_options, missed_rate, wanted_interval
from dfcompile.report_data import make_report
from dfcompile.streamline.check import check_units
from dfcompile.streamline.encode import find_problems
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.pipeline import Streamlined, streamline
from dfcompile.text import one_line
from dfcompile.units.area import sum_of
from dfcompile.units.base import Unit

Progress = Callable[[str], None]
_REFOLDS = 3


@dataclass
class Build:
    """What one build knows; each stage reads what is there and adds its own."""

    path: Path
    options: dict[str, Any]
    board: Board | None = None
    input_types: dict[str, InputType] = field(default_factory=dict)
    model: Graph | None = None
    fates: dict[str, str] = field(default_factory=dict)
    integer: Streamlined | None = None
    units: Graph | None = None
    unfolded: Graph | None = None
    folded: Folded | None = None
    sizing: FifoSizing | None = None
    design: Design | None = None
    result: Accelerator | None = None
    misfit: Problem | None = None  # why dataflow does not fit the board at the wanted rate
    seconds: dict[str, float] = field(default_factory=dict)
    progress: Progress = field(default=lambda text: None)
    dumps: Path | None = None  # folder for the graph after each pass

    def dump(self, stage: str, graph: Graph) -> None:
        """Write a stage's graph as text where --dump-ir asks for it."""
        if self.dumps:
            with writing(self.options["dump_ir"]):
                (self.dumps / f"{len(list(self.dumps.iterdir())):02d}_{stage}.txt").write_text(f"{graph}\n", encoding="utf-8")


def _import(b: Build) -> None:
    found = import_model(b.path)
    b.fates.update(found.fates)
    if found.problems or found.graph is None:
        whole = any(p.code == "not-quantized" for p in found.problems)  # what else there is to say follows from that
        raise CompileError((*found.problems, *(() if whole else _later_problems(found.graph, b.options.get("input_type")))))
    b.model = found.graph.replace(name=one_line(b.path.stem))
    b.dump("import", b.model)
    b.input_types = parse_input_types(b.options.get("input_type"), b.model)


def _later_problems(model: Graph | None, input_type: str | tuple[str, ...] | None) -> tuple[Problem, ...]:
    """What streamlining will say of the rest of a model that the import refuses."""
    if model is None:
        return ()
    try:
        return find_problems(model, parse_input_types(input_type, model))
    except CompileError as e:
        return e.problems


def _streamline(b: Build) -> None:
    assert b.model
    b.integer = streamline(b.model, b.input_types, bool(b.options.get("argmax")), b.dump)
    b.model = b.model.replace(constants={})  # the real weights, which nothing reads any more
    b.input_types = b.integer.input_types


def _lower(b: Build) -> None:
    assert b.integer
    b.units, _ = lower(b.integer.graph)
    b.dump("lower", b.units)


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
    return cheapest(units, interval or default_interval(units), board=b.board, reserved=reserved)


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


STAGES: tuple[tuple[str, Callable[[Build], None]], ...] = (
    ("import", _import),
    ("streamline", _streamline),
    ("lower", _lower),
    ("fold", _fold),
    ("connect", _connect),
    ("size FIFOs", _size_fifos),
    ("check", _check),
    ("finish", _finish),
)

LOOPBACK_STAGES: tuple[tuple[str, Callable[[Build], None]], ...] = (
    *STAGES[:2],
    ("program", _program),
)


def _run(b: Build, stages: tuple[tuple[str, Callable[[Build], None]], ...], progress: Progress | None) -> None:
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
    return Problem("does-not-fit", f"the design does not fit {b.board.name}", why=f"it takes {over} with its FIFOs") if over else None


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
    input_type: str | tuple[str, ...] | None = None,
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
    b.result.report["seconds"] = {k: round(v, 3) for k, v in b.seconds.items()}
    return b.result


def check(model: str | Path, input_type: str | tuple[str, ...] | None = None) -> tuple[Problem, ...]:
    """Everything that stops a model from compiling; empty when nothing does."""
    return _problems(Build(Path(model), {"input_type": input_type}))


def _problems(b: Build) -> tuple[Problem, ...]:
    try:
        for _, stage in STAGES[:3]:
            stage(b)
    except CompileError as e:
        return e.problems
    return ()


@dataclass(frozen=True)
class Explanation:
    """What became of each ONNX node: (node, operator, fate, unit or pass)."""

    rows: tuple[tuple[str, str, str, str], ...]
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        widths = [max((len(r[i]) for r in self.rows), default=0) for i in range(3)]
        lines = ["  ".join(t.ljust(w) for t, w in zip(r, [*widths, 0], strict=True)).rstrip() for r in self.rows]
        return "\n".join(lines + [str(p) for p in self.problems])


def explain(model: str | Path, input_type: str | tuple[str, ...] | None = None) -> Explanation:
    """Where every ONNX node went, also when the model cannot be compiled."""
    b = Build(Path(model), {"input_type": input_type})
    problems, rows = _problems(b), []
    encoded = b.integer.fates if b.integer else {}
    by_source: dict[str, list[str]] = {}
    for node in b.model.nodes if b.model else ():
        for s in node.source:
            by_source.setdefault(s, []).append(node.name)
    in_units: dict[str, list[str]] = {}
    for node in b.units.nodes if b.units else ():
        for s in node.source:
            in_units.setdefault(s, []).append(f"{node.name} ({node.op.kind})")
    for name, fate in b.fates.items():
        kind, _, text = fate.partition(": ")
        later = [encoded[n] for n in by_source.get(name, ()) if n in encoded]
        rows.append((name, kind, "; ".join(dict.fromkeys(later)) or text, ", ".join(in_units.get(name, ()))))
    return Explanation(tuple(rows), problems)


def parse_input_types(given: str | tuple[str, ...] | None, model: Graph) -> dict[str, InputType]:
    """Declared input types by graph input. CompileError for what cannot be read."""
    texts = (given,) if isinstance(given, str) else tuple(given or ())
    result: dict[str, InputType] = {}
    for text in texts:
        name, _, spec = text.rpartition("=")
        names = [name] if name else list(model.inputs)
        if name and name not in model.inputs:
            raise CompileError(
                Problem("bad-option", f"--input-type: there is no input '{name}'", help=f"inputs: {', '.join(model.inputs)}")
            )
        kind, scale, offset = parse_input_type(spec)
        result |= dict.fromkeys(names, InputType(IntType.parse(kind), float(scale), float(offset)))
    return result


class _Callable(types.ModuleType):
    """``dfcompile.build`` is this module and, called, its function: importing the module hides any function of that name."""

    def __call__(self, *args: Any, **options: Any) -> Accelerator:
        return build(*args, **options)


sys.modules[__name__].__class__ = _Callable
