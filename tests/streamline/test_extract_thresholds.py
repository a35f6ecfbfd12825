"""step_function --> threshold | lookup: every code of the proven range gives what the function means in rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntAdd, IntConcat, IntConv, IntMul, IntPool, IntSlice, View, Window
from dfcompile.ir.modelop import Binary, Bipolar, Quantize, Unary
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.extract import extract_thresholds
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction
from tests.examples import examples
from tests.streamline.chains import CHANNELS, Chains, function_of, meaning_of
from tests.streamline.graphs import Builder, kinds

INTEGERS = Grid.of(1, 0)
WEIGHTS = np.eye(CHANNELS, dtype=np.int64)[:, None, None, :]


def function(*steps: Step, base: Grid = INTEGERS) -> StepFunction:
    return StepFunction(base, steps, INTEGERS)


def by(fn: str, value: float | list[float], slot: int = 0) -> Step:
    return Step(Binary(fn), slot, (np.array(value),))


def quantize(lo: int, hi: int, scale: float = 1.0, mode: str = "ROUND") -> Step:
    return Step(Quantize(lo, hi, mode), 0, (np.array(scale), np.array(0.0)))


def graph_of(step: StepFunction, lo: Any, hi: Any, linear: bool = False, width: int = 1) -> Graph:
    """x --> [convolution] --> step function --> view --> y"""
    b = Builder()
    x = b.input((1, width, CHANNELS), lo, hi)
    x = b.op(IntConv(), x, weights=WEIGHTS) if linear else x
    return b.graph(b.op(View((width, 1, CHANNELS)), b.op(step, x)))


def every_code(lo: Array, hi: Array) -> Array:
    """(n, channels): all codes of a channel's range, the last one again where another channel has more."""
    return np.minimum(lo + np.arange(int((hi - lo).max()) + 1)[:, None], hi)


def extracted(step: StepFunction, lo: Any, hi: Any, linear: bool = False) -> tuple[Graph, Array, Array]:
    """The rewritten graph, all codes (n, channels), and what it makes of them; the proven range is the one that is reached."""
    low, high = (np.broadcast_to(v, (CHANNELS,)) for v in (lo, hi))
    codes = every_code(low, high)
    after = extract_thresholds(graph_of(step, lo, hi, linear, len(codes)))
    after.verify()
    made = after.execute({"x0": codes[None, None].astype(np.float64)})[after.outputs[0]].reshape(codes.shape)
    t = after.tensors[after.outputs[0]]
    assert t.dtype is not None and np.all(t.lo <= made.min(axis=0)) and np.all(t.hi >= made.max(axis=0))
    assert t.dtype.lo <= made.min() and made.max() <= t.dtype.hi
    return after, codes, made


@examples(200)
@given(seed=st.integers(0, 10**9), length=st.integers(0, 3), linear=st.booleans())
def test_every_code_keeps_its_meaning(seed: int, length: int, linear: bool) -> None:
    chains = Chains(seed)
    base, links = chains.base(), chains.chain(length)
    lo, hi = chains.rng.integers(-30, 1, CHANNELS), chains.rng.integers(0, 31, CHANNELS)
    _, codes, made = extracted(function_of(base, links), lo, hi, linear)
    wanted = [[int(meaning_of(base, links, int(n), c)) for c, n in enumerate(row)] for row in codes]
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize("linear", [False, True])
def test_an_identity_goes(linear: bool) -> None:
    after, codes, made = extracted(function(Step(Unary("relu"))), 0, [5, 9], linear)
    assert kinds(after) == ["int_conv"] * linear + ["view"]
    np.testing.assert_array_equal(made, codes)


def test_an_identity_at_its_ends_only_stays() -> None:
    """-4 and 4 stay where they are, 3 becomes 4, 1 becomes 0."""
    even = function(by("mul", 0.5), Step(Unary("round")), by("mul", 2.0))
    _, codes, made = extracted(even, -4, 4)
    np.testing.assert_array_equal(made, 2 * np.rint(codes / 2))


def test_an_identity_in_one_channel_only_stays() -> None:
    _, codes, made = extracted(function(by("min", [9.0, 3.0])), 0, 7)
    np.testing.assert_array_equal(made, np.minimum(codes, [9, 3]))


def test_an_output_keeps_its_name() -> None:
    b = Builder()
    y = b.op(function(Step(Unary("relu"))), b.input((1, 1, 2), 0, 5))
    after = extract_thresholds(b.graph(y))
    assert after.outputs == (y,) and len(after.nodes) == 1


def test_directions_may_differ_by_channel() -> None:
    after, codes, made = extracted(function(by("mul", [-0.5, 0.25]), quantize(-3, 3)), -100, 100)
    assert kinds(after) == ["threshold", "view"]
    np.testing.assert_array_equal(made, np.clip(np.rint(codes * [-0.5, 0.25]), -3, 3))


def test_a_channel_may_be_constant() -> None:
    _, codes, made = extracted(function(by("mul", [0.0, 1.0]), by("add", 2.0), quantize(0, 3)), -50, 50)
    np.testing.assert_array_equal(made, np.clip(codes * [0, 1] + 2, 0, 3))


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("bound", [100, 10**9])
def test_one_bit_is_bipolar(falling: bool, bound: int) -> None:
    step = function(by("mul", -1.0 if falling else 1.0), by("sub", 0.5), Step(Bipolar()))
    after = extract_thresholds(graph_of(step, -bound, bound, True))
    t = after.tensors[after.outputs[0]]
    assert t.dtype == BIPOLAR and after.constants[after.nodes[1].inputs[1]].shape == (1, 1)
    for code in (-bound, -1, 0, 1, bound):
        (made,) = after.execute({"x0": np.full((1, 1, 1, CHANNELS), float(code))}).values()
        assert np.all(made == (1 if (-code if falling else code) >= 0.5 else -1))


@pytest.mark.parametrize("shift", [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
def test_three_levels_are_not_bipolar(shift: list[float]) -> None:
    """Nor are they where only one channel takes the third, code 0."""
    after, codes, made = extracted(function(by("add", shift), Step(Unary("sign"))), -40, 40, True)
    assert after.tensors[after.outputs[0]].dtype == IntType(2, signed=True)
    np.testing.assert_array_equal(made, np.sign(codes + shift))


def test_bipolar_codes_stay_so_through_what_only_moves_them() -> None:
    b = Builder()
    x = b.op(function(Step(Bipolar())), b.input((2, 2, 2), -9, 9))
    joined = b.op(IntConcat(), x, b.op(IntPool("max", Window()), x))
    picked = b.op(IntSlice(1, 3), joined)
    after = extract_thresholds(b.graph(picked, b.op(IntPool("sum", Window((2, 2))), x), b.op(IntAdd((1, 1)), x, x)))
    assert [after.tensors[t].dtype for t in after.outputs] == [BIPOLAR, IntType(4, signed=True), IntType(3, signed=True)]


@pytest.mark.parametrize("scale", [0.1, 500.0])
def test_wide_and_not_monotone(scale: float) -> None:
    """Pieces of constant value; each of the two channels has its own range."""
    step = function(Step(Unary("abs")), by("mul", [0.1, 0.03]), by("div", scale), quantize(0, 15))
    lo, hi = np.array([-9000, -400]), np.array([5000, 8000])
    after, codes, made = extracted(step, lo, hi)
    assert kinds(after) == ["threshold", "lookup", "view"]
    for c, gain in enumerate((0.1, 0.03)):
        wanted = [min(round(abs(int(n)) * Fraction(gain) / Fraction(scale)), 15) for n in codes[:, c]]
        np.testing.assert_array_equal(made[:, c], wanted)


def test_narrow_and_not_monotone() -> None:
    after, codes, made = extracted(function(Step(Unary("abs")), by("mul", [1.0, -2.0])), [-7, -3], [3, 5])
    assert kinds(after) == ["lookup", "view"]
    np.testing.assert_array_equal(made, np.abs(codes) * [1, -2])


def refused(graph: Graph) -> str:
    with pytest.raises(CompileError) as found:
        extract_thresholds(graph)
    (problem,) = found.value.problems
    assert problem.where and problem.help
    return f"{problem.code}: {problem.what}; {problem.why}"


def test_too_wide_to_search() -> None:
    text = refused(graph_of(function(Step(Unary("abs")), quantize(0, 3)), -(2**40), 2**40))
    assert text.startswith("not-monotone: ") and f"[{-(2**40)}, {2**40}]" in text


def test_more_pieces_than_a_table_holds() -> None:
    assert refused(graph_of(function(Step(Unary("abs"))), -9000, 9000)).startswith("not-monotone: ")


def test_too_many_levels() -> None:
    assert "need 1048575 thresholds" in refused(graph_of(function(Step(Unary("relu"))), -(2**19), 2**20 - 1))


def test_sums_beyond_what_is_exact() -> None:
    b = Builder()
    x = b.input((1, 1, 2), 0, 2**31)
    assert refused(b.graph(b.op(IntMul(), x, x))).startswith("too-wide: the sums of 'int_mul'")
