"""What an ONNX tensor has become while a model is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dfcompile.frontend.model import FLOATS, Array, Stored
from dfcompile.ir import Op
from dfcompile.ir.types import IntType


class Refusal(Exception):
    """A node that cannot be taken; becomes a `Problem` that names the node."""

    def __init__(self, code: str, what: str, why: str = "", help: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.why, self.help = code, what, why, help


@dataclass(frozen=True, eq=False)
class Const:
    """A known value.

    elem: ONNX element type; real numbers are float64 arrays
    name: ONNX name, or a hint for one
    stored: the file holds this very float32 value (perhaps with its elements moved), so quantizing it follows float32
    """

    array: Array
    elem: str = "float32"
    name: str = "const"
    stored: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


@dataclass(frozen=True, eq=False)
class Weight:
    """A known value that was quantized: elementwise operators on constants, which stay nodes of the graph.

    name: tensor of the graph; args: what `op` was applied to, so that the expression can be rebuilt on moved elements
    source: ONNX nodes it comes from
    """

    name: str
    shape: tuple[int, ...]
    op: Op
    args: tuple[Const | Weight, ...]
    elem: str = "float32"
    source: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Act:
    """A tensor that depends on the model's inputs.

    shape: of the graph's tensor, with the batch axis (the size the file gives to it) in front
    unbatched: the ONNX tensor has no batch axis; the graph's tensor has one of size 1 before the axes of ONNX
    """

    name: str
    shape: tuple[int, ...]
    elem: str = "float32"
    unbatched: bool = False

    @property
    def onnx_shape(self) -> tuple[int, ...]:
        return self.shape[1:] if self.unbatched else self.shape


@dataclass(frozen=True)
class Unknown:
    """The result of a node that was refused; everything that depends on it is left out without a further message.

    origin: set while no message was given yet: an output that the converters do not make (an index, a mask)
    """

    origin: str = ""


Known: TypeAlias = Const | Weight
Value: TypeAlias = Const | Weight | Act


def onnx_shape(value: Value) -> tuple[int, ...]:
    """Shape as ONNX has it."""
    return value.onnx_shape if isinstance(value, Act) else value.shape


def stored_constant(name: str, s: Stored) -> Const:
    """A tensor that the file holds."""
    return Const(s.data, s.elem, name, stored=s.elem in ("float32", "float16", "bfloat16"))


def integer_type(elem: str) -> IntType | None:
    """What codes an input of this element type carries, None for real numbers."""
    return None if elem in FLOATS else IntType(1) if elem == "bool" else IntType.parse(elem)
