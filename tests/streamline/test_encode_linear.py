"""Convolutions and matrix products in codes: scales by channel on either side, offsets, groups, transposed weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

SHAPE = (1, 4, 5, 6)
BY_CHANNEL = np.array([0.25, 0.5, 0.125, 1.0], np.float32)


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attributes)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shift", [0.0, 0.75])
@pytest.mark.parametrize("scale", ["one", "by channel"])
def test_convolutions(groups: int, shift: float, scale: str, tmp_path: Path) -> None:
    """Activation scales that differ by channel go into the weights; offsets become biases."""
    t = BY_CHANNEL.reshape(1, 4, 1, 1) if scale == "by channel" else np.float32(0.25)
    nodes = [
        quant("x", "q", "t"),
        node("Add", "q", "k", out="a"),
        quant("w", "wq", "ws"),
        node("Conv", "a", "wq", out="c", group=groups, kernel_shape=[2, 3], strides=[1, 2], dilations=[2, 1]),
        quant("c", "y"),
    ]
    held = constants(t=t, k=shift, w=random(4, 4 // groups, 2, 3), ws=BY_CHANNEL[::-1].reshape(4, 1, 1, 1).copy())
    streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)


@pytest.mark.parametrize("shift", [0.0, 0.75])
@pytest.mark.parametrize("bits", [2.0, 8.0])
def test_matrix_product_of_a_flattened_picture(shift: float, bits: float, tmp_path: Path) -> None:
    """Features are in the order of the model, elements of the stream channels last."""
    nodes = [
        quant("x", "q"),
        node("Add", "q", "k", out="a"),
        node("Reshape", "a", "to", out="f"),
        quant("w", "wq", bits="wb"),
        node("MatMul", "f", "wq"),
    ]
    held = constants(k=shift, to=np.array([1, 120]), w=random(120, 3), wb=bits)
    assert ops(streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)).count("int_conv") == 1


def test_matrix_product_of_each_row(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), quant("w", "wq"), node("MatMul", "q", "wq")]
    streamlined(model(nodes, {"x": (1, 5, 8)}, ["y"], constants(w=random(8, 3))), tmp_path)


def test_bipolar_weights(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("BipolarQuant", "w", "s", out="wq", domain="qonnx.custom_op.general"), node("Conv", "q", "wq")]
    streamlined(model(nodes, {"x": SHAPE}, ["y"], constants(w=random(3, 4, 2, 2))), tmp_path)


def test_channels_that_were_exchanged(tmp_path: Path) -> None:
    """A shuffle costs no hardware in front of a dense layer; weights follow."""
    nodes = [
        quant("x", "q"),
        node("Reshape", "q", "five", out="a"),
        node("Transpose", "a", out="e", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "e", "four", out="c"),
        quant("w", "wq"),
        node("Conv", "c", "wq"),
    ]
    held = constants(five=np.array([1, 2, 2, 5, 6]), four=np.array([1, 4, 5, 6]), w=random(3, 4, 2, 2))
    assert ops(streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)) == ["int_conv"]


def test_grouped_convolution_of_exchanged_channels(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Slice", "q", "one", "four", "one", out="a"), quant("w", "wq"), node("Conv", "a", "wq", group=3)]
    held = constants(one=np.array([1]), four=np.array([4]), w=random(6, 1, 2, 2))
    streamlined(model(nodes, {"x": SHAPE}, ["y"], held), tmp_path)
