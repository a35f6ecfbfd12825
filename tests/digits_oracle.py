"""The digits CNN by loops over windows, from the numbers of its file: Conv, BatchNormalization, Relu, MaxPool, Gemm and Quant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx


def tensors(path: Path, x: np.ndarray, quantized: bool) -> dict[str, np.ndarray]:
    """Every tensor in float64, by name; activations quantized or handed on as they are, weights as their quantizers give them."""
    model = onnx.load(path)
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    stored |= {n.output[0]: onnx.numpy_helper.to_array(n.attribute[0].t) for n in model.graph.node if n.op_type == "Constant"}
    value = {model.graph.input[0].name: x.astype(np.float64)}
    for n in model.graph.node:
        if n.op_type == "Constant":
            continue
        given = [value.get(t, stored.get(t)) for t in n.input]
        if n.op_type == "Quant" and n.input[0] in stored:
            stored[n.output[0]] = np.clip(np.rint(given[0] / given[1]), -1, 1).astype(np.float64) * given[1]
        else:
            value[n.output[0]] = _made(n, given, quantized)
    return value


def _made(n: onnx.NodeProto, given: list[np.ndarray], quantized: bool) -> np.ndarray:
    x = given[0]
    if n.op_type == "Conv":
        wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        rows, cols = x.shape[2:]
        parts = [
            np.einsum("oc,nchw->nohw", given[1][:, :, i, j], wide[:, :, i : i + rows, j : j + cols]) for i in range(3) for j in range(3)
        ]
        return np.sum(parts, 0)
    if n.op_type == "BatchNormalization":
        gamma, beta, mean, var = (p.astype(np.float64).reshape(1, -1, 1, 1) for p in given[1:])
        return (x - mean) / np.sqrt(var + n.attribute[0].f) * gamma + beta
    if n.op_type == "MaxPool":
        f, c, h, w = x.shape
        return x.reshape(f, c, h // 2, 2, w // 2, 2).max((3, 5))
    if n.op_type == "Gemm":
        return x @ given[1].T + given[2]
    if n.op_type == "Quant":  # unsigned, zero-point 0
        scale, bits = float(given[1]), int(given[3])
        return np.clip(np.rint(x / scale), 0, 2**bits - 1) * scale if quantized else x
    return np.maximum(x, 0) if n.op_type == "Relu" else x.reshape(len(x), -1)


def scores(path: Path, x: np.ndarray) -> np.ndarray:
    """Of the float model."""
    return list(tensors(path, x, quantized=False).values())[-1]
