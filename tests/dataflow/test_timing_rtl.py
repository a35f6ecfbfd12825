"""Predicted cycles against Verilator where branches meet: with the depths found, and with one slot less in each FIFO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Node
from dfcompile.ir.types import IntType
from dfcompile.run.rtl import run_rtl
from dfcompile.timing.fifo_sizing import find_depths
from dfcompile.timing.net import FULL_RATE, Rates
from dfcompile.timing.solve import solve
from dfcompile.units.add import Add
from dfcompile.units.fork import Fork
from dfcompile.units.pool import Pool
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.width_converter import WidthConverter
from tests.backend.designs import joined

UINT3 = IntType(3)
FRAMES = 5
Shape = tuple[int, int, int]


def branch(name: str, shape: Shape, kernel: tuple[int, int], lanes: int, simd: int, dtype: IntType = UINT3) -> list[Node]:
    """`name` -> the largest of each window -> `name`_out, through converters where the lanes differ."""
    kh, kw = kernel
    pads = (kh // 2, kw // 2, kh // 2, kw // 2)
    window = SlidingWindow(shape, kernel, (1, 1), pads, (1, 1), dtype, channels_outer=True, simd=simd)
    largest = Pool("max", shape, kh * kw, dtype, dtype, pe=simd)
    narrow = lanes != simd
    ends = (f"{name}_narrow", f"{name}_small") if narrow else (name, f"{name}_out")
    nodes = [Node(f"{name}_window", window, ends[:1], (f"{name}_windows",)), Node(f"{name}_pool", largest, (f"{name}_windows",), ends[1:])]
    if narrow:
        nodes.insert(0, Node(f"{name}_down", WidthConverter(shape, dtype, lanes, simd), (name,), ends[:1]))
        nodes.append(Node(f"{name}_up", WidthConverter(shape, dtype, simd, lanes), ends[1:], (f"{name}_out",)))
    return nodes


def block(x: str, y: str, shape: Shape, kernel: tuple[int, int], lanes: int, simd: int, dtype: IntType = UINT3) -> list[Node]:
    """y = x + branch(x)."""
    return [
        Node(f"{y}_fork", Fork(shape, dtype, lanes), (x,), (f"{y}_long", f"{y}_short")),
        *branch(f"{y}_long", shape, kernel, lanes, simd, dtype),
        Node(f"{y}_add", Add(shape, (dtype, dtype), lanes=lanes), (f"{y}_long_out", f"{y}_short"), (y,)),
    ]


def one_block() -> Design:
    return joined("one_block", block("x", "y", (6, 6, 2), (3, 3), 2, 2), ("x",), ("y",))


def wide_block() -> Design:
    return joined("wide_block", block("x", "y", (5, 7, 4), (3, 3), 4, 2), ("x",), ("y",))


def row_block() -> Design:
    return joined("row_block", block("x", "y", (1, 24, 2), (1, 5), 1, 2), ("x",), ("y",))


def two_blocks() -> Design:
    nodes = block("x", "m", (5, 5, 2), (3, 3), 2, 2) + block("m", "y", (5, 5, 2), (3, 3), 2, 1, IntType(4))
    return joined("two_blocks", nodes, ("x",), ("y",))


def two_windows() -> Design:
    """Both branches hold back, one more than the other."""
    shape = (6, 5, 2)
    nodes = [
        Node("fork", Fork(shape, UINT3, 2), ("x",), ("a", "b")),
        *branch("a", shape, (5, 3), 2, 2),
        *branch("b", shape, (3, 3), 2, 2),
        Node("add", Add(shape, (UINT3, UINT3), lanes=2), ("a_out", "b_out"), ("y",)),
    ]
    return joined("two_windows", nodes, ("x",), ("y",))


def measured(design: Design, rates: Rates = FULL_RATE, driver: str = "cpp") -> list[int] | None:
    """Cycle of each frame's last output beat after the first input beat; None for a deadlock."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 8, (FRAMES, *design.streams()[t].shape)) for t in design.graph.inputs]
    try:
        run = run_rtl(design, codes, rates=rates, driver=driver)
    except CompileError as error:
        assert error.problems[0].code == "deadlock"
        return None
    found: list[int] = (run.frame_done - run.first_take).tolist()
    return found


def predicted(design: Design, rates: Rates = FULL_RATE) -> list[int] | None:
    try:
        found: list[int] = solve(design, FRAMES, rates.source_gap, rates.sink_gap, rates.frame_period).frame_done.tolist()
    except CompileError as error:
        assert error.problems[0].code == "deadlock"
        return None
    return found


@pytest.mark.parametrize("make", [one_block, wide_block, row_block, two_blocks, two_windows])
def test_depths_hold_in_verilator_and_one_slot_less_does_not(make: Callable[[], Design]) -> None:
    design = make()
    found = find_depths(design)
    assert found.minimal
    assert found.depths, "this design needs a FIFO"
    sized = replace(design, fifo_depths=found.depths)
    done = measured(sized)
    assert done == predicted(sized)
    assert done is not None
    assert done[-1] - done[-2] == found.interval == max(design.unit(n.name).cycles for n in design.nodes)
    for t, depth in found.depths.items():
        less = replace(design, fifo_depths={**found.depths, t: depth - 1})
        slow = measured(less)
        assert slow == predicted(less)
        assert slow is None or slow[-1] - slow[-2] > found.interval


def chain() -> Design:
    """Windows of a narrowed stream, behind nothing and before nothing."""
    return joined("chain", branch("x", (6, 5, 4), (3, 3), 4, 2), ("x",), ("x_out",))


SLOW = [Rates(source_gap=g) for g in range(2, 6)] + [Rates(sink_gap=g) for g in range(2, 6)]
SLOW += [Rates(2, 3), Rates(3, 2), Rates(4, 5), Rates(5, 4), Rates(5, 5), Rates(frame_period=150), Rates(2, 2, 211)]


@pytest.mark.parametrize("make", [chain, one_block, row_block, two_blocks, two_windows])
def test_slow_sources_and_sinks_are_predicted_to_the_cycle(make: Callable[[], Design]) -> None:
    design = make()
    sized = replace(design, fifo_depths=find_depths(design).depths)
    fast = measured(sized)
    assert fast is not None and fast == predicted(sized)
    slower = 0
    for rates in SLOW:
        done = measured(sized, rates)
        assert done is not None, rates
        assert done == predicted(sized, rates), rates
        steady = solve(sized, 32, rates.source_gap, rates.sink_gap, rates.frame_period)
        period = steady.interval_cycles.denominator
        assert steady.frame_done[-1] - steady.frame_done[-1 - period] == steady.interval_cycles * period
        slower += done[-1] > fast[-1]
    assert slower, "no rate slowed this design down"


@pytest.mark.further
def test_the_cocotb_bench_keeps_the_same_gaps() -> None:
    design = chain()
    rates = Rates(3, 2, 200)
    assert measured(design, rates, "cocotb") == predicted(design, rates)
