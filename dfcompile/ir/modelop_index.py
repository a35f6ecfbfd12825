"""Operators of the model stage that only move elements, and those that join them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, check_axis, shown_shape, sized


class IndexOp(ModelOp):
    """Every output element is a copy of an input element; `execute` takes arrays of any dtype.

    So a pass can push an array of positions through a chain of these and learn where each element came from.
    """


@dataclass(frozen=True)
class Reshape(IndexOp):
    """The elements of each batch item in a new shape (batch axis not included)."""

    shape: tuple[int, ...]
    kind: ClassVar[str] = "reshape"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if math.prod(x[1:]) != math.prod(self.shape):
            raise ValueError(f"a tensor of shape {shown_shape(x)} cannot be reshaped to {shown_shape((x[0], *self.shape))}")
        return (sized(x[0], *self.shape),)


@dataclass(frozen=True)
class Transpose(IndexOp):
    """Axes in a new order: output axis i is input axis perm[i]; the batch axis stays first."""

    perm: tuple[int, ...]
    kind: ClassVar[str] = "transpose"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if sorted(self.perm) != list(range(len(x))):
            raise ValueError(f"{self.perm} is not an order of the axes of a tensor of shape {shown_shape(x)}")
        return (sized(*(x[p] for p in self.perm)),)


@dataclass(frozen=True)
class Slice(IndexOp):
    """Elements starts, starts + steps, ... before ends along some axes.

    0 <= start < size; an end is at most the size; with a negative step an end of -1 means: down to element 0.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    axes: tuple[int, ...]
    steps: tuple[int, ...]
    kind: ClassVar[str] = "slice"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shape = list(inputs[0].shape)
        for start, end, axis, step in zip(self.starts, self.ends, self.axes, self.steps, strict=True):
            check_axis(axis, inputs[0])
            if step == 0:
                raise ValueError("the step of a slice is 0")
            if not (0 <= start < shape[axis] and -1 <= end <= shape[axis]):
                raise ValueError(f"the slice {start}:{end} lies outside of axis {axis} of a tensor of shape {shown_shape(inputs[0].shape)}")
            shape[axis] = len(range(start, end, step))
        return (sized(*shape),)


@dataclass(frozen=True)
class Gather(IndexOp):
    """Chosen positions along one axis, in the order given, repeats allowed."""

    indices: tuple[int, ...]
    axis: int
    kind: ClassVar[str] = "gather"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        shape = list(inputs[0].shape)
        low, high = min(self.indices, default=0), max(self.indices, default=0)
        if low < 0 or high >= shape[self.axis]:
            raise ValueError(f"an index of {low}..{high} lies outside of axis {self.axis} of size {shape[self.axis]}")
        shape[self.axis] = len(self.indices)
        return (sized(*shape),)


@dataclass(frozen=True)
class Broadcast(IndexOp):
    """Axes of size 1 repeated to a shape of the same rank (batch axis not included)."""

    shape: tuple[int, ...]
    kind: ClassVar[str] = "broadcast"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if len(x) != len(self.shape) + 1 or any(a not in (1, b) for a, b in zip(x[1:], self.shape, strict=True)):
            raise ValueError(f"a tensor of shape {shown_shape(x)} does not broadcast to {shown_shape((x[0], *self.shape))}")
        return (sized(x[0], *self.shape),)


@dataclass(frozen=True)
class TakeStep(ModelOp):
    """One of the `count` elements of a sequence along an axis, which goes: what the body of a loop reads in each of its steps.

    `execute` takes the first. A loop's other steps do the same with the others (`streamline/roll.py`).
    """

    count: int
    axis: int
    kind: ClassVar[str] = "take_step"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check_axis(self.axis, inputs[0])
        shape = inputs[0].shape
        if shape[self.axis] != self.count:
            raise ValueError(f"axis {self.axis} of a tensor of shape {shown_shape(shape)} has not {self.count} elements")
        return (sized(*shape[: self.axis], *shape[self.axis + 1 :]),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (inputs[0].take(0, self.axis),)


@dataclass(frozen=True)
class CollectSteps(ModelOp):
    """A sequence of `count` elements along a new axis: what the body of a loop gives in each of its steps.

    `execute` repeats the element of one step.
    """

    count: int
    axis: int
    kind: ClassVar[str] = "collect_steps"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shape = inputs[0].shape
        if not 1 <= self.axis <= len(shape):
            raise ValueError(f"a tensor of shape {shown_shape(shape)} has no place for a new axis {self.axis}")
        return (sized(*shape[: self.axis], self.count, *shape[self.axis :]),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.repeat(np.expand_dims(inputs[0], self.axis), self.count, self.axis),)


@dataclass(frozen=True)
class Concat(ModelOp):
    """Tensors joined along one axis."""

    axis: int
    kind: ClassVar[str] = "concat"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shapes = [t.shape for t in inputs]
        for t in inputs:
            check_axis(self.axis, t)
        rest = {(*s[: self.axis], *s[self.axis + 1 :]) for s in shapes}
        if len(rest) != 1:
            raise ValueError(f"tensors of shapes {', '.join(map(shown_shape, shapes))} cannot be joined along axis {self.axis}")
        out = list(shapes[0])
        out[self.axis] = sum(s[self.axis] for s in shapes)
        return (sized(*out),)


@dataclass(frozen=True)
class Pad(ModelOp):
    """A constant value around x; pads: begin of every axis, then end of every axis, the batch axis included and 0."""

    pads: tuple[int, ...]
    value: float = 0.0
    kind: ClassVar[str] = "pad"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        n = len(x)
        if len(self.pads) != 2 * n or min(self.pads) < 0 or self.pads[0] or self.pads[n]:
            raise ValueError(f"pads {self.pads} do not fit a tensor of shape {shown_shape(x)}")
        return (sized(*(d + self.pads[i] + self.pads[n + i] for i, d in enumerate(x))),)


@dataclass(frozen=True)
class Unsupported(ModelOp):
    """Stands where the importer met an operator it cannot express; it comes with a Problem and cannot be executed."""

    op_type: str
    shapes: tuple[tuple[int, ...], ...]
    kind: ClassVar[str] = "unsupported"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(sized(*s) for s in self.shapes)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        raise ValueError(f"operator {self.op_type} is not supported")
