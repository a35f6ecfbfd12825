"""Functions that a model defines, branches whose condition is known, and what exporters compute with shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from tests.frontend.make import check_against_onnxruntime, graph_of, imported, model, tensor
from tests.frontend.small import random

OPSETS = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
SHAPE = (1, 3, 4, 4)


def function(name: str, inputs: list[str], outputs: list[str], *nodes: onnx.NodeProto, **defaults: float) -> onnx.FunctionProto:
    attributes = [helper.make_attribute(k, v) for k, v in defaults.items()]
    return helper.make_function("own", name, inputs, outputs, list(nodes), OPSETS, attribute_protos=attributes)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, domain="" if op[0].isupper() else "own", **attributes)


def leaky(source: str, target: str) -> onnx.NodeProto:
    """A LeakyRelu whose slope is the function's own attribute."""
    made = node("LeakyRelu", [source], [target])
    made.attribute.append(AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="slope"))
    return made


def test_functions_in_functions(tmp_path: Path) -> None:
    """With attributes given and by default, an operand that is left out, and equal inner names."""
    inner = function("act", ["a"], ["b"], node("Neg", ["a"], ["t"]), leaky("t", "b"), slope=0.25)
    clip = function("bounded", ["a", "low", "high"], ["b"], node("Clip", ["a", "low", "high"], ["b"]))
    outer = function(
        "twice", ["a", "w"], ["c"], node("MatMul", ["a", "w"], ["t"]), node("act", ["t"], ["u"], slope=0.5),
        node("act", ["u"], ["v"]), node("Add", ["v", "t"], ["s"]), node("bounded", ["s", "", "w0"], ["c"]),
    )  # fmt: skip
    outer.node.insert(0, helper.make_node("Constant", [], ["w0"], value_float=1.5))
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"])]
    nodes += [node("twice", ["d", "w"], ["m"]), node("twice", ["m", "w"], ["y"])]
    proto = model(nodes, {"x": SHAPE}, ["y"], {"s": np.float32(0.25), "z": np.array(0, np.int8), "w": random(4, 4)}, domains={"own": 1})
    proto.functions.extend([inner, clip, outer])
    check_against_onnxruntime(proto, {"x": random(*SHAPE)}, tmp_path)


def test_a_function_that_gives_its_operand(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]), node("same", ["d"], ["y"])]
    proto = model(nodes, {"x": SHAPE}, ["y"], {"s": np.float32(0.25), "z": np.array(0, np.int8)}, domains={"own": 1})
    proto.functions.append(function("same", ["a"], ["a"]))
    assert [n.op.kind for n in graph_of(proto, tmp_path).nodes] == ["quantize", "dequantize"]


def branch(name: str, op: str, source: str, **held: Any) -> onnx.GraphProto:
    """A graph of one node that reads a tensor of the graph around it; both branches use the same names."""
    nodes = [helper.make_node(op, [source, *held], ["inner"])]
    return helper.make_graph(
        nodes, name, [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)], [*map(tensor, held.values(), held)]
    )


@pytest.mark.parametrize("size", [1, 2])
def test_a_branch_that_shapes_decide(size: int, tmp_path: Path) -> None:
    """As in the squeeze of exporters."""
    taken = {"then_branch": branch("then", "ReduceSum", "p", axes=np.array([2])), "else_branch": branch("else", "Relu", "p")}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["p"]),
        node("Shape", ["p"], ["n"]), node("Gather", ["n", "two"], ["h"], axis=0), node("Equal", ["h", "one"], ["flag"]),
        helper.make_node("If", ["flag"], ["b"], **taken), node("Neg", ["b"], ["y"]),
    ]  # fmt: skip
    held = {"s": np.float32(0.25), "z": np.array(0, np.int8), "two": np.array(2), "one": np.array(1)}
    proto = model(nodes, {"x": (1, 3, size, 4)}, ["y"], held)
    graph = check_against_onnxruntime(proto, {"x": random(1, 3, size, 4)}, tmp_path)
    assert graph.tensors[graph.outputs[0]].shape == ((1, 3, 1, 4) if size == 1 else (1, 3, 2, 4))


def test_a_branch_that_reads_what_nothing_makes(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["p"])]
    nodes.append(
        helper.make_node("If", ["flag"], ["y"], then_branch=branch("then", "Relu", "lost"), else_branch=branch("else", "Relu", "p"))
    )
    found = imported(
        model(nodes, {"x": SHAPE}, ["y"], {"s": np.float32(0.25), "z": np.array(0, np.int8), "flag": np.array(True)}), tmp_path
    )
    assert [p.code for p in found.problems] == ["undefined-tensor"]


FOLDS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "ReduceProd": ([node("ReduceProd", ["a"], ["c"], axes=[-1], keepdims=0)], {"a": np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2)}),
    "all": ([node("ReduceProd", ["a"], ["c"])], {"a": random(2, 2)}),
    "CumSum": ([node("CumSum", ["a", "axis"], ["c"])], {"a": random(3, 4, 4), "axis": np.array(1)}),
    "Trilu": ([node("Trilu", ["a", "k"], ["c"], upper=0)], {"a": random(4, 4), "k": np.array(1)}),
    "ScatterND": (
        [node("ScatterND", ["a", "at", "new"], ["c"])],
        {"a": random(4, 4), "at": np.array([[0, 1], [-1, 2]]), "new": np.array([5, 6], np.float32)},
    ),
}


@pytest.mark.parametrize("fold", FOLDS)
def test_folds(fold: str, tmp_path: Path) -> None:
    nodes, held = FOLDS[fold]
    if nodes[0].op_type == "ReduceProd" and fold != "all":
        nodes = [*nodes, node("Reshape", ["c", "to"], ["c2"]), node("Mul", ["p", "c2"], ["y"])]
        held = {**held, "to": np.array([3, 2, 1])}
        shape: tuple[int, ...] = (1, 3, 2, 4)
    else:
        nodes, shape = [*nodes, node("Mul", ["p", "c"], ["y"])], SHAPE
    first = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["p"])]
    proto = model([*first, *nodes], {"x": shape}, ["y"], {**held, "s": np.float32(0.25), "z": np.array(0, np.int8)}, opset=14)
    graph = check_against_onnxruntime(proto, {"x": random(*shape)}, tmp_path)
    assert [n.op.kind for n in graph.nodes].count("binary") == 1
