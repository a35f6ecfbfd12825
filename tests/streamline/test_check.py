"""Self-checks find what is planted: every kind of wrong number, wherever it sits, however small."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline import pipeline
from dfcompile.streamline.check import check_encoding, check_units, probe_inputs
from dfcompile.streamline.decline import Decline
from dfcompile.streamline.encode import Encoded, encode
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.pipeline import _host, streamline
from tests.frontend.make import graph_of, model
from tests.frontend.small import QONNX, constants, quant, random


def small(outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """Quantized input, a convolution with a bias, a quantized ReLU, and two convolutions of it: y and p."""
    nodes = [
        quant("x", "q"),
        quant("w", "wq"),
        helper.make_node("Conv", ["q", "wq", "bias"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        quant("r", "rq", signed=0),
        quant("v", "vq"),
        helper.make_node("Conv", ["rq", "vq"], ["y"]),
        quant("u", "uq"),
        helper.make_node("Conv", ["rq", "uq"], ["p"]),
    ]
    held = constants(w=random(3, 2, 2, 2), bias=random(3), v=random(2, 3, 1, 1), u=-random(4, 3, 1, 1))
    return model(nodes[: None if "p" in outputs else -2], {"x": (1, 2, 5, 4)}, outputs, held)


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return graph_of(small(), tmp_path)


def encoded(graph: Graph) -> Encoded:
    found, problems, _ = encode(graph, {})
    assert found is not None and not problems
    return found


def check(graph: Graph, found: Encoded) -> None:
    check_encoding(graph, found, _host(graph, found), probe_inputs(graph, {}))


def changed(found: Graph, name: str, change: Any) -> Graph:
    """The graph with one constant changed."""
    assert name in found.constants
    return found.replace(constants={**found.constants, name: change(found.constants[name].copy())})


def one_more(a: Array) -> Array:
    a.flat[a.size // 2] += 1
    return a


def test_a_right_encoding_passes(graph: Graph) -> None:
    check(graph, encoded(graph))


@pytest.mark.parametrize("layer", ["first", "last"])
def test_one_weight_of_a_layer(graph: Graph, layer: str) -> None:
    found = encoded(graph)
    names = [n for n in found.graph.constants if n.endswith("weights")]
    wrong = replace(found, graph=changed(found.graph, names[0 if layer == "first" else -1], one_more))
    with pytest.raises(CompileError, match="pass encode changed the numbers") as caught:
        check(graph, wrong)
    assert ("tensor c" if layer == "first" else "tensor y") in str(caught.value)


@pytest.mark.parametrize("tensor", ["q", "c", "rq", "y"])
@pytest.mark.parametrize("part", [1.1, 1.0001, 1 + 1e-7])
def test_a_scale_that_is_a_little_off(graph: Graph, tensor: str, part: float) -> None:
    found = encoded(graph)
    stream, _, grid = next(v for k, v in found.model_tensors.items() if k == tensor or (tensor == "q" and v[0] in found.graph.inputs))
    wrong = Grid(np.asarray(grid.scale * Fraction(part), object), grid.offset)
    tensors = {k: (s, i, wrong if s == stream else g) for k, (s, i, g) in found.model_tensors.items()}
    with pytest.raises(CompileError, match="changed the numbers"):
        check(graph, replace(found, model_tensors=tensors))


def test_two_elements_exchanged(graph: Graph) -> None:
    found = encoded(graph)
    stream, index, grid = found.model_tensors["y"]
    index = index.copy()
    index.flat[[0, -1]] = index.flat[[-1, 0]]
    with pytest.raises(CompileError, match="tensor y"):
        check(graph, replace(found, model_tensors={**found.model_tensors, "y": (stream, index, grid)}))


def one_too_high(bias: float, tmp_path: Path) -> tuple[Graph, Encoded]:
    """Codes + bias, quantized again with the same scale; planted: results that mean one code more than they do."""
    nodes = [
        quant("x", "q"),
        helper.make_node("Add", ["q", "k"], ["a"]),
        quant("a", "aq"),
        quant("v", "vq"),
        helper.make_node("MatMul", ["aq", "vq"], ["y"]),
    ]
    graph = graph_of(model(nodes, {"x": (1, 4)}, ["y"], constants(k=bias, v=random(4, 3))), tmp_path)
    found = encoded(graph)
    stream, index, grid = found.model_tensors["aq"]
    wrong = Grid(grid.scale, np.asarray(grid.offset + grid.scale, object))
    return graph, replace(found, model_tensors={**found.model_tensors, "aq": (stream, index, wrong)})


@pytest.mark.parametrize("bias", [0.0, 0.12, 0.13])
def test_no_difference_is_let_pass_beside_a_tie(bias: float, tmp_path: Path) -> None:
    """A tie is at 0.125, half of the scale; whole codes are none."""
    with pytest.raises(CompileError, match="tensor aq"):
        check(*one_too_high(bias, tmp_path))


def test_a_difference_on_a_tie_is_let_pass(tmp_path: Path) -> None:
    """float64 is no judge there; what follows is judged by what the codes mean."""
    graph, found = one_too_high(0.125, tmp_path)
    stream, index, grid = found.model_tensors["y"]
    moved = found.graph.constants[next(n for n in found.graph.constants if n.endswith("weights"))].sum(axis=(1, 2, 3))
    shifted = Grid(grid.scale, np.asarray(np.broadcast_to(grid.offset, (3,)) + grid.scale * [Fraction(int(m)) for m in moved], object))
    check(graph, replace(found, model_tensors={**found.model_tensors, "y": (stream, index, shifted)}))
    with pytest.raises(CompileError, match="tensor y"):
        check(graph, found)


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round", "Sign", "MultiThreshold"])
def test_jumps_are_no_excuse(op: str, tmp_path: Path) -> None:
    """Codes a quarter of a step from every jump."""
    domain = {"domain": QONNX} if op == "MultiThreshold" else {}
    inputs = ["a", "t"] if domain else ["a"]
    nodes = [quant("x", "q"), helper.make_node("Add", ["q", "k"], ["a"]), helper.make_node(op, inputs, ["j"], **domain), quant("v", "vq")]
    nodes.append(helper.make_node("MatMul", ["j", "vq"], ["y"]))
    held = constants(k=0.0625, v=random(4, 3), t=np.array([[-0.5, 0.0, 1.0]], np.float32))
    graph = graph_of(model(nodes, {"x": (1, 4)}, ["y"], held), tmp_path)
    found = encoded(graph)
    check(graph, found)
    stream, index, grid = found.model_tensors["j"]
    wrong = Grid(grid.scale, np.asarray(grid.offset + grid.scale, object))
    with pytest.raises(CompileError, match="tensor j"):
        check(graph, replace(found, model_tensors={**found.model_tensors, "j": (stream, index, wrong)}))


def test_a_pass_that_changes_a_number_is_named(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(g: Graph, decline: Decline) -> Graph:
        return changed(g, next(n for n in g.constants if n.endswith("weights")), one_more)

    monkeypatch.setattr(pipeline, "PASSES", (*pipeline.PASSES, spoil))
    with pytest.raises(CompileError, match="pass spoil changed the numbers"):
        streamline(graph, {})


def test_a_pass_that_leaves_an_unknown_operator_is_stopped(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PASSES", (lambda g, decline: graph,))
    with pytest.raises(ValueError, match="is not allowed in this stage"):
        streamline(graph, {})


@pytest.mark.parametrize(("layer", "which"), [("weights", 0), ("thresholds", 0), ("weights", 1), ("weights", 2)])
def test_units_that_compute_something_else(layer: str, which: int, tmp_path: Path) -> None:
    """One number of one layer: of the first, seen at both outputs, or of one that only the first or the second output shows."""
    made = streamline(graph_of(small(("y", "p")), tmp_path), {})
    check_units(made.probes, lower(made.graph)[0])
    name = [n for n in made.graph.constants if n.endswith(layer)][which]
    change = one_more if layer == "weights" else lambda a: a + 3
    wrong, _ = lower(changed(made.graph, name, change))
    with pytest.raises(CompileError, match="the units do not compute what the integer graph does"):
        check_units(made.probes, wrong)


def test_probes_lie_on_the_declared_grid(graph: Graph) -> None:
    feeds = probe_inputs(graph, {"x": InputType(IntType(3), 0.5, 1.0)})["x"]
    codes = (feeds - 1) / 0.5
    assert feeds.shape[1:] == (2, 5, 4) and set(np.unique(codes)) == set(range(8))
    assert set(np.unique(probe_inputs(graph, {"x": InputType(BIPOLAR)})["x"])) == {-1, 1}


def test_probes_use_the_whole_range_of_the_input_quantizer(graph: Graph) -> None:
    """Signed 4 bits at a quarter: from -2 to 1.75."""
    x = probe_inputs(graph, {})["x"]
    assert -2 <= x.min() < -1.5 and 1.3 < x.max() <= 1.75
