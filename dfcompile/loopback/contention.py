"""In which cycles the array uses which bank of the activation memory: loads and stores take the others."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute
from dfcompile.loopback.engine import Words, result_words, walk
from dfcompile.loopback.group import cycles, groups, together, words

KEPT = 64
NONE = -1
WINDOW = 256  # cycles looked at together: a free one is near


class Tile:
    """A compute descriptor whose first step is in cycle `first`."""

    def __init__(self, first: int, d: Compute, steps: Words | None, latency: int, config: EngineConfig) -> None:
        self.steps = steps
        self.first, self.d, self.latency, self.half = first, d, latency + d.late, config.act_words // 2
        self.groups, self.together = groups(d, config), together(d, config)
        self.last = first + cycles(d, config)
        self.end = self.last + self.latency + self.together * words(d) + 1

    @cached_property
    def reads(self) -> NDArray[np.int8]:
        """Bank read in each cycle from the first on, NONE for none: of the copy of the first pixel, which stores read too."""
        address, inside = walk(self.d, self.steps)
        banks = np.where(inside, address // self.half, NONE).astype(np.int8)
        banks = banks.reshape(-1, self.d.width_out, banks.shape[1])[:, :: self.together].reshape(self.groups, -1)
        return np.pad(banks, ((0, 0), (0, self.d.idle)), constant_values=NONE).reshape(-1)

    @cached_property
    def writes(self) -> NDArray[np.int8]:
        """Bank written in each cycle from the first on, NONE for none."""
        d = self.d
        banks = np.full(self.end - self.first, NONE, np.int8)
        if not d.acc_store:
            places, n = result_words(d).reshape(-1, d.width_out, words(d)), self.together
            group = np.arange(d.width_out)
            done = (np.arange(len(places))[:, None] * (self.groups // len(places)) + group // n + 1) * (d.taps + d.idle) - d.idle - 1
            at = (done + group % n * words(d))[..., None] + self.latency + 1 + np.arange(words(d))
            banks[at] = places // self.half
        return banks


class Banks:
    """The last tiles of the array, in order."""

    def __init__(self, config: EngineConfig, latency: int) -> None:
        self.config, self.half, self.latency = config, config.act_words // 2, latency
        self.tiles: list[Tile] = []
        self.firsts: list[int] = []

    def add(self, first: int, d: Compute, steps: Words | None) -> None:
        """steps: of the tile's list, where it has one."""
        self.tiles.append(Tile(first, d, steps, self.latency, self.config))
        self.firsts.append(first)
        if len(self.tiles) > 2 * KEPT:
            del self.tiles[:KEPT], self.firsts[:KEPT]

    def unread(self, cycle: int, bank: int) -> int:
        """First cycle from `cycle` on in which the bank is not read."""
        for tile in self.tiles[max(0, bisect_right(self.firsts, cycle) - 1) :]:
            if not tile.first <= cycle < tile.last:
                break
            reads = tile.reads
            for start in range(cycle - tile.first, len(reads), WINDOW):
                part = reads[start : start + WINDOW] != bank
                at = int(part.argmax())
                if part[at]:
                    return tile.first + start + at
            cycle = tile.last
        return cycle

    def unwritten(self, cycle: int, bank: int, count: int) -> Free:
        """At least `count` cycles from `cycle` on in which the bank is not written."""
        tiles = [t for t in self.tiles if t.end > cycle]
        last = max((t.end for t in tiles), default=cycle)
        span = 2 * count
        while True:
            end = min(cycle + span, last)
            free = np.ones(end - cycle, bool)
            for t in tiles:
                begin, stop = max(t.first, cycle), min(t.end, end)
                if begin < stop:
                    free[begin - cycle : stop - cycle] &= t.writes[begin - t.first : stop - t.first] != bank
            found = np.flatnonzero(free)
            if end == last or len(found) >= count:
                return Free(found + cycle, end)
            span *= 2


class Free:
    """Some cycles, and all from `end` on."""

    def __init__(self, cycles: NDArray[np.int64], end: int) -> None:
        self.cycles, self.end = cycles, end

    def after(self, cycle: int, count: int) -> int:
        """The count-th of them from `cycle` on."""
        first = int(np.searchsorted(self.cycles, cycle))
        left = len(self.cycles) - first
        if count <= left:
            return int(self.cycles[first + count - 1])
        return max(cycle, self.end) + count - left - 1
