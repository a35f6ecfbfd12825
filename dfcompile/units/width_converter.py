"""Between streams of the same elements with different numbers of lanes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.schedule import Give, Process, Schedule


@dataclass(frozen=True, eq=False)
class WidthConverter(Unit):
    """Same elements, in_lanes to out_lanes a beat; any ratio. A step takes, gives or does both.

    To fewer lanes a beat is given in every step, and one is taken when what is left does not fill the next; to more
    lanes a beat is taken in every step, and one is given when it is complete.
    """

    kind = "width_converter"

    shape: tuple[int, int, int]
    dtype: IntType
    in_lanes: int = 1
    out_lanes: int = 1

    def __post_init__(self) -> None:
        h, w, c = self.shape
        if (h * w * c) % self.in_lanes or (h * w * c) % self.out_lanes:
            raise ValueError(f"{self.in_lanes} and {self.out_lanes} lanes do not both divide {h * w * c} elements")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.in_lanes),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.out_lanes),)

    @property
    def slots(self) -> int:
        """Output beats that are buffered: two where a beat may follow in the next cycle."""
        return 1 if self.out_lanes >= 2 * self.in_lanes else 2

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (codes[0],)

    def schedule(self) -> Schedule:
        given, taken = self.outputs[0].beats, self.inputs[0].beats
        if self.in_lanes >= self.out_lanes:
            gives = np.arange(given, dtype=np.int64)
            takes = np.arange(taken, dtype=np.int64) * self.in_lanes // self.out_lanes
        else:
            takes = np.arange(taken, dtype=np.int64)
            gives = (np.arange(1, given + 1, dtype=np.int64) * self.out_lanes - 1) // self.in_lanes
        return (Process(max(given, taken), {0: takes}, {0: Give(gives, latency=1, slots=self.slots)}),)

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    def parameters(self) -> dict[str, int]:
        return {"Elements": self.inputs[0].elements, "Bits": self.dtype.bits, "InLanes": self.in_lanes, "OutLanes": self.out_lanes}

    def paths(self, family: str) -> Iterator[Path]:
        few, many = sorted((self.in_lanes, self.out_lanes))
        common = math.gcd(few, many)
        level = max(1, area.index_bits(few + many + 1) - (common & -common).bit_length() + 1)  # bits of it that change
        size, kept = FAMILIES[family].lut_inputs, (many - few) * self.dtype.bits
        if many % few:
            yield Path("elements that wait", levels=1 + lut_levels(level, size), stores=True, fanout=many * self.dtype.bits)
        else:
            yield Path("whether elements wait", levels=1 + lut_levels(level, size), stores=True, fanout=kept or 1)
        yield Path("its level", levels=lut_levels(level, size), carries=(level,) * (1 + (self.out_lanes > self.in_lanes)))

    def resources(self, family: str) -> Resources:
        few, many = sorted((self.in_lanes, self.out_lanes))
        bits, whole = self.dtype.bits, many % few == 0
        held = (many - few if whole else many - 1) * bits
        out = area.stream_out(self.outputs[0].width, self.slots, family)
        level = area.counter(many // few if whole else many, family)
        if not whole:  # what waits may begin at any multiple of the common divisor
            places = self.in_lanes // math.gcd(few, many) + 1
            shifter = area.mux((few + many) * bits, 2, family) * (places / 4)
            return area.total(out, level, shifter, Resources(lut=FAMILIES[family].units.converter, ff=held))
        if self.in_lanes > self.out_lanes:  # a shift register with a parallel load
            return area.total(out, level, Resources(lut=1.1 * held + 10, ff=held))
        enables = many // few - 1  # each place's own
        per = FAMILIES[family].units.enable * area.index_bits(many // few) or 1.0
        return area.total(out, level, Resources(lut=enables * per, ff=held))
