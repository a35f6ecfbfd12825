"""pad(x) --> conv becomes conv(x) with wider pads, where real 0 is padded: a convolution needs no code for what it pads with."""

from __future__ import annotations

from dataclasses import replace

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.modelop import Conv, Pad


def fold_pads(model: Graph) -> Graph:
    """Every Pad of rows and columns by 0 taken into the convolutions that read it."""
    made = model.producers()
    nodes = tuple(_wider(n, made.get(n.inputs[0])) if isinstance(n.op, Conv) else n for n in model.nodes)
    return model if nodes == model.nodes else model.replace(nodes=nodes).without_dead()


def _wider(node: Node, pad: Node | None) -> Node:
    """The convolution with a pad before it in its own pads; as it is where the pad is none of those."""
    if pad is None or not isinstance(pad.op, Pad) or pad.op.value:
        return node
    assert isinstance(node.op, Conv)
    axes = len(pad.op.pads) // 2
    if pad.op.pads[1] or pad.op.pads[axes + 1]:
        return node
    around = (*pad.op.pads[2:axes], *pad.op.pads[axes + 2 :])
    op = replace(node.op, pads=tuple(a + b for a, b in zip(node.op.pads, around, strict=True)))
    return replace(node, op=op, inputs=(pad.inputs[0], *node.inputs[1:]), source=(*pad.source, *node.source))
