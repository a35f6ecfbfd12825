"""Inputs that stay on chip, loaded rows at a time as the first layer that reads them comes there: the array begins before all is."""

from __future__ import annotations

from collections.abc import Callable

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.part import parts
from dfcompile.loopback.storage import Storage


class Arrivals:
    """Inputs that are not loaded to their end: rows of every plane and image that are.

    low:   what is emitted
    local: buffer -> its first word on chip
    load:  (buffer, its word, words): a block, from external memory to its place
    """

    def __init__(self, low: Lowered, local: dict[str, int], batch: int, load: Callable[[str, int, int], None]) -> None:
        self.low, self.batch, self.load = low, batch, load
        resident = [t for t in low.inputs if low.storage[t].buffer in local]
        self.rows = {} if low.loops else {t: 0 for t in resident if self._arrives(t)}  # turns are alike only where all is there

    def _arrives(self, tensor: str) -> bool:
        """Whether the first layer that reads an input reads it row by row as it lies there."""
        low, buffer = self.low, self.low.storage[tensor].buffer
        for layer in low.layers:
            read = {o.tensor for o in layer.operands if low.storage[o.tensor].buffer == buffer}
            if read:
                return read == {tensor}
        return False

    def rows_of(self, layer: Layer, config: EngineConfig) -> int:
        """Rows of a layer's outputs at a time, all of them where nothing arrives."""
        sizes = [self._storage(t) for t in dict.fromkeys(o.tensor for o in layer.operands) if t in self.rows]
        beats = sum(self.batch * s.planes * s.height * s.row * config.word_beats for s in sizes)
        return -(-layer.size[0] // parts(layer, self.low.storage, beats, config)) if sizes else layer.size[0]

    def until(self, tensor: str, row: int) -> None:
        """Load the rows before this one, of those that are not yet."""
        s, there = self._storage(tensor), self.rows[tensor]
        if row <= there:
            return
        for n in range(self.batch):
            for p in range(s.planes):
                at = n * self.low.buffers[s.buffer] + p * s.plane + there * s.row
                self.load(s.buffer, at, (row - there) * s.row)
        self.rows[tensor] = row

    def end(self, layer: Layer) -> None:
        """Behind a layer nothing that it reads is left."""
        for tensor in [t for t in self.rows if t in {o.tensor for o in layer.operands}]:
            self.until(tensor, self._storage(tensor).height)
            del self.rows[tensor]

    def _storage(self, tensor: str) -> Storage:
        return self.low.storage[tensor]
