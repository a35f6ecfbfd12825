"""The proofs of folding: a known fault by value, another method on larger networks, searches that end early, planted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.networks import CODES, Network, mlp, resnet8, steps
from dfcompile.device.boards import Board, find_board
from dfcompile.device.cost import budget, rates
from dfcompile.errors import CompileError
from dfcompile.folding import elimination as fold_sum
from dfcompile.folding import fold, search
from dfcompile.folding.bisect import first_true
from dfcompile.folding.elimination import FoldSums
from dfcompile.folding.fold import cheapest, fastest
from dfcompile.folding.problem import FoldProblem, Options
from dfcompile.folding.search import Answer, solve
from dfcompile.front import FRONT, Job
from dfcompile.ir.graph import Graph
from dfcompile.units.add import Add
from dfcompile.units.base import Unit
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.threshold import Threshold
from tests.dataflow.test_fold_brute import Every
from tests.examples import examples
from tests.frontend.make import model
from tests.frontend.small import QONNX, quant


def two_layers(folder: Path) -> Graph:
    """Two dense layers of 2-bit codes and weights."""
    first = [[1, 0, -2, 1, 1], [1, 1, 1, 1, 1], [-1, -2, 1, -2, 1], [0, -2, -2, 1, 1], [1, -2, -2, 1, -2]]
    second = [[-1, 1, -2], [-2, 1, -2], [1, 1, 0], [-2, 1, -2], [-2, -2, 0]]
    nodes = [quant("x", "q", "half"), quant("w", "wq"), helper.make_node("MatMul", ["q", "wq"], ["m"]), quant("m", "r", "half"),
             quant("v", "vq"), helper.make_node("MatMul", ["r", "vq"], ["n"]), quant("n", "y", "half")]  # fmt: skip
    held = {"s": 0.25, "half": 0.5, "z": 0.0, "b": 2.0, "w": np.array(first) / 4, "v": np.array(second) / 4}
    made = model(nodes, {"x": [1, 5]}, constants={k: np.float32(v) for k, v in held.items()}, domains={QONNX: 1})
    path = folder / "two.onnx"
    path.write_bytes(made.SerializeToString())
    return FRONT(Job(path), path).units


def test_a_design_that_presolve_called_impossible_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS as in scipy 1.17 calls the integer programme of this board and interval infeasible, but without presolve.

    Without adder graphs, with which the board holds a faster design.
    """
    monkeypatch.setattr(Mvtu, "own_styles", Unit.own_styles)
    graph = two_layers(tmp_path)
    board = replace(find_board("ecp5-85f"), name="tiny", lut=523, ff=386, bram36=1.0, dsp=0)
    found = fastest(graph, board)
    assert (found.value, found.bound, found.optimal) == (3, 3, True)
    cheap = cheapest(graph, 3, board=board)
    assert cheap.optimal
    brute = Every(graph, "ecp5")
    fits = brute.within(budget(board), 3)
    assert (brute.areas @ rates("ecp5", board))[fits].min() == pytest.approx(cheap.value, rel=1e-12)
    assert not brute.within(budget(board), 2).any()
    with pytest.raises(CompileError, match="no folding with 2 cycles a frame fits tiny"):
        cheapest(graph, 2, board=board)


@pytest.mark.parametrize("channels", [(12, 10), (24, 10), (27, 4)])
@pytest.mark.parametrize("tight", [False, True])
def test_options_that_are_left_out_are_in_no_cheapest_design(channels: tuple[int, int], tight: bool) -> None:
    """Of all designs, and of those at whose ports a frame has the fewest bytes, for which the cheapest options may all be too wide."""
    net = Network("layers", (1, 1, channels[0]))
    net.conv(channels[1])
    net.conv(4)
    problem = FoldProblem(net.graph(), "xc7")
    problem = problem.tightened() if tight else problem
    left = 0
    for interval in problem.candidates():
        every = problem.options(interval)
        if not all(every.values()):
            continue

        def cost(options: Options) -> float | None:
            best = solve(problem, options, problem.table.prices).best
            return best.cost if best else None

        some = problem.economical(interval, False, (), cost)
        assert cost(some) == cost(every)
        left += sum(map(len, every.values())) - sum(map(len, some.values()))
    assert left > 0


def without_presolve(graph: Graph, interval: int, board: Board) -> float | None:
    """The least cost by another method: HiGHS, one binary for each option, one variable for each pair of layouts of an edge."""
    problem = FoldProblem(graph, board.family)
    options = problem.options(interval, every=True)
    areas = [o.area for n in options for o in options[n]]
    first = dict(zip(options, np.cumsum([0, *(len(o) for o in options.values())]), strict=False))
    rows = [([int(first[n]) + i for i in range(len(o))], [], 1.0) for n, o in options.items()]
    for edge in problem.joints():
        *ends, table = problem.tables(options, edge)
        pairs = len(areas) + np.arange(table.shape[0] * table.shape[1]).reshape(table.shape[:2])
        areas += list(table.reshape(-1, table.shape[2]))
        for (name, place), layouts, mine in zip(edge.ends, ends, (pairs, pairs.T), strict=True):
            for layout, columns in zip(layouts, mine, strict=True):
                rows.append(([int(first[name]) + i for i, o in enumerate(options[name]) if o.layouts[place] == layout], list(columns), 0.0))
    equal = np.zeros((len(rows), len(areas)))
    for r, (plus, minus, _) in enumerate(rows):
        equal[r, plus], equal[r, minus] = 1, -1
    sides = np.array([side for *_, side in rows])
    allowed = np.isfinite(areas).all(axis=1)
    finite, limit = np.where(allowed[:, None], areas, 0), budget(board)
    bounded = np.isfinite(limit)
    answer = milp(
        finite @ rates(board.family, board),
        constraints=[LinearConstraint(equal, sides, sides), LinearConstraint(finite[:, bounded].T, -np.inf, limit[bounded])],
        bounds=Bounds(0, allowed.astype(float)),
        integrality=np.arange(len(areas)) < sum(map(len, options.values())),
        options={"presolve": False},
    )
    return None if answer.x is None else float(answer.fun)


@pytest.mark.parametrize("lut", [1700, 2300, 3200])
def test_a_residual_network_has_the_optimum_of_an_integer_programme(lut: int) -> None:
    """Loops, forks and depthwise ties at a size that brute force does not reach."""
    net = Network("residual", (4, 4, 4))
    net.conv(8, 3, pad=1)
    start = net.last
    net.depthwise()
    net.conv(8)
    net.add(start)
    graph = net.graph()
    board = replace(find_board("pynq-z2"), lut=lut, ff=3 * lut, bram36=1.5, dsp=5)
    for interval in (150, 300, 1200):
        expected = without_presolve(graph, interval, board)
        if expected is None:
            with pytest.raises(CompileError):
                cheapest(graph, interval, board=board)
        else:
            assert cheapest(graph, interval, board=board).value == pytest.approx(expected, rel=1e-7)


def test_tables_that_are_too_large_are_taken_apart_and_the_optimum_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream with three readers and their sum, with tables of so few entries that sums are only bounds."""
    net = Network("wide", (1, 1, 4))
    start = net.last
    for _ in range(2):
        net.conv(6)
        net.conv(4)
        net.put(Add(net.shape, (CODES, CODES)), net.last, start)
        net.put(Threshold(net.tensors[net.last].dtype, CODES, steps(4, 0, 30), None, net.shape))
    problem = FoldProblem(net.graph(), "xc7")
    options, worth = problem.options(24), rates("xc7")
    whole = FoldSums(problem, options)
    monkeypatch.setattr(fold_sum, "_MOST", 50)
    parted = FoldSums(problem, options)
    assert any(len(parts) > 1 for _, parts in parted.buckets) and all(len(parts) == 1 for _, parts in whole.buckets)
    mask = whole.distinct()
    assert parted.under(worth, mask).real <= whole.under(worth, mask).real
    found = solve(problem, options, worth)
    assert found.complete and found.best and found.best.cost == pytest.approx(whole.under(worth, mask).real, rel=1e-9)


def test_a_search_that_ends_early_says_so_and_its_bound_is_true() -> None:
    board = find_board("zcu104")
    problem = FoldProblem(mlp(), board.family)
    options, worth, limit = problem.options(1024), rates(board.family, board), budget(board)
    full = solve(problem, options, worth, limit)
    assert full.complete and full.best and full.best.gap == 0
    early = [solve(problem, options, worth, limit, work=work) for work in (1, 400_000, 1_600_000, 3_200_000)]
    for found in early:
        assert not found.complete
        if found.best:
            assert found.best.bound <= full.best.cost <= found.best.cost
    assert any(found.best and found.best.gap > 0 for found in early)
    nothing = solve(problem, options, worth, limit, work=0)
    assert nothing.best is None and not nothing.complete


def stopped_below(threshold: int) -> Callable[..., Answer]:
    """`solve` that comes to no end where no option is as slow as a threshold."""

    def stopped(problem: FoldProblem, options: Any, *rest: Any, **more: Any) -> Answer:
        longest = max(o.cycles for found in options.values() for o in found)
        return solve(problem, options, *rest, **more) if longest >= threshold else Answer(None, False)

    return stopped


def test_an_interval_whose_search_ended_early_is_never_taken_for_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, whole = resnet8(), find_board("pynq-z2")
    board = replace(whole, lut=whole.lut // 2, dsp=whole.dsp // 2)
    true = fastest(graph, board)
    assert true.optimal and true.bound == true.value
    monkeypatch.setattr(fold, "solve", stopped_below(int(true.value) + 1))
    late = fastest(graph, board)
    assert late.value >= true.value and not late.optimal and late.gap == (late.value - late.bound) / late.value > 0
    assert late.bound == FoldProblem(graph, "xc7").fastest()  # nothing below was decided
    assert late.report["optimal"] is False
    monkeypatch.setattr(fold, "solve", lambda *given, **more: Answer(None, False) if len(given) > 3 else solve(*given, **more))
    with pytest.raises(CompileError, match="was found that fits") as error:
        fastest(graph, board)
    assert "proved neither" in error.value.problems[0].why


@examples(200)
@given(st.data())
def test_the_search_for_an_interval_forgets_no_open_answer(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 12))
    truth = data.draw(st.integers(0, count))
    silent = data.draw(st.sets(st.integers(0, count)))

    def decide(at: int) -> bool | None:
        return None if at in silent else at >= truth

    first, known = first_true(decide, count)
    assert first <= truth <= known <= count
    if not silent:
        assert first == truth == known
    assert first == known or first in silent


@pytest.mark.parametrize("order", [0, 1])
def test_a_wrong_sum_in_one_order_proves_nothing(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: one order of elimination finds every sum too large, so that it would prove that nothing fits."""
    graph, board = diamond(), find_board("pynq-z2")
    expected = cheapest(graph, 12, board=board)
    asked: list[FoldSums] = []
    honest = fold_sum.Weighted.exceeds

    def exceeds(found: fold_sum.Weighted, limit: float) -> bool:
        asked.append(found.sums)
        forwards = found.sums is asked[0]
        return True if forwards == (order == 0) else honest(found, limit)

    monkeypatch.setattr(fold_sum.Weighted, "exceeds", exceeds)
    found = solve(FoldProblem(graph, "xc7"), FoldProblem(graph, "xc7").options(12), rates("xc7", board))
    assert found.best and found.best.cost == pytest.approx(expected.value, rel=1e-9)


def diamond() -> Graph:
    """A stream with two readers and their sum."""
    net = Network("diamond", (1, 1, 4))
    net.conv(6)
    start = net.last
    net.conv(6)
    net.add(start)
    return net.graph()


@given(over=st.lists(st.integers(-9, 9), min_size=1, max_size=6))
def test_weights_of_one_limit_are_those_of_the_linear_programme(over: list[int]) -> None:
    """Of several limits HiGHS is asked; of one, what it says of the same limit twice: the most that is exceeded, and by which mixture."""
    found = {}
    for limits in (1, 2):
        made = object.__new__(search._Search)
        made.rows, made.sides, made.best = np.ones((limits, 1)), np.zeros(limits), None
        points = [(np.zeros(1, np.int64), np.array([float(a)])) for a in over]
        weights, most, mixture = made._weights(points)
        assert weights.sum() == pytest.approx(1) and mixture.sum() == pytest.approx(1)
        found[limits] = most, float(mixture @ over)
    assert found[1] == pytest.approx(found[2]) and found[1][1] == min(over)


@pytest.mark.parametrize("limits", [1, 2, 4])
def test_nothing_is_used_of_limits_of_nothing_and_the_cost_is_looked_at(limits: int) -> None:
    """A board without some kinds of memory: the best design keeps those limits to the letter, and is above that of the cost by a hair."""
    made = object.__new__(search._Search)
    made.rows = np.eye(limits + 1)
    made.sides = np.append(np.zeros(limits), 1 - search.EQUAL)
    made.best = search.Solution({}, 1.0, 0.0, ())
    best, dear = np.append(np.zeros(limits), 1.0), np.append(np.full(limits, 3.0), 0.9)
    weights, most, _ = made._weights([(np.zeros(1, np.int64), best)])
    assert weights.tolist() == [0.0] * limits + [1.0] and most == pytest.approx(search.EQUAL, abs=1e-7)
    weights, most, _ = made._weights([(np.zeros(1, np.int64), best), (np.ones(1, np.int64), dear)])
    assert weights[:-1].sum() > 0.02, "which does not tell that the other one is not within the limits"
