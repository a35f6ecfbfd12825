"""In which order nodes are converted, and which of the graphs inside of an If is one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import networkx as nx

from dfcompile.frontend.model import OnnxNode, Subgraph
from dfcompile.frontend.value import Const, Unknown, Value

Env = dict[str, "Value | Unknown"]
Report = Callable[..., None]
"""code, what, where, why, help of a problem."""


def taken_branch(node: OnnxNode, condition: Value | Unknown | None) -> Subgraph | None:
    """The branch of an If whose condition is constant; None for other nodes."""
    if node.op_type != "If" or node.domain not in ("", "ai.onnx") or not isinstance(condition, Const) or condition.array.size != 1:
        return None
    branch = node.attributes.get("then_branch" if condition.array.ravel()[0] else "else_branch")
    return branch if isinstance(branch, Subgraph) else None


def ordered(nodes: Iterable[OnnxNode], env: Env, report: Report) -> list[OnnxNode]:
    """Nodes so that each comes after those it reads; nodes that cannot be ordered become problems, and what they make unknown in `env`."""
    by_index = {n.index: n for n in nodes}
    makers = _makers(by_index.values(), env, report)
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(by_index)
    for n in by_index.values():
        for t in n.inputs:
            if t in makers:
                order.add_edge(makers[t].index, n.index)
            elif t and t not in env:
                report("undefined-tensor", f"nothing makes tensor '{t}'", n.where, help="the file is damaged or was cut; export it again")
                env[t] = Unknown()
    if not nx.is_directed_acyclic_graph(order):
        rings = [c for c in nx.strongly_connected_components(order) if len(c) > 1 or order.has_edge(*(2 * list(c)))]
        for ring in sorted(map(sorted, rings)):
            shown, damaged = ", ".join(by_index[i].label for i in ring[:6]), "the file is damaged; export it again"
            report("cycle", f"{len(ring)} nodes depend on each other", by_index[ring[0]].where, f"the cycle goes through {shown}", damaged)
            order.remove_nodes_from(ring)
            env.update((t, Unknown()) for i in ring for t in by_index[i].outputs)
    return [by_index[i] for i in nx.lexicographical_topological_sort(order)]


def _makers(nodes: Iterable[OnnxNode], env: Env, report: Report) -> dict[str, OnnxNode]:
    makers: dict[str, OnnxNode] = {}
    for n in nodes:
        for t in filter(None, n.outputs):
            if t in makers or t in env:
                first = makers[t].where if t in makers else "an input or initialiser"
                report("duplicate-name", f"tensor '{t}' is made twice", n.where, f"first by {first}")
            else:
                makers[t] = n
    return makers
