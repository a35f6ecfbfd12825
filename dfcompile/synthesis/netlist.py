"""A whole design synthesised for a device family: its netlist, for place and route and for simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfcompile.device.family import FAMILIES
from dfcompile.run.compile import NETLIST
from dfcompile.store.cache import cached, content_key
from dfcompile.synthesis.cells import cell_models
from dfcompile.synthesis.yosys import read_command, run_yosys, yosys_tool


@dataclass(frozen=True)
class Sources:
    """What is synthesised.

    texts: files by name, those of SystemVerilog in dependency order; top: the top module
    boxes: modules that are primitives of the device, whose text is a model for simulation
    """

    texts: Mapping[str, str]
    top: str
    boxes: tuple[str, ...] = ()

    @property
    def modules(self) -> list[str]:
        return [name for name in self.texts if name.endswith(".sv")]


def design_sources(rtl: Path, top: str, board: Path | None = None, more: Sequence[str] = ()) -> Sources:
    """The sources of the folder rtl/ of a build, and of files `more` of its folder board/."""
    listed = [f for f in (rtl / "files.f").read_text().split() if f.endswith(".sv")]
    headers = sorted(p.name for p in rtl.glob("*.svh"))
    memories = sorted(p.name for p in rtl.glob("*.mem"))
    texts = {f: (rtl / f).read_text() for f in (*headers, *memories, *listed)}
    return Sources(texts | {f: (board / f).read_text() for f in more if board}, top)


def synthesise(sources: Sources, family: str, pads: bool) -> Path:
    """Folder with ``netlist.json`` (for place and route), ``netlist.v`` (for simulation) and ``stat.json``.

    pads: the ports of the top are pins of the device
    CompileError when Yosys is missing or fails.
    """
    f = FAMILIES[family]
    outside = "" if pads else f.without_pads
    script = [
        read_command(sources.modules, sources.top, (*sources.boxes, *f.boxes)),
        *f.prepare,
        f"{f.synth[0]} -top {sources.top}{f.synth[1]}{outside}",
        "tee -q -o stat.json stat -json",
        "write_json netlist.json",
        f"write_verilog -noattr -noexpr {NETLIST}",
    ]

    def build(work: Path) -> None:
        for name, text in sources.texts.items():
            (work / name).write_text(text)
        run_yosys(script, work)
        for path in work.iterdir():
            if path.name not in ("netlist.json", NETLIST, "stat.json"):
                path.unlink()

    tool = yosys_tool()
    parts = [part for pair in sources.texts.items() for part in pair]
    return cached("netlist", content_key([tool.name, tool.version, *script, *parts]), build)


_WAIVED = ("-Wno-lint", "-Wno-style", "-Wno-SPECIFYIGN", "-Wno-INITIALDLY", "-Wno-COMBDLY", "-Wno-TIMESCALEMOD", "-Wno-UNOPTFLAT")
"""What Verilator says of code that nobody wrote: style, delays, initial values and time units of the models of cells, and vectors whose
bits depend on one another, as those of a carry chain do."""


def netlist_project(sources: Sources, family: str, pads: bool = False) -> Path:
    """A folder that simulates like the folder rtl/ of a build, but what is simulated is the netlist: ``files.f`` and what it lists.

    The netlist is of the same top module. CompileError where Yosys fails, or a cell has no model.
    """
    made = synthesise(sources, family, pads)
    cells = json.loads((made / "stat.json").read_text())["modules"][f"\\{sources.top}"]["num_cells_by_type"]
    boxes = [b for b in sources.boxes if b in cells]
    models = cell_models([c for c in cells if c not in boxes], family)

    def build(folder: Path) -> None:
        (folder / "cells.v").write_text(models)
        (folder / NETLIST).write_text((made / NETLIST).read_text())
        for box in boxes:
            (folder / f"{box}.sv").write_text(sources.texts[f"{box}.sv"])
        files = [*_WAIVED, "cells.v", NETLIST, *(f"{b}.sv" for b in boxes)]
        (folder / "files.f").write_text("".join(f"{f}\n" for f in files))

    texts = [text for b in boxes for text in (b, sources.texts[f"{b}.sv"])]
    return cached("netlist", content_key([*_WAIVED, (made / NETLIST).read_text(), models, *texts]), build)
