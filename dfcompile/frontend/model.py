"""An ONNX file as plain data: what is left of it once protobuf has been read (see `onnx_file`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INTEGERS: dict[str, tuple[int, int]] = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for bits in (2, 4, 8, 16, 32, 64)
    for sign in ("", "u")
}
"""Lowest and highest value of ONNX's integer element types."""

FLOATS = ("float32", "float64", "float16", "bfloat16")
"""Element types that are read as real numbers."""

MINIFLOATS = {"float8e4m3fn": 8, "float8e4m3fnuz": 8, "float8e5m2": 8, "float8e5m2fnuz": 8, "float4e2m1": 4}
"""Element types of stored tensors only, with their bits: as real numbers they are exact, but no activation is rounded to them."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor with a value. elem: ONNX element type; data: float64 for real numbers, else the integers or booleans."""

    data: Array
    elem: str


@dataclass(frozen=True)
class Reference:
    """Stands for an attribute of a function's node that is given by the function's own attribute of this name."""

    name: str


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """One ONNX node. An input that is left out is ""; behind the inputs of ONNX follow the tensors that graphs inside of it read.

    opset: version of the standard operators where it is not the model's
    overload: of the function that it may call
    """

    index: int
    op_type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int | None = None
    overload: str = ""

    @property
    def label(self) -> str:
        """The name in the file, or one made from the operator and the position."""
        return self.name or f"{self.op_type}_{self.index}"

    @property
    def where(self) -> str:
        """For messages."""
        place = f"node {self.op_type}_{self.index}"
        return f"{place} (ONNX: {self.name})" if self.name else place


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A graph-valued attribute (If, Loop, Scan)."""

    nodes: tuple[OnnxNode, ...]
    initializers: Mapping[str, Stored]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def captured(self) -> list[str]:
        """Tensors of the graph around it that it reads."""
        own = {*self.initializers, *self.inputs, *(t for n in self.nodes for t in n.outputs)}
        return list(dict.fromkeys(t for t in (*(t for n in self.nodes for t in n.inputs), *self.outputs) if t and t not in own))


@dataclass(frozen=True, eq=False)
class Function:
    """A function that a model defines. defaults: values of attributes that a call may leave out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    defaults: Mapping[str, Any]
    opset: int | None


@dataclass(frozen=True)
class ValueInfo:
    """A graph input, output or annotated tensor. dims: sizes, None where unknown or symbolic; None when there is no shape."""

    name: str
    elem: str
    dims: tuple[int | None, ...] | None


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A graph in file order.

    broken: initialisers that could not be read (a Problem was given for each)
    """

    name: str
    opsets: Mapping[str, int]
    nodes: tuple[OnnxNode, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    initializers: Mapping[str, Stored]
    value_info: Mapping[str, ValueInfo]
    broken: frozenset[str] = frozenset()

    @property
    def opset(self) -> int:
        """Version of the standard operators; 13 when the file does not say."""
        return max((v for d, v in self.opsets.items() if d in ("", "ai.onnx")), default=13)


def stored(data: Array, elem: str) -> Stored:
    """A value in the precision the compiler keeps: real numbers in float64, integers as they are."""
    with np.errstate(invalid="ignore"):  # a NaN may be in a file; who uses it, finds it
        return Stored(np.asarray(data).astype(np.float64) if elem in FLOATS or elem in MINIFLOATS else np.asarray(data), elem)
