"""The folding problem of a unit graph: options of each unit, and what it costs that neighbours differ in layout.

A design's area is the sum over units, plus a fork for each further reader of a stream (it has its producer's layout), plus a
converter for each reader whose layout is not the producer's, or whose stream comes padded to or from the outside. So the problem
is a sum of one-unit and two-unit terms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.connect import converter, tied
from dfcompile.device.cost import MEASURES, Vector, vector
from dfcompile.device.feed import port_bytes
from dfcompile.folding.option import OWN, Costs, Option, OptionTable, Progress, alternating, layouts, silent
from dfcompile.ir.graph import Graph
from dfcompile.ir.types import IntType
from dfcompile.units.base import Layout, Stream, Unit, unit_of
from dfcompile.units.fork import Fork

Shape3 = tuple[int, int, int]
Table = NDArray[np.float64]
Options = dict[str, list[Option]]
_SHARE = 1e-6  # of a design's cost: more than its rounding, and than what counts as equal


@dataclass(frozen=True)
class Edge:
    """Two ports whose layouts should agree.

    ends: (unit, place in Option.layouts) of the stream's producer and of its reader
    tied: they must agree
    outside: the stream comes from outside, in the layout that a port for the first reader has
    """

    ends: tuple[tuple[str, int], tuple[str, int]]
    shape: Shape3
    dtype: IntType
    tied: bool = False
    outside: bool = False


@dataclass(frozen=True)
class Border:
    """A unit's port on a stream of the outside; `count` converters stand there if that has another layout."""

    end: tuple[str, int]
    count: int
    shape: Shape3
    dtype: IntType
    reads: bool


@dataclass(frozen=True)
class Copies:
    """Forks of a stream with the layout of one port; `outside`: with that of the design's port for it."""

    end: tuple[str, int]
    count: int
    shape: Shape3
    dtype: IntType
    outside: bool


class FoldProblem:
    """Units, edges and their costs on one device family.

    port_bits: most bits of a beat at the design's ports; 0: any
    beats:     design's input or output -> fewest beats of a frame there
    tight:     whether only options count of whose frames the fewest bytes pass the outside
    slow:      options that the last `options` left out since they miss the clock
    caps:      of each unit in a loop the most cycles that it may take, beside the interval
    prices:    LUT equivalents of each of `cost.MEASURES`; None: as without a board
    """

    def __init__(
        self,
        graph: Graph,
        family: str,
        progress: Progress = silent,
        port_bits: int = 0,
        clock: float = 0.0,
        caps: Mapping[str, float] | None = None,
        prices: Vector | None = None,
    ) -> None:
        self.caps = dict(caps or {})
        self.family = family
        self.port_bits = port_bits
        self.tight, self.slow = False, 0
        self.beats = _port_beats(graph, port_bits)
        self.table = OptionTable(family, progress, clock, prices)
        self.units = {n.name: unit_of(n) for n in graph.nodes}
        self.edges: list[Edge] = []
        self.copies: list[Copies] = []
        self.borders: list[Border] = []
        self._converters: dict[tuple[Shape3, IntType, Layout, Layout], Vector] = {}
        self._find_edges(graph)

    def _find_edges(self, graph: Graph) -> None:
        ports: dict[str, list[tuple[str, int]]] = {}
        for node in graph.nodes:
            for i, t in enumerate(node.inputs):
                ports.setdefault(t, []).append((node.name, i))
        order = tied(graph)
        for name in graph.inputs:
            h, w, c = graph.tensors[name].shape
            dtype = graph.tensors[name].codes
            first, *others = ports.get(name, [("", 0)])
            self._join(first, others, (h, w, c), dtype, len(others) + graph.outputs.count(name), outside=True)
            if first[0]:
                self.borders.append(Border(first, 1, (h, w, c), dtype, reads=True))
        for node in graph.nodes:
            unit = self.units[node.name]
            for o, (t, s) in enumerate(zip(node.outputs, unit.outputs, strict=True)):
                readers = ports.get(t, [])
                ends, port = graph.outputs.count(t), (node.name, len(unit.inputs) + o)
                self._join(port, readers, s.shape, s.dtype, len(readers) + ends - 1, tied=node.name in order)
                if ends:
                    self.borders.append(Border(port, ends, s.shape, s.dtype, reads=False))

    def _join(
        self,
        source: tuple[str, int],
        readers: list[tuple[str, int]],
        shape: Shape3,
        dtype: IntType,
        forks: int,
        tied: bool = False,
        outside: bool = False,
    ) -> None:
        self.edges += [Edge((source, r), shape, dtype, tied, outside) for r in readers]
        if forks > 0:
            self.copies.append(Copies(source, forks, shape, dtype, outside))

    def converter(self, edge: Edge, given: Layout, wanted: Layout) -> Vector:
        """Area between two layouts, in LUT, FF, ...; infinite where the edge is tied."""
        if edge.outside:
            given = self._outside(edge.shape, edge.dtype, given)
        if edge.tied and given != wanted:
            return np.full(len(MEASURES), np.inf)
        return self._between(edge.shape, edge.dtype, given, wanted)

    def _outside(self, shape: Shape3, dtype: IntType, layout: Layout) -> Layout:
        return Stream(shape, dtype, *layout).outside(self.port_bits).layout

    def _between(self, shape: Shape3, dtype: IntType, given: Layout, wanted: Layout) -> Vector:
        if given == wanted:
            return np.zeros(len(MEASURES))
        key = (shape, dtype, given, wanted)
        if key not in self._converters:
            self._converters[key] = vector(converter(shape, dtype, given, wanted).resources(self.family))
        return self._converters[key]

    def _border(self, border: Border, layout: Layout) -> Vector:
        """Area between a port and the outside."""
        ends = (self._outside(border.shape, border.dtype, layout), layout)
        return border.count * self._between(border.shape, border.dtype, *(ends if border.reads else ends[::-1]))

    def _frame_bytes(self, border: Border, layout: Layout) -> int:
        """Bytes of a frame at a port, the padding of its beats included."""
        given = Stream(border.shape, border.dtype, *self._outside(border.shape, border.dtype, layout))
        return given.beats * port_bytes(given.width)

    def _fewest_bytes(self, border: Border) -> int:
        name, place = border.end
        return min(self._frame_bytes(border, layouts(f.unit)[place]) for f in self.table.foldings(self.units[name]))

    def frame_bytes(self, chosen: Mapping[str, Option] | None = None) -> tuple[list[int], list[int]]:
        """Bytes of a frame at each input and output, of options or the fewest of any, as a board's memory or serial line carries them."""
        sides: dict[bool, list[int]] = {True: [], False: []}
        for border in self.borders:
            name, place = border.end
            found = self._frame_bytes(border, chosen[name].layouts[place]) if chosen else self._fewest_bytes(border)
            sides[border.reads] += [found] * border.count
        return sides[True], sides[False]

    def tightened(self) -> FoldProblem:
        """The same of those designs alone at whose ports a frame has the fewest bytes."""
        made = copy(self)
        made.tight = True
        return made

    def options(self, interval: float, every: bool = False, closing: Collection[str] = (), most: Costs | None = None) -> Options:
        """Options of each unit with at most `interval` cycles; forks behind a unit and converters to the outside count with it.

        every: those too that a large network leaves out (`OptionTable.within`)
        closing: units of which those are left out that miss the clock though others with their cycles do not (`OptionTable.closing`)
        most: as of `OptionTable.within`; of units in `closing` there are all
        """
        found = self._within(interval, every, most and {n: math.inf if n in closing else most[n] for n in self.units})
        every_option = sum(map(len, found.values()))
        found |= {n: self.table.closing(self.units[n], found[n], n in self._tied) for n in closing}
        self.slow = every_option - sum(map(len, found.values()))
        for copies in self.copies:
            name, place = copies.end
            if name:
                found[name] = [self._with_forks(o, copies, o.layouts[place]) for o in found[name]]
        for border in self.borders:
            name, place = border.end
            if self.tight:
                least = self._fewest_bytes(border)
                found[name] = [o for o in found[name] if self._frame_bytes(border, o.layouts[place]) == least]
            found[name] = [_plus(o, self._border(border, o.layouts[place])) for o in found[name]]
        for edge in self.edges:
            (a, i), (b, j) = edge.ends
            if a == b:
                found[a] = [_plus(o, self.converter(edge, o.layouts[i], o.layouts[j])) for o in found[a]]
        return found

    def economical(self, interval: float, every: bool, closing: Collection[str], cost: Callable[[Options], float | None]) -> Options:
        """`options` without most of those that cost too much for any design of the least cost.

        cost: of the cheapest design of some options, None where they make none

        A unit's options cost no less than some least, so one that costs more than its unit's least and all that the cheapest of a few
        options costs above the sum of the leasts is in no design of the least cost.
        """
        offered, least = self._offered(interval, every), dict[str, float]()
        for name, unit in self.units.items():
            if not closing:  # else they were looked at before
                self.table.progress(f"fold {len(least)}/{len(self.units)}")
            least[name] = self.table.cheapest(unit, offered[name])
        few = self.options(interval, every, closing, least)
        known = cost(few) if all(few.values()) else None  # of a tight problem the cheapest options may be none
        if known is None:
            return self.options(interval, every, closing)
        least = {n: min(c, *self.table.costs(few[n])) for n, c in least.items()}
        room = known * (1 + _SHARE) - sum(least.values())
        most = {n: c + room for n, c in least.items()}
        found = self.options(interval, every, closing, most)
        costs = {n: self.table.costs(options) for n, options in found.items()}
        return {n: [o for o, c in zip(options, costs[n], strict=True) if c <= most[n]] for n, options in found.items()}

    def late(self, interval: float, every: bool, chosen: Mapping[str, Option]) -> set[str]:
        """Units of which the chosen option is one that `options` would leave out for the clock."""
        found: set[str] = set()
        if not self.table.clock:
            return found
        offered = self._offered(interval, every)
        for name, option in chosen.items():
            own = every or min(interval, self.caps.get(name, interval)) <= OWN * option.cycles
            made = self.table.alike(self.units[name], offered[name], option.cycles, own)
            made = alternating(self.units[name], made) if name in self.caps else made
            alike = [o for o in made if name not in self._tied or o.layouts == option.layouts]
            if not any(o.choice == option.choice for o in self.table.closing(self.units[name], alike, name in self._tied)):
                found.add(name)
        return found

    @cached_property
    def _tied(self) -> set[str]:
        """Units of which a neighbour must have equal lanes."""
        return {n for e in self.edges if e.tied for n, _ in e.ends}

    def _within(self, interval: float, every: bool, most: Costs | None = None) -> Options:
        """Of units with caps of their own as of a graph of those with the same cap."""
        groups = self._by_cap(interval)
        found = {n: options for c, units in groups.items() for n, options in self.table.within(units, c, every, most).items()}
        return {n: alternating(u, found[n]) if n in self.caps else found[n] for n, u in self.units.items()}

    def _offered(self, interval: float, every: bool) -> dict[str, list[int]]:
        """Numbers of the foldings whose options `_within` gives."""
        return {n: o for c, units in self._by_cap(interval).items() for n, o in self.table.offered(units, c, every).items()}

    def _by_cap(self, interval: float) -> dict[float, dict[str, Unit]]:
        """Units by the cycles that they may take."""
        groups: dict[float, dict[str, Unit]] = {}
        for name, unit in self.units.items():
            groups.setdefault(min(interval, self.caps.get(name, interval)), {})[name] = unit
        return groups

    def _with_forks(self, option: Option, copies: Copies, layout: Layout) -> Option:
        lanes, run, taps = self._outside(copies.shape, copies.dtype, layout) if copies.outside else layout
        fork = Fork(copies.shape, copies.dtype, lanes, run=run, taps=taps)
        return _plus(option, copies.count * vector(fork.resources(self.family)))

    def joints(self) -> list[Edge]:
        """Edges between two different units."""
        return [e for e in self.edges if e.ends[0][0] != e.ends[1][0] and e.ends[0][0]]

    def tables(self, options: Options, edge: Edge) -> tuple[list[Layout], list[Layout], Table]:
        """Layouts of both ends of an edge and the converter areas between them: (layouts, layouts, measures)."""
        (a, i), (b, j) = edge.ends
        left, right = sorted({o.layouts[i] for o in options[a]}), sorted({o.layouts[j] for o in options[b]})
        return left, right, np.array([[self.converter(edge, p, q) for q in right] for p in left])

    def fastest(self) -> int:
        """The interval when every unit is as parallel as it can be, and every port as wide."""
        return max((*(self.table.fastest(u) for u in self.units.values()), *self.beats.values()), default=1)

    def candidates(self) -> list[int]:
        """All intervals at which the choice may change, rising, from the fastest on."""
        fastest = self.fastest()
        return sorted({fastest, *(f.cycles for u in self.units.values() for f in self.table.foldings(u) if f.cycles >= fastest)})


def _plus(option: Option, area: Vector) -> Option:
    return Option(option.choice, option.cycles, option.layouts, option.area + area)


def _port_beats(graph: Graph, port_bits: int) -> dict[str, int]:
    """Fewest beats of a frame at each of a design's ports."""
    found = {}
    for name in (*graph.inputs, *graph.outputs):
        h, w, c = graph.tensors[name].shape
        found[name] = Stream((h, w, c), graph.tensors[name].codes, h * w * c).outside(port_bits).beats
    return found
