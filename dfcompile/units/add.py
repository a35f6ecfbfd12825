"""Weighted sum of two streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.carrier import widened
from dfcompile.units.parts.schedule import Schedule, one_to_one

_FACTOR_BITS = 62


def _is_shift(factor: int) -> bool:
    return abs(factor) & (abs(factor) - 1) == 0


@dataclass(frozen=True, eq=False)
class Add(Unit):
    """factors[0] * a + factors[1] * b + offset, elementwise and exact.

    factors, offset: integers of at most 62 bits and a sign
    out_dtype:       holds every sum that can occur
    """

    kind = "add"
    fold_fields = ("lanes",)
    signed_fields = ("factors", "offset")

    shape: tuple[int, int, int]
    in_dtypes: tuple[IntType, IntType]
    factors: tuple[int, int] = (1, 1)
    offset: int = 0
    out_dtype: IntType | None = None
    lanes: int = 1

    def __post_init__(self) -> None:
        if self.out_dtype is None:
            object.__setattr__(self, "out_dtype", IntType.holding(*self.range))
        lo, hi = self.range
        if self.sums.bipolar or self.sums.lo > lo or self.sums.hi < hi:
            raise ValueError(f"{self.sums} does not hold sums from {lo} to {hi}")
        if max(map(abs, (*self.factors, self.offset))) >> _FACTOR_BITS:
            raise ValueError(f"factors {self.factors} and offset {self.offset} must be of at most {_FACTOR_BITS} bits")
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")

    @property
    def sums(self) -> IntType:
        """Type of the output."""
        assert self.out_dtype is not None  # since __post_init__
        return self.out_dtype

    @property
    def range(self) -> tuple[int, int]:
        """Least and largest sum."""
        ends = [sorted((f * t.lo, f * t.hi)) for f, t in zip(self.factors, self.in_dtypes, strict=True)]
        return self.offset + ends[0][0] + ends[1][0], self.offset + ends[0][1] + ends[1][1]

    @property
    def latency(self) -> int:
        """Cycles from the operands to the sum: real products have a register of their own."""
        return 1 if all(map(_is_shift, self.factors)) else 2

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(self.shape, t, self.lanes, self.shape[2]) for t in self.in_dtypes)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.sums, self.lanes, self.shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        most = sum(abs(f) * max(-t.lo, t.hi) for f, t in zip(self.factors, self.in_dtypes, strict=True)) + abs(self.offset)
        a, b = (widened(x, -most, most) for x in codes)
        found = (a if self.factors[0] == 1 else a * a.dtype.type(self.factors[0])) + (
            b if self.factors[1] == 1 else b * b.dtype.type(self.factors[1])
        )
        return (found + found.dtype.type(self.offset) if self.offset else found,)

    def schedule(self) -> Schedule:
        return one_to_one(self.outputs[0].beats, latency=self.latency, slots=self.latency + 1, inputs=2)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def parameters(self) -> dict[str, int]:
        found = {"Beats": self.outputs[0].beats, "Lanes": self.lanes}
        for i, (factor, dtype) in enumerate(zip(self.factors, self.in_dtypes, strict=True)):
            found |= {f"Bits{i}": dtype.bits, f"Signed{i}": int(dtype.signed), f"Bipolar{i}": int(dtype.bipolar)}
            found |= _number(f"Factor{i}", factor)
        return found | _number("Offset", self.offset) | {"OutBits": self.sums.bits}

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        bits, terms = self.sums.bits, 2 + (self.offset != 0)
        signs = max((abs(f) ^ 3 * abs(f)).bit_count() for f in self.factors)  # signed digits that are not 0
        if self.latency > 1:
            yield from stream_paths.constant_sum("a product with a constant", signs, bits)
        if FAMILIES[family].lut_inputs > 4:
            yield Path("a sum", levels=terms - 2, carries=(bits,) * (terms - 1))
        else:  # three numbers become two in front of one chain
            yield Path("a sum", levels=2 * (terms - 2), carries=(bits,))
        yield from stream_paths.given(self.outputs[0].width, self.latency + 1, 3, family)

    def resources(self, family: str) -> Resources:
        bits = self.sums.bits
        terms = [Resources() if _is_shift(f) else _product(f, bits, family) for f in self.factors]
        count = 2 if self.offset else 1
        lane = area.total(*[area.adder(bits, family)] * count, *terms)
        return area.total(*[lane] * self.lanes, area.stream_out(self.outputs[0].width, self.latency + 1, family), Resources(lut=3))


def _number(name: str, value: int) -> dict[str, int]:
    """A signed integer of 62 bits as three parameters."""
    return {f"{name}Low": abs(value) & 0x7FFFFFFF, f"{name}High": abs(value) >> 31, f"{name}Negative": int(value < 0)}


def _product(factor: int, bits: int, family: str) -> Resources:
    """A product with a constant as shifts and adds, and its register."""
    adders = max(1, (bin(abs(factor)).count("1") + 1) // 2)
    return area.total(*[area.adder(bits, family)] * adders, Resources(ff=bits))
