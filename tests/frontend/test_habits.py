"""What exporters do: each test is named after the habit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dfcompile.ir import Graph
from dfcompile.ir.modelop import Binary, Bipolar, Dequantize, MatMul, Quantize, Reshape
from tests.frontend.make import check_against_onnxruntime, graph_of, imported, model, run_graph
from tests.frontend.small import constants, conv_net, quant, random


def kinds(graph: Graph) -> list[str]:
    return [n.op.kind for n in graph.nodes]


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


@pytest.mark.parametrize("batch", ["N", None, 1, 4])
def test_batch_is_symbolic_missing_or_fixed(tmp_path: Path, batch: Any) -> None:
    proto = conv_net()
    dim = proto.graph.input[0].type.tensor_type.shape.dim[0]
    dim.Clear()
    if isinstance(batch, int):
        dim.dim_value = batch
    elif batch:
        dim.dim_param = batch
    graph = graph_of(proto, tmp_path)
    assert graph.tensors["x"].shape == (1, 3, 8, 8)
    assert graph.tensors["y"].shape == (1, 5)
    assert run_graph(graph, {"x": np.zeros((3, 3, 8, 8))})[0].shape == (3, 5)


def test_fixed_batch_in_the_constant_of_a_reshape(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "shape"], ["r"]), node("Add", ["r", "rows"], ["a"]), quant("a", "y")]
    held = constants(shape=np.asarray([4, 6]), rows=np.tile(random(1, 6), (4, 1)))
    graph = graph_of(model(nodes, {"x": (4, 2, 3)}, ["y"], held), tmp_path)
    assert graph.node("reshape_0").op == Reshape((6,))
    assert graph.tensors["y"].shape == (1, 6)


def test_initialisers_are_listed_as_inputs(tmp_path: Path) -> None:
    proto = conv_net()
    for t in proto.graph.initializer:
        proto.graph.input.insert(0, helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)))
    assert graph_of(proto, tmp_path).inputs == ("x",)


def test_one_initialiser_is_bit_width_and_zero_point(tmp_path: Path) -> None:
    proto = model([quant("x", "y", "s", "eight", "eight", signed=0)], {"x": (1, 4)}, ["y"], {"s": 0.5, "eight": 8.0, "unused": random(3)})
    graph = graph_of(proto, tmp_path)
    assert set(graph.constants) == {"s", "eight"}
    op = graph.nodes[0].op
    assert isinstance(op, Quantize) and (op.lo, op.hi) == (0, 255)


def test_bit_width_is_computed(tmp_path: Path) -> None:
    nodes = [node("Log", ["n"], ["l"]), node("Div", ["l", "log2"], ["d"]), node("Ceil", ["d"], ["b"]), quant("x", "y")]
    result = imported(model(nodes, {"x": (1, 4)}, ["y"], {"s": 0.5, "z": 0.0, "n": 200.0, "log2": np.log(2)}), tmp_path)
    assert result.graph is not None and result.graph.nodes[0].op == Quantize(-128, 127)
    assert result.fates["Ceil_2"].startswith("Ceil: folded into constant b")


@pytest.mark.parametrize("form", ["value", "value_float", "value_floats", "value_int", "value_ints", "sparse_value"])
def test_constant_nodes(tmp_path: Path, form: str) -> None:
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.asarray([2.0], np.float32), "v"), numpy_helper.from_array(np.asarray([0]), "i"), [1]
    )
    values = {
        "value": numpy_helper.from_array(np.asarray(2.0, np.float32)),
        "value_float": 2.0,
        "value_floats": [2.0],
        "value_int": 2,
        "value_ints": [2],
        "sparse_value": sparse,
    }
    nodes = [node("Constant", [], ["two"], **{form: values[form]}), quant("x", "q"), node("Mul", ["q", "two"], ["y"])]
    graph = graph_of(model(nodes, {"x": (1, 4)}, ["y"], constants()), tmp_path)
    np.testing.assert_array_equal(run_graph(graph, {"x": np.full((1, 4), 0.75)})[0], 1.5)


def test_operator_domain_is_a_template_nobody_filled_in(tmp_path: Path) -> None:
    proto = conv_net()
    proto.opset_import.append(helper.make_opsetid("{DOMAIN_STRING}", 1))
    for n in proto.graph.node:
        n.domain = "{DOMAIN_STRING}" if n.op_type == "Quant" else n.domain
    assert graph_of(proto, tmp_path).outputs == ("y",)


def test_nodes_without_effect_are_dropped(tmp_path: Path) -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Cast", ["a"], ["b1"], to=TensorProto.FLOAT),
        quant("b1", "q"),
        node("Dropout", ["q"], ["d"]),
        node("DebugMarker", ["d"], ["e"], domain="qonnx.custom_op.general"),
        node("Identity", ["e"], ["y"]),
    ]
    result = imported(model(nodes, {"x": (1, 4)}, ["y"], constants()), tmp_path)
    assert result.graph is not None and result.problems == ()
    assert kinds(result.graph) == ["quantize", "dequantize"]
    assert result.graph.outputs == ("y",)
    assert result.fates["Dropout_3"] == "Dropout: dropped, it changes nothing"


def test_nodes_in_any_order(tmp_path: Path) -> None:
    proto = conv_net()
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))
    y, expected = (run_graph(graph_of(p, tmp_path), {"x": random(2, 3, 8, 8)})[0] for p in (proto, conv_net()))
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("shape", [(5, 1), (1, 1)])
def test_transposed_weights_keep_codes_and_scale_per_channel(tmp_path: Path, shape: tuple[int, int]) -> None:
    nodes = [quant("x", "q"), quant("w", "wq", "ws"), node("Transpose", ["wq"], ["wt"], perm=[1, 0]), node("MatMul", ["q", "wt"], ["y"])]
    scale = np.exp2(np.arange(np.prod(shape)) % 3 - 3).astype(np.float32).reshape(shape)
    graph = graph_of(model(nodes, {"x": (1, 6)}, ["y"], constants(w=random(5, 6), ws=scale)), tmp_path)
    producers = graph.producers()
    (product,) = (n for n in graph.nodes if isinstance(n.op, MatMul))
    back = producers[product.inputs[1]]
    codes = producers[back.inputs[0]]
    assert isinstance(back.op, Dequantize) and isinstance(codes.op, Quantize) and codes.op.weight
    assert graph.tensors[codes.inputs[0]].shape == (6, 5)
    assert graph.tensors[back.inputs[1]].shape == ((1, 5) if shape[0] > 1 else ())
    assert back.source == ("quant_wq", "Transpose_2")


def test_reshaped_weights_stay_weights(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), quant("w", "wq", "ws"), node("Reshape", ["wq", "shape"], ["wr"]), node("Conv", ["q", "wr"], ["y"])]
    held = constants(w=random(5, 6), ws=np.exp2(np.arange(5) - 4).astype(np.float32).reshape(5, 1), shape=np.asarray([5, 6, 1, 1]))
    graph = graph_of(model(nodes, {"x": (1, 6, 2, 2)}, ["y"], held), tmp_path)
    (codes,) = (n for n in graph.nodes if isinstance(n.op, Quantize) and n.op.weight)
    assert [graph.tensors[t].shape for t in codes.inputs] == [(5, 6, 1, 1), (5, 1, 1, 1), ()]


def test_stored_integer_weights(tmp_path: Path) -> None:
    nodes = [
        node("Clip", ["w", "lo", "hi"], ["c"]),
        node("DequantizeLinear", ["c", "ws"], ["d"], axis=0),
        node("MatMul", ["x", "d"], ["y"]),
    ]
    held = {
        "w": np.arange(-6, 6, dtype=np.int8).reshape(3, 4),
        "ws": np.asarray([1, 2, 4], np.float32),
        "lo": np.asarray(-4, np.int8),
        "hi": np.asarray(3, np.int8),
    }
    graph = check_against_onnxruntime(model(nodes, {"x": (1, 3)}, ["y"], held), {"x": random(1, 3)}, tmp_path)
    (real,) = (n for n in graph.nodes if isinstance(n.op, Dequantize))
    assert graph.constants[real.inputs[0]].dtype == np.int64
    assert graph.constants[real.inputs[0]].min() == -4


def test_activations_written_out(tmp_path: Path) -> None:
    nodes = [
        node("Sigmoid", ["x"], ["a"]),
        node("Mul", ["x", "a"], ["silu"]),
        node("Div", ["silu", "root"], ["b"]),
        node("Erf", ["b"], ["c"]),
        node("Add", ["c", "one"], ["d"]),
        node("Mul", ["silu", "d"], ["e"]),
        node("Mul", ["e", "half"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 9)}, ["y"], {"root": np.sqrt(2), "one": 1.0, "half": 0.5})
    graph = check_against_onnxruntime(proto, {"x": random(1, 9)}, tmp_path)
    assert [n.op for n in graph.nodes].count(Binary("mul")) == 3


def test_tail_of_a_tensor_norm(tmp_path: Path) -> None:
    nodes = [
        quant("x", "q"),
        node("Sub", ["q", "mean"], ["a"]),
        node("Add", ["var", "eps"], ["v"]),
        node("Pow", ["v", "half"], ["sd"]),
        node("Div", ["a", "sd"], ["n"]),
        node("Mul", ["n", "w"], ["m"]),
        node("Add", ["m", "bias"], ["y"]),
    ]
    held = constants(mean=0.5, var=2.0, eps=1e-5, half=0.5, w=random(1), bias=random(1))
    result = imported(model(nodes, {"x": (1, 9)}, ["y"], held), tmp_path)
    assert result.graph is not None
    assert kinds(result.graph) == ["quantize", "dequantize", "binary", "binary", "binary", "binary"]
    assert result.fates["Pow_3"].startswith("Pow: folded into constant sd")


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    nodes = [quant("x", "a"), quant("v", "c"), node("Add", ["a", "c"], ["y"]), node("Relu", ["y"], ["u"])]
    graph = graph_of(model(nodes, {"x": ("N", 3, 4), "v": (1, 3, 1)}, ["u", "y"], constants()), tmp_path)
    assert graph.inputs == ("x", "v") and graph.outputs == ("u", "y")
    u, y = run_graph(graph, {"x": np.full((2, 3, 4), -1.0), "v": np.full((2, 3, 1), 0.5)})
    assert (u == 0).all() and (y == -0.5).all()


def test_input_without_batch_axis(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("MatMul", ["q", "w"], ["y"])]
    graph = graph_of(model(nodes, {"x": (6,)}, ["y"], constants(w=random(6, 3))), tmp_path)
    assert graph.tensors["x"].shape == (1, 6) and graph.tensors["y"].shape == (1, 3)


def test_attention_moves_the_batch_axis(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("MatMul", ["t", "w"], ["p"]),
        node("Reshape", ["p", "heads"], ["h"]),
        node("Transpose", ["h"], ["k"], perm=[1, 2, 0]),
        node("Transpose", ["h"], ["q"], perm=[1, 0, 2]),
        node("MatMul", ["q", "k"], ["s"]),
        node("Softmax", ["s"], ["a"], axis=-1),
        node("Unsqueeze", ["a", "zero"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 5, 8)}, ["y"], {"w": random(8, 8), "heads": np.asarray([5, 2, 4]), "zero": np.asarray([0])})
    graph = check_against_onnxruntime(proto, {"x": random(1, 5, 8)}, tmp_path)
    assert graph.tensors["y"].shape == (1, 2, 5, 5)


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    proto = conv_net()
    onnx.save_model(proto, str(tmp_path / "m.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    from dfcompile.frontend import import_model

    result = import_model(tmp_path / "m.onnx")
    assert result.problems == () and result.graph is not None
    x = random(1, 3, 8, 8)
    np.testing.assert_array_equal(run_graph(result.graph, {"x": x})[0], run_graph(graph_of(conv_net(), tmp_path), {"x": x})[0])


def test_binary_nets_have_either_form(tmp_path: Path) -> None:
    nodes = [
        node("BipolarQuant", ["x", "s"], ["q"], domain="onnx.brevitas"),
        quant("w", "wq", "s", "z", "one", narrow=1),
        node("MatMul", ["q", "wq"], ["y"]),
    ]
    graph = graph_of(model(nodes, {"x": (1, 4)}, ["y"], constants(one=1.0, w=np.asarray([[0.0], [-1], [2], [-0.0]], np.float32))), tmp_path)
    assert sum(isinstance(n.op, Bipolar) for n in graph.nodes) == 2
    np.testing.assert_array_equal(run_graph(graph, {"x": np.asarray([[0.0, 1, 1, 1]])})[0], [[2 * 0.25**2]])


def test_shared_initialisers_stay_as_they_are(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), quant("w", "wq"), node("Gemm", ["q", "wq"], ["a"], transB=1), node("MatMul", ["a", "wq"], ["y"])]
    w = random(4, 4)
    graph = graph_of(model(nodes, {"x": (1, 4)}, ["y"], constants(w=w)), tmp_path)
    np.testing.assert_array_equal(graph.constants["w"], w.astype(np.float64))


def test_empty_constants_in_the_arithmetic_of_pads(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", ["none"], ["e"], value=numpy_helper.from_array(np.asarray([0]))),
        node("Reshape", ["e", "flat"], ["f"]),
        node("Concat", ["f", "pads"], ["p"], axis=0),
        quant("x", "q"),
        node("Pad", ["q", "p"], ["y"]),
    ]
    held = constants(none=np.asarray([0]), flat=np.asarray([-1]), pads=np.asarray([0, 1, 0, 2]))
    assert graph_of(model(nodes, {"x": (1, 4)}, ["y"], held), tmp_path).tensors["y"].shape == (1, 7)


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
@pytest.mark.parametrize("held", [0.5, random(1, 1, 5), random(3, 1)])
@pytest.mark.parametrize("inputs", [["x", "held"], ["held", "x"]])
def test_comparisons(tmp_path: Path, op: str, held: Any, inputs: list[str]) -> None:
    x = np.asarray([[[-1, 0, 0.5, 0.75, 2]] * 2 + [np.ravel(random(5))]], np.float32)  # 0.5, and a row's own numbers, are met exactly
    proto = model([node(op, inputs, ["y"])], {"x": (1, 3, 5)}, ["y"], {"held": held}, opset=16, types={"y": TensorProto.BOOL})
    check_against_onnxruntime(proto, {"x": x}, tmp_path, 0)


def test_selection_by_computed_conditions(tmp_path: Path) -> None:
    nodes = [
        node("Greater", ["x", "half"], ["a"]),
        node("Less", ["x", "v"], ["b"]),
        node("And", ["a", "b"], ["c"]),
        node("Not", ["c"], ["d"]),
        node("Or", ["d", "held"], ["e"]),
        node("Where", ["e", "x", "two"], ["f"]),
        node("Where", ["held", "f", "v"], ["y"]),
    ]
    held = {"half": 0.5, "two": random(1, 4, 1), "held": np.asarray([True, False, False, True])}
    proto = model(nodes, {"x": (1, 4, 4), "v": (1, 4, 4)}, ["y"], held)
    check_against_onnxruntime(proto, {"x": random(1, 4, 4), "v": random(1, 4, 4)[:, ::-1]}, tmp_path)


@pytest.mark.parametrize("low", [np.inf, np.nan])
def test_selection_of_what_is_no_number(low: float, tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Where", ["held", "q", "low"], ["y"])]
    held = constants(held=np.asarray([True, False]), low=np.float32(low))
    (problem,) = imported(model(nodes, {"x": (1, 2)}, ["y"], held), tmp_path).problems
    assert problem.code == "not-finite" and "infinity and NaN" in problem.why


def test_selection_of_minus_infinity_takes_the_place_of_every_number(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Where", ["held", "q", "low"], ["m"]), quant("m", "y")]
    held = constants(held=np.asarray([True, False]), low=np.float32(-np.inf))
    graph = graph_of(model(nodes, {"x": (1, 2)}, ["y"], held), tmp_path)
    assert graph.execute({"x": np.array([[0.5, 0.5]])})["y"].tolist() == [[0.5, -2.0]]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("btd,de->bte", [(1, 3, 4), (4, 5)]),
        ("btd,ed->bte", [(1, 3, 4), (5, 4)]),
        ("btd,dhe->bhte", [(1, 3, 4), (4, 2, 5)]),
        ("bthd,hde->bte", [(1, 3, 2, 4), (2, 4, 5)]),
        ("...d,de->...e", [(1, 3, 4), (4, 5)]),
        ("b...d, d -> b...", [(1, 3, 4), (4,)]),
        ("st,btd->bsd", [(5, 3), (1, 3, 4)]),
        ("bcij,c->bij", [(1, 3, 2, 4), (3,)]),
        ("btd,de", [(1, 3, 4), (4, 5)]),
        ("bij,bjk->bik", [(1, 3, 4), (1, 4, 5)]),
        ("bhid,bhjd->bhij", [(1, 2, 3, 4), (1, 2, 5, 4)]),
        ("btd->bdt", [(1, 3, 4)]),
        ("btd->bd", [(1, 3, 4)]),
        ("btde,de->bt", [(1, 3, 2, 4), (2, 4)]),
    ],
)
@pytest.mark.parametrize("held", [0, 1, 2])
def test_einsum(tmp_path: Path, equation: str, shapes: list[tuple[int, ...]], held: int) -> None:
    if held < len(shapes) and (len(shapes) == 1 or shapes[1 - held][0] != 1):
        return  # what is left has no batch axis
    names = ["x", "v"][: len(shapes)]
    values = {n: random(*s) for n, s in zip(names, shapes, strict=True)}
    inputs = {n: s for i, (n, s) in enumerate(zip(names, shapes, strict=True)) if i != held and s[0] == 1}
    held_values = {n: v for n, v in values.items() if n not in inputs}
    proto = model([node("Einsum", names, ["y"], equation=equation)], inputs, ["y"], held_values)
    check_against_onnxruntime(proto, {n: values[n] for n in inputs}, tmp_path)


@pytest.mark.parametrize("equation", ["bii->bi", "bij,jk,kl->bil", "bij->bik"])
def test_einsum_beyond_one_product(tmp_path: Path, equation: str) -> None:
    names = ["x", "v", "w"][: equation.count(",") + 1]
    proto = model([node("Einsum", names, ["y"], equation=equation)], {"x": (1, 3, 3)}, ["y"], {n: random(3, 3) for n in names[1:]})
    (problem,) = [p for p in imported(proto, tmp_path).problems if p.code != "not-quantized"]
    assert problem.code in ("unsupported-op", "invalid-node") and "Einsum" in str(problem)
