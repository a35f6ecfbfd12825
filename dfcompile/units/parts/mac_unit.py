"""Units that multiply by constants."""

from __future__ import annotations

from typing import ClassVar

from dfcompile.units.base import Array, Stream, Unit


class MacUnit(Unit):
    """A unit that multiplies by constant weights: `pe` results at a time from `simd` inputs each."""

    fold_fields: ClassVar[tuple[str, ...]] = ("pe", "simd")
    weights: Array
    pe: int
    simd: int

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
