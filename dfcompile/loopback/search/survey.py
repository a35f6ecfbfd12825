"""Around the best engine: every array shape and every pair of buffer sizes replayed, for the pictures of `explore`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from dfcompile.device.boards import Board
from dfcompile.ir.graph import Graph
from dfcompile.loopback.area import fits, resources
from dfcompile.loopback.search.sweep import ACT_WORDS, WEIGHT_WORDS, Point, Sweep, exact

SHRINK = (0, 2, 4, 6)
"""Activation memories shown: the best engine's and those of a quarter, a sixteenth and a 64th of its words."""


def replay_shapes(found: Sweep, graphs: Sequence[Graph], progress: Callable[[str], None] | None = None) -> Sweep:
    """The same sweep with cycles for every array shape on which the networks run, not only for those that could be the best."""
    replayed = []
    for k, p in enumerate(found.points, 1):
        if progress:
            progress(f"shapes: {k}/{len(found.points)}")
        same = [q for q in found.every if (q.config.pe, q.config.simd) == (p.config.pe, p.config.simd)]
        tried = (exact(q, graphs) for q in same) if p.cycles is None else iter([p])
        replayed.append(next((q for q in tried if q), None))
    return dataclasses.replace(found, points=tuple(p for p in replayed if p))


def buffer_sizes(found: Sweep, graphs: Sequence[Graph], board: Board, progress: Callable[[str], None] | None = None) -> tuple[Point, ...]:
    """The best array with other activation memories and weight buffers, as far as they fit the board and the networks run."""
    best = found.best
    depths = [a for a in ACT_WORDS if a in [best.config.act_words >> k for k in SHRINK]]
    points = []
    for k, (act, weight) in enumerate(((a, w) for a in depths for w in WEIGHT_WORDS), 1):
        if progress:
            progress(f"buffers: {k}/{len(depths) * len(WEIGHT_WORDS)}")
        config = dataclasses.replace(best.config, act_words=act, weight_words=weight)
        if not fits(config, board.family, board.usable):
            continue
        used = resources(config, board.family)
        point = exact(dataclasses.replace(best, config=config, cycles=None, lut=used.lut, bram36=used.bram36, dsp=used.dsp), graphs)
        points += [point] if point else []
    return tuple(points)
