"""What a design does in which cycle: interval, latency, frames, units and FIFOs, exactly as the hardware does it.

docs/timing.md has the mathematics; `net` the model, `run` its execution, `interval` its steady state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError, Problem
from dfcompile.timing.interval import least_interval, slowest_loop
from dfcompile.timing.net import Ints, Link, Net, Port, Rates, Shorts, System
from dfcompile.timing.reduce import Reduction
from dfcompile.timing.rising import max_occupancy
from dfcompile.timing.run import Share, run
from dfcompile.timing.system import build

_FRAMES, _MOST_FRAMES = 4, 32
_MOST_EVENTS = 60_000_000  # held at a time, when the number of frames is ours to choose; one frame is more in a very large design


@dataclass(frozen=True, eq=False)
class Timing:
    """Cycles of a design that is fed and drained at given rates; cycle 0 is that of the first input handshake.

    interval_cycles: cycles per frame in the steady state; a Fraction when frames differ and the mean is not whole
    latency_cycles: from the first input handshake to the first frame's last output handshake, both counted
    ideal_interval_cycles: cycles per frame of the slowest unit when nothing makes it wait
    bottleneck: that unit
    loop: units that wait for each other, where that takes more cycles than the slowest one alone; else none
    frame_done: frame -> cycle of its last handshake on any output
    output_done: output -> the same for that output alone
    units: unit -> (frames, 2): cycles of its first and last step in each frame
    fifo_max_occupancy: tensor with a FIFO -> most beats ever held in the frames looked at
    fifo_times: tensor with a FIFO -> (cycles of the writes, cycles of the reads)
    """

    interval_cycles: int | Fraction
    latency_cycles: int
    ideal_interval_cycles: int
    bottleneck: str
    frame_done: Ints = field(repr=False)
    output_done: Mapping[str, Ints] = field(repr=False)
    units: Mapping[str, Ints] = field(repr=False)
    fifo_max_occupancy: Mapping[str, int] = field(repr=False)
    fifo_times: Mapping[str, tuple[Ints | Shorts, Ints | Shorts]] = field(repr=False)
    loop: tuple[str, ...] = ()

    def occupancy(self, tensor: str) -> tuple[Ints, Ints]:
        """Fill of a FIFO over time: (cycles, beats held from that cycle on), at every change."""
        writes, reads = self.fifo_times[tensor]
        cycles = np.concatenate([writes + 1, reads + 1])
        order = np.argsort(cycles, kind="stable")
        held = np.cumsum(np.repeat([1, -1], [len(writes), len(reads)])[order])
        last = np.flatnonzero(np.diff(cycles[order], append=np.iinfo(np.int64).max))
        return cycles[order][last], held[last]


class _FifoTimes(Mapping[str, tuple[Ints | Shorts, Ints | Shorts]]):
    """`Timing.fifo_times`, each picked from the times of all events when it is asked for: together they are as much once more."""

    def __init__(self, net: Net, times: Ints | Shorts, ports: Mapping[str, tuple[Port, Port]]) -> None:
        self._net = net._replace(gaps=net.gaps[:0].copy())
        self._times, self._ports = times, ports

    def __getitem__(self, tensor: str) -> tuple[Ints | Shorts, Ints | Shorts]:
        write, read = self._ports[tensor]
        return _at(self._net, self._times, write).ravel(), _at(self._net, self._times, read).ravel()

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def __len__(self) -> int:
        return len(self._ports)


def solve(
    design: Design,
    frames: int | None = None,
    source_gap: int = 1,
    sink_gap: int = 1,
    frame_period: int = 0,
    interval: Fraction | None = None,
    progress: Share = lambda done, of: None,
) -> Timing:
    """Execute the model of a design, from an empty pipeline.

    frames: how many; None: until the steady interval shows at the output, or one where that were too many events
    source_gap, sink_gap: least cycles between two handshakes of each graph input and output
    frame_period: least cycles between the offers of the first beats of two frames
    interval: the steady interval, where it was proved already (`FifoSizing.interval`)
    progress: is told how many events are done, of how many; more frames than were looked at first begin again
    CompileError with who waits for what when the design deadlocks.
    """
    depths = {t: d for t, d in design.fifo_depths.items() if d}
    system = build(design, Rates(source_gap, sink_gap, frame_period), frozenset(depths))
    if interval is None:
        interval, _ = least_interval(system, depths)
    if interval is None:
        raise _deadlock(system, depths)
    reduction = Reduction(system, starts=False)
    links = sorted(map(reduction.link, reduction.links(depths).tolist()), key=lambda x: x.dst.sequence)
    net, gone = system.net(links), reduction.left_out(depths)
    count = frames or max(1, min(_FRAMES, _MOST_EVENTS // len(net.gaps)))
    times = _execute(net, links, gone, count, progress)
    while frames is None and not _is_steady(system, net, times, interval) and _may_double(count, net):
        count *= 2
        times = _execute(net, links, gone, count, progress)
    loop = slowest_loop(system, depths, interval) if interval > max(system.cycles) else ()
    return _timing(system, net, times, depths, interval, loop)


def _may_double(frames: int, net: Net) -> bool:
    return 2 * frames <= _MOST_FRAMES and 2 * frames * len(net.gaps) <= _MOST_EVENTS


def _execute(net: Net, links: list[Link], gone: Mapping[int, list[Link]], frames: int, progress: Share) -> Ints | Shorts:
    """Times of the first frames; some more are run because steps may wait for steps of later frames.

    gone: sequence that `links` pass over -> the links that it waits by, of sequences that they join or that come before it here
    """
    later: dict[int, int] = {}
    for x in links:
        later[x.dst.sequence] = max(later.get(x.dst.sequence, 0), -(x.shift // x.src.beats))
    kept = net._replace(sequences=net.sequences.copy())
    kept.sequences["events"][list(gone)] = 0
    times, reached, _ = run(kept, frames + sum(later.values()), progress)
    assert (reached >= frames * kept.events).all(), "a design with an interval goes on"
    times = times[:frames]
    for q, ins in gone.items():
        times[:, net.first[q] : net.first[q] + net.events[q]] = _latest(net, times, ins)
    return times


def _latest(net: Net, times: Ints | Shorts, links: list[Link]) -> Ints | Shorts:
    """Times of a sequence that every beat of these links is an event of, (frames, events)."""
    found = np.zeros(len(times) * links[0].dst.beats, dtype=times.dtype)
    for x in links:
        asked = _at(net, times, x.src).ravel()[: max(0, len(found) - x.shift)]
        np.maximum(found[x.shift :], asked + times.dtype.type(x.delay), out=found[x.shift :])
    return found.reshape(len(times), -1)


def _at(net: Net, times: Ints | Shorts, port: Port) -> Ints | Shorts:
    """Times of a port's beats, (frames, beats)."""
    first = net.first[port.sequence]
    if port.beats == net.events[port.sequence]:
        return times[:, first : first + port.beats]
    return times[:, first + net.ports[port.offset : port.offset + port.beats]]


def _done(system: System, net: Net, times: Ints | Shorts) -> dict[str, Ints]:
    ends = {e.tensor: e.consumer for e in system.edges}
    return {t: _at(net, times, ends[t])[:, -1].astype(np.int64) for t in system.design.graph.outputs}


def _is_steady(system: System, net: Net, times: Ints | Shorts, interval: Fraction) -> bool:
    period = interval.denominator
    if 2 * period >= len(times):
        return False
    return all((d[period:] - d[:-period])[-period:].tolist() == [interval.numerator] * period for d in _done(system, net, times).values())


def _timing(system: System, net: Net, times: Ints | Shorts, depths: Mapping[str, int], interval: Fraction, loop: tuple[str, ...]) -> Timing:
    design = system.design
    takes = [_at(net, times, e.write or e.consumer)[0, 0] for e in system.edges if e.tensor in design.graph.inputs]
    start = int(min(takes, default=0))
    times -= start
    fifos = _FifoTimes(net, times, {e.tensor: (e.write, e.consumer) for e in system.edges if e.write is not None and e.tensor in depths})
    outputs = _done(system, net, times)
    owned: dict[str, list[int]] = {}
    for q, owner in enumerate(system.owners):
        owned.setdefault(owner, []).append(q)
    done = np.maximum.reduce(list(outputs.values()))
    slowest = max(design.nodes, key=lambda n: design.unit(n.name).cycles)
    return Timing(
        int(interval) if interval.denominator == 1 else interval,
        int(done[0]) + 1,
        design.unit(slowest.name).cycles,
        slowest.name,
        done,
        outputs,
        {n.name: _unit_frames(net, times, owned[n.name]) for n in design.nodes},
        {t: int(max_occupancy(*fifos[t])) for t in fifos},
        fifos,
        loop,
    )


def _unit_frames(net: Net, times: Ints | Shorts, own: list[int]) -> Ints:
    first = np.minimum.reduce([times[:, net.first[q]] for q in own])
    last = np.maximum.reduce([times[:, net.first[q] + net.events[q] - 1] for q in own])
    return np.stack([first, last], axis=1).astype(np.int64)


def circle(links: list[Link], waits: Ints) -> list[int]:
    """The links by which sequences wait for each other; waits: sequence -> link, -1 for none."""
    q = int(np.flatnonzero(waits >= 0)[0])
    order: list[int] = []
    while q not in order and waits[q] >= 0:
        order.append(q)
        q = links[int(waits[q])].src.sequence
    return [int(waits[s]) for s in (order[order.index(q) :] if q in order else order)]


def _deadlock(system: System, depths: Mapping[str, int]) -> CompileError:
    """Who waits for what, around the circle."""
    links = system.links(depths)
    waits = run(system.net(links), 2)[2]
    why = "; ".join(_wait(system, links[k]) for k in circle(links, waits))
    help_ = "deepen the FIFOs on the branches that meet, or let size_fifos choose"
    return CompileError(Problem("deadlock", "units wait for each other", where=system.design.name, why=why, help=help_))


def _wait(system: System, link: Link) -> str:
    who = system.names[link.dst.sequence]
    if link.edge < 0:
        return f"{who} waits for {system.names[link.src.sequence]}"
    edge = system.edges[link.edge]
    if link.forward:
        return f"{who} waits for a beat of {edge.tensor} from {system.names[link.src.sequence]}"
    return f"{who} waits for room on {edge.tensor}, held by {system.names[link.src.sequence]}"
