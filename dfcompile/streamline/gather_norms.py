"""(x - mean(x)) / sqrt(mean((x - mean(x))**2) + epsilon), however it is spelled --> standardize(x).

What exporters write for LayerNorm, RMSNorm and their like is read as algebra, not as a pattern: over one tensor x, a tensor is a polynomial
in its elements, their mean and the mean of their squares, or the root of one, or one over that. Where a polynomial of x is divided by such
a root, and the two are those of a norm, one operator takes the place of the division; what it alone needed is dead then.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.modelop import Binary, Reduce, Reshape, Standardize, Unary
from dfcompile.streamline.decline import Decline, in_silence

Powers = tuple[int, int, int]
"""Of an element, of the mean, of the mean of squares."""
X, MEAN, SQUARES, ONE = (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)


@dataclass(frozen=True)
class Form:
    """A tensor made of one tensor x: a polynomial to the power 1, 1/2 or -1/2 (`twice` is 2, 1 or -1)."""

    terms: tuple[tuple[Powers, Fraction], ...]
    twice: int = 2

    @staticmethod
    def of(terms: dict[Powers, Fraction], twice: int = 2) -> Form:
        return Form(tuple(sorted((p, c) for p, c in terms.items() if c)), twice)

    def coefficient(self, powers: Powers) -> Fraction:
        return dict(self.terms).get(powers, Fraction(0))

    @property
    def is_of_row(self) -> bool:
        """Whether it is the same for all elements of a row."""
        return all(not p[0] for p, _ in self.terms)

    def plus(self, other: Form, factor: int = 1) -> Form | None:
        if self.twice != 2 or other.twice != 2:
            return None
        found = dict(self.terms)
        for p, c in other.terms:
            found[p] = found.get(p, Fraction(0)) + factor * c
        return Form.of(found)

    def times(self, other: Form) -> Form | None:
        if self.twice != 2 or other.twice != 2:
            return None
        found: dict[Powers, Fraction] = {}
        for p, a in self.terms:
            for q, b in other.terms:
                powers = (p[0] + q[0], p[1] + q[1], p[2] + q[2])
                found[powers] = found.get(powers, Fraction(0)) + a * b
        return Form.of(found) if all(p[0] + p[1] + 2 * p[2] <= 2 for p in found) else None

    def averaged(self) -> Form | None:
        """Its mean over the row."""
        if self.twice != 2:
            return None
        found: dict[Powers, Fraction] = {}
        for (x, m, s), c in self.terms:
            powers = (0, m + (x == 1), s + (x == 2))
            found[powers] = found.get(powers, Fraction(0)) + c
        return Form.of(found)

    def root(self, twice: int) -> Form | None:
        """Its square root, or one over that; of a root, one over it (`twice` -2: one over what it is)."""
        if twice == -2:
            return Form(self.terms, -self.twice) if self.twice != 2 else None
        return Form(self.terms, twice) if self.twice == 2 and self.is_of_row else None


def gather_norms(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every division by the root of a row's mean square as one operator."""
    readers = model.consumers()
    found: dict[str, tuple[Node, ...]] = {}
    places = {node.name: i for i, node in enumerate(model.nodes)}
    tensors = dict(model.tensors)
    constants = dict(model.constants)
    for base, axes in _bases(model):
        walk = _Walk(model, base, axes)
        for node in walk.run(readers, places):
            made = _norm(walk, node)
            if made is None or node.name in found:
                continue
            op, factor = made
            if factor == 1:
                found[node.name] = (replace(node, op=op, inputs=(base,)),)
                continue
            name, constant = f"{node.name}_standardized", f"{node.name}_factor"
            tensors[name], tensors[constant] = tensors[node.outputs[0]], Tensor(())
            constants[constant] = np.asarray(float(factor))
            first = Node(name, op, (base,), (name,), node.source)
            found[node.name] = (first, replace(node, op=Binary("mul"), inputs=(name, constant)))
    if not found:
        return model
    nodes = [n for node in model.nodes for n in found.get(node.name, (node,))]
    return model.replace(nodes=tuple(nodes), tensors=tensors, constants=constants).without_dead()


def _bases(model: Graph) -> list[tuple[str, tuple[int, ...]]]:
    """Tensors whose mean, or whose squares' mean, is taken, in the order of the graph, and over which axes."""
    made = model.producers()
    wanted: dict[tuple[str, tuple[int, ...]], None] = {}
    for node in model.nodes:
        if isinstance(node.op, Reduce) and node.op.fn in ("mean", "sum"):
            name, axes = node.inputs[0], tuple(sorted(node.op.axes))
            wanted[name, axes] = None
            before = made.get(name)
            if before and isinstance(before.op, Binary) and before.op.fn in ("mul", "pow"):
                wanted[before.inputs[0], axes] = None
    place = {t: i for i, t in enumerate((*model.inputs, *(t for node in model.nodes for t in node.outputs)))}
    return sorted((w for w in wanted if w[0] in place), key=lambda w: place[w[0]])


@dataclass(eq=False)
class _Walk:
    """The forms of all tensors over one; `axes`: those that means are taken over."""

    model: Graph
    base: str
    axes: tuple[int, ...]
    forms: dict[str, Form] = field(default_factory=dict)

    def run(self, readers: Mapping[str, Sequence[Node]], places: Mapping[str, int]) -> Iterator[Node]:
        """Nodes that divide forms, or multiply by one over a root; the forms of all before them are known."""
        self.forms = {self.base: Form.of({X: Fraction(1)})}
        reached = sorted({places[n.name] for n in readers.get(self.base, [])})
        while reached:
            node = self.model.nodes[heapq.heappop(reached)]
            form = self._form(node)
            if form is not None and len(node.outputs) == 1:
                self.forms[node.outputs[0]] = form
                for place in {places[n.name] for n in readers.get(node.outputs[0], [])}.difference(reached):
                    heapq.heappush(reached, place)
            elif isinstance(node.op, Binary) and node.op.fn in ("mul", "div") and all(t in self.forms for t in node.inputs):
                yield node

    def _form(self, node: Node) -> Form | None:
        op = node.op
        if isinstance(op, Reduce):
            return self._reduced(node, op)
        if isinstance(op, Reshape):
            x = self.forms.get(node.inputs[0])
            return x if x and x.is_of_row and self._keeps_places(node) else None
        if isinstance(op, Unary):
            x = self.forms.get(node.inputs[0])
            twice = {"sqrt": 1, "reciprocal": -2}.get(op.fn)
            if x and op.fn == "neg":
                return x.times(Form.of({ONE: Fraction(-1)}))
            return x.root(twice) if x and twice else None
        return self._binary(node, op) if isinstance(op, Binary) else None

    def _reduced(self, node: Node, op: Reduce) -> Form | None:
        x = self.forms.get(node.inputs[0])
        shape = self.model.tensors[self.base].shape
        if x is None or op.fn not in ("mean", "sum") or self.model.tensors[node.inputs[0]].shape != shape:
            return None
        if tuple(sorted(op.axes)) != self.axes:
            return None
        found = x.averaged()
        count = math.prod(shape[a] for a in self.axes)
        return found.times(Form.of({ONE: Fraction(count if op.fn == "sum" else 1)})) if found else None

    def _keeps_places(self, node: Node) -> bool:
        """Whether a reshape of what is the same for a row only adds or drops axes of length 1."""
        before, after = (tuple(d for d in self.model.tensors[t].shape if d > 1) for t in (node.inputs[0], node.outputs[0]))
        return before == after

    def _operand(self, name: str) -> Form | None:
        if name in self.forms:
            return self.forms[name]
        value = self.model.constants.get(name)
        if value is None or np.size(value) != 1 or not np.isfinite(value).all():
            return None
        return Form.of({ONE: Fraction(float(np.ravel(value)[0]))})

    def _binary(self, node: Node, op: Binary) -> Form | None:
        a, b = (self._operand(t) for t in node.inputs)
        if a is None or b is None or not self._side_by_side(node):
            return None
        constant = b.coefficient(ONE) if node.inputs[1] not in self.forms else None
        match op.fn:
            case "add" | "sub":
                return a.plus(b, 1 if op.fn == "add" else -1)
            case "mul":
                return a.times(b)
            case "div":
                return self._divided(a, b, constant)
            case "pow":
                return self._power(a, constant)
        return None

    @staticmethod
    def _divided(a: Form, b: Form, constant: Fraction | None) -> Form | None:
        if constant:
            return a.times(Form.of({ONE: 1 / constant}))
        return b.root(-2) if a == Form.of({ONE: Fraction(1)}) else None

    @staticmethod
    def _power(a: Form, constant: Fraction | None) -> Form | None:
        if constant == 2:
            return a.times(a) if a.twice == 2 else (Form(a.terms) if a.twice == 1 else None)
        return a.root({Fraction(1, 2): 1, Fraction(-1, 2): -1}[constant]) if constant in (Fraction(1, 2), Fraction(-1, 2)) else None

    def _side_by_side(self, node: Node) -> bool:
        """Whether each row's number meets the row's elements: shapes as the means keep them, or those of x."""
        whole = self.model.tensors[self.base].shape
        kept = tuple(1 if i in self.axes else d for i, d in enumerate(whole))
        return all(self.model.tensors[t].shape in (whole, kept) for t in node.inputs if t in self.forms)


def _norm(walk: _Walk, node: Node) -> tuple[Standardize, Fraction] | None:
    """The operator that a division is, and what its result is multiplied by."""
    assert isinstance(node.op, Binary), "a walk gives products and quotients"
    above, below = (walk.forms[t] for t in node.inputs)
    if node.op.fn == "mul" and above.twice == -1:
        above, below = below, above
    if above.twice != 2 or below.twice != (1 if node.op.fn == "div" else -1) or not walk._side_by_side(node):
        return None
    factor, gain = above.coefficient(X), below.coefficient(SQUARES)
    epsilon = below.coefficient(ONE)
    centred = factor != 0 and above == Form.of({X: factor, MEAN: -factor})
    wanted = {SQUARES: gain, ONE: epsilon, **({(0, 2, 0): -gain} if centred else {})}
    plain = factor != 0 and above == Form.of({X: factor})
    if not (centred or plain) or Form.of(wanted, below.twice) != below or gain <= 0 or epsilon < 0:
        return None
    shapes = {walk.model.tensors[t].shape for t in (walk.base, node.outputs[0])}
    if len(shapes) > 1 or any(Fraction(float(v)) != v for v in (gain, epsilon, factor)):
        return None
    return Standardize(walk.axes, centred, float(gain), float(epsilon)), factor
