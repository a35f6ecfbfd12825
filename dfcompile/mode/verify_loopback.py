"""Hold the loopback engine in C++ and SystemVerilog equal to the Python engine on the same program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx

from dfcompile.emit.engine import LATENCY
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.mode.figures import plain
from dfcompile.mode.serialize import part_of
from dfcompile.mode.verify import DEFAULT_STALLS, Difference, Progress, compare, compared, no_result
from dfcompile.run.loopback import LoopbackRun, run_loopback
from dfcompile.units.base import Stream

Codes = Mapping[str, Array]


def verify_loopback(
    program: Program, graph: Graph, codes: Codes, engines: Sequence[str], stalls: float, progress: Progress, folder: Path | None
) -> dict[str, Any]:
    """`Accelerator.verify` for a program: one run takes the frames of a batch; a beat is a pixel of an output.

    graph: what the program computes; codes: frames of each input
    """
    wanted = run_program(program, codes)
    results: dict[str, Any] = {}
    for engine in engines:
        progress(f"verify ({engine})")
        emitted = part_of(folder, engine) if folder else None
        results[engine] = _verified(program, graph, codes, wanted, engine, stalls or DEFAULT_STALLS, emitted)
    return {"engines": results}


def _verified(
    program: Program, graph: Graph, codes: Codes, wanted: Codes, engine: str, stalls: float, emitted: Path | None
) -> dict[str, Any]:
    frames = len(next(iter(codes.values())))

    def blame() -> str:
        return first_wrong_layer(program, graph, codes, engine, emitted)

    try:
        run = run_loopback(program, codes, engine, LATENCY, emitted=emitted)
        found = differences(run.outputs, wanted)
        if engine == "rtl" and not found:
            found = differences(run_loopback(program, codes, engine, LATENCY, stalls, emitted=emitted).outputs, wanted)
        result = compared(found, frames, blame)
        return result | _cycles(result, program, run) if engine == "rtl" else result
    except CompileError as e:
        return no_result(e, frames, sum(x.size // x.shape[-1] for x in wanted.values()), blame)


def differences(found: Codes, wanted: Codes) -> list[Difference]:
    """Of all outputs, pixel by pixel."""
    made = []
    for t, codes in wanted.items():
        _, h, w, c = codes.shape
        made.append(compare(t, Stream((h, w, c), IntType(64), c), found[t], codes))
    return [d for d in made if d]


def first_wrong_layer(program: Program, graph: Graph, codes: Codes, engine: str, emitted: Path | None) -> str:
    """Run the network up to its operators, halving what is suspect; one that is wrong behind right ones, as a sentence.

    Where an operator is right, so is what it reads; where one is wrong, only what it reads can be to blame in its place.
    """
    ways, blamed = graph.topology(), ""
    suspects = [n for n in graph.nodes if _runs(program, graph, n.outputs[0])]
    while suspects:
        node = suspects[len(suspects) // 2]
        before = nx.ancestors(ways, node.name)
        found = _up_to(program, graph, node.outputs[0], codes, engine, emitted)
        if found:
            blamed = f"layer {node.name}, {found}"
        suspects = [s for s in suspects if s is not node and (s.name in before) == bool(found)]
    return blamed or "every layer is right with those before it: what moves the outputs or the saved files differ"


def _runs(program: Program, graph: Graph, tensor: str) -> bool:
    """Whether the engine can end a program with this tensor."""
    try:
        _prefix(program, graph, tensor)
    except CompileError:
        return False
    return True


def _prefix(program: Program, graph: Graph, tensor: str) -> Program:
    return compile_program(graph.replace(outputs=(tensor,)).without_dead(), program.config, program.batch)


def _up_to(program: Program, graph: Graph, tensor: str, codes: Codes, engine: str, emitted: Path | None) -> str | None:
    """What differs at a tensor inside the network, None where nothing does."""
    part = _prefix(program, graph, tensor)
    try:
        found = differences(run_loopback(part, codes, engine, LATENCY, emitted=emitted).outputs, run_program(part, codes))
    except CompileError as e:
        return e.problems[0].what
    return str(found[0]) if found else None


def _cycles(result: dict[str, Any], program: Program, run: LoopbackRun) -> dict[str, Any]:
    """Measured and predicted cycles, of a run and of a frame in it; fails the result at the first run that takes others than predicted."""
    measured, predicted = run.cycles[0], predict(program, LATENCY).cycles
    found: dict[str, Any] = {
        "interval_cycles": plain(Fraction(measured, program.batch)),
        "latency_cycles": measured,
        "predicted_interval_cycles": plain(Fraction(predicted, program.batch)),
        "predicted_latency_cycles": predicted,
    }
    wrong = next((i for i, cycles in enumerate(run.cycles) if cycles != predicted), None)
    if wrong is not None:
        text = f"the run from frame {wrong * program.batch} on takes {run.cycles[wrong]} cycles, predicted {predicted}"
        found |= {"pass": False, "first_mismatch": result["first_mismatch"] or text}
    return found
