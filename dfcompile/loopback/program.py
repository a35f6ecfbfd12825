"""A compiled program: descriptors in order, the memory image, and how the host reads and writes frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import pack
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.pack import Columns
from dfcompile.loopback.repeat import Repeat, folded, repeats
from dfcompile.loopback.step import Step
from dfcompile.loopback.storage import Storage, digits, from_memory, to_memory, undigits

PAGE = 4096
"""Bytes of external memory in whose multiples it is given out."""


@dataclass(frozen=True, eq=False)
class Port:
    """An input or output tensor in external memory: `address` of the first image, images one after another.

    columns: how the host packs the frames of an input, None as they are
    """

    name: str
    storage: Storage
    address: int
    image_bytes: int
    columns: Columns | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """Everything that one network is for the engine.

    steps:   descriptors as the engine runs them, FINISH last
    size:    bytes of external memory
    fixed:   (address, bytes) of the constants; program: its address
    batch:   images that one run computes
    states:  bytes at `states_address` that a run begins with and leaves behind changed for the next one, as they are in front of the
             first; a copy of them, which no run changes, is at `first_states`
    """

    config: EngineConfig
    batch: int
    steps: tuple[Step, ...]
    layers: tuple[Layer, ...]
    constants: bytes
    constants_address: int
    program_address: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    spilled: tuple[str, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    states: bytes = b""
    states_address: int = 0
    first_states: int = 0

    @cached_property
    def repeats(self) -> list[Repeat]:
        """Turns of loops that are alike, which the program has once."""
        return repeats(self.steps, self.config)

    @cached_property
    def code(self) -> bytes:
        """The program as it lies in memory."""
        return b"".join(pack(d) for d in folded(self.steps, self.repeats, self.config))

    @property
    def size(self) -> int:
        """Bytes of external memory, a multiple of PAGE."""
        return -(-(self.program_address + len(self.code)) // PAGE) * PAGE

    def image(self, codes: Mapping[str, Array] | None = None, states: bytes | None = None) -> NDArray[np.uint8]:
        """The memory before a run.

        codes:  (n <= batch, h, w, c) for each input
        states: those that an earlier run left, None: the first ones
        """
        memory = np.zeros(self.size, np.uint8)
        place(memory, self.states_address, np.frombuffer(self.states if states is None else states, np.uint8))
        place(memory, self.constants_address, np.frombuffer(self.constants, np.uint8))
        place(memory, self.program_address, np.frombuffer(self.code, np.uint8))
        if codes is not None:
            for port in self.inputs:
                place(memory, port.address, to_bytes(port, codes[port.name], self.config.simd))
        return memory

    def states_in(self, memory: NDArray[np.uint8]) -> bytes:
        """The states that a run has left."""
        return memory[self.states_address : self.states_address + len(self.states)].tobytes()

    def results(self, memory: NDArray[np.uint8], count: int) -> dict[str, Array]:
        """Codes of the outputs of the first `count` images, by name."""
        return {p.name: from_bytes(p, memory, count, self.config.simd) for p in self.outputs}


def place(memory: NDArray[np.uint8], address: int, data: NDArray[np.uint8]) -> None:
    """Write bytes into the image."""
    memory[address : address + len(data)] = data


def to_bytes(port: Port, codes: Array, simd: int) -> NDArray[np.uint8]:
    """Frames as the memory holds them; gaps are zero."""
    s = port.storage
    n = len(codes)
    if port.columns is not None:
        codes = port.columns.apply(codes)
    frame = np.zeros((s.planes, n, s.height, s.width, len(s.slots)), np.int8)
    filled = np.flatnonzero(s.slots >= 0)
    flat = np.asarray(codes).reshape(n, s.height, s.width, -1)
    frame[..., filled] = digits(flat[..., s.slots[filled]], s.planes, s.shift, s.bits)
    images = to_memory(np.ascontiguousarray(frame.transpose(1, 0, 2, 3, 4)), s.bits).reshape(n, -1)
    return np.pad(images, ((0, 0), (0, port.image_bytes - images.shape[1]))).reshape(-1)


def from_bytes(port: Port, memory: NDArray[np.uint8], count: int, simd: int) -> Array:
    """The inverse of `to_bytes`, as float64; the storage may be a view into a larger buffer."""
    s = port.storage
    data = from_memory(memory[port.address : port.address + count * port.image_bytes], s.bits).reshape(count, -1, simd)
    shape = (s.planes, s.height, s.width, s.words(simd))
    grid = sum(
        (np.arange(k) * step).reshape([-1 if i == a else 1 for i in range(4)])
        for a, (k, step) in enumerate(zip(shape, (s.plane, s.row, s.col, 1), strict=True))
    )
    words = data[:, np.asarray(grid) + s.start]
    planes = words.reshape(count, s.planes, s.height, s.width, -1).transpose(1, 0, 2, 3, 4)
    codes = undigits(planes, s.shift, s.bits)
    result = np.empty((count, s.height, s.width, s.channels))
    filled = np.flatnonzero(s.slots >= 0)
    result[..., s.slots[filled]] = codes[..., filled]
    return result
