"""Elementwise product of two streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts import mac_area, mac_paths
from dfcompile.units.parts.carrier import widened
from dfcompile.units.parts.schedule import Schedule, one_to_one

_LATENCY = 2
# Yosys and Vivado put products of this many bits into DSP slices.


@dataclass(frozen=True, eq=False)
class Multiply(Unit):
    """a * b, elementwise and exact; out_dtype holds every product."""

    kind = "multiply"
    fold_fields = ("lanes",)

    shape: tuple[int, int, int]
    in_dtypes: tuple[IntType, IntType]
    out_dtype: IntType | None = None
    lanes: int = 1

    def __post_init__(self) -> None:
        if self.out_dtype is None:
            object.__setattr__(self, "out_dtype", IntType.holding(*self.range))
        lo, hi = self.range
        if self.products.bipolar or self.products.lo > lo or self.products.hi < hi:
            raise ValueError(f"{self.products} does not hold products from {lo} to {hi}")
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")

    @property
    def products(self) -> IntType:
        """Type of the output."""
        assert self.out_dtype is not None  # since __post_init__
        return self.out_dtype

    @property
    def range(self) -> tuple[int, int]:
        """Least and largest product."""
        a, b = self.in_dtypes
        ends = [p * q for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
        return min(ends), max(ends)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(self.shape, t, self.lanes, self.shape[2]) for t in self.in_dtypes)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.products, self.lanes, self.shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        a, b = (widened(x, *self.range) for x in codes)
        return (a * b,)

    def schedule(self) -> Schedule:
        return one_to_one(self.outputs[0].beats, latency=_LATENCY, slots=_LATENCY + 1, inputs=2)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def parameters(self) -> dict[str, int]:
        found = {"Beats": self.outputs[0].beats, "Lanes": self.lanes}
        for i, dtype in enumerate(self.in_dtypes):
            found |= {f"Bits{i}": dtype.bits, f"Signed{i}": int(dtype.signed), f"Bipolar{i}": int(dtype.bipolar)}
        return found | {"OutBits": self.products.bits}

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        a, b = self.in_dtypes
        yield from mac_paths.product(a.bits, b.bits, family)

    def resources(self, family: str) -> Resources:
        lane = mac_area.product(*(t.bits for t in self.in_dtypes), family)
        return area.total(*[lane] * self.lanes, area.stream_out(self.outputs[0].width, _LATENCY + 1, family), Resources(lut=8, ff=1))
