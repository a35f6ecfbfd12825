"""Units that keep a row until something of it as a whole is known, then give it again element by element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfcompile.device import area
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Stream
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import After, Give, Process, Schedule


@dataclass(frozen=True)
class RowBuffer:
    """`dfc_row_buffer`: rows of `beats` beats; a row's first step comes `delay` cycles after its last beat at the earliest."""

    rows: int
    beats: int
    delay: int

    @property
    def pages(self) -> int:
        """Rows kept, so many that one comes in while another goes out: a page is free after twice its beats and the delay."""
        return max(2, -(-(2 * self.beats - 1 + self.delay) // self.beats))

    def schedule(self, latency: int, slots: int) -> Schedule:
        """One beat a cycle, `latency` from step to result."""
        index = np.arange(self.rows * self.beats, dtype=np.int64)
        row = index // self.beats
        free = After(1, (row - self.pages + 1) * self.beats)
        known = After(0, (row + 1) * self.beats, self.delay)
        return Process(len(index), {0: index}, after=(free,)), Process(len(index), gives={0: Give(index, latency, slots)}, after=(known,))

    @property
    def loop(self) -> Loop:
        """The C++: a row's beats before its first step."""
        index = np.arange(self.rows * self.beats, dtype=np.int64)
        return Loop(index // self.beats * self.beats, len(index), lag=1)

    def resources(self, width: int, result: int, style: str, family: str) -> Resources:
        """Area for beats of `width` bits and results of rows of `result` bits."""
        counters = [area.counter(n, family) for n in (self.beats, self.beats, self.pages, self.pages, self.pages + 1, self.pages + 1)]
        places = [area.counter(self.pages * self.beats, family)] * 2
        results = area.ram(self.pages, result, "auto", family)
        return area.total(area.ram(self.pages * self.beats, width, style, family), results, *counters, *places, Resources(lut=6))


def row_stream(shape: tuple[int, int, int], dtype: IntType, lanes: int) -> Stream:
    """A stream whose lanes start again with each row."""
    return Stream(shape, dtype, lanes, shape[2])
