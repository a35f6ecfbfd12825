"""Events that come again every period."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.jit import compiled

Ints = NDArray[np.int64]


@compiled
def count_before(events: Ints, period: int, times: Ints) -> Ints:
    """How many of the events, which repeat every period, come before each of the times; below 0: so many of periods before the first.

    events: (events,), rising, of less than a period; times: (times,), rising
    """
    found = np.empty(len(times), dtype=np.int64)
    n = len(events)
    before = (times[0] - events[0] - 1) // period  # all of the periods before this one come before all times
    i, offset, count = 0, before * period, before * n
    for k in range(len(times)):
        while events[i] + offset < times[k]:
            count += 1
            i += 1
            if i == n:
                i, offset = 0, offset + period
        found[k] = count
    return found
