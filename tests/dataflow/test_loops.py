"""Foldings of designs with loops: cheaper than with all units equally fast, and as fast as asked."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.errors import CompileError
from dfcompile.exploration import explore
from dfcompile.folding.fold import cheapest
from dfcompile.folding.problem import FoldProblem
from dfcompile.front import FRONT, Job
from dfcompile.ir.state import members
from dfcompile.loops import LoopFolding, hull, picked
from dfcompile.options import Options
from dfcompile.run.hls import run_hls
from dfcompile.timing.fifo_sizing import best_interval
from dfcompile.units.delay import Delay
from tests.recurrent import Network
from tests.streamline.test_roll import built, written


def test_what_a_price_picks_is_the_cheapest() -> None:
    """Of all points, of which some are on no hull and some are dominated."""
    points = [(1, 100.0), (2, 90.0), (3, 40.0), (5, 39.0), (6, 20.0), (6, 25.0), (9, 20.0), (12, 0.0)]
    for price in (0.0, 1.0, 3.0, 6.5, 10.0, 29.9, 30.1, 1000.0):
        least = min(cost + price * cycles for cycles, cost in points)
        cycles = picked(hull(points), price)
        assert min(cost for c, cost in points if c <= cycles) + price * cycles == pytest.approx(least)


@pytest.mark.parametrize("wanted", [75, 96, 140])
def test_no_design_of_equally_fast_units_is_cheaper(wanted: int, tmp_path: Path) -> None:
    path = written(Network("elman", 3, 4, 5, outputs=("h",)).proto(), tmp_path)
    lowered = FRONT(Job(path, Options(mode="dataflow")), path)
    units, loops = lowered.units, lowered.integer.streamlined.loops
    joined = partial(connect, loops=loops)
    inside = members(units, loops)
    assert inside and len(inside) < len(units.nodes)
    found = LoopFolding(units, loops, joined).cheapest(wanted)
    assert best_interval(joined(apply_folding(units, found.choices))) <= wanted
    others = []
    for asked in (wanted, 60, 40, 30, 20, 15, 10, 5):
        made = cheapest(units, asked)
        others += [made.solution.cost] if best_interval(joined(apply_folding(units, made.choices))) <= wanted else []
    assert others and found.solution.cost <= min(others)
    alone = cheapest(units, wanted)
    assert found.looped == (best_interval(joined(apply_folding(units, alone.choices))) > wanted)
    assert found.bound <= found.solution.cost and found.gap == pytest.approx(1 - found.bound / found.value)


def test_an_interval_that_no_loop_keeps_gets_the_fastest_one(tmp_path: Path) -> None:
    path = written(Network("elman", 3, 4, 5, outputs=("h",)).proto(), tmp_path)
    lowered = FRONT(Job(path, Options(mode="dataflow")), path)
    units, joined = lowered.units, partial(connect, loops=lowered.integer.streamlined.loops)
    search = LoopFolding(units, lowered.integer.streamlined.loops, joined)
    made = {wanted: best_interval(joined(apply_folding(units, search.cheapest(wanted).choices))) for wanted in (70, 60, 20, 5)}
    fastest = min(best_interval(joined(apply_folding(units, cheapest(units, asked).choices))) for asked in (5, 6, 8, 10))
    assert set(made.values()) == {fastest}


TIGHT = {"gru": 500, "lstm": 500}  # where lanes that do not divide a state of 32 channels are cheaper


@pytest.mark.further
@pytest.mark.parametrize("cell", TIGHT)
def test_no_unit_of_a_loop_takes_from_the_next_step_before_it_has_given_one(cell: str, tmp_path: Path) -> None:
    network = Network(cell, 3, 32, 3, outputs=("h",))
    made = built(network, tmp_path, interval=TIGHT[cell])
    assert best_interval(made.design) <= TIGHT[cell]
    codes = made.host.encode({"x": network.inputs(4)})
    (wanted,) = made.graph.execute(codes).values()
    (found,) = run_hls(made.design, list(codes.values()), seed=1)
    assert np.array_equal(found.reshape(wanted.shape), wanted)


def test_the_search_sees_only_foldings_that_do_not(tmp_path: Path) -> None:
    path = written(Network("gru", 3, 5, 3, outputs=("h",)).proto(), tmp_path)
    lowered = FRONT(Job(path, Options(mode="dataflow")), path)
    inside = members(lowered.units, lowered.integer.streamlined.loops)
    seen = {}
    for caps in ({}, dict.fromkeys(inside, math.inf)):
        problem = FoldProblem(lowered.units, "xcup", caps=caps)
        options = problem.options(500)
        seen[bool(caps)] = [problem.units[n].folded(**o.choice).alternates for n in inside for o in options[n]]
    assert all(seen[True]) and not all(seen[False])


def test_a_given_folding_that_does_is_refused(tmp_path: Path) -> None:
    network = Network("elman", 3, 4, 5, outputs=("h",))
    with pytest.raises(CompileError) as found:
        built(network, tmp_path, folding={"conv_matmul_1": {"pe": 3}})
    assert [(p.code, p.where) for p in found.value.problems] == [("loop-waits-for-itself", "node conv_matmul_1")]


def test_norms_between_a_state_and_what_it_becomes_are_repeated(tmp_path: Path) -> None:
    network = Network("normed", 3, 4, 3, outputs=("h",))
    made = built(network, tmp_path)
    assert not any(isinstance(n.op, Delay) for n in made.design.nodes)
    x = network.inputs(5)
    assert np.array_equal(np.reshape(made.run(x), (5, 4)), network.reference(x)["h"])
    with pytest.raises(CompileError, match="a norm or a softmax, stands between a state and what it becomes"):
        built(network, tmp_path, streaming=True)


def test_what_a_board_can_do_is_what_its_loops_let_it(tmp_path: Path) -> None:
    network = Network("elman", 3, 5, 4, outputs=("h",))
    path = written(network.proto(), tmp_path)
    found = explore([path], Options(mode="dataflow", board="kv260"), points=7)
    assert len(found["points"]) > 2
    for point, folding in zip(found["points"], found["foldings"], strict=True):
        made = built(network, tmp_path, board="kv260", folding=folding)
        assert made.report["timing"]["interval_cycles"] == point["interval"] > 4
