"""Channels of two streams side by side."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.concat import Concat
from tests.units.exact import check_exact

INT4, UINT3 = IntType(4, signed=True), IntType(3)


@pytest.mark.parametrize(
    "unit",
    [
        Concat(((2, 3, 4), (2, 3, 6)), INT4, lanes=2),
        Concat(((2, 3, 2), (2, 3, 2)), BIPOLAR, lanes=2),
        Concat(((2, 2, 3), (2, 2, 1)), IntType(5, signed=True), lanes=1, in_dtypes=(BIPOLAR, UINT3)),
        Concat(((1, 4, 4), (1, 4, 8)), IntType(6, signed=True), lanes=4, in_dtypes=(INT4, IntType(6, signed=True))),
    ],
    ids=str,
)
def test_concat_three_ways(unit: Concat) -> None:
    check_exact(unit)


def test_channels_follow_each_other() -> None:
    a, b = np.arange(24).reshape(1, 2, 3, 4) % 8, np.arange(12).reshape(1, 2, 3, 2) % 8
    (joined,) = Concat(((2, 3, 4), (2, 3, 2)), UINT3, lanes=2).compute(a, b)
    for y, x in np.ndindex(2, 3):
        assert joined[0, y, x].tolist() == [*a[0, y, x].tolist(), *b[0, y, x].tolist()]


@pytest.mark.parametrize(
    ("shapes", "in_dtypes", "lanes", "message"),
    [
        (((1, 1, 1),) * 3, None, 1, "chain them for more"),
        (((1, 2, 1), (2, 1, 1)), None, 1, "frames of different size"),
        (((1, 1, 1), (1, 1, 1)), (INT4, IntType(4)), 1, "int4 does not hold uint4"),
        (((1, 1, 2), (1, 1, 3)), None, 2, "2 lanes do not divide 3 channels"),
    ],
)
def test_refusals(shapes: tuple[tuple[int, int, int], ...], in_dtypes: tuple[IntType, ...] | None, lanes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Concat(shapes, INT4, lanes, in_dtypes)
