"""What became of each ONNX node, in words: what `dfcompile explain` prints of the import."""

from __future__ import annotations

from collections.abc import Iterable

from dfcompile.frontend.model import OnnxNode
from dfcompile.frontend.value import Const, Value, Weight
from dfcompile.ir import Graph


def find_fates(nodes: Iterable[OnnxNode], made: Iterable[tuple[OnnxNode, str, Value]], graph: Graph) -> dict[str, str]:
    """For each node's label a sentence. made: every result as (node, name of its tensor, value)."""
    live: dict[str, list[str]] = {}
    for n in graph.nodes:
        for s in n.source:
            live.setdefault(s, []).append(n.name)
    results: dict[str, list[tuple[str, Value]]] = {}
    for node, name, value in made:
        results.setdefault(node.label, []).append((name, value))
    return {n.label: f"{n.op_type}: {_fate(live.get(n.label, []), results.get(n.label, []), graph)}" for n in nodes}


def _fate(live: list[str], results: list[tuple[str, Value]], graph: Graph) -> str:
    if len(live) == 1:
        return f"kept as {live[0]}"
    if live:
        return f"became {', '.join(live)}"
    if results and all(isinstance(value, Const) for _, value in results):
        return f"folded into constant {results[0][0]}"
    if any(name in graph.tensors for name, _ in results):
        return "dropped, it changes nothing"
    if any(isinstance(value, Weight) for _, value in results):
        return "folded into the constants that depend on it"
    return "dropped, no output depends on it"
