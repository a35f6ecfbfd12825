"""The ends of the body of a loop: an element of a sequence that it reads, and the sequence of what it gives.

A sequence of T elements lies on a stream as a row of T pixels, an element in each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Node, op_of
from dfcompile.ir.intop import IntCollectSteps, IntPad, IntTakeStep, Window
from dfcompile.ir.modelop import CollectSteps, TakeStep
from dfcompile.streamline.encode_layout import ordered
from dfcompile.streamline.encoder import Encoder
from dfcompile.streamline.layout import natural_index
from dfcompile.streamline.value import Addend, Value


def encode_take_step(enc: Encoder, node: Node) -> None:
    """One pixel of the sequence's row; brought into that order where it lies otherwise."""
    axis = op_of(node, TakeStep).axis - 1
    value = enc.codes(node.inputs[0], node)
    steps = np.moveaxis(value.index, axis, 0)
    pixels = steps.reshape(len(steps), 1, -1).transpose(2, 1, 0)
    row = ordered(enc, replace(value, index=np.ascontiguousarray(pixels)), node)
    stream = enc.emit(IntTakeStep(), (row.stream,), node.source, f"step_{node.name}")
    index = natural_index(len(pixels), 1, 1).reshape(steps.shape[1:])
    enc.known[node.outputs[0]] = replace(row, stream=stream, index=index, anchor=node.outputs[0])
    enc.note(node, "the steps of a sequence, one pixel each: no hardware")


def encode_collect_steps(enc: Encoder, node: Node) -> None:
    """The row of pixels; an operator that is still to be applied to each of them stays so."""
    op = op_of(node, CollectSteps)
    value = enc.value(node.inputs[0], node)
    h, w, c = enc.shape(value.stream)
    value = enc.view(value, (1, 1, h * w * c), node)
    collect, size = IntCollectSteps(op.count), h * w * c

    def row(stream: str) -> str:
        return enc.emit(collect, (stream,), node.source, f"sequence_{node.name}")

    index = np.stack([value.index + np.int32(t * size) for t in range(op.count)], op.axis - 1)
    addends = tuple(Addend(row(a.stream), a.grid) for a in value.addends)
    enc.known[node.outputs[0]] = replace(value, stream=row(value.stream), index=index, addends=addends)
    enc.note(node, "a sequence, one pixel for each step: no hardware")


def cropped(enc: Encoder, value: Value, node: Node) -> Value:
    """A part of one step of such a sequence --> the same on a stream of that step alone: often only the last one is read."""
    made = next((n.op for n in reversed(enc.nodes) if value.stream in n.outputs), None)
    if not isinstance(made, IntCollectSteps) or value.addends:
        return value
    size = enc.shape(value.stream)[2]
    first, last = int(value.index.min()) // size, int(value.index.max()) // size
    if first != last:
        return value
    window = Window(pads=(0, -first, 0, first + 1 - made.count))
    stream = enc.emit(IntPad(window), (value.stream,), node.source, f"crop_{node.name}")
    return replace(value, stream=stream, index=value.index - np.int32(first * size))
