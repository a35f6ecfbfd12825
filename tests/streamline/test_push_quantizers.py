"""Quantizers placed behind joins of real numbers, as TensorRT places them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dfcompile import explain
from dfcompile.ir.modelop import Concat
from dfcompile.streamline.decline import Declined, noted
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


@pytest.mark.parametrize("after", ["Relu", "Abs"])
def test_a_pooled_join_of_channels(after: str, tmp_path: Path) -> None:
    """Each operand is pooled by itself; what comes behind the pooling need not rise."""
    window = {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 1]}
    layers = [node("Concat", "r", "c", out="j", axis=1), node("MaxPool", "j", out="k", **window), node(after, "k", out="l")]
    made = streamlined(net(*layers, quant("l", "m", "t")), tmp_path)
    assert ops(made).count("int_pool") == 2 and "int_concat" in ops(made)


def test_a_pooled_join_of_rows_is_left_alone(tmp_path: Path) -> None:
    """Windows lie in both operands."""
    layers = [node("Concat", "r", "c", out="j", axis=2), node("MaxPool", "j", out="k", kernel_shape=[2, 2]), quant("k", "m", "t")]
    graph, said = graph_of(net(*layers, channels=3), tmp_path), list[Declined]()
    assert push_quantizers(graph, noted("push_quantizers", said)) is graph
    assert said[0].why == "before a quantizer behind it there is max_pool_0, which is no function of single numbers"


@pytest.mark.parametrize("axis", [2, 3])
def test_codes_of_two_scales_joined_along_rows_or_columns(axis: int, tmp_path: Path) -> None:
    """A stream has one scale for each channel: what is joined along another axis has that of the quantizer behind it."""
    layers = [quant("r", "p", "t"), node("Concat", "p", "q", out="j", axis=axis), quant("j", "m", "s")]
    made = streamlined(net(*layers, channels=3), tmp_path)
    assert all(f"quantize_{i}" in made.fates for i in (0, 1)) and "int_concat" in ops(made)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_joins_of_joins_and_two_readers(axis: int, tmp_path: Path) -> None:
    layers = [node("Concat", "r", "c", out="i", axis=axis), node("Concat", "i", "r", out="j", axis=axis)]
    layers += [quant("j", "m", "t"), quant("j", "n"), node("Neg", "n", out="o")]
    streamlined(net(*layers, outputs=("y", "o"), channels=9 if axis == 1 else 3), tmp_path)


def test_a_constant_and_two_inputs_beside_each_other(tmp_path: Path) -> None:
    layers = [node("Concat", "r", "held", out="j", axis=1), quant("j", "m", "t")]
    streamlined(net(*layers, channels=5, held=np.broadcast_to(random(1, 2, 1, 1), (1, 2, 4, 5)).copy()), tmp_path)


LEFT_ALONE = {
    "codes": None,
    "output": "it is an output of the model",
    "a reader without a quantizer": "unary_1 behind it ends in no quantizer",
    "scales by channel": "quantize_3 does not do the same to each of its numbers",
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_joins_left_alone(why: str, tmp_path: Path) -> None:
    layers = [quant("r", "p"), node("Concat", "p" if why == "codes" else "r", "q", out="j", axis=1)]
    by_channel = why == "scales by channel"
    layers.append(quant("j", "m", "each" if by_channel else "t"))
    layers += [node("Tanh", "j", out="o")] if why == "a reader without a quantizer" else []
    outputs = ("y", "j") if why == "output" else ("y", "o") if len(layers) == 4 else ("y",)
    graph = graph_of(net(*layers, outputs=outputs, each=np.full((1, 6, 1, 1), 0.5, np.float32)), tmp_path)
    if by_channel:  # a size of more than one element, though all are equal, is not looked into
        assert graph.constants["each"].size == 6
    said: list[Declined] = []
    assert str(push_quantizers(graph, noted("push_quantizers", said))) == str(graph)
    assert [(d.node, d.why) for d in said] == ([("concat_0", LEFT_ALONE[why])] if LEFT_ALONE[why] else [])
    assert sum(isinstance(n.op, Concat) for n in graph.nodes) == 1


def test_explain_says_why_a_join_was_left(tmp_path: Path) -> None:
    """Also where the model is refused for it."""
    layers = [node("Concat", "r", "q", out="j", axis=1), quant("j", "m", "t"), node("Tanh", "j", out="o")]
    onnx.save(net(*layers, outputs=("y", "o")), tmp_path / "net.onnx")
    (row,) = (line for line in str(explain(tmp_path / "net.onnx")).splitlines() if line.startswith("Concat"))
    assert "; push_quantizers leaves it: unary_1 behind it ends in no quantizer" in row


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("operands", [("r", "q"), ("c", "o"), ("o", "c")])
def test_the_larger_of_what_has_no_common_scale(op: str, operands: tuple[str, str], tmp_path: Path) -> None:
    """Real numbers and codes of several scales, behind a function that rises and two quantizers."""
    layers = [quant("q", "o0", "t"), node("Mul", "o0", "third", out="o"), node(op, *operands, out="j"), node("Add", "j", "third", out="i")]
    layers += [node("Relu", "i", out="h"), quant("h", "m", "u"), quant("j", "n"), node("Neg", "n", out="k")]
    made = streamlined(net(*layers, outputs=("y", "k"), channels=3, third=np.float32(1 / 3), u=np.float32(0.17)), tmp_path)
    assert ops(made).count("int_pool") == 2


@pytest.mark.parametrize("why", ["one quantizer", "functions of one tensor", "a constant", "a function that falls"])
def test_comparisons_left_alone(why: str, tmp_path: Path) -> None:
    layers = [quant("r", "a"), quant("q", "e", "t" if why == "a function that falls" else "s"), node("Mul", "c", "third", out="f")]
    operands = {"functions of one tensor": ("c", "f"), "a constant": ("c", "third")}.get(why, ("a", "e"))
    layers += [node("Max", *operands, out="j"), node("Neg", "j", out="i"), quant("i" if why == "a function that falls" else "j", "m", "t")]
    graph = graph_of(net(*layers, channels=3, third=np.float32(1 / 3)), tmp_path)
    assert str(push_quantizers(graph)) == str(graph)


@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("between", ["nothing", "windows", "another order"])
def test_the_magnitude_of_a_sum_of_two_scales(op: str, between: str, tmp_path: Path) -> None:
    """Too wide for a table: the larger of the sum and of its negative, each with the quantizer."""
    layers = [quant("r", "e", "u"), quant("q", "f", "t"), node(op, "e", "f", out="g"), node("Abs", "g", out="j")]
    more = {
        "windows": node("MaxPool", "j", out="k", kernel_shape=[2, 2]),
        "another order": node("Transpose", "j", out="k", perm=[0, 1, 3, 2]),
    }
    layers += [more[between]] if between in more else []
    layers.append(quant("k" if between in more else "j", "m", "s"))
    made = streamlined(net(*layers, channels=3, u=np.float32(0.1702361)), tmp_path)
    assert made.fates["unary_1"] == "pool (max) over the two streams"
    assert ops(made).count("int_pool") == 1 + 2 * (between == "windows")


def test_magnitudes_left_alone(tmp_path: Path) -> None:
    """Scales with a small common measure, and a sum that is quantized itself, have a table."""
    layers = [quant("r", "e"), quant("q", "f"), node("Sub", "e", "f", out="g"), node("Abs", "g", out="j"), quant("j", "m", "t")]
    graph = graph_of(net(*layers, channels=3), tmp_path)
    assert str(push_quantizers(graph)) == str(graph)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_constant_of_another_scale(axis: int, tmp_path: Path) -> None:
    """Coordinates as channels, and rows of a constant: they have codes of the quantizer behind the join."""
    shape = (2, 4, 5) if axis == 1 else (3, 2, 5)
    layers = [node("DequantizeLinear", "k", "ks", "kz", out="kq"), node("Concat", "kq", "q", out="j", axis=axis), quant("j", "m", "t")]
    k = np.random.default_rng(3).integers(-8, 8, (1, *shape), dtype=np.int8)
    made = streamlined(net(*layers, channels=5 if axis == 1 else 3, k=k, kz=np.int8(3), ks=np.float32(0.17)), tmp_path)
    assert "int_concat" in ops(made) and made.fates["concat_0"] == "streams joined"


@pytest.mark.parametrize("tokens", ["a constant", "a stream"])
def test_tokens_of_another_scale(tokens: str, tmp_path: Path) -> None:
    """A class token beside those of an image; two kinds of tokens: the axis of three that is no feature's."""
    first = [quant("x", "q"), quant("w", "wq"), node("MatMul", "q", "wq", out="p"), quant("p", "pq", "t")]
    second = [node("MatMul", "q", "wq", out="o"), quant("o", "kq", "s")]
    first += [node("DequantizeLinear", "k", "s", "kz", out="kq")] if tokens == "a constant" else second
    layers = [node("Concat", "kq", "pq", out="j", axis=1), quant("j", "m", "u"), node("MatMul", "m", "wq", out="y")]
    held = constants(w=random(4, 4), k=np.int8([[[7, -3, 0, 5]]]), kz=np.int8(3), t=np.float32(0.3), s=np.float32(0.17), u=np.float32(0.25))
    made = streamlined(model([*first, *layers], {"x": (1, 5, 4)}, ("y",), held), tmp_path)
    assert "int_concat" in ops(made) and made.fates["concat_0"] == "streams joined"


@pytest.mark.parametrize("axis", [2, 3])
def test_constants_of_each_place_behind_a_join(axis: int, tmp_path: Path) -> None:
    """Halves that are turned, joined and multiplied by a number for each place (rotary embeddings): each operand meets its part of them."""
    places = (1, 8, 5) if axis == 2 else (10,)
    layers = [node("Neg", "r", out="n"), node("Concat", "n", "q", out="j", axis=axis), node("Mul", "j", "p", out="k")]
    layers += [node("Add", "k", "o", out="l"), quant("l", "m", "t")]
    made = streamlined(net(*layers, channels=3, p=random(*places), o=random(3, 1, 1)), tmp_path)
    assert "int_concat" in ops(made) and made.fates["concat_0"] == "streams joined"


@pytest.mark.parametrize("between", ["transpose", "reshape", "both"])
def test_a_join_of_which_elements_move_before_the_quantizer(between: str, tmp_path: Path) -> None:
    """Windows of an image rolled along its rows, as Swin cuts them: a quantizer gives the same of elements in another order."""
    layers = [quant("r", "rq", "t"), node("Concat", "rq", "q", out="j", axis=2), node("Abs", "j", out="a")]
    order = {"transpose": [("Transpose", {"perm": [0, 1, 3, 2]})], "reshape": [("Reshape", {})]}
    order["both"] = [*order["reshape"], *order["transpose"]]
    at = "a"
    for i, (op, attributes) in enumerate(order[between]):
        layers.append(node(op, at, *(["shape"] if op == "Reshape" else []), out=f"a{i}", **attributes))
        at = f"a{i}"
    layers += [node("Relu", at, out="u"), quant("u", "m", "u0")]
    made = streamlined(net(*layers, channels=3, shape=np.int64([1, 3, 10, 4]), u0=np.float32(0.2)), tmp_path)
    assert "int_concat" in ops(made) and made.fates["concat_0"] == "streams joined"


def test_a_pooled_join_of_which_elements_move(tmp_path: Path) -> None:
    """Each operand is pooled, the join has the shape of that, and its elements move last."""
    pool = node("MaxPool", "j", out="k", kernel_shape=[2, 1], strides=[2, 1])
    layers = [node("Concat", "r", "c", out="j", axis=1), pool, node("Transpose", "k", out="l", perm=[0, 1, 3, 2]), quant("l", "m", "t")]
    made = streamlined(net(*layers), tmp_path)
    assert ops(made).count("int_pool") == 2 and "int_concat" in ops(made)


def test_a_constant_behind_a_quantizer_of_its_own(tmp_path: Path) -> None:
    layers = [quant("k", "kq", "ks"), node("Concat", "kq", "q", out="j", axis=1), quant("j", "m", "t")]
    streamlined(net(*layers, channels=5, k=random(1, 2, 4, 5), ks=np.float32(0.17)), tmp_path)
