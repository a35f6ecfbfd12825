"""Around the best engine: every array shape and every pair of buffer sizes replayed, for the pictures of `explore`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from dfcompile.device.boards import Board
from dfcompile.ir.graph import Graph
from dfcompile.loopback.area import fits, resources
from dfcompile.loopback.search.sweep import ACT_WORDS, WEIGHT_WORDS, Point, Sweep, exact
from dfcompile.tasks.pool import Pool
from dfcompile.tasks.task import Task, gather

SHRINK = (0, 2, 4, 6)
"""Activation memories shown: the best engine's and those of a quarter, a sixteenth and a 64th of its words."""
Progress = Callable[[str], None]


def replay_shapes(found: Sweep, graphs: Sequence[Graph], pool: Pool, progress: Progress | None = None) -> Sweep:
    """The same sweep with cycles for every array shape on which the networks run, not only for those that could be the best."""
    choices = []
    for p in found.points:
        same = [q for q in found.every if (q.config.pe, q.config.simd) == (p.config.pe, p.config.simd)]
        choices.append(same if p.cycles is None else [p])
    return dataclasses.replace(found, points=_replay_first(choices, graphs, pool, "shapes", progress))


def buffer_sizes(found: Sweep, graphs: Sequence[Graph], board: Board, pool: Pool, progress: Progress | None = None) -> tuple[Point, ...]:
    """The best array with other activation memories and weight buffers, as far as they fit the board and the networks run."""
    best = found.best
    depths = [a for a in ACT_WORDS if a in [best.config.act_words >> k for k in SHRINK]]
    choices = []
    for act, weight in ((a, w) for a in depths for w in WEIGHT_WORDS):
        config = dataclasses.replace(best.config, act_words=act, weight_words=weight)
        if fits(config, board.family, board.usable):
            used = resources(config, board.family)
            choices.append([dataclasses.replace(best, config=config, cycles=None, lut=used.lut, bram36=used.bram36, dsp=used.dsp)])
    return _replay_first(choices, graphs, pool, "buffers", progress)


def _replay_first(
    choices: Sequence[Sequence[Point]], graphs: Sequence[Graph], pool: Pool, what: str, progress: Progress | None
) -> tuple[Point, ...]:
    """Of each choice the first point on which the networks run, with the cycles of its replay."""
    tasks = [Task(str(i), first_exact, (points, graphs)) for i, points in enumerate(choices)]
    found = gather(tasks, pool, lambda count: progress(f"{what}: {count}/{len(tasks)}") if progress else None)
    return tuple(p for p in found if p)


def first_exact(points: Sequence[Point], graphs: Sequence[Graph]) -> Point | None:
    """The first of some points on which the networks run, replayed where it is not yet."""
    return next((q for p in points if (q := exact(p, graphs) if p.cycles is None else p)), None)
