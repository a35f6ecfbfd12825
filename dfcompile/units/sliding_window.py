"""The window generator: pads, zero-stuffs and repeats pixels so that a convolution reads plain vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts import linebuffer
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import Schedule

Steps = NDArray[np.int64]

_HLS_LAG = 4
"""Iterations of the C++ loop from writing a word to reading it, so that a pipeline need not forward it."""
_HLS_LATENCY = 4


class Geometry(NamedTuple):
    """What decides when words move; `fold` is words per pixel."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]
    dilation: tuple[int, int]
    stuff: tuple[int, int]
    out: tuple[int, int]
    fold: int
    groups: int


@lru_cache(maxsize=4)
def _trace(g: Geometry) -> tuple[Steps, Steps]:
    """For each step the word it reads (-1: padding) and the oldest word that it or a later step may read."""
    rows, columns = (_taps(g, axis) for axis in (0, 1))
    pixel = rows[:, None, :, None] * g.size[1] + columns[None, :, None, :]
    real = (rows >= 0)[:, None, :, None] & (columns >= 0)[None, :, None, :]
    first = np.where(real, pixel * g.fold, -1)
    part = g.fold // g.groups
    offset = np.arange(g.fold).reshape(g.groups, 1, 1, part)
    reads = np.where(real[:, :, None, :, :, None], first[:, :, None, :, :, None] + offset, -1)
    lows, run = _lows(g)
    return reads.reshape(-1), lows.repeat(run)


def _taps(g: Geometry, axis: int) -> Steps:
    """(out, kernel) -> row or column of the frame, -1 where padding or stuffing is."""
    place = np.arange(g.out[axis])[:, None] * g.stride[axis] - g.before[axis]
    place = place + np.arange(g.kernel[axis]) * g.dilation[axis]
    real = (place >= 0) & (place % g.stuff[axis] == 0) & (place < g.size[axis] * g.stuff[axis])
    return np.where(real, place // g.stuff[axis], -1)


def _lows(g: Geometry) -> tuple[Steps, int]:
    """The oldest word needed, as the hardware moves it, and the steps for which each holds: a window's, or one if it is one tap."""
    start = [-(-(np.arange(g.out[a] + 1) * g.stride[a] - g.before[a]) // g.stuff[a]) for a in (0, 1)]
    row = start[0] * g.size[1] * g.fold
    column = start[1][:-1] * g.fold
    steps = g.kernel[0] * g.kernel[1] * g.fold
    fine = (g.kernel, g.groups, g.stuff) == ((1, 1), 1, (1, 1))
    within = np.arange(steps if fine else 1)
    first = max(column[0], 0)
    end = g.size[0] * g.size[1] * g.fold + max(row[0], 0) + first
    following = np.minimum(np.maximum(row[1:], 0) + first, end)
    low = np.maximum(row[:-1], 0)[:, None, None] + np.maximum(column[:, None] + within, 0)
    return np.minimum(low, following[:, None, None]).reshape(-1), steps // len(within)


def _first_taps(taps: Steps, size: int) -> tuple[Steps, Steps]:
    """For each row or column the first place of a window that holds it, and which tap it is there; NEVER if none does."""
    place, tap = np.full(size, linebuffer.NEVER), np.zeros(size, dtype=np.int64)
    at, which = np.nonzero(taps >= 0)
    found = taps[at, which]
    place[found[::-1]], tap[found[::-1]] = at[::-1], which[::-1]
    return place, tap


def _first_waits(g: Geometry) -> Steps:
    """For each word the first step that waits for it: of the first row and the first column of windows that hold it."""
    (oy, ky), (ox, kx) = (_first_taps(_taps(g, axis), g.size[axis]) for axis in (0, 1))
    part = g.fold // g.groups
    window = oy[:, None] * g.out[1] + ox[None, :]
    tap = ky[:, None] * g.kernel[1] + kx[None, :]
    group, channel = np.divmod(np.arange(g.fold), part)
    taps = g.kernel[0] * g.kernel[1]
    step = ((window[..., None] * g.groups + group) * taps + tap[..., None]) * part + channel
    used = (oy < linebuffer.NEVER)[:, None, None] & (ox < linebuffer.NEVER)[None, :, None]
    first: Steps = np.where(used, step, linebuffer.NEVER).reshape(-1)
    if first.min() > 0:  # padding comes first and waits for word 0
        first[0] = 0
    return first


@lru_cache(maxsize=1 << 16)
def _minimal_depth(g: Geometry) -> int:
    words = g.size[0] * g.size[1] * g.fold
    if g.out[0] * g.out[1] * g.kernel[0] * g.kernel[1] * g.fold >= words:  # without the trace, which may be long
        lows, run = _lows(g)
        return linebuffer.reader_depth(_first_waits(g), lows, run)
    return linebuffer.minimal_depth(*_trace(g), words)


def _loop(g: Geometry) -> Loop:
    return Loop(_first_waits(g), g.out[0] * g.out[1] * g.kernel[0] * g.kernel[1] * g.fold, _HLS_LAG)


@lru_cache(maxsize=1 << 16)
def _loop_size(g: Geometry) -> tuple[int, int]:
    """Lead of the C++ loop, and the words that its line buffer holds."""
    loop = _loop(g)
    return loop.lead, loop.most_held(*_lows(g))


@dataclass(frozen=True, eq=False)
class SlidingWindow(Unit):
    """(H, W, C) -> (OH, OW, KH*KW*C): all windows of a frame, each in one of three orders of its elements.

    The default order is (ky, kx, c); with `groups` g > 1 it is (group, ky, kx, c of the group); with `channels_outer`
    it is (c // simd, ky, kx, c % simd), which is groups of simd channels, the last perhaps narrower.

    simd:      channels of a group at once; lanes start again after each group's channels
    pads:      top, left, bottom, right; negative ones crop. A kernel of 1x1 makes the unit a plain pad, crop or
               subsampling.
    pad_value: code that stands for real 0
    stuff:     rows and columns that one element takes, as a transposed convolution has it: 2 puts one row of pad_value between
               two rows; pads count in the stuffed picture
    out_dtype: wider type of the windows, where dtype lacks a code for pad_value
    depth:     words of the line buffer, simd channels each; 0 is the fewest that lose no cycle
    style:     of the line buffer: "auto", "lutram", "bram"
    """

    kind = "sliding_window"
    fold_fields = ("simd",)
    signed_fields = ("pads", "pad_value")

    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]
    dtype: IntType
    pad_value: int = 0
    out_dtype: IntType | None = None
    channels_outer: bool = False
    groups: int = 1
    simd: int = 1
    depth: int = 0
    stuff: tuple[int, int] = (1, 1)
    style: str = "auto"

    def __post_init__(self) -> None:
        if self.out_dtype is None:
            object.__setattr__(self, "out_dtype", self.dtype)
        c = self.shape[2]
        if self.groups < 1 or c % self.groups or not 1 <= self.simd <= c // self.groups:
            raise ValueError(f"simd {self.simd} must be 1 to the channels of a group, {c} in {self.groups} groups")
        if self.channels_outer and self.groups != 1:
            raise ValueError("channels_outer already makes groups of simd channels")
        if min(*self.kernel, *self.stride, *self.dilation, *self.stuff) < 1 or min(self.out_size) < 1:
            raise ValueError(f"no window: kernel {self.kernel}, stride {self.stride}, pads {self.pads}, shape {self.shape}")
        self._check_values()

    def _check_values(self) -> None:
        out = self.windows
        if out.lo > self.dtype.lo or out.hi < self.dtype.hi or (out.bipolar and not self.dtype.bipolar):
            raise ValueError(f"{out} does not hold {self.dtype}")
        if self._has_padding and (not out.lo <= self.pad_value <= out.hi or (out.bipolar and self.pad_value == 0)):
            raise ValueError(f"{out} has no code {self.pad_value} to pad with")
        if self._pad_pattern >> 31:
            raise ValueError(f"padding with {self.pad_value} needs a type of at most 31 bits, this is {out}")
        if any((_taps(self._geometry, a) < 0).all() or -self.pads[a] >= self._stuffed[a] for a in (0, 1)):
            raise ValueError(f"no window holds a pixel: kernel {self.kernel}, stride {self.stride}, pads {self.pads}, shape {self.shape}")
        if self.depth and self.depth < (least := linebuffer.deadlock_depth(*self.trace)):
            raise ValueError(f"a line buffer of {self.depth} words never holds a window; {least} do")

    @property
    def windows(self) -> IntType:
        """Type of the output elements."""
        assert self.out_dtype is not None  # since __post_init__
        return self.out_dtype

    @property
    def _stuffed(self) -> tuple[int, int]:
        h, w, _ = self.shape
        return (h - 1) * self.stuff[0] + 1, (w - 1) * self.stuff[1] + 1

    @property
    def out_size(self) -> tuple[int, int]:
        """(OH, OW)."""
        top, left, bottom, right = self.pads
        total = (self._stuffed[0] + top + bottom, self._stuffed[1] + left + right)
        oh, ow = ((total[a] - (self.kernel[a] - 1) * self.dilation[a] - 1) // self.stride[a] + 1 for a in (0, 1))
        return oh, ow

    @property
    def _has_padding(self) -> bool:
        return bool((_taps(self._geometry, 0) < 0).any() or (_taps(self._geometry, 1) < 0).any())

    @property
    def _pad_pattern(self) -> int:
        return int(self.windows.encode(np.array([self.pad_value]))[0]) if self._has_padding else 0

    @property
    def _real_groups(self) -> int:
        return self._fold if self.channels_outer else self.groups

    @property
    def _fold(self) -> int:
        """Words of a pixel."""
        return self.groups * -(-self.shape[2] // self.groups // self.simd)

    @property
    def _geometry(self) -> Geometry:
        before, fold = self.pads[:2], self._fold
        return Geometry(self.shape[:2], self.kernel, self.stride, before, self.dilation, self.stuff, self.out_size, fold, self._real_groups)

    @property
    def tied_field(self) -> str:
        return "simd" if self.channels_outer else ""

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape, self.dtype, self.simd, self.shape[2] // self.groups),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        taps = self.kernel[0] * self.kernel[1]
        shape = (*self.out_size, taps * self.shape[2])
        return (Stream(shape, self.windows, self.simd, self.shape[2] // self.groups, taps if self.channels_outer else 1),)

    @property
    def trace(self) -> tuple[Steps, Steps]:
        """For each step the word it reads (-1: padding), and the oldest word that it or a later step may read."""
        return _trace(self._geometry)

    def minimal_depth(self) -> int:
        """Fewest words of line buffer with which a frame takes `cycles` when nothing stalls outside."""
        return _minimal_depth(self._geometry)

    @property
    def words(self) -> int:
        """Words of the line buffer, simd channels each."""
        return self.depth or self.minimal_depth()

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        picture, whole = self._picture(codes[0]), self.shape[2]
        if not self.channels_outer:
            return (self._windows(picture, self.groups),)
        whole -= whole % self.simd
        parts = [self._windows(picture[..., :whole], whole // self.simd)]
        if whole < self.shape[2]:
            parts.append(self._windows(picture[..., whole:], 1))
        return (np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0],)

    def _windows(self, picture: Array, g: int) -> Array:
        """All windows of a picture (n, height, width, c) in the order (g groups, ky, kx, c of the group)."""
        n, (oh, ow), (kh, kw), c = len(picture), self.out_size, self.kernel, picture.shape[3]
        s = picture.strides
        view = as_strided(
            picture,
            (n, oh, ow, g, kh, kw, c // g),
            (
                s[0], s[1] * self.stride[0], s[2] * self.stride[1], s[3] * (c // g),
                s[1] * self.dilation[0], s[2] * self.dilation[1], s[3],
            ),
            writeable=False,
        )  # fmt: skip
        if self.dilation[1] == 1 and g == 1 and s[2] == s[3] * c:  # a row of a window is one run of memory: a faster copy
            view = as_strided(picture, (n, oh, ow, kh, kw * c), (*view.strides[:3], view.strides[4], s[3]), writeable=False)
        return view.reshape(n, oh, ow, kh * kw * c)

    def _picture(self, x: Array) -> Array:
        """The frame with its padding and stuffing, or as it is where it has none."""
        (dy, dx), (top, left, bottom, right) = self.stuff, self.pads
        if (dy, dx) == (1, 1) and max(self.pads) <= 0:
            return x[:, max(-top, 0) : x.shape[1] - max(-bottom, 0), max(-left, 0) : x.shape[2] - max(-right, 0)]
        height, width = self._stuffed[0] + top + bottom, self._stuffed[1] + left + right
        dtype = np.result_type(x.dtype, np.int8) if x.dtype.kind == "u" and self.pad_value < 0 else x.dtype
        picture = np.full((len(x), height, width, x.shape[3]), self.pad_value, dtype=dtype)
        y0, x0 = -(-max(-top, 0) // dy), -(-max(-left, 0) // dx)
        target = picture[:, top + y0 * dy :: dy, left + x0 * dx :: dx]
        source = x[:, y0 : y0 + target.shape[1], x0 : x0 + target.shape[2]]
        target[:, : source.shape[1], : source.shape[2]] = source
        return picture

    @property
    def _even(self) -> bool:
        """Whether the oldest word that is needed moves by few constants (`dfc_window_room`)."""
        if self.stuff != (1, 1) or (self.kernel == (1, 1) and self._real_groups == 1):
            return False
        last = [(n - 1) * s - p for p, n, s in zip(self.pads, self.out_size, self.stride, strict=False)]
        return all(end < size for end, size in zip(last, self.shape, strict=False))

    @property
    def cycles(self) -> int:
        return max(self.inputs[0].beats, self.outputs[0].beats)

    def schedule(self) -> Schedule:
        return linebuffer.schedule(*self.trace, self.inputs[0].beats, self.words)

    def hls_schedule(self) -> Schedule:
        return _loop(self._geometry).schedule(_HLS_LATENCY)

    def hls_parameters(self) -> dict[str, int]:
        lead, depth = _loop_size(self._geometry)
        return {**super().hls_parameters(), "Depth": depth, "RamStyle": self._ram_style(depth), "Lead": lead, "Lag": _HLS_LAG}

    def _ram_style(self, words: int) -> int:
        return area.STYLE_CODES[area.ram_style(words, self.inputs[0].width, self.style)]

    def parameters(self) -> dict[str, int]:
        h, w, c = self.shape
        top, left, _, _ = self.pads
        return {
            "Height": h,
            "Width": w,
            "Channels": c,
            "KernelH": self.kernel[0],
            "KernelW": self.kernel[1],
            "StrideH": self.stride[0],
            "StrideW": self.stride[1],
            "DilationH": self.dilation[0],
            "DilationW": self.dilation[1],
            "StuffH": self.stuff[0],
            "StuffW": self.stuff[1],
            "PadTop": max(top, 0),
            "PadLeft": max(left, 0),
            "CropTop": max(-top, 0),
            "CropLeft": max(-left, 0),
            "OutHeight": self.out_size[0],
            "OutWidth": self.out_size[1],
            "Groups": self._real_groups,
            "Simd": self.simd,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed),
            "InBipolar": int(self.dtype.bipolar),
            "OutBits": self.windows.bits,
            "OutBipolar": int(self.windows.bipolar),
            "PadValue": self._pad_pattern,
            "Depth": self.words,
            "RamStyle": self._ram_style(self.words),
        }

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        for style in area.ram_styles(self.words, family):
            yield {"style": style}

    def foldings(self) -> Iterator[dict[str, int]]:
        for simd in quotients(self.shape[2] // self.groups):
            yield {"simd": simd}

    def paths(self, family: str) -> Iterator[Path]:
        index = area.index_bits(self.inputs[0].beats + self.words) + 1
        if self._even:
            yield Path("the next word of its buffer", levels=2, carries=(area.index_bits(self.words) + 1,) * 2)
            yield Path("words that are written beyond a tap's", levels=1, carries=(index + 1,))
        else:
            yield Path("the words that are free in its buffer", levels=2, carries=(index, index))
        yield Path("a word of its buffer", levels=1, memory=self._ram_style(self.words) >= area.STYLE_CODES["bram"], fanout=2)

    def resources(self, family: str) -> Resources:
        counts = (*self.out_size, *self.kernel, self._fold)
        counted = sum(area.index_bits(n) for n in counts if n > 1)
        index, padded = area.index_bits(self.inputs[0].beats) + 1, self._has_padding
        # Counters, and sums and comparisons of word numbers: fitted on the calibration sweep.
        rates = FAMILIES[family].units
        if self._even:
            lut, ff = (8.5 * index + 4.2 * counted + 12 * padded) * rates.room, 2.2 * index + 3.7 * counted + 16 * padded
        else:
            lut, ff = (13.2 * index + 5.6 * counted + 25 * padded) * rates.window, 3.1 * index + 4.6 * counted + 11 * padded
        logic = Resources(lut=lut, ff=ff)
        stuffed = area.total(*(area.counter(2 * n, family) * 3 for n in self.stuff if n > 1))
        padding = area.mux(self.outputs[0].width, 2, family) if padded else Resources()
        return area.total(logic, stuffed, padding, area.ram(self.words, self.inputs[0].width, self.style, family))
