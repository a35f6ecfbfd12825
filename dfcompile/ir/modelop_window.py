"""Pooling and reductions of the model stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dfcompile.ir.graph import Tensor
from dfcompile.ir.modelop_base import Array, ModelOp, check_axis, shown_shape, sized
from dfcompile.ir.modelop_linear import check_window, tap


@dataclass(frozen=True)
class _Pool(ModelOp):
    """A window over one or two spatial axes of x[N, C, *S]; pads: begin of each axis, then end of each."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0].shape
        if len(x) not in (3, 4) or len(self.kernel) != len(x) - 2 or min(self.kernel) < 1:
            raise ValueError(f"a pooling window {shown_shape(self.kernel)} does not fit a tensor of shape {shown_shape(x)}")
        check_window(self.strides, self.pads, self.dilations, len(x) - 2)
        return (sized(*x[:2], *self.out(x[2:])),)

    def out(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Windows along each spatial axis."""
        n = len(size)
        found = []
        for i in range(n):
            room = size[i] + self.pads[i] + self.pads[n + i] - self.dilations[i] * (self.kernel[i] - 1) - 1
            if room < 0:
                raise ValueError(f"the window {shown_shape(self.kernel)} is larger than the padded input {shown_shape(size)}")
            count = room // self.strides[i] + 1
            if self.ceil_mode and room % self.strides[i]:
                # A window that would start in the padding at the end does not count (ONNX, as in torch).
                count += count * self.strides[i] < size[i] + self.pads[i]
            found.append(count)
        return tuple(found)

    def taps(self, x: Array, value: float) -> list[Array]:
        """The elements at each position of the window, for all windows; outside of x there is `value`."""
        return self.taps_of(x, self.pads, self.out(x.shape[2:]), value)

    def taps_of(self, x: Array, pads: tuple[int, ...], count: tuple[int, ...], value: float) -> list[Array]:
        """As `taps`, with other padding and a given number of windows along each axis."""
        size, n = x.shape[2:], x.ndim - 2
        reach = [(c - 1) * s + d * (k - 1) + 1 for c, s, d, k in zip(count, self.strides, self.dilations, self.kernel, strict=True)]
        ends = [max(0, r - pads[i] - size[i]) for i, r in enumerate(reach)]
        x = np.pad(x, [(0, 0), (0, 0), *((pads[i], ends[i]) for i in range(n))], constant_values=value)
        places = itertools.product(*map(range, self.kernel))
        return [tap(x, tuple(i * d for i, d in zip(k, self.dilations, strict=True)), self.strides, count) for k in places]


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Largest element of each window; padding never wins."""

    kind: ClassVar[str] = "max_pool"

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        first, *rest = self.taps(inputs[0], -np.inf)
        best = first.copy()
        for part in rest:
            np.maximum(best, part, out=best)
        return (best,)


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Mean of each window, over its elements inside x, or (count_include_pad) inside x and its padding."""

    count_include_pad: bool = False
    kind: ClassVar[str] = "average_pool"

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        total = np.add.reduce(self.taps(inputs[0], 0.0))
        return (np.asarray(total / self.divisors(inputs[0].shape[2:])),)

    def divisors(self, size: tuple[int, ...]) -> Array:
        """Number of elements that each window averages, shape: windows along each spatial axis."""
        n = len(size)
        pads = self.pads if self.count_include_pad else (0,) * 2 * n
        counted = np.ones((1, 1, *(s + pads[i] + pads[n + i] for i, s in enumerate(size))))
        begin = (0,) * 2 * n if self.count_include_pad else self.pads
        total: Array = np.add.reduce(self.taps_of(counted, begin, self.out(size), 0.0))
        return np.asarray(total[0, 0])


REDUCE: dict[str, Callable[..., Array]] = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}
"""Reductions by name."""


@dataclass(frozen=True)
class Reduce(ModelOp):
    """A function of `REDUCE` over some axes, all after the batch axis."""

    fn: str
    axes: tuple[int, ...]
    keepdims: bool = True
    kind: ClassVar[str] = "reduce"

    def __post_init__(self) -> None:
        if self.fn not in REDUCE:
            raise ValueError(f"'{self.fn}' is not a known reduction")

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0]
        if len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes {self.axes} repeat")
        for a in self.axes:
            check_axis(a, x)
        kept = [1 if i in self.axes else d for i, d in enumerate(x.shape) if self.keepdims or i not in self.axes]
        return (sized(*kept),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.asarray(REDUCE[self.fn](inputs[0], axis=self.axes, keepdims=self.keepdims)),)
