"""What a descriptor makes the engine read and write, word for word: from the descriptor itself, by the engine's own addresses.

It shares nothing with what the compiler notes while it emits steps (`Step.reads`, `Step.writes`), so the two can be held against
each other. Words are those of the on-chip memories; of the external memory they are bus words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcompile.loopback.coding import word_beats
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Descriptor, Opcode, Target, Transfer, changed
from dfcompile.loopback.engine import result_words, walk, weight_steps
from dfcompile.loopback.listing import Lists
from dfcompile.loopback.storage import Ints

MEMORIES = {Target.ACT: "act", Target.WEIGHT: "weight", Target.TREE: "tree", Target.LIST: "list"}
EXTERNAL = "ext"


@dataclass(frozen=True, eq=False)
class Access:
    """Words of one memory that a descriptor reads or writes."""

    memory: str
    words: Ints | slice
    writes: bool


class Accesses:
    """Accesses of descriptors; tiles that walk over the same words share them."""

    def __init__(self, config: EngineConfig, constants: bytes = b"", address: int = 0) -> None:
        """constants: external memory from `address` on, which holds the lists of steps."""
        self.config, self.constants, self.address = config, constants, address
        self.lists = Lists(config)
        self._walked: dict[tuple[Descriptor, bytes], Ints | slice] = {}

    def of(self, d: Descriptor) -> list[Access]:
        """Everything that a descriptor touches but partial sums, which only the array has, in order. Descriptors come in program order."""
        if isinstance(d, Compute):
            return list(self._compute(d))
        return [] if d.opcode == Opcode.FINISH else self._transfer(d)

    def _transfer(self, d: Transfer) -> list[Access]:
        target = Target(d.target)
        if target == Target.LIST:
            self.lists.load(d, self.constants[d.address - self.address :])
        beats, rest = word_beats(d, self.config)
        inside, first = slice(d.inner, d.inner + -(-rest // beats)), d.address // self.config.bus_bytes
        loads = d.opcode == Opcode.LOAD
        return [Access(EXTERNAL, slice(first, first + d.beats), not loads), Access(MEMORIES[target], inside, loads)]

    def _compute(self, d: Compute) -> Iterator[Access]:
        yield Access("act", self._read(d), False)
        bits = weight_steps(d) << d.width
        yield Access("weight", slice(d.weight, d.weight + -(-bits // self.config.weight_bits)), False)
        if d.listed:
            yield Access("list", (d.tap_h + np.arange(-(-d.words // self.lists.each))) % self.config.list_words, False)
        if d.acc_store:
            return
        yield Access("tree", self._nodes(d), False)
        yield Access("act", _few(result_words(d)), True)

    def _read(self, d: Compute) -> Ints | slice:
        """Words of the activation memory that taps inside the picture are in."""
        steps = self.lists.of(d)
        key = _walks(d), b"" if steps is None else steps.tobytes()
        if key not in self._walked:
            if len(self._walked) > 16:
                self._walked.clear()
            address, inside = walk(d, steps)
            self._walked[key] = _few(address[inside])
        return self._walked[key]

    def _nodes(self, d: Compute) -> Ints:
        """Bias, thresholds of every level, and entries of a lookup; or the words of a requantization."""
        first = d.bank << self.config.tree_levels
        if d.scale:
            return first + np.array([0, 1, 2, 4])
        nodes = [np.arange(1 << d.levels)]
        if d.lookup:
            nodes.append((1 << (self.config.tree_levels - 1)) + np.arange(1 << d.levels))
        return first + np.concatenate(nodes)


_OTHERS = dict(
    waits=0, signals=0, drain=0, acc_load=0, acc_store=0, reset=0, width=0, levels=0, bank=0, twice=0, lookup=0, planes=0, weight=0,
    dst=0, dst_n=0, dst_h=0, dst_w=0, dst_p=0, writes=1, lane=0, idle=0, scale=0, scale_shift=0, root=0,
)  # fmt: skip


def _walks(d: Compute) -> Compute:
    """The descriptor without what does not change where it reads."""
    return changed(d, **_OTHERS)


def _few(words: Ints) -> Ints | slice:
    """Each word once; a slice where they follow one another."""
    found = np.unique(words)
    if len(found) and int(found[-1]) - int(found[0]) == len(found) - 1:
        return slice(int(found[0]), int(found[-1]) + 1)
    return found
