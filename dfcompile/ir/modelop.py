"""The operators of the model stage: all of ONNX that the compiler takes, desugared into a small vocabulary.

Tensors are real numbers in the ONNX layout (batch, channel, *spatial). Execution is in float64 on a batch.
"""

from dfcompile.ir.modelop_base import MAX_ELEMENTS, ModelOp
from dfcompile.ir.modelop_index import (
    Broadcast,
    CollectSteps,
    Concat,
    Gather,
    IndexOp,
    Pad,
    Reshape,
    Slice,
    TakeStep,
    Transpose,
    Unsupported,
)
from dfcompile.ir.modelop_linear import Conv, ConvTranspose, MatMul
from dfcompile.ir.modelop_pointwise import ArgMax, BatchNorm, Binary, MultiThreshold, Softmax, Standardize, TopK, Unary
from dfcompile.ir.modelop_quant import Bipolar, Dequantize, Quantize, quantize_weight
from dfcompile.ir.modelop_window import AveragePool, MaxPool, Reduce
from dfcompile.ir.operators import BINARY, REDUCE, ROUNDINGS, UNARY

__all__ = [
    "BINARY",
    "MAX_ELEMENTS",
    "REDUCE",
    "ROUNDINGS",
    "UNARY",
    "ArgMax",
    "AveragePool",
    "BatchNorm",
    "Binary",
    "Bipolar",
    "Broadcast",
    "CollectSteps",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dequantize",
    "Gather",
    "IndexOp",
    "MatMul",
    "MaxPool",
    "ModelOp",
    "MultiThreshold",
    "Pad",
    "Quantize",
    "Reduce",
    "Reshape",
    "Slice",
    "Softmax",
    "Standardize",
    "TakeStep",
    "TopK",
    "Transpose",
    "Unary",
    "Unsupported",
    "quantize_weight",
]
