"""Foldings of designs with loops over time: a frame takes as long as its states take to come round, once for each step.

In a loop units wait for each other, so that the interval is about the sum of the cycles of the units round it, and no longer the most
of them. Of each unit in a loop there is a curve of foldings, area against cycles; a price of a cycle picks the point of each curve at
which a cycle less costs more than the price, which spends the cycles of a sum where they bring most. The price is raised until the exact
interval of the joined design, with FIFOs where they help, is the wanted one. Beside it all units of the loops are tried at one pace,
which can be cheaper: a price does not see the converters between units of different lanes. Then units off the slowest way round, which the
sum counts as well, are given back cycles as long as the exact interval stays. Units outside of loops only keep the interval itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from dfcompile.dataflow.connect import apply_folding
from dfcompile.dataflow.design import Design
from dfcompile.device.boards import Board
from dfcompile.device.cost import Vector, rates
from dfcompile.device.family import DEFAULT
from dfcompile.errors import CompileError, Problem
from dfcompile.folding.fold import Folded, cheapest, fastest
from dfcompile.folding.option import OptionTable, alternating
from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.state import Loop, members
from dfcompile.timing.fifo_sizing import best_interval
from dfcompile.units.base import unit_of

Point = tuple[int, float]
"""Cycles of a unit, and the least LUT equivalents of a folding that takes as many or fewer."""
Caps = Mapping[str, int]
"""Most cycles of each unit in a loop."""
_GIVEN_BACK = 12
"""Most trials of giving a unit its cycles back."""


def check_loops(units: Graph, loops: Sequence[Loop]) -> None:
    """CompileError where a folded unit of a loop would wait for the next step before it is done with one."""
    wrong = [n for n in map(units.node, members(units, loops)) if not unit_of(n).alternates]
    if wrong:
        raise CompileError([_ahead(n) for n in wrong])


def _ahead(node: Node) -> Problem:
    return Problem(
        "loop-waits-for-itself",
        "a folding cannot stand in a loop over time",
        f"node {node.name}",
        "beats that end within a time step, or words that are skipped, make it take from the next step before it has given all of one",
        "give it lanes that divide its channels, and no zeros to skip; or leave its folding to dfcompile",
    )


def hull(points: Iterable[Point]) -> list[Point]:
    """The lower convex hull of a curve, from the fewest cycles on: what some price of a cycle picks."""
    found: list[Point] = []
    for cycles, cost in sorted(points):
        if found and cost >= found[-1][1]:
            continue
        while len(found) > 1 and _price(found[-2], found[-1]) <= _price(found[-1], (cycles, cost)):
            found.pop()
        found.append((cycles, cost))
    return found


def _price(fast: Point, slow: Point) -> float:
    """What a cycle less costs between two foldings."""
    return (fast[1] - slow[1]) / (slow[0] - fast[0])


def picked(curve: Sequence[Point], price: float) -> int:
    """Cycles of the cheapest point where each cycle costs so much; of equal ones the fewest."""
    return min(curve, key=lambda p: (p[1] + price * p[0], p[0]))[0]


@dataclass(eq=False)
class LoopFolding:
    """The search for one design.

    units: unfolded; joined: what a folded graph of them is as a design; reserved: what FIFOs take of the board
    """

    units: Graph
    loops: Sequence[Loop]
    joined: Callable[[Graph], Design]
    board: Board | None = None
    reserved: Vector | None = None
    port_bits: int = 0
    mhz: float = 0.0
    progress: Callable[[str], None] = lambda text: None
    _known: dict[tuple[int, ...], tuple[Folded, Fraction] | None] = field(default_factory=dict)

    @cached_property
    def inside(self) -> list[str]:
        return members(self.units, self.loops)

    @cached_property
    def table(self) -> OptionTable:
        return OptionTable(self.board.family if self.board else DEFAULT, self.progress)

    @cached_property
    def curves(self) -> dict[str, list[Point]]:
        """The foldings of each unit in a loop that some price picks."""
        worth = rates(self.board.family if self.board else DEFAULT, self.board)
        found = {}
        for name in self.inside:
            unit = unit_of(self.units.node(name))
            options = alternating(unit, self.table.within({name: unit}, math.inf, every=True)[name])
            found[name] = hull((o.cycles, float(sum(a * w for a, w in zip(o.area, worth, strict=True)))) for o in options)
        return found

    @cached_property
    def prices(self) -> list[float]:
        """At which some unit has another folding, from the least on."""
        slopes = {_price(a, b) for curve in self.curves.values() for a, b in itertools.pairwise(curve)}
        return [0.0, *(s * (1 + 1e-9) for s in sorted(slopes))]  # above rounding: at a slope the faster one is picked

    def folded(self, caps: Caps, wanted: int) -> tuple[Folded, Fraction] | None:
        """The cheapest folding with at most these cycles in the loops and `wanted` elsewhere, and its exact interval; None where the board
        has no room."""
        key = (wanted, *caps.values())
        if key not in self._known:
            made = None
            try:
                found = cheapest(self.units, wanted, DEFAULT, self.board, self.reserved, self.progress, self.port_bits, self.mhz, caps)
                made = found, self.exact(found)
            except CompileError as e:
                if any(p.code != "does-not-fit" for p in e.problems):
                    raise
            self._known[key] = made
        return self._known[key]

    def best(self, wanted: int | None) -> Folded:
        """For an asked interval; else the fastest that a board holds, or without a board what `folding.fold.cheapest` takes."""
        caps: dict[str, float] = dict.fromkeys(self.inside, math.inf)
        if wanted:
            return self.cheapest(wanted)
        if self.board:
            found = fastest(self.units, self.board, self.reserved, self.progress, self.port_bits, mhz=self.mhz, caps=caps)
            return self.without_haste(found)
        return cheapest(self.units, None, progress=self.progress, port_bits=self.port_bits, mhz=self.mhz, caps=caps)

    def exact(self, found: Folded) -> Fraction:
        return best_interval(self.joined(apply_folding(self.units, found.choices)))

    def front(self, points: int) -> Iterator[tuple[Folded, Fraction]]:
        """Cheap designs and their exact intervals from the fastest that the board holds to the slowest, at about `points` intervals."""
        first = self.best(None)
        last, cost = self.exact(first), first.solution.cost
        yield first, last
        slowest = self._all_within(max(unit_of(n).cycles for n in self.units.nodes))
        ratio = (self.exact(slowest) / last) ** (1 / max(points - 1, 1))
        for wanted in sorted({math.ceil(last * ratio**k) for k in range(1, points)}):
            found = self.cheapest(wanted) if wanted > last else first
            interval = self.exact(found)
            if last < interval <= wanted and found.solution.cost < cost:
                last, cost = interval, found.solution.cost
                yield found, interval

    def cheapest(self, wanted: int) -> Folded:
        """A folding that keeps an interval, or where none does the one with the fastest loops. CompileError as `folding.fold.cheapest`."""
        plain = self._all_within(wanted)
        if self.exact(plain) <= wanted:
            return plain
        kept = [k for k in (self._last(self._priced, wanted), self._last(self._paced, wanted)) if k]
        if not kept:
            return self._hurried(plain, wanted)
        caps, found = min(kept, key=lambda k: k[1].value)
        return _bounded(self._given_back(caps, found, wanted), plain)

    def _priced(self, wanted: int) -> list[Caps]:
        """Of each price what it picks: ever fewer cycles."""
        return [{name: min(picked(curve, price), wanted) for name, curve in self.curves.items()} for price in self.prices]

    def _paced(self, wanted: int) -> list[Caps]:
        """All units at one pace, as far as they go: ever fewer cycles. Neighbours of one pace need no converters more often than others."""
        paces = {wanted, *(c for curve in self.curves.values() for c, _ in curve if c < wanted)}
        return [{name: max(pace, curve[0][0]) for name, curve in self.curves.items()} for pace in sorted(paces, reverse=True)]

    def _last(self, choices: Callable[[int], list[Caps]], wanted: int) -> tuple[Caps, Folded] | None:
        """Of ever fewer cycles the most that keep the interval, by bisection; None where the fewest do not."""
        all_caps = choices(wanted)
        low, high = -1, len(all_caps) - 1
        best = self.folded(all_caps[high], wanted)
        if best is None or best[1] > wanted:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            made = self.folded(all_caps[middle], wanted)
            if made and made[1] <= wanted:
                high, best = middle, made
            else:
                low = middle
        return all_caps[high], best[0]

    def _hurried(self, plain: Folded, wanted: int) -> Folded:
        """All units asked for less time until the interval is kept or none is faster: converters of layouts in a loop take cycles too.
        Where it is never kept, the fastest of these and of the fastest that was tried before."""
        tried = [t for t in (self.folded(c(wanted)[-1], wanted) for c in (self._priced, self._paced)) if t]
        asked, least = wanted, max(self.table.fastest(unit_of(n)) for n in self.units.nodes)
        found: Folded | None = plain
        while found:
            tried.append((found, self.exact(found)))
            if tried[-1][1] <= wanted:
                break
            asked = max(least, asked * wanted // math.ceil(tried[-1][1]))
            found = self._asked(asked) if asked < found.interval else None
        kept = [t for t in tried if t[1] <= wanted] or [min(tried, key=lambda t: (t[1], t[0].solution.cost))]
        return _bounded(kept[-1][0], plain)

    def _asked(self, interval: int) -> Folded | None:
        try:
            return self._all_within(interval)
        except CompileError:
            return None

    def _all_within(self, interval: int) -> Folded:
        caps = dict.fromkeys(self.inside, interval)
        return cheapest(self.units, interval, DEFAULT, self.board, self.reserved, self.progress, self.port_bits, self.mhz, caps)

    def without_haste(self, found: Folded) -> Folded:
        """The cheapest folding found that is as fast as a given one, whose units may be faster than its loops let them be."""
        interval = self.exact(found)
        slower = self.cheapest(math.ceil(interval))
        better = self.exact(slower) <= interval and slower.solution.cost < found.solution.cost
        return slower if better else _bounded(found, slower)

    def _given_back(self, caps: Caps, best: Folded, wanted: int) -> Folded:
        """Slower units, those first that save most, as far as the exact interval stays."""
        steps = []
        for name, curve in self.curves.items():
            slower = [p for p in curve if p[0] > caps[name] and p[0] <= wanted]
            now = next(p for p in reversed(curve) if p[0] <= caps[name])
            steps += [(slower[0][1] - now[1], name, slower[0][0])] if slower else []
        for _, name, cycles in sorted(steps)[:_GIVEN_BACK]:
            made = self.folded({**caps, name: cycles}, wanted)
            if made and made[1] <= wanted and made[0].value < best.value:
                caps, best = {**caps, name: cycles}, made[0]
        return best


def _bounded(found: Folded, plain: Folded) -> Folded:
    """A folding with what is proved of it: none that keeps the interval is cheaper than the cheapest of units that wait for nothing."""
    cost, bound = found.solution.cost, min(plain.solution.bound, found.solution.cost)
    proved = replace(found.solution, bound=bound)
    return replace(found, objective="cost", value=cost, bound=bound, every=plain.every, solution=proved, looped=True)
