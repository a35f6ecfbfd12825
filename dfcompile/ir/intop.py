"""Operators of the integer stage: integer codes on channels-last frames (height, width, channels).

Arrays are (n, h, w, c) of integers held in float32 where every partial sum stays below 2**24, else in float64, exact below
2**53; the range analysis refuses anything wider. Constants (weights, thresholds, tables) are inputs, as in ONNX, of any
integer dtype.
"""

from dfcompile.ir.intop_base import IntOp, Pair, Quad, Range, Window
from dfcompile.ir.intop_matmul import IntMatMul
from dfcompile.ir.intop_row import IntBelowMax, IntNormalize, IntStandardize
from dfcompile.ir.intop_steps import ArgMaxCode, LookupCode, ThresholdCode
from dfcompile.ir.intop_stream import IntAdd, IntConcat, IntMul, IntSlice, IntUpsample, View
from dfcompile.ir.intop_window import IntConv, IntPad, IntPool, IntUnfold

__all__ = [
    "INTEGER_OPS",
    "ArgMaxCode",
    "IntAdd",
    "IntBelowMax",
    "IntConcat",
    "IntConv",
    "IntMatMul",
    "IntMul",
    "IntNormalize",
    "IntOp",
    "IntPad",
    "IntPool",
    "IntSlice",
    "IntStandardize",
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
