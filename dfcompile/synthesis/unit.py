"""Synthesis of one unit by itself: its module with its parameters and memories, cached by content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dfcompile.backend.cache import cached, content_key
from dfcompile.backend.memory import hex_lines
from dfcompile.backend.name import port_names
from dfcompile.backend.resource import library_files, resource_dir
from dfcompile.synthesis.flow import commands, count
from dfcompile.synthesis.yosys import read_command, run_yosys, yosys_tool
from dfcompile.units.base import Resources, Unit

TOP = "unit_top"


def wrapper(unit: Unit) -> str:
    """A module without parameters around the unit's."""
    ports, links = ["input logic clk_i", "input logic rst_ni"], [".clk_i", ".rst_ni"]
    for name, stream in zip(port_names("in", len(unit.inputs)), unit.inputs, strict=True):
        ports += [f"input logic [{stream.width - 1}:0] {name}_data_i", f"input logic {name}_valid_i", f"output logic {name}_ready_o"]
        links += [f".{name}_data_i", f".{name}_valid_i", f".{name}_ready_o"]
    for name, stream in zip(port_names("out", len(unit.outputs)), unit.outputs, strict=True):
        ports += [f"output logic [{stream.width - 1}:0] {name}_data_o", f"output logic {name}_valid_o", f"input logic {name}_ready_i"]
        links += [f".{name}_data_o", f".{name}_valid_o", f".{name}_ready_i"]
    values = [f".{k}({v})" for k, v in unit.parameters().items()]
    values += [f'.{m.name}File("{m.name}.mem")' for m in unit.memories()]
    return (
        f"module {TOP} (\n  {(',' + chr(10) + '  ').join(ports)}\n);\n"
        f"  dfc_{unit.kind} #(\n    {', '.join(values)}\n  ) u_unit (\n    {', '.join(links)}\n  );\nendmodule\n"
    )


def synthesise_unit(unit: Unit, family: str, library: Path | None = None, default: bool = False) -> Resources:
    """Real area of a unit on "xc7", "xcup" or "ecp5".

    library: folder with the SystemVerilog modules, default the compiler's own
    default: map logic with the tool's default instead of for area (see `flow`)
    """
    folder = library or resource_dir("rtl")
    files = library_files(folder, [f"dfc_{unit.kind}.sv"])
    texts = [(f, (folder / f).read_text()) for f in files] + [(f"{TOP}.sv", wrapper(unit))]
    return synthesise_texts(texts, [(f"{m.name}.mem", hex_lines(m.words, m.width)) for m in unit.memories()], TOP, family, default)


def synthesise_texts(
    sources: Sequence[tuple[str, str]], memories: Sequence[tuple[str, str]], top: str, family: str, default: bool = False
) -> Resources:
    """Real area of module `top` from (file name, text) of its SystemVerilog, dependencies first, and of the memories that it reads."""
    script = commands(family, top, default)

    def build(work: Path) -> None:
        for name, text in (*sources, *memories):
            (work / name).write_text(text)
        run_yosys([read_command([f for f, _ in sources if f.endswith(".sv")], top), *script], work)
        for path in work.iterdir():
            if path.name not in ("stat.json", f"{top}.sv"):
                path.unlink()

    tool = yosys_tool()
    key = content_key([tool.name, tool.version, *script, *(part for pair in (*sources, *memories) for part in pair)])
    stat = json.loads((cached("synthesis", key, build) / "stat.json").read_text())
    return count(stat["modules"][f"\\{top}"]["num_cells_by_type"], family)
