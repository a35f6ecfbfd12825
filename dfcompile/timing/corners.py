"""Which events of a system must be kept so that the times of the others follow: the corners of its ports.

Between two corners a port moves a beat every so many steps. A path of links that crosses from one port to another within such
stretches asks for a number that is linear in where it crosses, so it asks for most where a stretch of one of the two begins or
ends. So beats that are corners of one port are kept on every port that they are linked to, and on to all ports of these events.

Links that hand beats over with a shift cross elsewhere. That what is kept is enough is therefore no theorem: `full` checks it,
on all events, wherever times are to be proved.
"""

from __future__ import annotations

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Bools, Ints, Port, Shorts, System
from dfcompile.timing.rising import found_in

_VISITS = 2000
"""Times that events of a sequence are added: where one calls for the next, and that for the one after it, all are kept at last."""


def kept_events(system: System) -> list[Ints]:
    """Sequence -> its events that are kept, rising; the first and the last always are."""
    pairs = [(e.producer, e.consumer) for e in system.edges] + [(x.src, x.dst) for x in system.inner]
    beside: dict[int, dict[Port, list[Port]]] = {}
    for a, b in pairs:
        beside.setdefault(a.sequence, {}).setdefault(a, []).append(b)
        beside.setdefault(b.sequence, {}).setdefault(b, []).append(a)
    known: dict[tuple[int, int, int], Ints] = {}
    found: dict[int, Bools] = {}
    new: dict[int, list[Ints]] = {}
    for q, ports in beside.items():
        found[q] = np.zeros(len(system.gaps[q]), dtype=np.bool_)
        new[q] = [np.array([0, len(found[q]) - 1])]
        for p in ports:
            key = p.offset, p.beats, id(system.gaps[q])
            if key not in known:
                known[key] = system.events(p)[_corners(system.events(p), system.positions(q))].astype(np.int64)
            new[q].append(known[key])
    visits: dict[int, int] = {}
    while new:
        for q in sorted(new):
            fresh, visits[q] = [], visits.get(q, 0) + 1
            parts = new.pop(q)
            for part in (np.flatnonzero(~found[q]),) if visits[q] == _VISITS else parts:
                fresh.append(part[~found[q][part]])
                found[q][fresh[-1]] = True
            events = np.sort(np.concatenate(fresh))
            for p, others in beside[q].items() if len(events) else ():
                beats = _beats(system.events(p), events)
                for other in others if len(beats) else ():
                    new.setdefault(other.sequence, []).append(system.events(other)[beats].astype(np.int64))
    kept = [np.flatnonzero(found[q]) if q in found else np.empty(0, dtype=np.int64) for q in range(len(system.gaps))]
    for e in system.edges:
        if e.write is not None:
            kept[e.write.sequence] = _beats(system.events(e.producer), kept[e.producer.sequence])
    return kept


def _beats(port: Shorts, events: Ints) -> Ints:
    """The beats that these events carry."""
    at = found_in(port, events)
    at[at == len(port)] -= 1
    found: Ints = at[port[at] == events]
    return found


@jit
def _corners(port: Shorts, positions: Ints) -> Ints:
    """The first and the last beat, and those whose distances to both neighbours differ."""
    found = np.empty(len(port), dtype=np.int64)
    count, before = 0, -1
    for b in range(len(port)):
        step = 0
        if b + 1 < len(port):
            step = positions[port[b + 1]] - positions[port[b]] if len(positions) else port[b + 1] - port[b]
        if step != before:
            found[count] = b
            count += 1
        before = step
    return found[:count].copy()
