"""How tensors lie in memory: words of `simd` signed bytes, channels-last, several planes where a code is wider than a byte."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array

Ints = NDArray[np.int64]
GAP = -1
MOST_PLANES = 6
"""Bytes of a stored code: the shift of so many times the weights of a channel stays within 64 bits."""


@dataclass(frozen=True, eq=False)
class Storage:
    """Place of a tensor inside a buffer, in words per image.

    buffer: name of the buffer
    slots:  (words * simd,) channel of each lane of a pixel, GAP where there is none
    height, width: pixels
    start:  word of pixel (0, 0)
    row, col, plane: distance of rows, pixels and planes, in words
    planes: bytes of a code
    shift:  the stored number is code - shift; plane k holds digit k of base 256, each digit in -128..127
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


def shift_of(planes: int) -> int:
    """What storage takes from a code of several planes: half of each byte but the highest."""
    return sum(128 << 8 * k for k in range(planes - 1))


def slots_of(channels: int, simd: int) -> Ints:
    """Channels in order, the last word filled up with gaps."""
    words = -(-channels // simd)
    slots = np.full(words * simd, GAP, np.int64)
    slots[:channels] = np.arange(channels)
    return slots


def planes_for(lo: int, hi: int, acc_bits: int) -> tuple[int, int]:
    """(planes, shift) that hold codes in [lo, hi], of sums of so many bits."""
    if lo >= -128 and hi <= 127:
        return 1, 0
    if hi - lo <= 255:
        return 1, lo + 128
    most = min(MOST_PLANES, acc_bits // 8)
    for planes in range(2, most + 1):
        shift = shift_of(planes)
        top = 128 << 8 * (planes - 1)
        if -top <= lo and hi < top:
            return planes, shift
    raise ValueError(f"codes in [{lo}, {hi}] need more than {8 * most} bits")


def digits(codes: Array, planes: int, shift: int) -> NDArray[np.int8]:
    """Codes (...) to stored bytes (planes, ...)."""
    values = np.asarray(codes).astype(np.int64)
    if planes == 1:
        return (values - shift).astype(np.int8)[None]
    flips = np.array([128] * (planes - 1) + [0], np.int64).reshape((-1,) + (1,) * values.ndim)
    shifts = 8 * np.arange(planes, dtype=np.int64).reshape(flips.shape)
    return (((values[None] >> shifts) & 255) ^ flips).astype(np.uint8).view(np.int8)


def undigits(stored: NDArray[np.int8], shift: int) -> Ints:
    """Stored bytes (planes, ...) to codes (...)."""
    scale = np.int64(256) ** np.arange(len(stored), dtype=np.int64).reshape((-1,) + (1,) * (stored.ndim - 1))
    return np.asarray((stored.astype(np.int64) * scale).sum(axis=0) + shift)


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
