"""The quantizer behind which a part of a model begins: repeated on the host, it gives the codes of the tensor again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dfcompile.frontend.model import INTEGERS, OnnxNode, Stored
from dfcompile.frontend.onnx_types import ELEMENTS
from dfcompile.frontend.value import Act, Const, Unknown, Value

WIDEST = 16
"""Bits of codes that are told from the float32 numbers of a tensor without doubt."""
MOVES = ("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "DepthToSpace", "SpaceToDepth")
"""Operators whose results are elements of what they read."""
KEEPS_CHANNELS = ("Identity", "MaxPool", "Relu")
"""Operators whose results are elements of what they read, or 0, and stay in their channels."""

Values = Mapping[str, Value | Unknown]


@dataclass(frozen=True)
class Quantizer:
    """Nodes that quantize tensor `source` to the codes it was made of and give their real numbers as tensor `result`.

    constants: what they read beside the constants of the model
    """

    source: str
    result: str
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, Stored] = field(default_factory=dict)


def find_quantizer(source: str, makers: Mapping[str, OnnxNode], values: Values, result: str) -> Quantizer | None:
    """The quantizer whose real numbers tensor `source` holds, perhaps moved, pooled or rectified; None where there is none.

    It rounds to the nearest code: float32 numbers that stand for codes must come back as those, whatever the model's own rounding.
    """
    moved = rectified = False
    node = makers.get(source)
    while node is not None and (node.op_type in MOVES or node.op_type in KEEPS_CHANNELS):
        moved |= node.op_type not in KEEPS_CHANNELS
        rectified |= node.op_type == "Relu"
        node = makers.get(node.inputs[0])
    if node is None or (moved and any(_size(values, t) > 1 for t in node.inputs[1:3])):
        return None
    if node.op_type in ("Quant", "IntQuant", "BipolarQuant"):
        return None if rectified and not _has_zero(node, values) else _quant(node, source, result, values)
    if node.op_type == "DequantizeLinear":
        return _dequantize(node, source, result, values)
    if node.op_type == "MultiThreshold" and not rectified:
        return _multi_threshold(node, source, result, values)
    return None


def _size(values: Values, name: str) -> int:
    found = values.get(name)
    return found.array.size if isinstance(found, Const) else 1


def _has_zero(node: OnnxNode, values: Values) -> bool:
    zero = values.get(node.inputs[2]) if len(node.inputs) > 2 else None
    return node.op_type != "BipolarQuant" and isinstance(zero, Const) and not zero.array.any()


def _quant(node: OnnxNode, source: str, result: str, values: Values) -> Quantizer | None:
    bits = values.get(node.inputs[3]) if len(node.inputs) > 3 else None
    if isinstance(bits, Const) and not np.all(bits.array <= WIDEST):
        return None
    attributes = {**node.attributes, "rounding_mode": "ROUND"} if node.op_type != "BipolarQuant" else node.attributes
    return Quantizer(source, result, (replace(node, inputs=(source, *node.inputs[1:]), outputs=(result,), attributes=attributes),))


def _dequantize(node: OnnxNode, source: str, result: str, values: Values) -> Quantizer | None:
    codes = values.get(node.inputs[0])
    if not isinstance(codes, Act) or codes.elem not in INTEGERS or int(codes.elem.lstrip("uint")) > WIDEST:
        return None
    names, middle = {v: k for k, v in ELEMENTS.items()}, f"{result}_codes"
    attributes = dict(node.attributes) | ({} if node.inputs[2:] and node.inputs[2] else {"output_dtype": names[codes.elem]})
    first = replace(node, index=-1 - node.index, op_type="QuantizeLinear", attributes=attributes)
    first = replace(first, inputs=(source, *node.inputs[1:]), outputs=(middle,))
    return Quantizer(source, result, (first, replace(node, inputs=(middle, *node.inputs[1:]), outputs=(result,))))


def _multi_threshold(node: OnnxNode, source: str, result: str, values: Values) -> Quantizer | None:
    """``out_scale * count + out_bias`` as a QONNX Quant; None where no code stands for 0."""
    table = values.get(node.inputs[1])
    scale, bias = (float(node.attributes.get(k, d)) for k, d in (("out_scale", 1.0), ("out_bias", 0.0)))
    zero = -bias / scale if scale > 0 else 0.5
    if not isinstance(table, Const) or zero != round(zero) or table.shape[-1].bit_length() > WIDEST:
        return None
    numbers = {f"{result}.scale": scale, f"{result}.zero": zero, f"{result}.bits": float(table.shape[-1].bit_length())}
    attributes = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"}
    made = replace(node, op_type="Quant", inputs=(source, *numbers), outputs=(result,), attributes=attributes)
    return Quantizer(source, result, (made,), {k: Stored(np.asarray(v, np.float64), "float32") for k, v in numbers.items()})
