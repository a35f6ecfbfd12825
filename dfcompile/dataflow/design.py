"""A folded dataflow design: units joined by streams, ready to be timed, simulated and emitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.units.base import Stream, Unit, unit_of
from dfcompile.units.fifo import Fifo


@dataclass(frozen=True, eq=False)
class Design:
    """Units and the FIFOs between them.

    graph: every node's op is a Unit; every tensor has one producer (a unit or the outside) and one consumer
    fifo_depths: tensor name -> slots of the FIFO on that stream; absent or 0 means a plain connection
    hls_depths: tensor name -> slots of the C++'s stream; none where nobody sized them
    shared: pairs of units whose weights share block RAMs
    """

    graph: Graph
    fifo_depths: Mapping[str, int] = field(default_factory=dict)
    shared: tuple[tuple[str, str], ...] = ()
    hls_depths: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Units in topological order; ``node.op`` is the Unit."""
        return self.graph.nodes

    def unit(self, name: str) -> Unit:
        return unit_of(self.graph.node(name))

    def streams(self) -> dict[str, Stream]:
        """Tensor name -> stream type, as its producer gives it (for graph inputs as the consumer takes it)."""
        found: dict[str, Stream] = {}
        for n in self.graph.nodes:
            unit = unit_of(n)
            for t, s in zip(n.inputs, unit.inputs, strict=True):
                found.setdefault(t, s)
            found.update(zip(n.outputs, unit.outputs, strict=True))
        return found

    @cached_property
    def hls_slots(self) -> Mapping[str, int]:
        """Tensor name -> beats that may lie between what its unit's C++ has issued and what it has handed over."""
        found = dict.fromkeys(self.graph.inputs, 1)
        for n in self.graph.nodes:
            for process in unit_of(n).hls_schedule():
                found.update((n.outputs[k], give.slots) for k, give in process.gives.items())
        return found

    def frames(self, codes: Mapping[str, Array]) -> list[Array]:
        """What comes at each input, (n, h, w, c): the codes, and of an input that is alike in all frames its constant for each of them."""
        count = len(next(iter(codes.values())))
        fixed = {t: np.broadcast_to(x, (count, *x.shape)) for t, x in self.graph.fixed.items()}
        return [np.asarray({**fixed, **codes}[t]) for t in self.graph.inputs]

    def fifos(self) -> dict[str, Fifo]:
        """Tensor name -> the FIFO on that stream, as a unit."""
        streams = self.streams()
        found = {}
        for tensor, depth in self.fifo_depths.items():
            if depth:
                s = streams[tensor]
                found[tensor] = Fifo(s.shape, s.dtype, s.lanes, depth, run=s.run, taps=s.taps)
        return found

    def check(self) -> None:
        """ValueError when streams are joined whose types differ, or a stream has not exactly one reader."""
        readers: dict[str, int] = {}
        made = self.streams()
        for n in self.graph.nodes:
            for t, s in zip(n.inputs, unit_of(n).inputs, strict=True):
                readers[t] = readers.get(t, 0) + 1
                given = made[t]
                if (given.elements, given.dtype, given.layout) != (s.elements, s.dtype, s.layout):
                    raise ValueError(f"{t}: {n.name} takes {s}, is given {given}")
        for t in self.graph.outputs:
            readers[t] = readers.get(t, 0) + 1
        wrong = [t for t in made if readers.get(t, 0) != 1]
        if wrong:
            raise ValueError(f"streams without exactly one reader: {', '.join(wrong)}")
