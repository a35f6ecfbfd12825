"""Thresholds of monotone functions against all of their values, and how many values are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.ir.graph import Array
from dfcompile.ir.modelop import Binary, Bipolar, Quantize, Unary
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.monotone import Table, evaluate, monotone_table
from dfcompile.streamline.step import Step, StepFunction


def function(gain: Any, shape: str, bits: int, signed: bool = False) -> StepFunction:
    """Codes times a gain (one or a channel each), through a function, to integers of so many bits."""
    steps = [Step(Binary("mul"), 0, (np.asarray(gain, np.float64),))]
    if shape != "linear":
        steps.append(Step(Unary(shape)))
    if shape in ("sigmoid", "tanh"):
        steps.append(Step(Binary("mul"), 0, (np.array(2.0**bits),)))
    low = -(1 << (bits - 1)) if signed else 0
    last = Step(Bipolar()) if bits == 1 and signed else Step(Quantize(low, low + (1 << bits) - 1), 0, (np.array(1.0), np.array(0.0)))
    return StepFunction(Grid.of(1, 0), (*steps, last), Grid.of(1, 0))


def applied(table: Table, codes: Array) -> Array:
    """Codes (range, channels) by counting thresholds."""
    count = np.stack([np.searchsorted(t, codes[:, c], side="right") for c, t in enumerate(table.thresholds)], axis=1)
    pattern = np.where(table.flip, table.thresholds.shape[1] - count, count)
    return pattern * (2 if table.dtype.bipolar else 1) + table.dtype.lo


def find(f: StepFunction, lo: Array, hi: Array) -> Table:
    direction = f.direction()
    assert direction is not None
    return monotone_table(f, np.broadcast_to(direction, lo.shape), lo, hi)


@pytest.mark.parametrize("shape", ["linear", "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [1, 2, 3, 8, 11])
@pytest.mark.parametrize("size", [1, 3, 50, 1000, 60_000])
@pytest.mark.parametrize("signed", [False, True])
def test_every_value_of_the_range(shape: str, bits: int, size: int, signed: bool) -> None:
    rng = np.random.default_rng(size * bits)
    lo = rng.integers(-size, size, 4)
    hi = lo + rng.integers(0, size, 4)
    f = function(rng.choice([-1, 1], 4) * rng.uniform(0.05, 5, 4) * 2**bits / size, shape, bits, signed)
    table = find(f, lo, hi)
    codes = np.minimum(lo + np.arange(int((hi - lo).max()) + 1)[:, None], hi)
    np.testing.assert_array_equal(applied(table, codes), evaluate(f, codes))
    assert np.all(np.diff(table.thresholds, axis=1) >= 0)
    assert np.all((table.thresholds >= lo[:, None]) & (table.thresholds <= hi[:, None] + 1))


@pytest.mark.parametrize("gain", [65536.0, 3.0, 0.37])
def test_many_levels_across_few_codes(gain: float) -> None:
    f = function(gain, "linear", 12)
    lo, hi = np.array([0]), np.array([900])
    codes = np.arange(901)[:, None]
    np.testing.assert_array_equal(applied(find(f, lo, hi), codes), evaluate(f, codes))


def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of all evaluations."""
    found: list[int] = []
    plain = StepFunction._block

    def block(self: StepFunction, *codes: Array) -> Array:
        found.append(codes[0].size)
        return plain(self, *codes)

    monkeypatch.setattr(StepFunction, "_block", block)
    return found


@pytest.mark.parametrize(("size", "most"), [(10**5, 9), (10**7, 5), (10**9, 5)])
def test_a_linear_function_is_asked_a_few_times_for_each_threshold(size: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the range: a threshold of 2**14 is on the straight line between its neighbours, but for rounding."""
    sizes = asked(monkeypatch)
    find(function(2**14 / size * 1.0001, "relu", 14), np.array([-size]), np.array([size]))
    assert sum(sizes) <= most * 2**14


def test_the_widest_range() -> None:
    """One threshold of sums of 52 bits."""
    top = 2**52
    table = find(function(1 / top, "linear", 1), np.array([-top]), np.array([top]))
    assert table.thresholds.tolist() == [[top // 2 + 1]]


@pytest.mark.parametrize("shape", ["sigmoid", "tanh"])
def test_no_monotone_function_takes_more_than_twice_a_bisection(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = asked(monkeypatch)
    size = 10**8
    find(function(20 / size, shape, 14), np.array([-size]), np.array([size]))
    assert sum(sizes) <= 2 * 2**14 * (2 * size).bit_length()
