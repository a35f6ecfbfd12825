"""A design as an HLS C++ project in Vitis style: one function per unit, the top that joins them, a test bench, scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import limb_lines, write_lines
from dfcompile.emit.name import port_names, sanitise
from dfcompile.emit.resource import copy_library, render
from dfcompile.ir.graph import Node
from dfcompile.units.base import Memory, Stream, unit_of

# Units made by an HLS tool have pipelines of their own lengths, so FIFOs sized to the cycle for the
# SystemVerilog get some slack. Two slots are the tool's least.
SLACK = 8
LEAST_DEPTH = 2


@dataclass(frozen=True)
class Target:
    """What the vendor's scripts need: full part name and clock period in ns."""

    part: str = "xc7z020clg400-1"
    period: float = 5.0


def _signature(ports: Iterable[str], streams: Iterable[Stream]) -> str:
    return ", ".join(f"hls::stream<ap_uint<{s.width}>>& {p}" for p, s in zip(ports, streams, strict=True))


def _limb_names(memory: Memory) -> list[str]:
    count = -(-memory.width // 64)
    return ["A"] if count == 1 else [f"A{i}" for i in range(count)]


def _unit_view(node: Node, interface: Interface) -> dict[str, Any]:
    unit = unit_of(node)
    name = interface.names.units[node.name]
    ports = (*port_names("in", len(unit.inputs)), *port_names("out", len(unit.outputs)))
    memories = [
        {
            "name": f"{name}_{sanitise(m.name)}",
            "file": f"memory/{name}_{sanitise(m.name)}.inc",
            "width": m.width,
            "depth": m.depth,
            "limbs": _limb_names(m),
        }
        for m in unit.stored
    ]
    return {
        "name": name,
        "kind": unit.kind,
        "text": f"{node.name}: {', '.join(node.source) or unit.kind}",
        "parameters": list(unit.parameters().items()),
        "ports": ports,
        "signature": _signature(ports, (*unit.inputs, *unit.outputs)),
        "memories": memories,
        "arguments": [*ports, *(m["name"] for m in memories)],
        "streams": _top_arguments(node, interface),
    }


def _top_arguments(node: Node, interface: Interface) -> list[str]:
    """Names, in the top function, of the streams of a unit."""
    ports = {p.tensor: p.port for p in (*interface.inputs, *interface.outputs)}
    return [ports.get(t, interface.names.streams[t]) for t in (*node.inputs, *node.outputs)]


def _write_memories(design: Design, units: list[dict[str, Any]], folder: Path) -> None:
    for node, view in zip(design.nodes, units, strict=True):
        for memory, m in zip(design.unit(node.name).stored, view["memories"], strict=True):
            path = folder / m["file"]
            path.parent.mkdir(exist_ok=True)
            write_lines(path, memory.words, memory.width, limb_lines)


def emit_hls(design: Design, folder: Path, target: Target | None = None) -> None:
    """Write the C++ project of a design into `folder` (made when missing).

    ``<name>.cpp`` is the top, ``<unit>.cpp`` one function per unit that any HLS tool can take as its top alone,
    ``testbench.cpp`` runs the frames of ``vectors/``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = target or Target()
    interface = Interface.of(design)
    top = interface.names.top
    units = [_unit_view(n, interface) for n in design.nodes]
    outside = {*design.graph.inputs, *design.graph.outputs}
    inner = [
        {"name": s.source, "width": s.width, "depth": max(LEAST_DEPTH, s.depth + SLACK if s.depth else 0)}
        for s in interface.streams.values()
        if s.tensor not in outside
    ]
    outer = (*interface.inputs, *interface.outputs)
    copy_library("hls", sorted({f"dfc_{u['kind']}.hpp" for u in units} | {"dfc_top.hpp", "dfc_testbench.hpp"}), folder)
    _write_memories(design, units, folder)
    values = {
        "title": design.name,
        "names": interface.names,
        "units": units,
        "streams": inner,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "signature": _signature((p.port for p in outer), (p.stream for p in outer)),
        "sources": [f"{top}.cpp", *(f"{u['name']}.cpp" for u in units), "testbench.cpp"],
        "part": target.part,
        "period": f"{target.period:g}",
        "bench_files": ["vectors"],
        "make_arguments": "",
        "arguments": "",
    }
    for suffix in ("hpp", "cpp"):
        (folder / f"{top}.{suffix}").write_text(render(f"hls/top.{suffix}.j2", **values))
    for file in ("parameters.hpp", "testbench.cpp", "Makefile", "run_hls.tcl", "hls_config.cfg"):
        (folder / file).write_text(render(f"hls/{file}.j2", **values))
    for unit in units:
        (folder / f"{unit['name']}.cpp").write_text(render("hls/unit.cpp.j2", u=unit, **values))
