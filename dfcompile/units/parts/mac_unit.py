"""Units that multiply by constants."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from dfcompile.device.area import STYLE_CODES
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit
from dfcompile.units.parts.arithmetic import MacForm, hls_arithmetic, mac_modules
from dfcompile.units.parts.thresholding import START


class MacUnit(Unit):
    """A unit that multiplies by constant weights: `pe` results at a time from `simd` inputs each."""

    fold_fields: ClassVar[tuple[str, ...]] = ("pe", "simd")
    weights: Array
    weight_dtype: IntType
    pe: int
    simd: int
    arithmetic: str
    threshold_style: str

    @property
    @abstractmethod
    def form(self) -> MacForm:
        """How the hardware multiplies and what it compares with."""

    @property
    def modules(self) -> tuple[str, ...]:
        return (*super().modules, *mac_modules(self.arithmetic))

    def check_start(self, folds: int, steps: int) -> None:
        """ValueError unless sums of so many steps (0: no such sums), `folds` results of a lane in turn, can start with their thresholds."""
        if not steps or not self.form.starts(folds, steps, self.arithmetic):
            what = "sums of several steps or on carry chains, with one rising threshold for each of few results in turn"
            raise ValueError(f"threshold_style=start is of {what}")

    def hls_parameters(self) -> dict[str, int]:
        found = hls_arithmetic(super().hls_parameters())
        if self.threshold_style == START:  # C++ compares with the threshold
            found |= {"AccBits": self.form.products.acc.bits, "ThresholdsStyle": STYLE_CODES["auto"]}
        return found

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
