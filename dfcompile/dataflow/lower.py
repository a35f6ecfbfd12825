"""Integer operators --> hardware units, unfolded, one stream per tensor.

The result is a graph of units whose tensors may still have several readers and streams of different widths at
their two ends: `connect` puts forks and width converters in, once the folding is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dfcompile.dataflow.levels import by_levels
from dfcompile.dataflow.rising import risen
from dfcompile.dataflow.sum_tables import Sum, Tables, sum_tables
from dfcompile.dataflow.vectors import flat_nodes, is_direct, weight_type
from dfcompile.device.family import DEFAULT
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import (
    ArgMaxCode,
    IntAdd,
    IntBelowMax,
    IntConcat,
    IntConv,
    IntMatMul,
    IntMul,
    IntNormalize,
    IntPad,
    IntPool,
    IntSlice,
    IntStandardize,
    IntUnfold,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
    Window,
)
from dfcompile.ir.requantization import Requantization, requantize
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.encode_layout import LARGEST_PERMUTATION
from dfcompile.streamline.layout import Shape3
from dfcompile.streamline.value import describe
from dfcompile.units.add import Add
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Unit
from dfcompile.units.below_max import BelowMax
from dfcompile.units.concat import Concat
from dfcompile.units.fifo import Fifo
from dfcompile.units.lookup import Lookup
from dfcompile.units.matmul import Matmul
from dfcompile.units.multiply import Multiply
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.normalize import Normalize
from dfcompile.units.parts.thresholding import SCALED_BITS
from dfcompile.units.pool import Pool
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.split import Split
from dfcompile.units.standardize import Standardize
from dfcompile.units.table_add import TableAdd
from dfcompile.units.threshold import Threshold
from dfcompile.units.upsample import Upsample
from dfcompile.units.vvtu import Vvtu


@dataclass(frozen=True, eq=False)
class Thresholds:
    """What a threshold node says, to be fused or to stand alone."""

    dtype: IntType
    values: Array
    flip: Array | None
    node: Node
    scaling: Requantization | None


def lower(graph: Graph, progress: Callable[[str], None] = lambda text: None, pace: int = 0) -> tuple[Graph, dict[str, str]]:
    """The unit graph of an integer graph whose tensors all have types.

    progress: called at each node with how many are done
    pace:     cycles that a frame has: what is smaller and needs no more may stand in for what could be faster
    Also returns, for outputs that are another stream's view, integer tensor -> stream.
    """
    return _Lowering(graph, pace).run(progress)


class _Lowering:
    def __init__(self, graph: Graph, pace: int) -> None:
        self.graph = graph
        self.pace = pace
        self.readers = graph.consumers()
        self.flat = flat_nodes(graph, self.readers)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.alias: dict[str, str] = {}
        self.done: set[str] = set()
        self.tables: dict[Hashable, Tables | None] = {}  # of sums; many of a network are alike
        for name in graph.inputs:
            self.tensors[name] = graph.tensors[name]

    def run(self, progress: Callable[[str], None]) -> tuple[Graph, dict[str, str]]:
        problems: list[Problem] = []
        missing: set[str] = set()  # streams behind what has no unit
        for at, node in enumerate(self.graph.nodes):
            progress(f"lower {at}/{len(self.graph.nodes)}")
            if node.name in self.done:
                continue
            if missing.intersection(node.inputs):
                missing.update(node.outputs)
                continue
            try:
                handler = getattr(self, f"_{node.op.kind}", None)
                if handler is None:
                    raise ValueError("the lowering has no method of this name")
                handler(node, node.op)
            except ValueError as e:
                what, help_ = f"no unit does this '{node.op.kind}'", "change the layer so that it fits, or try --mode loopback"
                problems.append(Problem("unsupported-shape", what, describe(node), str(e), help_))
                missing.update(node.outputs)
        if problems:
            raise CompileError(problems)
        outputs = tuple(self._driven(self._stream(t)) for t in self.graph.outputs)
        renamed = {t: o for t, o in zip(self.graph.outputs, outputs, strict=True) if t != o}
        return Graph(self.graph.name, tuple(self.nodes), self.tensors, self.graph.fixed, self.graph.inputs, outputs), renamed

    def _driven(self, name: str) -> str:
        """An output that is an input goes through a buffer, so that every output has a unit that drives it."""
        if name not in self.graph.inputs:
            return name
        h, w, c = self.graph.tensors[name].shape
        self.add(f"buffer_{name}", Fifo((h, w, c), self._type(name), 1, 2), (name,), (f"{name}_out",), ())
        return f"{name}_out"

    def _stream(self, name: str) -> str:
        while name in self.alias:
            name = self.alias[name]
        return name

    def _type(self, name: str) -> IntType:
        return self.tensors[self._stream(name)].codes

    def _shape(self, name: str) -> Shape3:
        h, w, c = self.graph.tensors[name].shape
        return h, w, c

    def _frame(self, node: Node) -> Shape3:
        """The first input's frame as an elementwise unit takes it: one vector where nothing behind it needs pixels."""
        h, w, c = self._shape(node.inputs[0])
        return (1, 1, h * w * c) if node.name in self.flat else (h, w, c)

    def add(self, name: str, unit: Unit, inputs: tuple[str, ...], outputs: tuple[str, ...], source: tuple[str, ...]) -> None:
        """Append a unit; its output streams take the unit's types."""
        self.nodes.append(Node(name, unit, tuple(self._stream(t) for t in inputs), outputs, source))
        for t, s in zip(outputs, unit.outputs, strict=True):
            self.tensors[t] = Tensor(s.shape, s.dtype)

    def _one(self, node: Node, unit: Unit) -> None:
        """The operator is one unit, with the node's streams."""
        self.add(node.name, unit, node.inputs[: len(unit.inputs)], node.outputs, node.source)

    def _view(self, node: Node, op: View) -> None:
        self.alias[node.outputs[0]] = node.inputs[0]

    def _int_pad(self, node: Node, op: IntPad) -> None:
        self._one(node, _window(self._shape(node.inputs[0]), op.window, self._type(node.inputs[0]), op.pad_code))

    def _int_unfold(self, node: Node, op: IntUnfold) -> None:
        self._one(node, _window(self._shape(node.inputs[0]), op.window, self._type(node.inputs[0]), 0))

    def _int_add(self, node: Node, op: IntAdd) -> None:
        types = self._type(node.inputs[0]), self._type(node.inputs[1])
        add, fused = Add(self._frame(node), types, op.factors, op.offset), self._fused(node.outputs[0], self._shape(node.inputs[0])[2])
        if fused and (found := self._by_tables(node, add, fused)):
            self._with_thresholds(node, found, node.inputs, fused)
            return
        self._one(node, add)

    def _by_tables(self, node: Node, add: Add, behind: Thresholds) -> TableAdd | None:
        """The sum and the thresholds behind it as one unit, where it is smaller than the two."""
        falls = np.zeros(1, bool) if behind.flip is None else behind.flip
        if len(behind.values) > 1 or behind.dtype.bipolar or np.any(falls != falls[0]):
            return None
        sources = [self.graph.tensors[t] for t in node.inputs]
        a, b = ((int(np.min(t.range[0])), int(np.max(t.range[1]))) for t in sources)
        wanted = Sum(add.in_dtypes, (a, b), add.factors, add.offset, behind.values[0], bool(falls[0]))
        if wanted.key not in self.tables:
            self.tables[wanted.key] = sum_tables(wanted)
        found = self.tables[wanted.key]
        if found is None:
            return None
        unit = TableAdd(add.shape, add.in_dtypes, behind.dtype, *found)
        threshold = Threshold(add.sums, behind.dtype, behind.values, behind.flip, add.shape, scaling=behind.scaling)
        apart = min(threshold.folded(**s).resources(DEFAULT).lut for s in threshold.styles(DEFAULT)) + add.resources(DEFAULT).lut
        return unit if unit.resources(DEFAULT).lut < apart else None

    def _int_mul(self, node: Node, op: IntMul) -> None:
        types = self._type(node.inputs[0]), self._type(node.inputs[1])
        self._one(node, Multiply(self._frame(node), types))

    def _int_matmul(self, node: Node, op: IntMatMul) -> None:
        (a, b), out = node.inputs, node.outputs[0]
        fused = self._fused(out, op.shape[1])
        acc = self.graph.tensors[out].codes
        values, flip, scaling = (fused.values, fused.flip, fused.scaling) if fused else (None, None, None)
        unit = Matmul(
            self._shape(a), self._shape(b), op.shape, op.heads, op.runs, op.transposed, self._type(a), self._type(b),
            fused.dtype if fused else acc, acc, values, flip, scaling=scaling,
        )  # fmt: skip
        self._with_thresholds(node, unit, (a, b), fused)

    def _below_max(self, node: Node, op: IntBelowMax) -> None:
        dtype = self._type(node.inputs[0])
        self._one(node, BelowMax(self._shape(node.inputs[0]), dtype, min(op.limit, dtype.hi - dtype.lo)))

    def _normalize(self, node: Node, op: IntNormalize) -> None:
        x, out = node.inputs[0], self.graph.tensors[node.outputs[0]].codes
        self._one(node, Normalize(self._shape(x), self._type(x), op.factor, op.divisor, op.most, op.zero, op.rounding, out))

    def _standardize(self, node: Node, op: IntStandardize) -> None:
        x, out = node.inputs[0], self.graph.tensors[node.outputs[0]].codes
        self._one(node, Standardize(self._shape(x), self._type(x), op.centred, op.bits, op.drop, op.epsilon, op.shift, out))

    def _int_upsample(self, node: Node, op: IntUpsample) -> None:
        self._one(node, Upsample(self._shape(node.inputs[0]), op.factors, self._type(node.inputs[0])))

    def _arg_max(self, node: Node, op: ArgMaxCode) -> None:
        self._one(node, Argmax(self._shape(node.inputs[0]), self._type(node.inputs[0]), select_last=op.select_last))

    def _lookup(self, node: Node, op: LookupCode) -> None:
        out, table = self.graph.tensors[node.outputs[0]].codes, self.graph.constants[node.inputs[1]]
        self._one(node, Lookup(self._type(node.inputs[0]), out, table, op.base, self._frame(node)))

    def _fused(self, tensor: str, channels: int) -> Thresholds | None:
        """The thresholds behind a tensor, when nothing else reads it."""
        readers = self.readers.get(tensor, [])
        if tensor in self.graph.outputs or len(readers) != 1 or not isinstance(readers[0].op, ThresholdCode):
            return None
        return self._thresholds(readers[0], channels)

    def _thresholds(self, node: Node, channels: int) -> Thresholds:
        values, flip = (self.graph.constants[t] for t in node.inputs[1:])
        dtype = self.graph.tensors[node.outputs[0]].codes
        falls = np.broadcast_to(flip, (channels,)).copy() if flip.any() else None
        scaling = None
        if dtype.bits >= SCALED_BITS:
            source = self.graph.tensors[node.inputs[0]]
            scaling = requantize(values, falls, *(np.broadcast_to(np.asarray(b), (channels,)) for b in (source.lo, source.hi)))
        return Thresholds(dtype, values, falls, node, scaling)

    def _threshold(self, node: Node, op: ThresholdCode) -> None:
        shape, channels = self._frame(node), self._shape(node.inputs[0])[2]
        t = self._thresholds(node, channels)
        values, flip = t.values, t.flip
        if flip is not None and len(values) == 1 and shape[2] > channels:  # one row says nothing of how many channels the flips are of
            values = np.repeat(values, channels, axis=0)
        self._one(node, Threshold(self._type(node.inputs[0]), t.dtype, values, flip, shape, scaling=t.scaling))

    def _int_conv(self, node: Node, op: IntConv) -> None:
        weights = self.graph.constants[node.inputs[1]]
        oc, kh, kw, cg = weights.shape
        shape, dtype, out_shape = self._shape(node.inputs[0]), self._type(node.inputs[0]), self._shape(node.outputs[0])
        acc = self.graph.tensors[node.outputs[0]].codes
        fused = self._fused(node.outputs[0], oc)
        depthwise = op.groups == shape[2] and oc == shape[2]
        source = self._stream(node.inputs[0])
        run = self.tensors[source].shape[2]  # lanes start again where the stream's own do, if that is within a vector
        if not is_direct(op.window, shape, out_shape, op.groups, depthwise):
            window = _window(shape, op.window, dtype, op.pad_code, groups=1 if depthwise else op.groups, outer=depthwise)
            source, dtype = f"{node.name}_window:0", window.outputs[0].dtype
            self.add(f"{node.name}_window", window, node.inputs[:1], (source,), node.source)
            run = cg
        out = fused.dtype if fused else acc
        values, flip, scaling = (fused.values, fused.flip, fused.scaling) if fused else (None, None, None)
        if values is not None and flip is not None:
            ends = (np.broadcast_to(np.asarray(b), (oc,)) for b in self.graph.tensors[node.outputs[0]].range)
            if made := risen(weights, values, flip, out, *ends):
                weights, acc, values, flip, scaling = made.weights, made.acc, made.values, None, made.scaling
        kind = weight_type(weights)
        unit: Unit
        if depthwise:
            unit = Vvtu(weights.reshape(oc, kh * kw), dtype, kind, out, acc, values, flip, out_shape, scaling=scaling)
        else:
            matrix = weights.reshape(op.groups, oc // op.groups, kh * kw * cg)
            positions = out_shape[0] * out_shape[1]
            in_shape = (out_shape[0], out_shape[1], op.groups * kh * kw * cg)
            unit = Mvtu(
                positions, matrix, dtype, kind, out, acc, values, flip, in_shape, out_shape, run=cg if cg % run else run, scaling=scaling
            )  # fmt: skip
            *ahead, unit = by_levels(unit, self.pace // positions) or (unit,)
            for part, one in zip(("levels", "products"), ahead, strict=False):
                self.add(f"{node.name}_{part}", one, (source,), (f"{node.name}_{part}:0",), node.source)
                source = f"{node.name}_{part}:0"
        self._with_thresholds(node, unit, (source,), fused)

    def _with_thresholds(self, node: Node, unit: Unit, inputs: tuple[str, ...], fused: Thresholds | None) -> None:
        """The unit of an operator and of the thresholds behind it."""
        last = fused.node if fused else node
        sources = (*node.source, *(s for s in last.source if s not in node.source))
        self.add(node.name, unit, inputs, last.outputs, sources)
        self.done.add(last.name)

    def _int_pool(self, node: Node, op: IntPool) -> None:
        shape, dtype, out_shape = self._shape(node.inputs[0]), self._type(node.inputs[0]), self._shape(node.outputs[0])
        k = op.window.kernel[0] * op.window.kernel[1]
        source = self._stream(node.inputs[0])
        whole = op.window == Window(shape[:2])
        if not whole:
            fill = {"max": dtype.lo, "min": dtype.hi, "sum": op.pad_code}[op.mode]
            window = _window(shape, op.window, dtype, fill, outer=True)
            source, dtype = f"{node.name}_window:0", window.outputs[0].dtype
            self.add(f"{node.name}_window", window, node.inputs, (source,), node.source)
        out = IntType.holding(dtype.lo * k, dtype.hi * k) if op.mode == "sum" else dtype
        unit = Pool(op.mode, out_shape, k, dtype, out, channels_outer=not whole)
        self.add(node.name, unit, (source,), node.outputs, node.source)

    def _int_concat(self, node: Node, op: IntConcat) -> None:
        kinds = [self._type(t) for t in node.inputs]
        common = _common(kinds)
        left, shape = node.inputs[0], self._shape(node.inputs[0])
        kind = kinds[0]
        for i, right in enumerate(node.inputs[1:], 1):
            last = i == len(node.inputs) - 1
            out = node.outputs[0] if last else f"{node.name}_{i}:0"
            unit = Concat((shape, self._shape(right)), common, in_dtypes=(kind, kinds[i]))
            self.add(node.name if last else f"{node.name}_{i}", unit, (left, right), (out,), node.source)
            left, shape, kind = out, unit.outputs[0].shape, common

    def _int_slice(self, node: Node, op: IntSlice) -> None:
        """Slices that share a stream and cover its channels are one split; any other selects by a matrix of ones."""
        shape, dtype = self._shape(node.inputs[0]), self._type(node.inputs[0])
        parts = sorted(((r.op, r) for r in self.readers[node.inputs[0]] if isinstance(r.op, IntSlice)), key=lambda p: p[0].start)
        edges = [(part.start, part.stop) for part, _ in parts]
        tiles = edges[0][0] == 0 and edges[-1][1] == shape[2] and all(a[1] == b[0] for a, b in pairwise(edges))
        if tiles and len(parts) > 1 and len(parts) == len(self.readers[node.inputs[0]]) and node.inputs[0] not in self.graph.outputs:
            self._split(parts, shape, dtype)
            return
        count = op.stop - op.start
        if shape[2] * count > LARGEST_PERMUTATION:
            raise CompileError(
                Problem(
                    "bad-layout", "a slice of many channels has no unit here", describe(node),
                    f"{count} of {shape[2]} channels would be taken by a matrix; it may have up to {LARGEST_PERMUTATION} elements",
                    "split the tensor into parts that cover it, each read once, or slice it before it is flattened",
                )
            )  # fmt: skip
        weights = np.eye(count, shape[2], op.start, dtype=np.int8)[None]
        out_shape = (shape[0], shape[1], count)
        acc = IntType.holding(min(dtype.lo, 0), max(dtype.hi, 0))
        unit = Mvtu(shape[0] * shape[1], weights, dtype, IntType(1), acc, acc, None, None, shape, out_shape)
        self.add(node.name, unit, node.inputs, node.outputs, node.source)

    def _split(self, parts: list[tuple[IntSlice, Node]], shape: Shape3, dtype: IntType) -> None:
        rest = parts[0][1].inputs[0]
        for i, (op, part) in enumerate(parts[:-1]):
            size = op.stop - op.start
            remaining = shape[2] - size
            out = parts[-1][1].outputs[0] if i == len(parts) - 2 else f"{part.name}_rest:0"
            self.add(part.name, Split(shape, (size, remaining), dtype), (rest,), (part.outputs[0], out), part.source)
            rest, shape = out, (shape[0], shape[1], remaining)
        self.done.update(part.name for _, part in parts)


def _window(shape: Shape3, window: Window, dtype: IntType, pad: int, groups: int = 1, outer: bool = False) -> SlidingWindow:
    out = dtype
    if window.has_pads and not _holds(dtype, pad):
        lo, hi = min(dtype.lo, pad), max(dtype.hi, pad)
        out = IntType.holding(lo, hi)
    return SlidingWindow(
        shape,
        window.kernel,
        window.stride,
        window.pads,
        window.dilation,
        dtype,
        pad_value=pad if window.has_pads else max(out.lo, min(out.hi, 0 if not out.bipolar else -1)),
        out_dtype=out,
        channels_outer=outer,
        groups=groups,
        stuff=window.stuff,
    )


def _holds(dtype: IntType, value: int) -> bool:
    return abs(value) == 1 if dtype.bipolar else dtype.lo <= value <= dtype.hi


def _common(kinds: list[IntType]) -> IntType:
    if all(k == BIPOLAR for k in kinds):
        return BIPOLAR
    return IntType.holding(min(k.lo for k in kinds), max(k.hi for k in kinds))
