"""Operators of the integer stage: integer codes on channels-last frames (height, width, channels).

Arrays are (n, h, w, c) of integers held in float32 where every partial sum stays below 2**24, in float64 where it stays below
2**53, else in int64; the range analysis refuses what int64 does not hold. Constants (weights, thresholds, tables) are inputs, as in
ONNX, of any integer dtype.
"""

from dfcompile.ir.intop_base import IntOp, Pair, Quad, Range, Window
from dfcompile.ir.intop_matmul import IntMatMul
from dfcompile.ir.intop_row import IntBelowMax, IntNormalize, IntStandardize
from dfcompile.ir.intop_steps import ArgMaxCode, LookupCode, ThresholdCode
from dfcompile.ir.intop_stream import IntAdd, IntCollectSteps, IntConcat, IntDelay, IntMul, IntSlice, IntTakeStep, IntUpsample, View
from dfcompile.ir.intop_window import IntConv, IntPad, IntPool, IntUnfold

__all__ = [
    "INTEGER_OPS",
    "STEP_OPS",
    "ArgMaxCode",
    "IntAdd",
    "IntBelowMax",
    "IntCollectSteps",
    "IntConcat",
    "IntConv",
    "IntDelay",
    "IntMatMul",
    "IntMul",
    "IntNormalize",
    "IntOp",
    "IntPad",
    "IntPool",
    "IntSlice",
    "IntStandardize",
    "IntTakeStep",
    "IntUnfold",
    "IntUpsample",
    "LookupCode",
    "Pair",
    "Quad",
    "Range",
    "ThresholdCode",
    "View",
    "Window",
]

INTEGER_OPS: tuple[type[IntOp], ...] = (
    IntConv,
    IntPool,
    IntPad,
    IntAdd,
    IntMul,
    IntMatMul,
    IntConcat,
    IntSlice,
    IntUnfold,
    IntUpsample,
    View,
    IntBelowMax,
    IntNormalize,
    IntStandardize,
    ArgMaxCode,
    ThresholdCode,
    LookupCode,
)

STEP_OPS: tuple[type[IntOp], ...] = (IntTakeStep, IntCollectSteps)
"""The ends of the body of a loop, until its steps lie along the pixels."""
