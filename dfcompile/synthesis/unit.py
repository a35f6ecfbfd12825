"""Synthesis of one unit by itself: its module with its parameters and memories, cached by content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dfcompile.dataflow.share import SharedMemory
from dfcompile.device.area import STYLE_CODES
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.emit.adders import rtl_adders
from dfcompile.emit.memory import hex_lines
from dfcompile.emit.name import port_names, sanitise
from dfcompile.emit.resource import library_files, resource_dir
from dfcompile.emit.rtl import rtl_parameters
from dfcompile.store.cache import cached, content_key
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
        widths = {"x": unit.inputs[0].width, "en": pipe.stages, "sums": len(pipe.graph.out) * unit.adders.sum.bits}
        inside = "".join(f"  logic [{bits - 1}:0] {name};\n" for name, bits in widths.items())
        inside += f"  {SUMS} u_sums (.clk_i, .en_i(en), .x_i(x), .sums_o(sums));\n"
        links += [".sums_x_o(x)", ".sums_en_o(en)", ".sums_i(sums)"]
    return (
        f"module {TOP} (\n  {(',' + chr(10) + '  ').join(ports)}\n);\n{inside}"
        f"  dfc_{unit.library} #(\n    {', '.join(values)}\n  ) u_unit (\n    {', '.join(links)}\n  );\nendmodule\n"
    )


@dataclass(frozen=True)
class Synthesis:
    """A module to be synthesised by itself for a device family; `run` is its real area.

    sources:  (file name, text) of its SystemVerilog, dependencies first; memories: of the files that it reads
    default:  map logic with the tool's default instead of for area (see `flow`)
    """

    sources: tuple[tuple[str, str], ...]
    memories: tuple[tuple[str, str], ...]
    top: str
    family: str
    default: bool = False

    @property
    def script(self) -> list[str]:
        """Commands of Yosys."""
        read = read_command([f for f, _ in self.sources if f.endswith(".sv")], self.top, FAMILIES[self.family].boxes)
        return [read, *commands(self.family, self.top, self.default)]

    @property
    def content(self) -> list[str]:
        """All that its area depends on but the version of the tool."""
        return [*self.script, *(part for pair in (*self.sources, *self.memories) for part in pair)]

    @property
    def key(self) -> str:
        """Of equal modules, on one machine. CompileError where Yosys is missing."""
        tool = yosys_tool()
        return content_key([tool.name, tool.version, *self.content])

    def run(self) -> Resources:
        """Synthesise it, or take what has been found before. CompileError where Yosys is missing or fails."""
        stat = json.loads((cached("synthesis", self.key, self._build) / "stat.json").read_text())
        return count(stat["modules"][f"\\{self.top}"]["num_cells_by_type"], self.family)

    def _build(self, work: Path) -> None:
        for name, text in (*self.sources, *self.memories):
            (work / name).write_text(text)
        run_yosys(self.script, work)
        for path in work.iterdir():
            if path.name not in ("stat.json", f"{self.top}.sv"):
                path.unlink()


def unit_synthesis(unit: Unit, family: str, library: Path | None = None, default: bool = False, outside: bool = False) -> Synthesis:
    """A unit by itself.

    library: folder with the SystemVerilog modules, default the compiler's own
    outside: without the memory that it reads through ports
    """
    folder = library or resource_dir("rtl")
    files = library_files(folder, [*unit.modules, *(["dfc_rom.sv"] if unit.ported and not outside else [])])
    texts = [(f, (folder / f).read_text()) for f in files]
    texts += [(f"{SUMS}.sv", rtl_adders(unit.adders, SUMS))] if unit.adders else []
    texts.append((f"{TOP}.sv", wrapper(unit, outside)))
    memories = [m for m in unit.memories() if not (outside and m.name == unit.ported)]
    return Synthesis(tuple(texts), tuple((f"{m.name}.mem", hex_lines(m.words, m.width)) for m in memories), TOP, family, default)


def shared_synthesis(memory: SharedMemory, family: str, library: Path | None = None) -> Synthesis:
    """Two memories in one."""
    folder = library or resource_dir("rtl")
    ports, links = ["input logic clk_i"], [".clk_i"]
    values = ['.File("shared.mem")']
    for name, m in (("first", memory.first), ("second", memory.second)):
        bits = (m.depth - 1).bit_length()
        ports += [f"input logic {name}_en_i", f"input logic [{bits - 1}:0] {name}_addr_i", f"output logic [{m.width - 1}:0] {name}_data_o"]
        links += [f".{name}_en_i", f".{name}_addr_i", f".{name}_data_o"]
        values += [f".{name.capitalize()}Width({m.width})", f".{name.capitalize()}Depth({m.depth})"]
    top = f"module {TOP} ({', '.join(ports)});\n  dfc_rom_shared #({', '.join(values)}) u_shared ({', '.join(links)});\nendmodule\n"
    texts = (("dfc_rom_shared.sv", (folder / "dfc_rom_shared.sv").read_text()), (f"{TOP}.sv", top))
    return Synthesis(texts, (("shared.mem", hex_lines(memory.words, memory.width)),), TOP, family)
