"""Pads taken into the convolutions that read them, where they pad with real 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from dfcompile.ir.modelop import Conv, Pad
from dfcompile.streamline.fold_pads import fold_pads
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


def net(pads: list[int], *more: Any, value: float = 0.0, outputs: tuple[str, ...] = ("y",), **held: Any) -> Any:
    """q quantized and shifted off its codes, p padded, y a convolution of it with pads of its own."""
    layers = [quant("x", "q"), node("Add", "q,shift", "a"), node("Pad", "a,pads,value", "p"), quant("w", "wq")]
    layers.append(node("Conv", "p,wq", "c", pads=[0, 1, 1, 0]))
    channels = 3 + pads[1] + pads[5]
    held = constants(w=random(4, channels, 2, 3), pads=np.array(pads), value=value, t=np.float32(0.4), shift=0.11, **held)
    return model([*layers, quant("c", "y", "t"), *more], {"x": (1, 3, 4, 5)}, outputs, held)


def test_a_pad_by_what_no_code_means(tmp_path: Path) -> None:
    assert "int_pad" not in ops(streamlined(net([0, 0, 1, 2, 0, 0, 0, 1]), tmp_path))


def test_another_reader_keeps_the_pad(tmp_path: Path) -> None:
    proto = net([0, 0, 1, 2, 0, 0, 0, 1], node("Relu", "p", "r"), quant("r", "o"), outputs=("y", "o"))
    graph = fold_pads(graph_of(proto, tmp_path))
    kinds = [type(n.op) for n in graph.nodes]
    assert kinds.count(Pad) == 1
    conv = next(n for n in graph.nodes if isinstance(n.op, Conv))
    assert isinstance(conv.op, Conv) and conv.op.pads == (1, 3, 1, 1) and conv.source[0].startswith("Pad")


@pytest.mark.parametrize(("pads", "value"), [([0, 0, 1, 1, 0, 0, 1, 1], 0.25), ([0, 1, 1, 0, 0, 0, 1, 0], 0.0)])
def test_other_numbers_and_channels_are_left_alone(pads: list[int], value: float, tmp_path: Path) -> None:
    graph = graph_of(net(pads, value=value), tmp_path)
    assert fold_pads(graph) is graph


def test_positions_and_features_exchanged_between_two_products(tmp_path: Path) -> None:
    """A matrix product over positions behind one over channels: the stream gets other rows and columns in between."""
    layers = [quant("x", "q"), node("Reshape", "q,to", "f"), node("Transpose", "f", "t0", perm=[0, 2, 1]), quant("w", "wq")]
    layers += [node("MatMul", "t0,wq", "m"), quant("m", "mq"), node("Transpose", "mq", "t1", perm=[0, 2, 1]), quant("v", "vq")]
    layers += [node("MatMul", "t1,vq", "y")]
    held = constants(w=random(3, 5), v=random(20, 2), to=np.array([1, 3, 20]))
    streamlined(model(layers, {"x": (1, 3, 4, 5)}, ["y"], held), tmp_path)


def quantized(pads: list[int], zero: float = 0.0, **attributes: Any) -> Any:
    """A sum without a code for 0, padded, in front of a quantizer of the layer's own; the sum goes on beside it."""
    layers = [quant("x", "q"), node("Add", "q,shift", "a"), node("Pad", "a,pads,value", "p"), quant("p", "pq", "ps", "zero", **attributes)]
    layers += [quant("w", "wq"), node("Conv", "pq,wq", "c"), node("Add", "c,a", "u"), quant("u", "y", "t")]
    held = constants(
        w=random(3, 3 + pads[1], 3, 1), pads=np.array(pads), value=0.0, t=np.float32(0.4), ps=np.float32(0.4), shift=0.11, zero=zero
    )
    return model(layers, {"x": (1, 3, 4, 5)}, ("y",), held)


@pytest.mark.parametrize("zero", [0.0, 3.0])
def test_a_pad_in_front_of_a_quantizer(zero: float, tmp_path: Path) -> None:
    assert "int_pad" not in ops(streamlined(quantized([0, 0, 2, 0, 0, 0, 0, 0], zero), tmp_path))


def test_a_quantizer_that_moves_zero_is_left_behind_the_pad(tmp_path: Path) -> None:
    """A zero-point beyond the codes or between two; pads beside the channels; and scales by place."""
    proto = quantized([0, 0, 2, 0, 0, 0, 0, 0])
    (scale,) = (t for t in proto.graph.initializer if t.name == "ps")
    scale.CopyFrom(numpy_helper.from_array(np.linspace(0.2, 0.7, 6, dtype=np.float32).reshape(6, 1), "ps"))
    graph = graph_of(proto, tmp_path)
    assert fold_pads(graph) is graph
    for pads, zero, signed in (([0, 0, 2, 0, 0, 0, 0, 0], -1.0, 0), ([0, 0, 2, 0, 0, 0, 0, 0], 0.5, 1), ([0, 1, 2, 0, 0, 0, 0, 0], 0.0, 1)):
        graph = graph_of(quantized(pads, zero, signed=signed), tmp_path)
        assert fold_pads(graph) is graph


@pytest.mark.parametrize(("back", "moves"), [(3, True), (4, False)])
def test_a_quantizer_and_what_reads_its_codes_have_one_zero_point(back: int, moves: bool, tmp_path: Path) -> None:
    """By number, not by name: exporters write one for each. With another, 0 does not come back as 0."""
    layers = [quant("x", "q"), node("Add", "q,shift", "a"), node("Pad", "a,pads,value", "p"), node("QuantizeLinear", "p,ps,z0", "pc")]
    layers += [node("DequantizeLinear", "pc,ps,z1", "pq"), quant("w", "wq"), node("Conv", "pq,wq", "c"), quant("c", "y", "t")]
    held = constants(w=random(3, 3, 3, 1), pads=np.array([0, 0, 2, 0, 0, 0, 0, 0]), value=0.0, shift=0.11, ps=np.float32(0.4))
    proto = model(
        layers, {"x": (1, 3, 4, 5)}, ("y",), {**held, "t": np.float32(0.4), "z0": np.array(3, np.int8), "z1": np.array(back, np.int8)}
    )
    graph = graph_of(proto, tmp_path)
    assert (fold_pads(graph) is not graph) == moves
    if moves:
        assert "int_pad" not in ops(streamlined(proto, tmp_path))
