"""How many copies of a design, or how many engines, a board should have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dfcompile.device.copies import copies_cycles, wired, wired_engines
from dfcompile.errors import CompileError
from dfcompile.folding.fold import Folded
from dfcompile.front import FRONT, Job, Lowered
from dfcompile.ir.graph import Graph
from dfcompile.mode.choice import FITTING, estimate_loopback, frame_bytes
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.loopback_build import too_slow
from dfcompile.mode.roofline import Roofline


def with_copies(job: Job, path: Path, fold: Callable[[Job, Lowered], Folded]) -> Job:
    """The job with a number of copies: the least whose foldings bring the asked rate, or the highest rate where none is asked; else 1.

    fold: the folding of a copy in its share of the board, FIFOs not counted; CompileError where there is none
    """
    options, board = job.options, job.options.target
    assert board, "copies share a board"
    one = replace(job, options=replace(options, copies=1))
    if options.mode == "loopback":
        return one  # how many engines there are is found behind the integer graph
    lowered, best = FRONT(one, path), (0.0, 1)
    graph = lowered.integer.graph
    for n in range(1, wired(board, max(len(graph.inputs), len(graph.outputs))) + 1):
        tried = replace(job, options=replace(options, copies=n))
        job.progress(f"copies {n}")
        try:
            folded = fold(tried, lowered)
        except CompileError as e:
            if not {p.code for p in e.problems} <= FITTING:
                raise
            if best[0]:
                break  # a smaller share holds none either
            continue
        if options.wanted_interval:
            return tried
        fps = options.mhz * 1e6 / copies_cycles(board, *frame_bytes(graph), options.mhz, folded.interval, n)
        best = max(best, (fps, n), key=lambda b: (b[0], -b[1]))
    return replace(job, options=replace(options, copies=best[1]))


def estimated(job: Job, graph: Graph) -> Roofline | str:
    """What engines for a network reach: as many as there are copies, or where that is to be found as reach most."""
    board, options = job.options.engine_board, job.options
    assert board, "engines are estimated on a board"
    if not job.several:
        return estimate_loopback(graph, board, options.mhz, options.count)
    return _most(job, graph)[1]


def _most(job: Job, graph: Graph) -> tuple[int, Roofline | str]:
    """The least number of engines estimated to bring the asked rate, or the highest where none is asked or reached, and what they do."""
    board, options = job.options.engine_board, job.options
    assert board, "engines share a board"
    asked = options.fps or (options.mhz * 1e6 / options.interval if options.interval else None)
    best: tuple[int, Roofline | str] = (1, "")
    for n in range(1, wired_engines(board) + 1):
        job.progress(f"engines {n}")
        found = estimate_loopback(graph, board, options.mhz, n)
        if isinstance(found, str):
            if isinstance(best[1], Roofline):
                break  # a smaller share holds none either
            best = best if best[1] else (n, found)
        elif isinstance(best[1], str) or found.fps > best[1].fps:
            best = n, found
            if asked and found.fps >= asked:
                break
    return best


def with_engines(job: Job, make: Callable[[Job], LoopbackAccelerator], graph: Graph) -> LoopbackAccelerator:
    """The build with so many engines, found here where it is to be: `_most`, and more where these miss the asked rate.

    make: the build of a job whose options say how many engines there are; CompileError where there is none
    """
    board = job.options.engine_board
    if not job.several or not board:
        return make(job)
    first = _most(job, graph)[0]
    tries = [replace(job, options=replace(job.options, copies=n)) for n in range(first, wired_engines(board) + 1)]
    found = make(tries[0])
    for tried in tries[1:] if too_slow(found, tries[0].options) else []:
        try:
            more = make(tried)
        except CompileError:
            break
        found = max(found, more, key=lambda made: float(made.report["timing"]["fps"]))
        if not too_slow(more, tried.options):
            return more
    return found
