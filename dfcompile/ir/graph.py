"""The one graph type of the compiler, from import to emission.

A stage is known by the operators that may appear (`Graph.verify`): model operators on real numbers in the
ONNX layout, integer operators on channels-last streams, hardware units. A pass is ``Graph -> Graph``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.types import IntType

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Tensor:
    """What is known of a tensor.

    shape: model stage: as in ONNX, batch axis included and equal to 1; later stages: (height, width, channels)
    dtype: integer type of the codes, None for real numbers; model stage: that of a graph input of integers
    lo, hi: proven range of the codes, scalars or one per channel (last axis); None for real numbers
    """

    shape: tuple[int, ...]
    dtype: IntType | None = None
    lo: Array | None = None
    hi: Array | None = None

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def codes(self) -> IntType:
        """The type of its codes; TypeError where it has none."""
        if self.dtype is None:
            raise TypeError(f"a tensor {self} has no codes")
        return self.dtype

    @property
    def range(self) -> tuple[Array, Array]:
        """lo and hi; TypeError where they are not known."""
        if self.lo is None or self.hi is None:
            raise TypeError(f"a tensor {self} has no proven range")
        return self.lo, self.hi

    def __str__(self) -> str:
        text = "x".join(map(str, self.shape)) or "scalar"
        if self.dtype is None:
            return f"real[{text}]"
        if self.lo is None or self.hi is None:
            return f"{self.dtype}[{text}]"
        return f"{self.dtype}[{text}] in {int(np.min(self.lo))}..{int(np.max(self.hi))}"


@runtime_checkable
class Op(Protocol):
    """An operator: immutable, with its attributes as typed fields."""

    kind: ClassVar[str]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Types of the outputs; ValueError with a sentence when the inputs do not fit."""
        ...

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs for a batch (axis 0), in exact integers or float64."""
        ...


@runtime_checkable
class Delay(Op, Protocol):
    """An operator that gives in each pixel of a frame what it took in the one before, and in the first one `first_code` in all channels.

    It closes a loop: what it reads may depend on what it gives.

    keep: in the first pixel of a frame it gives the last one of the frame before, and `first_code` in the very first one only
    """

    first_code: int
    keep: bool


@dataclass(frozen=True, eq=False)
class Node:
    """One operator applied: names of its tensors, and the ONNX nodes it came from."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(self.outputs)} = {self.op}({', '.join(self.inputs)})"


def op_of(node: Node, kind: type[T]) -> T:
    """The operator of a node, which is of this class; TypeError with the node's name where it is not."""
    if not isinstance(node.op, kind):
        raise misplaced(node)
    return node.op


def misplaced(node: Node) -> TypeError:
    """What is raised where a node's operator is none of those that the code before it is for."""
    return TypeError(f"{node.name}: nothing here is made for '{node.op.kind}' ({type(node.op).__name__})")


def counted(step: str, nodes: int, progress: Callable[[str], None]) -> Callable[[Node, object], None]:
    """A watch for `Graph.execute` that tells how many of so many nodes are done."""
    done = itertools.count(1)
    return lambda node, results: progress(f"{step} {next(done)}/{nodes}")


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """Nodes in topological order over named tensors; a `Delay` may stand before the node that makes what it reads.

    `constants` are tensors with a value; an input among them takes that in each frame, unless it is fed another. `inputs` and `outputs`
    are tensor names in the model's order.
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    constants: Mapping[str, Array] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {n.name: n for n in self.nodes}

    def node(self, name: str) -> Node:
        return self._by_name[name]

    @cached_property
    def _producers(self) -> dict[str, Node]:
        return {t: n for n in self.nodes for t in n.outputs}

    def producers(self) -> Mapping[str, Node]:
        """The node that makes a tensor; found once, so that passes may ask at each node."""
        return self._producers

    @cached_property
    def _consumers(self) -> dict[str, Sequence[Node]]:
        found: dict[str, list[Node]] = {t: [] for t in self.tensors}
        for n in self.nodes:
            for t in n.inputs:
                found.setdefault(t, []).append(n)
        return dict(found)

    def consumers(self) -> Mapping[str, Sequence[Node]]:
        """For each tensor its readers, one entry for each use (a node that reads it twice is listed twice); found once."""
        return self._consumers

    def topology(self) -> nx.MultiDiGraph[str]:
        """Node names as vertices, tensors as edges (attribute ``tensor``), but for what a `Delay` reads: so there is no cycle."""
        return self._joined([n for n in self.nodes if not isinstance(n.op, Delay)])

    def _joined(self, readers: Iterable[Node]) -> nx.MultiDiGraph[str]:
        made = self.producers()
        g: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        g.add_nodes_from(n.name for n in self.nodes)
        g.add_edges_from((made[t].name, n.name, {"tensor": t}) for n in readers for t in n.inputs if t in made)
        return g

    @cached_property
    def _parts(self) -> Sequence[Sequence[Node]]:
        """The nodes in the order of their execution: each alone, or those of loops that depend on each other together."""
        if not any(isinstance(n.op, Delay) for n in self.nodes):
            return [(n,) for n in self.nodes]
        position = {n.name: i for i, n in enumerate(self.nodes)}
        parts = nx.condensation(self._joined(self.nodes))
        members = {k: sorted(parts.nodes[k]["members"], key=position.__getitem__) for k in parts}
        order = nx.lexicographical_topological_sort(parts, key=lambda k: position[members[k][0]])
        return [tuple(self.node(name) for name in members[k]) for k in order]

    def replace(self, **changes: Any) -> Graph:
        return replace(self, **changes)

    def sorted(self) -> Graph:
        """The same graph with its nodes in topological order (stable); ValueError when it has a cycle."""
        position = {n.name: i for i, n in enumerate(self.nodes)}
        by_name = {n.name: n for n in self.nodes}
        try:
            order = list(nx.lexicographical_topological_sort(self.topology(), key=position.__getitem__))
        except nx.NetworkXUnfeasible as e:
            raise ValueError("the graph has a cycle") from e
        return self.replace(nodes=tuple(by_name[n] for n in order))

    def without_dead(self) -> Graph:
        """Drop nodes, constants and tensors from which no output can be reached."""
        needed = set(self.outputs)
        while True:  # again where a delay needs what is made behind it
            count, kept = len(needed), list[Node]()
            for n in reversed(self.nodes):
                if needed.intersection(n.outputs):
                    kept.append(n)
                    needed.update(n.inputs)
            if len(needed) == count or not any(isinstance(n.op, Delay) for n in kept):
                break
        live = needed | set(self.inputs) | {t for n in kept for t in n.outputs}
        return self.replace(
            nodes=tuple(reversed(kept)),
            tensors={k: v for k, v in self.tensors.items() if k in live},
            constants={k: v for k, v in self.constants.items() if k in live},
        )

    @property
    def fixed(self) -> Mapping[str, Array]:
        """What comes at inputs in each frame alike, (h, w, c): those that are constants too."""
        return {t: self.constants[t] for t in self.inputs if t in self.constants}

    @property
    def fed(self) -> tuple[str, ...]:
        """Inputs that each frame brings something of its own for."""
        return tuple(t for t in self.inputs if t not in self.constants)

    @property
    def streaming(self) -> bool:
        """Whether a frame begins in the states that the one before it left."""
        return any(isinstance(n.op, Delay) and n.op.keep for n in self.nodes)

    def execute(
        self,
        feeds: Mapping[str, Array],
        keep: Iterable[str] | None = None,
        watch: Callable[[Node, tuple[Array, ...]], None] | None = None,
        states: dict[str, Array] | None = None,
    ) -> dict[str, Array]:
        """Run the graph on a batch.

        feeds: one array for each graph input that is not `fixed`, batch axis first
        keep:  names of the tensors to return (default: the outputs)
        watch: called with each node and its results
        states: of a streaming graph, what an earlier batch left (empty: none was), which this one goes on from and changes; None: none
        """
        wanted = tuple(self.outputs if keep is None else keep)
        values: dict[str, Array] = {**self.constants, **{t: x[None] for t, x in self.fixed.items()}, **feeds}
        uses: dict[str, int] = {}
        for n in self.nodes:
            for t in n.inputs:
                uses[t] = uses.get(t, 0) + 1
        for part in self._parts:
            if any(isinstance(n.op, Delay) for n in part):
                values.update(run_loop(self, part, values, states))
            else:
                values.update(zip(part[0].outputs, part[0].op.execute(*(values[t] for t in part[0].inputs)), strict=True))
            for n in part:
                if watch:
                    watch(n, tuple(values[t] for t in n.outputs))
            for t in (t for n in part for t in n.inputs):
                uses[t] -= 1
                if not uses[t] and t not in wanted:
                    values.pop(t, None)
        return {t: values[t] for t in wanted}

    def verify(self, allowed: tuple[type, ...] = ()) -> None:
        """Check the invariants every stage keeps; ValueError names the first that fails.

        allowed: operator classes of the stage; empty means any.
        """
        known = {*self.inputs, *self.constants}
        names: set[str] = set()
        for n in self.nodes:
            if n.name in names:
                raise ValueError(f"two nodes are named {n.name}")
            names.add(n.name)
            if allowed and not isinstance(n.op, allowed):
                raise ValueError(f"{n.name}: operator {n.op.kind} is not allowed in this stage")
            for t in n.inputs:
                if t not in known and not (isinstance(n.op, Delay) and t in self.producers()):
                    raise ValueError(f"{n.name} reads {t} before it is made")
            for t in n.outputs:
                if t in known:
                    raise ValueError(f"{n.name} makes {t} a second time")
                if t not in self.tensors:
                    raise ValueError(f"{n.name}: nothing is known of its output {t}")
                known.add(t)
        for t in self.outputs:
            if t not in known:
                raise ValueError(f"output {t} is never made")

    def __repr__(self) -> str:
        ends = f"{', '.join(self.inputs[:4])} -> {', '.join(self.outputs[:4])}"
        return f"<Graph '{self.name}': {len(self.nodes)} nodes, {len(self.constants)} constants, {ends}>"

    def __str__(self) -> str:
        lines = [f"graph {self.name}("]
        lines += [f"  {t}: {self.tensors[t]}" for t in self.inputs]
        lines.append(")")
        lines += [f"  const {k}: {v.dtype}{list(v.shape)}" for k, v in self.constants.items()]
        for n in self.nodes:
            types = ", ".join(str(self.tensors[t]) for t in n.outputs)
            lines.append(f"  {n}  : {types}" + (f"  # {', '.join(n.source)}" if n.source else ""))
        lines.append(f"  return {', '.join(self.outputs)}")
        return "\n".join(lines)


def run_loop(graph: Graph, nodes: Sequence[Node], values: Mapping[str, Array], states: dict[str, Array] | None = None) -> dict[str, Array]:
    """The outputs of the nodes of a loop, executed step by step; each pixel of a frame is a step.

    values: of what they read from outside, and of constants. A frame is a sequence; where the loop keeps its states all frames are one.
    Operators of a loop look at each pixel alone, so for a step of n sequences they are given frames whose pixels are those of T sequences.
    states: as in `Graph.execute`, by what a delay reads: (1, channels)
    """
    made, tensors = [t for n in nodes for t in n.outputs], graph.tensors
    delays = [n for n in nodes if isinstance(n.op, Delay)]
    pixels = math.prod(tensors[delays[0].outputs[0]].shape[:-1])
    outer = {t: values[t] for n in nodes for t in n.inputs if t not in made and t not in graph.constants}
    frames = next(len(x) for x in outer.values())
    one = any(isinstance(n.op, Delay) and n.op.keep for n in delays)
    sequences, length = (1, frames * pixels) if one else (frames, pixels)
    whole = np.arange(-(-sequences // pixels) * pixels) % sequences
    steps: dict[str, list[Array]] = {t: [] for t in made}
    before = states if one and states is not None else {}

    def last(t: str, k: int) -> Array:
        """A tensor's step before step k, be it made in the loop or outside."""
        return steps[t][k - 1] if t in steps else outer[t].reshape(sequences, length, -1)[:, k - 1]

    def laid(x: Array) -> Array:
        return x[whole].reshape(-1, 1, pixels, x.shape[1])

    for k in range(length):
        now = {t: x.reshape(sequences, length, -1)[:, k] for t, x in outer.items()}
        for n in nodes:
            if isinstance(n.op, Delay):
                (t,), shape = n.inputs, (sequences, tensors[n.outputs[0]].channels)
                first = before.get(t, np.full(shape, n.op.first_code, np.float64))
                results: tuple[Array, ...] = (last(t, k) if k else first,)
            else:
                results = n.op.execute(*(laid(now[t]) if t in now else values[t] for t in n.inputs))
            for t, x in zip(n.outputs, results, strict=True):
                now[t] = x.reshape(len(whole) if not isinstance(n.op, Delay) else sequences, -1)[:sequences]
                steps[t].append(now[t])
    before.update((t, last(t, length)) for n in delays for t in n.inputs)
    return {t: np.stack(x, axis=1).reshape(frames, 1, pixels, -1) for t, x in steps.items()}
