"""Bounds of the sweep: no program takes fewer cycles, whatever it need not load or may do at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntSlice, Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.lower import lower
from dfcompile.loopback.predict import predict
from dfcompile.loopback.search.bound import Work, work
from tests.loopback.cases import CASES, Net, outputs
from tests.loopback.test_program import SHAPES

NARROW = EngineConfig(pe=64, simd=64, act_words=2048, weight_words=256, weight_bits=8, bus_bits=32)


def through() -> Graph:
    """As much in as out: loads and stores run at once."""
    net = Net(1, x=((64, 64, 64), 0, 15))
    return net.graph(net.steps(net.conv("x", 64), 4))


def dense(value: int | None) -> Graph:
    """Large weights, all equal where a value is given: one tile is loaded for all."""
    net = Net(1, x=((1, 1, 1024), 0, 3))
    y = net.conv("x", 1024, top=3)
    for weights in net.constants.values():
        weights[:] = weights if value is None else value
    return net.graph(y)


def strided() -> Graph:
    """Most rows of the input are never read."""
    net = Net(1, x=((64, 64, 64), 0, 15))
    return net.graph(net.conv("x", 64, Window((1, 1), (8, 8))))


def sliced() -> Graph:
    """Few of the input's channels are read."""
    net = Net(1, x=((1, 1, 2048), 0, 15))
    return net.graph(net.conv(net.node(IntSlice(0, 64), "x"), 8))


MADE: dict[str, Callable[[], Graph]] = {
    "through": through, "strided": strided, "sliced": sliced,
    "dense": lambda: dense(None), "threes": lambda: dense(3), "zeros": lambda: dense(0),
}  # fmt: skip


def bound_and_cycles(graph: Graph, config: EngineConfig) -> tuple[int, int]:
    return work(lower(graph, config), config).cycles(config), predict(compile_program(graph, config)).cycles


@pytest.mark.parametrize("name", sorted(MADE))
def test_no_program_beats_its_bound(name: str) -> None:
    bound, cycles = bound_and_cycles(MADE[name](), NARROW)
    assert 0 < bound <= cycles


def test_a_bound_is_near_where_the_bus_decides() -> None:
    for graph, share in ((through(), 0.85), (dense(None), 0.5)):
        bound, cycles = bound_and_cycles(graph, NARROW)
        assert share * cycles <= bound


@pytest.mark.parametrize("case", sorted(CASES))
def test_no_program_of_any_layer_beats_its_bound(case: str) -> None:
    net = CASES[case]()
    graph = net.graph(*outputs(net))
    compared = 0
    for config in SHAPES.values():
        try:
            bound, cycles = bound_and_cycles(graph, config)
        except (CompileError, ValueError):
            continue  # this engine does not run it
        compared += 1
        assert bound <= cycles
    assert compared


def test_equal_channels_count_once_and_others_each() -> None:
    random = np.random.default_rng(0)
    whole = Net(1, x=((1, 1, 64), 0, 3))
    y = whole.conv("x", 32, top=7)
    weights = next(iter(whole.constants.values()))
    config = EngineConfig(pe=8, simd=8, act_words=1024, weight_words=128)

    def loads() -> int:
        return work(lower(whole.graph(y), config), config).loads

    every = loads()
    weights[16:] = -weights[:16][:, :, :, random.permutation(64)]
    assert loads() < every


def test_tensors_that_do_not_fit_are_expected_to_move() -> None:
    """Of two layers that take ten and a hundred steps, with tensors of 30, 40 and 50 words: what fits beside the smaller ones stays."""
    found = Work(110, 0, 0, 0, ((10, 0, (30, 40)), (100, 1, (40, 50))))
    sizes = {words: found.expected(EngineConfig(act_words=words)) for words in (128, 64, 32)}
    assert EngineConfig().word_beats == 2 and EngineConfig().weight_beats == 32
    assert sizes == {128: 110, 64: 80 + 132, 32: 80 + 212}
