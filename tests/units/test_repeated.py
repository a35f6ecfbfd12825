"""Counts of events that come again every period, against counting them one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.units.parts.repeated import count_before
from tests.examples import examples


@examples(200)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=8),
    st.integers(-20, 20),
    st.integers(0, 3),
    st.lists(st.integers(-60, 60), min_size=1, max_size=12),
)
def test_events_of_all_periods_are_counted(steps: list[int], start: int, more: int, times: list[int]) -> None:
    events = start + np.sort(np.array(steps, dtype=np.int64))
    period = max(1, int(events[-1] - events[0])) + more
    found = count_before(events, period, np.sort(np.array(times, dtype=np.int64)))
    frames = range(-200, 201)
    expected = [sum(e + f * period < t for f in frames for e in events.tolist()) - 200 * len(steps) for t in sorted(times)]
    assert found.tolist() == expected
