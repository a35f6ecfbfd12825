"""Integers in the order of sums of three multiples, by looking at every point; convolutions of inputs of several scales."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.streamline.triple import Triple, ordered_triple
from tests.frontend.make import model
from tests.frontend.small import constants, quant
from tests.frontend.small import random as normal
from tests.streamline.exactly import ops, streamlined
from tests.streamline.test_encode_pointwise import node

Case = tuple[tuple[Fraction, Fraction, Fraction], tuple[tuple[int, int], ...]]


def cases() -> list[Case]:
    rng = random.Random(1)
    found = []
    for _ in range(30):
        gains = [Fraction(rng.randint(1, 10**9), rng.randint(1, 10**9)) * rng.choice([1, -1]) for _ in range(3)]
        ranges = [(low, low + rng.randint(0, 12)) for low in (rng.randint(-9, 9) for _ in range(3))]
        found.append(((gains[0], gains[1], gains[2]), tuple(ranges)))
    return found


@pytest.mark.parametrize(("gains", "ranges"), cases())
def test_points_in_order(gains: tuple[Fraction, Fraction, Fraction], ranges: tuple[tuple[int, int], ...]) -> None:
    found = ordered_triple(gains, (ranges[0], ranges[1], ranges[2]), Fraction(1, 3))
    assert found
    triple, places = found
    sign, points = 1 if triple.slope > 0 else -1, []
    for x in product(*(range(lo, hi + 1) for lo, hi in ranges)):
        real = sum((g * v for g, v in zip(gains, x, strict=True)), Fraction(1, 3))
        points.append((real, sign * sum(triple.factors[p] * v for p, v in zip(places, x, strict=True))))
    points.sort()
    assert all(c <= d and (a == b) == (c == d) for (a, c), (b, d) in pairwise(points))
    assert all(triple.exact(sign * code) == real for real, code in points[::5])
    codes = range(sign * points[0][1], sign * points[-1][1] + sign, max(1, len(points) // 50) * sign)
    assert all(a < b for a, b in pairwise(map(triple.exact, codes)))
    assert np.abs(triple.reals(np.array(codes)) - [float(triple.exact(c)) for c in codes]).max() <= float(abs(triple.slope)) / 4 * (
        1 + 1e-6
    )


def test_not_faithful() -> None:
    """A code that two sums share, a sum too far from its code, and factors with a common divisor."""
    ranges = ((0, 9), (0, 3), (0, 3))

    def triple(factors: tuple[int, int, int], *gains: Fraction | int) -> Triple:
        return Triple(factors, (Fraction(gains[0]), Fraction(gains[1]), Fraction(gains[2])), ranges)

    assert triple((101, 10, 1), 101, 10, 1).is_faithful()
    assert not triple((100, 10, 1), 100, 10, 1).is_faithful()
    assert not triple((101, 10, 10), 101, 10, 10 + Fraction(1, 100)).is_faithful()
    assert not triple((101, 10, 1), 101, 10, Fraction(11, 10)).is_faithful()
    wide = (-(2**40), 2**40)
    assert ordered_triple((Fraction(0.3), Fraction(0.7), Fraction(0.11)), (wide, wide, wide)) is None


@pytest.mark.parametrize("pads", [0, 1])
@pytest.mark.parametrize("channels", [2, 3])
def test_normalized_input(channels: int, pads: int, tmp_path: Path) -> None:
    """BatchNormalization between a quantizer and a convolution, padded where real 0 has no code."""
    norm = node("BatchNormalization", "q", "g", "h", "m", "v", out="n")
    layers = [quant("x", "q"), norm, quant("w", "wq", "ws"), node("Conv", "n", "wq", pads=[pads] * 4, out="c"), quant("c", "y", "t")]
    held = {k: normal(channels) for k in "ghm"} | {"v": np.abs(normal(channels)) + 1, "g": np.abs(normal(channels)) + 0.5}
    held |= {"w": normal(4, channels, 3, 3), "ws": np.float32(0.3), "t": np.float32(0.9)}
    made = streamlined(model(layers, {"x": (1, channels, 5, 4)}, ("y",), constants(**held)), tmp_path)
    assert ops(made).count("int_conv") == 1 and ops(made).count("threshold") == 1


def test_four_scales_are_too_many(tmp_path: Path) -> None:
    norm = node("BatchNormalization", "q", "g", "h", "h", "v", out="n")
    layers = [quant("x", "q"), norm, quant("w", "wq", "ws"), node("Conv", "n", "wq", out="c"), quant("c", "y", "t")]
    held = {"g": np.abs(normal(4)) + 0.5, "h": normal(4), "v": np.abs(normal(4)) + 1, "w": normal(2, 4, 1, 1)}
    proto = model(layers, {"x": (1, 4, 3, 3)}, ("y",), constants(ws=np.float32(0.3), t=np.float32(0.9), **held))
    with pytest.raises(CompileError, match="differs by input channel without a common measure"):
        streamlined(proto, tmp_path)


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "AveragePool"])
@pytest.mark.parametrize("top", [0.21, 1.5, 100.0])
def test_averages_of_what_is_cut_off(top: float, pool: str, tmp_path: Path) -> None:
    """ReLU6 of a layer's results before an average; of channels that rise and fall, some that never reach the top."""
    window = {"kernel_shape": [2, 2], "strides": [2, 2]} if pool == "AveragePool" else {}
    layers = [quant("x", "q"), quant("w", "wq", "ws"), node("Conv", "q", "wq", "bias", out="c"), node("Mul", "c", "each", out="m")]
    layers += [node("Clip", "m", "zero", "top", out="k"), node(pool, "k", out="p", **window), quant("p", "y", "t", signed=0)]
    held = {"w": normal(5, 3, 1, 1), "bias": normal(5), "each": np.array([0.9, -0.7, 0.31, -0.11, 0.01], np.float32).reshape(5, 1, 1)}
    more = constants(ws=np.float32(0.3), t=np.float32(0.037), zero=np.float32(0), top=np.float32(top), **held)
    made = streamlined(model(layers, {"x": (1, 3, 4, 6)}, ("y",), more), tmp_path)
    assert ops(made).count("int_pool") == 3 and ops(made)[-1] == "threshold"


@pytest.mark.parametrize("signs", ["Add Add", "Add Sub", "Sub Sub", "Sub left"])
def test_sums_of_three_layers(signs: str, tmp_path: Path) -> None:
    layers, held = [quant("x", "q")], {}
    for i, name in enumerate("cde"):
        layers += [quant(f"w{name}", f"{name}w", f"s{name}"), node("Conv", "q", f"{name}w", f"b{name}", out=name)]
        held |= {f"w{name}": normal(3, 3, 1, 1) * (i + 1), f"b{name}": normal(3), f"s{name}": (np.abs(normal(3, 1, 1, 1)) + i) / 7}
    first, second = signs.split()
    layers.append(node(first, "c", "d", out="a"))
    layers.append(node("Sub", "e", "a", out="k") if second == "left" else node(second, "a", "e", out="k"))
    layers += [node("Relu", "k", out="r"), quant("r", "y", "t", signed=0)]
    made = streamlined(model(layers, {"x": (1, 3, 4, 5)}, ("y",), constants(t=np.float32(0.7), **held)), tmp_path)
    assert ops(made).count("int_add") == 2 and ops(made)[-1] == "threshold"
