"""A descriptor on its way into a program."""

from __future__ import annotations

from dataclasses import dataclass

from dfcompile.loopback.descriptor import Compute, Descriptor, Opcode, Unit

Interval = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class Step:
    """A descriptor with what it touches: (memory, first, end) in "act", "weight", "tree", "list", "acc" words or "ext" bytes.

    layer: number of the layer that it is of, -1 for none; turn: of the loop that the layer is in, -1 for none
    """

    descriptor: Descriptor
    reads: tuple[Interval, ...] = ()
    writes: tuple[Interval, ...] = ()
    layer: int = -1
    turn: int = -1

    @property
    def unit(self) -> Unit:
        if isinstance(self.descriptor, Compute):
            return Unit.COMPUTE
        return Unit.LOAD if self.descriptor.opcode == Opcode.LOAD else Unit.STORE
