"""Loads and stores of a replay: when a transfer may be taken, and in which cycles its words move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import ClassVar

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.contention import Banks, Free
from dfcompile.loopback.descriptor import Target, Transfer
from dfcompile.loopback.step import Step

BURST = 16
HELD = 4
"""Words that a store has read and not yet sent."""


def bursts(address: int, beats: int, config: EngineConfig) -> list[int]:
    """Beats of the bursts of a block: at most 16, none across a 4-KiB border."""
    result = []
    page = 4096 // config.bus_bytes
    at = address // config.bus_bytes
    while beats:
        count = min(beats, BURST, page - at % page)
        result.append(count)
        at, beats = at + count, beats - count
    return result


class Move(ABC):
    """A transfer that is taken in cycle `earliest` or later: behind `previous` of its queue, and when the descriptors `after` are complete.

    first, last: cycles of its first and last bus word so far
    done:        cycle in which it is complete
    """

    OPEN: ClassVar[int]
    """Transfers of the queue that are under way at once."""

    def __init__(
        self, index: int, step: Step, earliest: int, after: list[int], previous: Move | None, config: EngineConfig, latency: int
    ) -> None:  # fmt: skip
        assert isinstance(step.descriptor, Transfer), "tiles are no transfers"
        self.index, self.step, self.descriptor = index, step, step.descriptor
        self.earliest, self.after, self.previous = earliest, after, previous
        self.config, self.latency = config, latency
        self.take = self.first = self.last = self.done = -1

    @property
    def requests(self) -> int:
        """Cycles in which the transfer keeps the next of its queue from being taken."""
        return 0

    def begin(self, take: int) -> None:
        """Take it."""
        self.take = take

    @abstractmethod
    def advance(self, banks: Banks, horizon: int | None) -> bool:
        """Move words in cycles before the horizon, up to which the array is known; whether it is complete."""


class Load(Move):
    """A word is written in a free cycle of its bank; requests go out while words of the loads before arrive."""

    OPEN = 4

    def begin(self, take: int) -> None:
        self.take = take
        sizes = bursts(self.descriptor.address, self.descriptor.beats, self.config)
        self.sizes = len(sizes)
        # (cycle in which the memory answers, bus words, bank) of bursts, cut where the bank changes
        self.parts: deque[tuple[int, int, int | None]] = deque()
        shared, half = self.descriptor.target == Target.ACT, self.config.act_words // 2
        low = max(0, half - self.descriptor.inner) * self.config.word_beats if shared else 0  # bus words for the lower bank
        for i, size in enumerate(sizes):
            below = min(low, size)
            low -= below
            for beats, bank in ((below, 0), (size - below, 1)):
                if beats:
                    self.parts.append((take + 1 + i + self.latency, beats, bank if shared else None))

    @property
    def requests(self) -> int:
        return self.sizes

    def advance(self, banks: Banks, horizon: int | None) -> bool:
        if self.first < 0 and self.previous:
            self.last = self.previous.last
        free: dict[int, Free] = {}
        while self.parts:
            answer, beats, bank = self.parts[0]
            start = max(self.last + 1, answer)
            if self.first < 0:
                self.first = start
            last = start + beats - 1
            if bank is not None:
                if bank not in free:
                    free[bank] = banks.unwritten(start, bank, sum(n for _, n, _ in self.parts) + len(self.parts))
                last = free[bank].after(start, beats)
                if horizon is not None and last >= horizon:
                    return False
            self.last = last
            self.parts.popleft()
        self.done = self.last
        return True


class Store(Move):
    """A word is read in a free cycle of its bank when at most three others are held; it is complete when the memory has answered."""

    OPEN = 1

    def begin(self, take: int) -> None:
        self.take = self.ask = take
        self.first, self.last, self.word = take + 3, take + 1, 0
        self.sent = deque([take] * HELD, maxlen=HELD)

    def advance(self, banks: Banks, horizon: int | None) -> bool:
        beats = self.config.word_beats
        while self.word < self.descriptor.beats // beats:
            bank = (self.descriptor.inner + self.word) // banks.half
            ask = banks.unread(max(self.ask + 1, self.sent[0] + 1), bank)
            if horizon is not None and ask >= horizon:
                return False
            self.ask = ask
            self.last = max(ask + 2, self.last + 1) + beats - 1
            self.sent.append(self.last)
            self.word += 1
        self.done = self.last + self.latency + 1
        return True
