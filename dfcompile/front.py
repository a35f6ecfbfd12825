"""The front of the compiler: from a model file to units, and everything that stops it. `check` and `explain` load no more than this.

model file -> model graph -> integer graph -> unit graph
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from dfcompile.dataflow.lower import lower
from dfcompile.dataflow.stream_weights import port_counts, stream_weights, streamable, why_kept
from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.importer import ImportResult, import_model
from dfcompile.frontend.part import Part
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConv
from dfcompile.ir.state import NotRolledError, State
from dfcompile.ir.types import IntType
from dfcompile.ir.work import DEFAULT_LANES, macs
from dfcompile.loopback.program import Program
from dfcompile.options import Options, parse_input_type
from dfcompile.store.files import writing
from dfcompile.streamline.decline import Declined
from dfcompile.streamline.encode import find_problems
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.pipeline import Streamlined, streamline
from dfcompile.streamline.roll import closed, retyped, rolled, state_types
from dfcompile.text import one_line

Progress = Callable[[str], None]
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


@dataclass(frozen=True, eq=False)
class Job:
    """One build: what is asked for, and who is told of it.

    dumps:   folder for the graph after each pass, where --dump-ir asks for it; shown: its name for messages
    rolled:  whether bodies of loops are hardware once, where they can be
    several: whether it is to be found how many engines there are; `options` says it of designs
    streamed: layers whose weights come through ports, by their nodes in the integer graph, and how many each has
    seconds: stage -> how long it took; declined: what passes left as it was, and why
    """

    path: Path
    options: Options = field(default_factory=Options)
    progress: Progress = field(default=lambda text: None)
    dumps: Path | None = None
    shown: str = ""
    rolled: bool = True
    several: bool = False
    streamed: Mapping[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    declined: list[Declined] = field(default_factory=list)

    def dump(self, stage: str, graph: Graph) -> None:
        """Write a stage's graph as text where --dump-ir asks for it."""
        if self.dumps:
            with writing(self.shown):
                (self.dumps / f"{len(list(self.dumps.iterdir())):02d}_{stage}.txt").write_text(f"{graph}\n", encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Stages(Generic[A, B]):
    """Stages in a row, each a name and a function of the job and of what the one before it gave: from an A to a B."""

    steps: tuple[tuple[str, Callable[[Job, Any], Any]], ...]

    def __rshift__(self, more: Stages[B, C]) -> Stages[A, C]:
        return Stages((*self.steps, *more.steps))

    def __call__(self, job: Job, given: A) -> B:
        value: Any = given
        del given  # what a stage has used may go
        for name, step in self.steps:
            job.progress(name)
            start = time.perf_counter()
            value = step(job, value)
            job.seconds[name] = time.perf_counter() - start
        result: B = value
        return result


def stage(name: str, step: Callable[[Job, A], B]) -> Stages[A, B]:
    """One stage."""
    return Stages(((name, step),))


@dataclass(frozen=True, eq=False)
class Imported:
    """The model graph, what its inputs carry, and what is compiled of the model where that is not all.

    states: of loops whose body is in the graph once; unrolled: the same model without such
    """

    model: Graph
    input_types: dict[str, InputType]
    part: Part | None
    states: tuple[State, ...] = ()
    unrolled: Callable[[], Imported] | None = None


@dataclass(frozen=True, eq=False)
class Integer:
    """The integer graph; the model without its weights, which nothing reads any more."""

    model: Graph
    part: Part | None
    streamlined: Streamlined

    @property
    def graph(self) -> Graph:
        return self.streamlined.graph

    @cached_property
    def closed(self) -> Graph:
        """The graph with both ends of each state joined, as the loopback engine runs it."""
        made = self.streamlined
        return closed(made.graph, made.loops) if made.loops else made.graph


@dataclass(frozen=True, eq=False)
class Lowered:
    """Unfolded units."""

    integer: Integer
    units: Graph


def _import(job: Job, path: Path) -> Imported:
    return _unrollable(job, path, _read(job, path))


def _read(job: Job, path: Path) -> ImportResult:
    """The model, with the bodies of loops once where that is possible in the wanted mode."""
    part = job.options.from_, job.options.to
    fewest = 1 if job.options.streaming else 2  # a step alone needs no state unless that goes on
    try:
        found = import_model(path, *part, rolled=fewest if job.rolled else 0)
    except NotRolledError as e:
        if job.options.streaming:
            raise CompileError(_not_streaming(e.node, str(e))) from e
        job.declined.append(Declined("roll", "", (e.node,), str(e)))
        return import_model(path, *part)
    job.declined.extend(Declined("roll", "", (node,), why) for node, why in found.unrolled.items())
    if job.options.streaming and not found.problems:
        problems = [_not_streaming(node, why) for node, why in found.unrolled.items()]
        if problems or not found.states:
            raise CompileError(problems or [_not_streaming("", "the model has no Scan, no Loop and no recurrent cell for a sequence")])
    return found


def _not_streaming(node: str, why: str) -> Problem:
    """What stands against states that go on from frame to frame."""
    help_ = "build it without streaming, or change the loop as docs/attention.md says that hardware takes its steps one after the other"
    return Problem("not-streaming", "there are no states here that can go on from frame to frame", node, why, help_)


def _unrollable(job: Job, path: Path, found: ImportResult) -> Imported:
    """What was imported, and how to do it without loops."""
    made, part = take_model(job, found), (job.options.from_, job.options.to)
    return replace(made, unrolled=lambda: take_model(job, import_model(path, *part))) if found.states else made


def take_model(job: Job, found: ImportResult) -> Imported:
    """What was imported. CompileError with all that stands against it."""
    given = job.options.input_type
    if found.problems or found.graph is None:
        whole = any(p.code == "not-quantized" for p in found.problems)  # what else there is to say follows from that
        raise CompileError((*found.problems, *(() if whole else _later_problems(found.graph, given))))
    model = found.graph.replace(name=one_line(job.path.stem))
    job.dump("import", model)
    inner = {x.input for x in found.states}
    types = parse_input_types(given, model.replace(inputs=tuple(t for t in model.inputs if t not in inner)))
    return Imported(model, types, found.part, found.states)


def _later_problems(model: Graph | None, input_type: tuple[str, ...]) -> tuple[Problem, ...]:
    """What streamlining will say of the rest of a model that the import refuses."""
    if model is None:
        return ()
    try:
        return find_problems(model, parse_input_types(input_type, model))
    except CompileError as e:
        return e.problems


def _streamline(job: Job, imported: Imported) -> Integer:
    if imported.unrolled:
        try:
            made = _rolled(job, imported)
        except (NotRolledError, CompileError) as e:  # of an error the unrolled model tells as well
            if job.options.streaming:
                raise e if isinstance(e, CompileError) else CompileError(_not_streaming(imported.states[0].node, str(e))) from e
            job.declined.extend(Declined("roll", "", (x.node,), str(e)) for x in imported.states[:1])
            imported = imported.unrolled()
        else:
            return Integer(imported.model.replace(constants={}), imported.part, made)
    made = streamline(imported.model, imported.input_types, job.options.argmax, job.dump, job.declined, job.progress)
    return Integer(imported.model.replace(constants={}), imported.part, made)


def _rolled(job: Job, imported: Imported) -> Streamlined:
    """The integer graph with the steps of loops along the pixels. NotRolledError where that cannot be."""
    types = state_types(imported.states)
    for _ in range(_RETYPED):
        given = imported.input_types | types
        made = streamline(imported.model, given, job.options.argmax, progress=job.progress)
        again = retyped(made, imported.states)
        if not again:
            job.declined.extend(made.declined)
            found = rolled(made, imported.states, job.options.streaming)
            job.dump("roll", found.graph)
            return found
        types |= again
    raise NotRolledError("its state has other codes behind each step than before it")


_RETYPED = 4  # times that a state's codes are looked for
BOARD_LANES = 4096
"""Multiplications a cycle, about, of a design that is as fast as a board holds."""


def _lower(job: Job, integer: Integer) -> Lowered:
    """Where no rate is asked for, layers that are small at the cost of speed are taken as far as such a design has the time."""
    lanes, work = BOARD_LANES if job.options.target else DEFAULT_LANES, macs(integer.graph)
    integer = _with_streams(job, integer)
    units, _ = lower(integer.graph, job.progress, job.options.wanted_interval or work // lanes)
    job.dump("lower", units)
    return Lowered(integer, units)


def _with_streams(job: Job, integer: Integer) -> Integer:
    """The integer graph with ports for the weights of each layer that the job says, or that can have one where all are asked for."""
    graph, parts, options = integer.graph, job.streamed, job.options
    if options.stream_weights == "all" and not parts:
        parts = port_counts(graph, streamable(graph), options.share, options.mhz, options.wanted_interval)
        layers = [n for n in graph.nodes if isinstance(n.op, IntConv) and n.name not in parts]
        job.declined.extend(Declined("stream_weights", n.name, n.source, why_kept(graph, n)) for n in layers)
    if not parts:
        return integer
    graph = stream_weights(graph, parts)
    job.dump("stream_weights", graph)
    return replace(integer, streamlined=replace(integer.streamlined, graph=graph))


def _program(job: Job, integer: Integer) -> Program:
    from dfcompile.loopback.compile import compile_program
    from dfcompile.loopback.config import EngineConfig
    from dfcompile.loopback.search.sweep import widths

    return on_engine(job, integer, lambda x: compile_program(x.closed, EngineConfig(**widths([x.closed]))))


IMPORT = stage("import", _import)
INTEGER = stage("streamline", _streamline)
UNITS = stage("lower", _lower)
PROGRAM = stage("program", _program)
FRONT = IMPORT >> INTEGER >> UNITS


def repeated(job: Job, path: Path) -> Integer:
    """The integer graph of a model whose loops are repeated step after step."""
    return (IMPORT >> INTEGER)(replace(job, rolled=False), path)


def on_engine(job: Job, integer: Integer, make: Callable[[Integer], A]) -> A:
    """What is made of a graph for the engine: layers of its loops take turns, or where they cannot, loops are repeated step after step."""
    try:
        return make(integer)
    except CompileError:
        if not integer.streamlined.loops or job.options.streaming:
            raise
    return make(repeated(job, job.path))


def front(mode: str) -> Stages[Imported, Lowered] | Stages[Imported, Program]:
    """What decides whether an imported model compiles in a mode: its units, or a program for the engine as wide as it needs."""
    return INTEGER >> PROGRAM if mode == "loopback" else INTEGER >> UNITS


def problems_of(run: Callable[[], object]) -> tuple[Problem, ...]:
    """What stops stages that are run."""
    try:
        run()
    except CompileError as e:
        return e.problems
    return ()


def check(path: Path, options: Options) -> tuple[Problem, ...]:
    """Everything that stops a model, or its part between tensors, from compiling in the options' mode; empty when nothing does."""
    job = Job(path, options)
    return problems_of(lambda: front(options.mode)(job, IMPORT(job, path)))


@dataclass(frozen=True)
class Explanation:
    """What became of each ONNX node: (node, operator, fate, unit or pass)."""

    rows: tuple[tuple[str, str, str, str], ...]
    problems: tuple[Problem, ...] = ()
    part: Part | None = None

    def __str__(self) -> str:
        widths = [max((len(r[i]) for r in self.rows), default=0) for i in range(3)]
        lines = ["  ".join(t.ljust(w) for t, w in zip(r, [*widths, 0], strict=True)).rstrip() for r in self.rows]
        return "\n".join(lines + [str(p) for p in self.problems])


def explain(path: Path, options: Options) -> Explanation:
    """Where every ONNX node went, also when the model cannot be compiled or only its part between tensors is."""
    job = Job(path, options)
    problems: tuple[Problem, ...] = ()
    imported: Imported | None = None
    integer: Integer | None = None
    lowered: Lowered | None = None
    try:
        found = _read(job, path)
    except CompileError as e:
        return Explanation((), e.problems)
    try:
        imported = _unrollable(job, path, found)
        integer = INTEGER(job, imported)
        lowered = UNITS(job, integer)
    except CompileError as e:
        problems = e.problems
    encoded = integer.streamlined.fates if integer else {}
    by_source: dict[str, list[str]] = {}
    model = integer.model if integer else imported.model if imported else None
    for node in model.nodes if model else ():
        for s in node.source:
            by_source.setdefault(s, []).append(node.name)
    in_units: dict[str, list[str]] = {}
    for node in lowered.units.nodes if lowered else ():
        for s in node.source:
            streamed = ", weights from external memory" if lowered and lowered.units.fixed.keys() & set(node.inputs) else ""
            in_units.setdefault(s, []).append(f"{node.name} ({node.op.kind}{streamed})")
    rows = []
    for name, fate in found.fates.items():
        kind, _, text = fate.partition(": ")
        later = list(dict.fromkeys(encoded[n] for n in by_source.get(name, ()) if n in encoded)) or [text]
        later += [str(d) for d in job.declined if name in d.source]
        rows.append((name, kind, "; ".join(later), ", ".join(in_units.get(name, ()))))
    return Explanation(tuple(rows), problems, found.part)


def parse_input_types(texts: tuple[str, ...], model: Graph) -> dict[str, InputType]:
    """Declared input types by graph input. CompileError for what cannot be read."""
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
