"""The front of the compiler: from a model file to units, and everything that stops it. `check` and `explain` load no more than this.

model file -> model graph -> integer graph -> unit graph
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcompile.dataflow.lower import lower
from dfcompile.device.boards import Board
from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.importer import ImportResult, import_model
from dfcompile.frontend.part import Part
from dfcompile.ir.graph import Graph
from dfcompile.ir.types import IntType
from dfcompile.options import parse_input_type
from dfcompile.store.files import writing
from dfcompile.streamline.decline import Declined
from dfcompile.streamline.encode import find_problems
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.pipeline import Streamlined, streamline
from dfcompile.text import one_line

if TYPE_CHECKING:
    from dfcompile.dataflow.design import Design
    from dfcompile.folding.fold import Folded
    from dfcompile.mode.dataflow import Accelerator
    from dfcompile.timing.fifo_sizing import FifoSizing

Progress = Callable[[str], None]
Names = str | tuple[str, ...] | None


@dataclass
class Build:
    """What one build knows; each stage reads what is there and adds its own."""

    path: Path
    options: dict[str, Any]
    board: Board | None = None
    input_types: dict[str, InputType] = field(default_factory=dict)
    model: Graph | None = None
    fates: dict[str, str] = field(default_factory=dict)
    declined: list[Declined] = field(default_factory=list)  # what passes left as it was
    part: Part | None = None  # what is compiled of the model, where that is not all
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


Stage = tuple[str, Callable[[Build], None]]


def _import(b: Build) -> None:
    take_model(b, import_model(b.path, b.options.get("from", ()), b.options.get("to", ())))


def take_model(b: Build, found: ImportResult) -> None:
    """Begin a build with what was imported. CompileError with all that stands against it."""
    b.fates.update(found.fates)
    b.part = found.part
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
    b.integer = streamline(b.model, b.input_types, bool(b.options.get("argmax")), b.dump, b.declined)
    b.model = b.model.replace(constants={})  # the real weights, which nothing reads any more
    b.input_types = b.integer.input_types


def _lower(b: Build) -> None:
    assert b.integer
    b.units, _ = lower(b.integer.graph)
    b.dump("lower", b.units)


FRONT: tuple[Stage, ...] = (
    ("import", _import),
    ("streamline", _streamline),
    ("lower", _lower),
)


def names_of(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Tensors that an option names: one, several or none."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _options(input_type: Names, from_: Names, to: Names) -> dict[str, Any]:
    return {"input_type": input_type, "from": names_of(from_), "to": names_of(to)}


def check(model: str | Path, input_type: Names = None, from_: Names = None, to: Names = None) -> tuple[Problem, ...]:
    """Everything that stops a model, or its part between tensors, from compiling; empty when nothing does."""
    return problems_of(Build(Path(model), _options(input_type, from_, to)))


def problems_of(b: Build, stages: tuple[Stage, ...] = FRONT) -> tuple[Problem, ...]:
    """What stops a build in these stages."""
    try:
        for _, stage in stages:
            stage(b)
    except CompileError as e:
        return e.problems
    return ()


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


def explain(model: str | Path, input_type: Names = None, from_: Names = None, to: Names = None) -> Explanation:
    """Where every ONNX node went, also when the model cannot be compiled or only its part between tensors is."""
    b = Build(Path(model), _options(input_type, from_, to))
    problems, rows = problems_of(b), []
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
        later = list(dict.fromkeys(encoded[n] for n in by_source.get(name, ()) if n in encoded)) or [text]
        later += [str(d) for d in b.declined if name in d.source]
        rows.append((name, kind, "; ".join(later), ", ".join(in_units.get(name, ()))))
    return Explanation(tuple(rows), problems, b.part)


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
