"""Distance of each element from the largest of its row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from dfcompile.device import area
from dfcompile.device.resources import Resources
from dfcompile.ir.intop import IntBelowMax
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts.arithmetic import clog2
from dfcompile.units.parts.rows import RowBuffer, row_stream
from dfcompile.units.parts.schedule import Schedule

_LATENCY = 2


@dataclass(frozen=True, eq=False)
class BelowMax(Unit):
    """(H, W, C) -> per position the largest channel minus each, at most `limit`."""

    kind: ClassVar[str] = "below_max"
    fold_fields: ClassVar[tuple[str, ...]] = ("lanes",)
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots", "Pages")

    shape: tuple[int, int, int]
    dtype: IntType
    limit: int
    lanes: int = 1
    ram_style: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")
        if self.dtype.bipolar or not 1 <= self.limit <= self.dtype.hi - self.dtype.lo:
            raise ValueError(f"distances of codes of {self.dtype} do not reach {self.limit}")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (row_stream(self.shape, self.dtype, self.lanes),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (row_stream(self.shape, IntType.holding(0, self.limit), self.lanes),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return IntBelowMax(self.limit).execute(codes[0].astype("float64"))

    @property
    def _rows(self) -> RowBuffer:
        return RowBuffer(self.shape[0] * self.shape[1], -(-self.shape[2] // self.lanes), clog2(self.lanes) + 2)

    def schedule(self) -> Schedule:
        return self._rows.schedule(_LATENCY, _LATENCY + 1)

    def hls_schedule(self) -> Schedule:
        return self._rows.loop.schedule(_LATENCY)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def parameters(self) -> dict[str, int]:
        return {
            "Channels": self.shape[2],
            "Lanes": self.lanes,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed),
            "Limit": self.limit,
            "OutBits": self.outputs[0].dtype.bits,
            "RamStyle": area.STYLE_CODES[self._style],
            "Slots": _LATENCY + 1,
            "Pages": self._rows.pages,
        }

    def hls_parameters(self) -> dict[str, int]:
        return {"Rows": self._rows.rows, **super().hls_parameters()}

    @property
    def _style(self) -> str:
        return area.ram_style(self._rows.pages * self._rows.beats, self.inputs[0].width, self.ram_style)

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    def resources(self, family: str) -> Resources:
        wide = self.dtype.bits + 1
        # A comparison is a carry chain at most.
        free, fixed = (min(area.compare(wide, constant, family).lut, area.adder(wide, family).lut) for constant in (False, True))
        larger = area.mux(wide, 2, family) + Resources(lut=free, ff=wide)
        below = area.adder(wide, family) + Resources(lut=fixed + self.outputs[0].dtype.bits)
        rows = self._rows.resources(self.inputs[0].width, wide, self._style, family)
        out = area.stream_out(self.outputs[0].width, _LATENCY + 1, family)
        return area.total(*[larger] * self.lanes, *[below] * self.lanes, rows, out, Resources(ff=2 * clog2(self.lanes)))
