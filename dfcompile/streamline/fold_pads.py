"""pad(x) --> conv becomes conv(x) with wider pads, where real 0 is padded: a convolution needs no code for what it pads with.

pad(x) --> quantize --> dequantize becomes quantize(x) --> dequantize --> pad, as a quantizer with a zero-point among its codes leaves 0 as
it is: so sums of real numbers are padded that have no code for 0 (causal convolutions with a quantizer of their own).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.modelop import Conv, Dequantize, Pad, Quantize
from dfcompile.streamline.decline import Decline, in_silence


def fold_pads(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every Pad of rows and columns by 0 taken into the convolutions that read it, through quantizers between them."""
    model = _behind_quantizers(model)
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


def _behind_quantizers(model: Graph) -> Graph:
    """Pads of real numbers by 0 moved behind the quantizers that read them."""
    made, readers, tensors = model.producers(), model.consumers(), dict(model.tensors)
    nodes: list[Node] = []
    for node in model.nodes:
        first = made.get(node.inputs[0]) if node.inputs else None
        pad = made.get(first.inputs[0]) if first is not None and isinstance(node.op, Dequantize) else first
        if pad is None or not isinstance(pad.op, Pad) or not _keeps_zero(model, pad, node if pad is first else first, readers):
            nodes.append(node)
        elif isinstance(node.op, Quantize):
            tensors[node.outputs[0]] = tensors[pad.inputs[0]]
            nodes.append(replace(node, inputs=(pad.inputs[0], *node.inputs[1:])))
        else:
            inner = f"{node.outputs[0]}.inner"
            tensors[inner] = tensors[pad.inputs[0]]
            nodes += [replace(node, outputs=(inner,)), Node(f"{pad.name}_{node.name}", pad.op, (inner,), node.outputs, pad.source)]
    if len(nodes) == len(model.nodes):
        return model
    return model.replace(nodes=tuple(nodes), tensors=tensors).without_dead()


def _keeps_zero(model: Graph, pad: Node, quantize: Node | None, readers: Mapping[str, Sequence[Node]]) -> bool:
    """Whether a quantizer reads a pad of real numbers by 0, has a code for 0, and only dequantizers with the same read its codes; and the
    scales and zero-points of neither go by place, which the pad moves."""
    if quantize is None or not isinstance(quantize.op, Quantize) or not isinstance(pad.op, Pad) or pad.op.value:
        return False
    axes = len(pad.op.pads) // 2
    source = model.producers().get(pad.inputs[0])
    if pad.op.pads[1] or pad.op.pads[axes + 1] or (source is not None and isinstance(source.op, Dequantize)):
        return False
    if quantize.outputs[0] in model.outputs:
        return False
    behind = readers[quantize.outputs[0]]
    held = [model.constants.get(t) for n in (quantize, *behind) for t in n.inputs[1:]]
    if any(v is None or math.prod(v.shape[2 - axes :]) > 1 for v in held) or not all(isinstance(n.op, Dequantize) for n in behind):
        return False
    zero, *others = (np.asarray(model.constants[n.inputs[2]]) for n in (quantize, *behind))
    alike = all(np.array_equal(zero, other) for other in others)
    return alike and bool(np.all((zero == np.rint(zero)) & (zero >= quantize.op.lo) & (zero <= quantize.op.hi)))
