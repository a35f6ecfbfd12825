"""Einsum of one or two tensors, written out with Transpose, Reshape, sums and one MatMul."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_linear import product
from dfcompile.frontend.value import Refusal, Value, onnx_shape
from dfcompile.ir.modelop import Reduce


@dataclass(frozen=True)
class _Term:
    """A tensor and the label of each of its axes."""

    value: Value
    labels: str

    def sizes(self) -> dict[str, int]:
        return dict(zip(self.labels, onnx_shape(self.value), strict=True))


@converts("Einsum")
def einsum(call: Call) -> Result:
    """Sums of products by labels of axes; of one tensor, or of two, which is a matrix product."""
    terms, output = _parsed(call)
    keep = [set(output) | {c for other in terms if other is not t for c in other.labels} for t in terms]
    terms = [_summed(call, t, k) for t, k in zip(terms, keep, strict=True)]
    if len(terms) == 1:
        return _arranged(call, terms[0], output).value
    return _arranged(call, _product(call, terms[0], terms[1], output), output).value


def _parsed(call: Call) -> tuple[list[_Term], str]:
    """The operands with their labels, and the labels of the result; an ellipsis gets labels of its own."""
    equation = call.text("equation").replace(" ", "")
    left, arrow, output = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(call.inputs) or not 1 <= len(parts) <= 2:
        what = f"'Einsum' of {len(call.inputs)} tensors with the equation '{equation}'"
        raise Refusal("unsupported-op", what, "sums of products of one or two tensors are supported", "divide it into several")
    values = [call.value(i) for i in range(len(parts))]
    extra = [len(onnx_shape(v)) - len(p.replace("...", "")) for v, p in zip(values, parts, strict=True)]
    free = [c for c in string.ascii_letters if c not in equation]
    hidden = "".join(free[: max(0, *extra)] if "..." in left else "")
    labels = [p.replace("...", hidden[len(hidden) - max(0, n) :]) for p, n in zip(parts, extra, strict=True)]
    if not arrow:
        output = hidden + "".join(sorted(c for c in set(left) - set(".,") if left.count(c) == 1))
    output = output.replace("...", hidden)
    for v, text in zip(values, labels, strict=True):
        if len(text) != len(onnx_shape(v)) or len(set(text)) != len(text) or not text.isalpha():
            what = f"'Einsum' reads a tensor of shape {call.shape(v)} as '{text}'"
            raise Refusal("unsupported-op", what, "each axis needs its own label", "write it with Transpose, Mul, ReduceSum and MatMul")
    if len(set(output)) != len(output) or not set(output) <= set("".join(labels)):
        raise ValueError(f"the equation '{equation}' of 'Einsum' asks for labels that its operands lack")
    return [_Term(v, text) for v, text in zip(values, labels, strict=True)], output


def _summed(call: Call, t: _Term, keep: set[str]) -> _Term:
    """The sum over the axes that nothing else has."""
    gone = [i for i, c in enumerate(t.labels) if c not in keep]
    if not gone:
        return t
    moved, axes = call.along(t.value, *gone)
    return _Term(call.run(Reduce("sum", axes, keepdims=False), moved), "".join(c for c in t.labels if c in keep))


def _arranged(call: Call, t: _Term, order: str) -> _Term:
    return _Term(call.builder.transpose(t.value, tuple(t.labels.index(c) for c in order)), order)


def _product(call: Call, a: _Term, b: _Term, output: str) -> _Term:
    """Axes of both that stay are a batch of matrices, those of both that go are summed over."""
    shared = [c for c in a.labels if c in b.labels]
    batch = "".join(c for c in shared if c in output)
    inner = "".join(c for c in shared if c not in output)
    rows, columns = ("".join(c for c in t.labels if c not in shared) for t in (a, b))
    sizes = b.sizes() | a.sizes()
    if any(b.sizes()[c] != sizes[c] for c in shared):
        raise ValueError(f"the operands of 'Einsum' disagree about the size of '{shared[0]}'")

    def flat(labels: str) -> int:
        return math.prod(sizes[c] for c in labels)

    lead = tuple(sizes[c] for c in batch)
    left_rows = tuple(sizes[c] for c in rows) if not batch else (flat(rows),)  # without a batch MatMul keeps any axes before the last
    left = call.reshape(_arranged(call, a, batch + rows + inner).value, (*lead, *left_rows, flat(inner)))
    right = call.reshape(_arranged(call, b, batch + inner + columns).value, (*lead, flat(inner), flat(columns)))
    result = product(call, left, right)
    return _Term(call.reshape(result, tuple(sizes[c] for c in batch + rows + columns)), batch + rows + columns)
