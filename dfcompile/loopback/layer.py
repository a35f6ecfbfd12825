"""Layers: the one form in which the engine computes anything, between the integer graph and descriptors.

Every layer is a window of taps over operand planes, joined by addition, maximum or minimum with constant
weights, and a result by thresholds or the sum itself. Convolution, pooling, addition, padding and copies differ in their weights only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.intop import Window
from dfcompile.ir.requantization import Requantization
from dfcompile.loopback.descriptor import AccOp
from dfcompile.loopback.storage import Ints


@dataclass(frozen=True, eq=False)
class Kernel:
    """Weights (oc, kh, kw, ic / groups) of grouped convolution; every elementwise operator has groups = channels."""

    weights: Ints
    groups: int

    @property
    def span(self) -> tuple[int, int]:
        """(output channels, input channels) of a group."""
        return self.weights.shape[0] // self.groups, self.weights.shape[3]

    def inputs(self, outs: Ints) -> tuple[int, int]:
        """The first and the last input channel that output channels read."""
        of, per = self.span
        return int(outs.min()) // of * per, int(outs.max()) // of * per + per - 1

    def block(self, outs: Ints, ins: Ints) -> Ints:
        """Weights (len(outs), kh, kw, len(ins)) between slots; zero where unconnected or a gap."""
        of, per = self.span
        group = np.where(outs >= 0, outs // of, -1)
        index = ins[None, :] - group[:, None] * per
        linked = (outs >= 0)[:, None] & (ins >= 0)[None, :] & (index >= 0) & (index < per)
        rows = self.weights[np.maximum(outs, 0)]
        picked = np.take_along_axis(rows, np.clip(index, 0, per - 1)[:, None, None, :], axis=3)
        return np.asarray(np.where(linked[:, None, None, :], picked, 0))

    def digits(self, bits: int = 8) -> int:
        """Digits of a weight, signed and of so many bits each."""
        lo, hi, half = int(self.weights.min(initial=0)), int(self.weights.max(initial=0)), 1 << (bits - 1)
        ones = [(1 << bits * d) // (2 * half - 1) for d in range(1, 64 // bits + 1)]  # of every digit
        return next(d for d, one in enumerate(ones, 1) if -half * one <= lo and hi <= (half - 1) * one)

    def sums(self) -> Ints:
        """Sum of each output channel's weights."""
        return np.asarray(self.weights.sum(axis=(1, 2, 3)))


def identity(channels: int, factor: int = 1, kernel: tuple[int, int] = (1, 1)) -> Kernel:
    """factor * x of each channel by itself, summed over a window."""
    return Kernel(np.full((channels, *kernel, 1), factor, np.int64), channels)


@dataclass(frozen=True, eq=False)
class Stored(Kernel):
    """Rows of a tensor in the place of constants: layers before wrote them to external memory, from where they come as weights.

    weights: zeros of the shape (rows, 1, 1, terms), as nothing is known of them
    words:   of each channel word of a row the buffer that has it, row after row; terms beyond the last are 0 there
    first:   row of the buffers that is the first
    planes, pitch, shift: as of `Storage`, pitch the rows from one plane to the next
    lifted:  whether its numbers are codes; else what storage keeps of them
    """

    words: tuple[str, ...]
    first: int
    planes: int
    pitch: int
    shift: int
    lifted: bool = True

    def digits(self, bits: int = 8) -> int:
        return self.planes

    def sums(self) -> Ints:
        """What the shifts of weights add up to: the array adds the rest of what they are multiplied by."""
        rows, _, _, terms = self.weights.shape
        return np.full(rows, terms * self.shift if self.lifted else 0, np.int64)


@dataclass(frozen=True, eq=False)
class Operand:
    """A tensor that a layer reads, all its planes, with its weights."""

    tensor: str
    kernel: Kernel


@dataclass(frozen=True, eq=False)
class Steps:
    """Thresholds of a result: code = (count ^ flip) * step + lowest.

    thresholds: (channels or 1, n) rising; flip: (channels or 1,)
    table: (channels or 1, n + 1) or None; code = table[count], for functions that neither rise nor fall
    scaling: the same function as a product, where the engine computes it so; n is then 2**bits - 1
    """

    thresholds: Ints
    flip: Array
    lowest: int
    step: int = 1
    table: Ints | None = None
    scaling: Requantization | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """dst[place] = result(op over taps of sum of operands + offset); MUL: product of two operands; ARGMAX: channel of one.

    offset: one, or one for each output channel
    pad:   code outside the picture
    size:  output height and width
    place: (first row, first column, row step, column step) of the outputs in dst: phases of upsampling
    root:  (bits of the inverse root, exponent of the rest that is started from) where the result is one; see `Compute`
    filled: weights of each output that fill up rows of windows (pack.py), and are no multiplications of the network
    source: names of nodes of the integer graph
    """

    name: str
    dst: str
    operands: tuple[Operand, ...]
    window: Window
    size: tuple[int, int]
    op: AccOp = AccOp.ADD
    offset: int | Ints = 0
    pad: int = 0
    steps: Steps | None = None
    place: tuple[int, int, int, int] = (0, 0, 1, 1)
    root: tuple[int, int] | None = None
    filled: int = 0
    source: tuple[str, ...] = ()

    def with_steps(self, steps: Steps, dst: str, source: str) -> Layer:
        return replace(self, steps=steps, dst=dst, source=(*self.source, source))

    @property
    def macs(self) -> int:
        """Multiplications of an image."""
        return self.size[0] * self.size[1] * sum(o.kernel.weights.size - self.filled * len(o.kernel.weights) for o in self.operands)
