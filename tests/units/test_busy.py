"""Which words of weights are not all 0, against forming each word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.units.parts.sparse_form import Busy
from tests.examples import examples


def formed(used: np.ndarray, pe: int, simd: int, run: int) -> list[list[bool]]:
    """Words as the hardware has them: `pe` rows by `simd` columns, which end where a run or the rows do."""
    rows = [used[r : r + pe] for r in range(0, len(used), pe)]
    return [
        [bool(part[:, c : min(c + simd, s + run)].any()) for s in range(0, used.shape[1], run) for c in range(s, s + run, simd)]
        for part in rows
    ]


@examples(100)
@given(st.integers(1, 9), st.integers(1, 8), st.integers(1, 3), st.sampled_from([0.05, 0.3, 0.7, 1.0]), st.randoms(use_true_random=False))
def test_words_are_those_that_are_formed(rows: int, run: int, runs: int, share: float, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    used = rng.random((rows, run * runs)) < share
    busy = Busy(used)
    for pe in range(1, rows + 1):
        for simd in range(1, run * runs + 1):
            for length in {run, run * runs}:
                words, expected = busy.words(pe, simd, length), formed(used, pe, simd, length)
                if words is None:
                    assert all(map(all, expected)), (pe, simd, length)
                else:
                    assert words.tolist() == expected and not words.all(), (pe, simd, length)


@pytest.mark.parametrize("last", [False, True])
def test_a_short_last_word_is_looked_at(last: bool) -> None:
    """Words of 2 that are all used say nothing of words of 4 that begin elsewhere."""
    used = np.ones((1, 5), dtype=bool)
    used[0, 4] = last
    busy = Busy(used)
    assert (busy.words(1, 2, 5) is None) == last
    assert (busy.words(1, 4, 5) is None) == last
