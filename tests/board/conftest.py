"""A small model that the tests of boards build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def write_tiny(path: Path) -> Path:
    """A 2-bit matrix product of 8 by 4 with a quantizer before and behind it."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.integers(-2, 2, (8, 4)).astype(np.float32), "one": np.float32(1), "zero": np.float32(0), "two": np.float32(2)}
    quant = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["x", "one", "zero", "two"], ["xq"], **quant),
        helper.make_node("Quant", ["w", "one", "zero", "two"], ["wq"], **quant),
        helper.make_node("MatMul", ["xq", "wq"], ["y"]),
        helper.make_node("Quant", ["y", "one", "zero", "two"], ["z"], **quant),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 8]), ("z", [1, 4]))]
    initializers = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "tiny", values[:1], values[1:], initializers)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny.onnx")
