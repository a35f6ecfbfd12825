"""The numbers of a build, as report.json holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import saved_by, shared_memories, unit_resources
from dfcompile.dataflow.stream_weights import layer_of, streamed_layers
from dfcompile.device.area import sum_of
from dfcompile.device.boards import Board
from dfcompile.device.copies import copies_cycles, held, wired
from dfcompile.device.feed import line_rate
from dfcompile.device.resources import Resources
from dfcompile.emit.interface import Interface
from dfcompile.emit.ports import stream_ports
from dfcompile.folding.fold import Folded, macs
from dfcompile.ir.graph import Graph
from dfcompile.mode.figures import budget_of, clocks, plain
from dfcompile.timing.fifo_sizing import FifoSizing
from dfcompile.timing.hls_streams import are_exact, stream_depths
from dfcompile.units.base import Unit, unit_of

if TYPE_CHECKING:
    from dfcompile.mode.dataflow import DataflowAccelerator


def make_report(
    acc: DataflowAccelerator, model: Graph, board: Board | None, folded: Folded | None = None, sizing: FifoSizing | None = None
) -> dict[str, Any]:
    """Model size, timing, units, FIFOs and resources (estimates) of a design; `folded` and `sizing` say what is proved of
    its folding and its FIFO depths."""
    design, timing = acc.design, acc.timing
    clock = float(acc.options["clock"])
    streams = design.streams()
    areas = unit_resources(design, acc.family)
    units = [_unit_row(n.name, n.op, n.source, areas[n.name]) for n in design.nodes if isinstance(n.op, Unit)]
    shared = [
        {
            "units": list(p.units),
            "width": p.width,
            "depth": p.depth,
            "bram36": p.resources(acc.family).bram36,
            "saved": saved_by(p, acc.family)._asdict(),
        }
        for p in shared_memories(design)
    ]
    slowest = max(units, key=lambda u: u["cycles"], default={"name": "", "cycles": 0})
    fifos = [
        {"edge": t, "depth": d, "width": streams[t].width, "max_occupancy": int(timing.fifo_max_occupancy.get(t, 0))}
        for t, d in design.fifo_depths.items()
        if d
    ]
    interval = plain(timing.interval_cycles)
    known = {n.name: unit_of(n) for n in design.nodes} | {f"the FIFO of {t}": fifo for t, fifo in design.fifos().items()}
    clocked = clocks(known, acc.family, clock)
    return {
        "model": {"name": model.name, "macs": macs(design.graph), "params": _parameters(design.graph)},
        "mode": "dataflow",
        "clock_mhz": clock,
        "timing": {
            "interval_cycles": interval,
            "latency_cycles": timing.latency_cycles,
            "ideal_interval_cycles": slowest["cycles"],
            "fps": clocked["closing_mhz"] * 1e6 / acc.frame_cycles(board),
            "limit": "memory" if acc.frame_cycles(board) * acc.copies > interval else "design",
            "line_fps": line_rate(board, *acc.frame_bytes) if board else None,
            "bottleneck": loop_of(timing.loop, units) or slowest["name"],
            "loop": list(timing.loop),
            **clocked,
        },
        "units": units,
        "fifos": fifos,
        "streamed_weights": _streamed_weights(acc, clocked["closing_mhz"] * 1e6 / acc.frame_cycles(board)),
        "ports": stream_ports(Interface.of(design), design.graph.fixed),
        "fifo_sizing": _sizing(sizing),
        "hls_streams": _hls_streams(design, acc.family),
        "shared_memories": shared,
        "resources": acc.resources._asdict(),
        **({"copies": _copies(acc, board, clocked["closing_mhz"])} if board and not board.wiring else {}),
        "budget": budget_of(board, clock),
        "folding": folded.report if folded else {"optimal": False, "bound": None, "gap": None},
        "verification": {"streamline": "exact", "simulator": "exact" if acc.options.get("verify", True) else "skipped"},
        "implementation": None,
        "energy": acc.energy_of(board),
        "seconds": {},
    }


def _copies(acc: DataflowAccelerator, board: Board, clock: float) -> dict[str, Any]:
    """count: copies of the design; resources: of all of them; fit: how many the board holds, and the rate that these would have.

    As many as the shares hold that designs may fill, or as there are: their FIFOs come out of the rest of the board.
    """
    fit = min(wired(board, max(map(len, acc.frame_bytes))), held(acc.resources._asdict(), board))
    if all(n * acc.copies <= board.budget[k] for k, n in acc.resources._asdict().items() if k in board.budget):
        fit = max(fit, acc.copies)
    cycles = copies_cycles(board, *acc.frame_bytes, float(acc.options["clock"]), float(acc.timing.interval_cycles), max(1, fit))
    area = {k: n * acc.copies for k, n in acc.resources._asdict().items()}
    return {"count": acc.copies, "resources": area, "fit": fit, "fit_fps": clock * 1e6 / cycles if fit else 0.0}


def _streamed_weights(acc: DataflowAccelerator, fps: float) -> list[dict[str, Any]]:
    """Layers whose weights come through ports: bytes of a frame, with the padding of beats, and of a second, in 10^9, of all copies."""
    sizes = dict(zip(acc.graph.inputs, acc.frame_bytes[0], strict=True))
    found = []
    for layer, ports in streamed_layers(acc.graph).items():
        moved = sum(sizes[t] for t in acc.graph.fixed if layer_of(t) == layer)
        found.append({"name": layer, "ports": ports, "bytes": moved, "gb_per_s": moved * fps / 1e9})
    return found


_SHOWN = 4
"""Most units of a loop that its name tells."""


def loop_of(loop: Sequence[str], units: Sequence[Mapping[str, Any]]) -> str:
    """What the loop that bounds the interval is called: by those of its units that compute an operator of the model; "" of none."""
    names = [u["name"] for u in units if u["name"] in loop and u["source"]] or list(loop)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"loop of {', '.join(names[:_SHOWN])}{more}" if names else ""


def _hls_streams(design: Design, family: str) -> dict[str, Any]:
    """Slots of the streams of the C++, whether they were proved to keep the interval (else only not to deadlock), and what they take as
    FIFOs of the SystemVerilog would, in place of these."""
    depths = stream_depths(design)
    streams = design.streams()
    area = sum_of(f.resources(family) for f in replace(design, fifo_depths=depths).fifos().values())
    bits = sum(d * streams[t].width for t, d in depths.items())
    kept = are_exact(design)
    return {"total_bits": bits, "keep_interval": kept, "resources": area._asdict(), "depths": dict(depths)}


def _sizing(found: FifoSizing | None) -> dict[str, Any]:
    if found is None:
        return {"total_bits": None, "minimal": False, "optimal": False, "note": ""}
    note = "" if found.minimal else "FIFOs keep the interval; the search for fewer slots ended at its bound of work"
    return {"total_bits": found.total_bits, "minimal": found.minimal, "optimal": found.optimal, "note": note}


def _unit_row(name: str, unit: Unit, source: tuple[str, ...], resources: Resources) -> dict[str, Any]:
    return {
        "name": name,
        "kind": unit.kind,
        "source": list(source),
        "folding": unit.folding,
        "cycles": unit.cycles,
        "resources": resources._asdict(),
    }


def _parameters(graph: Graph) -> int:
    return sum(unit_of(n).weight_count for n in graph.nodes)
