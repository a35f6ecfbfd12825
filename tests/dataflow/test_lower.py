"""Integer operators as units: the same codes, in the units that are meant for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.lower import lower
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import (
    ArgMaxCode,
    IntAdd,
    IntConcat,
    IntConv,
    IntMul,
    IntPad,
    IntPool,
    IntSlice,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
    Window,
)
from dfcompile.ir.types import BIPOLAR
from dfcompile.streamline.extract import extract_thresholds
from tests.streamline.graphs import Builder, assert_same

RNG = np.random.default_rng(4)
SHAPE = (4, 5, 4)


def weights(oc: int, kh: int, kw: int, c: int) -> Any:
    return RNG.integers(-3, 4, (oc, kh, kw, c))


def lowered(b: Builder, *outputs: str) -> list[str]:
    """Kinds of the units, after units and connected design were found to give the integer graph's codes."""
    typed: Graph = extract_thresholds(b.graph(*outputs))
    units, _ = lower(typed)
    assert_same(typed, units)
    assert_same(typed, connect(units).graph)
    return [n.op.kind for n in units.nodes]


def one(op: Any, shape: tuple[int, int, int] = SHAPE, lo: int = -3, hi: int = 4, dtype: Any = None, **constants: Any) -> list[str]:
    b = Builder()
    return lowered(b, b.op(op, b.input(shape, lo, hi, dtype), **constants))


def test_dense_convolutions() -> None:
    assert one(IntConv(), weights=weights(3, 1, 1, 4)) == ["mvtu"]
    assert one(IntConv(Window((2, 2))), weights=weights(3, 2, 2, 4)) == ["sliding_window", "mvtu"]
    assert one(IntConv(Window((4, 5))), weights=weights(3, 4, 5, 4)) == ["mvtu"], "one window over the whole frame, in its own order"
    padded = IntConv(Window((4, 5), (9, 9), (1, 2, 1, 0)), pad_code=1)
    assert one(padded, weights=weights(3, 4, 5, 4)) == ["sliding_window", "mvtu"], "as large as the frame, but not in its place"


@pytest.mark.parametrize("pad_code", [0, 4, 7, -5])
def test_a_pad_code_beyond_the_type(pad_code: int) -> None:
    assert one(IntConv(Window((2, 2), pads=(1, 0, 1, 1)), pad_code=pad_code), weights=weights(3, 2, 2, 4)) == ["sliding_window", "mvtu"]
    assert one(IntPad(Window(pads=(1, 0, 1, 1)), pad_code)) == ["sliding_window"]


def test_groups_and_depthwise() -> None:
    assert one(IntConv(Window((2, 2)), 2), weights=weights(6, 2, 2, 2)) == ["sliding_window", "mvtu"]
    assert one(IntConv(Window((2, 2), (2, 1)), 4), weights=weights(4, 2, 2, 1)) == ["sliding_window", "vvtu"]


@pytest.mark.parametrize("mode", ["max", "min", "sum"])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 0, 0)])
@pytest.mark.parametrize(("lo", "hi"), [(-3, 4), (1, 6), (-8, -2)])
def test_pools(mode: str, pads: tuple[int, int, int, int], lo: int, hi: int) -> None:
    """A pad is smaller than every code of a maximum, larger than every one of a minimum, `pad_code` in a sum."""
    assert one(IntPool(mode, Window((2, 2), (1, 2), pads), 2), lo=lo, hi=hi) == ["sliding_window", "pool"]


def test_a_pool_of_the_whole_picture() -> None:
    assert one(IntPool("sum", Window((4, 5)))) == ["pool"]


@pytest.mark.parametrize("pe", [1, 2, 4])
def test_a_depthwise_window_has_the_lanes_of_its_reader(pe: int) -> None:
    """Its elements come channels outermost, lanes by lanes: another folding is another order, which no converter mends."""
    b = Builder()
    typed = extract_thresholds(b.graph(b.op(IntConv(Window((2, 2)), 4), b.input(SHAPE, -3, 4), weights=weights(4, 2, 2, 1))))
    units = apply_folding(lower(typed)[0], {"n0": {"pe": pe}})
    assert [n.op.inputs[0].lanes for n in units.nodes] == [pe, pe]
    assert_same(typed, connect(units).graph)


def thresholds(b: Builder, x: str, channels: int = 3) -> str:
    rows = np.sort(RNG.integers(-9, 9, (channels, 3)), axis=1)
    return b.op(ThresholdCode(2, 0), x, thresholds=rows, flip=np.array([False, True, False][:channels]))


def test_thresholds_go_into_the_layer_in_front() -> None:
    b = Builder()
    conv = b.op(IntConv(), b.input(SHAPE, -3, 4), weights=weights(3, 1, 1, 4))
    y = thresholds(b, conv)
    b.tensors[y] = type(b.tensors[y])(b.tensors[y].shape, None, np.zeros(3), np.full(3, 3))
    assert lowered(b, y) == ["mvtu"]


@pytest.mark.parametrize("other", ["reader", "output"])
def test_thresholds_stay_where_the_sums_have_another_reader(other: str) -> None:
    b = Builder()
    conv = b.op(IntConv(), b.input(SHAPE, -3, 4), weights=weights(3, 1, 1, 4))
    y = thresholds(b, conv)
    b.tensors[y] = type(b.tensors[y])(b.tensors[y].shape, None, np.zeros(3), np.full(3, 3))
    second = b.op(IntPool("max", Window((2, 2))), conv) if other == "reader" else conv
    assert lowered(b, y, second)[:2] == ["mvtu", "threshold"]


def test_sums_products_and_movers() -> None:
    b = Builder()
    x, z = b.input(SHAPE, -3, 4), b.input(SHAPE, 0, 9)
    assert lowered(b, b.op(IntAdd((-2, 3), 5), x, z), b.op(IntMul(), z, x)) == ["add", "multiply"]
    assert one(IntUpsample((2, 3))) == ["upsample"]
    assert one(ArgMaxCode()) == one(ArgMaxCode(select_last=True)) == ["argmax"]
    assert one(View((5, 4, 4))) == ["fifo"] == one(View(SHAPE))


@pytest.mark.parametrize(("rows", "factors", "hi", "kinds"), [
    (1, (513, -356), 127, ["table_add"]),
    (4, (513, -356), 127, ["add", "threshold"]),  # thresholds of their own in each channel
    (1, (513, -356), 128, ["add", "threshold"]),  # an operand of 9 bits
])  # fmt: skip
def test_sums_of_free_scales(rows: int, factors: tuple[int, int], hi: int, kinds: list[str]) -> None:
    b = Builder()
    x, y = b.input(SHAPE, -128, hi), b.input(SHAPE, -128, 127)
    steps = np.tile(np.arange(-127, 128) * 811 - 405, (rows, 1)) + np.arange(rows)[:, None]
    total = b.op(IntAdd(factors, 99), x, y)
    assert lowered(b, b.op(ThresholdCode(8, -128), total, thresholds=steps, flip=np.array([rows == 1]))) == kinds


def test_an_output_that_is_an_input_has_a_unit() -> None:
    b = Builder()
    x = b.input(SHAPE, -3, 4)
    assert lowered(b, x, b.op(IntPool("max", Window((2, 2))), x)) == ["sliding_window", "pool", "fifo"]


def test_a_stream_of_three_readers() -> None:
    b = Builder()
    x = b.input(SHAPE, -3, 4)
    assert lowered(b, *(b.op(IntUpsample(factors), x) for factors in ((2, 1), (1, 2), (3, 1)))) == ["upsample"] * 3


def test_concatenation_of_unlike_types() -> None:
    b = Builder()
    parts = [b.input((2, 3, c), lo, hi) for c, lo, hi in ((4, -1, 1), (2, 0, 200), (6, -40, 3))]
    assert lowered(b, b.op(IntConcat(), *parts)) == ["concat", "concat"]


def test_bipolar_codes_keep_their_meaning() -> None:
    b = Builder()
    parts = [b.input((2, 3, 2), -1, 1, BIPOLAR), b.input((2, 3, 2), -1, 1, BIPOLAR)]
    assert lowered(b, b.op(IntConcat(), *parts)) == ["concat"]
    assert one(IntConv(Window((2, 2), pads=(1, 1, 0, 0)), pad_code=0), lo=-1, hi=1, dtype=BIPOLAR, weights=weights(3, 2, 2, 4))
    assert one(IntConv(Window((2, 2), pads=(1, 1, 0, 0)), pad_code=-1), lo=-1, hi=1, dtype=BIPOLAR, weights=weights(3, 2, 2, 4))
    assert one(IntPool("max", Window((2, 2), pads=(1, 1, 0, 0))), lo=-1, hi=1, dtype=BIPOLAR) == ["sliding_window", "pool"]


def test_slices_that_cover_a_stream_are_one_split() -> None:
    b = Builder()
    x = b.input(SHAPE, -3, 4)
    assert lowered(b, *(b.op(IntSlice(*edges), x) for edges in ((2, 3), (0, 2), (3, 4)))) == ["split", "split"]


@pytest.mark.parametrize("edges", [((1, 3),), ((0, 2), (1, 4)), ((0, 2), (3, 4))])
def test_other_slices_select(edges: tuple[tuple[int, int], ...]) -> None:
    b = Builder()
    x = b.input(SHAPE, -3, 4)
    assert lowered(b, *(b.op(IntSlice(*e), x) for e in edges)) == ["mvtu"] * len(edges)


def test_tables() -> None:
    b = Builder()
    y = b.op(LookupCode(-3), b.input(SHAPE, -3, 4), table=RNG.integers(-9, 9, (4, 8)))
    b.tensors[y] = type(b.tensors[y])(SHAPE, None, np.full(4, -9), np.full(4, 8))
    assert lowered(b, y) == ["lookup"]
