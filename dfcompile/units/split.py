"""Ranges of channels to two streams."""

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
from dfcompile.units.base import Array, Stream, Unit, divisors
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.schedule import Give, Process, Schedule


@dataclass(frozen=True, eq=False)
class Split(Unit):
    """(H, W, C) -> (H, W, sizes[0]), (H, W, sizes[1]); chain them for more outputs.

    lanes: divides each of the sizes
    """

    kind = "split"
    fold_fields = ("lanes",)

    shape: tuple[int, int, int]
    sizes: tuple[int, ...]
    dtype: IntType
    lanes: int = 1

    def __post_init__(self) -> None:
        if len(self.sizes) != 2:
            raise ValueError(f"a split has two outputs, not {len(self.sizes)}: chain them for more")
        if sum(self.sizes) != self.shape[2] or min(self.sizes) < 1:
            raise ValueError(f"{self.shape[2]} channels do not split into {self.sizes}")
        if any(size % self.lanes for size in self.sizes):
            raise ValueError(f"{self.lanes} lanes do not divide {self.sizes} channels")

    @property
    def folds(self) -> tuple[int, ...]:
        """Beats per position of each output."""
        return tuple(size // self.lanes for size in self.sizes)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.lanes),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return tuple(Stream((*self.shape[:2], size), self.dtype, self.lanes) for size in self.sizes)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        (x,) = codes
        return x[..., : self.sizes[0]], x[..., self.sizes[0] :]

    def schedule(self) -> Schedule:
        steps = np.arange(self.inputs[0].beats, dtype=np.int64)
        first = steps % sum(self.folds) < self.folds[0]
        gives = {0: Give(steps[first], latency=1, slots=2), 1: Give(steps[~first], latency=1, slots=2)}
        return (Process(len(steps), {0: steps}, gives),)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def parameters(self) -> dict[str, int]:
        return {"Positions": self.shape[0] * self.shape[1], "Folds0": self.folds[0], "Folds1": self.folds[1], "Width": self.inputs[0].width}

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in divisors(math.gcd(*self.sizes)):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        bits, size = area.index_bits(max(self.folds)), FAMILIES[family].lut_inputs
        yield Path("whose turn it is", levels=lut_levels(bits + 4, size), fanout=bits)
        yield from stream_paths.given(self.inputs[0].width, 2, 4, family)

    def resources(self, family: str) -> Resources:
        out = area.stream_out(self.inputs[0].width, 2, family)
        return area.total(out, out, area.counter(sum(self.folds), family), Resources(lut=8, ff=1))
