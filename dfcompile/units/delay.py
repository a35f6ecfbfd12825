"""A stream one pixel later: what closes a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.schedule import Give, Process, Schedule


@dataclass(frozen=True, eq=False)
class Delay(Unit):
    """(1, W, C) -> (1, W, C): in pixel 0 of each frame `first_code` in all channels, then in each pixel what came in the one before.

    The last pixel of a frame is taken and dropped; with `keep` it is what the next frame gets in its pixel 0, and only the first frame
    behind a reset gets `first_code` there. There is room for a pixel: the loop that the unit closes holds no more than that, for
    each of its operators looks at one pixel alone, so that it never waits for room here.

    lanes: as in `Stream`; a pixel has whole beats
    run: as in `Stream`
    """

    kind = "delay"
    signed_fields = ("first_code",)

    shape: tuple[int, int, int]
    dtype: IntType
    first_code: int = 0
    lanes: int = 1
    run: int = 0
    keep: bool = False

    def __post_init__(self) -> None:
        if not self.dtype.lo <= self.first_code <= self.dtype.hi or (self.dtype.bipolar and not self.first_code):
            raise ValueError(f"{self.first_code} is no code of {self.dtype}")
        if self.inputs[0].beats % self.pixels or self.shape[2] % (self.run or self.lanes):
            raise ValueError(f"a pixel of {self.shape[2]} channels has no whole beats of {self.lanes} lanes")

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def folds(self) -> int:
        """Beats of a pixel."""
        return self.inputs[0].beats // self.pixels

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.run),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        pixels = codes[0].reshape(len(codes[0]), self.pixels, -1)
        first = np.full_like(pixels[:, :1], self.first_code)
        if self.keep:
            first[1:] = pixels[:-1, -1:]
        return (np.concatenate([first, pixels[:, :-1]], axis=1).reshape(codes[0].shape),)

    def schedule(self) -> Schedule:
        """A pixel's steps for the first codes, those for what passes, and a pixel's for what is dropped or kept."""
        steps = np.arange((self.pixels + 1) * self.folds, dtype=np.int64)
        give = Give(steps[: -self.folds], latency=1, slots=self._slots)
        return (Process(len(steps), {0: steps[self.folds :]}, {0: give}),)

    @property
    def cycles(self) -> int:
        return (self.pixels + 1) * self.folds

    @property
    def _slots(self) -> int:
        return max(2, self.folds)

    def parameters(self) -> dict[str, int]:
        width = self.inputs[0].width
        code = (self.first_code > 0 if self.dtype.bipolar else self.first_code) & ((1 << self.dtype.bits) - 1)
        return {
            "Pixels": self.pixels,
            "Folds": self.folds,
            "Width": width,
            "Bits": self.dtype.bits,
            "First": int(code),
            "Keep": int(self.keep),
        }

    def paths(self, family: str) -> Iterator[Path]:
        width, size = self.inputs[0].width, FAMILIES[family].lut_inputs
        pixel, counts = area.index_bits(self.pixels + 1), area.index_bits(self.pixels + 1) + area.index_bits(self.folds)
        yield Path("the step", levels=lut_levels(4, size), stores=True, fanout=max(counts, width * self.keep))
        yield Path("the count of pixels", levels=lut_levels(area.index_bits(self.folds) + 1, size), carries=(pixel,))
        yield Path("the first pixel", levels=1 + self.keep, fanout=width)
        yield from stream_paths.given(width, self._slots, 4, family)

    def resources(self, family: str) -> Resources:
        width = self.inputs[0].width
        return area.total(
            self._kept(family),
            area.stream_out(width, self._slots, family),
            area.counter(self.folds, family),
            area.counter(self.pixels + 1, family),
            Resources(lut=width + 4, ff=2),
        )

    def _kept(self, family: str) -> Resources:
        """A pixel in shift registers, which are LUTs where those can be such, and the choice between it and the first one."""
        if not self.keep:
            return Resources()
        width, choice = self.inputs[0].width, Resources(lut=2, ff=1)
        if FAMILIES[family].shifts and self.folds > 2:
            return choice + Resources(lut=width * -(-self.folds // 32), ff=width)
        return choice + Resources(ff=width * self.folds)
