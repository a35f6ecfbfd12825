"""What a unit may be: every folding with every style of its memories and arithmetic, with cycles and area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfcompile.dataflow.cost import Vector, vector
from dfcompile.units.base import Unit

Choice = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Option:
    """One way to build a unit.

    choice: folding and style fields
    cycles: per frame
    lanes:  of its inputs and outputs, in order of (inputs..., outputs...)
    area:   in the order of cost.MEASURES
    """

    choice: Mapping[str, Any]
    cycles: int
    lanes: tuple[int, ...]
    area: Vector


class OptionTable:
    """Options of units, each area worked out once and only when an interval lets it in."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._folded: dict[int, list[tuple[int, Choice, Unit]]] = {}
        self._areas: dict[tuple[int, int], list[Option]] = {}
        self._kept: list[Unit] = []  # keeps the units alive whose id is a key

    def foldings(self, unit: Unit) -> list[tuple[int, Choice, Unit]]:
        """(cycles, folding, folded unit) of every folding."""
        if id(unit) not in self._folded:
            self._kept.append(unit)
            made = [(c, unit.folded(**c) if c else unit) for c in unit.foldings()]
            self._folded[id(unit)] = [(u.cycles, c, u) for c, u in made]
        return self._folded[id(unit)]

    def fastest(self, unit: Unit) -> int:
        """Fewest cycles of any folding."""
        return min(cycles for cycles, _, _ in self.foldings(unit))

    def options(self, unit: Unit, interval: float) -> list[Option]:
        """Options with at most `interval` cycles."""
        found = []
        for i, (cycles, choice, folded) in enumerate(self.foldings(unit)):
            if cycles <= interval:
                key = (id(unit), i)
                if key not in self._areas:
                    self._areas[key] = list(_styled(cycles, choice, folded, self.family))
                found += self._areas[key]
        return found


def _styled(cycles: int, choice: Choice, folded: Unit, family: str) -> list[Option]:
    ports = tuple(s.lanes for s in (*folded.inputs, *folded.outputs))
    lanes = choice["pe"] * choice["simd"] if hasattr(folded, "weights") else 0
    found = []
    for style in folded.styles(family):
        unit = folded.folded(**style) if style else folded
        found.append(Option({**choice, **style}, cycles, ports, vector(unit.resources(family), lanes)))
    return found
