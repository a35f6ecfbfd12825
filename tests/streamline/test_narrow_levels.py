"""Shorter sizes for weights of two sizes: the same codes for every input, the cheapest sizes of all, or left alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntConv, ThresholdCode
from dfcompile.ir.intop_base import Window
from dfcompile.streamline.narrow_levels import narrow_levels
from tests.examples import examples
from tests.loopback.cases import Net


def net(weights: Array, thresholds: Array, lo: int, hi: int, window: Window | None = None, pad: int = 0, more: bool = False) -> Graph:
    """thresholds(conv(x)), x with all vectors of codes lo..hi side by side; `more`: something else reads the sums too."""
    size = (hi - lo + 1) ** weights.shape[3]
    n = Net(1, x=((1, size, weights.shape[3]), lo, hi))
    sums = n.node(IntConv(window or Window(), 1, pad), "x", w=weights)
    y = n.node(ThresholdCode(int(thresholds.shape[1] + 1).bit_length() - 1, 0), sums, t=thresholds, f=np.zeros(len(thresholds), bool))
    return n.graph(y, *([sums] if more else []))


def same(graph: Graph, lo: int, hi: int) -> Graph:
    """The graph with shorter sizes, after it gave the same codes for all inputs, within the ranges that it proves."""
    made = narrow_levels(graph)
    made.verify()
    channels = graph.tensors["x"].shape[2]
    x = np.array(list(itertools.product(range(lo, hi + 1), repeat=channels)), np.int64)[None, None]
    np.testing.assert_array_equal(made.execute({"x": x})[made.outputs[0]], graph.execute({"x": x})[graph.outputs[0]])
    for t in [n.outputs[0] for n in made.nodes]:
        value, (low, high) = made.execute({"x": x}, [t])[t], made.tensors[t].range
        assert np.all(low <= value) and np.all(value <= high)
    return made


def sizes(graph: Graph) -> list[list[int]]:
    weights = graph.constants[next(n for n in graph.nodes if isinstance(n.op, IntConv)).inputs[1]].astype(np.int64)
    return [np.unique(np.abs(row[row != 0])).tolist() for row in weights]


@examples(80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(1, 7))
def test_every_code_stays(seed: int, channels: int, own: bool, each: bool, steps: int) -> None:
    """Sizes of up to 30 bits, for all channels or for each; thresholds for all or for each, beside, between and far from the sums."""
    rng = np.random.default_rng(seed)
    lo, hi = sorted(rng.integers(-4, 5, 2).tolist())
    pairs = np.sort(rng.integers(1, 2 ** rng.integers(6, 31), (channels if own else 1, 2)), axis=1)
    pick = rng.integers(0, 3, (channels, 4))
    book = np.concatenate([np.zeros((len(pairs), 1), int), pairs], axis=1)
    weights = (book[np.arange(channels)[:, None] % len(pairs), pick] * rng.choice([-1, 1], (channels, 4)))[:, None, None]
    reach = int(np.abs(weights).sum(axis=(1, 2, 3)).max()) * max(1, abs(lo), abs(hi))
    width = (1 << int(steps).bit_length()) - 1
    thresholds = rng.integers(-reach - 3, reach + 4, (channels if each else 1, width))
    if rng.random() < 0.5:  # on sums that there are
        x = rng.integers(lo, hi + 1, (*thresholds.shape, 4))
        thresholds = (x * weights[np.arange(len(thresholds))][:, 0]).sum(axis=2) + rng.integers(0, 2, thresholds.shape)
    same(net(weights, np.sort(thresholds, axis=1), lo, hi), lo, hi)


def test_trained_sizes_become_short() -> None:
    """Two float32 numbers, as integers, and thresholds that round their sums to halves."""
    row = np.array([3115187, -4444412, 0, 4444412, -3115187])
    weights = np.stack([row, -row[::-1]])[:, None, None]
    thresholds = np.arange(-7, 8)[None] * 2**23 // 2 + 2**21
    made = same(net(weights, thresholds, -2, 2), -2, 2)
    assert sizes(made)[0] == sizes(made)[1] and max(sizes(made)[0]) < 64
    least = [p for p in itertools.product(range(1, 7), repeat=2) if keeps(weights[0].ravel(), thresholds[0], p)]
    assert not least or sum(map(int.bit_length, sizes(made)[0])) <= min(sum(map(int.bit_length, p)) for p in least) + 2


def test_one_pair_for_channels_whose_ratio_is_almost_the_same() -> None:
    """Two float32 numbers times a gain for each channel, rounded again: no two channels have the same ratio."""
    rng = np.random.default_rng(0)
    gains = rng.uniform(0.5, 2, (6, 1)).astype(np.float32)
    pairs = np.rint((np.float32([0.3713562, 0.5298131]) * gains).astype(np.float64) * 2.0**26).astype(np.int64)
    pick = np.array([rng.permutation([0, 1, 0, 1, 1]) for _ in gains])
    weights = (pairs[np.arange(6)[:, None], pick] * rng.choice([-1, 1], pick.shape))[:, None, None]
    thresholds = np.arange(-3, 4)[None] * pairs[:, :1]
    assert len({tuple(s) for s in sizes(net(weights, thresholds, -1, 1))}) == 6
    made = sizes(same(net(weights, thresholds, -1, 1), -1, 1))
    assert len({tuple(s) for s in made}) == 1 and made[0][1] < 16


@examples(60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(3, 6), st.booleans())
def test_every_code_stays_of_many_sizes(seed: int, channels: int, count: int, each: bool) -> None:
    """Three to six sizes of up to 26 bits a channel, in front of thresholds beside, on, between and far from the sums."""
    rng = np.random.default_rng(seed)
    lo, hi = sorted(rng.integers(-2, 3, 2).tolist())
    books = rng.integers(1, 2 ** rng.integers(6, 27), (channels, count))
    weights = np.stack([rng.permutation([*book, 0])[:5] * rng.choice([-1, 1], min(5, count + 1)) for book in books])[:, None, None]
    reach = int(np.abs(weights).sum(axis=(1, 2, 3)).max()) * max(1, abs(lo), abs(hi))
    thresholds = rng.integers(-reach - 3, reach + 4, (channels if each else 1, 7))
    if rng.random() < 0.5:
        x = rng.integers(lo, hi + 1, (*thresholds.shape, weights.shape[3]))
        thresholds = (x * weights[np.arange(len(thresholds))][:, 0]).sum(axis=2) + rng.integers(0, 2, thresholds.shape)
    same(net(weights, np.sort(thresholds, axis=1), lo, hi), lo, hi)


def test_three_trained_sizes_become_short() -> None:
    """Sums of three float32 numbers and steps that round them: as integers 25 bits, of which far fewer keep every code."""
    row = np.rint(np.float32([0.3713562, 0.5298131, 0.8310417, 0.3713562, 0.5298131]).astype(np.float64) * 2.0**24).astype(np.int64)
    weights = np.stack([row, -row[::-1]])[:, None, None]
    made = sizes(same(net(weights, np.arange(-3, 4)[None] * 2**23 + 12345, -2, 2), -2, 2))
    assert [len(s) for s in made] == [3, 3] and max(map(max, made)) < 2**13


def keeps(row: Array, thresholds: Array, pair: tuple[int, ...]) -> bool:
    """Whether these sizes keep the order of all sums across each threshold."""
    x = np.array(list(itertools.product(range(-2, 3), repeat=len(row))))
    small = np.abs(row) == np.abs(row[row != 0]).min()
    codes = np.searchsorted(thresholds, x @ row, side="right")
    sums = x @ (np.sign(row) * np.where(small, *pair))
    order = np.argsort(codes, kind="stable")
    ends = [(sums[order][codes[order] <= k], sums[order][codes[order] > k]) for k in range(len(thresholds))]
    return all(not len(a) or not len(b) or a.max() < b.min() for a, b in ends)


def test_pads_are_in_the_proof() -> None:
    """A code that only pads have, far from all others, reaches sums that no input does."""
    weights = np.array([[[3115187, 0], [0, -4444412], [3115187, 4444412]]])[:, None]
    reach = 20 * 7559599
    thresholds = np.linspace(-reach, reach, 15).astype(np.int64)[None]
    graph = net(weights, thresholds, -1, 1, Window((1, 3), (1, 1), (0, 1, 0, 1)), pad=20)
    assert sizes(same(graph, -1, 1)) != sizes(graph)


@pytest.mark.parametrize(
    ("row", "more", "why"),
    [([3, -5, 0], False, ""), ([3001, -5001, 0], True, ""), ([3001, -5001, 9001], False, ""), ([17, 1], False, "no shorter")],
)
def test_left_alone(row: list[int], more: bool, why: str) -> None:
    """Short sizes, sums that are read elsewhere, three sizes, sizes of which each step counts."""
    said: list[str] = []
    weights = np.array(row)[None, None, None]
    graph = net(weights, np.arange(-127, 128)[None], -8, 8, more=more)
    narrow = narrow_levels(graph, lambda node, text: said.append(text))
    assert narrow is graph
    assert [why] * bool(why) == [s[: len(why)] for s in said]
