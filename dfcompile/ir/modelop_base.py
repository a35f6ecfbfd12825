"""What the operators of the model stage share: printing, size limits, checks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir import operators
from dfcompile.ir.graph import Tensor

Array = NDArray[Any]

MAX_ELEMENTS = 2**28
"""Largest tensor of a model, in elements: a wrong or hostile size is refused before anything is allocated."""


class TooLargeError(ValueError):
    """A tensor has more elements than `MAX_ELEMENTS`."""


class ModelOp(ABC):
    """An operator on real numbers in the ONNX layout; axis 0 of every tensor that is not constant is the batch."""

    kind: ClassVar[str]

    @abstractmethod
    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Types of the outputs; ValueError with a sentence when the inputs do not fit."""

    @property
    def attributes(self) -> dict[str, Any]:
        """What it does its arithmetic by, besides its inputs."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs for a batch (axis 0), in float64."""
        return operators.run(self.kind, self.attributes, *inputs)

    def __str__(self) -> str:
        return printed(self)


def printed(op: ModelOp) -> str:
    """``kind[attribute=value, ...]``, without the attributes that have their default value."""
    given = [(f.name, getattr(op, f.name)) for f in fields(op) if getattr(op, f.name) != f.default]  # type: ignore[arg-type]
    texts = [f"{name}={_shown(value)}" for name, value in given]
    return f"{op.kind}[{', '.join(texts)}]" if texts else op.kind


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        many = len(value) > 16
        inner = ",".join(map(_shown, value[:16]))
        return f"({inner}{',...' if many else ''})"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def sized(*shape: int) -> Tensor:
    """A real tensor of this shape; ValueError when it is empty, TooLargeError when larger than `MAX_ELEMENTS`."""
    dims = tuple(int(d) for d in shape)
    if any(d < 1 for d in dims):
        raise ValueError(f"the result would be empty: shape {shown_shape(dims)}")
    count = math.prod(dims)
    if count > MAX_ELEMENTS:
        raise TooLargeError(f"it would have {count} elements (limit {MAX_ELEMENTS}): shape {shown_shape(dims)}")
    return Tensor(dims)


def shown_shape(shape: tuple[int, ...]) -> str:
    """``1x3x32x32``, or ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The numpy broadcast of several shapes; ValueError with a sentence when they do not agree."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"shapes {' and '.join(map(shown_shape, shapes))} do not broadcast") from None


def check_axis(axis: int, x: Tensor, lowest: int = 1) -> None:
    """ValueError unless `axis` names an axis of `x` at or after `lowest`."""
    if not lowest <= axis < len(x.shape):
        raise ValueError(f"axis {axis} is not one of the axes {lowest}..{len(x.shape) - 1} of a tensor of shape {shown_shape(x.shape)}")
