"""conv(pad(x)) --> conv(x) with wider pads: where it holds, and the cases it must leave alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConv, IntPad, IntPool, View, Window
from dfcompile.streamline.decline import Declined, noted
from dfcompile.streamline.rewrite import merge_pads
from tests.streamline.graphs import Builder, assert_same, kinds

WEIGHTS = np.random.default_rng(0).integers(-3, 4, (2, 2, 2, 3))
PAD = IntPad(Window(pads=(1, 0, 2, 1)), 3)
CONV = IntConv(Window((2, 2)), pad_code=3)


def rewritten(before: Graph) -> Graph:
    after = merge_pads(before)
    assert_same(before, after)
    return after


def padded(pad: IntPad, reader: Any, **constants: Any) -> Graph:
    b = Builder()
    return b.graph(b.op(reader, b.op(pad, b.input((4, 5, 3), -2, 5)), **constants))


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (0, 1, 1, 0)])
def test_pads_are_added_up(stride: tuple[int, int], pads: tuple[int, int, int, int]) -> None:
    (node,) = rewritten(padded(PAD, IntConv(Window((2, 2), stride, pads), pad_code=3), weights=WEIGHTS)).nodes
    assert isinstance(node.op, IntConv) and node.op.pad_code == 3
    assert node.op.window.pads == tuple(np.add(pads, (1, 0, 2, 1)))


def test_a_convolution_without_pads_takes_any_code() -> None:
    assert kinds(rewritten(padded(PAD, IntConv(Window((2, 2)), pad_code=0), weights=WEIGHTS))) == ["int_conv"]


def test_a_sum_takes_pads_of_zero() -> None:
    zero = IntPad(Window(pads=(1, 0, 2, 1)), 0)
    assert kinds(rewritten(padded(zero, IntPool("sum", Window((2, 2)))))) == ["int_pool"]


LEFT_ALONE: dict[str, tuple[IntPad, Any, str]] = {
    "another code": (PAD, IntConv(Window((2, 2), pads=(1, 1, 1, 1)), pad_code=2), "n1 pads with 2, it with 3"),
    "a sum of another code": (PAD, IntPool("sum", Window((2, 2))), "n1 pads with 0, it with 3"),
    "a maximum": (IntPad(Window(pads=(1, 0, 2, 1)), 0), IntPool("max", Window((2, 2))), "n1 compares nothing with pads"),
    "a crop": (IntPad(Window(pads=(-1, 0, 2, 1)), 3), CONV, "it crops, subsamples or stuffs"),
    "a stride": (IntPad(Window(stride=(2, 1), pads=(1, 0, 2, 1)), 3), CONV, "it crops, subsamples or stuffs"),
    "zero-stuffing": (IntPad(Window(pads=(1, 0, 2, 1), stuff=(2, 2)), 3), CONV, "it crops, subsamples or stuffs"),
    "a stuffing reader": (PAD, IntConv(Window((2, 2), stuff=(2, 2)), pad_code=3), "n1 crops or stuffs"),
    "a cropping reader": (PAD, IntConv(Window((2, 2), pads=(-1, 0, 0, 0)), pad_code=3), "n1 crops or stuffs"),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_left_alone(case: str) -> None:
    pad, reader, why = LEFT_ALONE[case]
    before = padded(pad, reader, **({"weights": WEIGHTS} if isinstance(reader, IntConv) else {}))
    assert kinds(rewritten(before)) == kinds(before)
    said: list[Declined] = []
    merge_pads(before, noted("merge_pads", said))
    assert [(d.by, d.node) for d in said] == [("merge_pads", "n0")] and said[0].why.endswith(why)


def test_every_reader_must_take_them() -> None:
    b = Builder()
    p = b.op(PAD, b.input((4, 5, 3), -2, 5))
    conv = b.op(CONV, p, weights=WEIGHTS)
    for other in (b.op(View((1, 1, 126)), p), p):
        after = rewritten(b.graph(conv, other))
        assert kinds(after)[:2] == ["int_pad", "int_conv"] and after.node("n1").op == CONV


def test_two_convolutions_of_one_padded_stream() -> None:
    b = Builder()
    p = b.op(PAD, b.input((4, 5, 3), -2, 5))
    assert kinds(rewritten(b.graph(*(b.op(CONV, p, weights=w) for w in (WEIGHTS, -WEIGHTS))))) == ["int_conv", "int_conv"]
