"""step_function --> threshold | lookup: step functions found by evaluating them over the proven range of their input.

The walk goes forward once: the range of a tensor is proven from the constant weights and the ranges before it, and
the range behind a step function is what the function really reaches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import IntAdd, IntConv, IntOp, LookupCode, ThresholdCode
from dfcompile.ir.modelop import Quantize
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.decline import Decline, in_silence
from dfcompile.streamline.grid import WIDEST_FACTOR, Grid, common_scale
from dfcompile.streamline.joint import join
from dfcompile.streamline.monotone import Table, evaluate, finished, monotone_table, table_of, type_of, values_of
from dfcompile.streamline.pieces import monotone_pieces, pieces, selected_pieces
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.streamline.value import describe

LARGEST_TABLE = 4096
LARGEST_SEARCH = 2**25
MOST_LEVELS = 256  # of a monotone function whose codes are wide: thresholds number them, a table has the codes
LARGEST_THRESHOLDS = 2**24  # of all channels of a step function
NARROW_CODE = 4  # bits of results up to which thresholds are cheaper than a table behind thresholds
WIDEST = 2**62
"""Of sums: int64 holds them, and what is a little beyond."""
WIDEST_CODE = 16


def extract_thresholds(graph: Graph, decline: Decline = in_silence) -> Graph:
    """Types and ranges for every tensor, and thresholds or tables for every step function."""
    walk = _Extraction(graph, decline)
    for node in graph.nodes:
        walk.visit(node)
    if walk.problems:
        raise CompileError(walk.problems)
    return graph.replace(nodes=tuple(walk.nodes), tensors=walk.tensors, constants=walk.constants).without_dead()


class _Extraction:
    def __init__(self, graph: Graph, decline: Decline) -> None:
        self.decline = decline
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.constants: dict[str, Array] = dict(graph.constants)
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self.ranges: dict[str, tuple[Array, Array]] = {}
        self.made = dict(graph.producers())
        self.renamed: dict[str, str] = {}
        self.outputs = set(graph.outputs)
        for name in graph.inputs:
            t = graph.tensors[name]
            lo, hi = t.range
            self.ranges[name] = (np.broadcast_to(lo, (t.channels,)), np.broadcast_to(hi, (t.channels,)))

    def visit(self, node: Node) -> None:
        node = replace(node, inputs=tuple(self.renamed.get(t, t) for t in node.inputs))
        if any(t not in self.ranges and t not in self.constants for t in node.inputs):
            if isinstance(node.op, StepFunction):
                self._assume(node, node.op)
            return
        if isinstance(node.op, StepFunction):
            if not node.op.addends:
                self._step(node, node.op)
            elif not self._joined(node, node.op):
                self._summed(node, node.op)
            return
        if not isinstance(node.op, IntOp):
            raise TypeError(f"{node.name}: '{node.op.kind}' is neither an integer operator nor a step function")
        self._integer(node, node.op)

    def _integer(self, node: Node, op: IntOp) -> bool:
        """An integer operator, its result's range proven; False where that is too wide."""
        operands = tuple(self.ranges[t] for t in node.inputs if t in self.ranges)
        lo, hi = op.bounds(operands, tuple(self.constants[t] for t in node.inputs[len(operands) :]))
        if max(-int(lo.min()), int(hi.max())) >= WIDEST:
            self.problems.append(
                Problem(
                    "too-wide",
                    f"the sums of '{node.op.kind}' need more than {WIDEST.bit_length()} bits",
                    describe(node),
                    f"their proven range is [{float(lo.min()):.4g}, {float(hi.max()):.4g}]",
                    "use scales with a simple ratio, or fewer bits",
                )
            )
            return False
        self.nodes.append(node)
        self.made[node.outputs[0]] = node
        keeps = op.keeps_bipolar and all(self.tensors[t].dtype == BIPOLAR for t in node.inputs)
        own = op.dtype if isinstance(op, ThresholdCode) else None
        self._declare(node.outputs[0], lo, hi, BIPOLAR if keeps else own)
        return True

    def _joined(self, node: Node, function: StepFunction) -> bool:
        """A step function of two streams as thresholds on a sum with the smallest factors that change no code."""
        if len(function.addends) > 1:
            self.decline(node, "small factors are looked for between two operands only")
            return False
        found = join(function, self.ranges[node.inputs[0]], self.ranges[node.inputs[1]])
        if found is None:
            self.decline(node, "no small factors add its two operands up without changing a code")
            return False
        total = self._add_up(node, found.factors)
        if total is None:
            return True
        table = finished(found.dtype, found.thresholds, found.falling, found.lowest)
        lo, hi = self.ranges[total.outputs[0]]
        rows = len(table.thresholds)
        low, high = (lo, hi) if rows > 1 else (np.array([lo.min()]), np.array([hi.max()]))
        self._threshold(replace(node, inputs=total.outputs), table, low, high)
        return True

    def _add_up(self, node: Node, factors: tuple[int, int]) -> Node | None:
        """The sum of a node's two operands; None where it is too wide."""
        name = f"{node.name}_sum"
        op = IntAdd(factors)
        total = Node(name, op, node.inputs, (f"{name}:0",), node.source)
        self.tensors[total.outputs[0]] = Tensor(self.tensors[node.inputs[0]].shape)
        return total if self._integer(total, op) else None

    def _summed(self, node: Node, function: StepFunction) -> None:
        """A step function of two streams as one of their sum, in units of the common measure of the two scales."""
        first, second = function.base, function.addends[0]
        _, (n1, n2) = common_scale((first.pick(0)[0], second.pick(0)[0]))
        if max(abs(n1), abs(n2)) > WIDEST_FACTOR:
            self.problems.append(
                Problem(
                    "unequal-scales",
                    "the scales of two added tensors have no common measure",
                    describe(node),
                    f"{first} and {second}: as integers, one operand would be multiplied by {max(abs(n1), abs(n2)):.3g}, "
                    "and there are too many pairs of codes to look for smaller factors",
                    "quantize one of the operands to fewer bits, or both with one shared quantizer",
                )
            )
            return
        total = self._add_up(node, (n1, n2))
        if total is not None:
            base = Grid(np.asarray(first.scale / n1, object), np.asarray(first.offset + second.offset, object))
            self._step(replace(node, inputs=total.outputs), StepFunction(base, function.chain, function.grid))

    def _declare(self, name: str, lo: Array, hi: Array, dtype: IntType | None = None) -> None:
        lo, hi = lo.astype(np.int64), hi.astype(np.int64)
        kind = dtype or IntType.holding(int(lo.min()), int(hi.max()))
        self.tensors[name] = Tensor(self.tensors[name].shape, kind, lo, hi)
        self.ranges[name] = (lo, hi)

    def _step(self, node: Node, function: StepFunction) -> None:
        lo, hi = self.ranges[node.inputs[0]]
        channels = len(lo) if function.per_channel() else 1
        low = lo if channels > 1 else np.array([lo.min()])
        high = hi if channels > 1 else np.array([hi.max()])
        size = int((high - low).max()) + 1
        direction = function.direction()
        linear = node.inputs[0] in self.made and isinstance(self.made[node.inputs[0]].op, IntConv)
        if self._is_identity(node, function, low, high):
            return
        reach = type_of(evaluate(function, np.stack([low, high])))
        many = channels << reach.bits > LARGEST_THRESHOLDS or reach.bits > WIDEST_CODE
        if direction is not None and many and size > LARGEST_TABLE:
            self._levels(node, function, low, high, reach)
            return
        if direction is not None and reach.bits <= WIDEST_CODE:
            table = monotone_table(function, np.broadcast_to(direction, (channels,)), low, high)
            if linear or size > table.thresholds.shape[1] or table.dtype.bits == 1:
                self._threshold(node, table, low, high)
                return
        elif size > LARGEST_TABLE and (found := selected_pieces(function, low, high, MOST_LEVELS)):
            self._numbered(node, low, high, *found)
            return
        elif size * channels > LARGEST_SEARCH:
            self._refuse(node, function, int(low.min()), int(high.max()))
            return
        if size > LARGEST_TABLE:
            self._segments(node, function, low, high)
        else:
            self._from_values(node, function, low, high, linear)

    def _is_identity(self, node: Node, function: StepFunction, lo: Array, hi: Array) -> bool:
        """Whether the function gives every code back; then its readers read its input."""
        small = int((hi - lo).max()) < LARGEST_TABLE and node.outputs[0] not in self.outputs
        if not small or not np.array_equal(evaluate(function, np.stack([lo, hi])), np.stack([lo, hi])):
            return False
        codes = np.minimum(lo + np.arange(int((hi - lo).max()) + 1)[:, None], hi)
        if not np.array_equal(evaluate(function, codes), codes):
            return False
        self.renamed[node.outputs[0]] = node.inputs[0]
        return True

    def _assume(self, node: Node, function: StepFunction) -> None:
        """Behind a refusal: what a quantizer gives is known whatever it reads, so that what follows can be looked at too."""
        quantizers = [s.op for s in function.chain if isinstance(s, Step) and isinstance(s.op, Quantize)]
        if quantizers:
            c, (lo, hi) = self.tensors[node.outputs[0]].channels, (quantizers[-1].lo, quantizers[-1].hi)
            self._declare(node.outputs[0], np.full(c, lo), np.full(c, hi), IntType.holding(lo, hi))

    def _refuse(self, node: Node, function: StepFunction, lo: int, hi: int) -> None:
        self.problems.append(
            Problem(
                "not-monotone",
                f"{function} has no exact form here",
                describe(node),
                f"it is not monotone and its input range [{lo}, {hi}] is too wide to search "
                f"(limit {LARGEST_SEARCH} values over all channels)",
                "quantize its input to fewer bits, or use a monotone activation such as ReLU or HardTanh",
            )
        )
        self._assume(node, function)

    def _refuse_width(self, node: Node, function: StepFunction, reach: IntType, channels: int) -> None:
        each = f" for each of {channels} channels" if channels > 1 else ""
        self.problems.append(
            Problem(
                "too-wide",
                f"{function} would need {2**reach.bits - 1} thresholds{each}",
                describe(node),
                f"its results are codes of type {reach}, too many levels to compare with "
                f"(limit {WIDEST_CODE} bits, and {LARGEST_THRESHOLDS} thresholds over all channels)",
                "put a quantizer of fewer bits behind it",
            )
        )
        self._assume(node, function)

    def _threshold(self, node: Node, table: Table, lo: Array, hi: Array, name: str = "") -> None:
        d = table.dtype
        op = ThresholdCode(d.bits, d.lo, 2 if d.bipolar else 1)
        self._append(node, op, {"thresholds": table.thresholds, "flip": table.flip}, name)
        c = self.tensors[node.inputs[0]].channels
        low, high = (np.broadcast_to(end, (c,)) for end in op.bounds(((lo, hi),), (table.thresholds, table.flip)))
        self._declare(name or node.outputs[0], low, high, d)

    def _append(self, node: Node, op: Any, constants: dict[str, Array], name: str = "", source: str = "") -> None:
        names = []
        for key, value in constants.items():
            names.append(f"{name or node.name}.{key}")
            self.constants[names[-1]] = value
            self.tensors[names[-1]] = Tensor(value.shape)
        out = name or node.outputs[0]
        self.tensors.setdefault(out, Tensor(self.tensors[node.outputs[0]].shape))
        made = Node(name or node.name, op, (source or node.inputs[0], *names), (out,), node.source)
        self.nodes.append(made)
        self.made[out] = made

    def _from_values(self, node: Node, function: StepFunction, lo: Array, hi: Array, linear: bool) -> None:
        """A function of few codes: thresholds if monotone, else a table.

        A table has an entry for each code of its input's type. Where the type is wide, as of channels that are each almost constant
        but far apart, thresholds or the table of the pieces do it.
        """
        values = values_of(function, lo, hi)
        rises, falls = np.all(np.diff(values) >= 0, axis=1), np.all(np.diff(values) <= 0, axis=1)
        wide = 1 << IntType.holding(int(lo.min()), int(hi.max())).bits > LARGEST_TABLE
        bits = type_of(values).bits
        many = len(values) << bits > LARGEST_THRESHOLDS or bits > WIDEST_CODE
        if not many and np.all(rises | falls) and (linear or values.shape[1] > 2**bits or (wide and bits <= NARROW_CODE)):
            self._threshold(node, table_of(values, rises, lo), lo, lo + values.shape[1] - 1)
        elif wide or (linear and many):
            self._segments(node, function, lo, hi)
        else:
            self._lookup(node, values, lo, node.inputs[0])

    def _lookup(self, node: Node, values: Array, lo: Array, source: str) -> None:
        base = int(lo.min())
        size = int(lo.max()) - base + values.shape[1]
        table = np.empty((len(values), size), np.int64)
        for row, value, start in zip(table, values, lo, strict=True):
            first = int(start) - base
            row[:first] = value[0]
            row[first : first + len(value)] = value
            row[first + len(value) :] = value[-1]
        self._append(node, LookupCode(base), {"table": table}, source=source)
        c = self.tensors[node.outputs[0]].channels
        low, high = np.broadcast_to(values.min(axis=1), (c,)), np.broadcast_to(values.max(axis=1), (c,))
        self._declare(node.outputs[0], low, high, type_of(values))

    def _levels(self, node: Node, function: StepFunction, lo: Array, hi: Array, reach: IntType) -> None:
        """Monotone and of wide codes: few levels that lie on no coarse grid, or too many."""
        found = monotone_pieces(function, lo, hi, MOST_LEVELS)
        if found is None:
            self._refuse_width(node, function, reach, len(lo))
            return
        self._numbered(node, lo, hi, *found)

    def _segments(self, node: Node, function: StepFunction, lo: Array, hi: Array) -> None:
        """Wide and not monotone: thresholds number the pieces of constant value, a table gives the values."""
        found = pieces(function, lo, hi, LARGEST_TABLE)
        if found is None:
            self._refuse(node, function, int(lo.min()), int(hi.max()))
            return
        self._numbered(node, lo, hi, *found)

    def _numbered(self, node: Node, lo: Array, hi: Array, jumps: list[Array], values: list[Array]) -> None:
        dtype = IntType.holding(0, max(map(len, jumps)))
        thresholds = np.repeat(hi[:, None] + 1, 2**dtype.bits - 1, axis=1)
        table = np.empty((len(values), 2**dtype.bits), np.int64)
        for c, (at, taken) in enumerate(zip(jumps, values, strict=True)):
            thresholds[c, : len(at)] = at
            table[c] = taken[-1]
            table[c, : len(taken)] = taken
        index = f"{node.name}_segment"
        self._threshold(node, Table(dtype, thresholds, np.zeros(len(values), bool)), lo, hi, index)
        self._lookup(node, table, np.zeros(len(values), np.int64), index)
