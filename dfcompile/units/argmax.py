"""Index of the largest channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, divisors
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.schedule import Give, Process, Schedule


@dataclass(frozen=True, eq=False)
class Argmax(Unit):
    """(H, W, C) -> (H, W, 1): per position the index of the largest channel; of equal ones the first, or the last with
    select_last.
    """

    kind = "argmax"
    fold_fields = ("pe",)

    shape: tuple[int, int, int]
    dtype: IntType
    out_dtype: IntType | None = None
    pe: int = 1
    select_last: bool = False

    def __post_init__(self) -> None:
        if self.out_dtype is None:
            object.__setattr__(self, "out_dtype", IntType.holding(0, self.shape[2] - 1))
        if self.shape[2] % self.pe:
            raise ValueError(f"pe {self.pe} does not divide {self.shape[2]} channels")
        if self.index.hi < self.shape[2] - 1 or self.index.bipolar:
            raise ValueError(f"{self.index} does not hold the index of {self.shape[2]} channels")

    @property
    def index(self) -> IntType:
        """Type of the output."""
        assert self.out_dtype is not None  # since __post_init__
        return self.out_dtype

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.pe),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream((*self.shape[:2], 1), self.index, 1),)

    @property
    def slots(self) -> int:
        return 1 if self.pe < self.shape[2] else 2

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        (x,) = codes
        if self.select_last:
            return (self.shape[2] - 1 - np.argmax(x[..., ::-1], axis=3)[..., None],)
        return (np.argmax(x, axis=3)[..., None],)

    def schedule(self) -> Schedule:
        fold = self.shape[2] // self.pe
        takes = np.arange(self.inputs[0].beats, dtype=np.int64)
        return (Process(len(takes), {0: takes}, {0: Give(takes[fold - 1 :: fold], latency=1, slots=self.slots)}),)

    def parameters(self) -> dict[str, int]:
        h, w, c = self.shape
        return {
            "Positions": h * w,
            "Channels": c,
            "Pe": self.pe,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed and not self.dtype.bipolar),
            "OutBits": self.index.bits,
            "SelectLast": int(self.select_last),
        }

    def foldings(self) -> Iterator[dict[str, int]]:
        for pe in divisors(self.shape[2]):
            yield {"pe": pe}

    def paths(self, family: str) -> Iterator[Path]:
        ways = 1 + area.index_bits(self.pe) * (self.pe > 1)
        yield from stream_paths.chosen("the best of some channels", self.dtype.bits, ways=ways)
        yield from stream_paths.given(self.index.bits, self.slots, 2 + area.index_bits(self.shape[2] // self.pe), family)

    def resources(self, family: str) -> Resources:
        bits = area.index_bits(self.shape[2])
        chosen = FAMILIES[family].units.argmax if self.pe > 1 else 0.8  # LUTs of a bit of the better one and its index
        compare = area.compare(self.dtype.bits, False, family) + area.mux(self.dtype.bits, 2, family) * chosen
        best = Resources(ff=self.dtype.bits + bits)
        out = area.stream_out(self.index.bits, self.slots, family)
        return area.total(*[compare] * self.pe, best, area.counter(self.shape[2], family), out, Resources(lut=10))
