"""Channels whose codes never change, read through pads of another code: of those whose codes are multiples of one as far from the pads'
one is read, for all.

What channel c, always k, adds to a sum is S the weights of the taps inside and W all of its weights: k S + p (W - S) = p W + (k - p) S
with pads of p. A second one, always j, adds q times as much of what changes at the border where j - p = q (k - p): its weights times q can
be the first one's, and what remains, (1 - q) p W, is the same at all places and goes into the thresholds behind the sum.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, op_of
from dfcompile.ir.intop import IntConv
from dfcompile.ir.types import IntType
from dfcompile.streamline.channels import by_channel, is_dense


def merge_constants(graph: Graph, free: Set[str]) -> tuple[Graph, dict[str, Array]]:
    """conv(x) with pads, of constant channels of x --> conv(x) that reads fewer of them, the others by weights of 0.

    free: the streams whose codes may all be less by a constant
    Returns the graph, and what the sums of each convolution are to be less by, (channels,), 0 where they are not named. The streams
    themselves are less only when the caller has moved the thresholds.
    """
    nodes, constants, tensors = [], dict(graph.constants), dict(graph.tensors)
    less: dict[str, Array] = {}
    for node in graph.nodes:
        if is_dense(node) and op_of(node, IntConv).window.has_pads:
            weights, rest = _merged(node, graph, node.outputs[0] in free)
            if weights is not None:
                name = f"{node.inputs[1]}.{node.name}.constants"
                constants[name], tensors[name] = weights, replace(tensors[node.inputs[1]], shape=weights.shape)
                node = replace(node, inputs=(node.inputs[0], name))
                if rest.any():
                    less[node.outputs[0]] = rest
        nodes.append(node)
    if tuple(nodes) == graph.nodes:
        return graph, less
    return graph.replace(nodes=tuple(nodes), constants=constants, tensors=tensors).without_dead(), less


def _merged(node: Node, graph: Graph, free: bool) -> tuple[Array | None, Array]:
    """The weights of a convolution when some constant channels stand for others, and what its sums lack; None where none does.

    Weights keep their bits: a channel is left where its product would need more, and so is a matrix of -1 and +1 alone. What a sum lacks
    is what it is less by.
    """
    before = np.asarray(graph.constants[node.inputs[1]], np.int64)
    lacks = np.zeros(len(before), np.int64)
    if np.all(np.abs(before) == 1):
        return None, lacks
    weights, pad = before.copy(), op_of(node, IntConv).pad_code
    lo, hi = by_channel(graph.tensors[node.inputs[0]])
    read = np.any(before != 0, axis=(0, 1, 2))
    far = np.where((lo == hi) & read, lo - pad, 0)
    bits = IntType.holding(int(before.min()), int(before.max())).bits
    order = sorted(np.flatnonzero(far).tolist(), key=lambda c: (abs(int(far[c])), c))
    for i, one in enumerate(order):
        for other in order[i + 1 :]:
            times, odd = divmod(int(far[other]), int(far[one])) if far[one] and far[other] else (0, 1)
            sums = weights[..., one] + times * weights[..., other]
            rest = (1 - times) * pad * weights[..., other].sum(axis=(1, 2))
            wide = IntType.holding(int(min(sums.min(), before.min())), int(max(sums.max(), before.max()))).bits > bits
            if odd or wide or (rest.any() and not free):
                continue
            weights[..., one], weights[..., other] = sums, 0
            lacks += rest
            far[other] = 0
    return (weights if np.any(weights != before) else None), lacks
