"""Where a step function changes its value, and the values between: for functions of few values that lie far apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.modelop import Bipolar
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.levels import values_of
from dfcompile.streamline.monotone import evaluate
from dfcompile.streamline.step import Chain, Join, StepFunction

_AT_ONCE = 2**18


def pieces(function: StepFunction, lo: Array, hi: Array, most: int) -> tuple[list[Array], list[Array]] | None:
    """Per channel where the value changes, and the values of the pieces; None when there are more than `most`. Looks at every code."""
    jumps: list[list[int]] = [[] for _ in lo]
    values: list[list[int]] = [[] for _ in lo]
    size = int((hi - lo).max()) + 1
    chunk = max(1, _AT_ONCE // len(lo))
    for start in range(0, size, chunk):
        codes = np.minimum(lo + np.arange(start, min(start + chunk, size))[:, None], hi)
        for c, column in enumerate(evaluate(function, codes).T):
            if not values[c]:
                values[c].append(int(column[0]))
            whole = np.concatenate([[values[c][-1]], column])
            at = np.flatnonzero(np.diff(whole))
            jumps[c] += (codes[at, c]).tolist()
            values[c] += column[at].tolist()
            if len(values[c]) > most:
                return None
    return [np.array(j, np.int64) for j in jumps], [np.array(v, np.int64) for v in values]


def monotone_pieces(function: StepFunction, lo: Array, hi: Array, most: int) -> tuple[list[Array], list[Array]] | None:
    """The same of a function that rises or falls, by halving what lies between two different values."""
    ends = evaluate(function, np.stack([lo, hi]))
    first = [int(v) for v in ends[0]]
    # Intervals of each channel whose ends have different values: (left, right, value left, value right).
    open_ = [[(int(a), int(b), int(u), int(v))] if u != v else [] for a, b, u, v in zip(lo, hi, *ends, strict=True)]
    found: list[list[tuple[int, int]]] = [[] for _ in lo]
    while any(open_):
        count = max(map(len, open_))
        middles = np.tile(lo, (count, 1))
        for c, row in enumerate(open_):
            middles[: len(row), c] = [(a + b) // 2 for a, b, _, _ in row]
        at = evaluate(function, middles)
        for c, row in enumerate(open_):
            halves = []
            for k, (a, b, u, v) in enumerate(row):
                m, w = int(middles[k, c]), int(at[k, c])
                halves += [half for half in ((a, m, u, w), (m, b, w, v)) if half[2] != half[3] and half[0] < half[1]]
            found[c] += [(b, v) for a, b, _, v in halves if b == a + 1]
            open_[c] = [half for half in halves if half[1] > half[0] + 1]
            if len(open_[c]) + len(found[c]) >= most:
                return None
    steps = [sorted(f) for f in found]
    return [np.array([b for b, _ in s], np.int64) for s in steps], [
        np.array([u, *(v for _, v in s)], np.int64) for u, s in zip(first, steps, strict=True)
    ]


def selected_pieces(function: StepFunction, lo: Array, hi: Array, most: int) -> tuple[list[Array], list[Array]] | None:
    """The same of a function that selects numbers by conditions: it changes only where one of these does. None where it is no such one."""
    if values_of(function.chain) is None:
        return None
    conditions = [StepFunction(function.base, c, Grid.of(1, 0)) for c in _conditions(function.chain)]
    jumps: list[set[int]] = [set() for _ in lo]
    for condition in conditions:
        found = monotone_pieces(condition, lo, hi, most) if condition.direction() is not None else None
        if found is None:
            return None
        for own, at in zip(jumps, found[0], strict=True):
            own.update(at.tolist())
    count = max(map(len, jumps)) + 1
    if count > most:
        return None
    starts = np.tile(lo, (count, 1))
    for c, own in enumerate(jumps):
        starts[1 : len(own) + 1, c] = sorted(own)
    values = evaluate(function, starts)
    return [starts[1 : len(own) + 1, c] for c, own in enumerate(jumps)], [values[: len(own) + 1, c] for c, own in enumerate(jumps)]


def _conditions(chain: Chain) -> Iterator[Chain]:
    """Each part of a chain from its start to a comparison."""
    for i, step in enumerate(chain):
        if isinstance(step, Join):
            yield from ((*chain[:i], *c) for side in (step.left, step.right) for c in _conditions(side))
        elif isinstance(step.op, Bipolar):
            yield chain[: i + 1]
