"""Lists of steps: a tile walks only words with a weight other than 0, and only these are loaded.

A step is 32 bits, element 0 of a bus word lowest: what it adds to the address of an output's first word, signed, to its y and its x,
and its pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Transfer
from dfcompile.loopback.storage import Ints

OFFSET_BITS, POSITION_BITS, STEP_BITS = 18, 6, 32
MOST_STEPS = (1 << 12) - 1
"""Steps of a list: `Compute.words`."""


@dataclass(frozen=True, eq=False)
class Steps:
    """(n,) of each step."""

    offset: Ints
    y: Ints
    x: Ints
    number: Ints

    @classmethod
    def of(cls, words: NDArray[np.uint32]) -> Steps:
        """The inverse of `words`."""
        w = words.astype(np.int64)
        ends = np.cumsum([0, OFFSET_BITS, POSITION_BITS, POSITION_BITS])
        offset, y, x = (w >> at & ((1 << size) - 1) for at, size in zip(ends, (OFFSET_BITS, POSITION_BITS, POSITION_BITS), strict=False))
        return cls(np.where(offset >> (OFFSET_BITS - 1), offset - (1 << OFFSET_BITS), offset), y, x, w >> int(ends[-1]))

    @property
    def fit(self) -> bool:
        """Whether each has its bits, and the engine a counter for all."""
        top, most = 1 << (OFFSET_BITS - 1), 1 << POSITION_BITS
        ends = [(int(a.min()), int(a.max())) for a in (self.offset, self.y, self.x)]
        within = -top <= ends[0][0] and ends[0][1] < top and all(lo >= 0 and hi < most for lo, hi in ends[1:])
        return within and len(self.offset) <= MOST_STEPS

    @property
    def words(self) -> NDArray[np.uint32]:
        parts = (self.offset & ((1 << OFFSET_BITS) - 1), self.y, self.x, self.number)
        shifts = (0, OFFSET_BITS, OFFSET_BITS + POSITION_BITS, OFFSET_BITS + 2 * POSITION_BITS)
        return np.asarray(sum(p << s for p, s in zip(parts, shifts, strict=True))).astype(np.uint32)


def steps_of(d: Compute, kept: Ints) -> Steps:
    """Steps of a tile that walks its loops, those with the numbers `kept`."""
    number, ky, kx, g = np.unravel_index(kept, (d.passes + 1, d.kernel_h, d.kernel_w, d.words))
    first = np.array([0, d.offset_1, d.offset_2, d.offset_3])[number]
    return Steps(first + ky * d.tap_h + kx * d.tap_w + g, ky * d.y_tap, kx * d.x_tap, number)


class Lists:
    """The memory of the lists, as the loads of a program leave it."""

    def __init__(self, config: EngineConfig) -> None:
        self.each = config.bus_bits // STEP_BITS
        self.memory = np.zeros(config.list_words * self.each, "<u4")

    def load(self, d: Transfer, block: NDArray[np.uint8] | bytes) -> None:
        """Fill it with what begins with the block's bytes."""
        part = np.frombuffer(bytes(block[: d.beats * self.each * 4]), "<u4")
        self.memory[d.inner * self.each : d.inner * self.each + len(part)] = part

    def of(self, d: Compute) -> NDArray[np.uint32] | None:
        """Steps of a tile; None where it walks its loops."""
        return self.memory[(d.tap_h * self.each + np.arange(d.words)) % len(self.memory)] if d.listed else None
