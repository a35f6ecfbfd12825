"""Activations of few levels that lie on no coarse grid, as comparisons and Where select them: exact, by numbered pieces and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from dfcompile.ir.intop import LookupCode, ThresholdCode
from dfcompile.ir.modelop import Binary, Bipolar
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.pieces import monotone_pieces, pieces, selected_pieces
from dfcompile.streamline.step import Join, Step, StepFunction
from tests.examples import examples
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import streamlined

LEVELS = np.array([0.0, 1.0154, 1.9199, 2.9354], np.float32)
EDGES = np.array([0.5077, 1.4677, 2.4276], np.float32)


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize("op", ["GreaterOrEqual", "Greater"])
def test_levels_between_layers(op: str, order: tuple[int, ...], tmp_path: Path) -> None:
    """The last Where that holds decides: rising edges give the levels, falling ones but the first."""
    nodes, last = [quant("x", "q"), quant("w", "wq"), node("Conv", "q,wq", "c")], "l0"
    for i, k in enumerate(order):
        nodes += [node(op, f"c,e{k}", f"o{i}"), node("Where", f"o{i},l{k + 1},{last}", f"v{i}")]
        last = f"v{i}"
    nodes += [quant("u", "uq"), node("Conv", f"{last},uq", "d"), quant("d", "y")]
    held = {f"e{k}": e for k, e in enumerate(EDGES)} | {f"l{k}": v for k, v in enumerate(LEVELS)}
    held |= {"w": random(3, 2, 3, 3), "u": random(2, 3, 1, 1)}
    made = streamlined(model(nodes, {"x": (1, 2, 5, 5)}, ["y"], constants(**held)), tmp_path)
    kinds = [type(n.op) for n in made.graph.nodes]
    assert kinds.count(LookupCode) == 1 and ThresholdCode in kinds


@st.composite
def selections(draw: st.DrawFn) -> StepFunction:
    """Sums of numbers times conditions on an affine of the codes."""
    numbers = st.integers(-64, 64).map(lambda n: np.array(n / 8))

    def condition() -> tuple[Step, ...]:
        edge, sign = draw(numbers), draw(st.sampled_from([1.0, -1.0]))
        return (Step(Binary("sub"), 0, (edge,)), Step(Binary("mul"), 0, (np.array(sign),)), Step(Bipolar()))

    chain: tuple[Step | Join, ...] = (*condition(), Step(Binary("mul"), 0, (draw(numbers),)))
    for _ in range(draw(st.integers(0, 3))):
        other = (*condition(), Step(Binary("mul"), 0, (draw(numbers),)))
        chain = (Join(Binary(draw(st.sampled_from(["add", "mul", "sub", "max"]))), chain, other),)
    return StepFunction(Grid.of(draw(st.sampled_from([0.25, -0.5])), draw(st.integers(-4, 4))), chain, Grid.of(2.0**-24, 0))


@examples(200)
@given(selections(), st.integers(-60, 0), st.integers(1, 80))
def test_pieces_of_selections(function: StepFunction, lowest: int, size: int) -> None:
    """Every code looked at, against the conditions alone: the same function."""
    lo, hi = np.array([lowest, lowest + 1]), np.array([lowest + size, lowest + 2 * size])
    every, found = pieces(function, lo, hi, 256), selected_pieces(function, lo, hi, 256)
    assert every is not None and found is not None
    for c in range(2):
        codes = np.arange(lo[c], hi[c] + 1)
        wanted, got = (v[np.searchsorted(j, codes, side="right")] for j, v in ((e[0][c], e[1][c]) for e in (every, found)))
        assert np.array_equal(wanted, got)


@examples(200)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8, unique=True), st.integers(-60, 0), st.integers(0, 120))
def test_pieces_of_rising_functions(edges: list[int], lowest: int, size: int) -> None:
    chain: tuple[Step | Join, ...] = (Step(Binary("sub"), 0, (np.array(float(edges[0])),)), Step(Bipolar()))
    for e in edges[1:]:
        chain = (Join(Binary("add"), chain, (Step(Binary("sub"), 0, (np.array(float(e)),)), Step(Bipolar()))),)
    function = StepFunction(Grid.of(1, 0), chain, Grid.of(1, 0))
    lo, hi = np.array([lowest]), np.array([lowest + size])
    every, found = pieces(function, lo, hi, 256), monotone_pieces(function, lo, hi, 256)
    assert every is not None and found is not None
    assert [x.tolist() for x in (*every[0], *every[1])] == [x.tolist() for x in (*found[0], *found[1])]
    assert monotone_pieces(function, lo, hi, len(every[1][0]) - 1) is None or len(every[1][0]) == 1
