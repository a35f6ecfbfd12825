"""Nearest-neighbour upsampling by integer factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts import linebuffer
from dfcompile.units.parts.schedule import Give, Process, Schedule

Steps = NDArray[np.int64]

_HLS_LATENCY = 3


def _trace(size: tuple[int, int], factors: tuple[int, int], fold: int) -> tuple[Steps, Steps]:
    """For each step the word it reads, and the oldest word that it or a later step reads."""
    (h, w), (fh, fw) = size, factors
    y, last_pass, x, last_copy, c = np.ix_(np.arange(h), np.arange(fh), np.arange(w), np.arange(fw), np.arange(fold))
    reads = (y * w + x) * fold + c
    kept = np.where(last_copy == fw - 1, c, 0) + x * fold
    lows = y * w * fold + np.where(last_pass == fh - 1, kept, 0)
    shape = (h, fh, w, fw, fold)
    return np.broadcast_to(reads, shape).reshape(-1), np.broadcast_to(lows, shape).reshape(-1)


@lru_cache(maxsize=1 << 14)
def _minimal_depth(size: tuple[int, int], factors: tuple[int, int], fold: int) -> int:
    return linebuffer.minimal_depth(*_trace(size, factors, fold), size[0] * size[1] * fold)


@dataclass(frozen=True, eq=False)
class Upsample(Unit):
    """(H, W, C) -> (H*factors[0], W*factors[1], C): repeats rows and columns.

    depth: words of the row buffer, `lanes` channels each; 0 is the fewest that lose no cycle
    style: of the row buffer: "auto", "lutram", "bram"
    """

    kind = "upsample"
    fold_fields = ("lanes",)
    rtl_parameters = ("Depth",)

    shape: tuple[int, int, int]
    factors: tuple[int, int]
    dtype: IntType
    lanes: int = 1
    depth: int = 0
    style: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")
        if min(self.factors) < 1:
            raise ValueError(f"upsampling by {self.factors} is no upsampling")
        if self.depth and self.depth < (least := linebuffer.deadlock_depth(*self._trace)):
            raise ValueError(f"a row buffer of {self.depth} words never holds what is repeated; {least} do")

    @property
    def fold(self) -> int:
        """Words per pixel."""
        return -(-self.shape[2] // self.lanes)

    @property
    def _trace(self) -> tuple[Steps, Steps]:
        return _trace(self.shape[:2], self.factors, self.fold)

    @property
    def words(self) -> int:
        """Words of the row buffer."""
        return self.depth or _minimal_depth(self.shape[:2], self.factors, self.fold)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes, self.shape[2]),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        (h, w, c), (fh, fw) = self.shape, self.factors
        return (Stream((h * fh, w * fw, c), self.dtype, self.lanes, c),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (codes[0].repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2),)

    def schedule(self) -> Schedule:
        return linebuffer.schedule(*self._trace, self.inputs[0].beats, self.words)

    def hls_schedule(self) -> Schedule:
        """A row is taken while its first copy is given, each word when its pixel is given first."""
        (h, w, _), (fh, fw) = self.shape, self.factors
        steps = np.arange(h * fh * w * fw * self.fold, dtype=np.int64).reshape(h, fh, w, fw, self.fold)
        give = Give(steps.reshape(-1), _HLS_LATENCY, slots=_HLS_LATENCY + 1)
        return (Process(steps.size, {0: steps[:, 0, :, 0].reshape(-1)}, {0: give}),)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def parameters(self) -> dict[str, int]:
        h, w, _ = self.shape
        style = area.ram_style(self.words, self.inputs[0].width, self.style)
        return {
            "Height": h,
            "Width": w,
            "Fold": self.fold,
            "FactorH": self.factors[0],
            "FactorW": self.factors[1],
            "BeatBits": self.inputs[0].width,
            "Depth": self.words,
            "RamStyle": area.STYLE_CODES[style],
        }

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        for style in area.ram_styles(self.words, family):
            yield {"style": style}

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        address, size = area.index_bits(self.words + 1), FAMILIES[family].lut_inputs
        counts = sum(area.index_bits(n) for n in (self.fold, *self.factors, self.shape[1]) if n > 1)
        ends = lut_levels(max(1, counts), size)  # whether counters are at their ends
        beyond = self.words & (self.words - 1) > 0  # whether the place is compared with the depth, too
        yield Path("the word that is read", levels=ends, carries=(address,) + (2,) * beyond)
        yield Path("the step", levels=1, carries=(address,), stores=True, fanout=2 * address + counts + self.inputs[0].width)

    def resources(self, family: str) -> Resources:
        address = area.index_bits(self.words + 1)
        counters = (self.factors[0], self.shape[1], self.factors[1], self.fold, self.words, self.words)
        return area.total(
            area.ram(self.words, self.inputs[0].width, self.style, family),
            *(area.counter(n, family) for n in counters),
            *[area.adder(address, family) * 1.5 + Resources(ff=address)] * 2,
            Resources(lut=14, ff=2),
        )
