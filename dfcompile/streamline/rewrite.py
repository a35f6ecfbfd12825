"""Small rewrites of the integer graph."""

from __future__ import annotations

from dataclasses import replace

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.intop import IntConv, IntPad, IntPool, View


def merge_pads(graph: Graph) -> Graph:
    """conv(pad(x)) --> conv(x) with wider pads, where every reader of the padded stream is such a window.

    Sums take pads of code 0, largest and smallest none: their own pads are left out of the comparison.
    """
    readers = graph.consumers()
    made = graph.producers()
    nodes: list[Node] = []
    for node in graph.nodes:
        source = made.get(node.inputs[0])
        if (
            source is not None
            and isinstance(source.op, IntPad)
            and _takes(source.op, node)
            and source.outputs[0] not in graph.outputs
            and all(_takes(source.op, r) for r in readers[source.outputs[0]])
        ):
            op = node.op
            assert isinstance(op, IntConv | IntPool)
            a, b = op.window.pads, source.op.window.pads
            window = replace(op.window, pads=(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]))
            merged = replace(op, window=window, pad_code=source.op.pad_code)
            node = replace(node, op=merged, inputs=(source.inputs[0], *node.inputs[1:]), source=(*source.source, *node.source))
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes)).without_dead()


def _takes(pad: IntPad, reader: Node) -> bool:
    plain = pad.window.stride == (1, 1) and pad.window.stuff == (1, 1) and min(pad.window.pads) >= 0
    op = reader.op
    if isinstance(op, IntPool):
        return plain and op.mode == "sum" and pad.pad_code == 0
    if not isinstance(op, IntConv) or op.window.stuff != (1, 1) or min(op.window.pads) < 0:
        return False
    return plain and (not op.window.has_pads or op.pad_code == pad.pad_code)


def drop_views(graph: Graph) -> Graph:
    """view(view(x)) --> view(x); a view to the shape it already has --> nothing."""
    made: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(t, t) for t in node.inputs))
        if isinstance(node.op, View):
            source = made.get(node.inputs[0])
            if source is not None and isinstance(source.op, View):
                node = replace(node, inputs=source.inputs)
            if graph.tensors[node.inputs[0]].shape == graph.tensors[node.outputs[0]].shape and node.outputs[0] not in graph.outputs:
                renamed[node.outputs[0]] = node.inputs[0]
                continue
        made[node.outputs[0]] = node
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes)).without_dead()
