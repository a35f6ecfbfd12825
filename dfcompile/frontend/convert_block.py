"""Weights quantized in blocks along the contracted axis, as ONNX Runtime packs them (MatMulNBits)."""

from __future__ import annotations

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_linear import product
from dfcompile.frontend.convert_pointwise import binary
from dfcompile.frontend.model import INTEGERS, Array
from dfcompile.frontend.value import Const, Refusal, Value
from dfcompile.ir.modelop import Dequantize


@converts("MatMulNBits")
def matmul_nbits(call: Call) -> Result:
    """x times the transpose of (N, K) weights of few bits with a scale and zero-point for each block of a row; bias."""
    bits, block = call.integer("bits", 4), call.integer("block_size")
    rows, columns = call.integer("N"), call.integer("K")
    if bits not in (2, 4, 8) or min(block, rows, columns) < 1:
        raise Refusal("bad-attribute", f"'MatMulNBits' of {bits} bits in blocks of {block}, {rows} x {columns} weights")
    blocks = -(-columns // block)
    codes = _unpacked(call.array(1, "weights"), bits, (rows, blocks * block))[:, :columns]
    place = np.array(call.numbers(4, "group indices")) if call.has(4) else np.arange(columns) // block
    if place.shape != (columns,) or place.min() < 0 or place.max() >= blocks:
        raise ValueError(f"the group indices of 'MatMulNBits' do not name {blocks} groups for {columns} columns")
    scale, zero = _parameters(call, bits, rows, blocks)
    packed = call.value(1)
    stored = Const(codes, "int32", packed.name)
    weights = call.apply(Dequantize(), stored, call.const(scale[:, place], "scale"), call.const(zero[:, place], "zero"), elem="float32")
    result = product(call, call.value(0), call.builder.transpose(weights, (1, 0)))
    return binary(call, "add", result, call.value(5)) if call.has(5) else result


def _parameters(call: Call, bits: int, rows: int, blocks: int) -> tuple[Array, Array]:
    """Scales and zero-points (rows, blocks); the zero-points are packed as the weights are, or real numbers."""
    scale = call.array(2, "scales").astype(np.float64)
    if scale.size != rows * blocks:
        raise ValueError(f"'MatMulNBits' has {scale.size} scales for {rows} rows of {blocks} blocks")
    if not np.all(np.isfinite(scale)):
        raise Refusal("bad-quantizer", "a scale of 'MatMulNBits' is not finite", help="quantize the model again")
    if not call.has(3):
        return scale.reshape(rows, blocks), np.full((rows, blocks), 2.0 ** (bits - 1))
    packed: Value = call.value(3)
    zero = call.array(3, "zero-points")
    if packed.elem in INTEGERS:
        per_row = -(-blocks * bits // 8)
        zero = _unpacked(zero, bits, (rows, per_row * 8 // bits))[:, :blocks]
    return scale.reshape(rows, blocks), zero.astype(np.float64).reshape(rows, blocks)


def _unpacked(packed: Array, bits: int, shape: tuple[int, int]) -> Array:
    """Codes of a few bits out of bytes, the lowest bits first."""
    per_byte = 8 // bits
    if packed.dtype != np.uint8 or packed.size * per_byte != shape[0] * shape[1]:
        raise ValueError(f"'MatMulNBits' needs {shape[0] * shape[1] // per_byte} bytes for {shape[0]} x {shape[1]} codes of {bits} bits")
    shifts = np.arange(per_byte) * bits
    codes: Array = (packed.reshape(-1, 1).astype(np.int64) >> shifts) & (2**bits - 1)
    return codes.reshape(shape)
