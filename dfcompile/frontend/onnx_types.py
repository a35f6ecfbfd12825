"""ONNX's numbers for element types (onnx.proto, TensorProto.DataType), for attributes such as `to` of Cast."""

ELEMENTS: dict[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
    21: "uint4",
    22: "int4",
    25: "uint2",
    26: "int2",
}
"""Element type number to the name used in this package; types that no converter takes are missing."""
