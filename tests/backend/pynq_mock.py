"""A strict stand-in for PYNQ: overlays with DMAs and registers, in front of the emitted design under Verilator.

After pynq's documentation (pynq.lib.dma, pynq.buffer): a channel takes no transfer before the last one is done, no more bytes than its
length register holds and only memory from `allocate`; received bytes can be seen after `wait` alone; what is sent must not change
before the channel is idle. The clock runs with every access to a register or a channel.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

POLL = 8  # cycles that pass with a look at a channel


class Physical(np.ndarray):
    """What allocate() gives: contiguous memory that holds garbage until written, and nothing once freed."""

    physical_address = 0x1000_0000
    freed = False

    def flush(self) -> None: ...
    def invalidate(self) -> None: ...

    def freebuffer(self) -> None:
        assert not self.freed, "freed twice"
        self.freed = True
        self[:] = 0x5A


class Channel:
    """One direction of a DMA, on a port of the device. `words`: bytes of its memory side, to which buffers must be aligned."""

    def __init__(self, board: Board, name: str, output: bool, port: int, longest: int) -> None:
        self.board, self.name, self.output, self.port, self.longest = board, name, output, port, longest
        self.buffer: Any = None
        self.size = 0
        self.sent: Any = None
        self.running = True
        self.stuck = False
        self._first = True

    def _state(self) -> int:
        if self.buffer is None:
            return 1
        if self.stuck:
            return 0
        state: int = self.board.device.advance(self.output, self.port, POLL)
        if state == 1 and self.sent is not None:
            assert np.array_equal(self.buffer[: self.size], self.sent), f"{self.name}: the buffer changed while it was sent"
            self.sent = None
        return state

    def transfer(self, array: Any, start: int = 0, nbytes: int = 0) -> None:
        if not self.running:
            raise RuntimeError("DMA channel not started")
        if not self._first and self._state() != 1:
            raise RuntimeError("DMA channel not idle")
        size = nbytes or array.nbytes - start
        if size > self.longest:
            raise ValueError(f"Transferred array is of size {size} bytes, which exceeds the maximum DMA buffer size {self.longest}.")
        assert isinstance(array, Physical) and not array.freed and array.flags.c_contiguous and start == 0, "not from allocate()"
        assert array.dtype == np.uint8 and size <= array.nbytes, "more bytes than the buffer has"
        self._first = False
        self.buffer, self.size = array, size
        self.board.log.append(f"{self.name} transfer")
        if self.output:
            self.board.device.receive(self.port, size)
        else:
            self.sent = np.array(array[:size])
            self.board.device.send(self.port, self.sent)

    @property
    def idle(self) -> bool:
        return self._state() == 1

    @property
    def error(self) -> bool:
        return self._state() == 2

    @property
    def transferred(self) -> int:
        return len(self.board.device.received(self.port)) if self.output else self.size

    def wait(self) -> None:
        if not self.running or self.buffer is None:
            raise RuntimeError("DMA channel not started")
        while not self.stuck:  # for ever, as the real one
            state = self._state()
            if state == 2:
                raise RuntimeError("DMA Internal Error (transfer length 0?)")
            if state == 1:
                break
        if self.output:
            data = self.board.device.received(self.port)
            self.buffer[: len(data)] = data
        self.board.log.append(f"{self.name} wait")


class Core:
    """The design's registers."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def read(self, offset: int) -> int:
        value: int = self.board.device.read(offset)
        return value

    def write(self, offset: int, value: int) -> None:
        self.board.log.append(f"write {offset:#x} {value}")
        self.board.device.write(offset, value)


class Dma:
    """Both channels of a DMA; either may be missing."""

    def __init__(self, longest: int) -> None:
        self.buffer_max_size = longest
        self.sendchannel: Any = None
        self.recvchannel: Any = None


class Board:
    """An overlay's DMAs, by name, in front of and behind a device (driver/dfc_simulator.py). length_bits: c_sg_length_width."""

    def __init__(self, device: Any, inputs: list[str], outputs: list[str], core: str = "accelerator", length_bits: int = 26) -> None:
        self.device, self.core = device, core
        self.log: list[str] = []
        self.allocated: list[weakref.ref[Any]] = []
        longest = 2**length_bits - 1
        self.dmas = {name: Dma(longest) for name in (*inputs, *outputs)}
        for i, name in enumerate(inputs):
            self.dmas[name].sendchannel = Channel(self, f"{name}.send", False, i, longest)
        for i, name in enumerate(outputs):
            self.dmas[name].recvchannel = Channel(self, f"{name}.recv", True, i, longest)

    @property
    def buffers(self) -> int:
        """Buffers that were allocated so far."""
        return len(self.allocated)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make `from pynq import Overlay, allocate` give this board."""
        module = ModuleType("pynq")
        board = self

        class Overlay:
            def __init__(self, bitstream: str) -> None:
                for end in (".bit", ".hwh"):
                    if not Path(bitstream).with_suffix(end).exists():
                        raise OSError(f"Bitstream file {bitstream} does not exist.")

            def __getattr__(self, name: str) -> Any:
                if name == board.core:
                    return Core(board)
                if name not in board.dmas:
                    raise AttributeError(f"Could not find IP or hierarchy {name} in overlay")
                return board.dmas[name]

        def allocate(shape: Any, dtype: Any) -> np.ndarray:
            made = np.full(shape, 0xA5, dtype).view(Physical)
            board.allocated.append(weakref.ref(made))
            return made

        module.Overlay, module.allocate = Overlay, allocate  # type: ignore[attr-defined]
        monkeypatch.setitem(__import__("sys").modules, "pynq", module)
