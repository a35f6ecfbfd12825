"""When a unit takes and gives beats: the vocabulary of the timing model.

A unit is one or more processes. A process repeats its `steps` for every frame, at most one step a cycle, in
order. The time of a step is the cycle in which it happens:

* a step that takes input beat k happens in the cycle of that beat's handshake;
* a step that gives output beat k issues it: the beat is valid `latency` cycles later at the earliest (and after
  the handshake of beat k - 1), and the step waits for the handshake of beat k - slots plus `credit_delay` cycles;
* a step waits for steps of another process of the unit (`After`).

t(s) = max(t(s-1) + 1, t of all it waits for): a max-plus system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Give:
    """How an output port's beats are issued.

    steps: for each beat of a frame the step that issues it, strictly rising
    latency: cycles from issue to valid, at least 1
    slots: beats that may be issued and not yet handed over
    credit_delay: 1 when a slot is free the cycle after the handshake, 0 when in the same cycle
    """

    steps: Steps
    latency: int
    slots: int
    credit_delay: int = 1


@dataclass(frozen=True, eq=False)
class After:
    """Step s of frame f happens at least `delay` cycles after `process` has done f * its steps + need[s] steps.

    need[s] may be below 1 (an earlier frame) or above the other process's steps (a later frame).
    """

    process: int
    need: Steps
    delay: int = 1


@dataclass(frozen=True, eq=False)
class Process:
    """One sequential engine of a unit.

    steps: steps per frame
    takes: input port index -> for each beat of a frame the step that takes it, strictly rising
    gives: output port index -> Give
    after: what its steps wait for in the unit's other processes
    """

    steps: int
    takes: Mapping[int, Steps] = field(default_factory=dict)
    gives: Mapping[int, Give] = field(default_factory=dict)
    after: tuple[After, ...] = ()


Schedule = tuple[Process, ...]


def one_to_one(beats: int, latency: int, slots: int, inputs: int = 1, outputs: int = 1, credit_delay: int = 1) -> Schedule:
    """A unit that takes one beat from each input and gives one on each output in every step."""
    every = np.arange(beats, dtype=np.int64)
    give = Give(every, latency, slots, credit_delay)
    takes: dict[int, Any] = {i: every for i in range(inputs)}
    return (Process(beats, takes, {o: give for o in range(outputs)}),)
