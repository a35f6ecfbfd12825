"""Quantizers placed behind joins of real numbers, as TensorRT places them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.ir.modelop import Concat
from dfcompile.streamline.push_quantizers import push_quantizers
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined
from tests.streamline.test_encode_pointwise import node

SHAPE = (1, 3, 4, 5)


def net(*middle: Any, outputs: tuple[str, ...] = ("y",), **held: Any) -> Any:
    """q quantized, c a convolution of it, r its ReLU with a bias; the nodes between make m, which a layer reads."""
    first = [quant("x", "q"), quant("w", "wq"), node("Conv", "q", "wq", out="d"), node("Add", "d", "bias", out="c")]
    first.append(node("Relu", "c", out="r"))
    last = [quant("v", "vq"), node("Conv", "m", "vq", pads=[1, 1, 1, 1])] if "y" in outputs else []
    channels = held.pop("channels", 6)
    more = constants(w=random(3, 3, 1, 1), v=random(2, channels, 3, 3), bias=random(3, 1, 1), t=np.float32(0.3), **held)
    return model([*first, *middle, *last], {"x": SHAPE}, outputs, more)


@pytest.mark.parametrize("chain", [(), ("Relu",), ("Sigmoid",), ("Tanh", "Abs")])
def test_a_join_of_real_numbers(chain: tuple[str, ...], tmp_path: Path) -> None:
    layers, at = [node("Concat", "r", "q", out="j0", axis=1)], "j0"
    for i, op in enumerate(chain, 1):
        layers.append(node(op, at, out=f"j{i}"))
        at = f"j{i}"
    made = streamlined(net(*layers, quant(at, "m", "t")), tmp_path)
    assert "int_concat" in ops(made)
    assert all(f"quantize_{i}" in made.fates for i in (0, 1))
    assert made.fates["concat_0"] == "streams joined"


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_joins_of_joins_and_two_readers(axis: int, tmp_path: Path) -> None:
    layers = [node("Concat", "r", "c", out="i", axis=axis), node("Concat", "i", "r", out="j", axis=axis)]
    layers += [quant("j", "m", "t"), quant("j", "n"), node("Neg", "n", out="o")]
    streamlined(net(*layers, outputs=("y", "o"), channels=9 if axis == 1 else 3), tmp_path)


def test_a_constant_and_two_inputs_beside_each_other(tmp_path: Path) -> None:
    layers = [node("Concat", "r", "held", out="j", axis=1), quant("j", "m", "t")]
    streamlined(net(*layers, channels=5, held=np.broadcast_to(random(1, 2, 1, 1), (1, 2, 4, 5)).copy()), tmp_path)


@pytest.mark.parametrize("why", ["codes", "output", "a reader without a quantizer", "scales by channel"])
def test_joins_left_alone(why: str, tmp_path: Path) -> None:
    layers = [quant("r", "p"), node("Concat", "p" if why == "codes" else "r", "q", out="j", axis=1)]
    by_channel = why == "scales by channel"
    layers.append(quant("j", "m", "each" if by_channel else "t"))
    layers += [node("Tanh", "j", out="o")] if why == "a reader without a quantizer" else []
    outputs = ("y", "j") if why == "output" else ("y", "o") if len(layers) == 4 else ("y",)
    graph = graph_of(net(*layers, outputs=outputs, each=np.full((1, 6, 1, 1), 0.5, np.float32)), tmp_path)
    if by_channel:  # a size of more than one element, though all are equal, is not looked into
        assert graph.constants["each"].size == 6
    assert str(push_quantizers(graph)) == str(graph)
    assert sum(isinstance(n.op, Concat) for n in graph.nodes) == 1
