"""A stream one pixel later. Its first pixel comes before a frame does, so it is tried in front of a sum with a stream that comes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntDelay
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from dfcompile.units.add import Add
from dfcompile.units.delay import Delay
from tests.examples import some
from tests.three_way import assert_same, check_timing, random_codes

INT4, UINT3 = IntType(4, signed=True), IntType(3)
UNITS = {
    "several beats": Delay((1, 3, 6), INT4, -3, lanes=2),
    "one channel": Delay((1, 5, 1), UINT3, 5),
    "one beat": Delay((1, 2, 8), BIPOLAR, 1, lanes=8),
    "padded": Delay((1, 4, 5), INT4, 7, lanes=2, run=5),
    "one pixel": Delay((1, 1, 4), UINT3, 2),
    "kept, one beat": Delay((1, 3, 2), UINT3, 5, lanes=2, keep=True),
    "kept, several beats": Delay((1, 2, 6), INT4, -3, lanes=2, keep=True),
    "kept, padded, one pixel": Delay((1, 1, 5), INT4, 7, lanes=2, run=5, keep=True),
}


def beside(unit: Delay) -> Design:
    """y = x + delayed h."""
    add = Add(unit.shape, (UINT3, unit.dtype), lanes=unit.lanes)
    stream = unit.inputs[0]
    tensors = {t: Tensor(unit.shape, d) for t, d in (("x", UINT3), ("h", unit.dtype), ("late", unit.dtype), ("y", add.sums))}
    assert add.inputs[1] == stream
    nodes = (Node("delay", unit, ("h",), ("late",)), Node("add", add, ("x", "late"), ("y",)))
    return Design(Graph("delay_test", nodes, tensors, {}, ("x", "h"), ("y",)))


@pytest.mark.parametrize("name", some(UNITS, always=list(UNITS)[::2]))
def test_delay_three_ways(name: str) -> None:
    design = beside(UNITS[name])
    rng = np.random.default_rng(len(name))
    x, h = (random_codes(replace(s, dtype=d), 3, rng) for s, d in zip(UNITS[name].inputs * 2, (UINT3, UNITS[name].dtype), strict=True))
    first = np.full_like(h[:, :, :1], UNITS[name].first_code)
    if UNITS[name].keep:
        first[1:] = h[:-1, :, -1:]
    late = np.concatenate([first, h[:, :, :-1]], axis=2)
    stream = design.streams()["y"]
    for seed in (None, 1):
        assert_same(f"HLS {name}", stream, run_hls(design, [x, h], seed=seed)[0], x + late)
    for stalls in (0.0, 0.3, 0.7):
        run = run_rtl(design, [x, h], stalls, 1)
        assert_same(f"RTL {name}, stalls {stalls}", stream, run.outputs[0], x + late)
        if not stalls:
            check_timing(design, run)


def test_each_frame_begins_with_the_first_code() -> None:
    frames = np.arange(12).reshape(2, 1, 3, 2) % 8
    (found,) = Delay((1, 3, 2), UINT3, 7).compute(frames)
    assert found[:, 0].tolist() == [[[7, 7], [0, 1], [2, 3]], [[7, 7], [6, 7], [0, 1]]]


def test_what_is_kept_begins_the_next_frame() -> None:
    frames = np.arange(12).reshape(2, 1, 3, 2) % 8
    (found,) = Delay((1, 3, 2), UINT3, 7, keep=True).compute(frames)
    assert found[:, 0].tolist() == [[[7, 7], [0, 1], [2, 3]], [[4, 5], [6, 7], [0, 1]]]
    assert np.array_equal(IntDelay(7, keep=True).execute(frames)[0], found)


@pytest.mark.parametrize(
    ("code", "lanes", "message"), [(8, 1, "8 is no code of uint3"), (0, 3, "no whole beats of 3 lanes"), (-1, 2, "-1 is no code")]
)
def test_refusals(code: int, lanes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Delay((1, 3, 4), UINT3, code, lanes)
