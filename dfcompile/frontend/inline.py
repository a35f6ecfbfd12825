"""Calls of functions that a model defines, replaced by the nodes of the functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.model import Function, OnnxNode, Reference, Subgraph

MOST_NODES = 2**18
"""And calls of a model whose functions are inlined: nested calls multiply."""
DEEPEST = 100

FunctionName = tuple[str, str, str]
"""Domain, name, overload."""


def inlined(nodes: tuple[OnnxNode, ...], functions: Mapping[FunctionName, Function]) -> tuple[OnnxNode, ...]:
    """The nodes without calls of functions. CompileError for functions that call themselves, or too many nodes."""
    if not functions:
        return nodes
    walk = _Inlining(functions)
    walk.check(nodes)
    walk.add(nodes)
    return tuple(replace(n, index=i) for i, n in enumerate(walk.nodes))


class _Inlining:
    def __init__(self, functions: Mapping[FunctionName, Function]) -> None:
        self.functions, self.nodes = functions, list[OnnxNode]()
        self.sizes: dict[FunctionName, tuple[int, int]] = {}

    def check(self, nodes: tuple[OnnxNode, ...]) -> None:
        """CompileError where the nodes would become too many: before any of them is made."""
        count = 0
        for node in nodes:
            count += self._size(node, node, ())[0]
            if count > MOST_NODES:
                what = f"the model's functions unfold to more than {MOST_NODES:,} nodes"
                raise CompileError(Problem("too-large", what, node.where, f"with this node there are {count:,}", _EXPORT))

    def _size(self, node: OnnxNode, call: OnnxNode, inside: tuple[FunctionName, ...]) -> tuple[int, int]:
        """Nodes and calls that a node becomes, and calls inside each other, itself one; it is in the functions `inside` behind a call."""
        name = _function(node)
        if name not in self.functions:
            return 1, 0
        if name in inside:
            raise CompileError(Problem("recursive-function", f"function '{node.op_type}' calls itself", call.where, help=_EXPORT))
        if name not in self.sizes and len(inside) < DEEPEST:
            parts = [self._size(n, call, (*inside, name)) for n in self.functions[name].nodes]
            self.sizes[name] = 1 + sum(count for count, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        found = self.sizes.get(name, (1, 1))
        if len(inside) + found[1] > DEEPEST:
            what = f"the model's functions unfold to more than {DEEPEST} calls inside each other"
            raise CompileError(Problem("too-large", what, call.where, help=_EXPORT))
        return found

    def add(self, nodes: tuple[OnnxNode, ...]) -> None:
        for node in nodes:
            function = self.functions.get(_function(node))
            if function is None:
                self.nodes.append(node)
            else:
                self.add(_body(node, function))


def _function(node: OnnxNode) -> FunctionName:
    return node.domain, node.op_type, node.overload


_EXPORT = "the file is damaged; export it again"


def _body(call: OnnxNode, function: Function) -> tuple[OnnxNode, ...]:
    """The nodes of a function on the operands of a call; names inside of it begin with the call's own."""
    given = {k: v for k, v in call.attributes.items() if v is not None}
    attributes = {**function.defaults, **given}
    operands = dict(zip(function.inputs, (*call.inputs, *("" for _ in function.inputs)), strict=False))
    names = {**dict(zip(function.outputs, call.outputs, strict=False)), **operands}

    def rename(name: str) -> str:
        return names.setdefault(name, f"{call.label}_{call.index}/{name}") if name else ""

    through = [(operands[t], out) for t, out in zip(function.outputs, call.outputs, strict=False) if t in operands]
    moved = tuple(OnnxNode(0, "Identity", "", f"{call.label}/{out}", (t,), (out,)) for t, out in through)
    return tuple(placed(n, call.label, rename, attributes, function.opset) for n in function.nodes) + moved


def placed(node: OnnxNode, label: str, rename: Callable[[str], str], attributes: Mapping[str, Any], opset: int | None) -> OnnxNode:
    """A node of a function or of a repeated graph under names of its own."""

    def value(given: Any) -> Any:
        if isinstance(given, Reference):
            return attributes.get(given.name)
        if not isinstance(given, Subgraph):
            return given
        inner = tuple(placed(n, label, rename, attributes, opset) for n in given.nodes)
        constants = {rename(k): v for k, v in given.initializers.items()}
        return Subgraph(inner, constants, tuple(map(rename, given.inputs)), tuple(map(rename, given.outputs)))

    return replace(
        node, name=f"{label}/{node.label}", inputs=tuple(map(rename, node.inputs)), outputs=tuple(map(rename, node.outputs)),
        attributes={k: value(v) for k, v in node.attributes.items()}, opset=opset,
    )  # fmt: skip
