"""Frames that a layer reads as one vector, in the order in which they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.intop import IntAdd, IntConv, IntMul, LookupCode, ThresholdCode, View, Window
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.layout import Shape3


def is_direct(window: Window, shape: Shape3, out_shape: Shape3, groups: int, depthwise: bool) -> bool:
    """Whether the stream already is the sequence of windows: 1x1, or one dense window over the whole frame."""
    if window.is_trivial:
        return True
    return (
        groups == 1
        and not depthwise
        and out_shape[:2] == (1, 1)
        and window == replace(window, pads=(0, 0, 0, 0), dilation=(1, 1), stuff=(1, 1))
        and window.kernel == shape[:2]
    )


def weight_type(weights: Array) -> IntType:
    """The narrowest type that holds all weights of a layer."""
    if np.all(np.abs(weights) == 1):
        return BIPOLAR
    return IntType.holding(int(weights.min()), int(weights.max()))


def flat_nodes(graph: Graph, readers: Mapping[str, Sequence[Node]]) -> set[str]:
    """Elementwise nodes whose frames are read as vectors only, by a layer or by others of these: they may take pixels side by side.

    readers: of each tensor
    """
    found: set[str] = set()
    for node in reversed(graph.nodes):
        out = node.outputs[0]
        if isinstance(node.op, IntAdd | IntMul | LookupCode | ThresholdCode) and out not in graph.outputs:
            behind = readers.get(out, ())
            if behind and all(r.name in found or _reads_vector(graph, r) for r in behind):
                found.add(node.name)
    return found


def _reads_vector(graph: Graph, node: Node) -> bool:
    (h, w, c), out = graph.tensors[node.inputs[0]].shape, graph.tensors[node.outputs[0]].shape
    if isinstance(node.op, View):
        return out[:2] == (1, 1)
    if not isinstance(node.op, IntConv) or out[:2] != (1, 1):
        return False
    depthwise = node.op.groups == c and out[2] == c
    return is_direct(node.op.window, (h, w, c), (1, 1, out[2]), node.op.groups, depthwise)
