"""What a unit may be: its foldings with every style of its memories and arithmetic, with cycles and area.

All foldings within an interval are options, in a network with up to `ALL` of them. In a larger one a padded layout is an option
only where some unit needs it: where fewer of the same lanes would take that unit more than the interval. Other units may then have it
too, to pass it on or to read it as it comes.

With a clock in MHz, options that are not estimated to reach it (`Unit.paths`, docs/cost.md) are none where another with as many cycles
does, and the same layouts where a neighbour's must be equal: so every interval stays possible.

What depends on each number that a unit stores (`Unit.own_styles`: adders of constant weights) takes a while to work out. It is an option
where the interval is at most `OWN` times the cycles of the folding (beyond, fewer lanes take less), and where all options are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcompile.device.cost import Vector, rates, vector, vectors
from dfcompile.device.delay import slowest
from dfcompile.device.family import DELAYS
from dfcompile.units.base import Layout, Unit

Choice = dict[str, Any]
Costs = Mapping[str, float]
Progress = Callable[[str], None]


def silent(text: str) -> None:
    """Progress that nobody looks at; a process that gets a problem to solve can be given it."""


ALL = 10_000
"""Foldings of a network within an interval up to which each is an option: about three seconds to estimate their areas."""


OWN = 8
"""Most cycles of an interval, for each one of a folding, at which its own styles are options without being asked for."""


@dataclass(frozen=True, eq=False)
class Option:
    """One way to build a unit.

    choice: folding and style fields
    cycles: per frame
    layouts: of its inputs and outputs, in order of (inputs..., outputs...)
    area:   in the order of cost.MEASURES
    """

    choice: Mapping[str, Any]
    cycles: int
    layouts: tuple[Layout, ...]
    area: Vector


@dataclass(frozen=True, eq=False)
class Fold:
    """A folding of a unit.

    cycles: per frame
    until:  fewest cycles with fewer lanes on a padded port; infinite when no port is padded
    padded: (lanes, run) of its padded ports
    """

    choice: Choice
    unit: Unit
    cycles: int
    until: float
    padded: frozenset[tuple[int, int]]


class _Known:
    """What was worked out of units with equal signatures: their foldings, the options of each, and what none of those costs less than."""

    def __init__(self, unit: Unit) -> None:
        self.folds = folds(unit)
        self.options: dict[int, list[Option]] = {}
        self.least: dict[int, float] = {}
        self.closes: dict[Hashable, bool | None] = {}
        self.fastest = min(f.cycles for f in self.folds)


class OptionTable:
    """Options of units, each area worked out once and only when it is asked for; units with equal signatures share them."""

    def __init__(self, family: str, progress: Progress = silent, clock: float = 0.0, prices: Vector | None = None) -> None:
        """prices: LUT equivalents of each of `cost.MEASURES`, by default as without a board"""
        self.family, self.progress, self.clock = family, progress, clock
        self.prices = rates(family) if prices is None else prices
        self._known: dict[Hashable, _Known] = {}
        self._own: dict[tuple[Unit, int], list[Option]] = {}

    def _of(self, unit: Unit) -> _Known:
        known = self._known.get(unit.signature)
        if known is None:
            known = self._known[unit.signature] = _Known(unit)
        return known

    def foldings(self, unit: Unit) -> list[Fold]:
        """Every folding worth a thought."""
        return self._of(unit).folds

    def fastest(self, unit: Unit) -> int:
        """Fewest cycles of any folding."""
        return self._of(unit).fastest

    def within(self, units: Mapping[str, Unit], interval: float, every: bool = False, most: Costs | None = None) -> dict[str, list[Option]]:
        """Options of each unit with at most `interval` cycles.

        every: all of them, however large the network is
        most: unit -> what the options may cost that are wanted of it; some that cost more may be there too
        """
        found: dict[str, list[Option]] = {}
        for at, (name, offered) in enumerate(self.offered(units, interval, every).items()):
            if most is None:
                self.progress(f"fold {at}/{len(units)}")
            unit, found[name] = units[name], []
            known = self._of(unit)
            for i in offered:
                if most is None or self._least(known, i) <= most[name]:
                    found[name] += self._options(known, i)
                if every or interval <= OWN * known.folds[i].cycles:
                    found[name] += self._own_options(unit, i, known.folds[i])
        return found

    def offered(self, units: Mapping[str, Unit], interval: float, every: bool = False) -> dict[str, list[int]]:
        """Numbers of each unit's foldings that are options within an interval; every: as of `within`."""
        every, made = every or self.few(units, interval), {n: self.foldings(u) for n, u in units.items()}
        needed = {n: [f.cycles <= interval < f.until for f in of_unit] for n, of_unit in made.items()}
        padded: set[tuple[int, int]] = set()
        for name, of_unit in made.items():
            padded.update(*(f.padded for f, kept in zip(of_unit, needed[name], strict=True) if kept))
        return {
            name: [
                i
                for i, (f, kept) in enumerate(zip(of_unit, needed[name], strict=True))
                if kept or (f.cycles <= interval and (every or f.padded <= padded))
            ]
            for name, of_unit in made.items()
        }

    def alike(self, unit: Unit, offered: Iterable[int], cycles: int, own: bool) -> list[Option]:
        """All options of those of some foldings that have so many cycles; own: with their own styles."""
        known, found = self._of(unit), []
        for i in offered:
            fold = known.folds[i]
            if fold.cycles == cycles:
                found += [*self._options(known, i), *(self._own_options(unit, i, fold) if own else ())]
        return found

    def cheapest(self, unit: Unit, offered: Iterable[int]) -> float:
        """What the cheapest option of some foldings costs, their own styles aside; what cannot be it is not looked at."""
        known, best = self._of(unit), math.inf
        for least, i in sorted((self._least(known, i), i) for i in offered):
            if least > best:
                break
            best = min(best, *self.costs(self._options(known, i)))
        return best

    def costs(self, options: Sequence[Option]) -> list[float]:
        """Of each, in lookup tables."""
        return (np.array([o.area for o in options]) @ self.prices).tolist() if options else []

    def _least(self, known: _Known, index: int) -> float:
        """What no option of a folding costs less than, its own styles aside."""
        if index not in known.least:
            known.least[index] = known.folds[index].unit.least_cost(self.family, self.prices)
        return known.least[index]

    def closing(self, unit: Unit, options: list[Option], tied: bool) -> list[Option]:
        """Options without those that miss the clock though others with their cycles do not; all without a clock.

        tied: a neighbour must have equal lanes, so that the others' layouts must be the same as well
        """
        if not self.clock or self.family not in DELAYS:
            return options
        known = self._of(unit).closes
        for option in options:
            if (key := _named(option)) not in known:
                known[key] = self._reaches(unit, option)
        kept = [known[_named(o)] for o in options]
        alike = [(o.cycles, o.layouts if tied else ()) for o in options]
        reached = {a for a, k in zip(alike, kept, strict=True) if k}
        return [o for o, a, k in zip(options, alike, kept, strict=True) if k is not False or a not in reached]

    def _reaches(self, unit: Unit, option: Option) -> bool | None:
        """None where no path is known."""
        made = slowest(unit.folded(**option.choice).paths(self.family), DELAYS[self.family])
        return made[0] >= self.clock if made else None

    def few(self, units: Mapping[str, Unit], interval: float) -> bool:
        """Whether `within` leaves out no folding by itself."""
        return sum(f.cycles <= interval for u in units.values() for f in self.foldings(u)) <= ALL

    def _options(self, known: _Known, index: int) -> list[Option]:
        if index not in known.options:
            fold = known.folds[index]
            known.options[index] = _styled(fold, fold.unit, fold.unit.styles(self.family), self.family)
        return known.options[index]

    def _own_options(self, unit: Unit, index: int, fold: Fold) -> list[Option]:
        if (unit, index) not in self._own:
            folded = unit.folded(**fold.choice) if fold.choice else unit
            made = [(s, folded.folded(**s)) for s in folded.own_styles()]
            areas = [vector(u.resources(self.family), u.mac_lanes) for _, u in made]
            styled = zip(made, areas, strict=True)
            self._own[unit, index] = [Option({**fold.choice, **s}, fold.cycles, layouts(u), area) for (s, u), area in styled]
        return self._own[unit, index]


def _named(option: Option) -> Hashable:
    return tuple(option.choice.items())


def folds(unit: Unit) -> list[Fold]:
    """All foldings of a unit; `until` from the next fewer lanes in each field whose port is padded."""
    made = {tuple(c.items()): unit.folded(**c) if c else unit for c in unit.foldings()}
    steps = {f: sorted({dict(c)[f] for c in made}) for f in unit.fold_fields}
    found = []
    for key, folded in made.items():
        choice = dict(key)
        ports = [(s.lanes, s.run) for s in (*folded.inputs, *folded.outputs) if s.run]
        until = math.inf
        for field in unit.fold_fields:
            if any(s.run for s in folded.ports(field)):
                fewer = {**choice, field: steps[field][steps[field].index(choice[field]) - 1]}
                lanes = {f: fewer[f] for f in unit.fold_fields}
                until = min(until, made.get(tuple(fewer.items()), made[tuple(lanes.items())]).cycles)
        found.append(Fold(choice, folded, folded.cycles, until, frozenset(ports)))
    return found


def _styled(fold: Fold, folded: Unit, styles: Iterable[dict[str, str]], family: str) -> list[Option]:
    chosen, ports = list(styles), layouts(folded)
    areas = vectors(folded.areas(chosen, family), folded.mac_lanes)
    return [Option({**fold.choice, **s}, fold.cycles, ports, area) for s, area in zip(chosen, areas, strict=True)]


def alternating(unit: Unit, options: Iterable[Option]) -> list[Option]:
    """Those with which a unit can stand in a loop over time."""
    return [o for o in options if unit.folded(**o.choice).alternates]


def layouts(unit: Unit) -> tuple[Layout, ...]:
    """Of its inputs, then of its outputs."""
    return tuple(s.layout for s in (*unit.inputs, *unit.outputs))
