"""What the operators of the integer stage share: windows, ranges, what each says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dfcompile.ir.graph import Array, Tensor

Pair = tuple[int, int]
Quad = tuple[int, int, int, int]
Range = tuple[Array, Array]
"""Lowest and highest code of each channel."""


class IntOp(ABC):
    """An operator on integer codes of channels-last frames; subclasses are frozen dataclasses.

    streams, constants: how many of each it takes, streams first
    side_by_side: whether its streams are of one height and width
    """

    kind: ClassVar[str]
    streams: ClassVar[range] = range(1, 2)
    constants: ClassVar[int] = 0
    side_by_side: ClassVar[bool] = True

    @property
    def keeps_bipolar(self) -> bool:
        """Whether it only moves or picks codes, so that of codes -1 and +1 come no others."""
        return False

    def fits(self, streams: Sequence[Tensor], constants: Sequence[Array]) -> bool:
        """Whether so many streams and constants of integers go together in it: channels, shapes, places.

        The streams are of one height and width where it is `side_by_side`.
        """
        return True

    @abstractmethod
    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Shape of the output."""

    @abstractmethod
    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        """The output for a batch of frames, exact."""

    @abstractmethod
    def bounds(self, operands: tuple[Range, ...], constants: tuple[Array, ...]) -> Range:
        """Proven range of the output, from those of the streams and from the constant inputs, exact; in any dtype that holds it."""


class Elementwise(IntOp):
    """A code for each code of its first stream."""

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)


@dataclass(frozen=True)
class Window:
    """Geometry of a window that slides over a frame.

    pads are (top, left, bottom, right) around the stuffed picture and may be negative (cropping); `stuff` is the
    distance of neighbouring elements after zero-stuffing, (1, 1) for none.
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pads: Quad = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    stuff: Pair = (1, 1)

    @classmethod
    def check_fields(cls, values: Mapping[str, Any]) -> None:
        """ValueError for a window from outside without a size or with sizes that no frame has."""
        sizes = [n for k, v in values.items() if k != "pads" for n in v]
        if min(sizes) < 1 or max(sizes) > 2**28 or max(map(abs, values["pads"])) > 2**28:
            raise ValueError(f"there is no window of sizes {sizes} and pads {values['pads']}")

    def size(self, height: int, width: int) -> Pair:
        """Output height and width; ValueError when no window fits."""
        top, left, bottom, right = self.pads
        result = []
        for n, k, s, d, z, pad in zip(
            (height, width), self.kernel, self.stride, self.dilation, self.stuff, (top + bottom, left + right), strict=True
        ):
            free = (n - 1) * z + 1 + pad - (k - 1) * d - 1
            if free < 0:
                raise ValueError(f"a window of {self.kernel} does not fit into {height}x{width} with pads {self.pads}")
            result.append(free // s + 1)
        return result[0], result[1]

    @property
    def is_trivial(self) -> bool:
        """Whether the windows are the elements themselves, in order."""
        return self == Window()

    @property
    def has_pads(self) -> bool:
        return any(p > 0 for p in self.pads) or self.stuff != (1, 1)

    def widened(self, codes: Range, pad_code: int) -> Range:
        """Range of what it reads: the codes, and where it pads the code that it pads with."""
        lo, hi = codes
        return (np.minimum(lo, pad_code), np.maximum(hi, pad_code)) if self.has_pads else codes

    def inside(self, height: int, width: int) -> Array:
        """Which taps of which windows read an element: (oh, ow, kh, kw)."""
        return np.asarray(self.view(np.ones((1, height, width, 1)), 0.0)[0, :, :, 0] > 0)

    def __str__(self) -> str:
        parts = [f"kernel={self.kernel}"]
        plain = Window(self.kernel)
        parts += [f"{f}={getattr(self, f)}" for f in ("stride", "pads", "dilation", "stuff") if getattr(self, f) != getattr(plain, f)]
        return " ".join(parts)

    def view(self, x: Array, fill: float) -> Array:
        """Windows of a batch: (n, h, w, c) -> (n, oh, ow, c, kh, kw), without a copy when nothing is padded."""
        n, h, w, c = x.shape
        if self.stuff != (1, 1):
            stuffed = np.full((n, (h - 1) * self.stuff[0] + 1, (w - 1) * self.stuff[1] + 1, c), fill, x.dtype)
            stuffed[:, :: self.stuff[0], :: self.stuff[1]] = x
            x = stuffed
        top, left, bottom, right = self.pads
        x = x[:, max(-top, 0) : x.shape[1] - max(-bottom, 0), max(-left, 0) : x.shape[2] - max(-right, 0)]
        pads = [max(p, 0) for p in self.pads]
        if any(pads):
            x = np.pad(x, ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)), constant_values=fill)
        reach = ((self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1)
        windows = sliding_window_view(x, reach, axis=(1, 2))
        return windows[:, :: self.stride[0], :: self.stride[1], :, :: self.dilation[0], :: self.dilation[1]]
