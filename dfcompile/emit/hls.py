"""A design as an HLS C++ project in Vitis style: one function per unit, the top that joins them, a test bench, scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dfcompile
from dfcompile.dataflow.design import Design
from dfcompile.device.area import STYLES
from dfcompile.emit.adders import hls_adders
from dfcompile.emit.identity import design_hash, version_word
from dfcompile.emit.interface import Interface, PortView
from dfcompile.emit.memory import write_bank
from dfcompile.emit.name import REGISTERS, RESTART, port_names, sanitise
from dfcompile.emit.resource import copy_library, copy_simulation, render
from dfcompile.ir.graph import Delay, Node
from dfcompile.timing.hls_streams import stream_depths
from dfcompile.units.base import Memory, Stream, unit_of

# What Vitis calls the memories of FIFOs; "auto" is its own choice.
FIFO_MEMORIES = {"lut": "srl", "lutram": "lutram", "bram": "bram", "uram": "uram"}
# Percent of the clock period that synthesis leaves to placement and routing: the default of Vitis' manual, the same in every version.
UNCERTAINTY = 27
# Sources that g++ compiles as one at most: reading the headers takes longer than most units.
GROUP = 10
_FEW = 6


@dataclass(frozen=True)
class Target:
    """What the vendor's scripts need: full part name and clock period in ns."""

    part: str = "xc7z020clg400-1"
    period: float = 5.0


def compiled_together(sources: Sequence[str], jobs: int = 2) -> list[Sequence[str]]:
    """Sources in groups, each compiled as one file by one of so many processes; more than a few are work for two at least."""
    count = max(-(-len(sources) // (GROUP if jobs > 1 else 2 * GROUP)), 1 if jobs == 1 or len(sources) <= _FEW else 2)
    return [sources[i::count] for i in range(count)]


def _signature(ports: Iterable[str], streams: Iterable[Stream]) -> str:
    return ", ".join(f"hls::stream<ap_uint<{s.width}>>& {p}" for p, s in zip(ports, streams, strict=True))


def _port_signature(ports: Iterable[PortView]) -> str:
    return ", ".join(f"hls::stream<dfc::AxiBeat<{8 * p.bytes}>>& {p.axis}" for p in ports)


def rom_banks(unit: str, memory: Memory) -> list[dict[str, Any]]:
    """The read-only arrays of a memory: one for each bank of its lanes."""
    stem = f"{unit}_{sanitise(memory.name)}"
    names = [f"{stem}_{i}" for i in range(len(memory.banks))] if len(memory.banks) > 1 else [stem]
    return [
        {"name": name, "file": f"memory/{name}.inc", "width": memory.width, "lanes": len(words), "depth": words.shape[1], "words": words}
        for name, words in zip(names, memory.split(), strict=True)
    ]


def _unit_view(node: Node, interface: Interface) -> dict[str, Any]:
    unit = unit_of(node)
    name = interface.names.units[node.name]
    ports = (*port_names("in", len(unit.inputs)), *port_names("out", len(unit.outputs)))
    keeps = isinstance(unit, Delay) and unit.keep
    memories = [bank for m in unit.stored for bank in rom_banks(name, m)]
    return {
        "name": name,
        "library": unit.library,
        "sums": unit.adders,
        "text": f"{node.name}: {', '.join(node.source) or unit.kind}",
        "parameters": list(unit.hls_parameters().items()),
        "ports": ports,
        "signature": _signature(ports, (*unit.inputs, *unit.outputs)),
        "memories": memories,
        "arguments": [*ports, "frames", *(["restart != 0", "kept"] if keeps else []), *(m["name"] for m in memories)],
        "kept": unit.inputs[0] if keeps else None,
        "streams": _top_arguments(node, interface),
    }


def _top_arguments(node: Node, interface: Interface) -> list[str]:
    """Names, in the top function, of the streams of a unit."""
    ports = {p.tensor: p.port for p in (*interface.inputs, *interface.outputs)}
    return [ports.get(t, interface.names.streams[t]) for t in (*node.inputs, *node.outputs)]


def _write_constants(units: list[dict[str, Any]], folder: Path) -> None:
    for bank in (m for view in units for m in view["memories"]):
        path = folder / bank["file"]
        path.parent.mkdir(exist_ok=True)
        write_bank(path, bank["words"], bank["width"])
    for view in units:
        if view["sums"]:
            (folder / "memory").mkdir(exist_ok=True)
            (folder / "memory" / f"{view['name']}_sums.inc").write_text(hls_adders(view["sums"], f"Sums_{view['name']}"))


def emit_hls(design: Design, folder: Path, target: Target | None = None) -> None:
    """Write the C++ project of a design into `folder` (made when missing).

    ``<name>.cpp`` is the top with AXI4 ports, ``<unit>.cpp`` one function per unit, ``unit/<unit>.cpp`` the same as a top of its own, for
    any HLS tool that is given this one file. ``testbench.cpp`` runs the frames of ``vectors/``. Vitis' scripts are for AMD's parts only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = target or Target()
    interface = Interface.of(design)
    top = interface.names.top
    units = [_unit_view(n, interface) for n in design.nodes]
    outer = (*interface.inputs, *interface.outputs)
    ports = {p.tensor: p.port for p in outer}
    depths = stream_depths(design)
    streams = [
        {"name": ports.get(s.tensor, s.source), "width": s.width, "depth": depths[s.tensor], "impl": FIFO_MEMORIES.get(STYLES[s.style])}
        for s in interface.streams.values()
    ]
    copy_library("hls", sorted({f"dfc_{u['library']}.hpp" for u in units} | {"dfc_top.hpp", "dfc_testbench.hpp"}), folder)
    copy_simulation(folder)
    _write_constants(units, folder)
    sources = [f"{top}.cpp", *(f"{u['name']}.cpp" for u in units), "testbench.cpp"]
    values = {
        "title": design.name,
        "names": interface.names,
        "units": units,
        "streams": streams,
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "signature": _port_signature(outer),
        "registers": REGISTERS | (RESTART if design.graph.streaming else {}),
        "streaming": design.graph.streaming,
        "version": version_word(),
        "hash": design_hash(design),
        "sources": sources,
        "groups": compiled_together(sources),
        "bench_files": ["vectors"],
        "make_arguments": "",
        "arguments": "",
    }
    for suffix in ("hpp", "cpp"):
        (folder / f"{top}.{suffix}").write_text(render(f"hls/top.{suffix}.j2", **values))
    for file in ("parameters.hpp", "testbench.cpp", "Makefile"):
        (folder / file).write_text(render(f"hls/{file}.j2", **values))
    write_scripts(target, values, folder)
    (folder / "unit").mkdir(exist_ok=True)
    for unit in units:
        (folder / f"{unit['name']}.cpp").write_text(render("hls/unit.cpp.j2", u=unit, **values))
        (folder / "unit" / f"{unit['name']}.cpp").write_text(render("hls/unit_top.cpp.j2", u=unit, **values))


def write_scripts(target: Target, values: Mapping[str, Any], folder: Path) -> None:
    """Write the scripts for Vitis HLS and Vitis unified into `folder`: for AMD's parts, which these tools know alone."""
    if not target.part.lower().startswith("xc"):
        return
    more = {
        "part": target.part,
        "period": f"{target.period:g}",
        "uncertainty": UNCERTAINTY,
        "ip_version": ".".join(dfcompile.__version__.split(".")[:2]),
        "description": f"made by dfcompile {dfcompile.__version__} from a quantized network",
    }
    for file in ("run_hls.tcl", "hls_config.cfg"):
        (folder / file).write_text(render(f"hls/{file}.j2", **values, **more))
