"""The same system with time running backwards: its earliest times are the latest of the system.

With u(-k) = -t(k), a link t(dst k) >= t(src k-s) + d is u(src s-k) >= u(dst -k) + d: the ends change places, delay and shift
stay, and a frame's events and beats are counted from its end. A schedule that does everything as late as its readers allow
keeps few beats in FIFOs, where the earliest one lets fast units run ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfcompile.timing.net import Link, System


@dataclass(eq=False)
class _Mirror(System):
    backwards = True

    def stream_links(self, edge: int, depth: int) -> list[Link]:
        return [_turned(x) for x in super().stream_links(edge, depth)]


def mirrored(system: System) -> System:
    """The system backwards; ports, edges and sequences have the same numbers."""
    found = _Mirror(system.design, system.edges, system.names, system.owners, system.cycles)
    found.inner = [_turned(x) for x in system.inner]
    turned = {id(g): np.concatenate([np.zeros(1, np.int32), g[:0:-1]]) for g in {id(g): g for g in system.gaps}.values()}
    found.gaps = [turned[id(g)] for g in system.gaps]  # those of a length share memory
    found.wraps = system.wraps
    events = system.events_of_ports().copy()
    ports = [p for e in system.edges for p in (e.producer, e.consumer, e.write) if p is not None]
    for p in {*ports, *(p for x in system.inner for p in (x.src, x.dst))}:
        place = slice(p.offset, p.offset + p.beats)
        events[place] = len(system.gaps[p.sequence]) - 1 - system.events(p)[::-1]
    found.take_ports(events)
    return found


def _turned(x: Link) -> Link:
    return x._replace(src=x.dst, dst=x.src)
