"""Synthesis of one unit by itself: its module with its parameters and memories, cached by content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dfcompile.dataflow.share import SharedMemory
from dfcompile.device.area import STYLE_CODES
from dfcompile.device.resources import Resources
from dfcompile.emit.adders import rtl_adders
from dfcompile.emit.memory import hex_lines
from dfcompile.emit.name import port_names, sanitise
from dfcompile.emit.resource import library_files, resource_dir
from dfcompile.emit.rtl import rtl_parameters
from dfcompile.run.cache import cached, content_key
from dfcompile.synthesis.flow import commands, count
from dfcompile.synthesis.yosys import read_command, run_yosys, yosys_tool
from dfcompile.units.base import Unit

TOP = "unit_top"
SUMS = "unit_sums"


def wrapper(unit: Unit, outside: bool = False) -> str:
    """A module without parameters around the unit's and the memory that it reads through ports, or with those ports (`outside`)."""
    ports, links = ["input logic clk_i", "input logic rst_ni"], [".clk_i", ".rst_ni"]
    for name, stream in zip(port_names("in", len(unit.inputs)), unit.inputs, strict=True):
        ports += [f"input logic [{stream.width - 1}:0] {name}_data_i", f"input logic {name}_valid_i", f"output logic {name}_ready_o"]
        links += [f".{name}_data_i", f".{name}_valid_i", f".{name}_ready_o"]
    for name, stream in zip(port_names("out", len(unit.outputs)), unit.outputs, strict=True):
        ports += [f"output logic [{stream.width - 1}:0] {name}_data_o", f"output logic {name}_valid_o", f"input logic {name}_ready_i"]
        links += [f".{name}_data_o", f".{name}_valid_o", f".{name}_ready_i"]
    values = [f".{k}({v})" for k, v in rtl_parameters(unit, lambda m: f"{m.name}.mem")]
    inside = ""
    if unit.ported:
        memory = next(m for m in unit.memories() if m.name == unit.ported)
        name, bits = sanitise(memory.name), max(1, (memory.depth - 1).bit_length())
        links += [f".{name}_en_o", f".{name}_addr_o", f".{name}_data_i"]
        ends = [f"logic {name}_en_o", f"logic [{bits - 1}:0] {name}_addr_o"]
        if outside:
            ports += [*(f"output {e}" for e in ends), f"input logic [{memory.width - 1}:0] {name}_data_i"]
        else:
            inside = "".join(f"  {e};\n" for e in (*ends, f"logic [{memory.width - 1}:0] {name}_data_i")) + (
                f'  dfc_rom #(.File("{memory.name}.mem"), .FileDepth({memory.depth}), .Width({memory.width}), '
                f".Style({STYLE_CODES[memory.style]})) u_{name} (\n    .clk_i, .en_i({name}_en_o), .addr_i({name}_addr_o), "
                f".data_o({name}_data_i)\n  );\n"
            )
    if unit.adders:
        pipe = unit.adders.pipeline
        widths = {"x": unit.inputs[0].width, "sums": len(pipe.graph.out) * unit.adders.sum.bits}
        inside = "".join(f"  logic [{bits - 1}:0] {name};\n" for name, bits in widths.items())
        inside += f"  {SUMS} u_sums (.clk_i, .x_i(x), .sums_o(sums));\n"
        links += [".sums_x_o(x)", ".sums_i(sums)"]
    return (
        f"module {TOP} (\n  {(',' + chr(10) + '  ').join(ports)}\n);\n{inside}"
        f"  dfc_{unit.library} #(\n    {', '.join(values)}\n  ) u_unit (\n    {', '.join(links)}\n  );\nendmodule\n"
    )


def synthesise_unit(unit: Unit, family: str, library: Path | None = None, default: bool = False, outside: bool = False) -> Resources:
    """Real area of a unit on a device family.

    library: folder with the SystemVerilog modules, default the compiler's own
    default: map logic with the tool's default instead of for area (see `flow`)
    outside: without the memory that it reads through ports
    """
    folder = library or resource_dir("rtl")
    files = library_files(folder, [f"dfc_{unit.library}.sv", *(["dfc_rom.sv"] if unit.ported and not outside else [])])
    texts = [(f, (folder / f).read_text()) for f in files]
    texts += [(f"{SUMS}.sv", rtl_adders(unit.adders, SUMS))] if unit.adders else []
    texts.append((f"{TOP}.sv", wrapper(unit, outside)))
    memories = [m for m in unit.memories() if not (outside and m.name == unit.ported)]
    return synthesise_texts(texts, [(f"{m.name}.mem", hex_lines(m.words, m.width)) for m in memories], TOP, family, default)


def synthesise_shared(memory: SharedMemory, family: str, library: Path | None = None) -> Resources:
    """Real area of two memories in one."""
    folder = library or resource_dir("rtl")
    ports, links = ["input logic clk_i"], [".clk_i"]
    values = ['.File("shared.mem")']
    for name, m in (("first", memory.first), ("second", memory.second)):
        bits = (m.depth - 1).bit_length()
        ports += [f"input logic {name}_en_i", f"input logic [{bits - 1}:0] {name}_addr_i", f"output logic [{m.width - 1}:0] {name}_data_o"]
        links += [f".{name}_en_i", f".{name}_addr_i", f".{name}_data_o"]
        values += [f".{name.capitalize()}Width({m.width})", f".{name.capitalize()}Depth({m.depth})"]
    top = f"module {TOP} ({', '.join(ports)});\n  dfc_rom_shared #({', '.join(values)}) u_shared ({', '.join(links)});\nendmodule\n"
    texts = [("dfc_rom_shared.sv", (folder / "dfc_rom_shared.sv").read_text()), (f"{TOP}.sv", top)]
    return synthesise_texts(texts, [("shared.mem", hex_lines(memory.words, memory.width))], TOP, family)


def synthesise_texts(
    sources: Sequence[tuple[str, str]], memories: Sequence[tuple[str, str]], top: str, family: str, default: bool = False
) -> Resources:
    """Real area of module `top` from (file name, text) of its SystemVerilog, dependencies first, and of the memories that it reads."""
    script = [read_command([f for f, _ in sources if f.endswith(".sv")], top), *commands(family, top, default)]

    def build(work: Path) -> None:
        for name, text in (*sources, *memories):
            (work / name).write_text(text)
        run_yosys(script, work)
        for path in work.iterdir():
            if path.name not in ("stat.json", f"{top}.sv"):
                path.unlink()

    tool = yosys_tool()
    key = content_key([tool.name, tool.version, *script, *(part for pair in (*sources, *memories) for part in pair)])
    stat = json.loads((cached("synthesis", key, build) / "stat.json").read_text())
    return count(stat["modules"][f"\\{top}"]["num_cells_by_type"], family)
