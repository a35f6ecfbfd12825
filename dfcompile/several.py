"""How many copies of a design a board should have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dfcompile.device.copies import copies_cycles, wired
from dfcompile.errors import CompileError
from dfcompile.folding.fold import Folded
from dfcompile.front import FRONT, Job, Lowered
from dfcompile.mode.choice import FITTING, frame_bytes


def with_copies(job: Job, path: Path, fold: Callable[[Job, Lowered], Folded]) -> Job:
    """The job with a number of copies: the least whose foldings bring the asked rate, or the highest rate where none is asked; else 1.

    fold: the folding of a copy in its share of the board, FIFOs not counted; CompileError where there is none
    """
    options, board = job.options, job.options.target
    assert board, "copies share a board"
    lowered, best = FRONT(replace(job, options=replace(options, copies=1)), path), (0.0, 1)
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
