"""Random window generators and what their output must be, from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array, divisors
from dfcompile.units.sliding_window import SlidingWindow

INT4 = IntType(4, signed=True)


def order(unit: SlidingWindow) -> list[tuple[int, int, int]]:
    """(ky, kx, c) of each element of a window."""
    (kh, kw), c = unit.kernel, unit.shape[2]
    part = unit.simd if unit.channels_outer else c // unit.groups
    parts = [range(start, min(start + part, c)) for start in range(0, c, part)]
    return [(ky, kx, i) for channels in parts for ky in range(kh) for kx in range(kw) for i in channels]


def oracle(unit: SlidingWindow, x: Array) -> Array:
    """Every element by itself: a place of the stuffed and padded picture, which holds a pixel or not."""
    (h, w, _), (oh, ow), places = unit.shape, unit.out_size, order(unit)
    found = np.full((len(x), oh, ow, len(places)), unit.pad_value, dtype=np.int64)
    for oy, ox, e in np.ndindex(oh, ow, len(places)):
        ky, kx, c = places[e]
        y, rest_y = divmod(oy * unit.stride[0] + ky * unit.dilation[0] - unit.pads[0], unit.stuff[0])
        z, rest_x = divmod(ox * unit.stride[1] + kx * unit.dilation[1] - unit.pads[1], unit.stuff[1])
        if rest_y == rest_x == 0 and 0 <= y < h and 0 <= z < w:
            found[:, oy, ox, e] = x[:, y, z, c]
    return found


@st.composite
def windows(draw: st.DrawFn) -> SlidingWindow:
    """Any legal unit of small size."""
    c = draw(st.sampled_from([1, 2, 4, 5, 6]))
    groups = draw(st.sampled_from([1, 1, 1, *divisors(c)]))
    simd = draw(st.integers(1, c // groups))
    dtype, out_dtype, pad_value = draw(
        st.sampled_from(
            [
                (INT4, None, -3),
                (IntType(3), None, 5),
                (IntType(3), IntType(5, True), -9),
                (BIPOLAR, IntType(2, True), 0),
                (BIPOLAR, None, -1),
            ]
        )
    )
    arguments: dict[str, Any] = {
        "shape": (draw(st.integers(1, 7)), draw(st.integers(1, 7)), c),
        "kernel": (draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "pads": tuple(draw(st.integers(-2, 4)) for _ in range(4)),
        "dilation": (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        "stuff": draw(st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 2), (1, 3), (3, 2)])),
        "channels_outer": groups == 1 and draw(st.booleans()),
    }
    try:
        return SlidingWindow(**arguments, dtype=dtype, pad_value=pad_value, out_dtype=out_dtype, groups=groups, simd=simd)
    except ValueError:  # no window fits
        return draw(windows())
