"""Each element over the root of its row's mean square."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from dfcompile.device import area
from dfcompile.device.area import index_bits
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.intop_row import IntStandardize, Moments
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts import mac_area, mac_paths
from dfcompile.units.parts.arithmetic import clog2
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.rows import RowUnit
from dfcompile.units.parts.schedule import Schedule

PIECE = 17
"""Bits of a root that are multiplied in one step: what a multiplier of 18 bits takes of an unsigned number."""
_HALF = 31  # bits of each half of epsilon


@dataclass(frozen=True, eq=False)
class Standardize(RowUnit):
    """(H, W, C), per position: floor(d * root / 2**drop); see `IntStandardize`."""

    kind: ClassVar[str] = "standardize"
    rtl_parameters: ClassVar[tuple[str, ...]] = (*RowUnit.rtl_parameters, "Roots")
    signed_fields: ClassVar[tuple[str, ...]] = ("epsilon",)

    shape: tuple[int, int, int]
    dtype: IntType
    centred: bool
    bits: int
    drop: int
    epsilon: int
    shift: int
    out_dtype: IntType
    lanes: int = 1
    ram_style: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype.bipolar or not self.operator.is_bounded:
            raise ValueError(f"no root of squares of codes of {self.dtype} to {self.bits} bits, epsilon {self.epsilon} / 2**{self.shift}")
        most = self.operator.limit(self.shape[2])
        if not self.out_dtype.lo <= -most - 1 <= most <= self.out_dtype.hi or self.out_dtype.bipolar:
            raise ValueError(f"{self.out_dtype} does not hold results from {-most - 1} to {most}")

    @cached_property
    def operator(self) -> IntStandardize:
        """What it computes."""
        return IntStandardize(self.centred, self.bits, self.drop, self.epsilon, self.shift)

    @cached_property
    def _moments(self) -> Moments:
        return Moments.of(self.centred, self.shape[2], self.dtype.lo, self.dtype.hi)

    @property
    def made(self) -> IntType:
        return self.out_dtype

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return self.operator.execute(*codes)

    @cached_property
    def _root_bits(self) -> int:
        return max(1, self.operator.root(self._moments.least).bit_length())

    @property
    def _epsilon(self) -> tuple[int, int]:
        """Epsilon and its binary places, so many that the square of the first bit of a root is a whole part of what a root is found of."""
        more = max(0, 2 * self._root_bits - 2 * self.bits - self.shift)
        return self.epsilon << more, self.shift + more

    @property
    def _pieces(self) -> int:
        return -(-self._root_bits // PIECE)

    @property
    def _beats(self) -> int:
        return -(-self.shape[2] // self.lanes)

    @property
    def _roots(self) -> int:
        """Units that find roots, so many that a row finds one free."""
        return -(-(self._root_bits + 1) // self._beats)

    @property
    def latency(self) -> int:
        return 3 + self._pieces

    @property
    def delay(self) -> int:
        return clog2(self.lanes) + self._root_bits + 6

    @property
    def _square_bits(self) -> int:
        """Of V and epsilon; their sum has a bit more."""
        return max(1, self._moments.most.bit_length(), (self.epsilon >> self.shift).bit_length())

    @property
    def _rest_bits(self) -> int:
        """Of 4 * rest and of 4 * root * w + w, w the largest sum of squares and epsilon."""
        shift = self._epsilon[1]
        most = 2 << self._square_bits + shift
        first = 2 * (self.bits - self._root_bits) + shift + 2
        return max(first, (8 * math.isqrt(most << 2 * self.bits + shift) + 4 * most).bit_length()) + 1

    def parameters(self) -> dict[str, int]:
        epsilon, shift = self._epsilon
        return {
            "Channels": self.shape[2],
            "Lanes": self.lanes,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed),
            "Centred": int(self.centred),
            "Bits": self.bits,
            "Drop": self.drop,
            "Shift": shift,
            "EpsilonHigh": epsilon >> _HALF,
            "EpsilonLow": epsilon & ((1 << _HALF) - 1),
            "SquareBits": self._square_bits,
            "RootBits": self._root_bits,
            "RestBits": self._rest_bits,
            "OutBits": self.out_dtype.bits,
            "Roots": self._roots,
            **self.buffer_parameters(),
        }

    @property
    def _lag(self) -> int:
        """Iterations of the C++ from a row's last beat to its first step: one for each bit of a root, and those for sums and products."""
        return self._root_bits + 8

    def hls_parameters(self) -> dict[str, int]:
        return {**super().hls_parameters(), "Lag": self._lag}

    def hls_schedule(self) -> Schedule:
        index = np.arange(self.inputs[0].beats, dtype=np.int64)
        return Loop(index // self._beats * self._beats, len(index), self._lag).schedule(self.latency)

    def paths(self, family: str) -> Iterator[Path]:
        d = self.dtype.bits + 1 + (clog2(self.shape[2]) + 1 if self.centred else 0)
        yield from mac_paths.product(d, min(PIECE, self._root_bits) + 1, family)
        yield Path("a bit of a root", levels=1, carries=(self._rest_bits,), fanout=2 * self._rest_bits)

    def resources(self, family: str) -> Resources:
        n, own = self.shape[2], self.dtype.bits
        total, sums = 2 * own + clog2(n), own + clog2(n)
        root, rest, square = self._root_bits, self._rest_bits, self._square_bits
        kept = sums if self.centred else 0  # of a row's sum
        times = n.bit_count() - 1 if self.centred else 0  # additions of a product with n
        adder = FAMILIES[family].costs.adder
        trees = mac_area.adder_tree(self.lanes, own, sums, family) + mac_area.adder_tree(self.lanes, 2 * own, total, family)
        row = area.total(
            *[mac_area.product(own, own, family)] * self.lanes, trees, area.adder(sums, family), area.adder(total, family),
            area.adder(square, family), area.adder(square + self.shift, family), Resources(lut=adder * times * square),
            Resources(ff=(2 if self.centred else 1) * square + 2 * kept), mac_area.product(sums, sums, family) * int(self.centred),
        )  # fmt: skip
        # A subtraction, and an addition for each step that may follow; below a root's square everything is 0 that epsilon has as 0.
        epsilon, shift = self._epsilon
        varied = rest - min(shift, (epsilon & -epsilon).bit_length() - 1) if epsilon else rest - shift
        found = area.total(*[area.adder(varied, family)] * 3, Resources(lut=varied, ff=2 * varied))
        unit = found + Resources(ff=2 * square + 4 + kept + root + index_bits(root + 2))
        d = sums + 2 if self.centred else own + 1
        pieces = [mac_area.product(d, min(PIECE, root - PIECE * i) + 1, family) for i in range(self._pieces)]
        added = [area.adder(d + PIECE, family) + Resources(ff=d + PIECE * (i + 1)) for i in range(1, self._pieces)]
        lane = area.total(*pieces, *added, area.adder(d, family), Resources(lut=adder * times * d, ff=d))
        chosen = area.mux(root + kept, self._roots, family) if self._roots > 1 else Resources()
        return area.total(row, *[unit] * self._roots, *[lane] * self.lanes, chosen, Resources(ff=root), self.buffers(root + kept, family))
