"""Small ONNX models for the tests of the frontend, and their runs: exact, or in ONNX Runtime where they hold real numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dfcompile.frontend import ImportResult, import_model
from dfcompile.ir import Graph
from tests import exact_oracle, integer_oracle

Array = NDArray[Any]
# ONNX Runtime keeps these, and all between them, in float32 when its optimisations are off.
REAL = {"QuantizeLinear", "DequantizeLinear"}


def tensor(value: Any, name: str) -> TensorProto:
    """An initialiser; Python numbers and lists become float32, arrays keep their dtype."""
    if isinstance(value, TensorProto):
        value.name = name
        return value
    return numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.asarray(value, np.float32), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Sequence[str] = ("y",),
    constants: Mapping[str, Any] | None = None,
    opset: int = 13,
    types: Mapping[str, int] | None = None,
    domains: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """A model; input shapes may hold names (symbolic) or None; types: element types other than FLOAT by tensor name."""
    kinds = types or {}

    def info(name: str, shape: Sequence[Any] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape)

    graph = helper.make_graph(
        list(nodes),
        "small",
        [info(n, s) for n, s in inputs.items()],
        [info(n, None) for n in outputs],
        [tensor(v, k) for k, v in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in (domains or {}).items())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def imported(proto: onnx.ModelProto, folder: Path) -> ImportResult:
    """The model after a way through a file."""
    path = folder / "small.onnx"
    path.write_bytes(proto.SerializeToString())
    return import_model(path)


def graph_of(proto: onnx.ModelProto, folder: Path) -> Graph:
    """The imported graph; the only problem allowed is that nothing is quantized."""
    result = imported(proto, folder)
    assert [str(p) for p in result.problems if p.code != "not-quantized"] == []
    assert result.graph is not None
    result.graph.verify()
    return result.graph


def run_onnx(proto: onnx.ModelProto, feeds: Mapping[str, Array]) -> list[Array]:
    """Outputs of ONNX Runtime without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(y) for y in session.run(None, dict(feeds))]


def run_graph(graph: Graph, feeds: Mapping[str, Array]) -> list[Array]:
    """Outputs of the model graph in float64; an input without a batch axis gets one."""
    real = {k: v.astype(np.float64).reshape(-1, *graph.tensors[k].shape[1:]) for k, v in feeds.items()}
    found = graph.execute(real)
    return [found[t] for t in graph.outputs]


def check_against_onnxruntime(proto: onnx.ModelProto, feeds: Mapping[str, Array], folder: Path, tolerance: float = 2e-5) -> Graph:
    """Hold the imported graph equal to ONNX Runtime within float32 precision. Its kernels of 8-bit integers are no reference."""
    assert not any(n.op_type in integer_oracle.OPERATORS and n.op_type not in REAL for n in proto.graph.node), "use check_exactly"
    graph = graph_of(proto, folder)
    for y, reference in zip(run_graph(graph, feeds), run_onnx(proto, feeds), strict=True):
        assert y.size == reference.size
        np.testing.assert_allclose(y.reshape(reference.shape), reference.astype(np.float64), rtol=tolerance, atol=tolerance)
    return graph


def check_exactly(proto: onnx.ModelProto, feeds: Mapping[str, Array], folder: Path, tolerance: float = 0) -> None:
    """Hold the imported graph equal to exact arithmetic; `tolerance`, relative, where it yields real numbers."""
    found = run_graph(graph_of(proto, folder), feeds)
    for y, reference in zip(found, exact_oracle.run(proto, dict(feeds)).values(), strict=True):
        assert y.size == reference.size
        np.testing.assert_allclose(y.reshape(reference.shape), reference, rtol=tolerance, atol=tolerance)
