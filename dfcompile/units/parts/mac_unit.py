"""Units that multiply by constants."""

from __future__ import annotations

from typing import ClassVar

from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.arithmetic import hls_arithmetic, mac_modules


class MacUnit(Unit):
    """A unit that multiplies by constant weights: `pe` results at a time from `simd` inputs each."""

    fold_fields: ClassVar[tuple[str, ...]] = ("pe", "simd")
    weights: Array
    weight_dtype: IntType
    pe: int
    simd: int
    arithmetic: str

    @property
    def modules(self) -> tuple[str, ...]:
        return (*super().modules, *mac_modules(self.arithmetic))

    def hls_parameters(self) -> dict[str, int]:
        return hls_arithmetic(super().hls_parameters())

    @property
    def ported(self) -> str:
        return "Weights"

    def ports(self, field: str) -> tuple[Stream, ...]:
        return self.inputs if field == "simd" else self.outputs

    @property
    def weight_count(self) -> int:
        return self.weights.size

    @property
    def macs(self) -> int:
        h, w, _ = self.outputs[0].shape
        return h * w * self.weight_count

    @property
    def mac_lanes(self) -> int:
        return self.pe * self.simd
