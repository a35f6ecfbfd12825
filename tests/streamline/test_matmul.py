"""Matrix products of two streams, in every layout that exporters leave, equal to exact arithmetic; none permutes elements one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntMatMul
from dfcompile.streamline.pipeline import Streamlined
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import streamlined


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


def linear(x: str, out: str) -> list[Any]:
    return [quant(f"w{out}", f"w{out}q"), node("MatMul", f"{x},w{out}q", f"{out}m"), quant(f"{out}m", out)]


def product(
    tmp_path: Path, *middle: Any, shape: tuple[int, ...] = (1, 6, 4), names: str = "ABC", width: int = 8, **held: Any
) -> Streamlined:
    """Linear layers of an input (1, tokens, features), one for each name --> nodes --> y."""
    nodes = [quant("x", "q"), *(n for name in names for n in linear("q", name)), *middle]
    weights = {f"w{name}": random(shape[-1], width) * (i + 1) for i, name in enumerate(names)}
    return streamlined(model(nodes, {"x": shape}, ["y"], constants(**weights, **held)), tmp_path)


def only_product(made: Streamlined) -> IntMatMul:
    assert not [n.name for n in made.graph.nodes if n.name.startswith("permute")]
    (found,) = (n.op for n in made.graph.nodes if isinstance(n.op, IntMatMul))
    return found


def heads(source: str, out: str, perm: list[int], shape: str = "four") -> list[Any]:
    return [node("Reshape", f"{source},{shape}", f"{out}r"), node("Transpose", f"{out}r", out, perm=perm)]


FOUR = {"four": np.array([1, 6, 2, 4])}


def test_scores_of_one_head(tmp_path: Path) -> None:
    made = product(tmp_path, node("Transpose", "B", "BT", perm=[0, 2, 1]), node("MatMul", "A,BT", "y"), names="AB")
    assert only_product(made) == IntMatMul((8, 6), 1, (6, 6), True)


def test_values_of_one_head(tmp_path: Path) -> None:
    made = product(tmp_path, node("MatMul", "A,B", "y"), names="AB", shape=(1, 8, 4))
    assert only_product(made) == IntMatMul((8, 8), 1, (8, 8), False)


def test_scores_of_heads_beside_each_other(tmp_path: Path) -> None:
    """Heads are parts of a token's features: rows of both streams are of one head after the other."""
    made = product(tmp_path, *heads("A", "h", [0, 2, 1, 3]), *heads("B", "k", [0, 2, 3, 1]), node("MatMul", "h,k", "y"), names="AB", **FOUR)
    assert only_product(made) == IntMatMul((4, 6), 2, (1, 1), True)


def test_attention_without_a_softmax(tmp_path: Path) -> None:
    nodes = [*heads("A", "h", [0, 2, 1, 3]), *heads("B", "k", [0, 2, 3, 1]), *heads("C", "v", [0, 2, 1, 3])]
    nodes += [node("MatMul", "h,k", "scores"), node("Relu", "scores", "t"), quant("t", "p", signed=0), node("MatMul", "p,v", "o")]
    nodes += [node("Transpose", "o", "u", perm=[0, 2, 1, 3]), node("Reshape", "u,three", "f"), quant("f", "g"), *linear("g", "d")[:2]]
    made = product(tmp_path, *nodes[:-1], node("MatMul", "g,wdq", "y"), **FOUR, three=np.array([1, 6, 8]), wd=random(8, 3))
    first, second = (n.op for n in made.graph.nodes if isinstance(n.op, IntMatMul))
    assert (first, second) == (IntMatMul((4, 6), 2, (1, 1), True), IntMatMul((6, 4), 2, (1, 1), False))
    assert not [n.name for n in made.graph.nodes if n.name.startswith("permute")]


def test_parts_of_one_layer(tmp_path: Path) -> None:
    """Queries and keys as parts of one layer's results are slices."""
    nodes = [helper.make_node("Split", ["A", "halves"], ["h", "k"], axis=2), node("Transpose", "k", "kt", perm=[0, 2, 1])]
    made = product(tmp_path, *nodes, node("MatMul", "h,kt", "y"), names="A", halves=np.array([4, 4]))
    assert only_product(made) == IntMatMul((4, 6), 1, (6, 6), True)


def test_keys_that_all_heads_share(tmp_path: Path) -> None:
    nodes = [*heads("A", "h", [0, 2, 1, 3]), node("MatMul", "q,wnq", "nm"), quant("nm", "n"), node("Transpose", "n", "nt", perm=[0, 2, 1])]
    nodes = [quant("wn", "wnq"), *nodes, node("Unsqueeze", "nt,one", "k"), node("MatMul", "h,k", "y")]
    made = product(tmp_path, *nodes, names="A", wn=random(4, 4), one=np.array([1]), **FOUR)
    assert only_product(made) == IntMatMul((4, 6), 1, (12, 6), True)


def test_a_matrix_for_the_rows_of_all_heads(tmp_path: Path) -> None:
    """One matrix on the left for several on the right: their product the other way round."""
    nodes = [quant("wn", "wnq"), node("MatMul", "q,wnq", "nm"), quant("nm", "n"), node("Unsqueeze", "n,one", "l")]
    nodes += [*heads("A", "h", [0, 2, 1, 3]), node("MatMul", "l,h", "y")]
    made = product(tmp_path, *nodes, names="A", wn=random(4, 6), one=np.array([1]), **FOUR)
    (found,) = (n.op for n in made.graph.nodes if isinstance(n.op, IntMatMul))
    assert found.heads == 1 and found.shape == (6, 6)


@pytest.mark.parametrize(("which", "runs"), [([0, 0, 1, 1], (2, 1)), ([0, 1, 0, 1], (1, 1)), ([0, 1, 1, 0], (12, 1))])
def test_keys_that_groups_of_heads_share(which: list[int], runs: tuple[int, int], tmp_path: Path) -> None:
    """Which of two keys each of four heads takes; where they do not come in turn, rows are brought into the order of their keys."""
    nodes = [node("Reshape", "A,parts", "ar"), node("Transpose", "ar", "h", perm=[0, 2, 1, 3])]
    nodes += [node("Reshape", "B,keys", "br"), node("Transpose", "br", "bt", perm=[0, 2, 3, 1]), node("Gather", "bt,which", "k", axis=1)]
    held = {"parts": np.array([1, 6, 4, 2]), "keys": np.array([1, 6, 2, 2]), "which": np.array(which)}
    first, second = linear("q", "A"), linear("q", "B")
    weights = {"wA": random(4, 8), "wB": random(4, 4)}
    layers = [quant("x", "q"), *first, *second, *nodes, node("MatMul", "h,k", "y")]
    made = streamlined(model(layers, {"x": (1, 6, 4)}, ["y"], constants(**weights, **held)), tmp_path)
    (found,) = (n.op for n in made.graph.nodes if isinstance(n.op, IntMatMul))
    assert (found.heads, found.runs) == (2, runs)


@pytest.mark.parametrize("zero", [0.0, 3.0, -2.0])
def test_zero_points_and_scales_of_channels(zero: float, tmp_path: Path) -> None:
    scale = np.array([0.25, 0.5, 0.25, 0.125, 0.25, 0.75, 0.25, 0.25], np.float32)
    nodes = [quant("A", "u", "each", "zero"), node("Transpose", "B", "BT", perm=[0, 2, 1]), node("MatMul", "u,BT", "y")]
    product(tmp_path, *nodes, names="AB", each=scale, zero=np.float32(zero))


def test_without_a_quantizer(tmp_path: Path) -> None:
    nodes = [node("Transpose", "B", "BT", perm=[0, 2, 1]), node("Tanh", "A", "t"), node("MatMul", "t,BT", "m"), quant("m", "y")]
    with pytest.raises(CompileError, match="an operand of 'matmul' is not quantized"):
        product(tmp_path, *nodes, names="AB")
