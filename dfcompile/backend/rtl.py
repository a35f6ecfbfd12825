"""A design as a SystemVerilog project: hand-written units, a generated top, memories, a file list."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dfcompile.backend.interface import Interface
from dfcompile.backend.memory import hex_lines
from dfcompile.backend.name import port_names, sanitise
from dfcompile.backend.resource import copy_library, render
from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Node
from dfcompile.units.base import Memory, Unit


def memory_file(unit_name: str, memory: Memory) -> str:
    """Name of the file with a memory's contents in rtl/, which is where simulators and synthesis tools must be started."""
    return f"{unit_name}_{sanitise(memory.name)}.mem"


def _unit_view(node: Node, interface: Interface) -> dict[str, Any]:
    unit = node.op
    assert isinstance(unit, Unit)
    name = interface.names.units[node.name]
    memories = [(f"{m.name}File", f'"{memory_file(name, m)}"') for m in unit.memories()]
    inputs = zip(port_names("in", len(node.inputs)), (interface.streams[t].sink for t in node.inputs), strict=True)
    outputs = zip(port_names("out", len(node.outputs)), (interface.streams[t].source for t in node.outputs), strict=True)
    return {
        "name": name,
        "kind": unit.kind,
        "text": " ".join(f"{node.name}: {', '.join(node.source) or unit.kind}".split()),
        "parameters": [*unit.parameters().items(), *memories],
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _check_memory(unit: str, memory: Memory) -> None:
    if memory.words.shape[1] != math.ceil(memory.width / 8) or not memory.depth:
        raise ValueError(f"{unit}: memory {memory.name} of {memory.width} bits has words of shape {memory.words.shape}")


def _write_memories(design: Design, interface: Interface, folder: Path) -> None:
    for node in design.nodes:
        for memory in design.unit(node.name).memories():
            _check_memory(node.name, memory)
            path = folder / memory_file(interface.names.units[node.name], memory)
            path.write_text(hex_lines(memory.words, memory.width))


def emit_rtl(design: Design, folder: Path) -> None:
    """Write the SystemVerilog project of a design into `folder` (made when missing).

    ``<name>.sv`` is the top with AXI4-Stream ports, ``<name>_core.sv`` the same with plain streams, ``files.f`` the
    file list in dependency order. Memory paths are relative to `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    interface = Interface.of(design)
    units = [_unit_view(n, interface) for n in design.nodes]
    kinds = {f"dfc_{u['kind']}.sv" for u in units}
    if any(s.depth for s in interface.streams.values()):
        kinds.add("dfc_fifo.sv")
    library = copy_library("rtl", sorted(kinds), folder)
    _write_memories(design, interface, folder)
    top = interface.names.top
    values = {
        "title": design.name,
        "names": interface.names,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "streams": list(interface.streams.values()),
        "units": units,
    }
    (folder / f"{top}_core.sv").write_text(render("rtl/core.sv.j2", **values))
    (folder / f"{top}.sv").write_text(render("rtl/wrapper.sv.j2", **values))
    sources = [f for f in library if f.endswith(".sv")]
    (folder / "files.f").write_text("".join(f"{line}\n" for line in ["+incdir+.", *sources, f"{top}_core.sv", f"{top}.sv"]))
