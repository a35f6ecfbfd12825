"""A sum of two scaled streams and the quantizer behind it, from tables: no multiplier, one shift and a clip."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path, lut_levels, rom_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Memory, Stream, Unit, check_codes, pack_words, quotients
from dfcompile.units.parts import stream_paths
from dfcompile.units.parts.carrier import carrier
from dfcompile.units.parts.schedule import Schedule, one_to_one

LOW_BITS = 3
"""Of each operand: together they choose the entry of the first table."""
HIGH_BITS = 5
"""Of each operand at most: they choose the entry of a table of its own. With a bit of the sum before it, inputs of a 6-input LUT."""
SIZES = (1 << 2 * LOW_BITS, 1 << HIGH_BITS, 1 << HIGH_BITS)
_LATENCY = 4
_CLIP = 3
"""Cycles more of a unit that clips: registers that are reset below the codes, and others that are set above them."""


def places(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The entry of each of the three tables, from the bit patterns of two operands."""
    low = (1 << LOW_BITS) - 1
    return (a & low) | ((b & low) << LOW_BITS), a >> LOW_BITS, b >> LOW_BITS


@dataclass(frozen=True, eq=False)
class TableAdd(Unit):
    """pattern of the code = clip((tables[0][low bits of a and b] + tables[1][high bits of a] + tables[2][high bits of b]) >> shift).

    tables:    64, 32 and 32 integers; those of the first two are not negative
    in_dtypes: of at most 8 bits
    shape:     (H, W, channels)
    """

    kind: ClassVar[str] = "table_add"
    fold_fields: ClassVar[tuple[str, ...]] = ("lanes",)

    shape: tuple[int, int, int]
    in_dtypes: tuple[IntType, IntType]
    out_dtype: IntType
    tables: Array
    shift: int = 0
    lanes: int = 1

    def __post_init__(self) -> None:
        if max(t.bits for t in self.in_dtypes) > LOW_BITS + HIGH_BITS or self.out_dtype.bipolar:
            raise ValueError(f"no tables for {self.in_dtypes[0]} and {self.in_dtypes[1]} to {self.out_dtype}")
        if not 1 <= self.lanes <= self.shape[2]:
            raise ValueError(f"{self.lanes} lanes for {self.shape[2]} channels")

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit is what its types and sizes say."""
        check_codes(self.tables, IntType(31, True), (sum(SIZES),), "tables")
        if min(p.min() for p in self._parts[:2]) < 0:
            raise ValueError("first tables of a sum that are negative")

    @property
    def _parts(self) -> tuple[Array, Array, Array]:
        first, second, third = np.split(self.tables.astype(np.int64), np.cumsum(SIZES[:2]))
        return first, second, third

    @property
    def _widths(self) -> tuple[int, int, int]:
        """Bits of the first table, of its sum with the second, both unsigned, and of all three, signed, around the middle code."""
        first, second, third = self._parts
        most, middle = int(first.max() + second.max()), self._middle
        whole = IntType.holding(min(int(third.min()) - middle, -1), most + int(third.max()) - middle)
        codes = self.shift + self.out_dtype.bits
        return max(1, int(first.max()).bit_length()), max(1, most.bit_length()), max(whole.bits, codes)

    @property
    def _middle(self) -> int:
        """What is taken off the sum in hardware: signed codes are its highest bits as they are."""
        return 1 << self.shift + self.out_dtype.bits - 1

    @property
    def _clips(self) -> bool:
        return self._widths[2] > self.shift + self.out_dtype.bits

    @property
    def _latency(self) -> int:
        return _LATENCY + _CLIP * self._clips

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(self.shape, t, self.lanes, self.shape[2]) for t in self.in_dtypes)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.out_dtype, self.lanes, self.shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        patterns = [t.encode(c).astype(np.int64) for t, c in zip(self.in_dtypes, codes, strict=True)]
        total = sum(t[at] for t, at in zip(self._parts, places(*patterns), strict=True))
        pattern = np.clip(total >> self.shift, 0, (1 << self.out_dtype.bits) - 1)
        return ((pattern + self.out_dtype.lo).astype(carrier(codes[0], self.out_dtype.lo, self.out_dtype.hi)),)

    def schedule(self) -> Schedule:
        return one_to_one(self.outputs[0].beats, latency=self._latency, slots=self._latency + 1, inputs=2)

    def parameters(self) -> dict[str, int]:
        first, second, whole = self._widths
        bits = {f"Bits{i}": t.bits for i, t in enumerate(self.in_dtypes)}
        sums = {"FirstBits": first, "SecondBits": second, "SumBits": whole, "Shift": self.shift}
        out = {"OutBits": self.out_dtype.bits, "OutSigned": int(self.out_dtype.signed)}
        return {"Beats": self.outputs[0].beats, "Lanes": self.lanes, **bits, **sums, **out}

    def memories(self) -> tuple[Memory, ...]:
        """One memory: the first table, then the second and the third negated, which are subtracted; the third around the middle code."""
        first, second, third = self._parts
        dtype = IntType(self._widths[2], signed=True)
        return (Memory("Table", dtype.bits, pack_words(np.concatenate([first, -second, self._middle - third])[:, None], dtype), "lut"),)

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        return {"tables": self._widths}

    def foldings(self) -> Iterator[dict[str, int]]:
        for lanes in quotients(self.shape[2]):
            yield {"lanes": lanes}

    def paths(self, family: str) -> Iterator[Path]:
        first, second, whole = self._widths
        size = FAMILIES[family].lut_inputs
        yield Path("the first table", levels=rom_levels(SIZES[0], size), fanout=first)
        yield Path("a table that is taken off", levels=rom_levels(SIZES[1], size), carries=(max(second, whole),), fanout=whole)
        above = max(1, whole - self.shift - self.out_dtype.bits)
        yield Path("the clip", levels=lut_levels(above + 2, size), stores=True, fanout=self.out_dtype.bits)
        yield from stream_paths.given(self.outputs[0].width, self._latency + 1, 3, family)

    def resources(self, family: str) -> Resources:
        first, second, whole = self._widths
        entries = 1 << FAMILIES[family].lut_inputs
        # A LUT6 has a table of 5 inputs and the adder behind it; smaller ones make a table as many of them as there are entries.
        bit = 1 if entries > SIZES[1] else 1 + SIZES[1] // entries
        a, b = (max(0, t.bits - LOW_BITS) for t in self.in_dtypes)
        lane = Resources(lut=first * SIZES[0] // entries + (second + whole) * bit, ff=first + second + whole - self.shift + a + 2 * b)
        clip = Resources(ff=3 * self.out_dtype.bits + 3) * self._clips
        turn = Resources(lut=int(not self.out_dtype.signed))  # of the highest bit
        out = area.stream_out(self.outputs[0].width, self._latency + 1, family)
        return area.total(*[lane, clip, turn] * self.lanes, out, Resources(lut=5, ff=3 + _CLIP * self._clips))
