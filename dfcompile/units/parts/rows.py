"""Units that keep a row until something of it as a whole is known, then give it again element by element."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Stream, Unit, quotients
from dfcompile.units.parts import stream_paths
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


class RowUnit(Unit):
    """A unit that gives something of each element once it knows something of its row, the channels of a position."""

    fold_fields: ClassVar[tuple[str, ...]] = ("lanes",)
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots", "Pages")

    shape: tuple[int, int, int]
    dtype: IntType
    lanes: int
    ram_style: str

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")

    @property
    @abstractmethod
    def made(self) -> IntType:
        """Type of what is given."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Cycles from a step to its valid beat."""

    @property
    @abstractmethod
    def delay(self) -> int:
        """Cycles from a row's last beat to its first step."""

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.shape[2]),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.made, self.lanes, self.shape[2]),)

    @property
    def rows(self) -> RowBuffer:
        """Where rows are kept."""
        return RowBuffer(self.shape[0] * self.shape[1], -(-self.shape[2] // self.lanes), self.delay)

    def schedule(self) -> Schedule:
        return self.rows.schedule(self.latency, self.latency + 1)

    def hls_schedule(self) -> Schedule:
        return self.rows.loop.schedule(self.latency)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def hls_parameters(self) -> dict[str, int]:
        return {"Rows": self.rows.rows, **super().hls_parameters()}

    def buffer_parameters(self) -> dict[str, int]:
        """Those at the end of the SystemVerilog module's."""
        return {"RamStyle": area.STYLE_CODES[self.style], "Slots": self.latency + 1, "Pages": self.rows.pages}

    @property
    def style(self) -> str:
        """Style of the rows' memory."""
        return area.ram_style(self.rows.pages * self.rows.beats, self.inputs[0].width, self.ram_style)

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    @property
    def in_block(self) -> bool:
        """Whether rows are in block RAM."""
        return self.style in ("bram", "uram")

    def buffer_paths(self, family: str) -> Iterator[Path]:
        """Logic of rows and of the output buffer."""
        words, size = area.index_bits(self.rows.pages * self.rows.beats), FAMILIES[family].lut_inputs
        yield Path("the next word of a row", levels=lut_levels(words, size) + 1, carries=(words,) * (words > size - 2))
        yield Path("rows that are known", levels=1 + lut_levels(2 * area.index_bits(self.rows.pages + 1) + 4, size))
        yield from stream_paths.given(self.outputs[0].width, self.latency + 1, 3, family)

    def buffers(self, result: int, family: str) -> Resources:
        """Area of rows with results of `result` bits, and of the output buffer."""
        rows = self.rows.resources(self.inputs[0].width, result, self.style, family)
        return rows + area.stream_out(self.outputs[0].width, self.latency + 1, family)
