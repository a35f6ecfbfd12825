"""Pools, reductions and pads in codes: chains that rise, fall or do either by channel, pads that count and pads that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntPool
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

SHAPE = (1, 3, 5, 6)


def net(*nodes: onnx.NodeProto, **held: Any) -> onnx.ModelProto:
    """x --> quantizer --> q --> nodes --> y"""
    return model([quant("x", "q"), *nodes], {"x": SHAPE}, ["y"], constants(w=random(4, 3, 1, 1), **held))


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [out], name=f"{op}_{out}", **attributes)


POOL = {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 2]}
CHAINS: dict[str, tuple[Any, list[str]]] = {
    "rises": (0.5, ["max"]),
    "falls": (-0.5, ["min"]),
    "either": (np.array([0.5, -0.25, -1.0], np.float32).reshape(1, 3, 1, 1), ["max"]),
}


@pytest.mark.parametrize("case", CHAINS)
def test_a_maximum_behind_a_chain(case: str, tmp_path: Path) -> None:
    """The largest result of a falling function is that of the smallest code."""
    gain, modes = CHAINS[case]
    made = streamlined(net(node("Mul", "q", "k", out="m"), node("MaxPool", "m", **POOL), k=gain), tmp_path)
    assert [n.op.mode for n in made.graph.nodes if isinstance(n.op, IntPool)] == modes


@pytest.mark.parametrize("gain", [0.3, -0.7, np.array([0.5, 0.0, -1.0, -0.2], np.float32).reshape(1, 4, 1, 1)], ids=str)
def test_a_maximum_between_a_sum_and_its_quantizer(gain: float, tmp_path: Path) -> None:
    layers = (quant("w", "wq"), node("Conv", "q", "wq", out="c"), node("Mul", "c", "k", out="m"))
    streamlined(net(*layers, node("MaxPool", "m", out="p", **POOL), quant("p", "y"), k=gain), tmp_path)


@pytest.mark.parametrize("fn", ["Relu", "Abs"])
def test_a_maximum_of_integers_without_a_quantizer(fn: str, tmp_path: Path) -> None:
    """What rises waits behind the pool; of what does not, the codes are found first."""
    layers = (quant("w", "wq"), node("Conv", "q", "wq", out="c"), node(fn, "c", out="a"), node("MaxPool", "a", out="p", **POOL))
    made = streamlined(net(*layers, quant("p", "y")), tmp_path)
    assert ops(made).index("int_pool") == (1 if fn == "Relu" else 2)


def test_a_maximum_behind_what_is_not_monotone(tmp_path: Path) -> None:
    layers = (quant("w", "wq"), node("Conv", "q", "wq", out="c"), node("Abs", "c", out="e"), node("Tanh", "e", out="a"))
    layers = (*layers, node("MaxPool", "a", out="p", **POOL))
    with pytest.raises(CompileError, match="not monotone"):
        streamlined(net(*layers, quant("p", "y")), tmp_path)


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]])
@pytest.mark.parametrize("shift", [0.0, 0.75])
def test_averages(include: int, pads: list[int], shift: float, tmp_path: Path) -> None:
    """With and without an offset of the codes, of which a pad has none."""
    layers = (node("Add", "q", "k", out="a"), node("AveragePool", "a", kernel_shape=[2, 2], pads=pads, count_include_pad=include, out="p"))
    streamlined(net(*layers, quant("p", "y"), k=shift), tmp_path)


@pytest.mark.parametrize("shift", [0.0, 0.75])
def test_global_average(shift: float, tmp_path: Path) -> None:
    made = streamlined(net(node("Add", "q", "k", out="a"), node("GlobalAveragePool", "a"), k=shift), tmp_path)
    assert ops(made) == ["int_pool"]


@pytest.mark.parametrize("shift", [0.0, 0.75])
def test_pads_mean_the_number_zero(shift: float, tmp_path: Path) -> None:
    layers = (node("Add", "q", "k", out="a"), node("Pad", "a", "to", out="p"), quant("w", "wq"))
    streamlined(net(*layers, node("Conv", "p", "wq"), k=shift, to=np.array([0, 0, 1, 0, 0, 0, 2, 1])), tmp_path)


@pytest.mark.parametrize("zero", [0.0, 3.0])
def test_pads_of_a_convolution_mean_the_number_zero(zero: float, tmp_path: Path) -> None:
    """Unsigned codes with a zero-point: the pad code is not 0."""
    nodes = [quant("x", "q", zero="zp", signed=0), quant("v", "vq"), node("Conv", "q", "vq", pads=[1, 0, 2, 1], strides=[1, 2])]
    streamlined(model(nodes, {"x": SHAPE}, ["y"], constants(v=random(2, 3, 3, 2), zp=zero)), tmp_path)


@pytest.mark.parametrize("shift", [0.125, 0.0625, 0.1, [0.1, -0.3, 0.7]])
@pytest.mark.parametrize("groups", [1, 3])
def test_pads_where_no_code_means_zero(groups: int, shift: Any, tmp_path: Path) -> None:
    """Half a step or a quarter beside the codes, or any distance, by channel too; the scale as well before a depthwise layer."""
    settings = {"group": groups, "pads": [1, 0, 2, 1], "strides": [1, 2], "dilations": [2, 1]}
    layers = [node("Add", "q", "k", out="a"), node("Mul", "a", "by", out="e"), quant("v", "vq")]
    layers.append(node("Conv", "e", "vq", out="c", **settings))
    by = np.array([1, 0.7, -0.3], np.float32) if groups == 3 else np.array([1.3], np.float32)
    held = {"k": np.array(shift, np.float32).reshape(-1, 1, 1), "by": by.reshape(-1, 1, 1), "v": random(3, 3 // groups, 3, 2)}
    proto = model([quant("x", "q"), *layers, quant("c", "y", "t")], {"x": (1, 3, 4, 5)}, ["y"], constants(t=np.float32(0.3), **held))
    streamlined(proto, tmp_path)


@pytest.mark.parametrize("fn", ["ReduceMax", "ReduceMin"])
@pytest.mark.parametrize(("channels", "pools"), [(1, 0), (2, 1), (7, 1), (12, 3)])
@pytest.mark.parametrize("gain", [0.5, -0.25])
def test_the_largest_of_all_channels(fn: str, channels: int, pools: int, gain: float, tmp_path: Path) -> None:
    layers = [quant("x", "q"), node("Mul", "q", "gain", out="m"), node(fn, "m", out="r", axes=[1], keepdims=1), quant("v", "vq")]
    held = constants(gain=np.float32(gain), v=random(2, 1, 3, 3))
    made = streamlined(model([*layers, node("Conv", "r", "vq")], {"x": (1, channels, 4, 5)}, ["y"], held), tmp_path)
    modes = [n.op.mode for n in made.graph.nodes if isinstance(n.op, IntPool)]
    assert modes == ["max" if (fn == "ReduceMax") == (gain > 0) else "min"] * pools


@pytest.mark.parametrize("axes", [[1, 2], [1, 3], [1, 2, 3]])
def test_the_largest_of_channels_and_rows_or_columns(axes: list[int], tmp_path: Path) -> None:
    layers = [quant("x", "q"), node("ReduceMax", "q", out="r", axes=axes, keepdims=0), quant("r", "t"), node("Neg", "t")]
    streamlined(model(layers, {"x": (1, 6, 4, 5)}, ["y"], constants()), tmp_path)


def test_the_largest_of_some_channels(tmp_path: Path) -> None:
    held = constants(first=np.array([1]), last=np.array([6]), axes=np.array([1]), steps=np.array([2]))
    layers = [
        quant("x", "q"),
        node("Slice", "q", "first", "last", "axes", "steps", out="some"),
        node("ReduceMax", "some", out="r", axes=[1]),
    ]
    made = streamlined(model([*layers, quant("r", "t"), node("Neg", "t")], {"x": (1, 7, 4, 5)}, ["y"], held), tmp_path)
    assert ops(made).count("int_pool") == 1
