"""The intermediate representation: types, graph, operators, text form."""

from dfcompile.ir.graph import Graph, Node, Op, Tensor
from dfcompile.ir.types import IntType

__all__ = ["Graph", "IntType", "Node", "Op", "Tensor"]
