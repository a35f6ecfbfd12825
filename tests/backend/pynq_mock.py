"""A strict stand-in for PYNQ: overlays with DMAs that move bytes only when both sides are driven as the library asks.

After pynq.lib.dma: a channel that is running takes no second transfer, `wait` without a transfer fails, a receive channel gives its
bytes only when waited for, and a send channel holds its buffer until then.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

Accelerator = Callable[[list[np.ndarray]], list[np.ndarray]]


class Channel:
    """One direction of a DMA."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log
        self.buffer: np.ndarray | None = None
        self.on_wait: Callable[[], None] = lambda: None

    def transfer(self, buffer: np.ndarray) -> None:
        if self.buffer is not None:
            raise RuntimeError(f"{self.name}: DMA channel not idle")
        assert buffer.dtype == np.uint8 and buffer.flags.c_contiguous and getattr(buffer, "physical", False), "not from allocate()"
        self.buffer = buffer
        self.log.append(f"{self.name} transfer")

    def wait(self) -> None:
        if self.buffer is None:
            raise RuntimeError(f"{self.name}: DMA channel not started")
        self.on_wait()
        self.buffer = None
        self.log.append(f"{self.name} wait")

    @property
    def is_idle(self) -> bool:
        return self.buffer is None


class Dma:
    """Both channels of a DMA."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.sendchannel, self.recvchannel = Channel(f"{name}.send", log), Channel(f"{name}.recv", log)


class Physical(np.ndarray):
    """What allocate() gives; holds garbage until written."""

    physical = True


def allocate(shape: Any, dtype: Any) -> np.ndarray:
    return np.full(shape, 0xA5, dtype).view(Physical)


class Board:
    """DMAs in front of and behind an accelerator; every frame is computed when its last output is waited for."""

    def __init__(self, names: list[str], inputs: list[str], outputs: list[str], accelerator: Accelerator) -> None:
        self.log: list[str] = []
        self.dmas = {name: Dma(name, self.log) for name in names}
        self.senders = [self.dmas[n].sendchannel for n in inputs]
        self.receivers = [self.dmas[n].recvchannel for n in outputs]
        self.accelerator = accelerator
        self.frames = 0
        self._sent: list[np.ndarray] | None = None
        for i, channel in enumerate(self.receivers):
            channel.on_wait = lambda i=i: self._deliver(i)  # type: ignore[misc]
        for channel in self.senders:
            channel.on_wait = self._take

    def _take(self) -> None:
        """The bytes leave when every input has been started, and the outputs too: nothing is lost in between."""
        if self._sent is None:
            assert all(not c.is_idle for c in (*self.senders, *self.receivers)), f"the accelerator stalls: {self.log}"
            self._sent = [np.array(c.buffer) for c in self.senders]
            self.frames += 1

    def _deliver(self, i: int) -> None:
        self._take()
        assert self._sent is not None
        made = self.accelerator(self._sent)[i]
        buffer = self.receivers[i].buffer
        assert buffer is not None and buffer.shape == made.shape, f"output {i}: a buffer of {buffer is not None and buffer.shape}"
        buffer[:] = made
        if sum(not c.is_idle for c in self.receivers) == 1:
            self._sent = None

    @property
    def is_idle(self) -> bool:
        return all(c.is_idle for d in self.dmas.values() for c in (d.sendchannel, d.recvchannel))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make `from pynq import Overlay, allocate` give this board."""
        module = ModuleType("pynq")
        board = self

        class Overlay:
            def __init__(self, bitstream: str) -> None:
                assert bitstream == "design.bit"

            def __getattr__(self, name: str) -> Dma:
                return board.dmas[name]

        module.Overlay, module.allocate = Overlay, allocate  # type: ignore[attr-defined]
        monkeypatch.setitem(__import__("sys").modules, "pynq", module)
