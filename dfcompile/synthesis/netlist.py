"""A whole design synthesised for a device family: its netlist, for place and route and for simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfcompile.device.family import FAMILIES
from dfcompile.run.cache import cached, content_key
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
        read_command(sources.modules, sources.top, sources.boxes),
        f"{f.synth[0]} -top {sources.top}{f.synth[1]}{outside}",
        "tee -q -o stat.json stat -json",
        "write_json netlist.json",
        "write_verilog -noattr -noexpr netlist.v",
    ]

    def build(work: Path) -> None:
        for name, text in sources.texts.items():
            (work / name).write_text(text)
        run_yosys(script, work)
        for path in work.iterdir():
            if path.name not in ("netlist.json", "netlist.v", "stat.json"):
                path.unlink()

    tool = yosys_tool()
    parts = [part for pair in sources.texts.items() for part in pair]
    return cached("netlist", content_key([tool.name, tool.version, *script, *parts]), build)
