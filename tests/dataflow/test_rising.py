"""Falling thresholds made to rise by negated weights: the same codes for every sum, and no flips where the weights' type allows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.dataflow.lower import lower
from dfcompile.dataflow.rising import risen
from dfcompile.ir.intop import IntConv, ThresholdCode, Window
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.extract import extract_thresholds
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.vvtu import Vvtu
from tests.examples import examples
from tests.streamline.graphs import Builder, assert_same
from tests.units.arithmetic_cases import codes, count, steps


@given(st.integers(0, 2**32), st.booleans(), st.booleans(), st.integers(1, 4))
@examples(60)
def test_the_same_codes(seed: int, bipolar: bool, shared: bool, bits: int) -> None:
    rng = np.random.default_rng(seed)
    out = BIPOLAR if bipolar and bits == 1 else IntType(bits, signed=bool(seed % 2))
    x = IntType(4, signed=bool(seed % 3))
    weights = codes(rng, BIPOLAR if bipolar else IntType(3, signed=True), 5, 7)
    weights = np.maximum(weights, -3)  # so that their type holds what they are negated
    low = np.minimum(weights * x.lo, weights * x.hi).sum(axis=1)
    high = np.maximum(weights * x.lo, weights * x.hi).sum(axis=1)
    values = steps(rng, int(low.min()), int(high.max()), 1 if shared else 5, out)
    flip = rng.random(5) < 0.5
    made = risen(weights, values, flip, out, low, high)
    if made is None:  # of no 3 there is no -3 either
        assert weights.max() < 3 and not bipolar
        return
    inputs = codes(rng, x, 40, 7)
    wanted = count(inputs @ weights.T, values, flip, out)
    sums = inputs @ made.weights.T
    assert np.array_equal(count(sums, made.values, None, out), wanted)
    assert made.acc.lo <= sums.min() and sums.max() <= made.acc.hi
    assert np.all(np.diff(made.values, axis=1) >= 0)


def test_left_alone_where_the_type_would_grow() -> None:
    weights = np.array([[-2, 1], [1, 1]])
    ends = np.array([-6, 0]), np.array([3, 6])
    assert risen(weights, np.array([[0], [3]]), np.array([True, False]), IntType(1), *ends) is None
    found = risen(np.array([[1, 1]]), np.array([[2]]), np.array([True]), IntType(1), np.array([0]), np.array([6]))
    assert found is not None and found.acc == IntType.holding(-6, 0)
    both = risen(np.array([[1, 1], [-1, 1]]), np.array([[2]]), np.array([True, True]), IntType(1), np.array([0, -3]), np.array([6, 3]))
    assert both is not None and both.values.tolist() == [[-1]]
    made = risen(weights, np.array([[0], [3]]), np.array([False, True]), IntType(1), *ends)
    assert made is not None and made.weights.tolist() == [[-2, 1], [-1, -1]] and made.values.tolist() == [[0], [-2]]


@pytest.mark.parametrize("depthwise", [False, True])
def test_lowered_without_flips(depthwise: bool) -> None:
    """A depthwise layer's too; and one of weights that cannot be negated keeps its flips."""
    for weights, falls in ((np.array([-1, 1, 1, -1, 1, -1, 1, 1]), False), (np.array([-2, 1, 1, -2, 1, 0, 1, 1]), True)):
        b = Builder()
        kernel = weights.reshape(2, 2, 2, 1).transpose(0, 2, 1, 3) if depthwise else weights.reshape(2, 1, 2, 2)
        op = IntConv(Window((2, 2) if depthwise else (1, 2)), 2 if depthwise else 1)
        total = b.op(op, b.input((3, 4, 2), -3, 4), weights=kernel)
        code = b.op(ThresholdCode(2, 0), total, thresholds=np.array([[-3, 0, 2], [-1, 1, 4]]), flip=np.array([True, False]))
        typed = extract_thresholds(b.graph(code))
        units, _ = lower(typed)
        assert_same(typed, units)
        (unit,) = (n.op for n in units.nodes if isinstance(n.op, Mvtu | Vvtu))
        assert (unit.flip is not None) == falls
