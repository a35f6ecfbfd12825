"""What every integer operator must have: a lowering in both modes that computes the same, and ranges and bipolar codes that hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dfcompile.dataflow.lower import lower
from dfcompile.ir.graph import Array, Tensor
from dfcompile.ir.intop import (
    INTEGER_OPS,
    ArgMaxCode,
    IntAdd,
    IntBelowMax,
    IntConcat,
    IntConv,
    IntDelay,
    IntMatMul,
    IntMul,
    IntNormalize,
    IntOp,
    IntPad,
    IntPool,
    IntSlice,
    IntStandardize,
    IntUnfold,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
    Window,
)
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from tests.loopback.cases import Net

RNG = np.random.default_rng(6)
SHAPE = (4, 4, 3)
PADDED = Window((3, 3), pads=(1, 1, 1, 1))
ONE: dict[type[IntOp], Callable[[Net], str]] = {
    IntConv: lambda n: n.conv("x", 5, PADDED, pad=2),
    IntPool: lambda n: n.node(IntPool("sum", Window((2, 2), (2, 2))), "x"),
    IntPad: lambda n: n.node(IntPad(Window(pads=(1, 0, 0, 1)), 3), "x"),
    IntAdd: lambda n: n.node(IntAdd((2, -3), 1), "x", "z"),
    IntMul: lambda n: n.node(IntMul(), "x", "z"),
    IntMatMul: lambda n: n.node(IntMatMul((3, 8), 2, (1, 2), True), "x", "z"),
    IntBelowMax: lambda n: n.node(IntBelowMax(9), "x"),
    IntNormalize: lambda n: n.node(IntNormalize(15, 1, 15), n.node(LookupCode(-8), "x", table=RNG.integers(0, 99, (3, 16)))),
    IntStandardize: lambda n: n.node(IntStandardize(True, 20, 6, 5, 3), "x"),
    IntConcat: lambda n: n.node(IntConcat(), "x", "z"),
    IntSlice: lambda n: n.conv(n.node(IntSlice(1, 3), "x"), 4),
    IntUnfold: lambda n: n.node(IntUnfold(Window((4, 1), (4, 1))), "x"),
    IntUpsample: lambda n: n.node(IntUpsample((2, 1)), "x"),
    View: lambda n: n.conv(n.node(View((1, 1, 48)), "x"), 4),
    ArgMaxCode: lambda n: n.node(ArgMaxCode(), "x"),
    ThresholdCode: lambda n: n.steps("x", 2),
    LookupCode: lambda n: n.node(LookupCode(-8), "x", table=RNG.integers(-9, 10, (3, 16))),
}
"""A graph of each, on streams of four-bit codes."""


def net(op: type[IntOp]) -> tuple[Net, str]:
    made = Net(1, x=(SHAPE, -8, 7), z=(SHAPE, -5, 7))
    return made, ONE[op](made)


@pytest.mark.parametrize("op", INTEGER_OPS)
def test_every_operator_is_lowered_in_both_modes(op: type[IntOp]) -> None:
    made, out = net(op)
    graph = made.graph(out).without_dead()
    graph = graph.replace(inputs=tuple(t for t in graph.inputs if graph.consumers()[t]))
    codes = {t: c for t, c in made.codes(3).items() if t in graph.inputs}
    (wanted,) = graph.execute(codes).values()
    units, _ = lower(graph)
    (found,) = units.execute(codes).values()
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)
    engine = EngineConfig(pe=8, simd=8, act_words=1024, weight_words=128, acc_words=64, root_bits=66)
    np.testing.assert_array_equal(run_program(compile_program(graph, engine, 1), codes)[out], wanted)


@pytest.mark.parametrize("op", INTEGER_OPS)
def test_proven_ranges_hold(op: type[IntOp]) -> None:
    made, out = net(op)
    (found,) = made.graph(out).execute(made.codes(200)).values()
    lo, hi = made.ranges[out]
    assert np.all(found >= lo) and np.all(found <= hi)


@pytest.mark.parametrize(
    "op",
    [IntPool("max", Window((2, 2))), IntPool("sum", Window((2, 2))), IntPad(Window((1, 1), (2, 2))), IntPad(Window(pads=(1, 0, 0, 0)), 0),
     IntAdd((1, 1)), IntMul(), IntConcat(), IntSlice(0, 2), IntUpsample((2, 2)), View((1, 1, 48)), ArgMaxCode()],
    ids=str,
)  # fmt: skip
def test_what_keeps_bipolar_codes_gives_no_others(op: IntOp) -> None:
    x = RNG.choice([-1, 1], (2, 50, *SHAPE))
    operands = x[:2] if isinstance(op, IntAdd | IntMul | IntConcat) else x[:1]
    codes = set(np.unique(op.execute(*operands)[0]).tolist())
    assert codes <= {-1, 1} if op.keeps_bipolar else isinstance(op, IntMul) or not codes <= {-1, 1}


def tensor(channels: int, lo: int = -8, hi: int = 7) -> Tensor:
    return Tensor((4, 4, channels), None, np.array(lo), np.array(hi))


@pytest.mark.parametrize("op", INTEGER_OPS)
def test_every_operator_takes_what_it_says(op: type[IntOp]) -> None:
    made, out = net(op)
    graph = made.graph(out)
    (node,) = (n for n in graph.nodes if isinstance(n.op, op))
    streams = [graph.tensors[t] for t in node.inputs if t not in graph.constants]
    constants = [graph.constants[t] for t in node.inputs[len(streams) :]]
    assert len(streams) in op.streams and len(constants) == op.constants
    assert node.op.fits(streams, constants)  # type: ignore[attr-defined]


STEPS = np.array([[1, 2, 3]])
UP = np.array([False])


@pytest.mark.parametrize(
    ("op", "streams", "constants"),
    [
        (IntAdd((1, 1)), [tensor(3), tensor(1)], []),
        (IntMul(), [tensor(3), tensor(4)], []),
        (IntNormalize(1, 1, 15), [tensor(3)], []),
        (IntNormalize(0, 1, 15), [tensor(3, 0)], []),
        (IntNormalize(1, 1, 15, 0, "away"), [tensor(3, 0)], []),
        (IntStandardize(True, 20, 21), [tensor(3)], []),
        (IntStandardize(True, 20, 6, -1), [tensor(3)], []),
        (IntStandardize(False, 70, 6), [tensor(3)], []),
        (IntMatMul((3, 4), 2), [tensor(3), tensor(3)], []),
        (IntMatMul((3, 8), 2, (1, 3), True), [tensor(3), tensor(3)], []),
        (IntMatMul((4, 8), 2, (1, 1), True), [tensor(3), tensor(3)], []),
        (IntDelay(0), [tensor(3)], []),
        (IntSlice(1, 4), [tensor(3)], []),
        (IntSlice(1, 1), [tensor(3)], []),
        (IntConv(), [tensor(3)], [np.ones((5, 1, 1, 4))]),
        (IntConv(), [tensor(3)], [np.ones((5, 1, 3))]),
        (IntConv(Window((3, 3))), [tensor(3)], [np.ones((5, 1, 3, 3))]),
        (IntConv(groups=3), [tensor(3)], [np.ones((5, 1, 1, 1))]),
        (ThresholdCode(2, 0), [tensor(3)], [STEPS[:, :2], UP]),
        (ThresholdCode(2, 0), [tensor(3)], [np.repeat(STEPS, 2, 0), UP]),
        (ThresholdCode(2, 0), [tensor(3)], [STEPS[:, ::-1], UP]),
        (ThresholdCode(2, 0), [tensor(3)], [STEPS, np.array([False, True])]),
        (LookupCode(-7), [tensor(3)], [np.zeros((1, 16))]),
        (LookupCode(-8), [tensor(3)], [np.zeros((1, 15))]),
        (LookupCode(-8), [tensor(3)], [np.zeros((2, 16))]),
    ],
    ids=str,
)
def test_what_does_not_go_together(op: IntOp, streams: list[Tensor], constants: list[Array]) -> None:
    assert not op.fits(streams, constants)


def test_a_table_reaches_what_it_holds_between_the_ends() -> None:
    table = np.array([[5, 0, 9, 1, 7]])
    lo, hi = LookupCode(-2).bounds(((np.array([-1, 0]), np.array([1, 2])),), (table,))
    assert (lo.tolist(), hi.tolist()) == ([0, 1], [9, 9])


@pytest.mark.parametrize("falls", [False, True])
def test_thresholds_reach_what_their_ends_give(falls: bool) -> None:
    op, steps = ThresholdCode(2, -1), (np.array([[-3, 0, 4]]), np.array([falls]))
    lo, hi = op.bounds(((np.array([-3]), np.array([3])),), steps)
    every = op.execute(np.arange(-3.0, 4).reshape(1, 7, 1, 1), *steps)[0]
    assert (lo.item(), hi.item()) == (every.min(), every.max())
