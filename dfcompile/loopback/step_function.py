"""Step functions as the engine's search trees hold them: thresholds, or a table by the count; in parts where one tree is too small.

The sum of the parts is the function, so every function of a code runs, however many steps it has.
"""

from __future__ import annotations

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.loopback.layer import Kernel, Steps
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import NEVER


def bounds_of(steps: Steps) -> tuple[int, int]:
    """Least and largest code."""
    if steps.table is not None:
        return int(steps.table.min()), int(steps.table.max())
    return steps.lowest, steps.lowest + steps.step * int(steps.thresholds.shape[1])


def threshold_parts(thresholds: Ints, flip: Array, lowest: int, step: int, levels: int) -> list[Steps]:
    """Thresholds (channels or 1, n), at most 2**levels - 1 in a part."""
    most = (1 << levels) - 1
    edges = range(0, max(1, thresholds.shape[1]), most)
    return [Steps(thresholds[:, a : a + most], flip, lowest if a == 0 else 0, step) for a in edges]


def lookup_parts(table: Ints, base: int, levels: int) -> list[Steps]:
    """A table (channels or 1, size) of codes from `base` on: by thresholds where it rises or falls, else by a table of its runs.

    ValueError for a tree of one level, which holds no table.
    """
    rises, falls = np.all(np.diff(table) >= 0, axis=1), np.all(np.diff(table) <= 0, axis=1)
    monotone = bool(np.all(rises | falls))
    if monotone and int(np.ptp(table)) < 1 << levels:
        return [_rising(table, base, rises)]
    if levels == 1:
        raise ValueError("its table neither rises nor falls, and tree_levels=1 holds no table")
    parts = _table_parts(table, base, (1 << (levels - 1)) - 1)
    if monotone and len(parts) > -(-int(np.ptp(table)) // ((1 << levels) - 1)):
        whole = _rising(table, base, rises)
        return threshold_parts(whole.thresholds, whole.flip, whole.lowest, 1, levels)
    return parts


def line_of(table: Ints, base: int, channels: int, weight_bits: int) -> tuple[Kernel, Ints] | None:
    """Factors and offsets (channels,) of a table in equal steps; None where it is none, or they are wider than a weight."""
    steps, top = np.diff(table, axis=1), 1 << (weight_bits - 1)
    if not steps.size or np.any(steps != steps[:, :1]) or steps.min() < -top or steps.max() >= top:
        return None
    factors = np.broadcast_to(steps[:, 0], (channels,))
    return Kernel(factors.reshape(channels, 1, 1, 1), channels), np.asarray(np.broadcast_to(table[:, 0], (channels,)) - base * factors)


def _rising(table: Ints, base: int, rises: Array) -> Steps:
    """A threshold for each code above the lowest; rows that fall are flipped."""
    lowest, count = int(table.min()), int(np.ptp(table))
    heights = np.where(rises[:, None], table - lowest, count - (table - lowest))
    rows = np.stack([np.searchsorted(h, np.arange(1, count + 1)) for h in heights]) + base
    return Steps(rows.reshape(len(table), count), ~rises, lowest)


def _table_parts(table: Ints, base: int, most: int) -> list[Steps]:
    """Parts of at most `most` changes: f(x) = f(clip(x, a0, a1)) + sum of f(clip(x, ai, ai+1)) - f(ai)."""
    changes = np.cumsum(np.diff(table, axis=1, prepend=table[:, :1]) != 0, axis=1)
    parts: list[Steps] = []
    first, end = 0, table.shape[1] - 1
    while not parts or first < end:
        last = int(np.searchsorted((changes - changes[:, first : first + 1]).max(axis=0), most, side="right")) - 1
        piece = table[:, first : last + 1]
        parts.append(_runs(piece - piece[:, :1] if parts else piece, base + first))
        first = last
    return parts


def _runs(piece: Ints, base: int) -> Steps:
    """A threshold where the code changes, and the code of each run."""
    starts = [np.flatnonzero(np.diff(row)) + 1 for row in piece]
    count = max(len(s) for s in starts)
    thresholds = np.full((len(piece), count), NEVER, np.int64)
    table = np.empty((len(piece), count + 1), np.int64)
    for k, (row, at) in enumerate(zip(piece, starts, strict=True)):
        thresholds[k, : len(at)] = at + base
        table[k] = row[np.pad(at, (1, count - len(at)), constant_values=(0, len(row) - 1))]
    return Steps(thresholds, np.zeros(len(piece), bool), 0, 1, table)
