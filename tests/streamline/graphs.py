"""Integer graphs by hand, for tests of one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Op, Tensor
from dfcompile.ir.types import IntType


class Builder:
    """Collects nodes; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.inputs: list[str] = []

    def input(self, shape: tuple[int, int, int], lo: Any, hi: Any, dtype: IntType | None = None) -> str:
        """An input with its proven range, scalars or one for each channel."""
        name = f"x{len(self.inputs)}"
        low, high = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
        self.tensors[name] = Tensor(shape, dtype or IntType.holding(int(low.min()), int(high.max())), low, high)
        self.inputs.append(name)
        return name

    def op(self, op: Op, *inputs: str, **constants: Any) -> str:
        name = f"n{len(self.nodes)}"
        for key, value in constants.items():
            self.constants[f"{name}.{key}"] = np.asarray(value)
            self.tensors[f"{name}.{key}"] = Tensor(np.shape(value))
        node = Node(name, op, (*inputs, *(f"{name}.{k}" for k in constants)), (f"{name}:0",))
        (self.tensors[node.outputs[0]],) = op.infer(*(self.tensors[t] for t in node.inputs))
        self.nodes.append(node)
        return node.outputs[0]

    def graph(self, *outputs: str) -> Graph:
        made = Graph("by_hand", tuple(self.nodes), self.tensors, self.constants, tuple(self.inputs), outputs)
        made.verify()
        return made


def kinds(graph: Graph) -> list[str]:
    """Kinds of the nodes in order."""
    return [n.op.kind for n in graph.nodes]


def random_codes(graph: Graph, frames: int = 3) -> dict[str, Array]:
    """Random codes in the proven range of each input, the first frame lowest, the second highest everywhere."""
    rng, feeds = np.random.default_rng(1), {}
    for name in graph.inputs:
        t = graph.tensors[name]
        assert t.lo is not None and t.hi is not None
        codes = rng.integers(t.lo, np.asarray(t.hi) + 1, (frames, *t.shape)).astype(np.float64)
        codes[0], codes[1] = t.lo, t.hi
        if t.dtype is not None and t.dtype.bipolar:
            codes[codes == 0] = 1
        feeds[name] = codes
    return feeds


def assert_same(before: Graph, after: Graph) -> None:
    """Both give the same codes, output by output."""
    after.verify()
    feeds = random_codes(before)
    wanted, found = before.execute(feeds), after.execute(feeds)
    assert len(before.outputs) == len(after.outputs)
    for a, b in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_array_equal(found[b].reshape(len(found[b]), -1), wanted[a].reshape(len(wanted[a]), -1))
