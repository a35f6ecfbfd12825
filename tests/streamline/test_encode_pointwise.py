"""Elementwise operators in codes: chains, sums, differences and products of streams, constants folded with their scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

SHAPE = (1, 3, 4, 5)
BY_CHANNEL = np.array([0.25, -0.5, 1.5], np.float32).reshape(1, 3, 1, 1)


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attributes)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("scale", [0.25, 0.75, 0.3])
@pytest.mark.parametrize("quantized", [False, True])
def test_two_streams(op: str, scale: float, quantized: bool, tmp_path: Path) -> None:
    nodes = [quant("x", "q"), quant("x", "p", "t"), node(op, "q", "p", out="a" if quantized else "y")]
    nodes += [quant("a", "y")] if quantized else []
    streamlined(model(nodes, {"x": SHAPE}, ["y"], constants(t=np.float32(scale))), tmp_path)


def test_a_difference_is_not_its_negative(tmp_path: Path) -> None:
    """Operands with offsets of their own."""
    nodes = [
        quant("x", "q"),
        node("Add", "q", "k", out="a"),
        node("Mul", "q", "m", out="e"),
        node("Sub", "a", "e", out="d"),
        quant("d", "y"),
    ]
    streamlined(model(nodes, {"x": SHAPE}, ["y"], constants(k=0.75, m=BY_CHANNEL)), tmp_path)


@pytest.mark.parametrize("chosen", [("c", "half"), ("half", "c"), ("half", "r")])
def test_a_selection_among_functions_of_one_sum(chosen: tuple[str, str], tmp_path: Path) -> None:
    """m * a + (1 - m) * b of a truth value m that is read twice: no operand of the products has a code for real 0."""
    nodes = [
        quant("x", "q"), quant("w", "wq"), node("Conv", "q", "wq", out="d"), node("Add", "d", "bias", out="c"),
        node("Sub", "c", "level", out="e"), helper.make_node("BipolarQuant", ["e", "one"], ["sign"], domain="qonnx.custom_op.general"),
        node("Mul", "sign", "two", out="g"), node("Add", "g", "two", out="m"), node("Sub", "one", "m", out="n"),
        node("Mul", "c", "two", out="half"), node("Relu", "c", out="r"),
        node("Mul", "m", chosen[0], out="u"), node("Mul", "n", chosen[1], out="v"), node("Add", "u", "v", out="f"), quant("f", "y"),
    ]  # fmt: skip
    held = constants(w=random(3, 3, 1, 1), bias=random(3, 1, 1), level=0.3, one=1.0, two=0.5)
    made = streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)
    assert "int_mul" not in ops(made)


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_a_constant_on_either_side(op: str, slot: int, tmp_path: Path) -> None:
    operands = ("q", "k") if slot == 0 else ("k", "q")
    streamlined(
        model([quant("x", "q"), node(op, *operands, out="a"), quant("a", "y")], {"x": SHAPE}, ["y"], constants(k=BY_CHANNEL)), tmp_path
    )


def test_parameters_by_position(tmp_path: Path) -> None:
    held = constants(k=random(1, 3, 4, 5))
    streamlined(model([quant("x", "q"), node("Mul", "q", "k", out="a"), quant("a", "y")], {"x": SHAPE}, ["y"], held), tmp_path)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_concatenation(axis: int, tmp_path: Path) -> None:
    """By channel each part keeps its own scale; along rows and columns both share one."""
    nodes = [quant("x", "q"), quant("x", "p", "t"), node("Concat", "q", "p", out="c", axis=axis), quant("c", "y", "u")]
    held = constants(t=np.float32(0.75 if axis == 1 else 0.25), u=np.float32(0.5))
    made = streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)
    assert "int_concat" in ops(made)


def test_weights_scaled_by_constants(tmp_path: Path) -> None:
    """Codes of a weight keep their scale through products, quotients and transposes of constants."""
    nodes = [quant("x", "q"), quant("w", "wq"), node("Mul", "wq", "g", out="m"), node("Transpose", "m", out="t", perm=[1, 0])]
    nodes += [node("Div", "t", "h", out="v"), node("MatMul", "q", "v")]
    held = constants(w=random(4, 6), g=np.arange(1, 5, dtype=np.float32).reshape(4, 1), h=np.float32(0.5))
    streamlined(model(nodes, {"x": (1, 6)}, ["y"], held), tmp_path)


@pytest.mark.parametrize("low", [-0.5, 0.1])
def test_clips_on_and_off_the_grid(low: float, tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Clip", "q", "lo", "hi", out="c"), quant("w", "wq"), node("Conv", "c", "wq")]
    if low == 0.1:
        nodes.insert(2, quant("c", "d"))
        nodes[-1] = node("Conv", "d", "wq")
    streamlined(model(nodes, {"x": SHAPE}, ["y"], constants(lo=low, hi=1.0, w=random(2, 3, 1, 1))), tmp_path)
