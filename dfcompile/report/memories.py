"""Where a dataflow design keeps its numbers: read-only memories, FIFOs and the buffers of units, by what holds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from dfcompile.dataflow.design import Design
from dfcompile.device.area import rom
from dfcompile.device.resources import Resources

LUTS, BLOCKS, ULTRA = "LUTs and flip-flops", "block RAM", "UltraRAM"
CONSTANTS, FIFOS, BUFFERS = "weights, thresholds, tables", "FIFOs", "buffers of units"


def memory_rows(design: Design, report: Mapping[str, Any], family: str) -> list[dict[str, Any]]:
    """For each kind of memory and what holds it: how many there are, their bits (None where units have them inside), block RAMs of 36 kbit
    and UltraRAMs. The memories of units that share block RAMs count with what they share.
    """
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: {"count": 0, "bits": 0, "bram36": 0.0, "uram": 0.0})

    def add(what: str, used: Resources, bits: int | None) -> None:
        row = found[what, _held_in(used)]
        row["count"] += 1
        row["bits"] = None if bits is None else row["bits"] + bits
        row["bram36"] += used.bram36
        row["uram"] += used.uram

    shared = {name for s in report["shared_memories"] for name in s["units"]}
    for s in report["shared_memories"]:
        add(CONSTANTS, Resources(bram36=s["bram36"]), s["width"] * s["depth"])
    areas = {u["name"]: u["resources"] for u in report["units"]}
    for n in design.nodes:
        unit, blocks = design.unit(n.name), float(areas[n.name]["bram36"])
        for m in unit.stored:
            if n.name in shared and m.name == unit.ported:
                continue
            style = m.style if m.style in ("lut", "lutram", "bram") else "auto"
            asked = rom(max(m.banks, default=m.depth), m.width, style, family).bram36 * m.lanes * max(1, len(m.banks))
            taken = min(asked, blocks)
            blocks -= taken
            add(CONSTANTS, Resources(bram36=taken), m.width * m.depth)
        inside = Resources(bram36=blocks, uram=float(areas[n.name]["uram"]))
        if inside.bram36 or inside.uram:
            add(BUFFERS, inside, None)
    for f in design.fifos().values():
        add(FIFOS, f.resources(family), f.depth * f.inputs[0].width)
    return [{"what": what, "held": held, **row} for (what, held), row in sorted(found.items())]


def _held_in(used: Resources) -> str:
    return ULTRA if used.uram else BLOCKS if used.bram36 else LUTS
