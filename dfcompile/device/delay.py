"""How long the logic between two registers takes: delays of a device family, and what stands on a path.

A path is a register or a memory, then LUTs, carry chains and multipliers one behind the other, each behind a net, and a net to the last
register where that does not lie in the cell before it. Delays of cells are those of the place and route tool; what a net takes, and what
more it takes for each doubling of its fan-out, is fitted on units that were placed and routed (`benchmarks.clock`, docs/cost.md). Where
no open tool places and routes, cells are those of Yosys' own models or of reports that others published, and what nets take is an
assumption (`benchmarks.levels_clock` holds levels and chains to mapped netlists there).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

SPREAD = 32
"""Multipliers of a unit up to which it was seen that each makes nets longer."""


@dataclass(frozen=True)
class Path:
    """Logic between registers.

    what:     which of a unit's, in words
    levels:   LUTs one behind the other
    carries:  bits of each carry chain on the way
    products: multipliers on the way
    memory:   whether it begins in a block RAM, whose output has no register
    stores:   whether it ends in one, or in a clock enable, and not in a register behind the last cell
    fanout:   inputs that its widest net drives
    slices:   multipliers of the same kind beside it: they stand in few columns, far from what feeds the last of them
    """

    what: str
    levels: int = 0
    carries: tuple[int, ...] = ()
    products: int = 0
    memory: bool = False
    stores: bool = False
    fanout: int = 1
    slices: int = 0


@dataclass(frozen=True)
class Delays:
    """Nanoseconds.

    register:   from the clock to the output of a register, and its setup
    memory:     the same of a block RAM
    lut:        through a LUT
    carry, bit: through a carry chain, and of each of its bits
    product:    through a multiplier, whose nets are longer than others
    net, fan:   of a net with one input, and more for each doubling of its inputs
    spread:     what nets to multipliers take more for each of those, up to SPREAD
    store:      what a path ends before the clock that ends in a block RAM or a clock enable
    placed:     whether nets are fitted on what was placed and routed here
    """

    register: float
    memory: float
    lut: float
    carry: float
    bit: float
    product: float
    net: float
    fan: float
    spread: float = 0.0
    store: float = 0.0
    placed: bool = True

    def of(self, path: Path) -> float:
        """What a path takes."""
        cells = path.levels * self.lut + sum(self.carry + self.bit * bits for bits in path.carries) + path.products * self.product
        last = (not path.levels and not path.carries) or path.stores  # a LUT or a carry has its register beside it
        nets = path.levels + len(path.carries) + path.products + last
        ends = (self.memory if path.memory else self.register) + path.stores * self.store
        cells += min(path.slices, SPREAD) * self.spread
        return ends + cells + nets * self.net + log2(max(1, path.fanout)) * self.fan


def slowest(paths: Iterable[Path], delays: Delays | None) -> tuple[float, Path] | None:
    """The clock in MHz that the slowest of some paths allows, and that path; None without paths, or where no delays are known."""
    found = max(((delays.of(p), p) for p in paths), key=lambda f: f[0], default=None) if delays else None
    return (1e3 / found[0], found[1]) if found else None


def lut_levels(inputs: int, size: int) -> int:
    """LUTs of so many inputs, one behind the other, of a function that is a tree, as a comparison with a constant."""
    return 1 if inputs <= size else 1 + lut_levels(ceil(inputs / size), size)


def rom_levels(depth: int, size: int) -> int:
    """The same for a read-only memory in LUTs, words chosen by fours behind the first; two LUT4 are joined without a net."""
    joined = size + 1 if size == 4 else size
    return 1 + max(0, ceil(((depth - 1).bit_length() - joined) / 2))
