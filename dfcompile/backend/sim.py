"""The sim/ folder of a build: test benches that run by themselves, with golden vectors."""

from __future__ import annotations

from dfcompile.backend.interface import Interface
from dfcompile.backend.resource import render
from dfcompile.dataflow.design import Design


def harness_ports(design: Design) -> str:
    """Text of ports.cpp, which tells the harness the addresses of a design's ports."""
    interface = Interface.of(design)
    return render("sim/ports.cpp.j2", names=interface.names, inputs=interface.inputs, outputs=interface.outputs)
