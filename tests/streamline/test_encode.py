"""The walk over the model: what goes to the host before and behind the accelerator, several outputs, the arg-max, what it tells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.streamline.pipeline import streamline
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

HELD = constants(w=random(8, 3), v=random(3, 4), k=np.float32(0.5))


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attributes)


LAYER = [quant("w", "wq"), node("MatMul", "q", "wq", out="h")]


def test_the_host_makes_the_codes(tmp_path: Path) -> None:
    """Everything up to the input quantizer."""
    nodes = [node("Mul", "x", "k", out="a"), node("Relu", "a", out="r"), quant("r", "q"), *LAYER]
    made = streamlined(model(nodes, {"x": (1, 8)}, ["h"], HELD), tmp_path)
    (port,) = made.host.inputs
    assert port.head is not None and [n.op.kind for n in port.head.nodes] == ["binary", "unary", "quantize"]
    assert made.fates["binary_0"] == "on the host, before the accelerator"


def test_the_host_goes_on_behind_the_last_integers(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), *LAYER, node("Sigmoid", "h", out="g"), node("Mul", "g", "k")]
    made = streamlined(model(nodes, {"x": (1, 8)}, ["y"], HELD), tmp_path)
    assert ops(made) == ["int_conv"] and [n.op.kind for n in made.host.tail.nodes] == ["unary", "binary"]


def test_several_outputs(tmp_path: Path) -> None:
    """The same tensor, one before it, and one that the host makes of both."""
    nodes = [quant("x", "q"), *LAYER, quant("h", "hq"), quant("v", "vq"), node("MatMul", "hq", "vq"), node("Tanh", "h", out="t")]
    made = streamlined(model(nodes, {"x": (1, 8)}, ["y", "h", "t", "hq"], HELD), tmp_path)
    assert {p.tensor for p in made.host.outputs} == {"y", "h", "hq"}


def test_a_fork_is_quantized_once(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), *LAYER, quant("h", "hq"), quant("v", "vq"), node("MatMul", "hq", "vq"), node("MatMul", "hq", "vq", out="o")]
    assert ops(streamlined(model(nodes, {"x": (1, 8)}, ["y", "o"], HELD), tmp_path)).count("threshold") == 1


def test_arg_max(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), *LAYER]
    graph = graph_of(model(nodes, {"x": (1, 8)}, ["h"], HELD), tmp_path)
    plain, made = streamline(graph, {}), streamline(graph, {}, argmax=True)
    x = {"x": np.random.default_rng(0).normal(size=(20, 8))}
    wanted = plain.host.decode(plain.graph.execute(plain.host.encode(x)))["h"]
    found = made.host.decode(made.graph.execute(made.host.encode(x)))["h"]
    np.testing.assert_array_equal(found.ravel(), wanted.argmax(axis=1))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("MatMul", "q", "w", out="a"), node("MatMul", "q", "u", out="e")]
    graph = graph_of(model(nodes, {"x": (1, 8)}, ["a", "e"], constants(w=random(8, 3), u=random(8, 2))), tmp_path)
    with pytest.raises(CompileError) as found:
        streamline(graph, {})
    assert [p.code for p in found.value.problems] == ["not-quantized", "not-quantized"]


def test_a_part_of_a_stream_says_which(tmp_path: Path) -> None:
    """Halves of a layer with quantizers of their own: each is some channels of a stream that has all of them."""
    held = HELD | constants(**{k: np.array([v]) for k, v in (("start", 0), ("half", 2), ("last", 1))})
    nodes = [
        quant("x", "q"),
        *LAYER,
        node("Slice", "h", "start", "last", "last", out="l"),
        node("Slice", "h", "last", "half", "last", out="r"),
    ]
    nodes += [quant("l", "lq"), quant("r", "rq"), node("Mul", "lq", "rq")]
    made = streamlined(model(nodes, {"x": (1, 8)}, ["y"], held), tmp_path)
    found = {m.tensor: m for m in made.meanings}
    assert [found[t].places.tolist() for t in ("lq", "rq")] == [[0], [1]]
    for m in made.meanings:
        size = math.prod(made.graph.tensors[m.stream].shape)
        assert m.index is not None or math.prod(m.shape) == size, m.tensor
