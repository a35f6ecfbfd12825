"""Depths of the streams of a design's C++.

Each unit there is one sequence of blocking reads and writes (`Unit.hls_schedule`), where a SystemVerilog module may have several. So
streams may have to hold more than the FIFOs of the SystemVerilog, above all where branches meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.timing.endless import goes_on
from dfcompile.timing.fifo_sizing import Progress, deepen
from dfcompile.timing.net import Ints, System
from dfcompile.timing.reach import reach
from dfcompile.timing.run import Share
from dfcompile.timing.solve import circle
from dfcompile.timing.system import build

# An HLS tool's pipelines have lengths of their own, so FIFOs sized to the cycle get some slack. Two slots are the tool's least.
_SLACK = 8
_LEAST = 2
_WORK = 5_000_000  # events of the model that lowering may compute
# Steps of all units in a frame up to which streams keep the interval: evenly spread takes are almost all corners, so that takes long.
_LARGEST = 5_000_000
_HELD = 120_000_000  # events of a run, of two frames at least and four at most


def are_exact(design: Design) -> bool:
    """Whether streams are sized to keep the interval; else only so that nothing deadlocks."""
    return sum(design.unit(n.name).cycles for n in design.nodes) <= _LARGEST


def size_streams(design: Design, interval: Fraction, progress: Progress = lambda text: None) -> Design:
    """The design with depths for the streams of its C++: those of the FIFOs of its SystemVerilog, and more where the C++ needs it.

    They keep the interval. Beyond five million steps a frame they are what a run of the model needs to go on, which says nothing of the
    interval: units of the C++ decide by counters alone, so that a run deadlocks at all speeds or at none.
    """
    fifos = {t: d for t, d in design.fifo_depths.items() if d}
    if not are_exact(design):
        return replace(design, hls_depths=_slots(design, _deepened(design, fifos, progress)))
    system = build(design, hls=True)
    return replace(
        design,
        hls_depths=_slots(
            design, deepen(system, fifos, interval, _WORK, lambda text: progress(text.replace("FIFOs", "streams of the C++")))
        ),
    )


def _deepened(design: Design, fifos: Mapping[str, int], progress: Progress = lambda text: None) -> dict[str, int]:
    """Depths with which a run goes on: streams that lack room in a circle of waiting units hold twice as much, until none does.

    Where no branches meet nobody waits in a circle: in a tree of streams whoever lacks room waits for a reader further on. Elsewhere it is
    mostly proved at once that the depths do (`goes_on`), and a run only shows what room is short.
    """
    depths = dict(fifos)
    if nx.is_forest(design.graph.topology().to_undirected()):
        return depths
    system, reached = build(design, fifos=frozenset(), hls=True), dict[int, Ints]()

    def told(done: int, of: int) -> None:
        progress(f"size streams of the C++ {done}/{of}")

    if goes_on(system, system.untimed_links(depths), told):
        return depths
    while short := _short(system, depths, reached, told):
        depths |= {t: 2 * depths.get(t, 1) for t in short}
    return depths


def _short(system: System, depths: Mapping[str, int], reached: dict[int, Ints], progress: Share) -> set[str]:
    """The streams whose room units of a deadlock wait for.

    reached: what runs of so many frames more got through with less room, from where they go on
    """
    links = system.untimed_links(depths)
    net = system.net(links, timed=False)
    frames = min(4, max(2, _HELD // int(net.events.sum(dtype=np.int64))))
    ahead = [-(x.shift // x.src.beats) for x in links if x.shift < 0]
    now = np.zeros(net.n, dtype=np.int64)
    # Units that take frames ahead, one behind the other, end as many frames early: who waits for no room waits for a later frame.
    for more in dict.fromkeys((max(ahead, default=0), *(sum(ahead) * n // 8 for n in range(1, 9)))):
        now = reached.setdefault(more, now.copy())
        waits = reach(net, frames + more, now, progress)
        if (now >= frames * net.events.astype(np.int64)).all():
            return set()
        found = {system.edges[links[k].edge].tensor for k in circle(links, waits) if links[k].edge >= 0 and not links[k].forward}
        if found:
            return found
    raise AssertionError("with room for all beats no units wait for each other")


def stream_depths(design: Design) -> Mapping[str, int]:
    """Slots of each stream of the C++. Where nobody sized them, those of the FIFOs, with what streams need besides."""
    return design.hls_depths or _slots(design, design.fifo_depths)


def _slots(design: Design, fifos: Mapping[str, int]) -> dict[str, int]:
    """Slots of the streams of the C++ for FIFOs of the timing model: beats that a unit may have issued and not handed over lie there."""
    return {t: max(_LEAST, d + slots + (_SLACK if d else 0)) for t, slots in design.hls_slots.items() for d in [fifos.get(t, 0)]}
