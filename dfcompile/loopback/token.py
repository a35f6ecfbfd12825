"""Dependency tokens, made from what the emitter notes that its steps touch; token_proof.py proves that they suffice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Unit, changed
from dfcompile.loopback.group import last_words
from dfcompile.loopback.step import Interval, Step

Marks = dict[str, NDArray[np.int64]]


class _Uses:
    """Last step of each queue that touched each block of each memory."""

    def __init__(self, sizes: dict[str, int], blocks: dict[str, int]) -> None:
        self.block = blocks
        self.marks: dict[Unit, Marks] = {u: {k: np.full(n // blocks[k] + 1, -1, np.int64) for k, n in sizes.items()} for u in Unit}

    def _range(self, interval: Interval) -> slice:
        space, first, end = interval
        return slice(max(0, first) // self.block[space], max(0, end - 1) // self.block[space] + 1)

    def last(self, unit: Unit, interval: Interval) -> int:
        part = self.marks[unit][interval[0]][self._range(interval)]
        return int(part.max()) if len(part) else -1

    def mark(self, unit: Unit, interval: Interval, index: int) -> None:
        self.marks[unit][interval[0]][self._range(interval)] = index


def _latest(step: Step, unit: Unit, read: _Uses, written: _Uses) -> int:
    """The array works in order on its own results, so of its own steps only a written result that is read again counts."""
    if unit == step.unit == Unit.COMPUTE:
        return max((written.last(unit, x) for x in step.reads if x[0] == "act"), default=-1)
    found = [written.last(unit, x) for x in (*step.reads, *step.writes)] + [read.last(unit, x) for x in step.writes]
    return max(found, default=-1)


def conflicts(steps: Sequence[Step], config: EngineConfig, size: int) -> list[dict[Unit, int]]:
    """For each step and queue, the last earlier step of that queue which must be complete before it."""
    sizes = {"act": config.act_words, "weight": config.weight_words, "list": config.list_words, "acc": 1, "ext": size}
    sizes["tree"] = config.tree_banks << config.tree_levels
    blocks = {"act": 1, "weight": 1, "list": 1, "tree": 1 << config.tree_levels, "acc": 1, "ext": 1024}
    read, written = _Uses(sizes, blocks), _Uses(sizes, blocks)
    result = []
    for i, step in enumerate(steps):
        needs = {u: _latest(step, u, read, written) for u in Unit}
        result.append(needs)
        for x in step.reads:
            read.mark(step.unit, x, i)
        for x in step.writes:
            written.mark(step.unit, x, i)
    return result


def add_tokens(steps: Sequence[Step], config: EngineConfig, size: int) -> list[Step]:
    """Steps with `wait`, `signal` and `drain` set: each queue's tokens come and go in order, so the k-th wait meets the k-th signal."""
    wait, signal, drain = [0] * len(steps), [0] * len(steps), [0] * len(steps)
    known: dict[tuple[Unit, Unit], int] = {}
    drained = -1
    for i, needs in enumerate(conflicts(steps, config, size)):
        own = steps[i].unit
        for unit, at in needs.items():
            if unit == own:
                if own == Unit.COMPUTE and at > drained:
                    drain[i], drained = 1, i - 1
                continue
            if at > known.get((unit, own), -1):
                known[unit, own] = at
                wait[i] |= 1 << unit
                signal[at] |= 1 << own
    for i in _overrunning(steps, config):
        drain[i] = 1
    result = []
    for s, w, g, d in zip(steps, wait, signal, drain, strict=True):
        told = {"drain": d} if isinstance(s.descriptor, Compute) else {}
        result.append(replace(s, descriptor=changed(s.descriptor, waits=w, signals=g, **told)))
    return result


def _overrunning(steps: Sequence[Step], config: EngineConfig) -> list[int]:
    """Tiles whose first result would come while the last one of the tile before is still being written, and those around roots."""
    found = []
    before: Compute | None = None
    for i, step in enumerate(steps):
        d = step.descriptor
        if isinstance(d, Compute):
            if before is not None:
                overruns = not before.acc_store and d.taps + before.idle < last_words(before, config)
                if overruns or d.root or before.root:
                    found.append(i)
            before = d
    return found
