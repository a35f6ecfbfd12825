"""Real numbers that a ReLU or Clip cuts off before they are added to others, as TensorRT places quantizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dfcompile.streamline.decline import Declined, noted
from dfcompile.streamline.lift_clips import MOST_SUMS, lift_clips
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined
from tests.streamline.test_encode_pointwise import node

SHAPE = (1, 3, 4, 5)


def net(*middle: Any, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """q quantized; c, d and e layers of it without a quantizer, of scales without a common measure; m goes into a layer."""
    layers = [quant("x", "q")]
    for name in "cde":
        layers += [quant(f"w{name}", f"{name}w", f"s{name}"), node("Conv", "q", f"{name}w", f"b{name}", out=name)]
    held = {f"w{name}": random(3, 3, 1, 1) * (i + 1) for i, name in enumerate("cde")}
    held |= {f"b{name}": random(3) / (i + 1) for i, name in enumerate("cde")}
    scales = {"sc": np.float32(0.0713), "sd": np.float32(0.1337), "se": np.array([0.05, 0.0611, 0.0877], np.float32).reshape(3, 1, 1, 1)}
    more = constants(
        v=random(2, 3, 3, 3), t=np.float32(0.3), six=np.float32(1.5), zero=np.float32(0), half=np.float32(-0.5), **held, **scales
    )
    more["g"] = np.array([0.5, 1.25, 2], np.float32)
    more |= {"slope": np.array([0.5, 0.25, 1], np.float32).reshape(3, 1, 1), "steep": np.float32(1.5)}
    last = [quant("v", "vq"), node("Conv", "m", "vq", pads=[1, 1, 1, 1])] if "y" in outputs else []
    return model([*layers, *middle, *last], {"x": SHAPE}, outputs, more)


def add(*operands: str, out: str = "a") -> list[Any]:
    return [node("Add", *operands, out=out), quant(out, "m", "t")]


FORMS: dict[str, list[Any]] = {
    "relu and codes": [node("Relu", "c", out="r"), *add("q", "r")],
    "relu and real": [node("Relu", "c", out="r"), *add("r", "d")],
    "two": [node("Relu", "c", out="r"), node("Relu", "d", out="k"), *add("r", "k")],
    "relu6": [node("Clip", "c", "zero", "six", out="r"), *add("d", "r")],
    "two relu6": [node("Clip", "c", "zero", "six", out="r"), node("Clip", "d", "half", "six", out="k"), *add("r", "k")],
    "leaky": [node("LeakyRelu", "c", alpha=0.125, out="r"), *add("d", "r")],
    "prelu": [node("PRelu", "c", "slope", out="r"), *add("d", "r")],
    "bound by Max": [node("Max", "c", "half", out="r"), *add("d", "r")],
    "difference": [node("Relu", "c", out="r"), node("Sub", "d", "r", out="a"), quant("a", "m", "t")],
    "falls": [node("Relu", "c", out="r"), node("Add", "d", "r", out="a"), node("Neg", "a", out="n"), quant("n", "m", "t")],
    "scaled": [node("Relu", "c", out="r"), node("Mul", "r", "half", out="h"), *add("d", "h")],
    "bounds normalized": [node("Clip", "c", "half", "six", out="r"), node("Add", "r", "r", out="a"),
                          node("BatchNormalization", "a", "g", "g", "g", "g", out="k"), quant("k", "m", "t")],
    "bounds by channel": [node("Clip", "c", "half", "six", out="r"), node("Add", "r", "r", out="a"), node("Add", "a", "slope", out="u"),
                          node("BatchNormalization", "u", "g", "g", "g", "g", out="k"), quant("k", "m", "t")],
    "skip": [node("Relu", "c", out="r"), node("Add", "d", "r", out="a"), node("Relu", "a", out="k"), quant("k", "p", "t", signed=0),
             node("Add", "k", "q", out="a2"), node("Relu", "a2", out="k2"), quant("k2", "p2", "t", signed=0),
             node("Add", "p", "p2", out="m")],
}  # fmt: skip


@pytest.mark.parametrize("form", [f for f in FORMS if f != "skip"])
def test_sums(form: str, tmp_path: Path) -> None:
    made = streamlined(net(*FORMS[form]), tmp_path)
    assert ops(made).count("int_pool") >= (2 if "two" in form else 1)
    assert not any(n.op.kind == "int_pool" and made.graph.tensors[n.outputs[0]].codes.bits > 4 for n in made.graph.nodes)


def test_a_skip_that_stays_real(tmp_path: Path) -> None:
    """What a block adds up is cut off, quantized for the next layer and added again without a quantizer."""
    made = streamlined(net(*FORMS["skip"]), tmp_path)
    assert ops(made).count("int_pool") >= 2


def test_sums_of_codes_stay(tmp_path: Path) -> None:
    """A ReLU of codes is a step function of its own, and one behind the sum part of the quantizer's."""
    layers = [node("Relu", "q", out="r"), node("Add", "r", "c", out="a"), node("Relu", "a", out="k"), quant("k", "m", "t")]
    graph = graph_of(net(*layers), tmp_path)
    assert lift_clips(graph) is graph


def test_too_many_sums(tmp_path: Path) -> None:
    layers, at = [], "c"
    for i, other in enumerate("dedede"):
        layers += [
            node("Relu", at, out=f"r{i}"),
            node("Clip", other, "half", "six", out=f"k{i}"),
            node("Add", f"r{i}", f"k{i}", out=f"a{i}"),
        ]
        at = f"a{i}"
    said: list[Declined] = []
    lift_clips(graph_of(net(*layers, quant(at, "m", "t")), tmp_path), noted("lift_clips", said))
    assert {d.why for d in said} == {f"it would be lifted to more than {MOST_SUMS} sums, each with a quantizer of its own"}
