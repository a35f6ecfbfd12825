"""Rising lists against numpy's searchsorted and union1d."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.timing.rising import found_in, max_occupancy, merged
from tests.examples import examples

LISTS = st.sets(st.integers(0, 300), max_size=120).map(lambda s: np.array(sorted(s), dtype=np.int64))


@examples(100)
@given(LISTS, LISTS)
def test_as_numpy_has_it(a: np.typing.NDArray[np.int64], b: np.typing.NDArray[np.int64]) -> None:
    assert found_in(a, b).tolist() == np.searchsorted(a, b).tolist()
    assert merged(a, b).tolist() == np.union1d(a, b).tolist()


@examples(100)
@given(LISTS, LISTS)
def test_most_beats_that_are_held(writes: np.typing.NDArray[np.int64], reads: np.typing.NDArray[np.int64]) -> None:
    """Counted in each cycle: a beat is there from the cycle after its write, and gone after that of its read."""
    held = [int((writes <= t).sum() - (reads < t).sum()) for t in writes]
    assert max_occupancy(writes, reads) == max([0, *held])
