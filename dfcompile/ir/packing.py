"""Integers to the bits of words and back, vectorised. Needs numpy only and Python 3.8: a copy of this file lies beside every driver."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray  # of any element type: NDArray is younger than the numpy of the oldest boards
PIECE = 2**20
"""Bits that are spread out at once, which bounds the memory."""


def pack(values: Any, bits: int, bipolar: bool = False) -> Any:
    """Rows of integers to words: (words, elements) -> (words, ceil(elements * bits / 8)) bytes; element 0 lowest, two's complement.

    bipolar: -1 and +1 (or 0 and 1) as the bits 0 and 1. Bits above `bits` are dropped; float arrays must hold integers.
    """
    words, elements = values.shape
    packed = np.empty((words, -(-elements * bits // 8)), np.uint8)
    rows = max(1, PIECE // max(1, elements * bits))
    pack_piece = _pack_parts if 8 % bits == 0 else _pack_bits
    for first in range(0, words, rows):
        piece = values[first : first + rows]
        if piece.dtype.kind not in "iu":
            piece = piece.astype(np.int64)
        packed[first : first + rows] = pack_piece(piece > 0 if bipolar else piece, bits)
    return packed


def _pack_parts(values: Any, bits: int) -> Any:
    """Values of 1, 2, 4 or 8 bits, of which a byte holds a whole number."""
    patterns = values.astype(np.uint8)
    if bits == 8:
        return patterns
    if bits == 1:
        return np.packbits(patterns & np.uint8(1), axis=1, bitorder="little")
    per = 8 // bits
    patterns &= np.uint8((1 << bits) - 1)
    packed = np.zeros((len(values), -(-values.shape[1] // per)), np.uint8)
    for i in range(per):
        part = patterns[:, i::per]
        packed[:, : part.shape[1]] |= part << np.uint8(i * bits)
    return packed


def _container(bits: int) -> Any:
    """The unsigned integer, least byte first, that holds so many bits (up to 64)."""
    return np.dtype(f"<u{next(n for n in (1, 2, 4, 8) if 8 * n >= bits)}")


def _pack_bits(values: Any, bits: int) -> Any:
    patterns = np.ascontiguousarray(values.astype(_container(bits)))
    if bits == 8 * patterns.itemsize:
        return patterns.view(np.uint8)
    spread = np.unpackbits(patterns.view(np.uint8), axis=1, bitorder="little").reshape(*values.shape, -1)
    return np.packbits(spread[:, :, :bits].reshape(len(values), -1), axis=1, bitorder="little")


def unpack(words: Any, bits: int, elements: int, signed: bool = False, bipolar: bool = False) -> Any:
    """The inverse of `pack`: (words, bytes) -> (words, elements) in the narrowest integers that hold them; further bytes are ignored."""
    container = _container(bits)
    out = np.empty((len(words), elements), np.dtype(f"i{container.itemsize}") if signed or bipolar else container.newbyteorder("="))
    rows = max(1, PIECE // max(1, elements * bits))
    for first in range(0, len(words), rows):
        patterns = _patterns(words[first : first + rows], bits, elements, container)
        if bipolar:
            out[first : first + rows] = (patterns << container.type(1)).view(out.dtype) - out.dtype.type(1)
        elif signed:  # the sign's bit to the top, and down again with copies of it
            unused = 8 * container.itemsize - bits
            out[first : first + rows] = (patterns << container.type(unused)).view(out.dtype) >> out.dtype.type(unused)
        else:
            out[first : first + rows] = patterns
    return out


def _patterns(words: Any, bits: int, elements: int, container: Any) -> Any:
    """Bit patterns, each in a container of its own."""
    size = container.itemsize
    used = np.ascontiguousarray(words[:, : -(-elements * bits // 8)])
    if bits == 8 * size:
        return used.view(container)
    spread = np.unpackbits(used, axis=1, bitorder="little")[:, : elements * bits].reshape(-1, elements, bits)
    if bits == 1:
        return spread[:, :, 0]
    wide = np.zeros((len(words), elements, 8 * size), np.uint8)
    wide[:, :, :bits] = spread
    return np.packbits(wide.reshape(len(words), -1), axis=1, bitorder="little").view(container)
