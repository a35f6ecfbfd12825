"""The proof that tokens and drains order all that must be: from the accesses of the descriptors themselves (access.py).

Two descriptors that touch a word, one of them writing it, must not run at once. Load and store finish one descriptor before the next;
the array starts a tile while results of earlier ones are still on their way, which is wrong only for a tile that reads one of them.
The proof walks over the program and knows of each descriptor which others are complete when it starts. It takes nothing from the
choice of tokens (token.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.access import Access, Accesses
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Descriptor, Opcode, Unit
from dfcompile.loopback.group import cycles, last_words

Reach = dict[Unit, int]


def unit_of(d: Descriptor) -> Unit:
    """The queue of a descriptor."""
    if isinstance(d, Compute):
        return Unit.COMPUTE
    return Unit.LOAD if d.opcode == Opcode.LOAD else Unit.STORE


class _Last:
    """The last descriptor of each queue that read, or wrote, each word."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, Unit, bool], NDArray[np.int32]] = {}

    def find(self, access: Access, unit: Unit, writes: bool) -> int:
        """The last one of a queue that touched any of these words so; -1 for none."""
        marks = self._marks.get((access.memory, unit, writes))
        part = marks[_below(access.words, len(marks))] if marks is not None else ()
        return int(np.max(part)) if len(part) else -1

    def mark(self, access: Access, unit: Unit, index: int) -> None:
        key = access.memory, unit, access.writes
        marks = self._marks.get(key, np.full(0, -1, np.int32))
        end = access.words.stop if isinstance(access.words, slice) else int(access.words.max(initial=-1)) + 1
        if end > len(marks):
            marks = np.pad(marks, (0, max(end, 2 * len(marks)) - len(marks)), constant_values=-1)
        marks[access.words] = index
        self._marks[key] = marks


def _below(words: NDArray[np.int64] | slice, end: int) -> NDArray[np.int64] | slice:
    return words if isinstance(words, slice) else words[words < end]


def prove_tokens(descriptors: Sequence[Descriptor], config: EngineConfig, constants: bytes = b"", address: int = 0) -> None:
    """ValueError unless everything that conflicts is ordered, and every wait has its signal, earlier in the program.

    descriptors: as the engine reads them, FINISH last
    constants:   external memory from `address` on, which holds the lists of steps
    """
    accesses, last = Accesses(config, constants, address), _Last()
    for i, (d, reach) in enumerate(zip(descriptors, _reach(descriptors), strict=True)):
        own, touched = unit_of(d), accesses.of(d)
        for access in touched:
            for unit in Unit:
                at = last.find(access, unit, writes=True)
                if access.writes:
                    at = -1 if unit == own == Unit.COMPUTE else max(at, last.find(access, unit, writes=False))
                if at > reach[unit]:
                    what = "writes" if access.writes else "reads"
                    raise ValueError(f"descriptor {i} {what} {access.memory}: it may start before {at} of {unit.name} is complete")
        for access in touched:
            last.mark(access, own, i)
    _prove_results(descriptors, config)


def _reach(descriptors: Sequence[Descriptor]) -> list[Reach]:
    """For each descriptor the last one of each queue that is complete when it starts."""
    tokens: dict[tuple[Unit, Unit], list[int]] = {}
    found: list[Reach] = []
    before: dict[Unit, int] = {}
    for i, d in enumerate(descriptors):
        own = unit_of(d)
        here = dict(found[before[own]]) if own in before else dict.fromkeys(Unit, -1)
        if own in before and (not isinstance(d, Compute) or d.drain):
            here[own] = before[own]
        for unit in Unit:
            if d.waits >> unit & 1:
                pending = tokens.get((unit, own), [])
                if not pending:
                    raise ValueError(f"descriptor {i} waits for a token of {unit.name} that no earlier descriptor signals")
                source = pending.pop(0)
                here = {u: max(here[u], found[source][u]) for u in Unit} | {unit: max(here[unit], source)}
        for unit in Unit:
            if d.signals >> unit & 1:
                tokens.setdefault((own, unit), []).append(i)
        found.append(here)
        before[own] = i
    left = [f"{a.name} to {b.name}" for (a, b), pending in tokens.items() if pending]
    if left:
        raise ValueError(f"signals without a wait: {', '.join(left)}")
    return found


def _prove_results(descriptors: Sequence[Descriptor], config: EngineConfig) -> None:
    """ValueError where a tile's first result comes while words of the last one of the tile before are still being written."""
    busy = 0  # cycle after which the words of the last result are written
    start = rooting = 0
    for i, d in enumerate(descriptors):
        if not isinstance(d, Compute):
            continue
        if d.drain:
            start = max(start, busy)
        if (d.root or rooting) and not d.drain and start:
            raise ValueError(f"descriptor {i} may give results while a root is found")
        rooting = d.root
        first = start + d.taps - 1
        last = start + cycles(d, config) - d.idle - 1
        if not d.acc_store:
            if first < busy:
                raise ValueError(f"descriptor {i} may give a result before the one of the tile before it is written")
            busy = last + d.late + last_words(d, config)
        start += cycles(d, config)
