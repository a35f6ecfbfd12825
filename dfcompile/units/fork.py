"""One stream to two readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.schedule import Schedule, one_to_one


@dataclass(frozen=True, eq=False)
class Fork(Unit):
    """Both outputs get every beat, each at its own time; one may be two beats ahead of the other.

    run, taps: as in `Stream`
    copies: always two; chain forks for more readers
    """

    kind = "fork"

    shape: tuple[int, int, int]
    dtype: IntType
    lanes: int = 1
    copies: int = 2
    run: int = 0
    taps: int = 1

    def __post_init__(self) -> None:
        if self.copies != 2:
            raise ValueError(f"a fork has two outputs, not {self.copies}: chain forks for more readers")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.run, self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs * 2

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (codes[0], codes[0])

    def schedule(self) -> Schedule:
        return one_to_one(self.inputs[0].beats, latency=1, slots=2, outputs=2)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def parameters(self) -> dict[str, int]:
        return {"Beats": self.inputs[0].beats, "Width": self.inputs[0].width}

    def paths(self, family: str) -> Iterator[Path]:
        yield Path("beats that a reader has to take", levels=lut_levels(10, FAMILIES[family].lut_inputs))
        yield Path("a beat that comes", levels=1, stores=True, fanout=self.inputs[0].width)

    def resources(self, family: str) -> Resources:
        width = self.inputs[0].width
        read = area.mux(width, 2, family)
        return area.total(read, read, Resources(lut=16, ff=2 * width + 10))
