"""Counting thresholds: how an accumulator becomes an activation code.

code pattern = #{k : a >= T_k}, bitwise complemented for channels with a falling function, and with the top bit
inverted for signed outputs (offset binary to two's complement). There are always 2**bits - 1 thresholds a channel,
rising, so the hardware is a binary search: one stage for each output bit, with a memory of 2**stage entries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.requantization import LARGEST_SHIFT, Requantization
from dfcompile.ir.types import IntType, signed_dtype
from dfcompile.jit import compiled
from dfcompile.units.base import Memory, pack_words
from dfcompile.units.parts.carrier import widened
from dfcompile.units.parts.digits import digit_steps

Array = NDArray[Any]
MULTIPLIERS = {"multiply": 0, "multiply18": 18, "multiply25": 25, "multiply27": 27}
"""Styles that multiply by DSP slices, and the bits of the wider operand of one, the other having 18: what has more is made of pieces."""
SCALED = (*MULTIPLIERS, "shift_add")
"""Styles that multiply by DSP slices or by shifts and adds, add, shift and clip: stages of the search, three or more."""
SCALED_BITS = 3  # least bits of a code for them
START = "start"
"""Style of one threshold of rising functions: sums start with minus it, and their sign is the code."""
PICKED = 32
"""Results of a lane in turn up to which sums can start so: words that no register stands behind."""
JOINED = 16
"""Entries of a stage's memory in LUTs up to which no register stands between it and the comparison."""
LATE = 128
"""Entries of a stage's memory in LUTs from which the bit that was found last chooses between two words, which are registered; those
from which it is in block RAM where that is asked for."""
DEEP = 1024
"""Entries of a stage's memory from which it is in block RAM; behind the second stage two words are read early, and one is registered."""
_NARROW = 18  # bits of a multiplier's narrower operand
_SCAN_LIMIT = 15  # thresholds a channel up to which comparing with all of them beats the binary search


@compiled
def _scan(acc: Array, steps: Array, base: Array, slope: Array, out: Array) -> None:
    """out[m, c] = base[c] + slope[c] * #{k : acc[m, c] >= steps[k, c]}."""
    rows, channels = acc.shape
    nothing = slope.dtype.type(0)
    for m in range(rows):
        for c in range(channels):
            out[m, c] = base[c]
        for k in range(steps.shape[0]):
            for c in range(channels):
                out[m, c] += slope[c] if acc[m, c] >= steps[k, c] else nothing


@compiled
def _search(acc: Array, steps: Array, base: Array, slope: Array, out: Array) -> None:
    """As `_scan`, by binary search; steps is (channels, 2**bits - 1)."""
    rows, channels = acc.shape
    half = (steps.shape[1] + 1) // 2
    for m in range(rows):
        for c in range(channels):
            value = acc[m, c]
            count = 0
            width = half
            while width > 0:
                if value >= steps[c, count + width - 1]:
                    count += width
                width //= 2
            out[m, c] = base[c] + slope[c] * count


class StageMemory(Enum):
    """What a stage's thresholds come out of: one is a constant; JOINED: LUTs without a register; LATE_, EARLY_WORD: one of two words."""

    CONSTANT = "constant"
    JOINED = "joined"
    LUTS = "lut"
    LATE_WORD = "late"
    BLOCK = "block"
    EARLY_WORD = "early"

    @classmethod
    def of(cls, stage: int, folds: int, style: str) -> StageMemory:
        """Of a stage, counted from 0, in `dfc_threshold_core`."""
        depth = 1 << (folds - 1).bit_length() + stage
        if depth == 1:
            return cls.CONSTANT
        kind = style if style not in ("auto", "bram") else "bram" if depth >= (DEEP if style == "auto" else LATE) else "lut"
        if kind == "lut" and depth <= JOINED:
            return cls.JOINED
        if kind in ("bram", "uram"):
            return cls.EARLY_WORD if stage > 1 and kind == "bram" and depth >= DEEP else cls.BLOCK
        return cls.LATE_WORD if stage > 0 and kind == "lut" and depth >= LATE else cls.LUTS


@dataclass(frozen=True)
class ScaleStages:
    """How `dfc_threshold_scale` finds a product: pieces of accumulator and factor, and what stands between them.

    wide:     bits of a piece of each, themselves where there is one
    operands: whether both are registered in front; parts, rows: registers behind pieces, and between the two steps that join them
    product:  stages up to the product
    """

    pieces: tuple[int, int]
    wide: tuple[int, int]
    operands: bool
    parts: bool
    rows: bool
    product: int

    @classmethod
    def of(cls, style: str, acc: int, factor: int, out: int) -> ScaleStages:
        """Of an accumulator and a factor of so many bits, both signed, for codes of `out` bits."""
        if style == "shift_add":
            return cls((1, 1), (acc, factor), False, False, False, min(digit_steps(factor), out - 2))
        width = MULTIPLIERS[style]
        bits = (acc, factor)
        limits = (acc, factor) if not width else (width, _NARROW) if acc >= factor else (_NARROW, width)
        a, f = (1 if n <= most else 1 + (n - 2) // (most - 1) for n, most in zip(bits, limits, strict=True))
        split = a * f > 1
        parts, operands, rows = split and out >= 4, out >= 4 + split, a > 1 and f > 1 and out >= 6
        wide = limits[0] if a > 1 else acc, limits[1] if f > 1 else factor
        return cls((a, f), wide, operands, parts, rows, 1 + parts + operands + rows)


def check_steps(thresholds: Array | None, flip: Array | None, scaling: Requantization | None, out: IntType, channels: int) -> None:
    """ValueError unless thresholds, flips and their requantization, where there are any, are integers for so many channels."""
    if scaling is not None:
        parts = (scaling.multiplier, scaling.offset, scaling.base)
        whole = all(p.dtype.kind in "iu" and p.shape in ((1,), (channels,)) for p in parts) and 0 <= scaling.shift <= LARGEST_SHIFT
        if thresholds is None or not whole or len({p.shape for p in parts}) > 1:
            raise ValueError(f"a requantization that is none of {channels} channels")
        if scaling.offset.min() < 0 or int(scaling.offset.max()) >> scaling.shift:
            raise ValueError(f"offsets of a requantization beyond its shift by {scaling.shift}")
    if flip is not None and (thresholds is None or flip.shape != (channels,)):
        raise ValueError(f"flips of shape {flip.shape} for {channels} channels")
    if thresholds is None:
        return
    if thresholds.ndim != 2 or len(thresholds) not in (1, channels) or not np.array_equal(thresholds, np.rint(thresholds)):
        raise ValueError(f"thresholds of shape {thresholds.shape} for {channels} channels, or no integers")
    Thresholding(out, out, thresholds, flip)


@dataclass(frozen=True)
class ScalingSize:
    """What the area of a requantization depends on; digits: mean number of a multiplier's digits of two bits that are not 0.

    falls: whether any multiplier is negative
    """

    factor_bits: int
    offset_bits: int
    shift: int
    shared: bool
    digits: float
    falls: bool


@dataclass(frozen=True)
class ThresholdSize:
    """What the area of a threshold core depends on; acc, out, bits: of what is compared, of a code, of a threshold."""

    acc: int
    out: int
    bits: int
    shared: bool
    flips: bool
    scaling: ScalingSize | None


@dataclass(frozen=True, eq=False)
class Thresholding:
    """Thresholds of one unit.

    acc:        type of what is compared
    out:        type of the codes
    thresholds: (channels or 1, 2**out.bits - 1), rising along the second axis; one row serves all channels
    flip:       (channels,) true where the function falls, or None
    scaling:    the same as a product, where there is one: what the styles of SCALED do instead of comparing
    """

    acc: IntType
    out: IntType
    thresholds: Array
    flip: Array | None = None
    scaling: Requantization | None = None

    def __post_init__(self) -> None:
        steps = (1 << self.out.bits) - 1
        if self.thresholds.ndim != 2 or self.thresholds.shape[1] != steps:
            raise ValueError(f"{self.out} needs {steps} thresholds a channel, given an array of shape {self.thresholds.shape}")
        if np.any(np.diff(self.thresholds, axis=1) < 0):
            raise ValueError("the thresholds of a channel must rise")

    @cached_property
    def clipped(self) -> NDArray[np.int64]:
        """Thresholds within [lo, hi + 1] of the accumulator's type: same codes, narrowest words."""
        return np.clip(self.thresholds, self.acc.lo, self.acc.hi + 1).astype(np.int64)

    @cached_property
    def flips(self) -> bool:
        """Whether any channel falls."""
        return self.flip is not None and bool(np.any(self.flip))

    def within(self, least: Array, most: Array) -> Thresholding:
        """The same on what lies between two ends, of each channel or of all: no threshold is further away than it need be."""
        if len(self.thresholds) == 1:
            least, most = least.min(keepdims=True), most.max(keepdims=True)
        return replace(self, thresholds=np.clip(self.thresholds, least[:, None], most[:, None] + 1))

    @property
    def shared(self) -> bool:
        """Whether one row of words serves all channels and lanes."""
        return len(self.thresholds) == 1 and (self.flip is None or bool(np.all(self.flip == self.flip.flat[0])))

    @cached_property
    def dtype(self) -> IntType:
        """Type of a stored threshold: as signed as the accumulator, perhaps one bit wider."""
        lo, hi = int(self.clipped.min()), int(self.clipped.max())
        if not self.acc.signed:
            return IntType(max(1, hi.bit_length()))
        return IntType(IntType.holding(min(lo, -1), hi).bits, signed=True)

    @cached_property
    def code_dtype(self) -> np.dtype[Any]:
        """The numpy dtype of the codes: a narrow one, as most of what is done with them is to move them."""
        return signed_dtype(self.out.lo, self.out.hi)

    @cached_property
    def size(self) -> ThresholdSize:
        """What the area depends on."""
        s = self.scaling
        scaling = ScalingSize(s.factor_bits, s.offset_bits, s.shift, s.shared, s.digits, bool(np.any(s.multiplier < 0))) if s else None
        return ThresholdSize(self.acc.bits, self.out.bits, self.dtype.bits, self.shared, self.flips, scaling)

    def parameters(self, style: str) -> dict[str, int]:
        """What a word of the memory is: a threshold, or a multiplier with an offset above it."""
        if style in SCALED:
            assert self.scaling is not None, "scaled styles are offered only where there is a scaling"
            bits, offset = self.scaling.factor_bits, self.scaling.offset_bits
            found = {"ThreshBits": bits + offset, "ThreshFactorBits": bits, "ThreshShift": self.scaling.shift}
            return found | {"ThreshShared": int(self.scaling.shared), "Flip": 0}
        found = {"ThreshBits": self.dtype.bits, "ThreshFactorBits": 0, "ThreshShift": 0}
        return found | {"ThreshShared": int(self.shared), "Flip": int(self.flips)}

    def _scaled_memory(self, scaling: Requantization, channels: int, lanes: int, groups: int) -> Memory:
        """One multiplier and offset a word, at lane * folds + fold, folds being padded to a power of two."""
        copies = lanes
        if scaling.shared:
            channels = lanes = groups = 1
        size = channels // groups
        folds = -(-size // lanes)
        width, depth = scaling.factor_bits + scaling.offset_bits, 1 << (groups * folds - 1).bit_length()
        image = np.zeros((lanes * depth, -(-width // 8)), np.uint8)
        for c, word in enumerate(scaling.words(channels)):
            group, row = divmod(c, size)
            image[row % lanes * depth + group * folds + row // lanes] = list(word.to_bytes(image.shape[1], "little"))
        return Memory("Thresholds", width, image, banks=(depth,), lanes=copies)

    def memory(self, channels: int, lanes: int, style: str, groups: int = 1) -> Memory:
        """One threshold a word, at (lane * 2**out.bits + node) * folds + fold, folds being padded to a power of two.

        Each of `groups` groups of channels takes ceil(channels of it / lanes) folds; lanes without a channel hold zeros.
        Nodes are those of the search tree in heap order from 1; node 0 holds the channel's flip bit. It and each level are banks.
        """
        if style in SCALED:
            assert self.scaling is not None, "scaled styles are offered only where there is a scaling"
            return self._scaled_memory(self.scaling, channels, lanes, groups)
        copies, style = lanes, "auto" if style == START else style
        if self.shared:
            channels = lanes = groups = 1
        table = np.broadcast_to(self.clipped, (channels, self.clipped.shape[1]))
        flip = self._flip(channels).astype(np.int64)[:, None]
        nodes = np.concatenate([flip, table[:, heap_order(self.out.bits)]], axis=1)
        size = channels // groups
        rows = np.zeros((groups, -(-size // lanes) * lanes, nodes.shape[1]), np.int64)
        rows[:, :size] = nodes.reshape(groups, size, -1)
        nodes = rows.reshape(-1, nodes.shape[1])
        folds = len(nodes) // lanes
        depth = 1 << (folds - 1).bit_length()
        words = np.zeros((lanes, nodes.shape[1], depth), np.int64)
        words[:, :, :folds] = nodes.reshape(folds, lanes, -1).transpose(1, 2, 0)
        banks = (depth, *(depth << level for level in range(self.out.bits)))
        return Memory("Thresholds", self.dtype.bits, pack_words(words.reshape(-1, 1), IntType(self.dtype.bits)), style, banks, copies)

    def _flip(self, channels: int) -> NDArray[np.bool_]:
        if self.flip is None:
            return np.zeros(channels, bool)
        return np.broadcast_to(self.flip[:channels].astype(bool), (channels,))

    def rows(self, channels: int) -> Thresholding:
        """The same with one row a channel."""
        full = np.repeat(self.thresholds, channels // len(self.thresholds), axis=0)
        return Thresholding(self.acc, self.out, full, self.flip, self.scaling)

    def tiled(self, times: int) -> Thresholding:
        """The same for so many times the channels, which have these rows again and again."""
        if times == 1:
            return self
        flip = None if self.flip is None else np.tile(self.flip, times)
        return Thresholding(self.acc, self.out, np.tile(self.thresholds, (times, 1)), flip, self.scaling and self.scaling.tiled(times))

    def affine(self, scale: int, offset: Array, acc: IntType) -> Thresholding:
        """The same on a carrier b of type `acc`, where a = scale * b + offset (scale > 0; offset one or a channel each).

        a >= T is b >= ceil((T - offset) / scale).
        """
        full = self if len(offset) == 1 else self.rows(len(offset))
        scaling = self.scaling.affine(scale, offset) if self.scaling else None
        return Thresholding(acc, self.out, -((offset[:, None] - full.thresholds) // scale), self.flip, scaling)

    @cached_property
    def _tables(self) -> dict[tuple[np.dtype[Any], int], tuple[Array, Array, Array]]:
        return {}

    def _table(self, dtype: np.dtype[Any], channels: int) -> tuple[Array, Array, Array]:
        """Thresholds in kernel order, in the carrier's dtype, with base and slope of each channel."""
        key = (dtype, channels)
        if key not in self._tables:
            steps = np.broadcast_to(self.clipped, (channels, self.clipped.shape[1])).astype(dtype)
            steps = np.ascontiguousarray(steps.T if steps.shape[1] <= _SCAN_LIMIT else steps)
            unit = 2 if self.out.bipolar else 1
            flip = self._flip(channels)
            base = np.where(flip, self.out.hi, self.out.lo).astype(self.code_dtype)
            slope = np.where(flip, -unit, unit).astype(self.code_dtype)
            self._tables[key] = steps, base, slope
        return self._tables[key]

    def codes(self, acc: Array) -> Array:
        """(..., channels) accumulators within the type's range -> codes of the same shape."""
        flat = np.ascontiguousarray(widened(acc, self.acc.lo, self.acc.hi + 1)).reshape(-1, acc.shape[-1])
        out = np.empty(flat.shape, self.code_dtype)
        self.codes_into(flat, out)
        return out.reshape(acc.shape)

    def codes_into(self, acc: Array, out: Array) -> None:
        """As `codes` for two different C-contiguous (rows, channels) arrays, `out` of `code_dtype`."""
        steps, base, slope = self._table(acc.dtype, acc.shape[1])
        (_scan if (1 << self.out.bits) - 1 <= _SCAN_LIMIT else _search)(acc, steps, base, slope, out)


def heap_order(bits: int) -> NDArray[np.int64]:
    """Index of the threshold at each node 1 .. 2**bits - 1 of the search tree.

    Node 2**j + i is asked in stage j when the bits found so far are i: is the count at least (2i + 1) * 2**(bits-1-j)?
    """
    return np.concatenate([((2 * np.arange(1 << j) + 1) << (bits - 1 - j)) - 1 for j in range(bits)])
