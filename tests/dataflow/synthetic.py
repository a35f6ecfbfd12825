"""Units that are nothing but a schedule, and random designs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dfcompile.dataflow.design import Design
from dfcompile.device.resources import Resources
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.schedule import After, Give, Process, Schedule

UINT1 = IntType(1)


@dataclass(frozen=True, eq=False)
class Fake(Unit):
    """A unit with a given schedule; ins and outs are beats per frame of its ports."""

    kind = "fake"
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    when: Schedule

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream((1, n, 1), UINT1, 1) for n in self.ins)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return tuple(Stream((1, n, 1), UINT1, 1) for n in self.outs)

    def schedule(self) -> Schedule:
        return self.when

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        raise NotImplementedError

    def parameters(self) -> dict[str, int]:
        return {}

    def resources(self, family: str) -> Resources:
        return Resources()


def steps(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def design(nodes: list[tuple[str, Fake, str, str]], inputs: str, outputs: str, depths: Mapping[str, int] | None = None) -> Design:
    """nodes: (name, unit, input tensors, output tensors), tensors as words in a string."""
    made = tuple(Node(name, unit, tuple(i.split()), tuple(o.split())) for name, unit, i, o in nodes)
    tensors: dict[str, Tensor] = {}
    for n in made:
        assert isinstance(n.op, Unit)
        for t, s in [*zip(n.inputs, n.op.inputs, strict=True), *zip(n.outputs, n.op.outputs, strict=True)]:
            tensors[t] = Tensor(s.shape, s.dtype)
    found = Design(Graph("test", made, tensors, {}, tuple(inputs.split()), tuple(outputs.split())), depths or {})
    found.check()
    return found


def simple(beats_in: int, beats_out: int, cycles: int, latency: int = 1, slots: int = 2, ports_in: int = 1, ports_out: int = 1) -> Fake:
    """Takes at the start of a frame's steps, gives at their end."""
    take = steps(*range(beats_in))
    give = Give(steps(*range(cycles - beats_out, cycles)), latency, slots)
    process = Process(cycles, dict.fromkeys(range(ports_in), take), dict.fromkeys(range(ports_out), give))
    return Fake((beats_in,) * ports_in, (beats_out,) * ports_out, (process,))


@st.composite
def rising(draw: Any, count: int, below: int) -> Any:
    chosen = draw(st.lists(st.integers(0, below - 1), min_size=count, max_size=count, unique=True))
    return np.array(sorted(chosen), dtype=np.int64)


@st.composite
def gives(draw: Any, beats: int, cycles: int) -> Give:
    when = draw(rising(beats, cycles))
    return Give(when, draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(0, 1)))


@st.composite
def units(draw: Any, ins: tuple[int, ...], outs: tuple[int, ...]) -> Fake:
    """A random unit: one process, or a writer and a reader that follow each other through a buffer."""
    cycles = draw(st.integers(max(ins + outs), max(ins + outs) + 5))
    takes = {i: draw(rising(n, cycles)) for i, n in enumerate(ins)}
    if draw(st.booleans()):
        given = {o: draw(gives(n, cycles)) for o, n in enumerate(outs)}
        return Fake(ins, outs, (Process(cycles, takes, given),))
    other = draw(st.integers(max(outs), max(outs) + 5))
    given = {o: draw(gives(n, other)) for o, n in enumerate(outs)}
    need = np.sort(np.array(draw(st.lists(st.integers(-2, cycles), min_size=other, max_size=other))))
    spare = draw(st.integers(0, cycles))  # the writer may be this many steps ahead of the reader's needs
    back = np.array(
        [
            np.searchsorted(need, s + 1 - cycles + spare, "left") - other
            if s < cycles - spare
            else np.searchsorted(need, s + 1 - (cycles - spare), "left")
            for s in range(cycles)
        ],
        dtype=np.int64,
    )
    back = np.minimum.accumulate(back[::-1])[::-1] - draw(st.integers(0, 2))
    reader = Process(other, {}, given, (After(0, need, draw(st.integers(0, 2))),))
    writer = Process(cycles, takes, {}, (After(1, back, draw(st.integers(1, 2))),))
    return Fake(ins, outs, (writer, reader))


@st.composite
def designs(draw: Any, max_units: int = 5, max_depth: int = 4) -> Design:
    """A random acyclic design with one source, reconvergent as it comes; all ends are sinks."""
    beats = draw(st.integers(1, 5))
    free: list[tuple[str, int]] = [("in", beats)]
    nodes: list[tuple[str, Fake, str, str]] = []
    depths: dict[str, int] = {}
    for i in range(draw(st.integers(1, max_units))):
        taken = [free.pop(draw(st.integers(0, len(free) - 1))) for _ in range(draw(st.integers(1, min(2, len(free)))))]
        outs = tuple(draw(st.integers(1, 5)) for _ in range(draw(st.integers(1, 2))))
        names = [f"t{i}_{j}" for j in range(len(outs))]
        nodes.append((f"u{i}", draw(units(tuple(n for _, n in taken), outs)), " ".join(t for t, _ in taken), " ".join(names)))
        free += zip(names, outs, strict=True)
        depths.update((t, draw(st.integers(0, max_depth))) for t, _ in taken)
    depths.update((t, draw(st.sampled_from([0, 0, 1, 2, 3]))) for t, _ in free)
    return design(nodes, "in", " ".join(t for t, _ in free), depths)
