"""How tensors lie in memory: words of `simd` signed digits, channels-last, several planes where a code is wider than a digit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array

Ints = NDArray[np.int64]
GAP = -1
BYTE = 8
MOST_BITS = 48
"""Bits of a stored code: the shift of so many times the weights of a channel stays within 64 bits."""
MOST_PLANES = 8
"""Digits of a stored code, by the descriptor's field."""


@dataclass(frozen=True, eq=False)
class Storage:
    """Place of a tensor inside a buffer, in words per image.

    buffer: name of the buffer
    slots:  (words * simd,) channel of each lane of a pixel, GAP where there is none
    height, width: pixels
    start:  word of pixel (0, 0)
    row, col, plane: distance of rows, pixels and planes, in words
    planes: digits of a code
    shift:  code = shift + the sum of digit k, in plane k, times 2**(bits k)
    bits:   of a digit, which is signed
    """

    buffer: str
    slots: Ints
    height: int
    width: int
    start: int
    row: int
    col: int
    plane: int
    planes: int
    shift: int
    bits: int = BYTE

    @property
    def base(self) -> int:
        """What is taken from a code before its bits are cut into digits; each but the highest then gets its top bit inverted."""
        return self.shift - shift_of(self.planes, self.bits)

    def words(self, simd: int) -> int:
        """Words of a pixel."""
        return len(self.slots) // simd

    @property
    def channels(self) -> int:
        return int(self.slots.max()) + 1

    def sliced(self, start: int, stop: int, simd: int) -> Storage:
        """Channels start..stop-1 of the same bytes."""
        inside = np.flatnonzero((self.slots >= start) & (self.slots < stop))
        first, last = int(inside[0]) // simd, int(inside[-1]) // simd + 1
        part = self.slots[first * simd : last * simd]
        slots = np.where((part >= start) & (part < stop), part - start, GAP)
        return replace(self, slots=slots, start=self.start + first)

    def viewed(self, shape: tuple[int, int, int], simd: int) -> Storage | None:
        """The same bytes as a frame of another shape; None where that needs a copy."""
        h, w, c = shape
        own = self.channels
        packed = self.col == self.words(simd) and self.row == self.col * self.width
        if (h, w) == (self.height, self.width):
            return self
        if c % own or not packed:
            return None
        merged = c // own
        offsets = np.arange(merged)[:, None] * own
        slots = np.where(self.slots >= 0, self.slots + offsets, GAP).reshape(-1)
        return replace(self, slots=slots, height=h, width=w, col=merged * self.col, row=merged * self.col * w)


def shift_of(planes: int, bits: int = BYTE) -> int:
    """What storage takes from a code of several planes: half of each digit but the highest."""
    return sum(1 << bits * (k + 1) - 1 for k in range(planes - 1))


def slots_of(channels: int, simd: int) -> Ints:
    """Channels in order, the last word filled up with gaps."""
    words = -(-channels // simd)
    slots = np.full(words * simd, GAP, np.int64)
    slots[:channels] = np.arange(channels)
    return slots


def planes_for(lo: int, hi: int, acc_bits: int, bits: int = BYTE, based: bool = True) -> tuple[int, int]:
    """(planes, shift) that hold codes in [lo, hi], of sums of so many bits, in digits of so many.

    based: whether codes of several digits narrower than a byte may be stored less a multiple of the highest digit's power: unsigned ones
           then take no digit more than signed ones. Codes of several bytes are not
    """
    half = 1 << (bits - 1)
    if lo >= -half and hi < half:
        return 1, 0
    if hi - lo < 2 * half:
        return 1, lo + half
    most = min(MOST_PLANES, MOST_BITS // bits, acc_bits // bits)
    for planes in range(2, most + 1):
        shift, unit = shift_of(planes, bits), 1 << bits * (planes - 1)
        top = half * unit
        if -top <= lo and hi < top:
            return planes, shift
        base = lo // unit * unit + top
        if based and bits < BYTE and hi - base < top:
            return planes, shift + base
    raise ValueError(f"codes in [{lo}, {hi}] need more than {bits * most} bits")


def digits(codes: Array, planes: int, shift: int, bits: int = BYTE) -> NDArray[np.int8]:
    """Codes (...) to stored digits (planes, ...)."""
    values = np.asarray(codes).astype(np.int64) - (shift - shift_of(planes, bits))
    half = 1 << (bits - 1)
    flips = np.array([half] * (planes - 1) + [0], np.int64).reshape((-1,) + (1,) * values.ndim)
    shifts = bits * np.arange(planes, dtype=np.int64).reshape(flips.shape)
    return signed((values[None] >> shifts) ^ flips, bits).astype(np.int8)


def undigits(stored: NDArray[np.int8], shift: int, bits: int = BYTE) -> Ints:
    """Stored digits (planes, ...) to codes (...)."""
    scale = np.int64(1 << bits) ** np.arange(len(stored), dtype=np.int64).reshape((-1,) + (1,) * (stored.ndim - 1))
    return np.asarray((stored.astype(np.int64) * scale).sum(axis=0) + shift)


def signed(values: Array, bits: int) -> Ints:
    """The lowest bits of integers, read as signed."""
    half = 1 << (bits - 1)
    return np.asarray(((values & ((1 << bits) - 1)) ^ half) - half)


def to_memory(stored: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Digits (..., lanes) to bytes of memory (..., lanes * bits / 8), the first digit lowest."""
    if bits == BYTE:
        return np.ascontiguousarray(stored).view(np.uint8)
    each = BYTE // bits
    parts = (stored.view(np.uint8) & ((1 << bits) - 1)).reshape(*stored.shape[:-1], -1, each)
    return np.asarray(np.bitwise_or.reduce(parts << (bits * np.arange(each, dtype=np.uint8)), axis=-1))


def from_memory(data: NDArray[np.uint8], bits: int) -> NDArray[np.int8]:
    """The inverse of `to_memory`."""
    if bits == BYTE:
        return data.view(np.int8)
    parts = data[..., None] >> (bits * np.arange(BYTE // bits, dtype=np.uint8))
    return signed(parts.reshape(*data.shape[:-1], -1).astype(np.int64), bits).astype(np.int8)


def pixels(storage: Storage, simd: int) -> Ints:
    """Word of every pixel and channel word: (planes, height, width, words)."""
    parts = [
        np.arange(storage.planes) * storage.plane,
        np.arange(storage.height) * storage.row,
        np.arange(storage.width) * storage.col,
        np.arange(storage.words(simd)),
    ]
    total = np.zeros((1, 1, 1, 1), np.int64) + storage.start
    for axis, part in enumerate(parts):
        shape = [1, 1, 1, 1]
        shape[axis] = len(part)
        total = total + part.reshape(shape)
    return total
