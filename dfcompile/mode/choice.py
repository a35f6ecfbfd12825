"""Both modes on one board: what each reaches there, and which one a build of mode auto takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dfcompile.device.boards import Board
from dfcompile.device.copies import copies_cycles, engines_cycles, share
from dfcompile.device.feed import fed_cycles, line_rate, port_bytes
from dfcompile.errors import CompileError, Problem
from dfcompile.folding.fold import fastest, macs
from dfcompile.ir.graph import Graph
from dfcompile.ir.work import macs as macs_of_integers
from dfcompile.loopback.search.sweep import nearest, sweep
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.roofline import Choice, Roofline, choose_mode, rate
from dfcompile.options import Options
from dfcompile.units.base import unit_of

FITTING = {"does-not-fit", "interval-too-short"}
"""Problems that loopback mode can be the way out of."""
REPLAYED_MACS = 200_000_000
"""Up to so many multiplications a frame an engine is replayed for the comparison, which takes less than a second; above, bounds serve."""


def frame_bytes(graph: Graph, apart: bool = False) -> tuple[list[int], list[int]]:
    """Bytes of a frame at each input and output, codes side by side: no port moves fewer. apart: each code in bytes of its own"""

    def size(name: str) -> int:
        t = graph.tensors[name]
        many, bits = int(np.prod(t.shape)), t.dtype.bits if t.dtype else 32
        return many * port_bytes(bits) if apart else -(-many * bits // 8)

    return [size(t) for t in graph.inputs], [size(t) for t in graph.outputs]


def _dataflow_roofs(
    width: int, work: int, moved: tuple[Sequence[int], Sequence[int]], cycles: float, board: Board, clock: float, exact: bool
) -> Roofline:
    """moved: bytes of a frame at each input and output; cycles: between frames of a design that is fed fast enough."""
    size, fed = sum(map(sum, moved)), fed_cycles(board, *moved, clock)
    hertz, bandwidth = clock * 1e6, clock * 1e6 / fed if fed else board.reachable(clock) * 1e9 / size
    return Roofline(width * hertz / max(work, 1), bandwidth, hertz / max(cycles, fed), width, size, exact)


def dataflow_side(made: DataflowAccelerator, board: Board) -> Roofline:
    """The figures of a design that was built."""
    design, report = made.design, made.report
    width = sum(design.unit(n.name).mac_rate for n in design.nodes)
    interval, n, clock = float(made.timing.interval_cycles), made.copies, report["clock_mhz"]
    found = _dataflow_roofs(width * n, report["model"]["macs"], made.frame_bytes, interval / n, board, clock, True)
    if n == 1:
        return found
    fed = copies_cycles(board, *made.frame_bytes, clock, 0.0, n)
    return replace(found, bandwidth_fps=clock * 1e6 / fed, fps=clock * 1e6 / max(interval / n, fed))


def best_dataflow(units: Graph, graph: Graph, board: Board, clock: float, port_bits: int = 0) -> Roofline | str:
    """The fastest folding that the board holds, FIFOs not counted; why there is none."""
    try:
        found = fastest(units, board, port_bits=port_bits)
    except CompileError as e:
        return e.problems[0].why or e.problems[0].what
    width = sum(unit_of(n).folded(**found.choices[n.name]).mac_rate for n in units.nodes)
    return _dataflow_roofs(width, macs(units), frame_bytes(graph), found.interval, board, clock, False)


def estimate_loopback(graph: Graph, board: Board, clock: float, copies: int = 1) -> Roofline | str:
    """Engines for a network, each on its share of a board: the most promising one, replayed where that is quick, else its bound."""
    part = share(board, copies)
    try:
        small = macs_of_integers(graph) <= REPLAYED_MACS
        point = sweep([graph], part, clock, most=1).best if small else nearest([graph], part, clock)
    except CompileError as e:
        return e.problems[0].why or e.problems[0].what
    hertz, lanes = clock * 1e6, point.config.multipliers * copies
    cycles = point.cycles if point.cycles is not None else point.bound
    memory = board.reachable(clock) * 1e9
    compute, bandwidth = lanes * hertz / point.macs, min(point.config.bus_bytes * hertz * copies, memory) / point.ext_bytes
    fps = hertz / engines_cycles(board, point.ext_bytes, clock, cycles, copies)
    return within_line(Roofline(compute, bandwidth, fps, lanes, point.ext_bytes, point.cycles is not None), graph, board)


def within_line(found: Roofline, graph: Graph, board: Board) -> Roofline:
    """An engine's figures where a serial line brings its frames, whose codes have bytes of their own."""
    line = line_rate(board, *frame_bytes(graph, apart=True))
    return replace(found, bandwidth_fps=min(found.bandwidth_fps, line), fps=min(found.fps, line)) if line else found


def compare(
    dataflow: Roofline | str, loopback: Roofline | str, options: Options, board: Board, misfit: Problem | None
) -> Choice:  # fmt: skip
    """The choice between both. CompileError with the best rates of both, and with `misfit`, where neither reaches the wanted one."""
    wanted = options.fps or (options.mhz * 1e6 / options.interval if options.interval else None)
    if options.interval and wanted and isinstance(dataflow, Roofline):  # asked of the design, however fast it is fed
        wanted = min(wanted, dataflow.bandwidth_fps)
    found = choose_mode(dataflow, loopback, wanted, board.name)
    if not found.mode:
        asked = f"reaches {rate(wanted)} frames/s on" if wanted else "runs this on"
        neither = Problem("does-not-fit", f"neither mode {asked} {board.name}", why=found.why, help=_way_out(dataflow, loopback))
        raise CompileError([neither, *([misfit] if misfit else [])])
    return found


def _way_out(*sides: Roofline | str) -> str:
    best = max((s.fps for s in sides if isinstance(s, Roofline)), default=None)
    return "take a larger board" + (f", or ask for at most {rate(best)} frames/s" if best else "")


def over_budget(made: DataflowAccelerator, board: Board) -> str:
    """Which resources of the whole board a design with its FIFOs exceeds, "" where it fits."""
    used = made.resources
    over = [f"{getattr(used, k):,.0f} {k} of {limit:,.0f}" for k, limit in board.budget.items() if getattr(used, k) > limit]
    return ", ".join(over)
