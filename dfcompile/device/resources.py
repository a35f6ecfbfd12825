"""Area of a piece of hardware."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Areas = NDArray[np.float64]
"""A row for each of several pieces of hardware, in the order of `Resources`."""


class Resources(NamedTuple):
    """Area: LUT, flip-flops, 36-kbit block RAMs (halves are 18-kbit ones), UltraRAMs, DSP slices.

    A tuple, as the search for foldings makes some hundred thousand; + and * are those of areas.
    """

    lut: float = 0
    ff: float = 0
    bram36: float = 0
    uram: float = 0
    dsp: float = 0

    def __add__(self, other: Resources) -> Resources:  # type: ignore[override]
        return Resources(self.lut + other.lut, self.ff + other.ff, self.bram36 + other.bram36, self.uram + other.uram, self.dsp + other.dsp)

    def __mul__(self, copies: float) -> Resources:  # type: ignore[override]
        return Resources(self.lut * copies, self.ff * copies, self.bram36 * copies, self.uram * copies, self.dsp * copies)

    def __rmul__(self, copies: float) -> Resources:  # type: ignore[override]
        return self * copies
