"""The system of a design, from what its units say of their schedules."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.timing.kernel import jit
from dfcompile.timing.net import FULL_RATE, Edge, Ints, Link, Port, Rates, Shorts, System
from dfcompile.units.parts.schedule import After, Process, Schedule

_SPARSE = 16  # steps for each number from which a list is sorted, not marked


@dataclass(frozen=True)
class _Giver:
    port: Port
    latency: int
    slots: int
    credit_delay: int


def build(design: Design, rates: Rates = FULL_RATE, fifos: frozenset[str] | None = None, hls: bool = False) -> System:
    """The system of a design.

    fifos: tensors that may get a FIFO (default: all)
    hls: of its C++, not of its SystemVerilog
    ValueError when the two ends of a stream do not move the same number of beats.
    """
    if min(rates.source_gap, rates.sink_gap) < 1:
        raise ValueError("the gap between two handshakes is at least 1 cycle")
    system = System(design)
    givers: dict[str, _Giver] = {}
    takers: dict[str, Port] = {}
    writes: dict[str, Port] = {}
    streams = design.streams()

    def give(tensor: str, giver: _Giver) -> None:
        givers[tensor] = giver
        if fifos is None or tensor in fifos:
            writes[tensor] = system.every_cycle(f"FIFO {tensor}", "", giver.port.beats)

    for t in design.graph.inputs:
        give(t, _add_source(system, t, streams[t].beats, rates))
    for node in design.nodes:
        unit = design.unit(node.name)
        schedule = unit.hls_schedule() if hls else unit.schedule()
        for t, giver in _add_unit(system, node.name, schedule, node.inputs, node.outputs, takers).items():
            give(t, giver)
    for t in design.graph.outputs:
        beats = streams[t].beats
        takers[t] = _outside(system, f"sink {t}", beats, rates.sink_gap)
    for t, g in givers.items():
        if t not in takers:
            raise ValueError(f"{t} has no reader")
        if g.port.beats != takers[t].beats:
            raise ValueError(f"{t}: given in {g.port.beats} beats a frame, taken in {takers[t].beats}")
        system.edges.append(Edge(t, g.port, takers[t], g.latency, g.slots, g.credit_delay, writes.get(t), streams[t].width))
    return system


def _add_source(system: System, tensor: str, beats: int, rates: Rates) -> _Giver:
    """A source is a giver of latency 0 that offers a beat `source_gap` after the handshake of the one before."""
    port = _outside(system, f"source {tensor}", beats, rates.source_gap)
    if rates.frame_period:
        head = system.port(port.sequence, np.zeros(1, dtype=np.int64))
        system.inner.append(Link(head, head, rates.frame_period, 1))
    return _Giver(port, 0, 1, rates.source_gap)


def _outside(system: System, name: str, beats: int, gap: int) -> Port:
    """A source or sink of a beat every `gap` cycles."""
    if gap == 1:
        return system.every_cycle(name, "", beats)
    return system.port_of_all(system.sequence(name, "", np.arange(beats, dtype=np.int64) * gap, beats * gap), beats)


def _add_unit(
    system: System, name: str, schedule: Schedule, inputs: tuple[str, ...], outputs: tuple[str, ...], takers: dict[str, Port]
) -> dict[str, _Giver]:
    """The unit's processes and links; its outputs."""
    waits = [_waits(p.after, schedule) for p in schedule]
    kept = [[np.array([0, p.steps - 1]), *p.takes.values(), *(g.steps for g in p.gives.values())] for p in schedule]
    for dst, found in enumerate(waits):
        for w in found:
            kept[dst].append(w.dst_steps)
            kept[w.process].append(w.src_steps)
    ids: list[int] = []
    events: list[Ints] = []
    givers: dict[str, _Giver] = {}
    for i, p in enumerate(schedule):
        label = name if len(schedule) == 1 else f"{name} (process {i})"
        events.append(_joined(kept[i], p.steps))
        if len(events[i]) == p.steps:
            ids.append(system.every_cycle(label, name, p.steps).sequence)
        else:
            ids.append(system.sequence(label, name, events[i], p.steps))

    def port(i: int, steps: Ints) -> Port:
        if len(steps) == len(events[i]):
            return system.port_of_all(ids[i], len(steps))
        return system.port(ids[i], places(events[i], steps))

    for i, p in enumerate(schedule):
        takers.update((inputs[k], port(i, steps)) for k, steps in p.takes.items())
        givers.update((outputs[k], _Giver(port(i, g.steps), g.latency, g.slots, g.credit_delay)) for k, g in p.gives.items())
        for w in waits[i]:
            wanted, waiting = port(w.process, w.src_steps), port(i, w.dst_steps)
            system.inner.append(Link(wanted, waiting, w.delay, -w.frame * waiting.beats))
    return givers


class _Wait(NamedTuple):
    process: int
    frame: int  # how many frames later the step waited for is
    src_steps: Ints
    dst_steps: Ints
    delay: int


def _waits(afters: tuple[After, ...], schedule: tuple[Process, ...]) -> list[_Wait]:
    """Each `After` as pairs of steps: only where the need rises, for the steps between wait by their order."""
    found = []
    for a in afters:
        steps, rises = schedule[a.process].steps, _rises(a.need)
        index = a.need[rises] - 1
        frames = index // steps
        ends = np.flatnonzero(np.diff(frames, prepend=frames[0] - 1, append=frames[-1] + 1))
        for first, end in pairwise(ends.tolist()):
            f = int(frames[first])
            found.append(_Wait(a.process, f, index[first:end] - f * steps, rises[first:end], a.delay))
    return found


@jit
def _rises(need: Ints) -> Ints:
    """Where a list is above all before."""
    found = np.empty(len(need), dtype=np.int64)
    count, most = 0, need[0] - 1
    for i in range(len(need)):
        if need[i] > most:
            most = need[i]
            found[count] = i
            count += 1
    return found[:count].copy()


def _joined(parts: list[Ints], steps: int) -> Ints:
    """All numbers below `steps` of several rising lists, rising, each once."""
    longest = max(parts, key=len)
    if len(longest) == longest[-1] - longest[0] + 1 and all(p[0] >= longest[0] and p[-1] <= longest[-1] for p in parts):
        return longest
    if steps > _SPARSE * sum(len(p) for p in parts):
        found = np.sort(np.concatenate(parts), kind="stable")  # merges what is sorted already
        return found[np.diff(found, prepend=-1) > 0]
    among = np.zeros(steps, dtype=np.bool_)
    for p in parts:
        among[p] = True
    return np.flatnonzero(among)


@jit
def places(events: Ints, steps: Ints) -> Shorts:
    """Where each of `steps` is in `events`, both rising."""
    found = np.empty(len(steps), dtype=np.int32)
    at = 0
    for k in range(len(steps)):
        while events[at] < steps[k]:
            at += 1
        found[k] = at
    return found
