"""Exact pruning: what weights of 0 leave without any influence does not become hardware.

* A channel that nobody reads, and one whose code is always the same, goes, with the rows of weights that made it and the columns that read
  it: what a constant channel adds to its readers' sums moves into the thresholds behind them.
* Of channels whose codes are always equal one is read, for all; so it is of constant ones that are not what a convolution pads with.
* Taps of a window that are 0 in every kernel go: 3x3 -> 1x1, a smaller kernel, or fewer taps further apart.
* A matrix of blocks becomes a grouped convolution, its channels in another order.
* A convolution that gives what it takes goes.
* What zeros are left come together, by another order of channels (`gather_zeros`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, op_of
from dfcompile.ir.intop import IntAdd, IntConcat, IntConv, IntPool, IntSlice, IntUpsample, ThresholdCode
from dfcompile.ir.intop_base import Window
from dfcompile.streamline.channels import Classes, by_channel, is_dense, is_depthwise, orders, rearranged
from dfcompile.streamline.decline import Decline, Tell, in_silence
from dfcompile.streamline.gather_zeros import gather_zeros
from dfcompile.streamline.merge import merge_equal
from dfcompile.streamline.merge_constants import merge_constants

ROUNDS = 16  # of pruning channels, each of which can leave others without a reader; the rest is left


def prune(graph: Graph, decline: Decline = in_silence, tell: Tell = in_silence) -> Graph:
    """All of it, in an order in which one makes room for the next."""
    graph = drop_identities(graph, tell)
    graph = shrink_windows(graph, tell)
    for i in range(ROUNDS):
        graph = _without_constants(merge_equal(graph), f".one{i}" if i else ".one")
        smaller = prune_channels(graph, decline if not i else in_silence, tell, f".cut{i}" if i else ".cut")
        if smaller is graph:
            break
        graph = smaller
    return gather_zeros(group_blocks(shrink_windows(graph, tell), tell), tell)


def _without_constants(graph: Graph, mark: str) -> Graph:
    """The graph where of channels that never change fewer are read through pads, its thresholds moved along."""
    merged, less = merge_constants(graph, _shiftable(graph))
    if not less:
        return merged
    classes = Classes.find(merged)
    return rearranged(merged, {}, _shifts(merged, classes, np.zeros_like(classes.fixed), less), mark)


def drop_identities(graph: Graph, tell: Tell = in_silence) -> Graph:
    """conv(x) --> x, for a 1x1 convolution whose matrix is the identity."""
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(t, t) for t in node.inputs))
        if isinstance(node.op, IntConv) and node.op.window.is_trivial and node.outputs[0] not in graph.outputs:
            weights = graph.constants[node.inputs[1]][:, 0, 0]
            if len(weights) == graph.tensors[node.inputs[0]].channels and _is_identity(weights, node.op.groups):
                renamed[node.outputs[0]] = node.inputs[0]
                tell(node, "its matrix is the identity: left out")
                continue
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes)).without_dead() if renamed else graph


def _is_identity(weights: Array, groups: int) -> bool:
    """Whether a matrix, (outputs, inputs of a group), hands on what it reads."""
    if groups != 1:
        return bool(np.all(weights == 1))
    return weights.shape[0] == weights.shape[1] and bool(np.all(np.diag(weights) == 1)) and np.count_nonzero(weights) == len(weights)


def shrink_windows(graph: Graph, tell: Tell = in_silence) -> Graph:
    """conv(x) with taps that are 0 in every kernel --> conv(x) over a smaller window at the same places."""
    nodes, constants, tensors = [], dict(graph.constants), dict(graph.tensors)
    for node in graph.nodes:
        if isinstance(node.op, IntConv) and max(node.op.window.kernel) > 1:
            weights = constants[node.inputs[1]]
            window, taps = _smaller(node.op.window, np.any(weights != 0, axis=(0, 3)))
            if window != node.op.window:
                name = f"{node.inputs[1]}.{node.name}.taps"
                constants[name] = np.ascontiguousarray(weights[:, taps[0]][:, :, taps[1]])
                tensors[name] = replace(tensors[node.inputs[1]], shape=constants[name].shape)
                old, new = ("x".join(map(str, w.kernel)) for w in (node.op.window, window))
                tell(node, f"taps of its {old} window are 0 in every kernel: {new} are left")
                pad_code = node.op.pad_code if window.has_pads else 0
                node = replace(node, op=replace(node.op, window=window, pad_code=pad_code), inputs=(node.inputs[0], name))
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes), constants=constants, tensors=tensors).without_dead()


def _smaller(window: Window, used: Array) -> tuple[Window, tuple[slice, slice]]:
    """The least window with these taps (kh, kw), and which rows and columns of the kernel it keeps."""
    kernel, dilation, pads, taps = list(window.kernel), list(window.dilation), list(window.pads), []
    for axis in range(2):
        places = np.flatnonzero(used.any(axis=1 - axis))
        first, last = (int(places[0]), int(places[-1])) if len(places) else (0, 0)
        step = math.gcd(*(int(p) - first for p in places)) or 1
        before, after = first * dilation[axis], (kernel[axis] - 1 - last) * dilation[axis]
        pads[axis], pads[axis + 2] = pads[axis] - before, pads[axis + 2] - after
        kernel[axis] = (last - first) // step + 1
        dilation[axis] = dilation[axis] * step if kernel[axis] > 1 else 1
        taps.append(slice(first, last + 1, step))
    quad = (pads[0], pads[1], pads[2], pads[3])
    return replace(window, kernel=(kernel[0], kernel[1]), dilation=(dilation[0], dilation[1]), pads=quad), (taps[0], taps[1])


def prune_channels(graph: Graph, decline: Decline = in_silence, tell: Tell = in_silence, mark: str = ".cut") -> Graph:
    """The graph without channels that are not read, or whose codes never change; the same graph where there are none."""
    if not any(_is_idle(node, graph) for node in graph.nodes if is_dense(node)):
        return graph
    classes = Classes.find(graph)
    needed = classes.fixed.copy()
    free = _shiftable(graph)
    reads = {n.name: _read(n, graph) & ~_foldable(n, graph, free, decline) for n in graph.nodes if is_dense(n)}
    while True:
        _spread(graph, classes, reads, needed)
        index = {t: np.flatnonzero(needed[of]) for t, of in classes.of.items() if not needed[of].all()}
        empty = [t for t, kept in index.items() if not len(kept)]
        if not empty:
            break
        needed[classes.of[empty[0]][0]] = True  # a stream has one channel at least
    going = ~needed
    if not index:
        return graph
    for node in graph.nodes:
        if isinstance(node.op, IntConv) and node.outputs[0] in index:
            before, after = len(classes.of[node.outputs[0]]), len(index[node.outputs[0]])
            tell(node, f"{before - after} of its {before} channels are not read, equal to others, or always the same: left out")
    return rearranged(graph, index, _shifts(graph, classes, going), mark)


def _read(node: Node, graph: Graph) -> Array:
    """Which outputs of a convolution over all channels read which inputs: (outputs, inputs)."""
    return np.asarray(np.any(graph.constants[node.inputs[1]] != 0, axis=(1, 2)))


def _constant(graph: Graph, stream: str) -> tuple[Array, Array]:
    """Which channels of a stream have one code only, and which one."""
    lo, hi = by_channel(graph.tensors[stream])
    return lo == hi, np.where(lo == hi, lo, 0)


def _is_idle(node: Node, graph: Graph) -> bool:
    """Whether a convolution reads a channel for nothing: one that is always the same, or with weights of 0 alone."""
    return bool(_constant(graph, node.inputs[0])[0].any() or not _read(node, graph).any(axis=0).all())


def _spread(graph: Graph, classes: Classes, reads: Mapping[str, Array], needed: Array) -> None:
    """Mark the classes that those marked cannot do without."""
    convs = [n for n in reversed(graph.nodes) if n.name in reads]
    while True:
        before = int(needed.sum())
        for node in convs:
            rows = needed[classes.of[node.outputs[0]]]
            needed[classes.of[node.inputs[0]][reads[node.name][rows].any(axis=0)]] = True
        if int(needed.sum()) == before:
            return


def _foldable(node: Node, graph: Graph, free: Set[str], decline: Decline) -> Array:
    """Channels of its input that a convolution can do without, as they add the same to each of its sums."""
    op = op_of(node, IntConv)
    same, code = _constant(graph, node.inputs[0])
    if op.window.has_pads and np.any(same & (code != op.pad_code)):
        decline(node, f"a channel that it reads is always the same, but not the {op.pad_code} that it pads with: sums at the border differ")
        same = same & (code == op.pad_code)
    if np.any(same & (code != 0)) and node.outputs[0] not in free:
        decline(node, "a channel that it reads is always the same, but no threshold behind it could take what it adds")
        same = same & (code == 0)
    return same


def _shiftable(graph: Graph) -> set[str]:
    """The streams whose codes may all be less by a constant: in the end thresholds read them, which can be less too."""
    held = set(graph.outputs)
    for node in reversed(graph.nodes):
        window = getattr(node.op, "window", None)
        plain = window is None or not window.has_pads or (isinstance(node.op, IntPool) and node.op.mode != "sum")
        followed = isinstance(node.op, IntAdd | IntPool | IntUpsample | IntConcat | IntSlice)
        followed = followed or is_dense(node) or is_depthwise(node, graph)
        passes = plain and followed and node.outputs[0] not in held
        if not passes and not isinstance(node.op, ThresholdCode):
            held.update(node.inputs)
    return {t for t in graph.tensors if t not in held}


def _shifts(graph: Graph, classes: Classes, going: Array, lacking: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """What the codes of each stream are less by, for each channel, when classes go, and sums of convolutions lack what is `lacking`."""
    found: dict[str, Array] = {}
    for node in graph.nodes:
        op, source, out = node.op, node.inputs[0], node.outputs[0]
        given = [found.get(t, np.zeros(graph.tensors[t].channels, np.int64)) for t in node.inputs if t in classes.of]
        if is_dense(node):
            code = _constant(graph, source)[1]
            less = np.where(going[classes.of[source]], code, given[0])
            made = graph.constants[node.inputs[1]].sum(axis=(1, 2), dtype=np.int64) @ less + (lacking or {}).get(out, 0)
            made[going[classes.of[out]]] = 0
        elif not any(g.any() for g in given) or isinstance(op, ThresholdCode):
            continue
        elif isinstance(op, IntConv):
            made = graph.constants[node.inputs[1]].sum(axis=(1, 2, 3), dtype=np.int64) * given[0]
        elif isinstance(op, IntAdd):
            made = op.factors[0] * given[0] + op.factors[1] * given[1]
        elif isinstance(op, IntConcat):
            made = np.concatenate(given)
        elif isinstance(op, IntSlice):
            made = given[0][op.start : op.stop]
        else:
            made = given[0] * (math.prod(op.window.kernel) if isinstance(op, IntPool) and op.mode == "sum" else 1)
        if made.any():
            found[out] = made
    return found


def group_blocks(graph: Graph, tell: Tell = in_silence) -> Graph:
    """conv(x) whose matrix is one of blocks, its rows and columns in some order --> grouped conv, channels in the order of the blocks."""
    for node in graph.nodes:
        if is_dense(node):
            graph = _grouped(graph, graph.node(node.name), tell)
    return graph


def _grouped(graph: Graph, node: Node, tell: Tell) -> Graph:
    weights = graph.constants[node.inputs[1]]
    blocks = _blocks(_read(node, graph))
    if blocks is None:
        return graph
    rows, columns, count = blocks
    classes = Classes.find(graph)
    index = orders(classes, {node.outputs[0]: rows, node.inputs[0]: columns})
    if index is None:
        return graph
    tell(node, f"its matrix is one of {count} blocks: a convolution in groups")
    graph = rearranged(graph, index, {}, ".blocks") if index else graph
    node = graph.node(node.name)
    weights = graph.constants[node.inputs[1]]
    outputs, inputs = len(rows) // count, len(columns) // count
    name = f"{node.name}.blocks"
    constants, tensors = dict(graph.constants), dict(graph.tensors)
    parts = [weights[i * outputs : (i + 1) * outputs, :, :, i * inputs : (i + 1) * inputs] for i in range(count)]
    constants[name] = np.ascontiguousarray(np.concatenate(parts))
    tensors[name] = replace(tensors[node.inputs[1]], shape=constants[name].shape)
    made = replace(node, op=replace(op_of(node, IntConv), groups=count), inputs=(node.inputs[0], name))
    nodes = tuple(made if n.name == node.name else n for n in graph.nodes)
    return graph.replace(nodes=nodes, constants=constants, tensors=tensors).without_dead()


def _blocks(read: Array) -> tuple[Array, Array, int] | None:
    """Orders of the rows and columns of a matrix in which it has equal blocks on its diagonal, and how many; None where it has one."""
    outputs, inputs = read.shape
    if read.all(axis=1).any():
        return None
    label = np.full(inputs, -1)
    parts: list[tuple[list[int], list[int]]] = []
    for start in range(inputs):
        if label[start] >= 0:
            continue
        inside = np.arange(inputs) == start
        while True:
            rows = np.asarray(read[:, inside].any(axis=1))
            wider = np.asarray(read[rows].any(axis=0) | inside)
            if np.array_equal(wider, inside):
                break
            inside = wider
        label[inside] = len(parts)
        parts.append((np.flatnonzero(rows).tolist(), np.flatnonzero(inside).tolist()))
    for count in range(len(parts), 1, -1):
        if inputs % count == 0 and outputs % count == 0 and (packed := _packed(parts, outputs // count, inputs // count, count)):
            order = [np.array([i for part in packed for i in part[side]]) for side in (0, 1)]
            return order[0], order[1], count
    return None


def _packed(parts: list[tuple[list[int], list[int]]], rows: int, columns: int, count: int) -> list[tuple[list[int], list[int]]] | None:
    """The parts put together into so many blocks of so many rows and columns, the large ones first; None where that does not work out."""
    blocks: list[tuple[list[int], list[int]]] = [([], []) for _ in range(count)]
    for part in sorted(parts, key=lambda p: (-len(p[0]) - len(p[1]), p[1])):
        for block in blocks:
            if len(block[0]) + len(part[0]) <= rows and len(block[1]) + len(part[1]) <= columns:
                block[0].extend(part[0])
                block[1].extend(part[1])
                break
        else:
            return None
    full = all(len(b[0]) == rows and len(b[1]) == columns for b in blocks)
    return [(sorted(b[0]), sorted(b[1])) for b in blocks] if full else None
