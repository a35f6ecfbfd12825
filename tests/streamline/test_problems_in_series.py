"""One run shows every problem: what is refused hides nothing behind it, and makes no problem of its own there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dfcompile import check
from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntPad, IntPool, Window
from tests.frontend.make import model
from tests.loopback.cases import Net

DOMAIN = "qonnx.custom_op.general"
CONSTANTS = {"s": 0.5, "z": 0.0, "b": 4.0, "axis": np.array(1, np.int64), "m": 3.0, "w": np.random.default_rng(0).normal(size=(8, 8))}


def quant(x: str, y: str) -> onnx.NodeProto:
    return helper.make_node("Quant", [x, "s", "z", "b"], [y], name=f"q_{y}", domain=DOMAIN, signed=1, narrow=0, rounding_mode="ROUND")


def found(nodes: list[onnx.NodeProto], outputs: tuple[str, ...], folder: Path, shapes: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(code, ONNX name of the node) of every problem; shapes: tensors whose shape the file states."""
    proto = model(nodes, {"x": [1, 8]}, outputs, CONSTANTS, domains={DOMAIN: 1})
    for t in shapes:
        proto.graph.value_info.append(helper.make_tensor_value_info(t, TensorProto.FLOAT, [1, 8]))
    onnx.save(proto, folder / "m.onnx")
    return [(p.code, p.where.partition("ONNX: ")[2].partition(")")[0]) for p in check(folder / "m.onnx")]


def op(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], name=output, **attributes)


@pytest.mark.parametrize("stated", [True, False])
def test_unsupported_operators_in_series_and_beside(stated: bool, tmp_path: Path) -> None:
    nodes = [
        quant("x", "a"), op("CumSum", "a axis", "c"), quant("c", "d"), op("Mod", "d m", "e", fmod=1), op("Relu", "e", "f"), quant("f", "y"),
        op("Det", "a", "g"), op("Nonsense", "g", "h"), op("Add", "h e", "i"), quant("i", "v"),
    ]  # fmt: skip
    shapes = ("c", "e", "g", "h") if stated else ()
    names = [name for _, name in found(nodes, ("y", "v"), tmp_path, shapes)]
    assert sorted(names) == ["c", "e", "g", "h"]


def test_refused_layers_in_series(tmp_path: Path) -> None:
    """Weights that are not quantized, one layer behind the other; what lies between is no problem of its own."""
    nodes = [
        quant("x", "a"), op("MatMul", "a w", "c"), op("Relu", "c", "d"), op("Mul", "d d", "e"), quant("e", "f"),
        op("MatMul", "f w", "g"), quant("g", "h"), op("MatMul", "h w", "y"),
    ]  # fmt: skip
    assert found(nodes, ("y",), tmp_path) == [("not-quantized", n) for n in ("c", "g", "y")]


def test_both_stages_in_one_run(tmp_path: Path) -> None:
    """An operator that the import lacks, and behind the next quantizer a layer that streamlining refuses."""
    nodes = [quant("x", "a"), op("CumSum", "a axis", "c"), quant("c", "d"), op("MatMul", "d w", "e"), quant("e", "y")]
    assert found(nodes, ("y",), tmp_path, ("c",)) == [("unsupported-op", "c"), ("not-quantized", "e")]
    alone = [quant("x", "a"), op("CumSum", "a axis", "c"), quant("c", "y")]
    assert found(alone, ("y",), tmp_path, ("c",)) == [("unsupported-op", "c")]


def test_refused_functions_in_series(tmp_path: Path) -> None:
    """Sines of sums too wide to search, twice: the second is found although nothing is known of what the first gives."""
    wide = np.random.default_rng(1).integers(-(2**20), 2**20, (8, 8)).astype(np.float32)
    sums = [op("MatMul", "a k", "c"), op("Sin", "c", "d"), quant("d", "e"), op("MatMul", "e k", "f"), op("Sin", "f", "g"), quant("g", "y")]
    proto = model([quant("x", "a"), *sums], {"x": [1, 8]}, ("y",), CONSTANTS | {"k": wide}, domains={DOMAIN: 1})
    onnx.save(proto, tmp_path / "m.onnx")
    assert [p.code for p in check(tmp_path / "m.onnx")] == ["not-monotone", "not-monotone"]


def test_layers_without_a_unit_in_series() -> None:
    """Lowering names every layer that no unit does, and none that is only behind one."""
    net = Net(0, x=((6, 6, 3), 0, 15))
    crop = Window((1, 1), (1, 1), (-1, -1, -14, -14), (1, 1), (3, 3))
    first = net.node(IntPad(crop), "x")
    graph = net.graph(net.node(IntPool("max", Window()), first), net.node(IntPad(crop), "x"))
    with pytest.raises(CompileError) as error:
        lower(graph)
    assert len(error.value.problems) == 2 and all(p.why and p.help for p in error.value.problems)
