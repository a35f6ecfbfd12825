"""Table lookup: an elementwise function that is not monotone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.device.area import STYLE_CODES, counter, rom, rom_style, stream_out, total
from dfcompile.device.delay import Path, rom_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Memory, Stream, Unit, check_codes, pack_words, quotients
from dfcompile.units.parts.carrier import carrier
from dfcompile.units.parts.period import check_rows, period
from dfcompile.units.parts.schedule import Schedule, one_to_one


@dataclass(frozen=True, eq=False)
class Lookup(Unit):
    """out = table[c, x - base] for each element x of channel c.

    table: (rows or 1, entries) integers of out_dtype, channel c has row c % rows, and rows divides channels; base is the code of entry 0
    shape: (H, W, channels)
    pe:    channels at once, at most all; every lane has its own copy of its channels' tables
    """

    kind: ClassVar[str] = "lookup"
    fold_fields: ClassVar[tuple[str, ...]] = ("pe",)
    signed_fields: ClassVar[tuple[str, ...]] = ("base",)
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots",)

    in_dtype: IntType
    out_dtype: IntType
    table: Array
    base: int
    shape: tuple[int, int, int]
    pe: int = 1
    table_style: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.pe <= self.shape[2]:
            raise ValueError(f"pe={self.pe} must be 1 to {self.shape[2]}, the channels")
        check_rows(self.table, self.shape[2], "tables")

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit is what its types and sizes say."""
        check_codes(self.table, self.out_dtype, (None, None), "a table")

    @property
    def _shared(self) -> bool:
        return len(self.table) == 1

    @property
    def _period(self) -> int:
        return self.shape[2] if self._shared else period(len(self.table), self.pe, self.shape[2])

    @property
    def _folds(self) -> int:
        return 1 if self._shared else -(-self._period // self.pe)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.in_dtype, self.pe, self.shape[2]),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.out_dtype, self.pe, self.shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        index = codes[0].astype(np.int64) - self.base
        table = self.table.astype(carrier(codes[0], self.out_dtype.lo, self.out_dtype.hi))
        if self._shared:
            return (table[0][index],)
        return (table[np.arange(self.shape[2]) % len(table), index],)

    @property
    def latency(self) -> int:
        """Cycles from a beat's handshake to its valid output."""
        return 3

    @property
    def slots(self) -> int:
        """Beats in the output buffer: enough for one a cycle."""
        return self.latency + 1

    def schedule(self) -> Schedule:
        return one_to_one(self.inputs[0].beats, self.latency, self.slots)

    def parameters(self) -> dict[str, int]:
        h, w, channels = self.shape
        return {
            "Vectors": h * w * channels // self._period,
            "Channels": self._period,
            "Pe": self.pe,
            "InBits": self.in_dtype.bits,
            "OutBits": self.out_dtype.bits,
            "Shared": int(self._shared),
            "TableStyle": STYLE_CODES[self._style],
            "Slots": self.slots,
        }

    @property
    def _style(self) -> str:
        return rom_style(self._folds << self.in_dtype.bits, self.out_dtype.bits, self.table_style)

    def memories(self) -> tuple[Memory, ...]:
        """One memory, an entry a word, at (lane * folds + fold) * 2**in_bits + pattern; one lane and fold for a shared table."""
        entries = self.in_dtype.decode(np.arange(1 << self.in_dtype.bits, dtype=np.uint64)) - self.base
        full = self.table[:, np.clip(entries, 0, self.table.shape[1] - 1)]
        if not self._shared:
            full = np.tile(full, (self._period // len(full), 1))
            full = np.pad(full, ((0, self._folds * self.pe - len(full)), (0, 0)), mode="edge")
        words = full.reshape(self._folds, -1, len(entries)).transpose(1, 0, 2).reshape(-1, 1)
        depth = self._folds << self.in_dtype.bits
        return (Memory("Table", self.out_dtype.bits, pack_words(words, self.out_dtype), self._style, (depth,), self.pe),)

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        yield from ({"table_style": "lut"}, {"table_style": "bram"})

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        return {"table": self.table.shape}

    def foldings(self) -> Iterator[dict[str, int]]:
        for pe in quotients(self.shape[2]):
            yield {"pe": pe}

    def paths(self, family: str) -> Iterator[Path]:
        if self._style in ("bram", "uram"):
            yield Path("a table's word", memory=True, stores=True)
        else:
            depth = self._folds << self.in_dtype.bits
            yield Path("a table", levels=rom_levels(depth, FAMILIES[family].lut_inputs), fanout=self.out_dtype.bits)

    def resources(self, family: str) -> Resources:
        lane = rom(self._folds << self.in_dtype.bits, self.out_dtype.bits, self._style, family)
        return total(
            *(lane for _ in range(self.pe)),
            stream_out(self.outputs[0].width, self.slots, family),
            counter(self._folds, family),
            Resources(lut=5, ff=self.latency + self.inputs[0].width),
        )
