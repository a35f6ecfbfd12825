"""Rising lists of numbers, each number once: put together, and found in one another, in the time that the shorter one takes."""

from __future__ import annotations

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Ints, Shorts


@jit
def found_in(numbers: Ints | Shorts, wanted: Ints | Shorts) -> Ints:
    """How many numbers are less than each of the wanted ones; both rise."""
    found = np.empty(len(wanted), dtype=np.int64)
    n, at = len(numbers), 0
    for i in range(len(wanted)):
        step, low = 1, at
        while at < n and numbers[at] < wanted[i]:  # further and further, then between the last two places
            low = at + 1
            at += step
            step *= 2
        high = min(at, n)
        while low < high:
            middle = (low + high) // 2
            if numbers[middle] < wanted[i]:
                low = middle + 1
            else:
                high = middle
        found[i] = at = low
    return found


@jit
def max_occupancy(writes: Ints | Shorts, reads: Ints | Shorts) -> int:
    """Most beats a FIFO holds: a beat counts from the cycle after its write to the cycle of its read; cycles of each, (beats,), rising."""
    most = taken = 0
    for i in range(len(writes)):
        while taken < len(reads) and reads[taken] < writes[i]:
            taken += 1
        most = max(most, i + 1 - taken)
    return most


@jit
def merged(a: Ints, b: Ints) -> Ints:
    """All numbers of both."""
    found = np.empty(len(a) + len(b), dtype=np.int64)
    i = j = n = 0
    while i < len(a) or j < len(b):
        take = j == len(b) or (i < len(a) and a[i] <= b[j])
        found[n] = a[i] if take else b[j]
        if take and j < len(b) and a[i] == b[j]:
            j += 1
        i, j, n = (i + 1, j, n + 1) if take else (i, j + 1, n + 1)
    return found[:n].copy()
