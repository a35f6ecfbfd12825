"""Heights of memory words in the picture of a loopback engine's activation memory."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dfcompile.report.loopback_pictures import GAP, WordScale

HEIGHT = 300.0
SPANS = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100)).map(lambda s: (s[0], min(1000, s[0] + s[1]))), max_size=5)


@given(SPANS.map(lambda spans: [s for s in spans if s[0] < s[1]]))
def test_heights_rise_and_fill_the_picture(used: list[tuple[int, int]]) -> None:
    scale = WordScale.of(used, 1000, HEIGHT)
    ends = sorted({0, 1000, *(w for s in used for w in s)})
    heights = [scale.at(w) for w in ends]
    assert all(0 <= h <= HEIGHT + 1e-9 for h in heights) and all(a < b for a, b in pairwise(heights))
    kept = sum(high - low for _, _, low, high in scale.spans)
    gaps = len(scale.spans) - (scale.spans[0][0] == 0) + (scale.spans[-1][1] < 1000)
    assert abs(kept + GAP * gaps - HEIGHT) < 1e-6, "what is shown and the gaps are all there is"


def test_a_few_words_at_both_ends_are_seen() -> None:
    scale = WordScale.of([(0, 4), (8188, 8192), (2, 4)], 8192, HEIGHT)
    assert scale.at(4) - scale.at(0) == scale.at(8192) - scale.at(8188) == (HEIGHT - GAP) / 2
    assert scale.at(4096) == HEIGHT / 2, "the second bank begins in the gap"


def test_a_memory_in_use_is_shown_as_it_is() -> None:
    scale = WordScale.of([(0, 300)], 1000, HEIGHT)
    assert [scale.at(w) for w in (0, 500, 1000)] == [0, 150, 300]
