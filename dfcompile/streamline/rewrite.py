"""Small rewrites of the integer graph."""

from __future__ import annotations

from dataclasses import replace

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.intop import IntConv, IntPad, IntPool, View
from dfcompile.streamline.decline import Decline, in_silence


def merge_pads(graph: Graph, decline: Decline = in_silence) -> Graph:
    """conv(pad(x)) --> conv(x) with wider pads, where every reader of the padded stream is such a window.

    Sums take pads of code 0, largest and smallest none: their own pads are left out of the comparison.
    """
    readers = graph.consumers()
    merged: dict[str, Node] = {}
    for node in graph.nodes:
        if isinstance(node.op, IntPad):
            found = [_merged(node, node.op, r) for r in readers[node.outputs[0]]]
            refused = [why for why in found if isinstance(why, str)]
            if node.outputs[0] in graph.outputs:
                refused.append("it is an output")
            if refused:
                decline(node, refused[0])
            else:
                merged.update((n.name, n) for n in found if isinstance(n, Node))
    return graph.replace(nodes=tuple(merged.get(n.name, n) for n in graph.nodes)).without_dead()


def _merged(node: Node, pad: IntPad, reader: Node) -> Node | str:
    """The reader of a pad with wider pads of its own, or why there is none."""
    op = reader.op
    if pad.window.stride != (1, 1) or pad.window.stuff != (1, 1) or min(pad.window.pads) < 0:
        return "it crops, subsamples or stuffs"
    if isinstance(op, IntPool) and op.mode != "sum":
        return f"its reader {reader.name} compares nothing with pads"
    if isinstance(op, IntPool) and pad.pad_code:
        return f"its reader {reader.name} pads with 0, it with {pad.pad_code}"
    if not isinstance(op, IntConv | IntPool):
        return f"its reader {reader.name} is no window"
    if isinstance(op, IntConv) and (op.window.stuff != (1, 1) or min(op.window.pads) < 0):
        return f"its reader {reader.name} crops or stuffs"
    if isinstance(op, IntConv) and op.window.has_pads and op.pad_code != pad.pad_code:
        return f"its reader {reader.name} pads with {op.pad_code}, it with {pad.pad_code}"
    a, b = op.window.pads, pad.window.pads
    window = replace(op.window, pads=(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]))
    inputs, source = (node.inputs[0], *reader.inputs[1:]), (*node.source, *reader.source)
    return replace(reader, op=replace(op, window=window, pad_code=pad.pad_code), inputs=inputs, source=source)


def drop_views(graph: Graph, decline: Decline = in_silence) -> Graph:
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
