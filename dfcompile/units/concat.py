"""Channels of two streams side by side."""

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
class Concat(Unit):
    """(H, W, C0), (H, W, C1) -> (H, W, C0 + C1); chain them for more inputs.

    dtype:     of the output
    in_dtypes: of the inputs, dtype or narrower
    lanes:     divides each number of channels
    """

    kind = "concat"
    fold_fields = ("lanes",)

    shapes: tuple[tuple[int, int, int], ...]
    dtype: IntType
    lanes: int = 1
    in_dtypes: tuple[IntType, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.shapes) != 2:
            raise ValueError(f"a concat has two inputs, not {len(self.shapes)}: chain them for more")
        if self.in_dtypes is None:
            object.__setattr__(self, "in_dtypes", (self.dtype, self.dtype))
        if self.shapes[0][:2] != self.shapes[1][:2]:
            raise ValueError(f"frames of different size have no common channels: {self.shapes[0]}, {self.shapes[1]}")
        for shape, dtype in zip(self.shapes, self.types, strict=True):
            if shape[2] % self.lanes:
                raise ValueError(f"{self.lanes} lanes do not divide {shape[2]} channels")
            if dtype.lo < self.dtype.lo or dtype.hi > self.dtype.hi or (self.dtype.bipolar and not dtype.bipolar):
                raise ValueError(f"{self.dtype} does not hold {dtype}")

    @property
    def types(self) -> tuple[IntType, ...]:
        """Types of the inputs."""
        assert self.in_dtypes is not None  # since __post_init__
        return self.in_dtypes

    @property
    def folds(self) -> tuple[int, ...]:
        """Beats per position of each input."""
        return tuple(s[2] // self.lanes for s in self.shapes)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(s, t, self.lanes) for s, t in zip(self.shapes, self.types, strict=True))

    @property
    def outputs(self) -> tuple[Stream, ...]:
        h, w, _ = self.shapes[0]
        return (Stream((h, w, sum(s[2] for s in self.shapes)), self.dtype, self.lanes),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (np.concatenate(codes, axis=3),)

    def schedule(self) -> Schedule:
        steps = np.arange(self.outputs[0].beats, dtype=np.int64)
        first = steps % sum(self.folds) < self.folds[0]
        return (Process(len(steps), {0: steps[first], 1: steps[~first]}, {0: Give(steps, latency=1, slots=2)}),)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def parameters(self) -> dict[str, int]:
        a, b = self.types
        return {
            "Positions": self.shapes[0][0] * self.shapes[0][1],
            "Folds0": self.folds[0],
            "Folds1": self.folds[1],
            "Lanes": self.lanes,
            "Bits0": a.bits,
            "Signed0": int(a.signed),
            "Bipolar0": int(a.bipolar),
            "Bits1": b.bits,
            "Signed1": int(b.signed),
            "Bipolar1": int(b.bipolar),
            "OutBits": self.dtype.bits,
            "OutBipolar": int(self.dtype.bipolar),
        }

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in divisors(math.gcd(*(s[2] for s in self.shapes))):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        bits, size = area.index_bits(max(self.folds)), FAMILIES[family].lut_inputs
        yield Path("whose turn it is", levels=lut_levels(bits + 4, size), fanout=bits)
        yield Path("a beat of either", levels=1, fanout=self.outputs[0].width)
        yield from stream_paths.given(self.outputs[0].width, 2, 4, family)

    def resources(self, family: str) -> Resources:
        width = self.outputs[0].width
        return area.total(
            area.mux(width, 2, family), area.counter(sum(self.folds), family), area.stream_out(width, 2, family), Resources(lut=8, ff=1)
        )
