"""Folding for a clock: options that are estimated to miss it are none where others take as many cycles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.networks import Network
from dfcompile.dataflow.connect import apply_folding
from dfcompile.device.boards import find_board
from dfcompile.device.cost import budget, rates
from dfcompile.device.delay import slowest
from dfcompile.device.family import DELAYS
from dfcompile.folding.fold import cheapest, fastest
from dfcompile.folding.problem import FoldProblem
from dfcompile.ir.graph import Graph
from dfcompile.units.base import Unit, unit_of
from tests.dataflow.test_fold_brute import Every, chain

FAMILY = "ecp5"


def clocks(unit: Unit, family: str = FAMILY) -> float | None:
    found = slowest(unit.paths(family), DELAYS[family])
    return found[0] if found else None


def split(graph: Graph, every: Every, mhz: float) -> np.ndarray[Any, Any]:
    """Which designs of an enumeration have no option that misses the clock though another has its cycles; by hand."""
    kept = np.ones(every.shape, bool)
    for axis, units in enumerate(every.units.values()):
        made = [clocks(u, every.family) for u in units]
        seen = [u.cycles for u in units]
        closing = {s for s, m in zip(seen, made, strict=True) if m is not None and m >= mhz}
        own = np.array([m is None or m >= mhz or s not in closing for s, m in zip(seen, made, strict=True)])
        kept &= own.reshape([-1 if i == axis else 1 for i in range(len(every.shape))])
    return kept.reshape(-1)


@pytest.mark.parametrize("mhz", [110.0, 150.0])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 4, 2)])
def test_the_cheapest_design_for_a_clock_is_that_of_brute_force(sizes: tuple[int, ...], mhz: float) -> None:
    graph = chain(sizes)
    every = Every(graph, FAMILY)
    costs, kept = every.areas @ rates(FAMILY, None), split(graph, every, mhz)
    for interval in sorted({*every.cycles.tolist()}):
        inside = (every.cycles <= interval) & (interval <= every.until)
        found = cheapest(graph, interval, FAMILY, mhz=mhz)
        assert found.optimal and found.value == pytest.approx(costs[inside & kept].min(), rel=1e-8)
        assert found.slow == 0 or not kept.all()


def layer(channels: int) -> Graph:
    """A layer whose weights and thresholds may lie in block RAM, out of which no register takes them."""
    net = Network("layer", (1, 1, channels))
    net.conv(channels)
    return net.graph()


@pytest.mark.parametrize(("channels", "interval", "mhz"), [(32, 512, 130.0), (64, 128, 147.0), (64, 128, 160.0), (48, 64, 170.0)])
def test_a_clock_changes_what_is_chosen(channels: int, interval: int, mhz: float) -> None:
    """Where the cheapest design misses a clock that another with as many cycles reaches, it is the other, at its cost."""
    graph = layer(channels)
    free, made = cheapest(graph, interval, "xc7"), cheapest(graph, interval, "xc7", mhz=mhz)
    ends = [clocks(unit_of(apply_folding(graph, f.choices).nodes[0]), "xc7") for f in (free, made)]
    assert ends[0] is not None and ends[1] is not None and ends[0] < mhz <= ends[1]
    assert made.interval <= interval and made.slow and made.optimal and made.value > free.value


def test_a_budget_goes_before_the_clock() -> None:
    """Where only options fit that miss the clock they are taken, in as few cycles as without it, and none is said to be left out."""
    graph, base = layer(128), find_board("pynq-z2")
    free = cheapest(graph, 1024, "xc7", board=base)
    dear = cheapest(graph, 1024, "xc7", board=base, mhz=200.0)
    assert dear.value > free.value * 1.001 and dear.slow
    area = free.solution.area
    tight = replace(
        base, lut=int(area[0] / 0.8) + 2, ff=int(area[1] / 0.8) + 2, bram36=float(np.ceil(2 * area[2] / 0.95) / 2), dsp=int(area[4] + 1)
    )
    assert not dear.solution.fits(budget(tight))
    made = cheapest(graph, 1024, board=tight, mhz=200.0)
    assert made.optimal and made.solution.fits(budget(tight)) and made.slow == 0
    assert fastest(graph, tight, mhz=200.0).interval == fastest(graph, tight).interval


def test_without_delays_every_option_counts() -> None:
    problem = FoldProblem(layer(16), "gowin", clock=500.0)
    (closing,), (every,) = (problem.options(64, closing=c).values() for c in (list(problem.units), ()))
    assert len(closing) == len(every) and problem.slow == 0
