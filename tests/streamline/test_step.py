"""Step functions against brute force in rationals: every code, every channel, ties and near misses of ties included."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.modelop import Binary, Quantize, Unary
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Join, Step, StepFunction, chain_direction
from tests.exact_arithmetic import rounded
from tests.examples import examples
from tests.streamline.chains import CHANNELS, MODES, Chains, function_of, meaning_of, table_of

CODES = range(-40, 41)
ALL = np.repeat(np.arange(-40, 41)[:, None], CHANNELS, axis=1)
SEEDS = st.integers(0, 10**9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("gain", "divisor"), [(0.1, 0.2), (0.3, 0.6), (0.7, 1.4), (0.1, 0.3), (1.1, 2.2)])
def test_mul_div_quant(mode: str, gain: float, divisor: float) -> None:
    """Halves that float64 misses (0.1 n / 0.2), and what only looks like one (0.1 n / 0.3)."""
    op, one = Quantize(-100, 100, mode), np.array(1.0)
    chain = (Step(Binary("mul"), 0, (np.array(gain),)), Step(Binary("div"), 0, (np.array(divisor),)), Step(op, 0, (one, 0 * one)))
    for scale in (Fraction(1), Fraction(1, 3), Fraction(3, 10)):
        found = StepFunction(Grid.of(scale, 0), chain, Grid.of(1, 0)).execute(ALL)[0][:, 0]
        assert found.tolist() == [rounded(scale * n * Fraction(gain) / Fraction(divisor), mode) for n in CODES]


@examples(200)
@given(seed=SEEDS, length=st.integers(0, 4))
def test_a_chain_is_its_meaning(seed: int, length: int) -> None:
    chains = Chains(seed)
    base, links = chains.base(), chains.chain(length)
    function, wanted = function_of(base, links), table_of(base, links, CODES)
    np.testing.assert_array_equal(function.execute(ALL)[0], wanted)
    for n in (-40, -1, 0, 7):
        assert [function.exact(c, n) for c in range(CHANNELS)] == wanted[n + 40].tolist()


@examples(100)
@given(seed=SEEDS, fn=st.sampled_from(("add", "sub", "mul", "min", "max")))
def test_two_chains_of_one_variable(seed: int, fn: str) -> None:
    chains = Chains(seed)
    base, left, right, end = chains.base(), [chains.link()], [chains.link()], chains.quantize()
    steps = tuple(tuple(link.step for link in side) for side in (left, right))
    function = StepFunction(base, (Join(Binary(fn), *steps), end.step), Grid.of(1, 0))
    join = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "min": min, "max": max}[fn]
    wanted = [
        [int(end.meaning(Fraction(join(*(meaning_of(base, side, n, c) for side in (left, right)))), c)) for c in range(CHANNELS)]
        for n in CODES
    ]
    np.testing.assert_array_equal(function.execute(ALL)[0], wanted)
    assert function.direction() is None


@examples(200)
@given(seed=SEEDS, length=st.integers(0, 3))
def test_a_direction_is_one(seed: int, length: int) -> None:
    """Where a chain is said to rise, fall or stay, its values do, channel by channel."""
    chains = Chains(seed)
    base, links = chains.base(), chains.chain(length)
    direction = chain_direction(base, tuple(link.step for link in links))
    if direction is None:
        return
    steps = np.diff(table_of(base, links, CODES), axis=0)
    for c, d in enumerate(np.broadcast_to(direction, (CHANNELS,))):
        assert np.all(steps[:, c] * d >= 0) and (d or not steps[:, c].any())


@pytest.mark.parametrize("fn", ["relu", "clip", "sigmoid", "tanh", "floor", "exp"])
@pytest.mark.parametrize("gain", [2.0, -2.0, 0.0])
def test_direction_of_monotone_functions(fn: str, gain: float) -> None:
    """Those a network has are known to be monotone; a wide one would be refused otherwise."""
    chain = (Step(Binary("mul"), 0, (np.array(gain),)), Step(Unary(fn, -1.0, 1.0)), Step(Unary("neg")))
    assert chain_direction(Grid.of(-1, 0), chain) == np.sign(gain)
    assert chain_direction(Grid.of(1, 0), (*chain, Step(Unary("abs")))) is None


@examples(300)
@given(seed=SEEDS, length=st.integers(1, 3))
def test_results_lie_on_the_grid_that_is_told(seed: int, length: int) -> None:
    chains = Chains(seed)
    base, links = chains.base(), [chains.link() for _ in range(length)]
    grid: Grid | None = base
    for link in links:
        grid = link.step.regrid(grid)
    if grid is None:
        return
    for n in range(-12, 13):
        for c in range(CHANNELS):
            scale, offset = grid.pick(c)
            code = (meaning_of(base, links, n, c) - offset) / scale
            assert code.denominator == 1 and (not grid.pure or code == n)


def test_tiled_steps_repeat_their_channels() -> None:
    function = function_of(Grid.of(np.array([1, 2]), 0), [Chains(1).quantize()])
    wide = StepFunction(function.base.tiled(3, 2), tuple(s.tiled(3, 2) for s in function.chain), function.grid)
    np.testing.assert_array_equal(wide.execute(np.tile(ALL, 3))[0], np.tile(function.execute(ALL)[0], 3))
