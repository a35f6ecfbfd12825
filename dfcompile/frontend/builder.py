"""Building the model graph: nodes, constants, weight expressions, the batch axis."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from dfcompile.frontend.model import Array, OnnxNode
from dfcompile.frontend.value import Act, Const, Known, Refusal, Value, Weight, onnx_shape
from dfcompile.ir import Node, Op, Tensor
from dfcompile.ir.modelop import Binary, Bipolar, Dequantize, Quantize, Reshape, Transpose, Unary
from dfcompile.ir.modelop_base import shown_shape, sized

_KEPT = (Quantize, Dequantize, Bipolar)
_ELEMENTWISE = (*_KEPT, Unary, Binary)

FOLD_BUDGET = 2**25
"""Elements that folding constants may make in all: far more than real models need, far less than a bomb asks for."""


@dataclass
class Builder:
    """The graph so far.

    batch: size of the batch axis in the file (1 when symbolic or missing)
    reserved: every tensor name of the file; made-up names avoid them
    """

    batch: int
    reserved: set[str]
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    budget: int = FOLD_BUDGET
    _source: tuple[str, ...] = ()
    _first: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _made: dict[str, int] = field(default_factory=dict)
    _const_names: dict[tuple[str, tuple[int, ...], str, bytes | int], tuple[str, Array]] = field(default_factory=dict)
    _values: dict[str, Array] = field(default_factory=dict)

    def begin(self, node: OnnxNode) -> None:
        """Nodes from here on come from `node`."""
        self._source, self._first = (node.label,), len(self.nodes)

    def rollback(self) -> None:
        """Forget the nodes made since `begin`."""
        del self.nodes[self._first :]

    def apply(self, op: Op, *inputs: Value, elem: str | None = None) -> Value:
        """The result of an operator with one output."""
        return self.apply_all(op, *inputs, elem=elem)[0]

    def apply_all(self, op: Op, *inputs: Value, elem: str | None = None) -> tuple[Value, ...]:
        """The results of an operator: computed at once when nothing was quantized or depends on an input of the model."""
        kind = elem or inputs[0].elem
        acts = [i for i in inputs if isinstance(i, Act)]
        if acts:
            return self._act(op, inputs, kind, acts[0].unbatched)
        known = tuple(i for i in inputs if not isinstance(i, Act))
        if isinstance(op, _KEPT) or (isinstance(op, _ELEMENTWISE) and any(isinstance(i, Weight) for i in known)):
            return (self.weight(op, known, kind),)
        made = op.infer(*(Tensor(i.shape) for i in known))
        self.spend(sum(math.prod(t.shape) for t in made))
        return tuple(Const(r, kind) for r in op.execute(*map(self.value_of, known)))

    def _act(self, op: Op, inputs: tuple[Value, ...], elem: str, unbatched: bool) -> tuple[Value, ...]:
        results = op.infer(*(Tensor(i.shape) for i in inputs))
        if any(not t.shape or t.shape[0] != self.batch for t in results):
            raise Refusal("batch-axis", "the batch axis is lost here", f"the result has shape {shown_shape(results[0].shape)}")
        names = self._emit(op, tuple(map(self.name_of, inputs)), results)
        made = [Act(name, t.shape, elem, unbatched) for name, t in zip(names, results, strict=True)]
        return tuple(self._rebatched(a) for a in made)

    def _rebatched(self, x: Act) -> Act:
        """x (in ONNX 1x..., without a batch axis) --> the same, that 1 being its batch axis"""
        if not x.unbatched or self.batch != 1 or x.onnx_shape[:1] != (1,):
            return x
        return self._reshaped(x, x.onnx_shape[1:], unbatched=False)

    def weight(self, op: Op, args: tuple[Known, ...], elem: str, source: tuple[str, ...] = ()) -> Weight:
        """An elementwise operator on known values, as a node. source: where it came from before its elements were moved."""
        (result,) = op.infer(*(Tensor(a.shape) for a in args))
        origin = tuple(dict.fromkeys(source + self._source))
        (name,) = self._emit(op, tuple(map(self.name_of, args)), (result,), origin)
        return Weight(name, result.shape, op, args, elem, origin)

    def _emit(self, op: Op, inputs: tuple[str, ...], results: tuple[Tensor, ...], source: tuple[str, ...] = ()) -> tuple[str, ...]:
        number = self._counts.get(op.kind, 0)
        self._counts[op.kind] = number + 1
        names = tuple(self.fresh(f"{op.kind}_{number}_out") for _ in results)
        self.nodes.append(Node(f"{op.kind}_{number}", op, inputs, names, source or self._source))
        self.tensors.update(zip(names, results, strict=True))
        return names

    def fresh(self, hint: str) -> str:
        """A tensor name that is not in use."""
        if hint not in self.reserved:
            self.reserved.add(hint)
            return hint
        while True:
            self._made[hint] = self._made.get(hint, 0) + 1
            name = f"{hint}_{self._made[hint]}"
            if name not in self.reserved:
                self.reserved.add(name)
                return name

    def name_of(self, value: Value) -> str:
        """Tensor name in the graph; a constant becomes one of the graph's constants on its first use."""
        if not isinstance(value, Const):
            return value.name
        if value.array.dtype.kind == "f" and not np.all(np.isfinite(value.array)):
            raise _not_finite(value)
        if 0 in value.array.strides and value.array.size > 1:
            self.spend(value.array.size)  # a view of fewer elements (Expand, ConstantOfShape) becomes real here
        key = (value.name, value.array.shape, value.array.dtype.str, _digest(value.array))
        if key not in self._const_names:
            name = value.name if value.name in self.reserved and value.name not in self.tensors else self.fresh(value.name)
            self.constants[name] = value.array if value.array.dtype.kind == "f" else value.array.astype(np.int64)
            self.tensors[name] = Tensor(value.array.shape)
            self._const_names[key] = (name, value.array)
        return self._const_names[key][0]

    def rename(self, value: Value, name: str) -> Value:
        """Give a tensor made since `begin` the name that it has in ONNX."""
        if isinstance(value, Const):
            return value if value.name in self.reserved else replace(value, name=name)
        for i in range(len(self.nodes) - 1, self._first - 1, -1):
            node = self.nodes[i]
            if value.name in node.outputs and name not in self.tensors:
                self.nodes[i] = replace(node, outputs=tuple(name if t == value.name else t for t in node.outputs))
                self.nodes[i + 1 :] = [
                    replace(n, inputs=tuple(name if t == value.name else t for t in n.inputs)) for n in self.nodes[i + 1 :]
                ]
                self.tensors[name] = self.tensors.pop(value.name)
                return replace(value, name=name)
        return value

    def spend(self, elements: int) -> None:
        """Take from the budget of folded elements."""
        self.budget -= elements
        if self.budget < 0:
            raise Refusal(
                "too-large", "the model computes too much from constants",
                f"folding them would take more than {FOLD_BUDGET:,} elements", "fold them before the build, as onnxsim does",
            )  # fmt: skip

    def value_of(self, value: Known) -> Array:
        """The numbers of a known value."""
        if isinstance(value, Const):
            return value.array
        if value.name not in self._values:
            self.spend(math.prod(value.shape))
            (self._values[value.name],) = value.op.execute(*map(self.value_of, value.args))
        return self._values[value.name]

    def moved(self, value: Known, move: Callable[[Array], Array], whole: bool = True) -> Known:
        """A known value with its elements moved by `move`, which depends on the shape only.

        A weight stays a weight: its expression is rebuilt on moved constants, and per-channel scales stay so.
        whole: false where a result that is constant along an axis may have size 1 there
        """
        if isinstance(value, Const):
            if not whole and value.array.size == 1:
                return replace(value, array=value.array.reshape(()))
            array = move(value.array)
            return replace(value, array=array if whole else compressed(array))
        shape = value.shape

        def spread(array: Array) -> Array:
            return move(np.broadcast_to(array, shape))

        args = tuple(self.moved(a, spread, whole=i == 0) for i, a in enumerate(value.args))
        return self.weight(value.op, args, value.elem, value.source)

    def reshape(self, value: Value, shape: Iterable[int]) -> Value:
        """The value with a new ONNX shape."""
        new = tuple(int(s) for s in shape)
        if isinstance(value, Act):
            sized(*new)
        if min(new, default=1) < 0 or math.prod(new) != math.prod(onnx_shape(value)):
            raise ValueError(f"a tensor of shape {shown_shape(onnx_shape(value))} cannot be reshaped to {shown_shape(new)}")
        if new == onnx_shape(value):
            return value
        if not isinstance(value, Act):
            return self.moved(value, lambda a: a.reshape(new))
        if new[:1] == (self.batch,):
            return self._reshaped(value, new[1:], unbatched=False)
        return self._reshaped(self.unbatched(value, move=False), new, unbatched=True)

    def _reshaped(self, x: Act, shape: tuple[int, ...], unbatched: bool) -> Act:
        if x.shape[1:] == shape:
            return replace(x, unbatched=unbatched)
        op = Reshape(shape)
        (result,) = op.infer(Tensor(x.shape))
        (name,) = self._emit(op, (x.name,), (result,))
        return Act(name, result.shape, x.elem, unbatched)

    def unbatched(self, x: Act, move: bool = True) -> Act:
        """x with an own axis of size 1 before all axes that ONNX sees, so that ONNX's axis 0 can be worked on.

        move: false when a reshape follows and the elements need not be arranged
        """
        if x.unbatched:
            return x
        if self.batch != 1:
            raise Refusal(
                "batch-axis",
                "the batch axis is mixed with others here",
                f"the batch size of the file is {self.batch}",
                "export the model with batch size 1 or a symbolic batch axis",
            )
        return self._reshaped(x, x.shape, unbatched=True) if move else replace(x, unbatched=True, shape=x.shape)

    def transpose(self, value: Value, perm: tuple[int, ...]) -> Value:
        """The axes of ONNX in a new order."""
        shape = onnx_shape(value)
        if sorted(perm) != list(range(len(shape))):
            raise ValueError(f"{perm} is not an order of the axes of a tensor of shape {shown_shape(shape)}")
        if perm == tuple(range(len(perm))):
            return value
        if not isinstance(value, Act):
            return self.moved(value, lambda a: a.transpose(perm))
        if perm[0] != 0:
            value = self.unbatched(value)
        if value.unbatched:
            perm = (0, *(p + 1 for p in perm))
        return self.apply(Transpose(perm), value)


def _not_finite(value: Const) -> Refusal:
    """A mask of -infinity is no damage, NaN is."""
    if np.isnan(value.array).any():
        return Refusal("not-finite", f"constant '{value.name}' holds NaN", help="train or export the model again")
    why = "no integer stands for it; in a mask before Softmax it means a weight of 0"
    help = "export such a mask as a finite number that is large enough, as -10000"
    return Refusal("not-finite", f"constant '{value.name}' holds infinity", why, help)


def _digest(array: Array) -> bytes | int:
    """Equal for equal numbers; of large arrays only the very same are found equal, to save time."""
    return hashlib.sha256(np.ascontiguousarray(array).data).digest() if array.size <= 2**16 else id(array)


def compressed(array: Array) -> Array:
    """An array with size 1 along every axis on which it does not change."""
    for axis, size in enumerate(array.shape):
        along = np.moveaxis(array, axis, 0)
        if size > 1 and np.array_equal(along[0], along[1]) and np.array_equal(np.broadcast_to(along[0], along.shape), along):
            array = np.moveaxis(along[:1], 0, axis)
    return array
