"""Weights that are loaded as numbers of few levels: the load unit looks the levels up, one bus word a cycle.

A block begins with 16 levels of a byte; `EngineConfig.code_bits` says which numbers an engine reads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Target, Transfer
from dfcompile.loopback.storage import Ints

LEVELS = 16
"""Bytes of a table."""


def code_width(coded: int) -> int:
    """Bits of a number in a block whose descriptor says `coded`; 0 of weights that are loaded as they are."""
    return 1 << (coded - 1) if coded else 0


def table_beats(coded: int, config: EngineConfig) -> int:
    """Bus words of the levels before the numbers."""
    return LEVELS // config.bus_bytes if coded else 0


def word_beats(d: Transfer, config: EngineConfig) -> tuple[int, int]:
    """(bus words of a word of the memory, bus words that fill its words) of a block."""
    beats = (config.word_beats, config.weight_beats, config.tree_beats, 1)[d.target]
    if d.target == Target.WEIGHT and d.coded:
        beats = beats * code_width(d.coded) // config.weight_bits
    return beats, d.beats - table_beats(d.coded, config)


def encode(weights: Ints, config: EngineConfig) -> tuple[int, bytes] | None:
    """(`coded`, block) of weights (steps, pe, simd) of a byte at most; None where they have more levels than the engine reads."""
    levels, numbers = np.unique(weights, return_inverse=True)
    for coded in (1, 2, 3):
        bits = code_width(coded)
        if len(levels) <= 1 << bits and config.reads_numbers(bits):
            table = np.pad(levels, (0, LEVELS - len(levels))).astype(np.int8)
            planes = numbers.reshape(-1, 1).astype(np.uint8) >> np.arange(bits, dtype=np.uint8) & 1
            return coded, table.tobytes() + np.packbits(planes.astype(np.uint8).reshape(-1), bitorder="little").tobytes()
    return None


def decode(block: NDArray[np.uint8], coded: int, config: EngineConfig) -> NDArray[np.uint8]:
    """Bytes of the weight buffer that a block becomes."""
    bits, full = code_width(coded), config.weight_bits
    planes = np.unpackbits(block[LEVELS:], bitorder="little").reshape(-1, bits)
    patterns = block[:LEVELS][planes @ (1 << np.arange(bits))]
    return np.packbits((patterns[:, None] >> np.arange(full, dtype=np.uint8) & 1).astype(np.uint8).reshape(-1), bitorder="little")
