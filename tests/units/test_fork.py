"""One stream to two readers."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.types import IntType
from dfcompile.units.fork import Fork
from tests.units.exact import check_exact

INT4 = IntType(4, signed=True)


@pytest.mark.parametrize("lanes", [1, 4])
def test_fork_three_ways(lanes: int) -> None:
    check_exact(Fork((2, 3, 4), INT4, lanes))


def test_both_outputs_are_the_input() -> None:
    frames = np.arange(-8, 8).reshape(1, 2, 2, 4)
    assert all(np.array_equal(frames, out) for out in Fork((2, 2, 4), INT4).compute(frames))


def test_more_readers_are_refused() -> None:
    with pytest.raises(ValueError, match="chain forks"):
        Fork((1, 1, 1), INT4, 1, 3)
