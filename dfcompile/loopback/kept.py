"""States that go on from frame to frame: a run loads their first pixels from external memory, and stores the last ones there.

Runs follow one another, and one ends when its stores are complete; so what a run finds is what the one before it left. A state has pages of
its own, so that tokens, which see external memory in blocks, do not let one wait for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Opcode
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.program import PAGE
from dfcompile.loopback.storage import Storage, digits, to_memory


@dataclass(frozen=True)
class Area:
    """Where states lie between runs: of each its address, and what the bytes from `start` to `end` are before the first run."""

    start: int
    addresses: dict[str, int]
    first: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.first)


def area_of(low: Lowered, config: EngineConfig, start: int, batch: int) -> Area:
    """Pages for the states from an external address on. CompileError where frames of a run are computed beside each other."""
    if low.kept and batch > 1:
        why = f"{batch} frames of a run go through each layer together, and the first layers of one need the last states of the one before"
        raise CompileError(Problem("not-streaming", "frames of one run cannot go on from one another", why=why, help="leave out batch"))
    addresses, data = {}, bytearray()
    for name, code in low.kept.items():
        addresses[name] = start + len(data)
        pixel = _pixel(low.storage[name], code)
        data += pixel + bytes(-len(pixel) % PAGE)
    return Area(start, addresses, bytes(data))


def _pixel(storage: Storage, code: int) -> bytes:
    """A pixel of equal codes as it lies in memory, plane after plane; gaps are 0."""
    codes = np.full(len(storage.slots), code)
    stored = np.where(storage.slots >= 0, digits(codes, storage.planes, storage.shift, storage.bits), 0).astype(np.int8)
    return to_memory(stored, storage.bits).tobytes()


class Kept:
    """Loads and stores of the states, around the layers that touch them.

    local: buffer -> its first word on chip; addresses: of each state in external memory; word_bytes: of a word there
    move:  (opcode, external address, word on chip, words): a block
    """

    def __init__(
        self, low: Lowered, local: dict[str, int], addresses: dict[str, int], word_bytes: int, move: Callable[[Opcode, int, int, int], None]
    ) -> None:
        self.low, self.local, self.addresses, self.word_bytes, self.move = low, local, addresses, word_bytes, move
        self.written = {low.storage[layer.dst].buffer: i for i, layer in enumerate(low.layers)}  # by which layer last

    def load(self, first: int, end: int) -> None:
        """In front of layers first..end-1: the first pixels of the states that these write. All that read them are there or behind."""
        self._move_all(Opcode.LOAD, first, end)

    def store(self, first: int, end: int) -> None:
        """Behind them: their last pixels."""
        self._move_all(Opcode.STORE, first, end)

    def _move_all(self, opcode: Opcode, first: int, end: int) -> None:
        for name in self.addresses:
            if first <= self.written[self.low.storage[name].buffer] < end:
                self._move(opcode, name)

    def _move(self, opcode: Opcode, name: str) -> None:
        """The first or the last pixel of the buffer, which has one more than the tensor."""
        s = self.low.storage[name]
        pixel = 0 if opcode == Opcode.LOAD else s.width
        for plane in range(s.planes):
            word = self.local[s.buffer] + s.start + plane * s.plane + pixel * s.col
            self.move(opcode, self.addresses[name] + plane * s.col * self.word_bytes, word, s.col)
