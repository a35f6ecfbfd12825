"""Tensors (batch, row, column, channel) between layers, as exporters of TensorFlow leave them: no elements are permuted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def node(op: str, inputs: str, out: str = "m", **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


def kinds(tmp_path: Path, *middle: Any, channels: int = 4, layer: str = "Conv", **held: Any) -> list[str]:
    """A convolution's codes n (1, 4, 6, 4) with the channels last --> nodes --> m, channels last --> a layer. Kinds of operators."""
    layers = [quant("x", "q"), quant("w", "wq"), node("Conv", "q,wq", "c", pads=[1, 1, 1, 1]), quant("c", "r")]
    layers += [node("Transpose", "r", "n", perm=[0, 2, 3, 1]), *middle, quant("v", "vq")]
    if layer == "Conv":
        layers.append(node("Transpose", "m", "t", perm=[0, 3, 1, 2]))
    layers.append(node(layer, "t,vq" if layer == "Conv" else "m,vq", "y"))
    held = constants(w=random(4, 2, 3, 3), v=random(3, channels, 1, 1) if layer == "Conv" else random(channels, 3), **held)
    made = streamlined(model(layers, {"x": (1, 2, 4, 6)}, ["y"], held), tmp_path)
    assert not [n.name for n in made.graph.nodes if n.name.startswith("permute")]
    return ops(made)


def test_upsampling(tmp_path: Path) -> None:
    found = kinds(tmp_path, node("Resize", "n,,by", **NEAREST), by=np.array([1, 3, 2, 1], np.float32))
    assert "int_upsample" in found


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_joins(axis: int, tmp_path: Path) -> None:
    found = kinds(tmp_path, node("Concat", "n,n", axis=axis), channels=8 if axis == 3 else 4)
    assert "int_concat" in found


def test_a_join_with_a_constant_that_no_code_means(tmp_path: Path) -> None:
    """(row + column / 3), as coordinates are."""
    place = (np.arange(4)[:, None] + np.arange(6) / 3).astype(np.float32)
    kinds(tmp_path, node("Concat", "n,place", "j", axis=-1), quant("j", "m"), channels=5, place=place.reshape(1, 4, 6, 1))


def test_borders_and_further_channels(tmp_path: Path) -> None:
    found = kinds(tmp_path, node("Pad", "n,pads,half"), channels=7, pads=np.array([0, 1, 0, 1, 0, 0, 2, 2]), half=0.5)
    assert "int_pad" in found and "int_concat" in found


@pytest.mark.parametrize("pads", [[0, 2, 0, 0, 0, 2, 0, 0], [0, -1, 0, 1, 0, 3, -1, 0]])
def test_further_channels_in_front_and_behind(pads: list[int], tmp_path: Path) -> None:
    layers = [quant("x", "q"), node("Pad", "q,pads"), quant("v", "vq"), node("Conv", "m,vq", "y")]
    held = constants(v=random(3, 3 + pads[1] + pads[5], 1, 1), pads=np.array(pads))
    assert "int_concat" in ops(streamlined(model(layers, {"x": (1, 3, 4, 6)}, ["y"], held), tmp_path))


def test_a_sum_with_a_convolution(tmp_path: Path) -> None:
    layers = [node("Transpose", "q", "p", perm=[0, 2, 3, 1]), node("Concat", "p,p", "j", axis=3), node("Add", "n,j", "a"), quant("a", "m")]
    assert "int_add" in kinds(tmp_path, *layers)


@pytest.mark.parametrize("fn", ["ReduceMean", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("axes", [[1], [2], [1, 2]])
def test_reductions_of_rows_and_columns(fn: str, axes: list[int], tmp_path: Path) -> None:
    if len(axes) == 2:
        kinds(tmp_path, node(fn, "n", axes=axes, keepdims=0), layer="MatMul")
    else:
        kinds(tmp_path, node(fn, "n", axes=axes, keepdims=1))


@pytest.mark.parametrize("axes", [[3], [1, 2, 3], [2, 3]])
def test_means_over_channels_too(axes: list[int], tmp_path: Path) -> None:
    kinds(tmp_path, node("ReduceMean", "n", axes=axes, keepdims=1), channels=1)


def test_a_crop(tmp_path: Path) -> None:
    held = {"first": np.array([1, 2]), "last": np.array([4, 5]), "axes": np.array([1, 2])}
    found = kinds(tmp_path, node("Slice", "n,first,last,axes"), **held)
    assert "int_pad" in found
