"""Operators on whole rows as others that the engine has layers for: before --> after, integer graph to integer graph, the same codes.

    normalize(E) --> the sum of t = 1..most of: u is on the side of the numbers whose share of sum(E) reaches t

E is a function of u that rises or falls, u being the input of the table that makes E, or E itself. Of the numbers that u may be, N_t have
a share of sum(E) that does not reach t, which is a step function of the sum; these are the lowest, or where E falls the highest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import IntAdd, IntBelowMax, IntConv, IntNormalize, IntOp, LookupCode, ThresholdCode, Window
from dfcompile.ir.types import IntType
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import NEVER

MOST_NUMBERS = 1 << 15
"""Numbers that a share may be of."""


@lru_cache(maxsize=4)
def expanded(graph: Graph) -> Graph:
    """The graph without the operators on rows that others stand for. What cannot be expanded stays."""
    if not any(isinstance(n.op, IntNormalize) for n in graph.nodes):
        return graph
    made = _Rewriting(graph)
    for node in graph.nodes:
        if not (isinstance(node.op, IntNormalize) and made.normalize(node, node.op)):
            made.nodes.append(node)
    return graph.replace(nodes=tuple(made.nodes), tensors=made.tensors, constants=made.constants)


class _Rewriting:
    """A graph that is written anew, node after node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.tensors, self.constants = dict(graph.tensors), dict(graph.constants)
        self.makers = graph.producers()

    def node(self, op: IntOp, like: Node, name: str, *inputs: str, out: str = "", **constants: Array) -> str:
        """A node that stands for part of another one; its output, `out` or of the node's name."""
        out = out or name
        for key, value in constants.items():
            self.constants[f"{name}.{key}"], self.tensors[f"{name}.{key}"] = value, Tensor(value.shape)
        made = (*inputs, *(f"{name}.{key}" for key in constants))
        if out not in self.tensors:
            (shape,) = (t.shape for t in op.infer(*(self.tensors[t] for t in made)))
            ends = [(np.broadcast_to(e, (self.tensors[t].channels,)) for e in self.tensors[t].range) for t in inputs]
            lo, hi = (e.astype(np.int64) for e in op.bounds(tuple((a, b) for a, b in ends), tuple(constants.values())))
            self.tensors[out] = Tensor(shape, IntType.holding(int(lo.min()), int(hi.max())), lo, hi)
        self.nodes.append(Node(name, op, made, (out,), like.source))
        return out

    def normalize(self, node: Node, op: IntNormalize) -> bool:
        """Whether a share was written as counts."""
        x = node.inputs[0]
        found = self._numbers(x)
        if found is None:
            return False
        source, first, values = found
        falls = bool(values[0] > values[-1])
        last = first + len(values) - 1
        counts = self._counts(node, op, x, np.sort(values), self._least(source, x, values))
        steps, total = np.array([[first if not falls else -last]]), ""
        channels = self.tensors[x].channels
        for t in range(1, op.most + 1):
            pick = np.zeros((channels, 1, 1, op.most), np.int64)
            pick[..., t - 1] = 1
            below = self.node(IntConv(Window(), 1), node, f"{node.name}.below{t}", counts, w=pick)
            above = self.node(IntAdd((-1 if falls else 1, -1)), node, f"{node.name}.above{t}", source, below)
            reached = self.node(ThresholdCode(1, 0), node, f"{node.name}.reached{t}", above, t=steps, f=np.zeros(1, bool))
            if total:
                is_last = t == op.most
                offset, out = (op.zero, node.outputs[0]) if is_last else (0, "")
                total = self.node(IntAdd((1, 1), offset), node, f"{node.name}.sum{t}", total, reached, out=out)
            else:
                total = reached
        if op.most == 1:
            self.node(LookupCode(0), node, f"{node.name}.sum1", total, out=node.outputs[0], t=np.array([[0, 1]]) + op.zero)
        return True

    def _numbers(self, x: str) -> tuple[str, int, Ints] | None:
        """(tensor, its lowest code, what x is for each of its codes): rising or falling; None where there are too many or neither."""
        maker = self.makers.get(x)
        if maker is not None and isinstance(maker.op, LookupCode):
            source, table = maker.inputs[0], self.constants[maker.inputs[1]].astype(np.int64)
            lo, hi = (int(f(e)) for f, e in zip((np.min, np.max), self.tensors[source].range, strict=True))
            values = table[0, lo - maker.op.base : hi + 1 - maker.op.base]
            steps = np.diff(values)
            if len(table) == 1 and len(values) <= MOST_NUMBERS and (np.all(steps >= 0) or np.all(steps <= 0)):
                return source, lo, values
        lo, hi = (int(f(e)) for f, e in zip((np.min, np.max), self.tensors[x].range, strict=True))
        return (x, lo, np.arange(lo, hi + 1)) if hi - lo < MOST_NUMBERS else None

    def _least(self, source: str, x: str, values: Ints) -> int:
        """No row's sum is smaller: where the numbers are distances from the row's largest one, one of them is 0."""
        maker = self.makers.get(source)
        least = int(np.broadcast_to(np.asarray(self.tensors[x].lo), (self.tensors[x].channels,)).sum())
        return max(least, int(values[0])) if maker is not None and isinstance(maker.op, IntBelowMax) else least

    def _counts(self, node: Node, op: IntNormalize, x: str, values: Ints, least: int) -> str:
        """For t = 1..most (channels) how many of the values, which rise, do not reach t of the row's sum, `least` or more."""
        channels = self.tensors[x].channels
        always = sum(largest_sum(op, 1, v) < least for v in values.tolist())
        ends = [[min(largest_sum(op, t, v) + 1, NEVER) for v in values[always:].tolist()] for t in range(1, op.most + 1)]
        steps = np.array(ends, np.int64).reshape(op.most, -1)
        bits = max(1, int(steps.shape[1]).bit_length())
        steps = np.pad(steps, ((0, 0), (0, 2**bits - 1 - steps.shape[1])), constant_values=NEVER)
        ones = np.ones((op.most, 1, 1, channels), np.int64)
        sums = self.node(IntConv(Window(), 1), node, f"{node.name}.sums", x, w=ones)
        return self.node(ThresholdCode(bits, always), node, f"{node.name}.counts", sums, t=steps, f=np.zeros(1, bool))


def largest_sum(op: IntNormalize, t: int, code: int) -> int:
    """The largest sum of a row of which a code's share reaches t, 0 or more: a row of nothing but 0 has the largest shares."""
    twice = 2 * t - {"down": 0, "up": 2}.get(op.rounding, 1)
    tie = op.rounding in ("down", "half_up") or (op.rounding == "half_even" and (t + op.zero) % 2 == 0)
    above, below = 2 * op.factor * code, twice * op.divisor
    if below == 0:
        return NEVER if above > 0 else 0
    return max(0, (above if tie else above - 1) // below)
