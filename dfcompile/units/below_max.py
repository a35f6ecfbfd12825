"""Distance of each element from the largest of its row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.resources import Resources
from dfcompile.ir.intop import IntBelowMax
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.arithmetic import clog2
from dfcompile.units.parts.rows import RowUnit


@dataclass(frozen=True, eq=False)
class BelowMax(RowUnit):
    """(H, W, C) -> per position the largest channel minus each, at most `limit`."""

    kind: ClassVar[str] = "below_max"

    shape: tuple[int, int, int]
    dtype: IntType
    limit: int
    lanes: int = 1
    ram_style: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype.bipolar or not 1 <= self.limit <= self.dtype.hi - self.dtype.lo:
            raise ValueError(f"distances of codes of {self.dtype} do not reach {self.limit}")

    @property
    def made(self) -> IntType:
        return IntType.holding(0, self.limit)

    @property
    def latency(self) -> int:
        return 2

    @property
    def delay(self) -> int:
        return clog2(self.lanes) + 2

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return IntBelowMax(self.limit).execute(codes[0].astype(np.float64))

    def parameters(self) -> dict[str, int]:
        return {
            "Channels": self.shape[2],
            "Lanes": self.lanes,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed),
            "Limit": self.limit,
            "OutBits": self.made.bits,
            **self.buffer_parameters(),
        }

    def paths(self, family: str) -> Iterator[Path]:
        wide = self.dtype.bits + 1
        yield from stream_paths.chosen("the largest so far", wide)
        yield Path("how far one is below it", levels=1, carries=(wide, wide), memory=self.in_block, fanout=self.made.bits)
        yield from self.buffer_paths(family)

    def resources(self, family: str) -> Resources:
        wide = self.dtype.bits + 1
        # A comparison is a carry chain at most.
        free, fixed = (min(area.compare(wide, constant, family).lut, area.adder(wide, family).lut) for constant in (False, True))
        larger = area.mux(wide, 2, family) + Resources(lut=free, ff=wide)
        below = area.adder(wide, family) + Resources(lut=fixed + self.made.bits)
        lanes = [larger + below] * self.lanes
        return area.total(*lanes, self.buffers(wide, family), Resources(ff=2 * clog2(self.lanes)))
