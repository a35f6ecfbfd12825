"""Units with several streams: fork, concat, split."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.concat import Concat
from dfcompile.units.fork import Fork
from dfcompile.units.split import Split
from tests.units.exact import check_exact

INT4, UINT3 = IntType(4, signed=True), IntType(3)


@pytest.mark.parametrize("lanes", [1, 4])
def test_fork_three_ways(lanes: int) -> None:
    check_exact(Fork((2, 3, 4), INT4, lanes))


@pytest.mark.parametrize("unit", [
    Concat(((2, 3, 4), (2, 3, 6)), INT4, lanes=2),
    Concat(((2, 3, 2), (2, 3, 2)), BIPOLAR, lanes=2),
    Concat(((2, 2, 3), (2, 2, 1)), IntType(5, signed=True), lanes=1, in_dtypes=(BIPOLAR, UINT3)),
    Concat(((1, 4, 4), (1, 4, 8)), IntType(6, signed=True), lanes=4, in_dtypes=(INT4, IntType(6, signed=True))),
], ids=str)
def test_concat_three_ways(unit: Concat) -> None:
    check_exact(unit)


@pytest.mark.parametrize("unit", [
    Split((2, 3, 10), (4, 6), INT4, lanes=2), Split((2, 3, 2), (1, 1), UINT3), Split((3, 2, 8), (4, 4), BIPOLAR, lanes=4),
], ids=str)
def test_split_three_ways(unit: Split) -> None:
    check_exact(unit)


def test_concat_and_split_are_inverse() -> None:
    a, b = np.arange(24).reshape(1, 2, 3, 4) % 8, np.arange(12).reshape(1, 2, 3, 2) % 8
    (joined,) = Concat(((2, 3, 4), (2, 3, 2)), UINT3, lanes=2).compute(a, b)
    assert joined[0, 1, 2].tolist() == [*a[0, 1, 2].tolist(), *b[0, 1, 2].tolist()]
    again = Split((2, 3, 6), (4, 2), UINT3, lanes=2).compute(joined)
    assert np.array_equal(again[0], a) and np.array_equal(again[1], b)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="chain forks"):
        Fork((1, 1, 1), INT4, 1, 3)
    with pytest.raises(ValueError, match="chain them for more"):
        Concat(((1, 1, 1),) * 3, INT4)
    with pytest.raises(ValueError, match="frames of different size"):
        Concat(((1, 2, 1), (2, 1, 1)), INT4)
    with pytest.raises(ValueError, match="int4 does not hold uint4"):
        Concat(((1, 1, 1), (1, 1, 1)), INT4, 1, (INT4, IntType(4)))
    with pytest.raises(ValueError, match="do not split into"):
        Split((1, 1, 4), (1, 2), INT4)
    with pytest.raises(ValueError, match="2 lanes do not divide"):
        Split((1, 1, 4), (1, 3), INT4, 2)
