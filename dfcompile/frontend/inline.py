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
    walk.add(nodes, ())
    return tuple(replace(n, index=i) for i, n in enumerate(walk.nodes))


class _Inlining:
    def __init__(self, functions: Mapping[FunctionName, Function]) -> None:
        self.functions, self.nodes, self.count = functions, list[OnnxNode](), 0

    def add(self, nodes: tuple[OnnxNode, ...], inside: tuple[FunctionName, ...]) -> None:
        for node in nodes:
            name = (node.domain, node.op_type, node.overload)
            function = self.functions.get(name)
            self.count += 1
            if self.count > MOST_NODES or len(inside) > DEEPEST:
                what = f"the model's functions unfold to more than {MOST_NODES} nodes, or {DEEPEST} calls inside each other"
                raise CompileError(Problem("too-large", what, node.where, help=_EXPORT))
            if function is None:
                self.nodes.append(node)
            elif name in inside:
                raise CompileError(Problem("recursive-function", f"function '{node.op_type}' calls itself", node.where, help=_EXPORT))
            else:
                self.add(_body(node, function), (*inside, name))


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
