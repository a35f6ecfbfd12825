"""Elements in other orders: crops, strides, repeats, permutations of rows, columns and channels, each against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.streamline.pipeline import streamline
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

SHAPE = (1, 3, 4, 6)


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attributes)


def moved(tmp_path: Path, *nodes: Any, **held: Any) -> list[str]:
    """x --> quantizer --> q --> nodes --> m --> convolution --> y; a second reader of q pins the order of the stream."""
    layers = [quant("x", "q"), *nodes, quant("w", "wq"), node("Conv", "m", "wq"), node("Conv", "q", "wq", out="o")]
    held = constants(w=random(2, 3, 1, 1), **held)
    return ops(streamlined(model(layers, {"x": SHAPE}, ["y", "o"], held), tmp_path))


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("axis", [2, 3])
def test_slices(axis: int, step: int, tmp_path: Path) -> None:
    held = {k: np.array([v]) for k, v in {"from": 1, "upto": 4, "ax": axis, "st": step}.items()}
    assert "int_pad" in moved(tmp_path, *_slice_with_steps(axis, step), **{k: held[k] for k in ("from", "upto", "ax")})


def _slice_with_steps(axis: int, step: int) -> tuple[Any, ...]:
    """The oracle knows slices without steps; a step is a 1x1 pool of that stride."""
    cut = node("Slice", "q", "from", "upto", "ax", out="m" if step == 1 else "c")
    strides = [step, 1] if axis == 2 else [1, step]
    return (cut,) if step == 1 else (cut, node("MaxPool", "c", out="m", kernel_shape=[1, 1], strides=strides))


def test_repeats(tmp_path: Path) -> None:
    resize = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    assert "int_upsample" in moved(tmp_path, node("Resize", "q", "", "by", out="m", **resize), by=np.array([1, 1, 3, 2], np.float32))


def test_a_transposed_picture(tmp_path: Path) -> None:
    moved(tmp_path, node("Transpose", "q", out="m", perm=[0, 1, 3, 2]))


def test_channels_from_rows(tmp_path: Path) -> None:
    """(3, 4, 6) seen as (3, 8, 3) after an exchange of axes."""
    moved(tmp_path, node("Transpose", "q", out="t", perm=[0, 2, 1, 3]), node("Reshape", "t", "to", out="m"), to=np.array([1, 3, 8, 3]))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_split_and_joined_the_other_way_round(axis: int, tmp_path: Path) -> None:
    size = SHAPE[axis]
    split = helper.make_node("Split", ["q", "parts"], ["a", "e"], name="split", axis=axis)
    moved(tmp_path, split, node("Concat", "e", "a", out="m", axis=axis), parts=np.array([1, size - 1]))


def test_a_shuffle_of_channels(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Reshape", "q", "five", out="a"), node("Transpose", "a", out="e", perm=[0, 2, 1, 3, 4])]
    nodes += [node("Reshape", "e", "four", out="c"), node("MaxPool", "c", kernel_shape=[2, 2])]
    held = constants(five=np.array([1, 2, 3, 4, 6]), four=np.array([1, 6, 4, 6]))
    streamlined(model(nodes, {"x": (1, 6, 4, 6)}, ["y"], held), tmp_path)


@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (0.5, 2), (1, 4)])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric"])
def test_linear_interpolation_by_whole_factors(scales: tuple[float, float], coordinates: str, tmp_path: Path) -> None:
    """Against rational weights of the two neighbours of each coordinate, clamped to the edges."""
    attributes = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    layers = [quant("x", "q"), helper.make_node("Resize", ["q", "", "f"], ["r"], **attributes), quant("r", "y", "t")]
    held = constants(f=np.array([1, 1, *scales], np.float32), t=np.float32(0.0625))
    graph = graph_of(model(layers, {"x": (1, 2, 4, 6)}, ["y"], held), tmp_path)
    made = streamline(graph, {})
    x = np.random.default_rng(8).integers(-8, 8, (2, 2, 4, 6)) / 4
    found = made.host.decode(made.graph.execute(made.host.encode({"x": x})))["y"]
    want = np.vectorize(Fraction, otypes=[object])(x)
    for axis, scale in zip((2, 3), scales, strict=True):
        want = interpolated(want, axis, Fraction(scale), coordinates == "half_pixel")
    codes = np.vectorize(lambda v: min(max(round(v * 16), -8), 7), otypes=[float])(want)
    np.testing.assert_array_equal(found, codes / 16)


def interpolated(x: Any, axis: int, scale: Fraction, centred: bool) -> Any:
    size = x.shape[axis]
    rows = []
    for i in range(int(size * scale)):
        place = (i + Fraction(1, 2)) / scale - Fraction(1, 2) if centred else i / scale
        place = min(max(place, Fraction(0)), Fraction(size - 1))
        low = int(place)
        high = min(low + 1, size - 1)
        rows.append(x.take(low, axis) * (1 - (place - low)) + x.take(high, axis) * (place - low))
    return np.stack(rows, axis)


@pytest.mark.parametrize("axis", [2, 3])
def test_codes_of_other_scales_are_joined(axis: int, tmp_path: Path) -> None:
    """The negative, and twice the number: codes of one scale in rows or columns beside each other."""
    layers = [node("Neg", "q", out="n"), node("Mul", "q", "two", out="t"), node("Concat", "q", "n", "t", out="m", axis=axis)]
    assert "int_concat" in moved(tmp_path, *layers, two=np.float32(2))


@pytest.mark.parametrize("floats", [False, True])
def test_rotary_positions(floats: bool, tmp_path: Path) -> None:
    """q * cos + rotate_half(q) * sin, numbers for each token and place; the first token is not turned, its sines are 0."""
    angles = np.outer(np.arange(4), [1, 0.3, 0.1, 1, 0.3, 0.1])
    held = {k: f(angles) if floats else np.round(f(angles) * 16) / 16 for k, f in (("cos", np.cos), ("sin", np.sin))}
    held = {k: v.astype(np.float32) for k, v in held.items()}
    held |= {k: np.array([v]) for k, v in {"from": 0, "half": 3, "upto": 6, "ax": 3}.items()} | {"heads": np.array([1, 4, 3, 6])}
    layers = [
        quant("x", "p"), quant("v", "vq"), node("MatMul", "p", "vq", out="layer"), quant("layer", "codes"),
        node("Reshape", "codes", "heads", out="split"), node("Transpose", "split", out="q", perm=[0, 2, 1, 3]),
        node("Slice", "q", "from", "half", "ax", out="lo"), node("Slice", "q", "half", "upto", "ax", out="hi"),
        node("Neg", "hi", out="neg"), node("Concat", "neg", "lo", out="turned", axis=3), node("Mul", "q", "cos", out="first"),
        node("Mul", "turned", "sin", out="second"), node("Add", "first", "second", out="sum"), quant("sum", "m"), quant("w", "wq"),
        node("MatMul", "m", "wq"),
    ]  # fmt: skip
    found = ops(streamlined(model(layers, {"x": (1, 4, 5)}, ["y"], constants(v=random(5, 18), w=random(6, 3), **held)), tmp_path))
    assert "int_conv" in found and "int_matmul" not in found


def test_channels_that_are_multiplied_by_zero(tmp_path: Path) -> None:
    """A sum with q * u: where u is 0 the other operand alone, everywhere else both."""
    layers = [
        quant("x", "q"), quant("w", "wq"), node("MatMul", "q", "wq", out="product"), node("Mul", "q", "u", out="own"),
        node("Add", "product", "own", out="sum"), quant("sum", "m"), node("MatMul", "m", "wq"),
    ]  # fmt: skip
    held = constants(w=random(4, 4), u=np.array([0.5, 0, -0.25, 0], np.float32))
    streamlined(model(layers, {"x": (1, 5, 4)}, ["y"], held), tmp_path)
