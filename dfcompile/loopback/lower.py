"""Integer graph --> layers and storage: which operators compute and which are addressing only."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dfcompile.errors import Problem
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import (
    ArgMaxCode,
    IntAdd,
    IntBelowMax,
    IntConcat,
    IntConv,
    IntDelay,
    IntMatMul,
    IntMul,
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
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.cut import cut
from dfcompile.loopback.descriptor import FACTOR_BITS, AccOp
from dfcompile.loopback.expand import expanded
from dfcompile.loopback.largest import below_max
from dfcompile.loopback.layer import Kernel, Layer, Operand, Steps, identity
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.norm import Norm
from dfcompile.loopback.pack import pack_columns
from dfcompile.loopback.phase import period, phase
from dfcompile.loopback.placing import Placing
from dfcompile.loopback.product import Product
from dfcompile.loopback.state import first_state, own_states, place_states, take_turns
from dfcompile.loopback.step_function import bounds_of, line_of, lookup_parts, threshold_parts
from dfcompile.loopback.storage import Ints, Storage, slots_of
from dfcompile.loopback.tile import correction, passes_of
from dfcompile.loopback.width import Scalings, holds, scalings

MOST_OPERANDS = 16
"""Terms of a sum that are added where they are read; more are stored first."""
OPS = {"max": AccOp.MAX, "min": AccOp.MIN, "sum": AccOp.ADD}


def lower(graph: Graph, config: EngineConfig) -> Lowered:
    """Layers of an integer graph; `problems` lists every node that the engine cannot run."""
    scaled = scalings(graph) if config.scale_bits else {}
    graph, packs = pack_columns(own_states(expanded(graph)), config)
    walk = _Lowering(graph, config, scaled)
    walk.result.inputs, walk.result.outputs, walk.result.packs = graph.inputs, graph.outputs, packs
    place_states(walk)
    for name in graph.inputs:
        walk.place_input(name)
    for node in graph.nodes:
        walk.visit(node)
    take_turns(walk.result)
    return walk.result


class _Lowering(Placing):
    def __init__(self, graph: Graph, config: EngineConfig, scaled: Scalings) -> None:
        super().__init__(graph, config)
        self.scaled = scaled
        self.fused: set[str] = set()
        self.terms: dict[
            str, tuple[tuple[Operand, ...], int | Ints]
        ] = {}  # of sums that are made where they are added to others, and the offset

    def refuse(self, node: Node, why: str, help_: str = "build it with --mode dataflow") -> None:
        origin = f" (ONNX: {', '.join(node.source)})" if node.source else ""
        what = f"'{node.op.kind}' does not run on the loopback engine"
        self.result.problems.append(Problem("not-loopback", what, f"node {node.name}{origin}", why, help_))

    def visit(self, node: Node) -> None:
        handler = getattr(self, f"_{node.op.kind}", None)
        if node.name in self.fused:
            return
        if any(t not in self.result.storage and t not in self.graph.constants for t in node.inputs):
            return
        if handler is None:
            self.refuse(node, "there is no layer of this kind")
            return
        try:
            handler(node, node.op)
        except ValueError as e:
            self.refuse(node, str(e))

    def emit(self, node: Node, layer: Layer) -> None:
        """Append a layer, together with the step function that alone reads it."""
        readers = self.readers[layer.dst]
        if len(readers) == 1 and layer.dst not in self.graph.outputs and layer.place == (0, 0, 1, 1):
            layer = self.fuse(layer, readers[0])
        self.add(layer)

    def fuse(self, layer: Layer, reader: Node) -> Layer:
        """The layer with the step function that reads it, where that is one. ValueError where its sums are too wide to compare."""
        t = self.tensor(layer.dst)
        above = correction(layer, self.result.storage, t.channels)
        steps = self.steps(reader, above)
        if steps is None:
            return layer
        lo, hi = (int(edge(bound - above)) for edge, bound in zip((np.min, np.max), t.range, strict=True))
        if not self._sums_hold(lo, hi):
            raise ValueError(f"its sums in [{lo}, {hi}] are wider than {self.config.acc_bits} bits")
        self.fused.add(reader.name)
        return layer.with_steps(steps, reader.outputs[0], reader.name)

    def add(self, layer: Layer) -> None:
        """Append a layer. ValueError where its operands take more passes than the engine walks."""
        layouts = {(s.slots.tobytes(), s.row, s.col) for s in (self.result.storage[o.tensor] for o in layer.operands)}
        if len(layouts) > 1:  # one walk reads all operands
            layer = replace(layer, operands=tuple(replace(o, tensor=self._plain(o.tensor, layer.source)) for o in layer.operands))
        passes_of(layer, self.result.storage, self.config)
        self.place(layer.dst)
        self.result.layers.append(layer)

    def _plain(self, x: str, source: tuple[str, ...]) -> str:
        """The tensor, copied where its pixels are not the whole words of a buffer of its own."""
        h, w, c = self.tensor(x).shape
        s, name = self.result.storage[x], f"{x}.copy"
        if np.array_equal(s.slots, slots_of(c, self.config.simd)) and (s.row, s.col) == (w * s.col, s.words(self.config.simd)):
            return x
        if name not in self.result.storage:
            self.declare(name, self.tensor(x))
            self.add(Layer(name, name, (Operand(x, identity(c)),), Window(), (h, w), source=source))
        return name

    def steps(self, node: Node, above: Ints) -> Steps | None:
        """The requantization or tree of a step function; None when it is none or needs several."""
        parts = self.parts(node, above)
        return parts[0] if len(parts) == 1 else None

    def parts(self, node: Node, above: Ints) -> list[Steps]:
        """A requantization, or trees whose sum is the function; none when it is no step function.

        above: (channels,), what the function's argument is above the array's sum
        """
        op, levels = node.op, self.config.tree_levels
        if isinstance(op, ThresholdCode):
            thresholds, flip = (self.graph.constants[t] for t in node.inputs[1:3])
            scaling = self.scaled.get(node.name)
            if scaling is not None and holds(scaling, *self.tensor(node.inputs[0]).range, above, self.config):
                return [Steps(thresholds, np.asarray(flip, bool), op.lowest, scaling=scaling)]
            return threshold_parts(thresholds.astype(np.int64), np.asarray(flip, bool), op.lowest, op.step, levels)
        if isinstance(op, LookupCode):
            return lookup_parts(self.graph.constants[node.inputs[1]].astype(np.int64), op.base, levels)
        return []

    # One method for each kind of operator; a ValueError says why it cannot run.
    def _int_conv(self, node: Node, op: IntConv) -> None:
        x, out = node.inputs[0], node.outputs[0]
        kernel = Kernel(self.graph.constants[node.inputs[1]].astype(np.int64), op.groups)
        h, w, c = self.tensor(out).shape
        if self._scales(node) and self._is_added(out):
            self.terms[out], self.result.storage[out] = self._multiple(x, c, kernel.weights), self.result.storage[x]
            return
        layer = Layer(node.name, out, (Operand(x, kernel),), op.window, (h, w), pad=op.pad_code, filled=self.filled(x), source=(node.name,))
        if op.window.stuff == (1, 1):
            self.emit(node, layer)
            return
        self._phases(node, op, layer, kernel)

    def _phases(self, node: Node, op: IntConv, layer: Layer, kernel: Kernel) -> None:
        """Zero-stuffed (transposed) convolution: for each phase of the outputs the taps that meet no stuffed zero."""
        readers = self.readers[layer.dst]
        if len(readers) == 1 and layer.dst not in self.graph.outputs:
            layer = self.fuse(layer, readers[0])
        self.place(layer.dst)
        for a, b in np.ndindex(period(op.window)):
            found = phase(kernel, op.window, layer.size, (a, b))
            if found is not None:
                part, window, size = found
                operand = replace(layer.operands[0], kernel=part)
                place, offset = (a, b, *period(op.window)), op.pad_code * (kernel.sums() - part.sums())
                name = f"{layer.name}.{a}{b}"
                self.add(replace(layer, name=name, operands=(operand,), window=window, size=size, place=place, offset=offset))

    def _int_pool(self, node: Node, op: IntPool) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        acc = OPS[op.mode]
        pad = op.pad_code
        if acc != AccOp.ADD:
            self._comparable(x)
            pad = self.bounds(x)[0 if acc == AccOp.MAX else 1]
        layer = Layer(node.name, out, (Operand(x, identity(c, 1, op.window.kernel)),), op.window, (h, w), acc, 0, pad, source=(node.name,))
        self.emit(node, layer)

    def _int_pad(self, node: Node, op: IntPad) -> None:
        self._copy(node, op.window, op.pad_code)

    def _int_unfold(self, node: Node, op: IntUnfold) -> None:
        """A window of which each output channel is one element."""
        c, taps = self.tensor(node.inputs[0]).channels, math.prod(op.window.kernel)
        weights = np.eye(taps * c, dtype=np.int64).reshape(taps * c, *op.window.kernel, c)
        h, w, _ = self.tensor(node.outputs[0]).shape
        operand = Operand(node.inputs[0], Kernel(weights, 1))
        self.emit(node, Layer(node.name, node.outputs[0], (operand,), op.window, (h, w), source=(node.name,)))

    def _copy(self, node: Node, window: Window, pad: int = 0) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        self.emit(node, Layer(node.name, out, (Operand(x, identity(c)),), window, (h, w), pad=pad, source=(node.name,)))

    def _int_add(self, node: Node, op: IntAdd) -> None:
        out = node.outputs[0]
        h, w, c = self.tensor(out).shape
        found = [self._multiple(t, c, f) for t, f in zip(node.inputs, op.factors, strict=True)]
        operands, offset = tuple(o for terms, _ in found for o in terms), op.offset + sum(above for _, above in found)
        lo, hi = self.bounds(out)
        too_wide = not -(1 << 31) <= lo <= hi < 1 << 31  # to be stored
        if too_wide and len(operands) < MOST_OPERANDS and self._is_added(out):
            self.terms[out], self.result.storage[out] = (operands, offset), self.result.storage[operands[0].tensor]
            return
        self.emit(node, Layer(node.name, out, operands, Window(), (h, w), offset=offset, source=(node.name,)))

    def _scales(self, node: Node) -> bool:
        """Whether a node multiplies each channel by a number."""
        ends = {self.tensor(t).channels for t in (node.inputs[0], node.outputs[0])}
        return isinstance(node.op, IntConv) and node.op.window == Window() and ends == {node.op.groups}

    def _is_added(self, t: str) -> bool:
        """Whether a tensor is read by a sum and nothing else, perhaps multiplied first."""
        while True:
            readers = self.readers[t]
            if len(readers) != 1 or t in self.graph.outputs:
                return False
            if not self._scales(readers[0]):
                return isinstance(readers[0].op, IntAdd)
            t = readers[0].outputs[0]

    def _multiple(self, t: str, channels: int, factor: int | Ints) -> tuple[tuple[Operand, ...], int | Ints]:
        """What an addend by its factor, or one for each channel (channels, 1, 1, 1), is made of, and its offset."""
        terms, offset = self.terms.get(t) or ((Operand(t, identity(channels)),), 0)
        scaled = tuple(replace(o, kernel=replace(o.kernel, weights=o.kernel.weights * factor)) for o in terms)
        return scaled, offset * (factor if isinstance(factor, int) else factor.ravel())

    def _int_delay(self, node: Node, op: IntDelay) -> None:
        if not op.keep:  # else it is loaded
            self.add(first_state(self, node, op))

    def _int_matmul(self, node: Node, op: IntMatMul) -> None:
        """A layer for each head, which like phases have one step function behind them."""
        config = self.config
        if config.weight_bits != config.act_bits:
            raise ValueError(
                f"its second operand comes as weights of {config.act_bits} bits, the engine has weight_bits={config.weight_bits}"
            )
        product = Product(self, node, op, self.add)
        layer, readers = product.whole, self.readers[node.outputs[0]]
        if len(readers) == 1 and layer.dst not in self.graph.outputs:
            layer = self.fuse(layer, readers[0])
        self.place(layer.dst)
        for part in product.heads(layer):
            self.add(part)

    def _int_mul(self, node: Node, op: IntMul) -> None:
        h, w, c = self.tensor(node.outputs[0]).shape
        top = 1 << (FACTOR_BITS - 1)
        for t in node.inputs:
            lo, hi = self.bounds(t)
            if lo < -top or hi >= top:
                raise ValueError(f"a factor in [{lo}, {hi}] is wider than {FACTOR_BITS} bits")
        operands = tuple(Operand(t, identity(c)) for t in node.inputs)
        self.emit(node, Layer(node.name, node.outputs[0], operands, Window(), (h, w), AccOp.MUL, source=(node.name,)))

    def _arg_max(self, node: Node, op: ArgMaxCode) -> None:
        x, out = self._plain(node.inputs[0], (node.name,)), node.outputs[0]
        h, w, c = self.tensor(x).shape
        self._comparable(x)
        if -(-c // self.config.simd) > 255 or c > 8191:
            raise ValueError(f"the largest of {c} channels: the engine walks {min(8191, 255 * self.config.simd)}")
        operand = Operand(x, Kernel(np.ones((1, 1, 1, c), np.int64), 1))
        acc = AccOp.ARGMAX_LAST if op.select_last else AccOp.ARGMAX
        self.emit(node, Layer(node.name, out, (operand,), Window(), (h, w), acc, source=(node.name,)))

    def _below_max(self, node: Node, op: IntBelowMax) -> None:
        self._comparable(node.inputs[0])
        for layer in below_max(self, node, op, self._plain(node.inputs[0], (node.name,))):
            self.add(layer)

    def _standardize(self, node: Node, op: IntStandardize) -> None:
        """A norm, with the thresholds that alone read it."""
        norm = Norm(self, node, op, self._plain(node.inputs[0], (node.name,)), self.add)
        readers = self.readers[node.outputs[0]]
        if len(readers) == 1 and node.outputs[0] not in self.graph.outputs and isinstance(readers[0].op, ThresholdCode):
            thresholds, flip = (self.graph.constants[t] for t in readers[0].inputs[1:3])
            layer = norm.fused(readers[0].op, thresholds, flip, readers[0].outputs[0], readers[0].name)
            if layer is not None:
                self.fused.add(readers[0].name)
                self.add(layer)
                return
        self.add(norm.stored())

    def _sums_hold(self, lo: int, hi: int) -> bool:
        top = 1 << (self.config.acc_bits - 1)
        return -top <= lo and hi < top

    def _comparable(self, x: str) -> None:
        """ValueError unless stored numbers fit into a sum."""
        (lo, hi), shift = self.bounds(x), self.result.storage[x].shift
        if not self._sums_hold(lo - shift, hi - shift):
            raise ValueError(f"codes in [{lo}, {hi}] are too wide to compare")

    def _threshold(self, node: Node, op: ThresholdCode | LookupCode) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        self._comparable(x)
        plain = Layer(node.name, out, (Operand(x, identity(c)),), Window(), (h, w), source=(node.name,))
        parts = self.parts(node, correction(plain, self.result.storage, c))
        terms = [out] if len(parts) == 1 else [f"{out}.part{i}" for i in range(len(parts))]
        for t, steps in zip(terms, parts, strict=True):
            if t != out:
                lo, hi = bounds_of(steps)
                self.declare(t, Tensor((h, w, c), None, np.full(c, lo), np.full(c, hi)))
            self.add(replace(plain, name=t if t != out else node.name, dst=t, steps=steps))
        while len(terms) > 1:
            planes = np.cumsum([self.result.storage[t].planes for t in terms])
            count = max(2, int(np.searchsorted(planes, 4, side="right")))
            first, terms = terms[:count], terms[count:]
            total = f"{out}.sum{len(terms)}" if terms else out
            if terms:
                lo, hi = (sum(ends) for ends in zip(*(self.bounds(t) for t in first), strict=True))
                self.declare(total, Tensor((h, w, c), None, np.full(c, lo), np.full(c, hi)))
            layer = Layer(total, total, tuple(Operand(t, identity(c)) for t in first), Window(), (h, w), source=(node.name,))
            self.emit(node, layer)
            terms = [total, *terms] if terms else terms

    def _lookup(self, node: Node, op: LookupCode) -> None:
        table, x, out = self.graph.constants[node.inputs[1]].astype(np.int64), node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(out).shape
        line = line_of(table, op.base, c, self.config.weight_bits)
        if line is None:
            self._threshold(node, op)
            return
        kernel, offset = line
        self.emit(node, Layer(node.name, out, (Operand(x, kernel),), Window(), (h, w), offset=offset, source=(node.name,)))

    def _int_upsample(self, node: Node, op: IntUpsample) -> None:
        x, out = node.inputs[0], node.outputs[0]
        h, w, c = self.tensor(x).shape
        self.place(out)
        for a, b in np.ndindex(op.factors):
            place = (a, b, *op.factors)
            self.add(Layer(f"{node.name}.{a}{b}", out, (Operand(x, identity(c)),), Window(), (h, w), place=place, source=(node.name,)))

    def _view(self, node: Node, op: View) -> None:
        storage = self.result.storage[node.inputs[0]]
        viewed = storage.viewed(op.shape, self.config.simd)
        if viewed is None:
            self._cut_pixels(node, storage, op.shape)
        else:
            self.result.storage[node.outputs[0]] = viewed

    def _cut_pixels(self, node: Node, storage: Storage, shape: tuple[int, int, int]) -> None:
        """A view of smaller pixels: each part of a pixel's channels is copied to its place."""
        x, out, c = node.inputs[0], node.outputs[0], shape[2]
        parts = cut(storage, shape, self.config.simd)
        self.place(out)
        source, (lo, hi) = self.tensor(x), self.bounds(x)
        for j, part in enumerate(parts):
            alias, size = f"{node.name}.{j}", (part.storage.height, part.storage.width)
            self.declare(alias, Tensor((*size, c), source.dtype, np.full(c, lo), np.full(c, hi)))
            self.result.storage[alias] = part.storage
            self.add(Layer(alias, out, (Operand(alias, identity(c)),), Window(), size, place=part.place, source=(node.name,)))

    def _int_slice(self, node: Node, op: IntSlice) -> None:
        self.result.storage[node.outputs[0]] = self.result.storage[node.inputs[0]].sliced(op.start, op.stop, self.config.simd)

    def _int_concat(self, node: Node, op: IntConcat) -> None:
        """Free where the parts were made in place; else each part is copied."""
        out = node.outputs[0]
        if out in self.result.storage and all(self.result.storage[t].buffer == out for t in node.inputs):
            return
        self._place_copies(node)

    def _place_copies(self, node: Node) -> None:
        out = node.outputs[0]
        simd = self.config.simd
        h, w, _ = self.tensor(out).shape
        aliases = [f"{out}.part{i}" for i in range(len(node.inputs))]
        for alias, t in zip(aliases, node.inputs, strict=True):
            self.declare(alias, self.tensor(t))
        self.place_parts(replace(node, inputs=tuple(aliases)))
        for alias, t in zip(aliases, node.inputs, strict=True):
            kernel = identity(self.tensor(t).channels)
            self.add(Layer(f"{alias}.copy", alias, (Operand(t, kernel),), Window(), (h, w), source=(node.name,)))
        assert self.result.storage[out].words(simd) >= 1, "every part was given a place"
