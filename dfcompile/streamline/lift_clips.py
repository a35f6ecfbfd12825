"""relu(a) + b --> f --> quantize becomes max(quantize(f(a + b)), quantize(f(b))), where f is monotone.

Exporters that place quantizers only in front of layers (TensorRT, modelopt) add what a ReLU left real to other real numbers. Such a
sum lies on no grid, but max(a, 0) + b = max(a + b, b), and a monotone function of the larger of two numbers is the larger, or the
smaller, of its values: each operand is a sum of layers' results and has a step function of its own. Clip is a minimum beside it,
LeakyRelu the larger of two lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Op, Tensor
from dfcompile.ir.modelop import BatchNorm, Binary, Bipolar, Dequantize, Quantize, Unary
from dfcompile.streamline.decline import Decline, in_silence
from dfcompile.streamline.step import Step

MOST_SUMS = 16
"""That a quantizer is put behind, each with a step function of its own."""


@dataclass(frozen=True)
class _Extreme:
    """The larger or smaller ("max", "min") of what its parts give."""

    fn: str
    parts: tuple[_Tree, ...]


_Tree = str | _Extreme


def lift_clips(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every quantizer of sums of real numbers that a ReLU or Clip cuts off, put behind sums of whole ones."""
    walk, changed = _Lifting(model), False
    for node in model.nodes:
        tree = walk.lift(node.inputs[0], False) if isinstance(node.op, Quantize | Bipolar) else ""
        if isinstance(tree, _Extreme):
            walk.quantized(node, tree, node.outputs)
            changed = True
        else:
            walk.nodes.append(node)
    for left in walk.left:
        decline(left, f"it would be lifted to more than {MOST_SUMS} sums, each with a quantizer of its own")
    if not changed:
        return model
    return model.replace(nodes=tuple(walk.nodes), tensors=walk.tensors, constants=walk.constants).without_dead()


def _count(tree: _Tree) -> int:
    return 1 if isinstance(tree, str) else sum(map(_count, tree.parts))


def _turned(tree: _Tree) -> _Tree:
    """Least and largest exchanged, as under a falling function."""
    if isinstance(tree, str):
        return tree
    return _Extreme("min" if tree.fn == "max" else "max", tuple(map(_turned, tree.parts)))


@dataclass(eq=False)
class _Lifting:
    """The nodes so far; `left`: sums of too many cut off operands."""

    model: Graph
    nodes: list[Node] = field(default_factory=list)
    left: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made = self.model.producers()
        self.tensors: dict[str, Tensor] = dict(self.model.tensors)
        self.constants: dict[str, Array] = dict(self.model.constants)
        self._known: dict[tuple[str, Op, tuple[str, ...]], str] = {}

    def lift(self, name: str, inside: bool) -> _Tree:
        """A tensor as extremes of tensors, `inside` where it is added to others; itself where it is none."""
        node = self.made.get(name)
        if node is None:
            return name
        streams = [t for t in node.inputs if t not in self.constants]
        if isinstance(node.op, Binary) and node.op.fn in ("add", "sub") and len(streams) == 2:
            if any(self.tensors[t].shape != self.tensors[name].shape for t in streams):
                return name
            a, b = (self.lift(t, True) for t in streams)
            return self._summed(node, a, _turned(b) if node.op.fn == "sub" else b)
        direction = self._direction(node, streams)
        if not direction:
            return name
        tree = self.lift(streams[0], inside)
        cuts = self._cuts(node) if inside and self._is_real(streams[0]) else []
        for fn, factor, bound in cuts:
            tree = _Extreme(fn, (tree, self._mapped(node, Binary("mul"), tree, factor) if factor else bound))
        if cuts:
            return tree
        mapped = self._mapped(node, node.op, tree)
        return mapped if direction > 0 else _turned(mapped)

    def quantized(self, node: Node, tree: _Tree, outputs: tuple[str, ...] | None = None) -> str:
        """Emit a node behind each sum of a tree, and the extremes of what these give, the last as `outputs`."""
        if isinstance(tree, str):
            return self._add(node, node.op, (self._of_rank(tree, node.inputs[0]), *node.inputs[1:]))
        first, *rest = [self.quantized(node, part) for part in tree.parts]
        for i, part in enumerate(rest, 1):
            first = self._add(node, Binary(tree.fn), (first, part), outputs if i == len(rest) else None)
        return first

    def _direction(self, node: Node, streams: list[str]) -> int:
        """1 for an operator that rises with its one stream in every channel, -1 where it falls, 0 for others."""
        if not isinstance(node.op, Unary | Binary | BatchNorm) or len(streams) != 1:
            return 0
        slot = node.inputs.index(streams[0])
        found = Step(node.op, slot, tuple(np.asarray(self.constants[t]) for t in node.inputs if t in self.constants)).direction()
        if found is None:
            return 0
        return int(np.all(found > 0)) - int(np.all(found < 0))

    def _is_real(self, name: str) -> bool:
        """Whether a tensor is a function of a layer's results with no quantizer on the way."""
        node = self.made.get(name)
        while node is not None and isinstance(node.op, Unary | Binary | BatchNorm):
            streams = [t for t in node.inputs if t not in self.constants]
            if len(streams) != 1:
                return True
            node = self.made.get(streams[0])
        return node is not None and not isinstance(node.op, Dequantize | Bipolar)

    def _summed(self, node: Node, a: _Tree, b: _Tree) -> _Tree:
        if _count(a) * _count(b) > MOST_SUMS:
            self.left.append(node)
            return node.outputs[0]
        if isinstance(a, _Extreme):
            return _Extreme(a.fn, tuple(self._summed(node, part, b) for part in a.parts))
        if isinstance(b, _Extreme):
            return _Extreme(b.fn, tuple(self._summed(node, a, part) for part in b.parts))
        return self._add(node, node.op, (a, b))

    def _mapped(self, node: Node, op: Op, tree: _Tree, factor: str = "") -> _Tree:
        """The node's operator on each tensor of a tree, or a product with a factor."""
        if isinstance(tree, _Extreme):
            return replace(tree, parts=tuple(self._mapped(node, op, part, factor) for part in tree.parts))
        if factor:
            return self._add(node, op, (tree, factor))
        if isinstance(op, BatchNorm):
            tree = self._of_rank(tree, node.inputs[0])
        return self._add(node, op, tuple(t if t in self.constants else tree for t in node.inputs))

    def _of_rank(self, name: str, like: str) -> str:
        """A constant of the rank of a tensor, with an element for each channel at least."""
        if name not in self.constants:
            return name
        value, shape = self.constants[name], self.tensors[like].shape
        whole = np.broadcast_shapes(value.shape, (*shape[:2], *(1 for _ in shape[2:])))
        return self._held(name + "".join(f".{n}" for n in whole), np.broadcast_to(value, whole))

    def _constant(self, value: float) -> str:
        return self._held(f"bound.{value!r}", np.array(value))

    def _held(self, name: str, value: Array) -> str:
        self.constants[name], self.tensors[name] = value, Tensor(value.shape)
        return name

    def _add(self, node: Node, op: Op, inputs: tuple[str, ...], outputs: tuple[str, ...] | None = None) -> str:
        """A node like one of the model on other operands; the model's own, or the one made before, where there is one.

        What is made of bounds alone is a constant.
        """
        if op == node.op and inputs == node.inputs and outputs is None and not isinstance(op, Quantize | Bipolar):
            return node.outputs[0]
        key = (node.name, op, inputs)
        if key in self._known and outputs is None:
            return self._known[key]
        i = len(self._known)
        if not isinstance(op, Quantize | Bipolar) and all(t in self.constants for t in inputs):
            self._known[key] = self._held(f"{node.outputs[0]}.bound{i}", op.execute(*(self.constants[t] for t in inputs))[0])
            return self._known[key]
        made = Node(f"{node.name}_lifted{i}", op, inputs, outputs or (f"{node.outputs[0]}.lifted{i}",), node.source)
        (self.tensors[made.outputs[0]],) = op.infer(*(self.tensors[t] for t in inputs))
        self.nodes.append(made)
        self._known[key] = made.outputs[0]
        return made.outputs[0]

    def _cuts(self, node: Node) -> list[tuple[str, str, str]]:
        """An operator as extremes of its operand and others: constants (extreme, factor of the operand or none, bound or none)."""
        op, held = node.op, [t for t in node.inputs if t in self.constants]
        if isinstance(op, Unary) and op.fn == "leaky_relu" and 0 < op.alpha <= 1:
            return [("max", self._constant(op.alpha), "")]
        if isinstance(op, Unary) and op.fn in ("relu", "clip"):
            bounds = (("max", op.alpha), ("min", op.beta)) if op.fn == "clip" else (("max", 0.0),)
            return [(fn, "", self._constant(b)) for fn, b in bounds if math.isfinite(b)]
        if isinstance(op, Binary) and op.fn in ("max", "min") and self.constants[held[0]].size == 1:
            return [(op.fn, "", self._constant(float(self.constants[held[0]].ravel()[0])))]
        slope = self.constants[held[0]] if isinstance(op, Binary) and op.fn == "prelu" else np.zeros(1)
        return [("max", held[0], "")] if np.all(slope > 0) and np.all(slope <= 1) else []
