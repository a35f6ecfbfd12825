"""What the Python engine does fast is exact: products in floats that hold them, kept inputs only while they are true."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import Engine, _product


@pytest.mark.parametrize("steps", [3, 129, 2000])
def test_products_of_any_length(steps: int) -> None:
    """From 129 steps of 8 lanes on the sums pass 2**24, where float32 has only even numbers."""
    x, w = np.full((2, steps, 8), 127, np.int8), np.full((steps, 3, 8), 127, np.int64)
    w[0, 0, 0], w[0, 1, 0] = 126, -127
    np.testing.assert_array_equal(_product(x, w), np.einsum("nts,tps->np", x.astype(np.int64), w))


def test_inputs_are_forgotten_where_their_words_change() -> None:
    engine = Engine(EngineConfig(), np.zeros(64, np.uint8))
    for first in range(12):
        for end in range(first + 1, 13):
            engine._walk, engine._walked = {"kept": np.zeros(1)}, (4, 8)
            engine._forget(first, end)
            assert (not engine._walk) == bool(set(range(first, end)) & set(range(4, 8)))
