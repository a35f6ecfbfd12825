"""Where the units of a pipeline stand: columns from left to right in rows like text, branches in lanes below each other.

Every connection has a cell of its own between two columns of units, so that its label never meets another one; a
connection that skips columns passes through cells too. That is a layered drawing (Sugiyama) whose layers wrap.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import networkx as nx


@dataclass(frozen=True)
class Wire:
    """A connection: its tensor, its ends, and the places of the ends among the outputs and the inputs of the vertices."""

    tensor: str
    source: str
    target: str
    source_port: int
    target_port: int


@dataclass
class Layout:
    """Lanes of everything, by column; a vertex of layer k is in column 2 k, connections are in all columns between their ends.

    vertices: name -> (column, lane)
    wires:    (wire, its lanes from the column after its source to the column before its target)
    columns:  number of columns
    """

    vertices: dict[str, tuple[int, int]] = field(default_factory=dict)
    wires: list[tuple[Wire, list[int]]] = field(default_factory=list)
    columns: int = 0


def layers(wires: list[Wire], names: list[str]) -> dict[str, int]:
    """Longest path from a source; a source itself stands just before its first reader."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((w.source, w.target) for w in wires)
    found = {n: k for k, members in enumerate(nx.topological_generations(graph)) for n in members}
    for n in names:
        readers = [found[m] for m in graph.successors(n)]
        if readers and not graph.in_degree(n):
            found[n] = min(readers) - 1
    return found


def arrange(wires: list[Wire], names: list[str]) -> Layout:
    """A lane for everything in every column, from left to right: each stays in its lane where that is free, else goes below."""
    layer = layers(wires, names)
    count = max(layer.values(), default=-1) + 1
    made = Layout(columns=2 * count)
    lanes: dict[int, list[int]] = {i: [] for i in range(len(wires))}
    arriving: dict[str, list[int]] = {}
    open_: list[int] = []  # wires that pass the present column or the next ones
    starting: dict[int, list[int]] = {}
    for i, w in enumerate(wires):
        arriving.setdefault(w.target, []).append(i)
        starting.setdefault(2 * layer[w.source] + 1, []).append(i)
    standing: dict[int, list[tuple[int, str]]] = {}
    for k, n in enumerate(names):
        standing.setdefault(2 * layer[n], []).append((k, n))
    for column in range(2 * count):
        wanted: list[tuple[tuple[int, bool, int], Hashable]] = []
        for k, n in standing.get(column, ()):
            wanted.append(((min((lanes[i][-1] for i in arriving.get(n, ())), default=0), False, k), n))
        open_ = sorted([i for i in open_ if column < 2 * layer[wires[i].target]] + starting.get(column, []))
        for i in open_:
            w = wires[i]
            here = lanes[i][-1] if lanes[i] else made.vertices[w.source][1]
            wanted.append(((here, layer[w.target] - layer[w.source] > 1, w.source_port), i))
        _settle(column, sorted(wanted, key=lambda item: item[0]), made, lanes)
    made.wires = [(w, lanes[i]) for i, w in enumerate(wires)]
    return made


def _settle(column: int, wanted: list[tuple[tuple[int, bool, int], Hashable]], made: Layout, lanes: dict[int, list[int]]) -> None:
    free = 0
    for (lane, *_), thing in wanted:
        place = max(lane, free)
        free = place + 1
        if isinstance(thing, int):
            lanes[thing].append(place)
        else:
            made.vertices[str(thing)] = (column, place)
