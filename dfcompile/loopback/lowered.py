"""What lowering makes of an integer graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from dfcompile.errors import Problem
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.pack import Columns
from dfcompile.loopback.storage import Storage


@dataclass(frozen=True)
class Turns:
    """Layers first..end-1 are run `count` times, each time for another pixel of their one row: a loop, whose states are in memory."""

    first: int
    end: int
    count: int


@dataclass
class Lowered:
    """Layers in order, where each tensor lies, the buffers' words per image, and the inputs that the host packs.

    outside: buffers that are always in external memory, zero where nothing is written
    fixed:   bytes of those that no layer writes
    states:  buffers that a loop's turn reads from the turn before; loops: which layers take turns
    kept:    states that go on from frame to frame, by what their delay gives, and the code of all their elements in front of the first
    """

    layers: list[Layer] = field(default_factory=list)
    storage: dict[str, Storage] = field(default_factory=dict)
    buffers: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    packs: dict[str, Columns] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    fixed: dict[str, bytes] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    kept: dict[str, int] = field(default_factory=dict)
    loops: list[Turns] = field(default_factory=list)
