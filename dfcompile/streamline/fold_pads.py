"""pad(x) --> conv becomes conv(x) with wider pads, where real 0 is padded: a convolution needs no code for what it pads with."""

from __future__ import annotations

from dataclasses import replace

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.modelop import Conv, Pad
from dfcompile.streamline.decline import Decline, in_silence


def fold_pads(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every Pad of rows and columns by 0 taken into the convolutions that read it."""
    made = model.producers()
    nodes = []
    for node in model.nodes:
        pad = made.get(node.inputs[0])
        if isinstance(node.op, Conv) and pad is not None and isinstance(pad.op, Pad):
            found = _wider(node, node.op, pad, pad.op)
            if isinstance(found, str):
                decline(pad, found)
            else:
                node = found
        nodes.append(node)
    return model if tuple(nodes) == model.nodes else model.replace(nodes=tuple(nodes)).without_dead()


def _wider(node: Node, conv: Conv, before: Node, pad: Pad) -> Node | str:
    """The convolution with the pad before it in its own pads, or why it is left."""
    if pad.value:
        return f"it pads with {pad.value:g}, the convolution {node.name} with 0"
    axes = len(pad.pads) // 2
    if pad.pads[1] or pad.pads[axes + 1]:
        return "it pads channels"
    around = (*pad.pads[2:axes], *pad.pads[axes + 2 :])
    op = replace(conv, pads=tuple(a + b for a, b in zip(conv.pads, around, strict=True)))
    return replace(node, op=op, inputs=(before.inputs[0], *node.inputs[1:]), source=(*before.source, *node.source))
