"""What lowering makes of an integer graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from dfcompile.errors import Problem
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.pack import Columns
from dfcompile.loopback.storage import Storage


@dataclass
class Lowered:
    """Layers in order, where each tensor lies, the buffers' words per image, and the inputs that the host packs.

    outside: buffers that are always in external memory, zero where nothing is written
    fixed:   bytes of those that no layer writes
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
