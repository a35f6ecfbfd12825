"""Zeros that lie apart come together where channels may move, and only where that leaves fewer words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConv, ThresholdCode
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.streamline.gather_zeros import SHAPES, alike, gather_zeros, words
from tests.dataflow.test_uneven_folds import hold
from tests.streamline.graphs import Builder
from tests.streamline.test_prune import pruned, random_weights, steps, typed
from tests.test_traps import Model, exact


def scattered(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Four kinds of rows, each with two of four kinds of columns that follow one another in a ring; none of them in order."""
    rng = np.random.default_rng(seed)
    row, column = rng.permutation(rows) % 4, rng.permutation(columns) % 4
    used: np.ndarray = (column - row[:, None]) % 4 < 2
    return used


def chain(used: np.ndarray) -> Graph:
    """A layer of these zeros between two without any."""
    b = Builder()
    h = b.op(
        ThresholdCode(2, 0),
        b.op(IntConv(), b.input((2, 3, 5), 0, 3), weights=random_weights(used.shape[1], 1, 1, 5)),
        **steps(used.shape[1]),
    )
    h = b.op(IntConv(), h, weights=random_weights(*used.shape, seed=1)[:, None, None] * used[:, None, None])
    h = b.op(IntConv(), b.op(ThresholdCode(2, 0), h, **steps(len(used), seed=2)), weights=random_weights(3, 1, 1, len(used), seed=3))
    return b.graph(b.op(ThresholdCode(2, 0), h, **steps(3, seed=4)))


def middle(graph: Graph) -> np.ndarray:
    found: np.ndarray = graph.constants[[n for n in graph.nodes if isinstance(n.op, IntConv)][1].inputs[1]][:, 0] != 0
    return found


@pytest.mark.parametrize("seed", range(4))
def test_words_of_zeros_come_together(seed: int) -> None:
    used = scattered(32, 32, seed=seed)
    before, after = words(used[:, None]), words(middle(pruned(chain(used))))
    assert before[2] == 32 and after[2] <= 24  # 16 but for channels that are pruned, so that kinds are of unequal size


def test_what_has_no_order_stays() -> None:
    for used in (
        np.random.default_rng(1).random((32, 32)) < 0.5,
        np.ones((32, 32), bool),
        np.tile([[True, True, False, False], [True, False, True, False]], (16, 8)),
    ):
        graph = typed(chain(used))
        assert gather_zeros(graph) is graph


def test_an_order_that_costs_others_more_is_not_taken() -> None:
    """The layer behind has its zeros in order, and more words: its columns are the rows of the one that has not."""
    ring = (np.arange(4) - np.arange(4)[:, None]) % 4 < 2
    behind, apart = ring.repeat(64, axis=0).repeat(8, axis=1), ring.repeat(8, axis=1)[np.arange(32) % 4]
    b = Builder()
    h = b.op(IntConv(), b.input((2, 3, 32), 0, 3), weights=random_weights(32, 1, 1, 32) * apart[:, None, None])
    h = b.op(ThresholdCode(2, 0), h, **steps(32))
    h = b.op(IntConv(), h, weights=random_weights(256, 1, 1, 32, seed=1) * behind[:, None, None])
    graph = typed(b.graph(b.op(ThresholdCode(2, 0), h, **steps(256, seed=2))))
    counts = [
        [words(g.constants[n.inputs[1]][:, 0, 0][:, None] != 0)[2] for n in g.nodes if isinstance(n.op, IntConv)]
        for g in (graph, gather_zeros(graph))
    ]
    assert counts == [[32, 128], [32, 128]]


def test_rows_alike_follow_one_another() -> None:
    assert alike(np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]], bool)).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_faster_and_exact(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In dataflow fewer lanes at the same interval, and the RTL as predicted; in loopback fewer cycles."""
    m, rng = Model(), np.random.default_rng(0)
    h = m.q("x", 0.25, 4)
    for used in (np.ones((4, 64), bool), scattered(64, 64).T, np.ones((64, 3), bool)):
        h = m.q(m.op("MatMul", h, m.w(rng.integers(1, 8, used.shape) * rng.choice([-1, 1], used.shape) * used)), 4.0, 4)
    exact(tmp_path, m, h, (4,), mode=mode)
    options: dict[str, Any] = {"mode": mode} | ({"interval": 64} if mode == "dataflow" else {})

    def build() -> Any:
        return dfc.build(m.save(tmp_path / "dense.onnx", h, (1, 4)), **options)

    made = build()
    monkeypatch.setattr("dfcompile.streamline.prune.gather_zeros", lambda graph, tell: graph)
    plain = build()
    if isinstance(made, DataflowAccelerator):
        assert made.resources.lut < 0.97 * plain.resources.lut
        hold(made)
    else:
        assert isinstance(made, LoopbackAccelerator) and made.timing.interval_cycles < plain.timing.interval_cycles


def test_words_are_blocks_with_a_weight() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        used = rng.random(rng.integers(1, [40, 5, 40])) < rng.random() ** 3
        rows, taps, columns = used.shape
        blocks = [
            {(r // pe, t, c // simd) for r in range(rows) for t in range(taps) for c in range(columns) if used[r, t, c]}
            for pe, simd in SHAPES
        ]
        assert words(used) == [len(b) for b in blocks], used.shape
