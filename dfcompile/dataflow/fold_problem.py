"""The folding problem of a unit graph: options of each unit, and what it costs that neighbours differ in lanes.

A design's area is the sum over units, plus a fork for each further reader of a stream (it has its producer's lanes), plus a
width converter for each reader whose lanes are not the producer's. So the problem is a sum of one-unit and two-unit terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.connect import tied_windows
from dfcompile.dataflow.cost import MEASURES, Vector, vector
from dfcompile.dataflow.fold_option import Option, OptionTable
from dfcompile.ir.graph import Graph
from dfcompile.ir.types import IntType
from dfcompile.units.base import Unit
from dfcompile.units.fork import Fork
from dfcompile.units.width_converter import WidthConverter

Shape3 = tuple[int, int, int]
Table = NDArray[np.float64]


@dataclass(frozen=True)
class Edge:
    """Two ports whose lanes should agree.

    ends: (unit, place in Option.lanes) of the stream's producer and of its reader
    tied: they must agree
    """

    ends: tuple[tuple[str, int], tuple[str, int]]
    shape: Shape3
    dtype: IntType
    tied: bool = False


@dataclass(frozen=True)
class Copies:
    """Forks of a stream with the lanes of one port."""

    end: tuple[str, int]
    count: int
    shape: Shape3
    dtype: IntType


class FoldProblem:
    """Units, edges and their costs on one device family."""

    def __init__(self, graph: Graph, family: str) -> None:
        self.family = family
        self.table = OptionTable(family)
        self.units: dict[str, Unit] = {}
        for node in graph.nodes:
            assert isinstance(node.op, Unit)
            self.units[node.name] = node.op
        self.edges: list[Edge] = []
        self.copies: list[Copies] = []
        self._converters: dict[tuple[Shape3, IntType, int, int], Vector] = {}
        self._find_edges(graph)

    def _find_edges(self, graph: Graph) -> None:
        ports: dict[str, list[tuple[str, int]]] = {}
        for node in graph.nodes:
            for i, t in enumerate(node.inputs):
                ports.setdefault(t, []).append((node.name, i))
        tied = tied_windows(graph)
        for name in graph.inputs:
            h, w, c = graph.tensors[name].shape
            dtype = graph.tensors[name].dtype
            assert dtype
            first, *others = ports.get(name, [("", 0)])
            self._join(first, others, (h, w, c), dtype, len(others) + graph.outputs.count(name), False)
        for node in graph.nodes:
            unit = self.units[node.name]
            for o, (t, s) in enumerate(zip(node.outputs, unit.outputs, strict=True)):
                readers = ports.get(t, [])
                count = len(readers) + graph.outputs.count(t) - 1
                self._join((node.name, len(unit.inputs) + o), readers, s.shape, s.dtype, count, node.name in tied)

    def _join(
        self, source: tuple[str, int], readers: list[tuple[str, int]], shape: Shape3, dtype: IntType, forks: int, tied: bool
    ) -> None:
        self.edges += [Edge((source, r), shape, dtype, tied) for r in readers]
        if forks > 0:
            self.copies.append(Copies(source, forks, shape, dtype))

    def converter(self, edge: Edge, lanes: int, wanted: int) -> Vector:
        """Area between `lanes` and `wanted`, in LUT, FF, ...; infinite where the edge is tied."""
        if lanes == wanted:
            return np.zeros(len(MEASURES))
        if edge.tied:
            return np.full(len(MEASURES), np.inf)
        key = (edge.shape, edge.dtype, lanes, wanted)
        if key not in self._converters:
            self._converters[key] = vector(WidthConverter(edge.shape, edge.dtype, lanes, wanted).resources(self.family))
        return self._converters[key]

    def options(self, interval: float) -> dict[str, list[Option]]:
        """Options of each unit with at most `interval` cycles; the forks behind a unit count with it."""
        found = {n: self.table.options(u, interval) for n, u in self.units.items()}
        for copies in self.copies:
            name, place = copies.end
            if name:
                found[name] = [self._with_forks(o, copies, o.lanes[place]) for o in found[name]]
        for edge in self.edges:
            (a, i), (b, j) = edge.ends
            if a == b:
                found[a] = [_plus(o, self.converter(edge, o.lanes[i], o.lanes[j])) for o in found[a]]
        return found

    def _with_forks(self, option: Option, copies: Copies, lanes: int) -> Option:
        fork = Fork(copies.shape, copies.dtype, lanes)
        return _plus(option, copies.count * vector(fork.resources(self.family)))

    def joints(self) -> list[Edge]:
        """Edges between two different units."""
        return [e for e in self.edges if e.ends[0][0] != e.ends[1][0] and e.ends[0][0]]

    def fastest(self) -> int:
        """The interval when every unit is as parallel as it can be."""
        return max((self.table.fastest(u) for u in self.units.values()), default=1)

    def candidates(self) -> list[int]:
        """All intervals at which the choice may change, rising, from the fastest on."""
        fastest = self.fastest()
        return sorted({c for u in self.units.values() for c, _, _ in self.table.foldings(u) if c >= fastest})


def _plus(option: Option, area: Vector) -> Option:
    return Option(option.choice, option.cycles, option.lanes, option.area + area)
