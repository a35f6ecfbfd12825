"""Channels that always have equal codes, as equal rows of weights behind equal thresholds give: one of them is read, for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.intop import IntConcat, IntSlice, IntUnfold, View
from dfcompile.streamline.channels import BY_CHANNEL, Classes, is_dense, is_depthwise

_TYPES = ("int8", "int16", "int32", "int64")
Labels = Mapping[str, list[int]]
"""Stream -> of each of its channels a number, equal where the codes are."""


def merge_equal(graph: Graph) -> Graph:
    """conv(x) where channels of x are equal --> conv(x) that reads one of them, by the sum of their weights, as far as the others can go.

    They have weights of 0 then; weights of -1 and +1 alone, which sums would not be, are left as they are.
    """
    labels = equal_channels(graph)
    if all(len(set(of)) == len(of) for of in labels.values()):
        return graph
    instead = _instead(graph, labels)
    nodes, constants, tensors = [], dict(graph.constants), dict(graph.tensors)
    for node in graph.nodes:
        moved = instead.get(node.inputs[0], {}) if is_dense(node) else {}
        if moved:
            weights, name = constants[node.inputs[1]].astype(np.int64), f"{node.inputs[1]}.{node.name}.merged"
            for channel, other in moved.items():
                weights[..., other] += weights[..., channel]
                weights[..., channel] = 0
            constants[name], tensors[name] = weights, replace(tensors[node.inputs[1]], shape=weights.shape)
            node = replace(node, inputs=(node.inputs[0], name))
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes), constants=constants, tensors=tensors).without_dead()


def equal_channels(graph: Graph) -> Labels:
    """Which channels are equal for all inputs, as far as operators that are followed show it."""
    keys: dict[Hashable, int] = {}
    labels: dict[str, list[int]] = {}
    for t in graph.inputs:
        labels[t] = [keys.setdefault((t, c), len(keys)) for c in range(graph.tensors[t].channels)]
    for node in graph.nodes:
        for out in node.outputs:
            made = _keys(node, graph, labels) if out == node.outputs[0] else None
            each = made if made is not None else [(out, c) for c in range(graph.tensors[out].channels)]
            labels[out] = [keys.setdefault(key, len(keys)) for key in each]
    return labels


def _keys(node: Node, graph: Graph, labels: Labels) -> list[Hashable] | None:
    """What each channel of an operator's result depends on; None for an operator that is not followed."""
    op, channels = node.op, graph.tensors[node.outputs[0]].channels
    inside = [labels[t] for t in node.inputs if t in labels]
    if is_dense(node):
        return [(op, node.inputs[0], *key) for key in _row_keys(_summed(graph.constants[node.inputs[1]], inside[0]))]
    if isinstance(op, BY_CHANNEL) or is_depthwise(node, graph):
        held = [graph.constants[t] for t in node.inputs if t not in labels]
        if any(len(a) not in (1, channels) for a in held):
            return None
        rows = [[a[c if len(a) > 1 else 0].tobytes() for a in held] for c in range(channels)]
        plain = replace(op, groups=1) if is_depthwise(node, graph) else op  # type: ignore[type-var]
        return [(plain, *(of[c] for of in inside), *rows[c]) for c in range(channels)]
    if isinstance(op, IntConcat):
        return [label for of in inside for label in of]
    if isinstance(op, IntSlice):
        return list(inside[0][op.start : op.stop])
    if isinstance(op, IntUnfold | View):
        before = len(inside[0])
        return [(op, inside[0][c % before], c // before) for c in range(channels)] if _is_followed(node, before, channels) else None
    return None


def _summed(weights: Array, labels: list[int]) -> Array:
    """Weights of equal channels added up: the last axis is of one of each, in the order of their labels."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(labels)[order], prepend=-1))
    weights = weights if np.array_equal(order, np.arange(len(order))) else weights[..., order]
    return weights if len(starts) == len(order) else np.add.reduceat(weights.astype(np.int64), starts, axis=-1)


def _row_keys(rows: Array) -> list[tuple[str, bytes]]:
    """What equal rows share, whatever the type of the array: their numbers in the narrowest type that has them all."""
    ends = rows.reshape(len(rows), -1)
    types = (
        next(t for t in _TYPES if np.iinfo(t).min <= lo and hi <= np.iinfo(t).max) for lo, hi in zip(ends.min(1), ends.max(1), strict=True)
    )
    return [(t, row.astype(t).tobytes()) for t, row in zip(types, rows, strict=True)]


def _is_followed(node: Node, before: int, channels: int) -> bool:
    """Whether channels of an operator that moves elements are those before it, turn after turn."""
    op = node.op
    return isinstance(op, IntUnfold) or (isinstance(op, View) and (op.shape[:2] == (1, 1) or before == channels))


def _instead(graph: Graph, labels: Labels) -> dict[str, dict[int, int]]:
    """Of each stream that convolutions over all channels read the channels that go, and which equal one stays for each.

    A channel goes with all of its class: where everything that reads a channel of that finds an equal one that stays.
    """
    classes = Classes.find(graph)
    held = classes.fixed.copy()
    members: dict[int, list[tuple[str, int]]] = defaultdict(list)
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    readers = [n for n in graph.nodes if is_dense(n)]
    for stream in dict.fromkeys(n.inputs[0] for n in readers):
        if any(np.all(np.abs(graph.constants[n.inputs[1]]) == 1) for n in readers if n.inputs[0] == stream):
            held[classes.of[stream]] = True
        for c, (kind, label) in enumerate(zip(classes.of[stream].tolist(), labels[stream], strict=True)):
            members[kind].append((stream, c))
            alike[stream, label].append(c)
    going: set[int] = set()

    def stays(stream: str, channel: int) -> int | None:
        """An equal channel of a class that neither goes nor is this one's."""
        of = classes.of[stream]
        left = (c for c in alike[stream, labels[stream][channel]] if of[c] not in going and of[c] != of[channel])
        return next(left, None)

    for kind in sorted(members, reverse=True):
        if not held[kind] and all(stays(*m) is not None for m in members[kind]):
            going.add(kind)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for kind in going:
        for stream, channel in members[kind]:
            other = stays(stream, channel)
            assert other is not None, "what stays was not there when others went"
            found[stream][channel] = other
    return found
