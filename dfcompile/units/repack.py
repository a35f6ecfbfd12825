"""Between streams of the same elements with different lanes, at least one of which is padded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import After, Give, Process, Schedule

_HLS_LATENCY = 3


@dataclass(frozen=True, eq=False)
class Repack(Unit):
    """Takes in_lanes a beat, gives out_lanes; either side starts its lanes again after each run and pads the last beat of a run.

    Two processes share a shift register of `hold` elements: one takes a beat while in_lanes are free, the other gives one when it is
    complete. A frame takes as many cycles as the longer side has beats.

    in_run, out_run: elements of a run, each a divisor of the frame; 0: that side has no padding
    """

    kind = "repack"

    shape: tuple[int, int, int]
    dtype: IntType
    in_lanes: int = 1
    in_run: int = 0
    out_lanes: int = 1
    out_run: int = 0

    def __post_init__(self) -> None:
        elements = math.prod(self.shape)
        if any(elements % (run or lanes) for lanes, run in self._sides):
            runs = " and ".join(str(run or lanes) for lanes, run in self._sides)
            raise ValueError(f"runs of {runs} do not divide {elements} elements")

    @cached_property
    def _sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.in_lanes, self.in_run), (self.out_lanes, self.out_run)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.in_lanes, self.in_run),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.out_lanes, self.out_run),)

    @property
    def hold(self) -> int:
        """Elements that may wait: with so many neither side waits for the other (tests/units/test_repack.py holds that)."""
        (a, b), (c, d) = self._sides
        same = b == d or (not d and b % c == 0) or (not b and d % a == 0)
        most = a + 2 * c - 1 if same else 2 * (a + c) - 1
        return most // self._step * self._step

    @cached_property
    def _step(self) -> int:
        """What every number of elements that moves is a multiple of."""
        (a, b), (c, d) = self._sides
        return math.gcd(a, b % a, c, d % c)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (codes[0],)

    def schedule(self) -> Schedule:
        (given,), (made,) = self.inputs, self.outputs
        taken, sent = np.cumsum(given.filled), np.cumsum(made.filled)
        elements = given.elements
        complete = np.searchsorted(taken, sent) + 1
        # Beat k is taken once what was taken before it and not sent leaves in_lanes free; that may be an earlier frame's affair.
        back = self.hold // elements + 2
        every = (sent[None, :] + np.arange(-back, 1)[:, None] * elements).reshape(-1)
        before = np.concatenate([[0], taken[:-1]])
        freed = np.searchsorted(every, before - (self.hold - self.in_lanes)) + 1 - back * len(sent)
        writer = Process(len(taken), {0: np.arange(len(taken), dtype=np.int64)}, after=(After(1, freed.astype(np.int64)),))
        give = Give(np.arange(len(sent), dtype=np.int64), latency=1, slots=2)
        return writer, Process(len(sent), gives={0: give}, after=(After(0, complete.astype(np.int64)),))

    @cached_property
    def _loop(self) -> Loop:
        taken, sent = (np.cumsum(s.filled) for s in (self.inputs[0], self.outputs[0]))
        return Loop(np.searchsorted(sent, taken - self.inputs[0].filled, side="right"), len(sent), lag=1)

    def hls_schedule(self) -> Schedule:
        return self._loop.schedule(_HLS_LATENCY)

    def hls_parameters(self) -> dict[str, int]:
        loop = self._loop
        sent = np.concatenate([[0], np.cumsum(self.outputs[0].filled)])
        frame, beat = np.divmod(loop.given_by(loop.takes + 1), loop.steps)
        waiting = np.cumsum(self.inputs[0].filled) - sent[beat] - frame * sent[-1]
        return {**super().hls_parameters(), "Hold": int(waiting.max()), "Lead": loop.lead}

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    def parameters(self) -> dict[str, int]:
        elements = math.prod(self.shape)
        return {
            "Elements": elements,
            "Bits": self.dtype.bits,
            "InLanes": self.in_lanes,
            "InRun": self.in_run or self.in_lanes,
            "OutLanes": self.out_lanes,
            "OutRun": self.out_run or self.out_lanes,
            "Hold": self.hold,
        }

    def paths(self, family: str) -> Iterator[Path]:
        level, size = (self.hold // self._step).bit_length(), FAMILIES[family].lut_inputs
        shifter = -(-level // 2) if size > 4 or FAMILIES[family].joined > 1 else level  # LUTs of six inputs, or joined, shift by two bits
        yield Path("elements that wait", levels=shifter + 2, fanout=self.hold * self.dtype.bits)
        yield Path("its level", levels=1 + lut_levels(2 * level, size), carries=(level,) * (level > size - 2))
        yield from stream_paths.given(self.outputs[0].width, 2, level + 1, family)

    def resources(self, family: str) -> Resources:
        step, hold = self._step, self.hold
        bits, places = hold * self.dtype.bits, hold // step
        short = [-(-run // lanes) for lanes, run in self._sides if run % lanes]
        shifted, wide = 0, self.inputs[0].width  # the stages of the shifter that puts a beat behind what waits
        for stage in range(places.bit_length()):
            wide = min(wide + (step * self.dtype.bits << stage), bits)
            shifted += wide
        rates = FAMILIES[family].units.repack
        tail = bits if self.out_run % self.out_lanes else 0
        logic = rates[0] * shifted + rates[1] * bits + rates[2] * tail + rates[3] * places.bit_length()
        return area.total(
            area.stream_out(self.outputs[0].width, 2, family),
            *(area.counter(beats, family) for beats in short),
            Resources(lut=logic, ff=bits + places.bit_length()),
        )
