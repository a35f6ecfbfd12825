"""What a converter sees: one ONNX node with its inputs, typed access to its attributes, and the graph being built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from dfcompile.frontend.builder import Builder
from dfcompile.frontend.model import Array, OnnxNode, Stored
from dfcompile.frontend.value import Act, Const, Refusal, Value, Weight, onnx_shape
from dfcompile.ir import Op, Tensor
from dfcompile.ir.modelop import IndexOp
from dfcompile.ir.modelop_base import shown_shape

Result: TypeAlias = Value | tuple[Value | None, ...]
Converter: TypeAlias = Callable[["Call"], Result]

CONVERTERS: dict[str, Converter] = {}
"""ONNX operator name (``domain/Name`` for names that mean something else in that domain) to its converter."""


def converts(*op_types: str) -> Callable[[Converter], Converter]:
    """Register a converter for these ONNX operators."""

    def register(converter: Converter) -> Converter:
        for op_type in op_types:
            CONVERTERS[op_type] = converter
        return converter

    return register


@dataclass(frozen=True, eq=False)
class Call:
    """One node to convert. inputs: None where one is left out; opset: version of the standard operators."""

    builder: Builder
    node: OnnxNode
    inputs: tuple[Value | None, ...]
    opset: int

    # inputs

    def has(self, i: int) -> bool:
        """Whether input i is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def optional(self, i: int) -> Value | None:
        """Input i, None when left out."""
        return self.inputs[i] if i < len(self.inputs) else None

    def value(self, i: int = 0) -> Value:
        """Input i, which must be given."""
        found = self.optional(i)
        if found is None:
            raise Refusal("missing-input", f"'{self.node.op_type}' lacks its input {i}")
        return found

    def array(self, i: int, what: str) -> Array:
        """The numbers of input i, which must not depend on the model's inputs."""
        found = self.value(i)
        if isinstance(found, Act):
            raise Refusal(
                "dynamic-parameter",
                f"the {what} of '{self.node.op_type}' is computed at run time",
                f"it depends on tensor '{found.name}'",
                "make it a constant of the model",
            )
        return self.builder.value_of(found)

    def numbers(self, i: int, what: str) -> tuple[int, ...]:
        """The integers of input i, flattened."""
        array = self.array(i, what)
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            raise Refusal("bad-parameter", f"the {what} of '{self.node.op_type}' are not integers")
        return tuple(int(v) for v in array.ravel())

    def scalar(self, i: int, what: str) -> float:
        """The one number of input i."""
        array = self.array(i, what)
        if array.size != 1:
            raise Refusal("bad-parameter", f"the {what} of '{self.node.op_type}' has {array.size} elements instead of 1")
        return float(array.ravel()[0])

    # attributes

    def _attribute(self, name: str, kind: type, default: Any, text: str) -> Any:
        found = self.node.attributes.get(name)
        if found is None:
            if default is None:
                raise Refusal("missing-attribute", f"'{self.node.op_type}' lacks its attribute '{name}'")
            return default
        if not isinstance(found, kind):
            raise Refusal("bad-attribute", f"attribute '{name}' of '{self.node.op_type}' is not {text}")
        return found

    def given(self, name: str) -> bool:
        """Whether the node has this attribute."""
        return self.node.attributes.get(name) is not None

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute; without a default it must be given."""
        return int(self._attribute(name, int, default, "an integer"))

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is 0 or 1."""
        return bool(self._attribute(name, int, default, "an integer"))

    def real(self, name: str, default: float | None = None) -> float:
        """A finite real attribute."""
        found = self._attribute(name, (float, int), default, "a number")  # type: ignore[arg-type]
        if math.isnan(found):
            raise Refusal("bad-attribute", f"attribute '{name}' of '{self.node.op_type}' is not a number", "it is NaN")
        return float(found)

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute."""
        return str(self._attribute(name, str, default, "a string"))

    def ints(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of integers."""
        found: tuple[int, ...] = self._attribute(name, tuple, default, "a list of integers")
        if any(not isinstance(v, int) for v in found):
            raise Refusal("bad-attribute", f"attribute '{name}' of '{self.node.op_type}' is not a list of integers")
        return found

    def tensor(self, name: str) -> Stored:
        """A tensor attribute."""
        found: Stored = self._attribute(name, Stored, None, "a tensor")
        return found

    # values

    def const(self, value: Any, hint: str, elem: str = "float32") -> Const:
        """A constant made here; real unless `elem` says otherwise."""
        return Const(np.asarray(value, dtype=np.float64 if elem == "float32" else None), elem, hint)

    def apply(self, op: Op, *inputs: Value, elem: str | None = None) -> Value:
        """The result of an operator; axes are those of the graph's tensors."""
        return self.builder.apply(op, *inputs, elem=elem)

    def along(self, value: Value, *axes: int) -> tuple[Value, tuple[int, ...]]:
        """The value and the axes of its graph tensor that ONNX calls `axes`.

        A tensor whose batch axis is named, or that is constant, is seen with one more axis in front (see `run`).
        """
        rank = len(onnx_shape(value))
        bad = [a for a in axes if not -rank <= a < rank]
        if bad:
            raise Refusal("bad-axis", f"'{self.node.op_type}' names axis {bad[0]} of a tensor of {rank} axes")
        positive = tuple(a % rank for a in axes)
        if isinstance(value, Act) and 0 in positive:
            value = self.builder.unbatched(value)
        shift = 0 if isinstance(value, Act) and not value.unbatched else 1
        return value, tuple(a + shift for a in positive)

    def run(self, op: Op, *inputs: Value) -> Value:
        """The result of an operator whose axes come from `along`; constants are computed with an axis in front."""
        if any(isinstance(i, Act) for i in inputs):
            return self.apply(op, *inputs)
        known = [i for i in inputs if not isinstance(i, Act)]
        made = op.infer(*(Tensor((1, *i.shape)) for i in known))
        if math.prod(made[0].shape) > sum(math.prod(k.shape) for k in known):
            self.builder.spend(math.prod(made[0].shape))
        first = known[0]
        if isinstance(op, IndexOp):
            return self.builder.moved(first, lambda a: op.execute(a[np.newaxis])[0][0])
        arrays = [self.builder.value_of(k)[np.newaxis] for k in known]
        return Const(np.asarray(op.execute(*arrays)[0][0]), first.elem, self.node.label)

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The value with a new ONNX shape."""
        return self.builder.reshape(value, shape)

    def plain(self, value: Value) -> Value:
        """A weight expression evaluated to a constant; anything else as it is."""
        return Const(self.builder.value_of(value), value.elem, f"{value.name}_value") if isinstance(value, Weight) else value

    def shape(self, value: Value) -> str:
        """For messages."""
        return shown_shape(onnx_shape(value))

    def retyped(self, value: Value, elem: str) -> Value:
        """The same numbers as another element type."""
        return replace(value, elem=elem)
