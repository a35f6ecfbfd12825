"""Functions of integers whose results are integers need no quantizer behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from dfcompile.errors import CompileError
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined
from tests.streamline.test_encode_pointwise import node

SHAPE = (1, 3, 4, 5)


def into_a_layer(*nodes: onnx.NodeProto, **held: object) -> onnx.ModelProto:
    """x quantized to q, p and u (unsigned); the nodes make y of them, which a padded convolution reads."""
    first = [quant("x", "q"), quant("x", "p", "half"), quant("x", "u", "s", "two", signed=0)]
    layer = [quant("w", "wq"), node("Conv", "a", "wq", pads=[1, 1, 1, 1])]
    more = constants(half=np.float32(0.5), two=np.float32(2), w=random(2, 3, 3, 3), **held)
    return model([*first, *nodes, *layer], {"x": SHAPE}, ["y"], more)


@pytest.mark.parametrize("source", ["q", "u"])
def test_the_magnitude_of_codes(source: str, tmp_path: Path) -> None:
    streamlined(into_a_layer(node("Abs", source, out="a")), tmp_path)


@pytest.mark.parametrize("operands", ["q q", "q u", "u u", "q p"])
@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Max", "Min"])
def test_two_quantizers_of_one_tensor(operands: str, op: str, tmp_path: Path) -> None:
    if op in ("Max", "Min") and operands == "q p":
        return  # codes of unequal scales, below
    streamlined(into_a_layer(node(op, *operands.split(), out="a")), tmp_path)


@pytest.mark.parametrize("slope", [0.5, 0.125, -0.25])
def test_slopes_that_are_small_fractions(slope: float, tmp_path: Path) -> None:
    streamlined(into_a_layer(node("LeakyRelu", "u", out="a", alpha=slope)), tmp_path)


def test_a_slope_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="is not quantized"):
        streamlined(into_a_layer(node("LeakyRelu", "q", out="a", alpha=0.1)), tmp_path)


def test_functions_of_one_stream_joined(tmp_path: Path) -> None:
    """|q| + relu(q), without an adder: both are one function of q."""
    made = streamlined(into_a_layer(node("Abs", "q", out="e"), node("Relu", "q", out="c"), node("Add", "e", "c", out="a")), tmp_path)
    assert "int_add" not in ops(made)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("shift", [None, 0.75, -0.75])
def test_the_larger_of_two_streams(op: str, shift: float | None, tmp_path: Path) -> None:
    """The second one is a convolution, quantized, perhaps with other zero-points, or falling."""
    layer = [quant("v", "vq"), node("Conv", "q", "vq", out="c"), quant("c", "d")]
    last = [node("Add", "d", "shift", out="e")] if shift else [node("Neg", "d", out="e")]
    first = "q" if shift else "n"
    nodes = [*layer, *last, node("Neg", "q", out="n"), node(op, first, "e", out="a")]
    made = streamlined(into_a_layer(*nodes, v=random(3, 3, 1, 1), shift=np.float32(shift or 0)), tmp_path)
    assert "int_pool" in ops(made)


def test_the_larger_of_codes_of_unequal_scales(tmp_path: Path) -> None:
    layer = [quant("v", "vq"), node("Conv", "q", "vq", out="c"), quant("c", "d", "half")]
    with pytest.raises(CompileError, match="compares codes of different scales"):
        streamlined(into_a_layer(*layer, node("Max", "q", "d", out="a"), v=random(3, 3, 1, 1)), tmp_path)


@pytest.mark.parametrize("scale", [0.25, 0.3, 1 / 255])
def test_a_product_with_one_less_a_gate(scale: float, tmp_path: Path) -> None:
    """Real 0 has no code in 1 - z: the product is made in units of the common measure of z's scale and 1."""
    layer = [quant("v", "vq"), node("Conv", "q", "vq", out="c"), node("Sigmoid", "c", out="g"), quant("g", "gate", "t", signed=0)]
    gate = [node("Sub", "one", "gate", out="i"), node("Mul", "i", "q", out="m"), quant("m", "a")]
    held = {"v": random(3, 3, 1, 1), "one": np.float32(1), "t": np.float32(scale)}
    streamlined(into_a_layer(*layer, *gate, **held), tmp_path)
