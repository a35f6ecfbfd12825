"""The window generator: values, its own clock, its least line buffer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.parts import linebuffer
from dfcompile.units.parts.schedule import Process
from dfcompile.units.sliding_window import SlidingWindow
from tests.examples import drawn, examples, simulated
from tests.three_way import check, check_cpp, random_codes
from tests.units.exact import check_exact
from tests.units.windows import INT4, oracle, windows


def window(shape: tuple[int, int, int], kernel: int, stride: int = 1, pad: int = 0, **rest: Any) -> SlidingWindow:
    """A square one."""
    rest = {"dilation": (1, 1), "dtype": INT4, "pad_value": 0, **rest}
    return SlidingWindow(shape, (kernel, kernel), (stride, stride), (pad,) * 4, **rest)


@examples(200)
@given(windows(), st.sampled_from([np.float32, np.int8, np.int64]))
def test_values(unit: SlidingWindow, dtype: type) -> None:
    x = random_codes(unit.inputs[0], 2, np.random.default_rng(0))
    (found,) = unit.compute(x.astype(dtype))
    assert np.array_equal(found, oracle(unit, x))
    assert found.dtype == dtype or dtype is not np.float32


def interval(unit: SlidingWindow) -> float | None:
    """Cycles per frame of writer and reader when nothing stalls them; None when they lock up."""
    writer, reader = unit.schedule()
    times: tuple[list[int], list[int]] = ([], [])
    frames = 12
    while len(times[1]) < frames * reader.steps:
        moved = [
            _advance(p, own, other, peer)
            for p, own, other, peer in ((writer, times[0], times[1], reader), (reader, times[1], times[0], writer))
            if len(own) < (frames + 8) * p.steps
        ]
        if not any(moved):
            return None
    return (times[1][-1] - times[1][-1 - 2 * reader.steps]) / 2


def _advance(process: Process, own: list[int], other: list[int], peer: Process) -> bool:
    frame, step = divmod(len(own), process.steps)
    need = frame * peer.steps + int(process.after[0].need[step])
    if need > len(other):
        return False
    own.append(max(own[-1] + 1 if own else 0, other[need - 1] + 1 if need > 0 else 0))
    return True


@examples(60)
@given(windows())
def test_the_least_line_buffer_loses_no_cycle_and_less_does(unit: SlidingWindow) -> None:
    assert interval(unit) == unit.cycles
    depth, least = unit.words - 1, linebuffer.deadlock_depth(*unit.trace)
    if depth < least:
        return
    slower = interval(dataclasses.replace(unit, depth=depth))
    assert slower is None or slower > unit.cycles


@examples(60)
@given(windows())
def test_no_word_dies_that_is_still_read(unit: SlidingWindow) -> None:
    reads, lows = unit.trace
    words = unit.inputs[0].beats
    needed = np.minimum.accumulate(np.where(reads >= 0, reads, 2 * words)[::-1])[::-1]
    assert (np.diff(lows) >= 0).all() and (lows <= np.minimum(needed, words + lows[0])).all()


@simulated(20)
@given(windows())
def test_sliding_window_three_ways(unit: SlidingWindow) -> None:
    check_exact(unit, hls=False)


def test_hls() -> None:
    check_cpp(drawn(windows(), 8), frames=2)


KINDS = {
    "padded": window((6, 7, 4), 3, pad=1, simd=2),
    "pool": window((6, 6, 4), 2, stride=2, simd=2, channels_outer=True),
    "bipolar": window((5, 6, 2), 3, pad=1, dtype=BIPOLAR, out_dtype=IntType(2, True), simd=2),
    "dummies": window((5, 6, 5), 3, pad=1, simd=3),
    "dummies, pool": window((5, 6, 7), 3, pad=1, simd=3, channels_outer=True),
    "dummies, groups": window((4, 4, 6), 3, groups=2, simd=2),
    "transposed": window((4, 4, 2), 3, pad=2, stuff=(2, 2), simd=1),
    "subsampled": window((6, 6, 4), 1, stride=2, simd=1),
    "cropped": window((6, 6, 4), 1, pad=-1, simd=4),
    "pixel": window((1, 1, 3), 1, simd=3),
    "two rows and columns outside": window((5, 4, 2), 5, pad=2, simd=2),
    "strides over the edges": window((7, 7, 2), 7, stride=2, pad=3, simd=1),
    "far outside": window((4, 5, 1), 6, stride=2, pad=5, simd=1),
    "first row without a pixel": dataclasses.replace(
        window((4, 5, 2), 2, pad=1, dilation=(3, 1), simd=1), shape=(2, 5, 2), pads=(1, 1, 3, 1)
    ),
    "windows behind the picture": window((3, 3, 2), 2, stride=2, pad=2, simd=2),
    "deep": dataclasses.replace(window((6, 7, 4), 3, pad=1, simd=2), depth=60, style="bram"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_use(name: str) -> None:
    check_exact(KINDS[name], hls=False)


def test_kinds_of_use_in_cpp() -> None:
    check_cpp(list(KINDS.values()))


def test_sequences_of_one_row() -> None:
    check_exact(SlidingWindow((1, 16, 4), (1, 5), (1, 2), (0, 2, 0, 2), (1, 1), INT4, 0, simd=2))


def test_a_window_of_a_network() -> None:
    """32x32x3 at 3x3: two rows and a window for the rows, and what the next frame's start needs to be there in time."""
    unit = window((32, 32, 3), 3, dtype=IntType(8), simd=3)
    assert unit.cycles == 30 * 30 * 9
    assert 2 * 32 + 3 <= unit.words <= 4 * 32
    assert interval(dataclasses.replace(unit, depth=2 * 32 + 3)) == pytest.approx(unit.cycles, rel=0.01)
    check(unit, frames=3, hls=False)


def test_float32_stays_float32() -> None:
    x = np.zeros((1, 8, 8, 4), np.float32)
    assert window((8, 8, 4), 3, pad=1).compute(x)[0].dtype == np.float32
    assert window((8, 8, 4), 3, pad=1, pad_value=-1).compute(x.astype(np.uint8))[0].min() == -1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simd": 5}, "simd 5 must be 1 to the channels of a group, 4 in 1 groups"),
        ({"kernel": (9, 9)}, "no window: kernel"),
        ({"pad_value": 8}, "int4 has no code 8 to pad with"),
        ({"dtype": BIPOLAR}, "bipolar has no code 0 to pad with"),
        ({"out_dtype": IntType(3, True)}, "int3 does not hold int4"),
        ({"depth": 5}, "a line buffer of 5 words never holds a window; "),
        ({"groups": 2, "channels_outer": True}, "already makes groups"),
        ({"pads": (30, 30, -30, -30), "kernel": (1, 1)}, "no window holds a pixel"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    unit = window((6, 6, 4), 3, pad=1)
    fields = {f.name: getattr(unit, f.name) for f in dataclasses.fields(unit)} | {"out_dtype": None} | change
    with pytest.raises(ValueError, match=message):
        SlidingWindow(**fields)
