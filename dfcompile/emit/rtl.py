"""A design as a SystemVerilog project: hand-written units, a generated top, memories, a file list."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import ported_memory, shared_memories
from dfcompile.device.area import STYLE_CODES
from dfcompile.emit.adders import rtl_adders
from dfcompile.emit.identity import design_hash, version_word
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import write_lines
from dfcompile.emit.name import port_names, sanitise
from dfcompile.emit.resource import OPTIONAL, copy_library, render
from dfcompile.ir.graph import Node
from dfcompile.units.base import Memory, Unit, unit_of


def memory_file(unit_name: str, memory: Memory) -> str:
    """Name of the file with a memory's contents in rtl/, which is where simulators and synthesis tools must be started."""
    return f"{unit_name}_{sanitise(memory.name)}.mem"


def rtl_parameters(unit: Unit, file: Callable[[Memory], str]) -> list[tuple[str, int | str]]:
    """Parameters of a unit's module; `file` names the contents of a memory. Of one read from outside it knows the depth alone."""
    found: list[tuple[str, int | str]] = [p for p in unit.parameters().items() if not unit.ported or p[0] != f"{unit.ported}Style"]
    for m in unit.stored:
        found.append((f"{m.name}Depth", m.depth) if m.name == unit.ported else (f"{m.name}File", f'"{file(m)}"'))
    return found


def _memory_view(unit: str, memory: Memory, shared: bool) -> dict[str, Any]:
    return {
        "unit": unit,
        "name": sanitise(memory.name),
        "width": memory.width,
        "depth": memory.depth,
        "shared": shared,
        "addr_bits": max(1, (memory.depth - 1).bit_length()),
        "style": STYLE_CODES[memory.style],
        "file": memory_file(unit, memory),
    }


def _memory_views(design: Design, interface: Interface) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The memories that units read from outside, and those of them that share block RAMs by twos."""
    shared = {u for pair in design.shared for u in pair}
    views = {}
    for node in design.nodes:
        memory = ported_memory(design, node.name)
        if memory:
            views[node.name] = _memory_view(interface.names.units[node.name], memory, node.name in shared)
    pairs = [{"first": views[a], "second": views[b], "file": shared_file(interface, (a, b))} for a, b in design.shared]
    return list(views.values()), pairs


def shared_file(interface: Interface, units: tuple[str, str]) -> str:
    """Name of the file with the contents of a block RAM that two units share."""
    return "__".join(interface.names.units[u] for u in units) + ".mem"


def _unit_view(node: Node, interface: Interface) -> dict[str, Any]:
    unit = unit_of(node)
    name = interface.names.units[node.name]
    inputs = zip(port_names("in", len(node.inputs)), (interface.streams[t].sink for t in node.inputs), strict=True)
    outputs = zip(port_names("out", len(node.outputs)), (interface.streams[t].source for t in node.outputs), strict=True)
    return {
        "name": name,
        "library": unit.library,
        "modules": unit.modules,
        "sums": unit.adders,
        "text": f"{node.name}: {', '.join(node.source) or unit.kind}",
        "parameters": rtl_parameters(unit, lambda m: memory_file(name, m)),
        "memory": sanitise(unit.ported) if unit.ported else "",
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _check_memory(unit: str, memory: Memory) -> None:
    if memory.words.shape[1] != math.ceil(memory.width / 8) or not memory.depth:
        raise ValueError(f"{unit}: memory {memory.name} of {memory.width} bits has words of shape {memory.words.shape}")


def _write_memories(design: Design, interface: Interface, folder: Path) -> None:
    for pair in shared_memories(design):
        write_lines(folder / shared_file(interface, pair.units), pair.words, pair.width)
    shared = {u for pair in design.shared for u in pair}
    for node in design.nodes:
        for memory in design.unit(node.name).stored:
            _check_memory(node.name, memory)
            if node.name in shared and memory.name == design.unit(node.name).ported:
                continue
            write_lines(folder / memory_file(interface.names.units[node.name], memory), memory.words, memory.width)


def emit_rtl(design: Design, folder: Path, whole: bool = False) -> None:
    """Write the SystemVerilog project of a design into `folder` (made when missing).

    ``<name>.sv`` is the top with AXI4-Stream ports, ``<name>_core.sv`` the same with plain streams, ``<name>_<unit>_sums.sv`` the adders of
    a unit that has constants for weights, ``files.f`` the file list in dependency order. Memory paths are relative to `folder`.

    whole: with modules too that stand in branches which no unit takes, as tools want them that package a design
    """
    folder.mkdir(parents=True, exist_ok=True)
    interface = Interface.of(design)
    units = [_unit_view(n, interface) for n in design.nodes]
    kinds = {m for u in units for m in u["modules"]} | {"dfc_axi_batch.sv", "dfc_axi_last.sv"}
    if any(s.depth for s in interface.streams.values()):
        kinds.add("dfc_fifo.sv")
    memories, shared = _memory_views(design, interface)
    kinds |= {"dfc_rom.sv"} if memories else set()
    kinds |= {"dfc_rom_shared.sv"} if shared else set()
    kinds |= set(OPTIONAL) if whole else set()
    library = copy_library("rtl", sorted(kinds), folder)
    _write_memories(design, interface, folder)
    top = interface.names.top
    adders = {f"{top}_{u['name']}_sums": u["sums"] for u in units if u["sums"]}
    for module, sums in adders.items():
        (folder / f"{module}.sv").write_text(rtl_adders(sums, module))
    values = {
        "title": design.name,
        "names": interface.names,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "streams": list(interface.streams.values()),
        "units": units,
        "streaming": design.graph.streaming,
        "memories": memories,
        "shared": shared,
        "version": version_word(),
        "hash": design_hash(design),
    }
    (folder / f"{top}_core.sv").write_text(render("rtl/core.sv.j2", **values))
    (folder / f"{top}.sv").write_text(render("rtl/wrapper.sv.j2", **values))
    sources = [f for f in library if f.endswith(".sv")]
    made = [f"{module}.sv" for module in (*adders, f"{top}_core", top)]
    (folder / "files.f").write_text("".join(f"{line}\n" for line in ["+incdir+.", *sources, *made]))
