"""What is synthesised of a design and of a loopback engine: units and FIFOs each by itself, the engine as a whole."""

from __future__ import annotations

from pathlib import Path

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import shared_memories, unit_resources
from dfcompile.emit.engine import TOP
from dfcompile.loopback.area import resources
from dfcompile.loopback.config import EngineConfig
from dfcompile.synthesis.part import Part
from dfcompile.synthesis.unit import Synthesis, shared_synthesis, unit_synthesis
from dfcompile.units.base import Unit


def parts_of_design(design: Design, family: str, library: Path) -> list[Part]:
    """Every unit and FIFO; a block RAM that two units share counts in the first of them."""
    pairs = {p.units[0]: p for p in shared_memories(design)}
    outside = {u for units in design.shared for u in units}

    def work(name: str, unit: Unit) -> tuple[Synthesis, ...]:
        alone = unit_synthesis(unit, family, library, outside=name in outside)
        return (alone, shared_synthesis(pairs[name], family, library)) if name in pairs else (alone,)

    estimates = unit_resources(design, family)
    return [Part(name, unit.kind, estimates.get(name) or unit.resources(family), work(name, unit)) for name, unit in design_parts(design)]


def design_parts(design: Design) -> list[tuple[str, Unit]]:
    """Units of a design and its FIFOs as units."""
    units: list[tuple[str, Unit]] = [(n.name, design.unit(n.name)) for n in design.nodes]
    return [*units, *((f"fifo {t}", f) for t, f in design.fifos().items())]


def parts_of_engine(config: EngineConfig, family: str, library: Path) -> list[Part]:
    """The loopback engine in the folder rtl/ of a build."""

    headers = sorted(p.name for p in library.glob("*.svh"))
    listed = [f for f in (library / "files.f").read_text().split() if f.endswith(".sv")]
    sources = tuple((f, (library / f).read_text()) for f in (*headers, *listed))
    return [Part(TOP, "loopback", resources(config, family), (Synthesis(sources, (), TOP, family),))]
