"""Shorter integers for the sizes of a row of weights, from the gaps between its sums and its thresholds.

v_1 * S_1 + .. + v_K * S_K is compared with thresholds T, the S_k being integers of proven ranges. Of all sums there is a least one that
reaches T, a, and a largest one that does not, b: those of two halves of the sizes, in order, give both. Be n_k = round(N * v_k / v), v the
largest size: then v * sum(n_k * S_k) = N * sum(v_k * S_k) + sum(d_k * S_k) with d_k = v * n_k - N * v_k, the last sum in l..h by
the ranges. So any T' with N * b + h < v * T' <= N * a + l parts the new sums as T parts the old ones: all is done in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array

LARGEST_HALF = 2**16  # sums of a half of the sizes
LEAST_BITS = 5

Ends = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """Sizes of one output channel, rising, and what the inputs at each size add up to at least and at most."""

    sizes: tuple[int, ...]
    ranges: tuple[Ends, ...]

    def halves(self) -> tuple[Array, Array] | None:
        """All sums of the one half of the sizes, and of the other in order, fewer in the first; None where they are too many."""
        found = [np.zeros(1, np.int64), np.zeros(1, np.int64)]
        for size, (lo, hi) in sorted(zip(self.sizes, self.ranges, strict=True), key=lambda p: p[1][0] - p[1][1]):
            found.sort(key=len)
            if len(found[0]) * (hi - lo + 1) > LARGEST_HALF:
                return None
            found[0] = (found[0][:, None] + size * np.arange(lo, hi + 1)).ravel()
        few, many = sorted(found, key=len)
        return few, np.sort(many)

    def ends(self, factors: list[int]) -> Ends:
        """Least and largest sum of factors times what the inputs add up to."""
        pairs = [sorted((f * lo, f * hi)) for f, (lo, hi) in zip(factors, self.ranges, strict=True)]
        return sum(p[0] for p in pairs), sum(p[1] for p in pairs)


def shorter(row: Row, thresholds: list[int], most: int) -> tuple[list[int], list[int]] | None:
    """Sizes of fewest bits, and thresholds of theirs, for which every sum reaches as many as before; None where none are found.

    most: sums of a half that are held against thresholds, over all of these
    """
    halves = row.halves()
    if halves is None or len(halves[0]) * len(thresholds) > most:
        return None
    gaps = [_gap(*halves, t) for t in thresholds]
    for bits in range(LEAST_BITS, max(row.sizes).bit_length()):
        if (found := _rounded(row, gaps, (1 << bits) - 1)) is not None:
            return found
    return None


def _gap(few: Array, many: Array, threshold: int) -> tuple[int | None, int | None]:
    """The largest sum below a threshold and the least that reaches it, None where there is none."""
    at = np.searchsorted(many, threshold - few)
    reached, missed = at < len(many), at > 0
    above, below = few[reached] + many[at[reached]], few[missed] + many[at[missed] - 1]
    return int(below.max()) if len(below) else None, int(above.min()) if len(above) else None


def _rounded(row: Row, gaps: list[tuple[int | None, int | None]], most: int) -> tuple[list[int], list[int]] | None:
    """Sizes of which the largest is `most`, and their thresholds; None where a gap is too narrow for what is rounded."""
    largest = max(row.sizes)
    sizes = [(2 * most * v + largest) // (2 * largest) for v in row.sizes]
    low, high = row.ends([largest * n - most * v for n, v in zip(sizes, row.sizes, strict=True)])
    least, top = row.ends(sizes)
    moved = []
    for below, above in gaps:
        at = top + 1 if above is None else (most * above + low) // largest
        if below is None:
            at = least
        elif largest * at <= most * below + high and above is not None:
            return None
        moved.append(at)
    return sizes, moved
