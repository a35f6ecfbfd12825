"""Models and files that must be refused, each for one reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

QUANT = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"}


def _write(path: Path, nodes: list[Any], shape: list[Any], constants: dict[str, Any] | None = None, out: str = "y") -> Path:
    graph = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in {"s": 0.25, "z": 0.0, "b": 4.0, **(constants or {})}.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    return path


def _quant(source: str, target: str, scale: str = "s", **attributes: Any) -> Any:
    return helper.make_node(
        "Quant", [source, scale, "z", "b"], [target], name=f"quant_{target}", domain="qonnx.custom_op.general", **{**QUANT, **attributes}
    )


def corrupt(path: Path) -> Path:
    """Bytes that are no protobuf."""
    path.write_bytes(bytes(range(256)) * 4)
    return path


def truncated(path: Path) -> Path:
    """The first half of a good model."""
    good = (Path(__file__).parent.parent / "examples" / "digits_mlp_w1a1.onnx").read_bytes()
    path.write_bytes(good[: len(good) // 2])
    return path


def empty(path: Path) -> Path:
    """A file without content."""
    path.write_bytes(b"")
    return path


def not_quantized(path: Path) -> Path:
    """A float network."""
    weights = np.linspace(-1, 1, 12).reshape(4, 3)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"), helper.make_node("Relu", ["h"], ["y"], name="relu")]
    return _write(path, nodes, [1, 4], {"w": weights})


def unsupported_op(path: Path) -> Path:
    """An operator that has no integer form."""
    nodes = [_quant("x", "q"), helper.make_node("LSTM", ["q", "w", "r"], ["y"], name="memory", hidden_size=2)]
    return _write(path, nodes, [3, 1, 4], {"w": np.ones((1, 8, 4)), "r": np.ones((1, 8, 2))})


def dynamic_shape(path: Path) -> Path:
    """A height that is only known at run time."""
    nodes = [_quant("x", "q"), helper.make_node("Conv", ["q", "wq"], ["y"], name="conv"), _quant("w", "wq", signed=1)]
    return _write(path, [nodes[0], nodes[2], nodes[1]], [1, 2, "height", 8], {"w": np.ones((2, 2, 3, 3)) / 4})


def zero_scale(path: Path) -> Path:
    """A quantizer with scale 0."""
    return _write(path, [_quant("x", "y", scale="zero")], [1, 4], {"zero": 0.0})


def nan_weight(path: Path) -> Path:
    """A weight that is no number."""
    weights = np.ones((4, 3))
    weights[1, 2] = np.nan
    nodes = [_quant("x", "q"), _quant("w", "wq", signed=1), helper.make_node("MatMul", ["q", "wq"], ["y"], name="fc")]
    return _write(path, nodes, [1, 4], {"w": weights})


def missing_tensor(path: Path) -> Path:
    """A node that reads what nothing makes."""
    return _write(path, [_quant("x", "q"), helper.make_node("Add", ["q", "ghost"], ["y"], name="sum")], [1, 4])


def cycle(path: Path) -> Path:
    """Two nodes that wait for each other."""
    nodes = [helper.make_node("Add", ["x", "b2"], ["a"], name="one"), helper.make_node("Relu", ["a"], ["b2"], name="two"), _quant("a", "y")]
    return _write(path, nodes, [1, 4])


BAD_MODELS: dict[str, Callable[[Path], Path]] = {
    f.__name__: f
    for f in (corrupt, truncated, empty, not_quantized, unsupported_op, dynamic_shape, zero_scale, nan_weight, missing_tensor, cycle)
}
