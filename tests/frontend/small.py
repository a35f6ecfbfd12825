"""A few small quantized models that together use most of the frontend: seeds for the fuzz test."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.frontend.make import model

QONNX = "qonnx.custom_op.general"


def quant(source: str, target: str, scale: str = "s", zero: str = "z", bits: str = "b", **attributes: Any) -> onnx.NodeProto:
    """A QONNX Quant; without `rounding_mode` it is ROUND."""
    return helper.make_node(
        "Quant", [source, scale, zero, bits], [target], name=f"quant_{target}", domain=QONNX, **{"signed": 1, "narrow": 0, **attributes}
    )


def constants(**more: Any) -> dict[str, Any]:
    """Scale 0.25, zero-point 0, 4 bits, and others."""
    return {"s": 0.25, "z": 0.0, "b": 4.0, **more}


def random(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def conv_net() -> onnx.ModelProto:
    """Convolution, batch normalization, pooling, flattening by Shape-Gather-Concat, a linear layer."""
    nodes = [
        quant("x", "q"),
        quant("w", "wq", "ws"),
        helper.make_node("Conv", ["q", "wq"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("BatchNormalization", ["c", "g", "h", "m", "v"], ["n"], epsilon=1e-4),
        helper.make_node("Relu", ["n"], ["r"]),
        quant("r", "rq", signed=0),
        helper.make_node("MaxPool", ["rq"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["p"], ["sh"]),
        helper.make_node("Gather", ["sh", "zero"], ["n0"], axis=0),
        helper.make_node("Unsqueeze", ["n0", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["p", "target"], ["f"]),
        quant("w2", "w2q", "ws2"),
        helper.make_node("Gemm", ["f", "w2q", "bias"], ["y"], transB=1),
    ]
    held = constants(
        w=random(4, 3, 3, 3),
        ws=np.full((4, 1, 1, 1), 0.125, np.float32),
        g=random(4),
        h=random(4),
        m=random(4),
        v=np.abs(random(4)) + 1,
        zero=np.int64(0),
        axes=np.asarray([0]),
        minus=np.asarray([-1]),
        w2=random(5, 16),
        ws2=np.full((5, 1), 0.25, np.float32),
        bias=random(5),
    )
    held["zero"] = np.asarray(0)
    return model(nodes, {"x": ["batch", 3, 8, 8]}, ["y"], held)


def qcdq_net() -> onnx.ModelProto:
    """QuantizeLinear, Clip, DequantizeLinear; stored integer weights; residual and concatenation; an average pool."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z8"], ["xq"]),
        helper.make_node("Clip", ["xq", "lo", "hi"], ["xc"]),
        helper.make_node("DequantizeLinear", ["xc", "s", "z8"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        helper.make_node("Conv", ["xd", "wd"], ["c"], group=2),
        helper.make_node("Add", ["c", "xd"], ["a"]),
        helper.make_node("Concat", ["a", "xd"], ["j"], axis=1),
        helper.make_node("Pad", ["j", "pads"], ["pd"]),
        helper.make_node("AveragePool", ["pd"], ["v"], kernel_shape=[2], strides=[2], ceil_mode=1),
        helper.make_node("Slice", ["v", "one", "three", "one"], ["sl"]),
        helper.make_node("Transpose", ["sl"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Flatten", ["t"], ["f"]),
        helper.make_node("TopK", ["f", "one"], ["vals", "y"]),
    ]
    held = {
        "s": 0.5,
        "z8": np.int8(3),
        "lo": np.int8(-8),
        "hi": np.int8(7),
        "w": np.asarray(np.arange(8).reshape(4, 2, 1) - 4, np.int8),
        "ws": np.asarray([0.5, 0.25, 1, 2], np.float32),
        "wz": np.zeros(4, np.int8),
        "pads": np.asarray([0, 0, 1, 0, 0, 2]),
        "one": np.asarray([1]),
        "three": np.asarray([3]),
    }
    return model(
        nodes,
        {"x": [1, 4, 6]},
        ["y"],
        {k: np.asarray(v) if isinstance(v, np.generic) else v for k, v in held.items()},
        types={"y": TensorProto.INT64},
    )


def bipolar_net() -> onnx.ModelProto:
    """Binary weights and activations, Trunc, Resize, ConvTranspose, MultiThreshold, Split, elementwise leftovers."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["m"]),
        helper.make_node("Sub", ["m", "one"], ["d"]),
        helper.make_node("BipolarQuant", ["d", "s"], ["q"], domain=""),
        quant("w", "wq", "s", "z", "b1", narrow=1),
        helper.make_node("ConvTranspose", ["q", "wq"], ["c"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["g"]),
        helper.make_node("Trunc", ["g", "s", "z", "b", "b2"], ["t"], domain="onnx.brevitas", rounding_mode="FLOOR"),
        helper.make_node(
            "Resize", ["t", "", "scales"], ["u"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        helper.make_node("MultiThreshold", ["u", "th"], ["mt"], domain="finn.custom_op.general", out_bias=-1.0, out_scale=0.5),
        helper.make_node("Split", ["mt"], ["a", "e"], axis=1),
        helper.make_node("Sigmoid", ["a"], ["a1"]),
        helper.make_node("Mul", ["a", "a1"], ["a2"]),
        helper.make_node("Add", ["a2", "e"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["r"], axes=[2, 3], keepdims=0),
        helper.make_node("Softmax", ["r"], ["y"], axis=1),
    ]
    held = constants(
        two=2.0,
        one=1.0,
        b1=1.0,
        b2=2.0,
        w=random(2, 4, 2, 2),
        scales=np.asarray([1, 1, 2, 2], np.float32),
        th=np.sort(random(4, 3), axis=1),
    )
    return model(nodes, {"x": [1, 2, 3, 3]}, ["y"], held)


SMALL = {"conv_net": conv_net, "qcdq_net": qcdq_net, "bipolar_net": bipolar_net}
