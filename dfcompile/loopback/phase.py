"""Zero-stuffed convolution in phases: outputs that meet the same taps are a plain convolution of the codes themselves."""

from __future__ import annotations

from math import gcd

import numpy as np

from dfcompile.ir.intop import Pair, Window
from dfcompile.loopback.layer import Kernel


def period(window: Window) -> Pair:
    """Rows and columns after which the phases repeat."""
    rows, cols = (z // gcd(z, s) for z, s in zip(window.stuff, window.stride, strict=True))
    return rows, cols


def phase(kernel: Kernel, window: Window, size: Pair, at: Pair) -> tuple[Kernel, Window, Pair] | None:
    """Kernel, window and size of the outputs (at + k * period) of a zero-stuffed convolution; None when there are none."""
    sizes = [len(range(a, n, p)) for a, n, p in zip(at, size, period(window), strict=True)]
    if 0 in sizes:
        return None
    (rows, *down), (cols, *along) = (_axis(window, i, at[i]) for i in (0, 1))
    if rows and cols:
        weights = kernel.weights[:, rows][:, :, cols]
    else:  # only zeros meet this phase: one tap of weight zero
        weights = np.zeros((len(kernel.weights), 1, 1, kernel.weights.shape[3]), np.int64)
    # Taps may leave the picture at every side; the far pads only say so.
    pads = (down[0], along[0], 1, 1)
    made = Window(weights.shape[1:3], (down[1], along[1]), pads, (down[2], along[2]))
    return Kernel(weights, kernel.groups), made, (sizes[0], sizes[1])


def _axis(window: Window, axis: int, at: int) -> tuple[list[int], int, int, int]:
    """(taps, pad, stride, dilation) of the outputs at + k * period along an axis.

    Tap k of output o lies at o * stride - pad + k * dilation of the stuffed picture: on a code where `stuff` divides that.
    """
    z, s, pad, d = window.stuff[axis], window.stride[axis], window.pads[axis], window.dilation[axis]
    first = at * s - pad
    taps = [k for k in range(window.kernel[axis]) if (first + k * d) % z == 0]
    step = (taps[1] - taps[0]) * d // z if len(taps) > 1 else 1
    start = (first + taps[0] * d) // z if taps else 0
    return taps, -start, s // gcd(z, s), step
