"""A network too large for a board that keeps its pipeline: weights of its largest dense layers come from external memory in each frame."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from dfcompile.dataflow.stream_weights import port_counts, streamable
from dfcompile.device.boards import Board
from dfcompile.device.feed import fed_cycles
from dfcompile.errors import CompileError
from dfcompile.folding.fold import Folded
from dfcompile.front import UNITS, Integer, Job, Lowered
from dfcompile.mode.choice import FITTING, frame_bytes, over_budget
from dfcompile.mode.dataflow import DataflowAccelerator

_ATTEMPTS = 16
"""Layers whose weights are taken out, at most."""


def spilled(
    job: Job, integer: Integer, fold: Callable[[Job, Lowered], Folded], design: Callable[[Job, Lowered], DataflowAccelerator]
) -> tuple[Lowered, DataflowAccelerator] | None:
    """The design with the weights of as few layers in external memory as it fits the board with, those with the most bits first.

    Where no rate is asked for, of as many as make it fastest. None where it fits with none, or they cannot come from there.

    fold, design: the stages behind the lowering; CompileError where the board holds none
    """
    options, board, found = job.options, job.options.share, list[tuple[float, Job, Lowered]]()
    if not board:
        return None
    for tried in streamed_jobs(job, integer, board):
        try:
            lowered = UNITS(tried, integer)
            cycles = _cycles(lowered, fold(tried, lowered), board, options.mhz)
        except CompileError as e:
            if not {p.code for p in e.problems} <= FITTING:
                raise
            continue
        if found and not options.wanted_interval and cycles >= found[-1][0]:
            break  # what more the memory brings takes longer than what it leaves room for saves
        found.append((0.0 if options.wanted_interval else cycles, tried, lowered))
    for _, tried, lowered in sorted(found, key=lambda f: f[0]):
        with contextlib.suppress(CompileError):
            made = design(tried, lowered)
            if not over_budget(made, board):
                return lowered, made
    return None


def streamed_jobs(job: Job, integer: Integer, board: Board) -> Iterator[Job]:
    """The job with the weights of one layer in external memory, of two and so on; none where the options or the board do not allow it."""
    options = job.options
    asked = options.stream_weights == "auto" and options.folding is None
    if not board.streams_weights or not asked or integer.streamlined.loops:
        return
    names = streamable(integer.graph)[:_ATTEMPTS]
    for count in range(1, len(names) + 1):
        yield replace(job, streamed=port_counts(integer.graph, names[:count], board, options.mhz, options.wanted_interval))


def _cycles(lowered: Lowered, folded: Folded, board: Board, clock: float) -> float:
    """Cycles between frames of a folding, as the board feeds it, FIFOs not counted."""
    return max(folded.interval, fed_cycles(board, *frame_bytes(lowered.integer.graph), clock))
