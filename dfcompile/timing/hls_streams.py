"""Depths of the streams of a design's C++.

Each unit there is one sequence of blocking reads and writes (`Unit.hls_schedule`), where a SystemVerilog module may have several. So
streams may have to hold more than the FIFOs of the SystemVerilog, above all where branches meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from dfcompile.dataflow.design import Design
from dfcompile.timing.fifo_sizing import Progress, deepen
from dfcompile.timing.system import build

# An HLS tool's pipelines have lengths of their own, so FIFOs sized to the cycle get some slack. Two slots are the tool's least.
_SLACK = 8
_LEAST = 2
_WORK = 5_000_000  # events of the model that lowering may compute
# Steps of all units in a frame up to which streams are sized: evenly spread takes have few corners, so large frames take long.
_LARGEST = 5_000_000


def size_streams(design: Design, interval: Fraction, progress: Progress = lambda text: None) -> Design:
    """The design with depths for the streams of its C++ that keep the interval of its SystemVerilog: those of its FIFOs, and more where
    the C++ needs it. Beyond five million steps a frame it is left without: its streams have the depths of its FIFOs then, and whether
    these do, verification of the C++ says, which runs in them."""
    if sum(design.unit(n.name).cycles for n in design.nodes) > _LARGEST:
        return design
    system = build(design, hls=True)
    fifos = {t: d for t, d in design.fifo_depths.items() if d}
    return replace(design, hls_depths=_slots(design, deepen(system, fifos, interval, _WORK, progress)))


def stream_depths(design: Design) -> Mapping[str, int]:
    """Slots of each stream of the C++. Where nobody sized them, those of the FIFOs, with what streams need besides."""
    return design.hls_depths or _slots(design, design.fifo_depths)


def _slots(design: Design, fifos: Mapping[str, int]) -> dict[str, int]:
    """Slots of the streams of the C++ for FIFOs of the timing model: beats that a unit may have issued and not handed over lie there."""
    return {t: max(_LEAST, d + slots + (_SLACK if d else 0)) for t, slots in design.hls_slots.items() for d in [fifos.get(t, 0)]}
