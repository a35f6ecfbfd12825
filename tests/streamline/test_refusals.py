"""Legal models whose numbers or structure have no hardware: the text of each refusal is a golden file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import dfcompile as dfc
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random

SHAPE = (1, 4, 6, 6)
REFUSED: dict[str, Callable[[], onnx.ModelProto]] = {}


def refused(maker: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
    REFUSED[maker.__name__] = maker
    return maker


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, name=f"/net/{op}_{outputs[0]}", **attributes)


def net(*nodes: onnx.NodeProto, shape: tuple[int, ...] = SHAPE, **held: Any) -> onnx.ModelProto:
    """x --> Quant --> q --> nodes --> y"""
    return model([quant("x", "q"), *nodes], {"x": shape}, ["y"], constants(**held))


@refused
def weights_not_quantized() -> onnx.ModelProto:
    return net(node("Conv", ["q", "w"], ["y"]), w=random(3, 4, 3, 3))


@refused
def operand_not_quantized() -> onnx.ModelProto:
    layers = (quant("w", "wq"), node("Conv", ["q", "wq"], ["a"]), node("Sigmoid", ["a"], ["e"]), node("Conv", ["e", "wq"], ["y"]))
    return net(*layers, w=random(4, 4, 3, 3))


@refused
def bound_between_two_codes() -> onnx.ModelProto:
    layers = (quant("w", "wq"), node("Min", ["q", "most"], ["m"]), node("Conv", ["m", "wq"], ["y"]))
    return net(*layers, w=random(4, 4, 3, 3), most=np.float32(0.3))


@refused
def input_without_a_type() -> onnx.ModelProto:
    return model([quant("w", "wq"), node("Conv", ["x", "wq"], ["y"])], {"x": SHAPE}, ["y"], constants(w=random(3, 4, 3, 3)))


@refused
def spatial_concatenation_of_different_scales() -> onnx.ModelProto:
    layers = (quant("x", "p", "t"), node("Concat", ["q", "p"], ["c"], axis=2), quant("w", "wq"), node("Conv", ["c", "wq"], ["y"]))
    return net(*layers, t=np.float32(0.1), w=random(3, 4, 3, 3))


@refused
def large_permutation() -> onnx.ModelProto:
    layers = (node("Reshape", ["q", "one"], ["a"]), node("Gather", ["a", "order"], ["t"], axis=1), node("Reshape", ["t", "two"], ["f"]))
    conv = (quant("w", "wq"), node("Conv", ["q", "wq"], ["c"], pads=[1, 1, 1, 1]), quant("c", "cq"), node("Add", ["f", "cq"], ["y"]))
    shapes = {"one": np.array([1, 4 * 96 * 96]), "two": np.array([1, 4, 96, 96])}
    order = np.random.default_rng(1).permutation(4 * 96 * 96)
    return net(*layers, *conv, shape=(1, 4, 96, 96), w=random(4, 4, 3, 3), order=order, **shapes)


@refused
def channel_scales_without_a_common_measure() -> onnx.ModelProto:
    scales = np.array([0.1, 1.23456e-7, 98.76543, 3.141592e5], np.float32).reshape(1, 4, 1, 1)
    layers = (quant("x", "p", "t"), quant("w", "wq"), node("Conv", ["p", "wq"], ["a"]), quant("a", "y"))
    return model([*layers], {"x": SHAPE}, ["y"], constants(t=scales, w=random(3, 4, 3, 3)))


@refused
def normalized_channels_before_a_dense_layer() -> onnx.ModelProto:
    layers = (node("BatchNormalization", ["q", *"ghmv"], ["n"]), quant("w", "wq"), node("Conv", ["n", "wq"], ["y"], pads=[1, 1, 1, 1]))
    return net(*layers, g=random(4), h=random(4), m=random(4), v=np.abs(random(4)), w=random(3, 4, 3, 3))


@refused
def pad_value_without_a_code() -> onnx.ModelProto:
    layers = (node("Pad", ["q", "pads", "value"], ["p"]), quant("w", "wq"), node("Conv", ["p", "wq"], ["y"]))
    return net(*layers, pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]), value=np.float32(0.3), w=random(3, 4, 3, 3))


@refused
def padded_volumes() -> onnx.ModelProto:
    layers = [node("Reshape", ["q", "to"], ["v"]), node("Pad", ["v", "pads", "by"], ["p"]), quant("p", "y")]
    return net(*layers, to=np.array([1, 4, 6, 3, 2]), by=np.float32(0.25), pads=np.array([0, 0, 1, 0, 0, 0, 0, 0, 1, 0]))


@refused
def wide_function_that_is_not_monotone() -> onnx.ModelProto:
    layers = (quant("x", "p", bits="many"), quant("w", "wq", bits="many"), node("Conv", ["p", "wq"], ["a"]), node("Sin", ["a"], ["e"]))
    return model([*layers, quant("e", "y")], {"x": SHAPE}, ["y"], constants(many=np.float32(16.0), s=0.001, w=random(3, 4, 3, 3)))


@refused
def softmax_inside() -> onnx.ModelProto:
    return net(node("Softmax", ["q"], ["m"], axis=1), quant("w", "wq"), node("Conv", ["m", "wq"], ["y"]), w=random(3, 4, 3, 3))


@refused
def norm_without_a_quantizer() -> onnx.ModelProto:
    norm = node("LayerNormalization", ["q", "g", "h"], ["n"], axis=-1), node("Sin", ["n"], ["t"])
    layers = (*norm, quant("t", "nq"), quant("w", "wq"), node("MatMul", ["nq", "wq"], ["y"]))
    return model([quant("x", "q"), *layers], {"x": (1, 8)}, ["y"], constants(g=random(8), h=random(8), w=random(8, 3)), opset=17)


@refused
def softmax_behind_a_layer() -> onnx.ModelProto:
    first = (quant("w", "wq"), node("Conv", ["q", "wq"], ["c"]), node("Softmax", ["c"], ["m"], axis=1), quant("c", "p"))
    return net(*first, node("Mul", ["m", "p"], ["r"]), quant("r", "mq"), node("Conv", ["mq", "wq"], ["y"]), w=random(4, 4, 3, 3))


@refused
def product_of_a_matrix_and_real_numbers() -> onnx.ModelProto:
    return net(node("Tanh", ["q"], ["p"]), node("MatMul", ["q", "p"], ["y"]), shape=(1, 4, 6, 6))


@refused
def maximum_over_channels_of_different_scales() -> onnx.ModelProto:
    scales = np.array([0.1, 0.2, 0.3, 0.7], np.float32).reshape(1, 4, 1, 1)
    layers = (quant("x", "p", "t"), node("ReduceMax", ["p"], ["m"], axes=[1], keepdims=1), quant("m", "y"))
    return model([*layers], {"x": SHAPE}, ["y"], constants(t=scales))


@refused
def sum_of_channels_of_different_scales() -> onnx.ModelProto:
    scales = np.array([0.1, 0.2, 0.3, 0.7], np.float32).reshape(1, 4, 1, 1)
    layers = (quant("x", "p", "t"), node("ReduceMean", ["p"], ["m"], axes=[1], keepdims=1), quant("m", "y"))
    return model([*layers], {"x": SHAPE}, ["y"], constants(t=scales))


@refused
def weight_scale_within_a_kernel() -> onnx.ModelProto:
    scales = np.array([1e-6 / 3, 1 / 3, 3e5 / 7], np.float32).reshape(1, 1, 1, 3)
    return net(quant("w", "wq", "t"), node("Conv", ["q", "wq"], ["y"]), w=random(3, 4, 3, 3), t=scales)


@refused
def quotient_of_two_streams() -> onnx.ModelProto:
    return net(quant("x", "p"), node("Div", ["q", "p"], ["d"]), quant("d", "y"))


@refused
def several_problems_at_once() -> onnx.ModelProto:
    layers = (
        quant("x", "p", "t"), node("Add", ["q", "p"], ["a"]), quant("a", "aq"), node("Conv", ["aq", "w"], ["c"]), quant("c", "cq"),
        node("Div", ["cq", "cq"], ["y"]),
    )  # fmt: skip
    return net(*layers, t=np.float32(0.1234567), w=random(3, 4, 3, 3))


@pytest.mark.parametrize("name", REFUSED)
def test_message(name: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    path = tmp_path / "bad.onnx"
    onnx.save(REFUSED[name](), path)
    problems = dfc.check(path)
    assert problems
    assert all(p.where and p.why and p.help for p in problems), "each refusal says where, why and what to do"
    golden(f"errors/streamline_{name}.txt", "\n\n".join(map(str, problems)))


@pytest.mark.parametrize("name", ["softmax_behind_a_layer"])
def test_a_part_that_a_help_names_compiles(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    onnx.save(REFUSED[name](), path)
    (problem,) = dfc.check(path)
    found = re.search(r"--to (\S+)", problem.help)
    assert found and dfc.check(path, to=found[1].rstrip(",")) == ()
