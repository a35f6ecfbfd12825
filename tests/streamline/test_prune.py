"""Exact pruning: what goes, what must stay, and random graphs whose numbers stay the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntAdd, IntConcat, IntConv, IntMul, IntOp, IntPool, IntSlice, IntUpsample, ThresholdCode, View, Window
from dfcompile.ir.types import IntType
from dfcompile.streamline.decline import Declined, noted
from dfcompile.streamline.merge import _row_keys, _summed
from dfcompile.streamline.prune import prune
from tests.examples import examples
from tests.streamline.graphs import Builder, assert_same, kinds, random_codes

SAME = Window((3, 3), pads=(1, 1, 1, 1))


def typed(graph: Graph) -> Graph:
    """The graph with proven ranges of all its streams."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        assert isinstance(node.op, IntOp)
        streams = []
        for t in node.inputs:
            if t not in graph.constants:
                lo, hi = (np.broadcast_to(end, (tensors[t].channels,)) for end in tensors[t].range)
                streams.append((lo, hi))
        constants = tuple(graph.constants[t] for t in node.inputs if t in graph.constants)
        lo, hi = (np.asarray(end).astype(np.int64) for end in node.op.bounds(tuple(streams), constants))
        out = tensors[node.outputs[0]]
        tensors[node.outputs[0]] = replace(out, dtype=IntType.holding(int(lo.min()), int(hi.max())), lo=lo, hi=hi)
    return graph.replace(tensors=tensors)


def pruned(graph: Graph) -> Graph:
    """The graph after the pass, after a look that all codes are the same and lie in the ranges that it claims."""
    before = typed(graph)
    after = prune(before)
    assert_same(before, after)
    streams = [t for n in after.nodes for t in n.outputs]
    for t, codes in after.execute(random_codes(after), keep=streams).items():
        lo, hi = after.tensors[t].range
        assert np.all((codes >= lo) & (codes <= hi)) and codes.shape[1:] == after.tensors[t].shape
        assert after.tensors[t].codes.lo <= np.min(lo) and np.max(hi) <= after.tensors[t].codes.hi
    return after


def steps(channels: int, bits: int = 2, seed: int = 0) -> dict[str, Any]:
    thresholds = np.sort(np.random.default_rng(seed).integers(-9, 10, (channels, 2**bits - 1)), axis=1)
    return {"thresholds": thresholds, "flip": np.zeros(channels, bool)}


def random_weights(*shape: int, seed: int = 0) -> np.ndarray:
    w = np.random.default_rng(seed).integers(-4, 4, shape)
    return np.where(w == 0, 3, w)


def shapes(graph: Graph) -> list[tuple[int, ...]]:
    """Shapes of all weights, in order."""
    return [graph.constants[n.inputs[1]].shape for n in graph.nodes if isinstance(n.op, IntConv)]


def two_convs(first: np.ndarray, second: np.ndarray, window: Window, thresholds: dict[str, Any], pad_code: int = 0) -> Graph:
    b = Builder()
    x = b.input((5, 6, first.shape[3]), 0, 3)
    y = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), x, weights=first), **thresholds)
    z = b.op(IntConv(window, pad_code=pad_code), y, weights=second)
    return b.graph(b.op(ThresholdCode(2, 0), z, **steps(len(second), seed=5)))


def test_equal_channels_are_read_once() -> None:
    """Rows 0, 3 and 5 are alike, and their thresholds: one is left, read by the sum of what read them."""
    first, table, second = random_weights(6, 3, 3, 2), steps(6), random_weights(4, 3, 3, 6)
    for row in (3, 5):
        first[row], table["thresholds"][row] = first[0], table["thresholds"][0]
    after = pruned(two_convs(first, second, SAME, table, pad_code=1))
    assert shapes(after) == [(4, 3, 3, 2), (4, 3, 3, 4)]
    assert np.array_equal(after.constants[after.nodes[2].inputs[1]][..., 0], second[..., [0, 3, 5]].sum(axis=-1))
    wide = random_weights(4, 3, 3, 6) * 25
    assert shapes(pruned(two_convs(first, wide.astype(np.int8), SAME, table)))[0] == (4, 3, 3, 2)  # sums beyond the stored type
    table["thresholds"][3, 0] -= 1  # another function of the same sums
    assert shapes(pruned(two_convs(first, second, SAME, table)))[0] == (5, 3, 3, 2)
    binary = 2 * (second > 0) - 1
    assert shapes(pruned(two_convs(first, binary, SAME, table))) == [(6, 3, 3, 2), (4, 3, 3, 6)]


def test_channels_that_become_equal_are_read_once() -> None:
    """Through pools, sums and further layers; not where one of them leaves the network."""
    first = random_weights(4, 1, 1, 2, seed=21)
    first[2] = first[1]
    second = random_weights(4, 1, 1, 4, seed=3)
    second[3] = second[0]
    second[3, ..., 1], second[3, ..., 2] = second[0, ..., 2], second[0, ..., 1]  # equal but for what reads equal channels
    third, table = random_weights(3, 1, 1, 4), {"thresholds": np.array([[-2, 1, 4]]), "flip": np.zeros(1, bool)}
    for leaves in (False, True):
        b = Builder()
        x = b.op(ThresholdCode(2, 0), b.op(IntConv(), b.input((4, 4, 2), 0, 3), weights=first), **table)
        x = b.op(IntPool("max", Window((2, 2), (2, 2))), x)
        y = b.op(ThresholdCode(2, 0), b.op(IntConv(), x, weights=second), **table)
        z = b.op(IntConv(), b.op(IntAdd((1, 1)), y, y), weights=third)
        after = pruned(b.graph(z, *((y,) if leaves else ())))
        assert shapes(after) == ([(3, 1, 1, 2), (4, 1, 1, 3), (3, 1, 1, 4)] if leaves else [(3, 1, 1, 2), (3, 1, 1, 3), (3, 1, 1, 3)])


def test_channels_that_nobody_reads() -> None:
    second = random_weights(4, 3, 3, 8)
    second[..., [1, 2, 7]] = 0
    after = pruned(two_convs(random_weights(8, 3, 3, 2), second, SAME, steps(8)))
    assert shapes(after) == [(5, 3, 3, 2), (4, 3, 3, 5)]


@pytest.mark.parametrize(("window", "codes", "left"), [(SAME, 0, 5), (Window((3, 3)), 0, 5), (Window((3, 3)), 2, 5), (SAME, 2, 6)])
def test_channels_that_are_always_the_same(window: Window, codes: int, left: int) -> None:
    """A code of 0 goes everywhere; another one only where the reader does not pad with something else: its sums differ at the
    border. Of three such channels one is left."""
    first, thresholds = random_weights(8, 3, 3, 2), steps(8)
    first[[0, 3, 4]] = 0
    thresholds["thresholds"][[0, 3, 4]] = [0] * codes + [1] * (3 - codes)
    after = pruned(two_convs(first, random_weights(4, 3, 3, 8), window, thresholds))
    assert [s[0] for s in shapes(after)] == [left, 4]


def test_the_code_of_the_pads_is_no_hindrance() -> None:
    first, thresholds = random_weights(8, 3, 3, 2), steps(8)
    first[2] = 0
    thresholds["thresholds"][2] = [0, 0, 1]
    assert shapes(pruned(two_convs(first, random_weights(4, 3, 3, 8), SAME, thresholds, pad_code=2)))[0][0] == 7


@pytest.mark.parametrize(("pad_code", "left"), [(0, 6), (1, 6), (-1, 7), (3, 6)])
def test_constants_that_are_no_pads_are_read_as_one(pad_code: int, left: int) -> None:
    """Codes 1, 2 and 3 in channels that never change: those a multiple of one as far from the pads' code, which itself needs none."""
    first, thresholds, second = random_weights(8, 3, 3, 2), steps(8), random_weights(4, 3, 3, 8) * 0 + 1
    for channel, code in ((1, 2), (4, 1), (6, 3)):
        first[channel] = 0
        thresholds["thresholds"][channel] = [0] * code + [1] * (3 - code)
    second[0, 0, 0, 0] = 9  # six fit 5 bits
    second[..., 4] = -1
    after = pruned(two_convs(first, second, SAME, thresholds, pad_code=pad_code))
    assert [s[0] for s in shapes(after)] == [left, 4]


def test_constants_whose_weights_would_widen_stay() -> None:
    first, thresholds, second = random_weights(8, 3, 3, 2), steps(8), random_weights(4, 3, 3, 8) * 0 + 1
    first[[1, 4]] = 0
    thresholds["thresholds"][[1, 4]] = [[0, 0, 0], [0, 1, 1]]
    second[0, ..., 1] = 2
    for widest, left in ((7, 7), (3, 8)):
        second[0, 0, 0, 0] = widest
        assert shapes(pruned(two_convs(first, second, SAME, thresholds)))[0][0] == left


def test_what_stops_a_constant_channel_is_told() -> None:
    first, thresholds = random_weights(8, 3, 3, 2), steps(8)
    first[2] = 0
    thresholds["thresholds"][2] = [0, 0, 1]
    said: list[Declined] = []
    prune(typed(two_convs(first, random_weights(4, 3, 3, 8), SAME, thresholds)), noted("prune", said))
    assert len(said) == 1 and "not the 0 that it pads with" in said[0].why
    b = Builder()
    y = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), b.input((5, 6, 2), 0, 3), weights=first), **thresholds)
    said.clear()
    graph = typed(b.graph(b.op(IntConv(Window((3, 3))), y, weights=random_weights(4, 3, 3, 8))))
    after = prune(graph, noted("prune", said))
    assert len(said) == 1 and "no threshold behind it" in said[0].why and shapes(after)[0][0] == 8


def test_one_thing_leads_to_another() -> None:
    """The last reads half of its channels, so the one before has half of its rows, whose columns leave more unread."""
    weights = [random_weights(8, 1, 1, 8, seed=i) for i in range(4)]
    weights[3][..., 4:] = 0
    for w in weights[1:3]:
        w[:4, :, :, 4:] = 0
    b = Builder()
    x = b.input((4, 4, 8), 0, 3)
    for i, w in enumerate(weights):
        x = b.op(ThresholdCode(2, 0), b.op(IntConv(), x, weights=w), **steps(8, seed=i))
    assert shapes(pruned(b.graph(x))) == [(4, 1, 1, 8), (4, 1, 1, 4), (4, 1, 1, 4), (8, 1, 1, 4)]


def test_one_channel_is_left() -> None:
    after = pruned(two_convs(random_weights(8, 3, 3, 2), np.zeros((4, 3, 3, 8), np.int64), SAME, steps(8)))
    assert shapes(after)[0][0] == 1


def test_channels_on_two_ways() -> None:
    """x + f(x): a channel goes where neither way leads to a reader; concatenated ones go from either part."""
    b = Builder()
    stem = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), b.input((4, 4, 3), 0, 3), weights=random_weights(6, 3, 3, 3)), **steps(6))
    branch = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), stem, weights=random_weights(6, 3, 3, 6, seed=1)), **steps(6, seed=1))
    joined = b.op(IntConcat(), b.op(IntAdd((1, 2)), stem, branch), b.op(IntUpsample((1, 1)), branch))
    last = random_weights(5, 1, 1, 12, seed=2)
    last[..., [0, 5, 6, 8]] = 0
    before = b.graph(b.op(ThresholdCode(2, 0), b.op(IntConv(), b.op(IntSlice(0, 12), joined), weights=last), **steps(5)))
    assert shapes(pruned(before)) == [(6, 3, 3, 3), (6, 3, 3, 6), (5, 1, 1, 12)]
    conv = next(n for n in before.nodes if before.constants.get(n.inputs[-1]) is not None and n.name == "n2")
    weights = before.constants[conv.inputs[1]].copy()
    weights[..., 0] = 0  # now channel 0 of the stem leads nowhere but into the sum, and that of the branch into the second part too
    last[..., 6] = 0
    after = pruned(before.replace(constants={**before.constants, conv.inputs[1]: weights}))
    assert shapes(after) == [(5, 3, 3, 3), (5, 3, 3, 5), (5, 1, 1, 10)]


@pytest.mark.parametrize(
    ("taps", "kernel", "dilation", "pads"),
    [
        ([(1, 1)], (1, 1), (1, 1), (0, 0, 0, 0)),
        ([(0, 0)], (1, 1), (1, 1), (1, 1, -1, -1)),
        ([(0, 0), (2, 2)], (2, 2), (2, 2), (1, 1, 1, 1)),
        ([(0, 1), (2, 1)], (2, 1), (2, 1), (1, 0, 1, 0)),
        ([(1, 0), (1, 1), (2, 1)], (2, 2), (1, 1), (0, 1, 1, 0)),
        ([], (1, 1), (1, 1), (1, 1, -1, -1)),
    ],
)
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_taps(taps: list[Any], kernel: Any, dilation: Any, pads: Any, groups: int, stride: Any) -> None:
    used = np.zeros((3, 3), bool)
    for at in taps:
        used[at] = True
    weights = random_weights(3, 3, 3, 3 // groups) * used[None, :, :, None]
    b = Builder()
    before = b.graph(b.op(IntConv(replace(SAME, stride=stride), groups, 2), b.input((5, 6, 3), 0, 3), weights=weights))
    (node,) = pruned(before).nodes
    assert isinstance(node.op, IntConv)
    assert node.op.window == Window(kernel, stride, pads, dilation)


def test_an_identity_goes() -> None:
    b = Builder()
    x = b.op(ThresholdCode(2, 0), b.op(IntConv(), b.input((4, 4, 3), 0, 3), weights=np.eye(3, dtype=int)[:, None, None]), **steps(3))
    assert kinds(pruned(b.graph(x))) == ["threshold"]


def test_blocks_become_groups() -> None:
    """Blocks in any order of rows and columns; their channels move, and with them thresholds and the columns of the next reader."""
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(8), rng.permutation(12)
    second = np.zeros((8, 3, 3, 12), np.int64)
    for k in range(4):
        second[np.ix_(rows[2 * k : 2 * k + 2], range(3), range(3), columns[3 * k : 3 * k + 3])] = random_weights(2, 3, 3, 3, seed=k)
    b = Builder()
    y = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), b.input((5, 6, 2), 0, 3), weights=random_weights(12, 3, 3, 2)), **steps(12))
    z = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), b.op(IntPool("max", Window((2, 2))), y), weights=second), **steps(8, seed=1))
    before = b.graph(b.op(IntConv(), z, weights=random_weights(5, 1, 1, 8)))
    after = pruned(before)
    assert shapes(after) == [(12, 3, 3, 2), (8, 3, 3, 3), (5, 1, 1, 8)]
    assert [n.op.groups for n in after.nodes if isinstance(n.op, IntConv)] == [1, 4, 1]


def test_blocks_whose_channels_may_not_move_stay() -> None:
    weights = np.zeros((4, 1, 1, 4), np.int64)
    weights[[0, 2], :, :, 0] = weights[[0, 2], :, :, 2] = weights[[1, 3], :, :, 1] = weights[[1, 3], :, :, 3] = 2
    b = Builder()
    (node,) = pruned(b.graph(b.op(IntConv(), b.input((3, 3, 4), 0, 3), weights=weights))).nodes
    assert isinstance(node.op, IntConv) and node.op.groups == 1


def test_crossed_blocks_whose_outputs_meet_their_inputs_stay() -> None:
    """A gate: what a matrix gives is multiplied by what it reads, channel by channel, so neither moves without the other."""
    weights = np.zeros((4, 1, 1, 4), np.int64)
    weights[[0, 1, 2, 3], 0, 0, [2, 3, 0, 1]] = [2, -1, 3, -2]
    levels = {"thresholds": np.tile([-3, 0, 2], (4, 1)), "flip": np.zeros(4, bool)}  # no channel is always the same
    b = Builder()
    y = b.op(ThresholdCode(2, 0), b.op(IntConv(), b.input((3, 3, 2), 0, 3), weights=random_weights(4, 1, 1, 2)), **levels)
    gate = b.op(ThresholdCode(2, 0), b.op(IntConv(), y, weights=weights), **levels)
    before = b.graph(b.op(IntConv(), b.op(IntMul(), gate, y), weights=random_weights(3, 1, 1, 4)))
    assert [n.op.groups for n in pruned(before).nodes if isinstance(n.op, IntConv)] == [1, 1, 1]


@pytest.mark.parametrize("view", [False, True])
def test_flattened_channels(view: bool) -> None:
    """A channel of the picture is one of each position behind it: it goes where all of them are unread."""
    b = Builder()
    y = b.op(ThresholdCode(2, 0), b.op(IntConv(SAME), b.input((2, 3, 2), 0, 3), weights=random_weights(4, 3, 3, 2)), **steps(4))
    last = random_weights(5, 1, 1, 24)
    last[..., 1::4] = 0
    last[..., 2] = 0
    after = pruned(b.graph(b.op(IntConv(), b.op(View((1, 1, 24)), y), weights=last)))
    assert shapes(after) == [(3, 3, 3, 2), (5, 1, 1, 18)]


@given(seed=st.integers(0, 2**32 - 1))
@examples(150)
def test_random_graphs(seed: int) -> None:
    """Zeros of all kinds in chains, sums, concatenations and views: the same codes, ranges that hold, no more weights than before."""
    rng = np.random.default_rng(seed)
    before = random_graph(rng)
    after = pruned(before)
    assert sum(map(np.prod, shapes(after))) <= sum(map(np.prod, shapes(before)))


def random_graph(rng: np.random.Generator) -> Graph:
    b = Builder()
    streams = [b.input((4, 4, int(rng.integers(1, 5))), int(rng.integers(-2, 1)), int(rng.integers(1, 4)))]
    for i in range(int(rng.integers(2, 6))):
        x = streams[int(rng.integers(len(streams)))]
        h, w, _ = b.tensors[x].shape
        pick = rng.integers(6)
        if pick == 0 and len(streams) > 1:
            other = streams[int(rng.integers(len(streams)))]
            if b.tensors[other].shape == b.tensors[x].shape:
                streams.append(b.op(IntAdd((int(rng.integers(1, 3)), -1)), x, other))
                continue
        if pick == 1:
            streams.append(b.op(IntPool(str(rng.choice(["max", "min", "sum"])), Window((min(h, 2), min(w, 2)))), x))
            continue
        if pick == 2 and len(streams) > 1:
            alike = [t for t in streams if b.tensors[t].shape[:2] == (h, w)]
            streams.append(b.op(IntConcat(), x, alike[0]))
            continue
        streams.append(random_layer(b, x, rng, i))
    last = streams[-1]
    if rng.integers(2):
        last = b.op(View((1, 1, int(np.prod(b.tensors[last].shape)))), last)
    return b.graph(random_layer(b, last, rng, 99), *([streams[-1]] if rng.integers(4) == 0 else []))


def random_layer(b: Builder, x: str, rng: np.random.Generator, seed: int) -> str:
    """A convolution with zeros in rows, columns, taps or blocks, or equal rows, and thresholds, some never or always reached."""
    h, w, c = b.tensors[x].shape
    outputs = int(rng.integers(1, 7))
    k = int(min(3, h, w)) if rng.integers(2) else 1
    pads = (1, 1, 1, 1) if k == 3 and rng.integers(2) else (0, 0, 0, 0)
    depthwise = bool(c > 1 and rng.integers(4) == 0)
    weights = rng.integers(-3, 4, (c if depthwise else outputs, k, k, 1 if depthwise else c))
    weights[rng.random(len(weights)) < 0.3] = 0
    weights[..., rng.random(weights.shape[3]) < 0.3] = 0
    weights[:, rng.random(k) < 0.3] = 0
    if not depthwise and rng.integers(3) == 0:
        blocks = rng.integers(0, 2, len(weights))[:, None] == rng.integers(0, 2, c)[None, :]
        weights = weights * blocks[:, None, None, :]
    if rng.integers(3) == 0:
        weights[rng.random(len(weights)) < 0.5] = weights[0]
    y = b.op(IntConv(Window((k, k), pads=pads), c if depthwise else 1, int(rng.integers(0, 2))), x, weights=weights)
    if rng.integers(5) == 0:
        return y
    rows = len(weights)
    thresholds = np.sort(rng.integers(-8, 9, (rows if rng.integers(3) else 1, 3)), axis=1)
    return b.op(ThresholdCode(2, int(rng.integers(-2, 1))), y, thresholds=thresholds, flip=rng.random(rows) < 0.3)


@pytest.mark.parametrize("labels", [[0, 1, 2], [2, 0, 1], [0, 1, 0], [3, 3, 3], [4]])
def test_weights_of_equal_channels_are_summed(labels: list[int]) -> None:
    """One sum for each label, in their order, none left out: rows that differ in a single one are not equal."""
    weights = np.arange(-6, 2 * 3 * len(labels) - 6, dtype=np.int8).reshape(2, 3, len(labels))
    wanted = [sum(weights[..., c].astype(int) for c, other in enumerate(labels) if other == label) for label in sorted(set(labels))]
    np.testing.assert_array_equal(_summed(weights, labels), np.stack(wanted, axis=-1))


def test_equal_rows_have_equal_keys_whatever_their_type() -> None:
    rows = np.array([[1, -128], [1, 128], [1, 128], [0, 70_000]], np.int64)
    keys = _row_keys(rows)
    assert keys == _row_keys(rows.astype(np.float64)) and keys[1] == keys[2] and len(set(keys)) == 3
    assert _row_keys(rows[:1].astype(np.int8)) == keys[:1]
