"""A design as a max-plus system of sequences and links.

Everything that happens in a design is an event of a *sequence*, which repeats its events for every frame, in
order: the steps of a unit's process, the beats a source offers, the writes into a FIFO, the beats a sink takes.
Every dependence is a *link*: beat k of one port waits `delay` cycles for beat k - shift of another, where a port
lists the events of a sequence that carry the beats of a frame. With W the writes of a FIFO of depth D between
producer P (latency L, slots S, credit delay C) and consumer Q, a stream is

    no FIFO:  P -> Q  delay L, shift 0      FIFO:  P -> W  delay L, shift 0      W -> Q  delay 1, shift 0
              Q -> P  delay C, shift S             W -> P  delay C, shift S      Q -> W  delay 1, shift D

Only steps that take, give or wait are kept as events; the cycles between them are the `gap` of the later one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.design import Design

Ints = NDArray[np.int64]
Shorts = NDArray[np.int32]
Bools = NDArray[np.bool_]
Records = NDArray[np.void]
UNBOUNDED = -1  # the depth of a FIFO that is never full


def record(*fields: str, of: np.dtype[np.void] | None = None) -> np.dtype[np.void]:
    """32-bit integers that are attributes of a row, after those of another record."""
    names = (*((of.names or ()) if of else ()), *fields)
    return np.dtype((np.record, np.dtype([(name, np.int32) for name in names], align=True)))


# first: its first event among all; events: per frame; wrap: least cycles from its last event to the first of the next frame
# ins: first row of links that it waits by; outs: first place in `out` of links that wait for it
SEQUENCE = record("first", "events", "wrap", "ins", "outs")
# src, dst: sequence waited for, and that waits; src_port, dst_port: offsets of their ports; beats: per frame
# shift_frames, shift_beats: the shift in whole frames (rounded down) and beats
_LINK = record("src", "dst", "src_port", "dst_port", "beats", "shift_frames", "shift_beats")
LINK = record("delay", of=_LINK)  # of all beats
ARCS = record("delays", "number", of=_LINK)  # of compact nets: offset in `ports` of a delay for each beat; number among all that may be


class Net(NamedTuple):
    """The flat arrays that the compiled loops work on. Few arrays, for numba counts references to each in each call;
    and 32 bits, so that a row of state is one cache line.

    sequences: SEQUENCE for each, with the state of a run in one; one more row ends the ranges
    links: LINK or ARCS for each, in order of who waits, with the state of a run in one
    ports: events (counted from their sequence's first) of all ports, end to end
    gaps: event -> least cycles after the event before it; for a sequence's first event: least time in frame 0
    out: links in order of who is waited for
    """

    sequences: Records
    links: Records
    ports: Shorts
    gaps: Shorts
    out: Ints

    @property
    def n(self) -> int:
        """Sequences."""
        return len(self.sequences) - 1

    @property
    def first(self) -> Shorts:
        return self.sequences["first"][:-1]

    @property
    def events(self) -> Shorts:
        return self.sequences["events"][:-1]


def joined(first: Ints, events: Ints, wraps: Sequence[int], links: Records, ports: Shorts, gaps: Shorts) -> Net:
    """The net of sequences (where their events begin, how many they are, their wraps) and links in order of who waits."""
    ends = np.arange(len(first) + 1)
    out = np.argsort(links["src"], kind="stable")
    sequences = np.zeros(len(ends), dtype=SEQUENCE)
    sequences["first"][:-1], sequences["events"][:-1], sequences["wrap"][:-1] = first, events, wraps
    sequences["ins"] = np.searchsorted(links["dst"], ends)
    sequences["outs"] = np.searchsorted(links["src"][out], ends)
    return Net(sequences, links, ports, gaps, out)


def with_state(rows: Records, kind: np.dtype[np.void]) -> Records:
    """A copy of the rows with more fields, all 0."""
    found = np.zeros(len(rows), dtype=kind)
    for name in rows.dtype.names or ():
        found[name] = rows[name]
    return found


class Port(NamedTuple):
    """Events of a sequence, one for each beat of a frame."""

    sequence: int
    offset: int
    beats: int


class Link(NamedTuple):
    """dst's beat k waits for src's beat k - shift and `delay` cycles.

    edge: index of the stream that makes the link, -1 inside a unit
    forward: waits for a beat (else for room)
    parts: the links that it stands for when sequences between them were left out
    """

    src: Port
    dst: Port
    delay: int
    shift: int
    edge: int = -1
    forward: bool = True
    parts: tuple[Link, ...] = ()

    @property
    def whole(self) -> tuple[Link, ...]:
        """The links of the system in it."""
        return self.parts or (self,)


@dataclass(frozen=True, eq=False)
class Edge:
    """One stream of a design in the system: its two ends and the writes of its FIFO."""

    tensor: str
    producer: Port
    consumer: Port
    latency: int
    slots: int
    credit_delay: int
    write: Port | None
    width: int

    @property
    def beats(self) -> int:
        return self.producer.beats


@dataclass(eq=False)
class System:
    """The sequences and ports of a design; `net` adds the links for given FIFO depths.

    names:  sequence -> what it is, for messages
    owners: sequence -> name of its unit, "" for sources, FIFOs and sinks
    cycles: sequence -> least cycles per frame
    inner:  links inside units and sources
    gaps:   sequence -> event -> least cycles after the event before it, the first's from the frame's start
    wraps:  sequence -> least cycles from its last event to the first of the next frame
    backwards: whether time runs backwards in it
    """

    backwards: ClassVar[bool] = False

    design: Design
    edges: list[Edge] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    inner: list[Link] = field(default_factory=list)
    gaps: list[Shorts] = field(default_factory=list)
    wraps: list[int] = field(default_factory=list)
    _ports: list[Shorts] = field(default_factory=list)
    _size: int = 0
    _every: dict[int, int] = field(default_factory=dict)  # events -> offset of a port of all of them
    _even: dict[int, Shorts] = field(default_factory=dict)  # events -> their gaps when each step is one
    _spans: dict[tuple[Port, int], int] = field(default_factory=dict)
    _positions: dict[int, Ints] = field(default_factory=dict)

    def sequence(self, name: str, owner: str, positions: Ints, cycles: int) -> int:
        """Add a sequence whose events come no earlier than at `positions`, repeating every `cycles` at best."""
        self._add(name, owner, cycles, int(cycles - positions[-1] + positions[0]))
        self.gaps.append(np.diff(positions, prepend=0).astype(np.int32))
        return len(self.names) - 1

    def every_cycle(self, name: str, owner: str, steps: int) -> Port:
        """Add a sequence of so many steps that are all events; its one port. Those of a length share memory."""
        self._add(name, owner, steps, 1)
        port = self.port_of_all(len(self.names) - 1, steps)
        if steps not in self._even:
            self._even[steps] = np.ones(steps, dtype=np.int32)
            self._even[steps][0] = 0
        self.gaps.append(self._even[steps])
        return port

    def _add(self, name: str, owner: str, cycles: int, wrap: int) -> None:
        self.names.append(name)
        self.owners.append(owner)
        self.cycles.append(cycles)
        self.wraps.append(wrap)

    def passes(self, port: Port) -> bool:
        """Whether each step of the port's sequence is an event and a beat of it."""
        return port.beats == len(self.gaps[port.sequence]) == self.cycles[port.sequence]

    def port(self, sequence: int, events: Ints | Shorts) -> Port:
        self._ports.append(events.astype(np.int32))
        self._size += len(events)
        return Port(sequence, self._size - len(events), len(events))

    def port_of_all(self, sequence: int, events: int) -> Port:
        """A port whose beats are all events of the sequence. Those of a length share memory."""
        if events not in self._every:
            self._every[events] = self.port(sequence, np.arange(events, dtype=np.int64)).offset
        return Port(sequence, self._every[events], events)

    def positions(self, q: int) -> Ints:
        """Event -> least cycles from the frame's start; none of them where an event has the number of its cycle."""
        if q not in self._positions:
            gaps = self.gaps[q]
            even = len(gaps) == self.cycles[q]
            self._positions[q] = np.empty(0, dtype=np.int64) if even else np.cumsum(gaps, dtype=np.int64)
        return self._positions[q]

    def frame(self, q: int) -> int:
        """Least cycles from an event to the same of the next frame."""
        steps = self.positions(q)
        return (int(steps[-1] - steps[0]) if len(steps) else len(self.gaps[q]) - 1) + self.wraps[q]

    def span(self, port: Port, beats: int) -> int:
        """Least cycles from a beat of the port to that so many beats later, as its sequence's own steps have it."""
        if (port, beats) not in self._spans:
            steps = self.positions(port.sequence)
            frame = self.frame(port.sequence)
            frames, rest = divmod(beats, port.beats)
            at = steps[self.events(port)] if len(steps) else self.events(port)
            later = np.concatenate([at[rest:], at[:rest] + frame])
            self._spans[port, beats] = frames * frame + int((later - at).min())
        return self._spans[port, beats]

    def events(self, port: Port) -> Shorts:
        """Of each beat, counted from the sequence's first."""
        return self.events_of_ports()[port.offset : port.offset + port.beats]

    def stream_links(self, edge: int, depth: int) -> list[Link]:
        """The links of a stream whose FIFO has so many slots (0 is none, UNBOUNDED never full)."""
        e = self.edges[edge]
        if depth == 0:
            room = Link(e.consumer, e.producer, e.credit_delay, e.slots, edge, False)
            return [Link(e.producer, e.consumer, e.latency, 0, edge), room]
        if e.write is None:
            raise ValueError(f"{e.tensor}: the system was built without a FIFO here")
        found = [Link(e.producer, e.write, e.latency, 0, edge), Link(e.write, e.producer, e.credit_delay, e.slots, edge, False)]
        found.append(Link(e.write, e.consumer, 1, 0, edge))
        if depth != UNBOUNDED:
            found.append(Link(e.consumer, e.write, 1, depth, edge, False))
        return found

    def links(self, depths: Mapping[str, int]) -> list[Link]:
        """All links, in order of who waits, when the FIFOs have these depths (tensor -> slots, absent is 0)."""
        found = list(self.inner)
        for i, e in enumerate(self.edges):
            found += self.stream_links(i, depths.get(e.tensor, 0))
        return sorted(found, key=lambda x: x.dst.sequence)

    def untimed_links(self, depths: Mapping[str, int]) -> list[Link]:
        """The same where times are no matter: a FIFO is as much more room for who gives, and no sequence of its own."""
        found = list(self.inner)
        for i, e in enumerate(self.edges):
            given, room = self.stream_links(i, 0)
            found += [given, room._replace(shift=e.slots + depths.get(e.tensor, 0))]
        return sorted(found, key=lambda x: x.dst.sequence)

    def events_of_ports(self) -> Shorts:
        """Net.ports: the same for all links."""
        if len(self._ports) > 1:
            self._ports = [np.concatenate(self._ports)]
        return self._ports[0] if self._ports else np.empty(0, dtype=np.int32)

    def take_ports(self, events: Shorts) -> None:
        """Let the ports, end to end, have these events."""
        self._ports = [events]

    def net(self, links: list[Link], timed: bool = True) -> Net:
        """The arrays for these links, in order of who waits; timed: with the gaps."""
        sizes = np.array([len(g) for g in self.gaps], dtype=np.int64)
        rows = [
            (x.src.sequence, x.dst.sequence, x.src.offset, x.dst.offset, x.src.beats, *divmod(x.shift, x.src.beats), x.delay) for x in links
        ]
        table = np.array(rows, dtype=LINK)
        gaps = np.concatenate(self.gaps) if timed else np.empty(0, dtype=np.int32)
        return joined(np.cumsum(sizes) - sizes, sizes, self.wraps, table, self.events_of_ports(), gaps)


@dataclass(frozen=True)
class Rates:
    """How fast the outside is: least cycles between two handshakes of each source and of each sink.

    frame_period: least cycles between the offers of the first beats of two frames.
    """

    source_gap: int = 1
    sink_gap: int = 1
    frame_period: int = 0


FULL_RATE = Rates()
