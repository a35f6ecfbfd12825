"""Proven ranges are those that are reached: small operators tried on every combination of extreme codes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import ArgMaxCode, IntAdd, IntConcat, IntConv, IntMul, IntOp, IntPad, IntPool, IntSlice, IntUpsample, View, Window
from dfcompile.ir.modelop import Unary
from dfcompile.streamline.encode_real import _of_function
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction
from tests.streamline.graphs import Builder

RNG = np.random.default_rng(2)
LO, HI = np.array([-3, 0, 1]), np.array([2, 5, 1])


def extremes(graph: Graph) -> dict[str, Array]:
    """Frames with every combination of the lowest and highest code of every element."""
    sizes = [int(np.prod(graph.tensors[t].shape)) for t in graph.inputs]
    choices = np.array(list(itertools.product((False, True), repeat=sum(sizes))))
    feeds = {}
    for name, part in zip(graph.inputs, np.split(choices, np.cumsum(sizes)[:-1], axis=1), strict=True):
        t = graph.tensors[name]
        feeds[name] = np.where(part.reshape(-1, *t.shape), t.hi, t.lo).astype(np.float64)
    return feeds


def ranged(graph: Graph) -> tuple[Array, Array]:
    """The proven range of the output of a graph of one node."""
    (node,) = graph.nodes
    operands = tuple(tuple(np.broadcast_to(v, (graph.tensors[t].channels,)) for v in graph.tensors[t].range) for t in graph.inputs)
    assert isinstance(node.op, IntOp)
    return node.op.bounds(operands, tuple(graph.constants[t] for t in node.inputs[len(operands) :]))  # type: ignore[arg-type]


def one(op: Any, shape: tuple[int, int, int] = (1, 2, 3), operands: int = 1, **constants: Any) -> Graph:
    b = Builder()
    bounds = [(LO, HI), (LO[::-1] - 2, HI[::-1])]
    inputs = [b.input(shape, lo[: shape[2]], hi[: shape[2]]) for lo, hi in bounds[:operands]]
    return b.graph(b.op(op, *inputs, **constants))


EXACT = {
    "conv": one(IntConv(Window((1, 2))), weights=RNG.integers(-4, 5, (4, 1, 2, 3))),
    "grouped conv": one(IntConv(Window(), 3), weights=RNG.integers(-4, 5, (6, 1, 1, 1))),
    "sum": one(IntPool("sum", Window((1, 2)))),
    "max": one(IntPool("max", Window((1, 2)))),
    "padded max": one(IntPool("max", Window((1, 2), pads=(0, 1, 0, 0)))),
    "pad": one(IntPad(Window(pads=(1, 0, 0, 0)), 4)),
    "crop": one(IntPad(Window(pads=(0, -1, 0, 0)), 9)),
    "add": one(IntAdd((-2, 3), 5), operands=2),
    "mul": one(IntMul(), operands=2),
    "concat": one(IntConcat(), operands=2),
    "slice": one(IntSlice(1, 3)),
    "upsample": one(IntUpsample((2, 1))),
    "view to fewer channels": one(View((2, 3, 1))),
    "view to more channels": one(View((1, 1, 6))),
}


@pytest.mark.parametrize("case", EXACT)
def test_both_ends_are_reached_and_nothing_beyond(case: str) -> None:
    graph = EXACT[case]
    (made,) = graph.execute(extremes(graph)).values()
    lo, hi = ranged(graph)
    np.testing.assert_array_equal(lo, made.min(axis=(0, 1, 2)))
    np.testing.assert_array_equal(hi, made.max(axis=(0, 1, 2)))


SAFE = {
    "padded conv": one(IntConv(Window((1, 2), pads=(0, 1, 0, 1)), pad_code=4), weights=RNG.integers(-4, 5, (4, 1, 2, 3))),
    "padded sum": one(IntPool("sum", Window((1, 3), pads=(0, 1, 0, 1)), 9)),
}


@pytest.mark.parametrize("case", SAFE)
def test_nothing_lies_beyond_where_any_element_may_be_a_pad(case: str) -> None:
    graph = SAFE[case]
    (made,) = graph.execute(extremes(graph)).values()
    lo, hi = ranged(graph)
    assert np.all(lo <= made.min(axis=(0, 1, 2))) and np.all(hi >= made.max(axis=(0, 1, 2)))


def test_a_view_across_channels_takes_the_widest() -> None:
    lo, hi = ranged(one(View((1, 3, 2))))
    np.testing.assert_array_equal([lo, hi], [[-3, -3], [5, 5]])


def test_arg_max() -> None:
    np.testing.assert_array_equal(ranged(one(ArgMaxCode())), [[0], [2]])


def test_a_function_that_neither_rises_nor_falls_is_tried_on_the_codes_of_each_channel() -> None:
    """Codes of two channels may lie far apart: what is between them is not looked at."""
    far = 2**40
    function = StepFunction(Grid.of(1, 0), (Step(Unary("abs"), 0, ()),), Grid.of(1, 0))
    lo, hi = _of_function(function, ((np.array([-3, far, -far - 4]), np.array([2, far + 5, -far])),), 3)
    assert (lo.tolist(), hi.tolist()) == ([0, far, far], [3, far + 5, far + 4])
    assert _of_function(function, ((np.array([-far]), np.array([far])),), 1) is None
