"""State of the walk that turns a model graph into an integer graph: what is known of each tensor, what was emitted.

The handlers of the operators are in the ``encode_*`` modules; `encode` walks.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn

import numpy as np

from dfcompile.errors import Problem
from dfcompile.ir.graph import Array, Graph, Node, Op, Tensor
from dfcompile.ir.intop import IntAdd, IntConv, View, Window
from dfcompile.ir.modelop import AveragePool, Binary, Conv, ConvTranspose, MatMul, MaxPool
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.grid import WIDEST_FACTOR, Grid, common_scale
from dfcompile.streamline.layout import Shape3, default_layout
from dfcompile.streamline.levels import grid_of_levels
from dfcompile.streamline.regrid import bound_of
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.streamline.value import Addend, Const, InputPort, Known, OutputPort, Raw, Value, describe

LAYERS = (Conv, ConvTranspose, MatMul, MaxPool, AveragePool)
"""What no host runs."""
WIDEST_INPUT = 16
"""Bits of an integer type of ONNX that are taken for those of the stream; wider ones hold far more than a model's numbers."""


@dataclass(frozen=True)
class InputType:
    """What a raw input stream carries: codes of `dtype` that mean scale * code + offset."""

    dtype: IntType
    scale: float = 1.0
    offset: float = 0.0


class RefusedError(Exception):
    """A handler cannot map its node; carries the reason as a Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


class RestartError(Exception):
    """The layout or the type of a graph input was chosen wrong; walk again with those in the `Encoder`."""


@dataclass(eq=False)
class Encoder:
    """The integer graph under construction.

    model: the imported graph; input_types: declared types by input name; layouts: (stream shape, index) chosen for
    inputs by an earlier walk; given: tensors of the model as it was imported
    """

    model: Graph
    input_types: dict[str, InputType]
    layouts: dict[str, tuple[Shape3, Array]] = field(default_factory=dict)
    argmax: bool = False
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.known: dict[str, Known] = {}
        self._used: set[str] = set()
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.inputs: list[InputPort] = []
        self.outputs: list[OutputPort] = []
        self.host_nodes: list[Node] = []
        self.problems: list[Problem] = []
        self.fates: dict[str, str] = {}
        self.model_tensors: dict[str, tuple[str, Array, Grid]] = {}
        self.origins: dict[str, tuple[Value, Grid]] = {}
        self.sums: dict[str, tuple[tuple[str, Grid], tuple[str, Grid]]] = {}  # of operands without a common measure, by stream
        self.readers = {t: len(c) + self.model.outputs.count(t) for t, c in self.model.consumers().items()}

    def before(self, node: Node) -> str:
        """A `--to TENSOR` that ends a part of the model in front of what a node's ONNX node became; "" where that is its input.

        Between nodes of different ONNX nodes lie tensors of the file, inside of what one became those of the compiler.
        """
        made = self.model.producers()
        name = next((t for t in node.inputs if not isinstance(self.known.get(t), Const)), "")
        while name in made and (made[name].source == node.source or name not in self.given):
            name = next((t for t in made[name].inputs if not isinstance(self.known.get(t), Const)), "")
        return f"--to {shlex.quote(name)}" if name in made else ""

    def feeds(self, node: Node, kinds: tuple[type, ...]) -> bool:
        """Whether the results of a node, or what is made of them, go into an operator of these kinds."""
        reached = set(node.outputs)
        for n in self.model.nodes:
            if reached.intersection(n.inputs):
                if isinstance(n.op, kinds):
                    return True
                reached.update(n.outputs)
        return False

    def is_inside(self, node: Node) -> bool:
        """Whether a layer follows that no host runs, so that the node has to be hardware."""
        return self.feeds(node, LAYERS) and not set(node.outputs).intersection(self.model.outputs)

    # Emission.

    def emit(self, op: Op, inputs: tuple[str, ...], source: tuple[str, ...], hint: str, **constants: Array) -> str:
        """Append a node; `constants` become further inputs. Returns the name of its output tensor."""
        name = self._fresh(hint)
        names = []
        for key, value in constants.items():
            names.append(f"{name}.{key}")
            self.constants[names[-1]] = value
            self.tensors[names[-1]] = Tensor(value.shape)
        node = Node(name, op, (*inputs, *names), (f"{name}:0",), source)
        (self.tensors[node.outputs[0]],) = op.infer(*(self.tensors[t] for t in node.inputs))
        self.nodes.append(node)
        return node.outputs[0]

    def _fresh(self, hint: str) -> str:
        name, i = hint, 1
        while name in self._used:
            i += 1
            name = f"{hint}_{i}"
        self._used.add(name)
        return name

    def shape(self, stream: str) -> Shape3:
        h, w, c = self.tensors[stream].shape
        return h, w, c

    # Reading.

    def value(self, name: str, node: Node) -> Value:
        """The tensor as a stream value; commits a raw input. Refuses constants."""
        known = self.known[name]
        if isinstance(known, Raw):
            known = self.commit(name, known, node)
        if not isinstance(known, Value):
            raise RefusedError(
                Problem(
                    "constant-operand",
                    f"'{node.op.kind}' has a constant where a stream belongs",
                    describe(node),
                    f"tensor {name} does not depend on an input of the model",
                    "fold it into the constants of the model",
                )
            )
        return known

    def codes(self, name: str, node: Node) -> Value:
        """The tensor as integer codes on a stream, through a step function where one is pending."""
        value = self.value(name, node)
        if not value.is_codes:
            value = self.materialize(value, node, name)
        elif value.chain:
            value = replace(value, base=value.known_grid, chain=())
        self.known[name] = value
        return value

    def materialize(self, value: Value, node: Node, name: str, grid: Grid | None = None) -> Value:
        """Put the pending chain into a step function. Its results lie on `grid` (default: the value's own)."""
        target = grid or value.grid or (None if value.addends else grid_of_levels(value.chain))
        if target is None and (done := self._past_zeros(value, node, name)):
            return done
        if target is None:
            raise RefusedError(
                Problem("not-quantized", f"an operand of '{node.op.kind}' is not quantized", describe(node), *_not_coded(value, name))
            )
        plain = Grid(target.scale, target.offset)
        if value.addends and not _is_joinable(value, plain):
            value = self.summed(value, node)
            if value.is_codes:
                done = Value(value.stream, value.index, plain, (), plain, name)
                self.model_tensors.setdefault(name, (done.stream, done.index, plain))
                return done
        function = StepFunction(value.base, value.chain, plain, tuple(a.grid for a in value.addends))
        made = self.model.producers().get(name)
        source = made.source if made else node.source
        stream = self.emit(function, (value.stream, *(a.stream for a in value.addends)), source, "steps_" + (made.name if made else name))
        done = Value(stream, value.index, plain, (), plain, name)
        self.origins[stream] = value, plain
        self.model_tensors.setdefault(name, (stream, value.index, plain))
        return done

    def _past_zeros(self, value: Value, node: Node, name: str) -> Value | None:
        """A value that is codes but for channels multiplied by 0: codes of 0, whatever their step is. None for others."""
        c, grid = self.shape(value.stream)[2], None if value.addends else value.base
        kept = np.ones(c, np.int64)
        for step in value.chain:
            zero = np.zeros(c, bool)
            if isinstance(step, Step) and isinstance(step.op, Binary) and step.op.fn == "mul":
                zero = np.broadcast_to(np.ravel(step.params[0]) == 0, (c,))
                step = replace(step, params=(np.where(zero, 1.0, step.params[0]),))
            grid = step.regrid(grid)
            if grid is None or not grid.pure:
                return None
            if np.any(zero):
                kept = np.where(zero, 0, kept)
                offset = grid.per_channel(c).offset.copy()
                offset[zero] = Fraction(0)
                grid = replace(grid.per_channel(c), offset=offset)
        if grid is None or not np.any(kept):
            return None
        done = Value(self.scaled(node, value.stream, kept.tolist()), value.index, grid, (), grid, name)
        self.model_tensors.setdefault(name, (done.stream, done.index, grid))
        return done

    def common(self, value: Value) -> tuple[Grid, list[tuple[int, int]]]:
        """The grid of a value and its addend in units of the common measure of their scales, and each channel's two factors."""
        (addend,) = value.addends
        c = self.shape(value.stream)[2]
        a, b = value.base.per_channel(c), addend.grid.per_channel(c)
        found = [common_scale(pair) for pair in zip(a.scale, b.scale, strict=True)]
        grid = Grid(np.array([scale for scale, _ in found], object), np.asarray(a.offset + b.offset, object))
        return grid.compact(), [(n1, n2) for _, (n1, n2) in found]

    def summed(self, value: Value, node: Node) -> Value:
        """The sum of a value and its addend on a stream, in units of the common measure of their scales."""
        base, factors = self.common(value)
        widest = max(abs(n) for pair in factors for n in pair)
        if widest > WIDEST_FACTOR:
            refuse(
                "unequal-scales",
                "the scales of two added tensors have no common measure",
                node,
                f"{value.base} and {value.addends[0].grid}: as integers, one operand would be multiplied by {widest:.3g}",
                "quantize the sum, or both operands by one shared quantizer, or by scales whose ratio is a small fraction",
            )
        streams, pair = [value.stream, value.addends[0].stream], factors[0]
        if any(f != pair for f in factors):
            streams = [self.scaled(node, s, [f[i] for f in factors]) for i, s in enumerate(streams)]
            pair = (1, 1)
        stream = self.emit(IntAdd(pair), tuple(streams), node.source, f"add_{node.name}")
        grid: Grid | None = base
        for step in value.chain:
            grid = step.regrid(grid)
        self.note(node, f"adder, factors {pair[0]} and {pair[1]}")
        return replace(value, stream=stream, base=base, grid=grid, addends=())

    def scaled(self, node: Node, stream: str, factors: list[int]) -> str:
        """A stream with each channel multiplied by a factor of its own."""
        if all(f == 1 for f in factors):
            return stream
        weights = np.array(factors, np.int64).reshape(-1, 1, 1, 1)
        return self.emit(IntConv(Window(), len(factors)), (stream,), node.source, f"scale_{node.name}", weights=weights)

    def commit(self, name: str, raw: Raw, node: Node) -> Value:
        """Make the input stream of a raw tensor that has become integers."""
        if raw.lo is None or raw.hi is None:
            self._take_own_type(raw.input, node)
        dtype = BIPOLAR if raw.bipolar else IntType.holding(raw.lo, raw.hi)
        head = self.model.replace(inputs=(raw.input,), outputs=(name,)).without_dead()
        value = self.open_input(raw.input, name, dtype, Grid.of(1, 0), (raw.lo, raw.hi), head)
        self.known[name] = value
        return value

    def _take_own_type(self, name: str, node: Node) -> NoReturn:
        """A graph input without a quantizer carries the integers of its ONNX type, if that is one and narrow enough."""
        own = self.model.tensors[name]
        if own.dtype is not None and own.dtype.bits <= WIDEST_INPUT:
            self.input_types = {**self.input_types, name: InputType(own.dtype)}
            raise RestartError
        picture = own.dtype is None and len(own.shape) == 4 and own.shape[1] in (1, 3, 4)
        example = "uint8:1/255" if picture else "int8:1/128" if own.dtype is None else f"{'' if own.dtype.signed else 'u'}int{WIDEST_INPUT}"
        raise refusal(
            "no-input-type",
            f"input '{name}' reaches '{node.op.kind}' without a quantizer",
            node,
            "the compiler does not know which integers the input stream carries"
            + (f" (all {own.dtype.bits} bits of its type are too many)" if own.dtype else ""),
            f"declare it: --input-type {shlex.quote(f'{name}={example}')} (TYPE[:scale[:offset]]), or quantize the input in the model",
        )

    def open_input(self, graph_input: str, tensor: str, dtype: IntType, grid: Grid, bounds: tuple[int, int], head: Graph | None) -> Value:
        """Declare an input stream for a tensor of the model, in the layout an earlier walk asked for or the natural one."""
        shape = self.model.tensors[tensor].shape[1:]
        stream_shape, index = self.layouts.get(tensor) or default_layout(shape)
        stream = tensor
        lo, hi = (np.array(b, np.int64) for b in bounds)
        self.tensors[stream] = Tensor(stream_shape, dtype, lo, hi)
        scale, offset = (float(a.ravel()[0]) for a in grid.floats())
        self.inputs.append(InputPort(stream, graph_input, index, head, scale, offset))
        self.model_tensors.setdefault(tensor, (stream, index, grid))
        return Value(stream, index, grid, (), grid, tensor)

    def note(self, node: Node, text: str) -> None:
        """Record for `explain` what became of a node."""
        self.fates[node.name] = text

    def view(self, value: Value, shape: Shape3, node: Node) -> Value:
        """The value on its stream seen as (1, 1, h*w*c) or another shape of whole positions; parameters follow."""
        old = self.shape(value.stream)
        if old == shape:
            return value
        if shape[2] % old[2]:
            raise ValueError("a view may only join whole positions")
        times = shape[2] // old[2]
        stream = self.emit(View(shape), (value.stream,), node.source, f"view_{node.name}")
        chain = tuple(s.tiled(times, old[2]) for s in value.chain)
        grid = value.grid.tiled(times, old[2]) if value.grid else None
        base = value.base.tiled(times, old[2])
        seen = [self.emit(View(shape), (a.stream,), node.source, f"view_{node.name}") for a in value.addends]
        addends = tuple(Addend(s, a.grid.tiled(times, old[2])) for s, a in zip(seen, value.addends, strict=True))
        return replace(value, stream=stream, base=base, chain=chain, grid=grid, addends=addends)

    def to_channels(self, value: Value, parameter: Array, shape: tuple[int, ...]) -> Array | None:
        """A parameter that broadcasts to a tensor (1, *shape) as () or (c,) by stream channel; None when it varies by position."""
        parameter = np.asarray(parameter, np.float64)
        if parameter.size == 1:
            return parameter.reshape(())
        h, w, c = self.shape(value.stream)
        full = np.broadcast_to(parameter, (1, *shape))[0]
        spread = np.full(h * w * c, np.nan)
        spread[value.index.ravel()] = full.ravel()
        if not np.array_equal(spread[value.index], full):
            return None
        rows = spread.reshape(h * w, c)
        used = ~np.isnan(rows)
        first = rows[np.argmax(used, axis=0), np.arange(c)]
        if not np.array_equal(np.where(used, rows, first), np.broadcast_to(first, rows.shape), equal_nan=True):
            return None
        return np.asarray(np.where(np.isnan(first), first[~np.isnan(first)][0], first))


def _is_joinable(value: Value, target: Grid) -> bool:
    """Whether a sum not made yet ends in a monotone function with jumps, and its scales keep one ratio in all channels."""
    function = StepFunction(value.base, value.chain, target, tuple(a.grid for a in value.addends))
    ratios = set(np.ravel(value.base.scale / value.addends[0].grid.scale))
    return len(ratios) == 1 and function.direction() is not None and any(s.jumps for s in value.chain)


def refusal(code: str, what: str, node: Node, why: str = "", help: str = "") -> RefusedError:
    """The refusal of a node, to be raised."""
    return RefusedError(Problem(code, what, describe(node), why, help))


def refuse(code: str, what: str, node: Node, why: str = "", help: str = "") -> NoReturn:
    """Raise the refusal of a node."""
    raise refusal(code, what, node, why, help)


def _not_coded(value: Value, name: str) -> tuple[str, str]:
    """Why a tensor is no codes, and what helps: a bound beside the grid of what it cuts off, or no quantizer at all."""
    help = "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) on this tensor"
    grid: Grid | None = value.base
    for step in () if value.addends else value.chain:
        after = step.regrid(grid)
        bound = bound_of(step.op, step.params) if isinstance(step, Step) else None
        if grid is not None and after is None and bound is not None:
            scale, offset = (float(v) for v in grid.pick(0))
            low = offset + math.floor((bound - offset) / scale) * scale
            first = f"cut off at {low:g} or {low + abs(scale):g}, or "
            return f"tensor {name} is cut off at {bound:g}, which lies between two of the numbers {grid} that it has", first + help
        grid = after
    shape = "x".join(map(str, value.index.shape))
    why = f"tensor {name} of shape {shape} carries real numbers: no quantizer lies between the operators that make it and this one"
    return why, help
