"""The sim/ folder of a build: test benches that run by themselves, with golden vectors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dfcompile.dataflow.design import Design
from dfcompile.emit.interface import Interface, PortView
from dfcompile.emit.memory import write_beats
from dfcompile.emit.resource import render, resource_dir
from dfcompile.timing.net import FULL_RATE, Rates
from dfcompile.units.base import Array

FILES = ("test_frames.py", "harness.cpp", "harness.hpp", "server.cpp")


def frame_cycles(design: Design) -> int:
    """A generous bound on the cycles one frame spends in the design."""
    return sum(design.unit(n.name).cycles for n in design.nodes) + 64 * (len(design.nodes) + 1)


def idle_limit(design: Design, stalls: float = 0.0, rates: Rates = FULL_RATE) -> int:
    """Cycles without any transfer after which a simulation is given up."""
    return 2 * frame_cycles(design) + int(200 / (1 - stalls) ** 2) + max(rates.source_gap, rates.sink_gap, rates.frame_period)


def harness_ports(design: Design) -> str:
    """Text of ports.cpp, which tells the harness the addresses of a design's ports."""
    interface = Interface.of(design)
    return render("sim/ports.cpp.j2", names=interface.names, inputs=interface.inputs, outputs=interface.outputs)


def write_vectors(folder: Path, ports: Sequence[PortView], codes: Sequence[Array]) -> None:
    """Write ``<port>.hex``, the beats of each port, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for port, x in zip(ports, codes, strict=True):
        write_beats(folder / f"{port.axis}.hex", port.stream, x)


def emit_sim(
    design: Design, folder: Path, inputs: Sequence[Array], outputs: Sequence[Array] | None, rtl: Path, rates: Rates = FULL_RATE
) -> None:
    """Write the test benches of a design into `folder`.

    inputs:  codes (n, h, w, c) of each input port
    outputs: the golden codes of each output port; None makes a bench that only records
    rtl:     folder of the SystemVerilog project, written as a path relative to `folder`
    rates:   of the slowest ports that the benches are to be run with
    """
    interface = Interface.of(design)
    write_vectors(folder / "vectors", interface.inputs, inputs)
    if outputs is not None:
        write_vectors(folder / "vectors", interface.outputs, outputs)

    def views(ports: Sequence[PortView]) -> list[dict[str, object]]:
        return [{"name": p.axis, "bits": p.width, "beats": p.beats} for p in ports]

    # The benches stall at most 19 cycles of 20.
    bench = {"top": interface.names.top, "frames": len(inputs[0]), "max_idle": idle_limit(design, 0.95, rates)}
    ports = {"inputs": views(interface.inputs), "outputs": views(interface.outputs)}
    (folder / "bench.json").write_text(json.dumps({**bench, **ports}, indent=1) + "\n")
    values = {
        "names": interface.names,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "frames": bench["frames"],
        "max_idle": bench["max_idle"],
        "rtl": Path(os.path.relpath(rtl, folder)).as_posix(),
    }
    for file in FILES:
        shutil.copyfile(resource_dir("templates") / "sim" / file, folder / file)
    (folder / "ports.cpp").write_text(harness_ports(design))
    (folder / "Makefile").write_text(render("sim/Makefile.j2", **values))
