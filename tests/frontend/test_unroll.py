"""Scan, Loop and brevitas' LSTM cell become the operators that they repeat: held to ONNX Runtime, and to the cell's definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dfcompile.frontend.lstm_cell import GATES, QONNX, QUANTIZERS
from tests.frontend.make import check_against_onnxruntime, graph_of, imported, model, run_graph
from tests.frontend.small import random

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), out.split(","), name=f"{op}_{out}", **attributes)


def graph(nodes: list[Any], inputs: str, outputs: str, **held: Any) -> onnx.GraphProto:
    def infos(names: str) -> list[Any]:
        return [onnx.ValueInfoProto(name=n) for n in names.split(",")]

    kept = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()]
    return helper.make_graph(nodes, "body", infos(inputs), infos(outputs), kept)


CELL = graph(
    [node("MatMul", "xin,wx", "a"), node("MatMul", "hin,wh", "b"), node("Add", "a,b", "s"), node("Tanh", "s", "hout"),
     node("Mul", "hout,two", "yout")],
    "hin,xin", "hout,yout", wx=random(3, 4), two=np.float32(2),
)  # fmt: skip


@pytest.mark.parametrize(
    "attributes",
    [{}, {"scan_input_directions": [1]}, {"scan_output_directions": [1]}, {"scan_output_axes": [1]}, {"scan_output_axes": [-1]}],
    ids=str,
)
def test_scan(attributes: dict[str, Any], tmp_path: Path) -> None:
    """Along the first of three axes; a matrix that the body reads from outside, and one of its own."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Scan", "h0,t", "h,ys", body=CELL, num_scan_inputs=1, **attributes)]
    nodes += [node("ReduceSum", "ys", "total", keepdims=0), node("Add", "h,total", "y")]
    proto = model(nodes, {"x": (1, 5, 3)}, ["y"], {"h0": random(1, 4), "wh": random(4, 4)})
    check_against_onnxruntime(proto, {"x": RNG.normal(size=(1, 5, 3)).astype(np.float32)}, tmp_path)


def test_scan_along_another_axis(tmp_path: Path) -> None:
    nodes = [node("Scan", "h0,x", "h,ys", body=CELL, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1])]
    proto = model([*nodes, node("Transpose", "ys", "y", perm=[0, 2, 1])], {"x": (1, 5, 3)}, ["y"], {"h0": random(1, 4), "wh": random(4, 4)})
    check_against_onnxruntime(proto, {"x": RNG.normal(size=(1, 5, 3)).astype(np.float32)}, tmp_path)


def loop(by_number: bool = False, trips: int = 3) -> onnx.ModelProto:
    """h = tanh(h * number + x), all h collected; on while they are few, or while their sum is small."""
    inner = [
        node("Cast", "number", "n", to=TensorProto.FLOAT),
        node("Mul", "hin,n", "m"),
        node("Add", "m,x", "s"),
        node("Tanh", "s", "hout"),
    ]
    inner += [node("ReduceSum", "hout", "sum", keepdims=0)] if by_number else []
    inner += [node("Less", "sum,limit", "on") if by_number else node("Identity", "going", "on"), node("Identity", "hout", "yout")]
    body = helper.make_graph(
        inner, "body",
        [helper.make_tensor_value_info("number", TensorProto.INT64, ()), helper.make_tensor_value_info("going", TensorProto.BOOL, ()),
         onnx.ValueInfoProto(name="hin")],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, ()), onnx.ValueInfoProto(name="hout"), onnx.ValueInfoProto(name="yout")],
        [onnx.numpy_helper.from_array(np.float32(9), "limit")],
    )  # fmt: skip
    nodes = [
        node("Loop", "trips,true,x", "h,hs", body=body),
        node("ReduceSum", "hs,first", "total", keepdims=0),
        node("Add", "h,total", "y"),
    ]
    return model(nodes, {"x": (1, 4)}, ["y"], {"trips": np.array(trips), "true": np.array(True), "first": np.array([0])})


def test_loop(tmp_path: Path) -> None:
    check_against_onnxruntime(loop(), {"x": RNG.normal(size=(1, 4)).astype(np.float32)}, tmp_path)


def test_a_loop_that_ends_by_a_condition_is_refused(tmp_path: Path) -> None:
    found = imported(loop(by_number=True), tmp_path)
    assert [p.code for p in found.problems if "Loop" in p.what] == ["dynamic-parameter"]


def test_a_sequence_too_long_is_refused(tmp_path: Path) -> None:
    found = imported(loop(trips=10**9), tmp_path)
    assert [p.code for p in found.problems] == ["too-large"] and "1000000000 times" in found.problems[0].what


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_cells_with_real_states_are_refused_with_a_way_out(op: str, tmp_path: Path) -> None:
    n = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(op, "t,w,r", "a,y", hidden_size=4)]
    found = imported(model(nodes, {"x": (1, 5, 3)}, ["y"], {"w": random(1, 4 * n, 3), "r": random(1, 4 * n, 4)}), tmp_path)
    (problem,) = [p for p in found.problems if p.code == "unsupported-op"]
    assert "states are real numbers" in problem.help and "QuantLSTM" in problem.help


# Brevitas' cell.

SCALES = {q: 2.0 ** -(4 + i % 3) for i, q in enumerate(QUANTIZERS)}
SIGNED = {q: 0 if q.endswith("sigmoid") else 1 for q in QUANTIZERS}


def cell(inputs: int, hidden: int, steps: int, **attributes: Any) -> tuple[onnx.ModelProto, dict[str, Array]]:
    held: dict[str, Any] = {"h0": np.zeros((1, hidden), np.float32), "c0": np.full((1, hidden), 0.25, np.float32)}
    held |= {f"w_{g}": RNG.integers(-4, 5, (hidden, inputs)).astype(np.float32) / 8 for g in GATES}
    held |= {f"r_{g}": RNG.integers(-4, 5, (hidden, hidden)).astype(np.float32) / 8 for g in GATES}
    held |= {f"b_{g}": RNG.integers(-9, 9, hidden).astype(np.float32) / 16 for g in GATES}
    held |= {"zero": np.float32(0), "six": np.float32(6)} | {f"s_{q}": np.float32(s) for q, s in SCALES.items()}
    names = ["x", "h0", "c0", *(f"{k}_{g}" for k in "wrb" for g in GATES), *(n for q in QUANTIZERS for n in (f"s_{q}", "zero", "six"))]
    given = (
        {f"{q}_signed": v for q, v in SIGNED.items()}
        | {f"{q}_narrow": 0 for q in QUANTIZERS}
        | {"batch_first": 1, "cifg": 0, "reverse_input": 0}
    )
    made = helper.make_node("QuantLSTMCell", names, ["y", "h", "c"], "cell", domain=QONNX, **{**given, **attributes})
    return model([made], {"x": (1, steps, inputs)}, ["y", "h", "c"], held), held


def reference(x: Array, held: dict[str, Array], reverse: bool, coupled: bool) -> tuple[Array, Array, Array]:
    """The definition, a loop over time in float64."""

    def quant(v: Array, which: str) -> Array:
        lo, hi = (-32, 31) if SIGNED[which] else (0, 63)
        return np.clip(np.rint(v / SCALES[which]), lo, hi) * SCALES[which]

    def total(g: str, x_t: Array) -> Array:
        return quant(x_t @ held[f"w_{g}"].T.astype(np.float64) + h @ held[f"r_{g}"].T.astype(np.float64) + held[f"b_{g}"], f"{g}_acc")

    h, c = held["h0"].astype(np.float64), held["c0"].astype(np.float64)
    out = np.empty((x.shape[1], h.shape[1]))
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        sums = {g: total(g, x[:, t].astype(np.float64)) for g in GATES}
        i, f, o = (quant(1 / (1 + np.exp(-sums[g])), f"{g}_sigmoid") for g in ("input", "forget", "output"))
        f = 1 - i if coupled else f
        new = quant(quant(f * c, "cell_state") + quant(i * quant(np.tanh(sums["cell"]), "cell_tanh"), "cell_state"), "cell_state")
        c, h = new, quant(o * quant(np.tanh(new), "hidden_state_tanh"), "output")
        out[t] = h
    return out[None], h, c


@pytest.mark.parametrize(("reverse", "coupled"), [(0, 0), (1, 0), (0, 1)])
def test_brevitas_cell(reverse: int, coupled: int, tmp_path: Path) -> None:
    proto, held = cell(3, 4, 5, reverse_input=reverse, cifg=coupled)
    x = (RNG.integers(-16, 17, (1, 5, 3)) / 16).astype(np.float32)
    for found, wanted in zip(run_graph(graph_of(proto, tmp_path), {"x": x}), reference(x, held, bool(reverse), bool(coupled)), strict=True):
        assert np.array_equal(found.reshape(wanted.shape), wanted)


def test_a_cell_whose_sequence_comes_first_is_refused(tmp_path: Path) -> None:
    found = imported(cell(3, 4, 5, batch_first=0)[0], tmp_path)
    assert "batch_first=True" in found.problems[0].help


@pytest.mark.parametrize("trips", [0, -1])
def test_a_loop_of_nothing_is_refused(trips: int, tmp_path: Path) -> None:
    found = imported(loop(trips=trips), tmp_path)
    assert f"repeated {trips} times" in found.problems[0].what and "leave it out" in found.problems[0].help


@pytest.mark.parametrize("attributes", [{"num_scan_inputs": 3}, {"num_scan_inputs": 1, "scan_input_axes": [0, 1]}])
def test_a_scan_that_does_not_fit_is_refused(attributes: dict[str, Any], tmp_path: Path) -> None:
    nodes = [node("Scan", "h0,x", "h,y", body=CELL, **attributes)]
    found = imported(model(nodes, {"x": (1, 5, 3)}, ["y"], {"h0": random(1, 4), "wh": random(4, 4)}), tmp_path)
    assert found.problems[0].code in ("invalid-node", "bad-attribute") and "onnx.checker" in found.problems[0].help
