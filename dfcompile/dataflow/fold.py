"""Choosing how parallel each unit is.

`fold_for_interval` takes, for every unit, the cheapest folding that keeps up with an interval. For a fixed
interval the units are independent but for the width converters between them, which the choice avoids where it
costs no lanes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dfcompile.dataflow.connect import Folding, apply_folding, tied_windows
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph, Node
from dfcompile.units.base import Unit

DEFAULT_LANES = 2048
"""Multiply-accumulate lanes that a build without any wish for speed spends at most, roughly."""

Choice = dict[str, int]


def macs(graph: Graph) -> int:
    """Multiply-accumulates per frame of all matrix and depthwise units."""
    total = 0
    for node in graph.nodes:
        weights = getattr(node.op, "weights", None)
        if weights is not None:
            assert isinstance(node.op, Unit)
            h, w, _ = node.op.outputs[0].shape
            total += h * w * weights.size
    return total


def options(unit: Unit) -> list[tuple[int, int, Choice]]:
    """All foldings of a unit as (cycles, lanes, choice)."""
    found = []
    for choice in unit.foldings():
        folded = unit.folded(**choice)
        lanes = 1
        for v in choice.values():
            lanes *= v
        found.append((folded.cycles, lanes, choice))
    return found


def fastest_interval(graph: Graph) -> int:
    """The interval of the network when every unit is as parallel as it can be."""
    return max(min(o[0] for o in options(n.op)) for n in graph.nodes if isinstance(n.op, Unit))


def default_interval(graph: Graph) -> int:
    """The interval aimed at when nothing is asked: about `DEFAULT_LANES` lanes, as far as the units allow."""
    return max(fastest_interval(graph), -(-macs(graph) // DEFAULT_LANES))


def fold_for_interval(graph: Graph, interval: int) -> dict[str, Choice]:
    """For each unit the cheapest folding with at most `interval` cycles; CompileError when there is none."""
    tied = tied_windows(graph)
    made = graph.producers()
    result: dict[str, Choice] = {}
    problems = []
    for node in graph.nodes:
        unit = node.op
        assert isinstance(unit, Unit)
        if node.name in tied:
            continue
        fitting = [o for o in options(unit) if o[0] <= interval]
        source = made.get(node.inputs[0])
        if source is not None and source.name in tied:
            window = source.op
            assert isinstance(window, Unit)
            fitting = [o for o in fitting if window.folded(simd=unit.folded(**o[2]).inputs[0].lanes).cycles <= interval]
        if not fitting:
            problems.append(_too_slow(node, unit, interval))
            continue
        before = _lanes_before(graph, node, result)
        result[node.name] = min(fitting, key=lambda o: (o[1], _mismatch(unit.folded(**o[2]).inputs[0].lanes, before), o[0], sorted(o[2].items())))[2]
    if problems:
        raise CompileError(problems)
    return result


def _too_slow(node: Node, unit: Unit, interval: int) -> Problem:
    best = min(o[0] for o in options(unit))
    return Problem(
        "interval-too-short", f"{unit.kind} cannot make a frame in {interval} cycles", f"node {node.name}",
        f"fully parallel it needs {best}", f"ask for an interval of {best} cycles or more")  # fmt: skip


def _lanes_before(graph: Graph, node: Node, chosen: Mapping[str, Choice]) -> int:
    source = graph.producers().get(node.inputs[0])
    if source is None or source.name not in chosen:
        return 0
    assert isinstance(source.op, Unit)
    return source.op.folded(**chosen[source.name]).outputs[0].lanes


def _mismatch(lanes: int, before: int) -> float:
    """How much a width converter between two lane counts costs: none when equal, more when neither divides the other."""
    if not before or lanes == before:
        return 0.0
    return 1.0 if lanes % before == 0 or before % lanes == 0 else 2.0


def read_folding(source: str | Path | Mapping[str, Any], graph: Graph) -> dict[str, Choice]:
    """A folding from a JSON file or dict: unit name -> {pe, simd, ...}; CompileError names every wrong entry."""
    entries = source if isinstance(source, Mapping) else _load(Path(source))
    by_name = {n.name: n for n in graph.nodes}
    tied = tied_windows(graph)
    problems, result = [], {}
    for name, choice in entries.items():
        if name not in by_name:
            near = get_close_matches(name, by_name, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"units are {', '.join(by_name)}"
            problems.append(Problem("bad-folding", f"there is no unit '{name}'", help=hint))
            continue
        unit = by_name[name].op
        assert isinstance(unit, Unit)
        legal = list(unit.foldings())
        wanted = {**unit.folding, **choice} if isinstance(choice, Mapping) else {}
        if name in tied:
            continue
        if wanted not in legal:
            problems.append(Problem(
                "bad-folding", f"{choice} is not a folding of {unit.kind} '{name}'", f"node {name}",
                help="legal values: " + ", ".join(f"{f} in {sorted({c[f] for c in legal})}" for f in unit.fold_fields)))  # fmt: skip
            continue
        result[name] = wanted
    if problems:
        raise CompileError(problems)
    return result


def _load(path: Path) -> Mapping[str, Any]:
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise CompileError(Problem("bad-folding", f"cannot read the folding file {path.name}", why=str(e))) from e
    if not isinstance(entries, dict):
        raise CompileError(Problem("bad-folding", f"{path.name} is not a JSON object", help='write {"unit": {"pe": 2, "simd": 4}}'))
    return entries


__all__ = ["Folding", "apply_folding", "default_interval", "fastest_interval", "fold_for_interval", "macs", "read_folding"]
