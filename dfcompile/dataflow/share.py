"""Block RAMs shared by two memories of a design, each behind one of the two read ports.

Units step at their own times, so a memory needs a port of its own; a block RAM has two. A unit names the memory that its
SystemVerilog module reads from outside (`Unit.ported`), and any two of them may share: two that leave their blocks partly empty,
one that fits beside another and was in LUTs, two that were in LUTs because a block each was too dear. A matching of greatest
weight (Edmonds; networkx) over what each pair saves is the best choice of pairs. Its time grows with the cube of the memories:
where very many pairs would save something, those that save most are taken first instead, at least half of the best saving.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement, product
from math import ceil

import networkx
import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.device.area import bram, mux, rom, sum_of
from dfcompile.device.boards import Board
from dfcompile.device.cost import rates, vector
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.units.base import Memory

_MOST_PAIRS = 5000  # among which the best matching is looked for


@dataclass(frozen=True, eq=False)
class SharedMemory:
    """Two memories in one: the first from address 0 up, the second in the last addresses.

    units: names of the two units
    """

    units: tuple[str, str]
    first: Memory
    second: Memory

    @property
    def width(self) -> int:
        return max(self.first.width, self.second.width)

    @property
    def depth(self) -> int:
        """A power of two, so that the second memory is reached without an adder."""
        return 1 << (self.first.depth + self.second.depth - 1).bit_length()

    @property
    def words(self) -> np.ndarray:
        """The contents, as in `Memory`; places that neither uses hold 0."""
        found = np.zeros((self.depth, ceil(self.width / 8)), dtype=np.uint8)
        found[: self.first.depth, : self.first.words.shape[1]] = self.first.words
        base = self.depth - (1 << (self.second.depth - 1).bit_length())
        down = self.depth - 1 - np.arange(self.second.depth)
        places = base + np.arange(self.second.depth) if base >= self.first.depth else down
        found[places, : self.second.words.shape[1]] = self.second.words
        return found

    def resources(self, family: str) -> Resources:
        """Area of the two together."""
        size, banks = bram(self.depth, self.width, family, two_ports=True)
        chosen = mux(self.first.width, banks, family) + mux(self.second.width, banks, family)
        return chosen * (banks > 1) + Resources(bram36=size)


def ported_memory(design: Design, unit: str) -> Memory | None:
    """The memory that a unit's module reads from outside."""
    op = design.unit(unit)
    return next((m for m in op.stored if m.name == op.ported), None)


def shared_memories(design: Design) -> list[SharedMemory]:
    """The pairs of a design."""
    found = []
    for units in design.shared:
        first, second = (ported_memory(design, u) for u in units)
        if first is None or second is None:
            raise ValueError(f"{' and '.join(units)} share a memory that one of them does not read from outside")
        found.append(SharedMemory(units, first, second))
    return found


def share_memories(design: Design, family: str, board: Board | None = None) -> Design:
    """The design with the pairs that save the most on a device family, in LUT equivalents.

    Pairs may take more blocks than their memories did, where those were in LUTs; with a board only when they are there.
    """
    if not FAMILIES[family].shared:
        return design
    memories = {n.name: ported_memory(design, n.name) for n in design.nodes}
    places = {u: m for u, m in memories.items() if m and m.style != "uram" and m.depth > 1}
    found = replace(design, shared=_best(places, family, board, more=True))
    if board is None or _block_rams(found, family) <= board.usable["bram36"]:
        return found
    return replace(design, shared=_best(places, family, board, more=False))


def _best(places: dict[str, Memory], family: str, board: Board | None, more: bool) -> tuple[tuple[str, str], ...]:
    """Pairs of units; `more`: a pair may take more blocks than its memories did."""
    price = rates(family, board)
    order = {u: i for i, u in enumerate(places)}
    alike: dict[tuple[int, int, str], list[str]] = {}
    for u, m in places.items():
        alike.setdefault((m.depth, m.width, m.style), []).append(u)
    worth: list[tuple[int, list[str], list[str]]] = []  # what a pair of one memory of each list saves
    for ours, theirs in combinations_with_replacement(alike.values(), 2):
        a, b = (ours[0], theirs[0]) if ours is not theirs else (ours[0], ours[-1])
        saved = saved_by(SharedMemory((a, b), places[a], places[b]), family)
        value = round(1000 * float(price @ vector(saved)))
        if a != b and value > 0 and (more or saved.bram36 >= 0):
            worth.append((value, ours, theirs))
    several = sum(len(ours) * len(theirs) for _, ours, theirs in worth) > _MOST_PAIRS
    chosen = _greedy(worth) if several else _matching(worth)
    units = list(places)
    return tuple((units[i], units[j]) for i, j in sorted(sorted(order[u] for u in pair) for pair in chosen))


def _matching(worth: list[tuple[int, list[str], list[str]]]) -> set[frozenset[str]]:
    """The pairs that save the most in all."""
    graph = networkx.Graph()
    for value, ours, theirs in worth:
        pairs = combinations(ours, 2) if ours is theirs else product(ours, theirs)
        graph.add_weighted_edges_from((a, b, value) for a, b in pairs)
    return {frozenset(p) for p in networkx.max_weight_matching(graph)}


def _greedy(worth: list[tuple[int, list[str], list[str]]]) -> set[frozenset[str]]:
    """The pairs that save the most each, one after the other."""
    free = {id(units): list(units) for _, *both in worth for units in both}
    found = set()
    for _, ours, theirs in sorted(worth, key=lambda w: -w[0]):
        a, b = free[id(ours)], free[id(theirs)]
        while a and b and (a is not b or len(a) > 1):
            found.add(frozenset((a.pop(0), b.pop(0))))
    return found


def _block_rams(design: Design, family: str) -> float:
    fifos = (f.resources(family) for f in design.fifos().values())
    return sum_of((*unit_resources(design, family).values(), *fifos)).bram36


def saved_by(pair: SharedMemory, family: str) -> Resources:
    """Area of the two memories of a pair by themselves, less that of the pair."""
    apart = (rom(m.depth, m.width, m.style, family) for m in (pair.first, pair.second))
    return sum_of((*apart, pair.resources(family) * -1))


def unit_resources(design: Design, family: str) -> dict[str, Resources]:
    """Estimated area of each unit; a shared memory counts in the first of its two units."""
    found = {n.name: design.unit(n.name).resources(family) for n in design.nodes}
    for pair in shared_memories(design):
        for unit, memory in zip(pair.units, (pair.first, pair.second), strict=True):
            found[unit] += rom(memory.depth, memory.width, memory.style, family) * -1
        found[pair.units[0]] += pair.resources(family)
    return found
