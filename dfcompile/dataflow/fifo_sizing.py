"""The smallest FIFOs that keep a design's interval."""

from __future__ import annotations

from dataclasses import replace

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.timing_interval import Periodic, least_interval
from dfcompile.dataflow.timing_net import UNBOUNDED, build


def size_fifos(design: Design) -> Design:
    """Depths that are enough (not yet the smallest)."""
    system = build(design)
    inner = {e.tensor: UNBOUNDED for e in system.edges if e.tensor not in design.graph.inputs}
    interval, periodic = least_interval(system, inner)
    assert interval is not None
    if Periodic(system, {}, interval).settle() is None:
        return replace(design, fifo_depths={})
    return replace(design, fifo_depths={t: d for t, d in periodic.occupancy().items() if d})
