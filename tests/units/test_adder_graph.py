"""Adder graphs of constant matrices: the matrix from the graph, sums from the definition, the fewest adders of small ones, registers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.units.base import Array
from dfcompile.units.parts.adder_graph import ADD, NEGATE, NOTHING, SUB, AdderGraph, AdderPipeline
from dfcompile.units.parts.adder_matrix import adder_graph
from dfcompile.units.parts.adder_pipeline import pipeline
from tests.examples import examples


def graph_of(matrix: Array, lo: int = 0, hi: int = 15) -> AdderGraph:
    columns = matrix.shape[1]
    return adder_graph(matrix.astype(np.int64), np.full(columns, lo), np.full(columns, hi))


def evaluated(graph: AdderGraph, x: list[int]) -> list[int]:
    """Node by node in Python integers, each cut to its own bits as the hardware cuts it."""
    values = list(x)
    for i in range(graph.adders):
        left, right = values[graph.left[i]], values[graph.right[i]] << int(graph.shift[i])
        kind = int(graph.kind[i])
        made = -left if kind == NEGATE else left + right if kind == ADD else left - right if kind == SUB else right - left
        bits = int(graph.bits[graph.inputs + i])
        cut = made & ((1 << bits) - 1)
        signed = graph.signed[graph.inputs + i] and bits and cut >> (bits - 1)
        values.append(cut - (1 << bits) if signed else cut)
    return [0 if n == NOTHING else values[n] << int(s) for n, s in zip(graph.out, graph.out_shift, strict=True)]


@st.composite
def matrices(draw: st.DrawFn) -> Array:
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    rows, columns, bits = draw(st.integers(1, 8)), draw(st.integers(1, 12)), draw(st.integers(1, 10))
    dense = rng.integers(-(1 << bits), (1 << bits) + 1, (rows, columns))
    return dense * (rng.random(dense.shape) < draw(st.sampled_from([1.0, 0.5, 0.1])))


@examples(150)
@given(matrices(), st.sampled_from([(0, 15), (-8, 7), (-1, 0), (0, 1), (-1, 1), (3, 9)]))
def test_is_the_matrix_within_its_bits(matrix: Array, reach: tuple[int, int]) -> None:
    graph = graph_of(matrix, *reach)
    assert np.array_equal(graph.matrix, matrix)
    rng = np.random.default_rng(0)
    inputs = [rng.integers(reach[0], reach[1] + 1, matrix.shape[1]).tolist() for _ in range(4)]
    inputs += [[reach[0] if w > 0 else reach[1] for w in matrix[0]], [reach[1] if w > 0 else reach[0] for w in matrix[0]]]
    for x in inputs:
        assert evaluated(graph, x) == [sum(int(w) * v for w, v in zip(row, x, strict=True)) for row in matrix]


def fewest_adders(row: tuple[int, ...], most: int) -> int:
    """Adders that a single sum takes at least, by trying all graphs of up to `most`: breadth first over sets of linear functions."""

    def normal(v: tuple[int, ...]) -> tuple[int, ...]:
        while any(v) and all(c % 2 == 0 for c in v):
            v = tuple(c // 2 for c in v)
        return max(v, tuple(-c for c in v))

    wanted, units = normal(row), [tuple(int(i == j) for j in range(len(row))) for i in range(len(row))]
    if wanted in units or not any(row):
        return 0
    reached = {frozenset(units)}
    for count in range(1, most + 1):
        grown = set()
        for known in reached:
            for (a, b), shift, sign, swap in product(product(known, known), range(5), (1, -1), (False, True)):
                first, second = (b, a) if swap else (a, b)
                made = normal(tuple(p + sign * (q << shift) for p, q in zip(first, second, strict=True)))
                if made == wanted:
                    return count
                if any(made):
                    grown.add(known | {made})
        reached = grown
    return most + 1


@pytest.mark.parametrize("row", [(3,), (7,), (45,), (-5,), (3, 5), (1, -1), (5, 5), (7, 14)])
def test_a_small_sum_takes_as_few_adders_as_any_graph(row: tuple[int, ...]) -> None:
    graph = graph_of(np.array([row]))
    negations = int((graph.kind == NEGATE).sum())
    assert graph.adders - negations == fewest_adders(row, 2)


@pytest.mark.parametrize(("matrix", "adders"), [
    ([[1, 1, 1], [1, 1, 0], [1, 1, 2]], 3),  # x0 + x1 once
    ([[5, 3], [10, 6]], 4),  # the second row is the first, shifted
    ([[1, 0], [0, 4], [0, 0]], 0),
    ([[-1, -2], [1, 2]], 2),  # one sum, and its negative
])  # fmt: skip
def test_what_rows_share_is_added_once(matrix: list[list[int]], adders: int) -> None:
    assert graph_of(np.array(matrix)).adders <= adders


def test_same_graph_every_time() -> None:
    matrix = np.random.default_rng(3).integers(-8, 8, (16, 16))
    one, other = graph_of(matrix), graph_of(matrix.copy())
    assert all(np.array_equal(getattr(one, f), getattr(other, f)) for f in ("left", "right", "shift", "kind", "out", "out_shift"))


def chain(pipe: AdderPipeline) -> int:
    """The most adders between two registers, and that no node is read before it is there."""
    graph = pipe.graph
    depth = [0] * (graph.inputs + graph.adders)
    for i in range(graph.adders):
        n = graph.inputs + i
        before = [v for v in (int(graph.left[i]), int(graph.right[i])) if pipe.stage[v] == pipe.stage[n]]
        assert all(pipe.stage[v] <= pipe.stage[n] for v in (graph.left[i], graph.right[i]))
        depth[n] = max((depth[v] for v in before), default=0) + int(graph.adder_bits[i] > 0)
    return max(depth)


@examples(40)
@given(matrices(), st.integers(1, 3))
def test_no_way_between_registers_is_too_long(matrix: Array, levels: int) -> None:
    pipe = pipeline(graph_of(matrix), levels)
    assert chain(pipe) <= levels
    assert pipe.stages == max(1, -(-int(pipe.graph.levels.max()) // levels))


@examples(15)
@given(st.integers(0, 9999))
def test_registers_are_the_fewest(seed: int) -> None:
    """Against all stages of all adders of a small graph."""
    rng = np.random.default_rng(seed)
    pipe = pipeline(graph_of(rng.integers(-2, 3, (2, 4))), 1)
    graph = pipe.graph
    if graph.adders > 7:
        return
    best = min(
        (made.register_bits for stages in product(range(pipe.stages), repeat=graph.adders) if (made := placed(graph, pipe.stages, stages))),
        default=-1,
    )
    assert pipe.register_bits == best


def placed(graph: AdderGraph, stages: int, where: tuple[int, ...]) -> AdderPipeline | None:
    """The adders in given stages, or None where that is too early or more than one adder deep."""
    stage = np.array([0] * graph.inputs + list(where))
    until = stage.copy()
    for node, reader in graph.reads.T:
        until[node] = max(until[node], stage[reader])
    until[graph.out[graph.out != NOTHING]] = stages
    made = AdderPipeline(graph, stages, stage, until)
    early = any(stage[node] > stage[reader] for node, reader in graph.reads.T)
    return None if early or chain(made) > 1 else made
