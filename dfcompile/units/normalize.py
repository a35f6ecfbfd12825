"""Each element's share of the sum of its row, rounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.intop_row import ROUNDINGS, IntNormalize
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts import mac_area, stream_paths
from dfcompile.units.parts.arithmetic import clog2
from dfcompile.units.parts.rows import RowUnit

_WIDEST = 31  # bits of the odd part of a factor


@dataclass(frozen=True, eq=False)
class Normalize(RowUnit):
    """(H, W, C), per position: zero + min(round(x * factor / (sum of x * divisor)), most); see `IntNormalize`."""

    kind: ClassVar[str] = "normalize"
    signed_fields: ClassVar[tuple[str, ...]] = ("zero", "factor", "divisor")

    shape: tuple[int, int, int]
    dtype: IntType
    factor: int
    divisor: int
    most: int
    zero: int
    rounding: str
    out_dtype: IntType
    lanes: int = 1
    ram_style: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype.signed or self.dtype.bipolar or min(self.factor, self.divisor) < 1 or self.rounding not in ROUNDINGS:
            raise ValueError(f"no shares of codes of {self.dtype} by {self.factor} / {self.divisor}, rounded '{self.rounding}'")
        if not self.out_dtype.lo <= self.zero <= self.zero + self.most <= self.out_dtype.hi or self.out_dtype.bipolar:
            raise ValueError(f"{self.out_dtype} does not hold codes from {self.zero} to {self.zero + self.most}")
        if max(_odd(self.factor)[0], _odd(self.divisor)[0]) >= 1 << _WIDEST:
            raise ValueError(f"factors of more than {_WIDEST} bits")

    @cached_property
    def operator(self) -> IntNormalize:
        """What it computes."""
        return IntNormalize(self.factor, self.divisor, self.most, self.zero, self.rounding)

    @property
    def made(self) -> IntType:
        return self.out_dtype

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return self.operator.execute(*codes)

    @property
    def _bits(self) -> int:
        """Stages of the division."""
        return self.most.bit_length()

    @property
    def latency(self) -> int:
        return 3 + self._bits

    @property
    def delay(self) -> int:
        return clog2(self.lanes) + 3

    def parameters(self) -> dict[str, int]:
        (factor, up), (divisor, down) = _odd(self.factor), _odd(self.divisor)
        common = min(up, down)
        return {
            "Channels": self.shape[2],
            "Lanes": self.lanes,
            "InBits": self.dtype.bits,
            "Factor": factor,
            "FactorShift": up - common,
            "Divisor": divisor,
            "DivisorShift": down - common,
            "Rounding": ROUNDINGS.index(self.rounding),
            "Most": self.most,
            "Zero": self.zero % (1 << self.out_dtype.bits),
            "OutBits": self.out_dtype.bits,
            **self.buffer_parameters(),
        }

    def paths(self, family: str) -> Iterator[Path]:
        given, size = self.parameters(), FAMILIES[family].lut_inputs
        total = self.dtype.bits + clog2(self.shape[2])
        below = total + given["Divisor"].bit_length() + given["DivisorShift"]
        above = self.dtype.bits + given["Factor"].bit_length() + given["FactorShift"]
        wide = max(max(above, below) + 2, below + 1 + self._bits)
        yield from stream_paths.constant_sum("what is divided", given["Factor"].bit_count() + 1, wide, self.in_block)
        yield from stream_paths.constant_sum("what divides", given["Divisor"].bit_count(), below)
        yield Path("a stage of the division", levels=1, carries=(wide + 1,), fanout=wide)
        yield Path("whether nothing is left", levels=1 + lut_levels(2 * wide, size), fanout=2)
        yield Path("a share that is rounded", levels=2, carries=(self._bits,) * 2)
        yield from self.buffer_paths(family)

    def resources(self, family: str) -> Resources:
        given = self.parameters()
        total = self.dtype.bits + clog2(self.shape[2])
        below = total + given["Divisor"].bit_length() + given["DivisorShift"]
        above = self.dtype.bits + given["Factor"].bit_length() + given["FactorShift"]
        wide = max(max(above, below) + 2, below + 1 + self._bits)
        stage = area.adder(wide, family) + Resources(lut=FAMILIES[family].units.restore * wide, ff=wide + self._bits)
        adder = FAMILIES[family].costs.adder
        products = Resources(
            lut=adder * (self.lanes * above * (given["Factor"].bit_count() - 1) + below * (given["Divisor"].bit_count() - 1))
        )
        lane = area.total(
            *[stage] * self._bits, area.adder(wide, family), Resources(lut=2 * self._bits)
        )  # what the last stage leaves is not kept
        sums = area.total(
            mac_area.adder_tree(self.lanes, self.dtype.bits, total, family), area.adder(total, family), Resources(ff=total + below)
        )
        return area.total(*[lane] * self.lanes, products, sums, self.buffers(below, family), Resources(ff=self._bits * below))


def _odd(number: int) -> tuple[int, int]:
    """(odd part, how often 2 divides it)."""
    twos = (number & -number).bit_length() - 1
    return number >> twos, twos
