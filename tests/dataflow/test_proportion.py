"""Designs out of all proportion to their model are refused with a reason, before memory is spent on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dfcompile import check
from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.folding.proportion import BLOCK_BITS, NUMBER_BITS, check_memories
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntSlice
from dfcompile.ir.types import IntType
from dfcompile.units.lookup import Lookup


def tables(channels: int) -> Graph:
    """A table of 4,096 entries for each of many channels, every one in a memory of its own."""
    code, shape = IntType(12), (1, 1, channels)
    unit = Lookup(code, IntType(16), np.zeros((channels, 4096), np.int8), 0, shape, pe=channels, table_style="bram")
    node = Node("table", unit, ("x",), ("y",), ("Sin_7",))
    return Graph("tables", (node,), {"x": Tensor(shape, code), "y": Tensor(shape, IntType(16))}, {}, ("x",), ("y",))


def test_memories_beyond_measure() -> None:
    graph = tables(2048)
    bits = int(graph.nodes[0].op.resources("xc7").bram36) * BLOCK_BITS  # type: ignore[attr-defined]
    with pytest.raises(CompileError) as found:
        check_memories(graph, bits // NUMBER_BITS - 1, "xc7")
    (problem,) = found.value.problems
    assert problem.code == "out-of-proportion" and "Sin_7" in problem.where and f"{bits:,} bits" in problem.why
    check_memories(graph, bits // NUMBER_BITS + 1, "xc7")  # as much as the model itself
    check_memories(tables(64), 1, "xc7")  # a small one is no matter


def test_a_slice_of_too_many_channels() -> None:
    shape, code = (1, 1, 1 << 14), IntType(4)
    tensors = {"x": Tensor(shape, code), "y": Tensor((1, 1, 5000), code)}
    graph = Graph("slice", (Node("s", IntSlice(7, 5007), ("x",), ("y",), ()),), tensors, {}, ("x",), ("y",))
    with pytest.raises(CompileError, match="5000 of 16384 channels"):
        lower(graph)


def test_a_repetition_of_too_many_elements(tmp_path: Path) -> None:
    """Every element of a tensor twice, in front of a linear layer: the matrix that repeats them would be far larger than the model."""
    size = 8192
    values = {"s": np.float32(0.5), "z": np.uint8(0), "n": np.int8(0), "r": np.array([1, 2]), "w": np.ones((2 * size, 1), np.int8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Tile", ["d", "r"], ["t"]),
        helper.make_node("DequantizeLinear", ["w", "s", "n"], ["v"]),
        helper.make_node("MatMul", ["t", "v"], ["y"]),
    ]
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c]) for n, c in (("x", size), ("y", 1)))
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "tile", [given], [made], held), opset_imports=[helper.make_opsetid("", 13)]),
              tmp_path / "m.onnx")  # fmt: skip
    (problem,) = check(tmp_path / "m.onnx")
    assert problem.code == "bad-layout" and "16384 channels would have to be gathered from 8192" in problem.why
