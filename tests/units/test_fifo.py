"""The FIFO: exactly its depth, in every style of memory."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import IntType
from dfcompile.units.fifo import Fifo
from tests.units.exact import check_exact


@pytest.mark.parametrize(("depth", "style"), [(1, "auto"), (2, "lut"), (3, "lutram"), (5, "bram"), (2, "bram"), (64, "auto"), (33, "bram")])
def test_fifo_three_ways(depth: int, style: str) -> None:
    check_exact(Fifo((3, 5, 6), IntType(3, signed=True), lanes=2, depth=depth, style=style), hls=depth == 3)


def test_wide_beats() -> None:
    check_exact(Fifo((2, 3, 40), IntType(8), lanes=40, depth=4))


def test_a_depth_of_one_halves_the_rate() -> None:
    unit = Fifo((1, 1, 8), IntType(4), depth=1)
    (process,) = unit.schedule()
    assert process.gives[0].slots == 1 and process.gives[0].credit_delay == 1


def test_frames_pass_unchanged() -> None:
    frames = np.arange(24).reshape(2, 1, 3, 4)
    assert np.array_equal(Fifo((1, 3, 4), IntType(5)).compute(frames)[0], frames)


def test_no_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one beat"):
        Fifo((1, 1, 1), IntType(1), depth=0)


def test_memory_by_size() -> None:
    small, large = Fifo((1, 1, 8), IntType(8), 1, 32), Fifo((64, 64, 8), IntType(8), 8, 2048)
    assert small.resources("xc7").bram36 == 0 and small.resources("xc7").lut > 0
    assert large.resources("xc7").bram36 == 4
