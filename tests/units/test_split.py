"""Ranges of channels to two streams."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.split import Split
from tests.units.exact import check_exact

INT4, UINT3 = IntType(4, signed=True), IntType(3)


@pytest.mark.parametrize(
    "unit", [Split((2, 3, 10), (4, 6), INT4, lanes=2), Split((2, 3, 2), (1, 1), UINT3), Split((3, 2, 8), (4, 4), BIPOLAR, lanes=4)], ids=str
)
def test_split_three_ways(unit: Split) -> None:
    check_exact(unit)


def test_ranges() -> None:
    frames = np.arange(12).reshape(1, 1, 2, 6) % 8
    first, second = Split((1, 2, 6), (4, 2), UINT3, lanes=2).compute(frames)
    assert first[0, 0].tolist() == [[0, 1, 2, 3], [6, 7, 0, 1]] and second[0, 0].tolist() == [[4, 5], [2, 3]]


@pytest.mark.parametrize(
    ("sizes", "lanes", "message"),
    [((1, 1, 2), 1, "chain them for more"), ((1, 2), 1, "do not split into"), ((1, 3), 2, "2 lanes do not divide")],
)
def test_refusals(sizes: tuple[int, ...], lanes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Split((1, 1, 4), sizes, INT4, lanes)
