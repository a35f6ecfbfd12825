"""Every ONNX operator that the frontend takes, alone, against ONNX Runtime."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.frontend.make import check_against_onnxruntime, model

SHAPE = (1, 6, 5, 7)


def ints(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(values, np.int64)


def random(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


@dataclass
class Case:
    """One node. constants are inputs by position: a number counts from the first after the model's inputs; None is left out."""

    op: str
    shape: tuple[int, ...] = SHAPE
    constants: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 13
    outputs: int = 1
    positive: bool = False
    first: bool = False  # the constants come before the input
    note: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.opset}{'-' + self.note if self.note else ''}"


UNARY = (
    "Relu Sigmoid Tanh Softplus Softsign Erf HardSwish Exp Abs Neg Sign Floor Ceil Round Sin Cos Atan Sinh Cosh Asinh "
    "LeakyRelu Elu Selu Celu HardSigmoid ThresholdedRelu Shrink Identity Dropout"
)
ELEMENTWISE = [
    *(Case(op, opset=14 if op == "HardSwish" else 13) for op in UNARY.split()),
    *(Case(op, positive=True) for op in ("Log", "Sqrt", "Reciprocal")),
    Case("Mish", opset=18),
    Case("Gelu", opset=20),
    Case("Gelu", attributes={"approximate": "tanh"}, opset=20, note="tanh"),
    Case("LeakyRelu", attributes={"alpha": 0.3}, note="alpha"),
    Case("Elu", attributes={"alpha": 2.5}, note="alpha"),
    Case("Celu", attributes={"alpha": 0.7}, note="alpha"),
    Case("Shrink", attributes={"bias": 0.25, "lambd": 0.75}, note="given"),
    Case("Selu", attributes={"alpha": 1.2, "gamma": 0.8}, note="given"),
    Case("HardSigmoid", attributes={"alpha": 0.3, "beta": 0.4}, note="given"),
    Case("Clip", attributes={"min": -0.5, "max": 0.25}, opset=9, note="attributes"),
    Case("Clip", constants=(-0.5, 0.25), note="inputs"),
    Case("Clip", constants=(None, 0.25), note="upper"),
    Case("Clip", constants=(-0.5,), note="lower"),
    Case("Clip", note="none"),
    Case("PRelu", constants=(random(6, 1, 1),)),
    Case("PRelu", constants=(random(1),), note="shared"),
    *(Case(op, constants=(0.75,), positive=True, note="right") for op in ("Add", "Sub", "Mul", "Div", "Pow")),
    *(Case(op, constants=(0.75,), positive=True, first=True, note="left") for op in ("Add", "Sub", "Mul", "Div", "Pow")),
    *(Case(op, constants=(random(6, 1, 1),), note="channel") for op in ("Add", "Sub", "Mul", "Max", "Min")),
    Case("Add", constants=(random(1, 6, 1, 1),), note="rank"),
    Case("Add", constants=(random(7),), note="last"),
    Case("Add", constants=(random(1, 1, 6, 5, 7),), note="longer"),
    Case("Add", constants=(random(3, 6, 5, 7),), note="stretched"),
    Case("Add", shape=(1, 1, 5, 1), constants=(random(6, 1, 7),), note="both"),
    Case("Sum", constants=(random(6, 1, 1), 1.0)),
    Case("Mean", constants=(random(6, 1, 1), 1.0)),
    Case("Max", constants=(0.0, random(7))),
    Case("Min", note="one"),
    Case("Cast", attributes={"to": TensorProto.DOUBLE}),
    Case("Cast", attributes={"to": TensorProto.INT32}, note="integer"),
]
NORMAL = [
    Case(
        "BatchNormalization",
        shape,
        (*tuple(random(6) + k for k in (0, 0, 0)), np.abs(random(6)) + 0.1),
        {"epsilon": 1e-3},
        note=str(len(shape)),
    )
    for shape in ((1, 6), (1, 6, 5), SHAPE)
] + [
    Case("BatchNormalization", SHAPE, (random(6), random(6), random(6), np.abs(random(6)) + 0.1), opset=9),
    *(Case("Softmax", SHAPE, attributes={"axis": a}, opset=o, note=str(a)) for o in (11, 13) for a in (1, 2, 3, -1)),
    Case("Softmax", opset=11, note="default"),
    Case("Softmax", note="default"),
    Case("LogSoftmax", attributes={"axis": 1}),
    Case("Softmax", attributes={"axis": 0}, opset=11, note="all"),
    Case("Softmax", attributes={"axis": 0}, note="batch"),
    Case("LayerNormalization", (1, 5, 8), (random(8), random(8)), opset=17),
    Case("LayerNormalization", (1, 5, 8), (random(8),), {"axis": 2}, 17, note="scale"),
    Case("InstanceNormalization", SHAPE, (random(6), random(6))),
    Case("GroupNormalization", SHAPE, (random(6), random(6)), {"num_groups": 3}, 21),
    Case("GroupNormalization", SHAPE, (random(3), random(3)), {"num_groups": 3, "epsilon": 0.1}, 18, note="groups"),
    Case("LpNormalization", SHAPE, attributes={"axis": 1}),
    Case("LpNormalization", SHAPE, attributes={"axis": 2, "p": 1}, note="sum"),
]
LINEAR = [
    Case("Conv", SHAPE, (random(4, 6, 3, 3),), note="defaults"),
    Case("Conv", SHAPE, (random(4, 6, 3, 3), random(4)), note="bias"),
    Case("Conv", SHAPE, (random(6, 2, 3, 2),), {"group": 3, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}, note="grouped"),
    Case("Conv", SHAPE, (random(12, 1, 3, 3), random(12)), {"group": 6, "kernel_shape": [3, 3]}, note="depthwise"),
    Case("Conv", (1, 3, 11), (random(4, 3, 5),), {"strides": [3], "pads": [2, 1]}, note="1d"),
    *(
        Case("Conv", SHAPE, (random(4, 6, 3, 2),), {"auto_pad": a, "strides": [2, 3]}, note=a)
        for a in ("SAME_UPPER", "SAME_LOWER", "VALID")
    ),
    Case("Conv", SHAPE, (random(4, 6, 2, 3),), {"auto_pad": "SAME_UPPER"}, note="same1"),
    Case("ConvTranspose", SHAPE, (random(6, 4, 3, 3),), note="defaults"),
    Case("ConvTranspose", SHAPE, (random(6, 4, 2, 2), random(4)), {"strides": [2, 2]}, note="2x2"),
    Case(
        "ConvTranspose",
        SHAPE,
        (random(6, 2, 3, 3),),
        {"group": 2, "strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 2]},
        note="grouped",
    ),
    Case("ConvTranspose", SHAPE, (random(6, 4, 3, 3),), {"strides": [2, 2], "output_shape": [10, 13]}, note="shape"),
    Case("ConvTranspose", SHAPE, (random(6, 4, 3, 3),), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, note="same-upper"),
    Case("ConvTranspose", SHAPE, (random(6, 4, 3, 3),), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, note="same-lower"),
    Case("ConvTranspose", (1, 3, 7), (random(3, 4, 3),), {"dilations": [2]}, note="1d"),
    Case("MatMul", (1, 8), (random(8, 3),)),
    Case("MatMul", (1, 5, 8), (random(8, 3),), note="rank 3"),
    Case("MatMul", (1, 5, 8), (random(4, 5),), first=True, note="left"),
    Case("MatMul", (1, 1), (random(4, 1),), first=True, note="left 2"),
    Case("MatMul", (1, 5, 8), (random(1, 8, 3),), note="same rank"),
    Case("MatMul", (1, 8), (random(1, 8, 3),), note="longer"),
    Case("MatMul", (1, 8), (random(4, 8, 3),), note="stretched"),
    Case("MatMul", (1, 8), (random(8),), note="vector"),
    Case("Gemm", (1, 8), (random(8, 3), random(3))),
    Case("Gemm", (1, 8), (random(3, 8), random(1, 3)), {"transB": 1, "alpha": 0.5, "beta": 2.0}, note="all"),
    Case("Gemm", (1, 8), (random(8, 3), 0.5), note="scalar"),
    Case("Gemm", (1, 1), (random(1, 3),), {"transA": 1}, note="transA"),
    Case("Gemm", (1, 8), (random(8, 3),), note="no bias"),
]
POOL = [
    *(Case(op, SHAPE, (), {"kernel_shape": [2, 3]}, note="defaults") for op in ("MaxPool", "AveragePool")),
    *(
        Case(op, SHAPE, (), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]}, note="pads")
        for op in ("MaxPool", "AveragePool")
    ),
    *(Case(op, SHAPE, (), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, note="ceil") for op in ("MaxPool", "AveragePool")),
    *(
        Case(op, SHAPE, (), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, note="same")
        for op in ("MaxPool", "AveragePool")
    ),
    Case("AveragePool", SHAPE, (), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, note="include"),
    Case(
        "AveragePool",
        SHAPE,
        (),
        {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1, "ceil_mode": 1},
        19,
        note="include ceil",
    ),
    Case("MaxPool", SHAPE, (), {"kernel_shape": [2, 2], "dilations": [2, 3]}, note="dilated"),
    Case("MaxPool", (1, 4, 9), (), {"kernel_shape": [3], "strides": [2]}, note="1d"),
    Case("AveragePool", SHAPE, (), {"kernel_shape": [2, 2], "dilations": [2, 2]}, 19, note="dilated"),
    Case("GlobalAveragePool"),
    Case("GlobalMaxPool"),
    Case("GlobalAveragePool", (1, 4, 9), note="1d"),
    *(
        Case(op, SHAPE, (), {"axes": [2, 3], "keepdims": 0}, 11, note="attribute")
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")
    ),
    Case("ReduceMean", SHAPE, (ints(-1, 2),), opset=18),
    Case("ReduceSum", SHAPE, (ints(1),), {"keepdims": 0}),
    Case("ReduceMean", SHAPE, note="all"),
    Case("ReduceMean", SHAPE, attributes={"keepdims": 0}, note="scalar"),
    Case("ReduceMean", SHAPE, (), {"noop_with_empty_axes": 1}, 18, note="noop"),
    Case("ArgMax", SHAPE, attributes={"axis": 1}),
    Case("ArgMax", (1, 9), attributes={"axis": -1, "keepdims": 0}, note="drop"),
    Case("ArgMin", SHAPE, attributes={"axis": 3}),
    Case("TopK", (1, 9), (ints(3),), outputs=2),
    Case("TopK", SHAPE, (ints(2),), {"axis": 1, "largest": 0}, outputs=2, note="smallest"),
]
MOVE = [
    Case("Reshape", SHAPE, (ints(1, -1),)),
    Case("Reshape", SHAPE, (ints(0, 0, 35),), note="copy"),
    Case("Reshape", SHAPE, (ints(-1),), note="vector"),
    Case("Reshape", SHAPE, (ints(5, 6, 7),), note="no batch"),
    Case("Flatten"),
    Case("Flatten", attributes={"axis": 0}, note="0"),
    Case("Flatten", attributes={"axis": 3}, note="3"),
    Case("Flatten", attributes={"axis": -1}, note="-1"),
    Case("Squeeze", (1, 4, 1, 3), opset=11),
    Case("Squeeze", (1, 4, 1, 3), attributes={"axes": [2]}, opset=11, note="axes"),
    Case("Squeeze", (1, 4, 1, 3), (ints(-2),), note="input"),
    Case("Squeeze", (1, 4, 1, 3), (ints(0),), note="batch"),
    Case("Unsqueeze", (1, 4), attributes={"axes": [2, 3]}, opset=9),
    Case("Unsqueeze", (1, 4), (ints(-1, 1),)),
    Case("Unsqueeze", (1, 4), (ints(0),), note="front"),
    Case("Transpose"),
    Case("Transpose", attributes={"perm": [0, 2, 3, 1]}, note="nhwc"),
    Case("Transpose", attributes={"perm": [2, 0, 1, 3]}, note="batch moved"),
    Case("Slice", attributes={"starts": [1, -3], "ends": [5, 9999], "axes": [1, 3]}, opset=9),
    Case("Slice", SHAPE, (ints(1, -3), ints(5, 9999), ints(1, -1), ints(2, 1))),
    Case("Slice", SHAPE, (ints(-1), ints(-(2**63)), ints(3), ints(-1)), note="reversed"),
    Case("Slice", SHAPE, (ints(4), ints(0), ints(3), ints(-2)), note="back"),
    Case("Slice", SHAPE, (ints(0), ints(1), ints(0)), note="batch"),
    Case("Slice", SHAPE, (ints(0, 1), ints(1, 3)), note="no axes"),
    Case("Split", SHAPE, (), {"axis": 1}, outputs=3),
    Case("Split", SHAPE, (ints(1, 2, 3),), {"axis": 1}, outputs=3, note="input"),
    Case("Split", SHAPE, (), {"axis": -1, "split": [3, 4]}, 11, outputs=2, note="attribute"),
    Case("Split", SHAPE, (), {"axis": 3, "num_outputs": 2}, 18, outputs=2, note="uneven"),
    Case("Gather", SHAPE, (ints(2, -1, 0),), {"axis": 1}),
    Case("Gather", SHAPE, (ints(3).reshape(()),), {"axis": 2}, note="scalar"),
    Case("Gather", SHAPE, (ints(0, 1, 2, 3).reshape(2, 2),), {"axis": 1}, note="rank 2"),
    Case("Gather", SHAPE, (ints(0).reshape(()),), note="batch"),
    Case("Expand", (1, 4, 1), (ints(1, 4, 5),)),
    Case("Expand", (1, 4, 1), (ints(3, 1, 1, 5),), note="front"),
    Case("Expand", (1, 4, 1), (ints(2, 4, 5),), note="stretched"),
    Case("Tile", (1, 4, 3), (ints(1, 2, 3),)),
    Case("Tile", (1, 4), (ints(2, 1),), note="batch"),
    Case("Concat", SHAPE, (random(1, 2, 5, 7),), {"axis": 1}),
    Case("Concat", SHAPE, (random(1, 2, 5, 7),), {"axis": -3}, first=True, note="first"),
    Case("Concat", SHAPE, (random(2, 6, 5, 7),), {"axis": 0}, note="batch"),
    Case("Pad", SHAPE, attributes={"pads": [0, 0, 1, 2, 0, 1, 0, 3], "value": 0.5}, opset=9),
    Case("Pad", SHAPE, (ints(0, 0, 1, 2, 0, 1, 0, 3), 0.5)),
    Case("Pad", SHAPE, (ints(0, 0, -1, 2, 0, -2, 0, -3),), note="negative"),
    Case("Pad", SHAPE, (ints(1, 2, 0, 3), None, ints(2, 3)), opset=18, note="axes"),
    Case("Pad", SHAPE, (ints(1, 0, 0, 0, 0, 0, 0, 0),), note="batch"),
    *(Case("Pad", SHAPE, (ints(0, 0, 1, 2, 0, 1, 0, 3),), {"mode": m}, note=m) for m in ("reflect", "edge")),
    Case("Pad", SHAPE, (ints(0, 0, 1, 2, 0, 1, 0, 3),), {"mode": "wrap"}, 19, note="wrap"),
    *(Case("DepthToSpace", (1, 12, 2, 3), attributes={"blocksize": 2, "mode": m}, note=m) for m in ("DCR", "CRD")),
    Case("SpaceToDepth", (1, 3, 4, 6), attributes={"blocksize": 2}),
    Case("Upsample", SHAPE, (np.asarray([1, 1, 2, 3], np.float32),), {"mode": "nearest"}, 9),
    *(
        Case(
            "Resize",
            SHAPE,
            (None, np.asarray([1, 1, *f], np.float32)),
            {"mode": "linear", "coordinate_transformation_mode": t},
            13,
            note=f"linear {t} {f}",
        )
        for t in ("half_pixel", "asymmetric", "pytorch_half_pixel")
        for f in ((2, 2), (3, 4), (1, 5), (0.5, 2), (1, 0.25), (0.5, 0.5))
    ),
    Case("Resize", SHAPE, (None, None, ints(1, 6, 1, 14)), {"mode": "linear"}, 13, note="linear sizes"),
    Case("Resize", (1, 4, 6), (None, np.asarray([1, 1, 0.5], np.float32)), {"mode": "linear"}, 13, note="linear rows"),
    Case("Upsample", SHAPE, (np.asarray([1, 1, 2, 3], np.float32),), {"mode": "linear"}, 9, note="linear"),
    Case("Resize", SHAPE, (np.asarray([1, 1, 2, 3], np.float32),), {}, 10),
]
RESIZE = (
    [
        Case(
            "Resize",
            (1, 2, 8, 6),
            (None, None, sizes),
            {"coordinate_transformation_mode": t, "nearest_mode": n},
            13,
            note=f"{t} {n} {sizes[2]}",
        )
        for t in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
        for n in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        for sizes in (ints(1, 2, 16, 24), ints(1, 2, 4, 3))  # powers of two: others meet ties, where float32 errs
    ]
    + [
        Case("Resize", SHAPE, (None, np.asarray([1, 1, s, 1.5], np.float32)), {"coordinate_transformation_mode": t}, 19, note=f"{t} {s}")
        for t in ("half_pixel", "half_pixel_symmetric", "asymmetric")
        for s in (2.0, 0.5, 2.5)
    ]
    + [
        Case("Resize", SHAPE, (None, np.asarray([2, 3], np.float32)), {"axes": [2, 3]}, 18, note="axes"),
        Case("Resize", SHAPE, (None, None, ints(9, 9)), {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}, 18, note="not larger"),
        Case(
            "Resize", SHAPE, (None, None, ints(9, 9)), {"axes": [2, 3], "keep_aspect_ratio_policy": "not_smaller"}, 18, note="not smaller"
        ),
    ]
)


@pytest.mark.parametrize("case", [*ELEMENTWISE, *NORMAL, *LINEAR, *POOL, *MOVE, *RESIZE], ids=str)
def test_operator(case: Case, tmp_path: Path) -> None:
    names = [f"c{i}" if c is not None else "" for i, c in enumerate(case.constants)]
    inputs = [*names, "x"] if case.first else ["x", *names]
    outputs = ["y"] if case.outputs == 1 else [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, inputs, outputs, **case.attributes)
    types = {outputs[-1]: TensorProto.INT64} if case.op in ("TopK", "ArgMax", "ArgMin") else {}
    if case.op == "Cast":
        types = {"y": case.attributes["to"]}
    constants = {n: c for n, c in zip(names, case.constants, strict=True) if n}
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    x = (2 * rng.normal(size=case.shape)).astype(np.float32)
    x = np.abs(x) + np.float32(0.25) if case.positive else x
    check_against_onnxruntime(model([node], {"x": case.shape}, outputs, constants, case.opset, types), {"x": x}, tmp_path)
