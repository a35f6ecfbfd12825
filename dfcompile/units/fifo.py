"""A buffer between two units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels, rom_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.schedule import Schedule, one_to_one


@dataclass(frozen=True, eq=False)
class Fifo(Unit):
    """First in, first out, exactly `depth` beats: a beat can be read the cycle after it is written, its place is free the
    cycle after it is read.

    style: "auto", "lut" (registers), "lutram", "bram" or "uram"
    run, taps: as in `Stream`
    """

    kind = "fifo"
    rtl_parameters = ("Depth", "Style")

    shape: tuple[int, int, int]
    dtype: IntType
    lanes: int = 1
    depth: int = 2
    style: str = "auto"
    run: int = 0
    taps: int = 1

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"a FIFO holds at least one beat, not {self.depth}")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.run, self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (codes[0],)

    def schedule(self) -> Schedule:
        return one_to_one(self.inputs[0].beats, latency=1, slots=self.depth)

    def parameters(self) -> dict[str, int]:
        stream = self.inputs[0]
        style = area.STYLE_CODES[self._style]
        return {"Width": stream.width, "Depth": self.depth, "Style": style, "Beats": stream.beats}

    @property
    def _style(self) -> str:
        return area.ram_style(self.depth, self.inputs[0].width, self.style)

    def paths(self, family: str) -> Iterator[Path]:
        bits, block = area.index_bits(self.depth + 1), self._style in ("bram", "uram")
        yield Path("its count of beats", levels=2, carries=(bits,))
        if block:
            yield Path("the beat that is read", levels=1, memory=True)
            size = FAMILIES[family].lut_inputs
            yield Path("the next address", levels=1, carries=(bits,), stores=True, fanout=bits)
            yield Path("the address behind the last", levels=1 + lut_levels(bits, size), stores=True, fanout=bits)
        else:
            levels = rom_levels(max(2, self.depth // 16), FAMILIES[family].lut_inputs)
            yield Path("the beat that is read", levels=levels, fanout=self.inputs[0].width)

    def resources(self, family: str) -> Resources:
        width, bits = self.inputs[0].width, area.index_bits(self.depth + 1)
        if self._style in ("bram", "uram"):
            memory = area.ram(self.depth, width, self._style, family)
        else:
            memory = area.distributed(self.depth, width, family)
        pointers = area.counter(self.depth, family) * 2 + Resources(ff=area.index_bits(self.depth))
        bypass = Resources(lut=width + 2, ff=width + 2) if self._style in ("bram", "uram") else Resources()
        return area.total(memory, pointers, bypass, Resources(lut=3 * bits + 3, ff=bits + 2))
