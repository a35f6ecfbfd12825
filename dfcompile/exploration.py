"""What a board can do: the Pareto front of dataflow designs, frame rate against resources; loopback engines of every shape."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from dfcompile.dataflow.connect import connect
from dfcompile.dataflow.stream_weights import streamed_layers
from dfcompile.device.boards import Board
from dfcompile.device.copies import copies_cycles, engines_cycles, held, wired, wired_engines
from dfcompile.device.cost import RESOURCES
from dfcompile.device.feed import engine_cycles, fed_cycles
from dfcompile.errors import CompileError, Problem, SettingError
from dfcompile.folding.fold import Choice, Folded, front
from dfcompile.folding.option import silent
from dfcompile.folding.problem import FoldProblem
from dfcompile.front import IMPORT, INTEGER, UNITS, Integer, Job, Lowered, repeated
from dfcompile.ir.graph import Graph
from dfcompile.ir.work import macs
from dfcompile.loopback.search.survey import buffer_sizes, replay_shapes
from dfcompile.loopback.search.sweep import EXACT, Point, sweep
from dfcompile.loops import LoopFolding
from dfcompile.mode.choice import FITTING, frame_bytes
from dfcompile.options import Options
from dfcompile.report.explore import draw_front
from dfcompile.report.heatmap import heatmap
from dfcompile.spill import streamed_jobs
from dfcompile.store.files import writing
from dfcompile.store.output import add_files
from dfcompile.tasks.pool import Pool, inline

Progress = Callable[[str], None]
Pair = tuple[dict[str, Any], Mapping[str, Choice]]
POINTS = 12
FILES = ("explore.json", "explore.svg")
REPLAYED_MACS = 400_000_000
QUICK_MACS = 50_000_000
"""Of a network for which an engine is replayed beside its dataflow designs."""


def explore(
    models: Sequence[Path],
    options: Options,
    out: Path | None = None,
    points: int = POINTS,
    progress: Progress | None = None,
    pool: Pool | None = None,
) -> dict[str, Any]:
    """Cheapest dataflow designs from the fastest that the board holds to the slowest, or loopback engines of every shape.

    models:  one network, or in loopback mode several that share an engine
    options: board (needed), mode, clock, input types, part and argmax. Mode auto is dataflow, and loopback where no dataflow design fits
        the board or several networks are given
    out: folder for explore.json and explore.svg; those of an earlier run are replaced
    pool: where designs and engines are looked for (`dfcompile.tasks.pool`), default this thread; what is found is the same with any
    Returns {"mode", "board", "clock_mhz", "points": [...]}. Dataflow: a point is {"fps", "interval", "lut", ..., "used", "cost", "gap"},
    `used` the fullest resource's share of the board, `streamed` the layers whose weights come from its memory, through `weight_ports`,
    of a network that it does not hold otherwise; "foldings" has one entry a point; "loopback" is an engine beside them, or None.
    Loopback: a point is an engine with its cycles, bytes and utilisation; "buffers" has the best array with other memories, "best" the
    fastest. CompileError when nothing fits.
    """
    if options.target is None:
        raise SettingError(Problem("bad-option", "no board is given", help="name one of `dfcompile boards`"))
    if len(models) > 1 and (options.from_ or options.to):
        raise SettingError(
            Problem("bad-option", "a part is one of a single network", help="explore them one by one, or leave out --from and --to")
        )
    with add_files(out, FILES) if out else contextlib.nullcontext() as folder:
        return MODES[options.mode](_Search(tuple(models), options, options.target, folder, points, progress or silent, pool or inline()))


@dataclass(frozen=True, eq=False)
class _Search:
    """What is to be explored."""

    models: tuple[Path, ...]
    options: Options
    board: Board
    out: Path | None
    points: int
    progress: Progress
    pool: Pool

    def job(self, model: Path) -> Job:
        return Job(model, self.options, self.progress)


def _auto(search: _Search) -> dict[str, Any]:
    if len(search.models) > 1:
        return _loopback(search)
    try:
        return _dataflow(search)
    except CompileError as e:
        if {p.code for p in e.problems} != {"does-not-fit"}:
            raise
    return _loopback(search)


def _dataflow(search: _Search) -> dict[str, Any]:
    if len(search.models) > 1:
        help_ = "explore them one by one, or with --mode loopback"
        raise SettingError(Problem("bad-option", "a dataflow design is of one network", help=help_))
    (model,) = search.models
    job = search.job(model)
    integer = (IMPORT >> INTEGER)(job, model)
    try:
        pairs = _points(search, UNITS(job, integer))
    except CompileError as e:
        pairs = _streamed(search, job, integer) if {p.code for p in e.problems} == {"does-not-fit"} else []
        if not pairs:
            raise
    rows, foldings = [row for row, _ in pairs], [choices for _, choices in pairs]
    result = {"mode": "dataflow", "board": search.board.name, "clock_mhz": search.options.mhz, "points": rows, "foldings": foldings}
    engine = _beside(search, (repeated(job, model) if integer.streamlined.loops else integer).graph)
    result["loopback"] = engine
    if search.out:
        title = f"{model.stem} on {search.board.name} at {search.options.mhz:g} MHz"
        _write(search.out, result, draw_front(title, rows, search.board.budget, engine))
    return result


def _points(search: _Search, lowered: Lowered) -> list[Pair]:
    """Designs of a front, the fastest first: numbers, and the folding."""
    graph, found, mhz = lowered.integer.graph, list[Pair](), search.options.mhz
    ports, problem = streamed_layers(graph), FoldProblem(lowered.units, search.board.family, port_bits=search.options.port_bits, clock=mhz)
    for folded, interval in _designs(search, lowered):
        moved = problem.frame_bytes(folded.solution.chosen) if ports else frame_bytes(graph)  # rows of weights end with a beat
        row = _row(folded, interval, search.board, mhz * 1e6 / max(interval, fed_cycles(search.board, *moved, mhz)))
        row |= _together(moved, interval, row["copies"], search) | {"streamed": len(ports), "weight_ports": sum(ports.values())}
        found.append((row, folded.choices))
        search.progress(f"explore: {len(found)} designs")
    return found


def _streamed(search: _Search, job: Job, integer: Integer) -> list[Pair]:
    """Designs of a network too large for the board with weights of one or more layers in its memory, the fastest first: of those with as
    many layers as let it fit, and with one more as long as that makes it faster, all that none is both faster and cheaper than."""
    found, best = list[Pair](), 0.0
    for tried in streamed_jobs(job, integer, search.board):
        try:
            pairs = _points(search, UNITS(tried, integer))
        except CompileError as e:
            if not {p.code for p in e.problems} <= FITTING:
                raise
            continue
        most = max(row["fps"] for row, _ in pairs)
        if most <= best:
            break
        best = most
        found += pairs
    found.sort(key=lambda pair: (-pair[0]["fps"], pair[0]["cost"]))  # which the memory may have changed the order of
    costs = [math.inf, *accumulate((row["cost"] for row, _ in found), min)]
    return [pair for pair, least in zip(found, costs, strict=False) if pair[0]["cost"] < least]


def _together(ports: tuple[list[int], list[int]], interval: int, copies: int, search: _Search) -> dict[str, Any]:
    """How many of so many copies can be wired, and their rate. ports: bytes of a frame at each input and output"""
    fit = min(copies, wired(search.board, max(map(len, ports))))
    cycles = copies_cycles(search.board, *ports, search.options.mhz, interval, max(1, fit))
    return {"copies": fit, "copies_fps": round(search.options.mhz * 1e6 / cycles, 1)}


def _designs(search: _Search, lowered: Lowered) -> Iterator[tuple[Folded, int]]:
    """Foldings and their intervals, those of loops over time from the joined design."""
    board, bits, mhz, loops = search.board, search.options.port_bits, search.options.mhz, lowered.integer.streamlined.loops
    if loops:
        joined = partial(connect, port_bits=bits, loops=loops)
        looped = LoopFolding(lowered.units, loops, joined, board, port_bits=bits, mhz=mhz, progress=search.progress)
        yield from ((found, math.ceil(interval)) for found, interval in looped.front(search.points))
    else:
        yield from ((found, found.interval) for found in front(lowered.units, board, search.points, search.pool, bits, mhz))


def _beside(search: _Search, graph: Graph) -> dict[str, Any] | None:
    """The most promising loopback engine, replayed, beside the designs of mode auto; None where none runs the network or it is large."""
    board, clock = search.options.engine_board or search.board, search.options.mhz
    if search.options.mode != "auto" or macs(graph) > QUICK_MACS:
        return None
    try:
        return _engine_row(sweep([graph], board, clock, most=1).best, board, clock, 1)
    except CompileError:
        return None


def _loopback(search: _Search) -> dict[str, Any]:
    graphs = [repeated(search.job(m), m).graph for m in search.models]
    return explore_loopback(graphs, search.board, search.options.mhz, search.out, search.progress, search.pool)


MODES = {"auto": _auto, "dataflow": _dataflow, "loopback": _loopback}


def _row(found: Folded, interval: int, board: Board, fps: float) -> dict[str, Any]:
    area = dict(zip(RESOURCES, found.solution.area.tolist(), strict=False))
    used = max(area[r] / board.budget[r] for r in RESOURCES if board.budget[r])
    return {
        "fps": round(fps, 1),
        "interval": interval,
        **{r: round(area[r], 1) for r in RESOURCES},
        "used": f"{used:.1%}",
        "copies": held(area, board),
        "cost": round(found.solution.cost),
        "gap": found.gap,
    }


def explore_loopback(
    graphs: Sequence[Graph], board: Board, clock: float, out: Path | None = None, progress: Progress | None = None, pool: Pool | None = None
) -> dict[str, Any]:
    """The sweep of array shapes and buffer sizes for a set of networks: numbers, and in folder `out` explore.json and explore.svg.

    Up to `REPLAYED_MACS` multiplications for a frame of each, the best is proven and every cell is a replay; above, the search ends
    after some replays and says how far it may be from the best, and cells that cannot be the best are bounds.
    """
    small = sum(macs(g) for g in graphs) <= REPLAYED_MACS
    pool = pool or inline()
    found = sweep(graphs, board, clock, sys.maxsize if small else EXACT, progress, pool)
    buffers: tuple[Point, ...] = ()
    if small:
        found = replay_shapes(found, graphs, pool, progress)
        buffers = buffer_sizes(found, graphs, board, pool, progress)
    result = {
        "mode": "loopback", "board": board.name, "clock_mhz": clock, "networks": [g.name for g in graphs],
        "points": [_engine_row(p, board, clock, len(graphs)) for p in found.points],
        "buffers": [_engine_row(p, board, clock, len(graphs)) for p in buffers],
        "best": _engine_row(found.best, board, clock, len(graphs)), "gap": found.gap,
    }  # fmt: skip
    if out:
        title = f"{', '.join(g.name for g in graphs)} on {board.name} at {clock:g} MHz{', a frame of each' if len(graphs) > 1 else ''}"
        _write(out, result, heatmap(title, found, buffers))
    return result


def _engine_row(p: Point, board: Board, clock: float, networks: int) -> dict[str, Any]:
    """Flat numbers of an engine; frames per second of all networks in turn, where it was replayed."""
    cycles = max(p.cycles or 0, engine_cycles(board, p.ext_bytes, clock))
    fps = round(clock * 1e6 * networks / cycles, 1) if p.cycles else None
    return {**p.row(), "fps": fps} | _engines(p, board, clock, networks)


def _engines(p: Point, board: Board, clock: float, networks: int) -> dict[str, Any]:
    """How many such engines the board holds, and what they reach together, each of them running other frames over the one memory."""
    fit = min(wired_engines(board), held({k: getattr(p, k, 0.0) for k in RESOURCES}, board))
    fps = clock * 1e6 * networks / engines_cycles(board, p.ext_bytes, clock, p.cycles, max(fit, 1)) if p.cycles else None
    return {"copies": fit, "copies_fps": None if fps is None else round(fps, 1)}


def _write(out: Path, result: Mapping[str, Any], svg: str) -> None:
    with writing(out):
        for name, text in zip(FILES, (json.dumps(result, indent=1) + "\n", svg), strict=True):
            (out / name).write_text(text, encoding="utf-8")
