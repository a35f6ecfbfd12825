"""Shim."""
from __future__ import annotations
from dataclasses import replace
from dfcompile.dataflow.design import Design
from dfcompile.dataflow.timing import solve
from dfcompile.dataflow.timing_net import UNBOUNDED

def size_fifos(design: Design) -> Design:
    ideal = max(n.op.cycles for n in design.nodes)
    inner = {t: UNBOUNDED for n in design.nodes for t in n.inputs if t not in design.graph.inputs}
    occ = solve(design, 4, period=ideal, depths=inner).fifo_max_occupancy
    return replace(design, fifo_depths={t: d for t, d in occ.items() if d > 1})
