"""Integers in the order of sums of real multiples, by looking at every pair; what encodes with them, against exact rationals."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.streamline.order import Ordered, Pair, approach
from tests.frontend.make import model
from tests.frontend.small import constants, quant
from tests.frontend.small import random as normal
from tests.streamline.exactly import streamlined


def cases() -> list[tuple[Fraction, int, int]]:
    """Ratio, values of x, the least one."""
    rng = random.Random(1)
    ratios = [Fraction(rng.randint(1, 10**9), rng.randint(1, 10**9)) for _ in range(30)]
    ratios += [Fraction(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(10)]
    return [(r, rng.randint(1, 40), rng.randint(-30, 30)) for r in ratios]


def rises(points: list[tuple[Fraction, int]], strictly: bool) -> bool:
    """Whether codes lie in the order of the numbers, and are as often equal (strictly) or no oftener."""
    ordered = sorted(points)
    return all(c <= d and ((a == b) == (c == d) if strictly else a == b or c < d) for (a, c), (b, d) in pairwise(ordered))


@pytest.mark.parametrize(("ratio", "count", "first"), cases())
def test_sums_in_order(ratio: Fraction, count: int, first: int) -> None:
    p, q = approach(ratio, count)
    assert q < 2 * count or Fraction(p, q) == ratio
    pair = Pair(p, q, ratio, Fraction(3), Fraction(1, 7), first)
    places = list(product(range(-6, 7), range(first, first + count)))
    assert rises([(y + ratio * x, q * y + p * x) for y, x in places], strictly=True)
    assert all(pair.exact(q * y + p * x) == 3 * (y + ratio * x) + Fraction(1, 7) for y, x in places)
    codes = np.arange(-150, 150)
    exact = [pair.exact(int(c)) for c in codes]
    assert exact == sorted(exact)
    np.testing.assert_allclose(Ordered.of_orders([pair]).real(codes[:, None])[:, 0], [float(v) for v in exact], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("ratio", "count", "first"), cases())
@pytest.mark.parametrize("shift", [Fraction(1, 3), Fraction(0), Fraction(-3), Fraction(17, 5)])
def test_sums_with_what_is_cut_off_at_zero(ratio: Fraction, count: int, first: int, shift: Fraction) -> None:
    p, q = approach(ratio, count)
    bound = Pair(p, q, ratio, Fraction(1), Fraction(0), first).between(-shift)
    pair = Pair(p, q, ratio, Fraction(1), shift, first, 0, bound)
    points = [
        (y + max(ratio * x + shift, Fraction(0)), 2 * q * y + max(2 * p * x, bound))
        for y, x in product(range(-6, 7), range(first, first + count))
    ]
    assert rises(points, strictly=False)
    assert all(pair.exact(code) == value for value, code in points)
    codes = np.arange(min(c for _, c in points), max(c for _, c in points) + 1)
    exact = [pair.exact(int(c)) for c in codes]
    assert exact == sorted(exact)
    np.testing.assert_allclose(Ordered.of_orders([pair]).real(codes[:, None])[:, 0], [float(v) for v in exact], rtol=1e-12, atol=1e-12)


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


def net(*nodes: Any, outputs: tuple[str, ...] = ("y",), **held: Any) -> Any:
    """r = relu(c), c a convolution with a bias whose scale differs by channel, falling in one; d one of the quantized r."""
    scales = np.array([0.25, 0.3, 0.11, 0.2], np.float32).reshape(4, 1, 1, 1)
    first = [quant("x", "q", "t"), quant("w", "wq", "ws"), node("Conv", "q,wq", "c0"), node("Mul", "c0,turn", "c1")]
    first += [node("Add", "c1,bias", "c"), node("Relu", "c", "r"), quant("r", "rq", "u"), quant("v", "vq", "vs")]
    first += [node("Conv", "rq,vq", "d", pads=[1, 1, 1, 1])]
    more = constants(
        w=normal(4, 3, 1, 1), v=normal(4, 4, 3, 3), ws=scales, turn=np.array([1, -1, 1, 1], np.float32).reshape(4, 1, 1),
        vs=(scales[::-1] / np.float32(1.7)).copy(),
        bias=normal(4, 1, 1), t=np.float32(0.37), u=np.float32(0.21), e=np.float32(0.43), **held,
    )  # fmt: skip
    return model([*first, *nodes], {"x": (1, 3, 4, 5)}, outputs, more)


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "AveragePool", "ReduceMean"])
def test_averages_of_what_a_relu_leaves(pool: str, tmp_path: Path) -> None:
    settings = {"AveragePool": {"kernel_shape": [2, 3], "strides": [1, 2]}, "ReduceMean": {"axes": [2, 3]}}.get(pool, {})
    made = streamlined(net(node(pool, "r", "p", **settings), quant("p", "y", "e"), quant("p", "o", "t"), outputs=("y", "o")), tmp_path, 6)
    assert made.fates["average_pool_0" if pool == "AveragePool" else "reduce_0"].startswith("pool (sum) of integers in the order")


@pytest.mark.parametrize("operands", ["d,r", "r,d"])
def test_a_skip_that_stays_real(operands: str, tmp_path: Path) -> None:
    """Both quantized and added, as before a residual sum; the sum is read by two quantizers, one behind a pool."""
    layers = [node("Add", operands, "a"), node("Relu", "a", "k"), quant("k", "y", "e", signed=0)]
    layers += [node("MaxPool", "a", "m", kernel_shape=[2, 2]), quant("m", "o", "t")]
    made = streamlined(net(*layers, outputs=("y", "o")), tmp_path, 6)
    assert "sum of integers in the order of the real numbers" in made.fates.values()


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_a_sum_of_two_sums(op: str, tmp_path: Path) -> None:
    layers = [node(op, "d,c", "a"), node("Relu", "a", "k"), quant("k", "y")]
    made = streamlined(net(*layers), tmp_path, 6)
    assert "sum of integers in the order of the real numbers" in made.fates.values()


def test_real_numbers_at_the_end_are_the_hosts(tmp_path: Path) -> None:
    streamlined(net(node("Add", "d,r", "a"), quant("a", "y", "e"), node("GlobalAveragePool", "r", "o"), outputs=("y", "a", "o")), tmp_path)
