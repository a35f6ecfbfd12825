"""Thresholds on a stream of integers: an activation function that does not follow a matrix product."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dfcompile.device.area import STYLE_CODES, stream_out, total
from dfcompile.device.delay import Path
from dfcompile.device.resources import Resources
from dfcompile.ir.requantization import Requantization
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Memory, Stream, Unit, quotients
from dfcompile.units.parts import mac_paths, threshold_area
from dfcompile.units.parts.arithmetic import threshold_styles
from dfcompile.units.parts.period import check_rows, period
from dfcompile.units.parts.schedule import Schedule, one_to_one
from dfcompile.units.parts.thresholding import Thresholding, check_steps


@dataclass(frozen=True, eq=False)
class Threshold(Unit):
    """code = lo + #{k : x >= T_k} for each element, with the thresholds of its channel.

    thresholds: (rows or 1, 2**out_dtype.bits - 1), rising; channel c has row c % rows, and rows divides channels
    flip:       (rows,), or (channels,) with one row of thresholds: code = hi - #{k : x >= T_k} where true; or None
    shape:      (H, W, channels)
    pe:         channels at once, at most all
    scaling:    the thresholds as a requantization, equal to them on every element that occurs; or None
    """

    kind: ClassVar[str] = "threshold"
    fold_fields: ClassVar[tuple[str, ...]] = ("pe",)
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots",)

    in_dtype: IntType
    out_dtype: IntType
    thresholds: Array
    flip: Array | None
    shape: tuple[int, int, int]
    pe: int = 1
    threshold_style: str = "auto"
    scaling: Requantization | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.pe <= self.shape[2]:
            raise ValueError(f"pe={self.pe} must be 1 to {self.shape[2]}, the channels")
        check_rows(self.thresholds, self.shape[2], "thresholds")

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit is what its types and sizes say."""
        check_steps(self.thresholds, self.flip, self.scaling, self.out_dtype, self._rows)

    @cached_property
    def _counting(self) -> Thresholding:
        return Thresholding(self.in_dtype, self.out_dtype, self.thresholds, self.flip, self.scaling)

    @cached_property
    def _stored(self) -> Thresholding:
        """Thresholds on the bit pattern's value: a bipolar input is compared as 0 or 1."""
        if not self.in_dtype.bipolar:
            return self._counting
        return self._counting.affine(2, np.array([-1]), IntType(1))

    @property
    def _rows(self) -> int:
        return self.shape[2] if len(self.thresholds) == 1 else len(self.thresholds)

    @property
    def _period(self) -> int:
        return period(self._rows, self.pe, self.shape[2])

    @property
    def _folds(self) -> int:
        return -(-self._period // self.pe)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.in_dtype, self.pe, self.shape[2]),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.out_dtype, self.pe, self.shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (self._counting.codes(codes[0].reshape(-1, self._rows)).reshape(codes[0].shape),)

    @property
    def latency(self) -> int:
        """Cycles from a beat's handshake to its valid output."""
        return 2 + self.out_dtype.bits

    @property
    def slots(self) -> int:
        """Beats in the output buffer: enough for one a cycle."""
        return self.latency + 1

    def schedule(self) -> Schedule:
        return one_to_one(self.inputs[0].beats, self.latency, self.slots)

    def parameters(self) -> dict[str, int]:
        h, w, channels = self.shape
        stored = self._stored
        return {
            "Vectors": h * w * channels // self._period,
            "Channels": self._period,
            "Pe": self.pe,
            "InBits": stored.acc.bits,
            "InSigned": int(stored.acc.signed),
            **stored.parameters(self.threshold_style),
            "OutBits": self.out_dtype.bits,
            "OutSigned": int(self.out_dtype.signed and not self.out_dtype.bipolar),
            "ThresholdsStyle": STYLE_CODES[self.threshold_style],
            "Slots": self.slots,
        }

    def memories(self) -> tuple[Memory, ...]:
        return (self._stored.tiled(self._period // self._rows).memory(self._period, self.pe, self.threshold_style),)

    def folded(self, **choice: Any) -> Self:
        made = super().folded(**choice)
        made.__dict__["_stored"] = self._stored  # does not depend on folding and styles, and is slow to find
        return made

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        for style in threshold_styles(self._stored.size, self._folds, family):
            yield {"threshold_style": style}

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        return {"thresholds": (self._stored.size, self._rows), "flip": None, "scaling": None}

    def foldings(self) -> Iterator[dict[str, int]]:
        for pe in quotients(self.shape[2]):
            yield {"pe": pe}

    def paths(self, family: str) -> Iterator[Path]:
        yield from mac_paths.step(self.inputs[0].width, self._folds, family)
        yield from mac_paths.thresholds(self._stored.size, self._folds, self.pe, self.threshold_style, family)

    def resources(self, family: str) -> Resources:
        return total(
            threshold_area.thresholds(self._stored.size, self._folds, self.pe, self.threshold_style, family),
            stream_out(self.outputs[0].width, self.slots, family),
            Resources(lut=2, ff=1 + self.inputs[0].width),
        )
