"""Fewer options, same optimum: an option goes when another of its unit is no dearer whatever the neighbours choose.

The other one may have different layouts; then the worst difference that its converters can make, over all layouts that the
neighbour may have, counts against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.fold_option import Option
from dfcompile.dataflow.fold_problem import Edge, FoldProblem
from dfcompile.units.base import Layout

Table = NDArray[np.float64]
Options = dict[str, list[Option]]


def edge_tables(problem: FoldProblem, options: Options, edge: Edge) -> tuple[list[Layout], list[Layout], Table]:
    """Layouts of both ends and the converter areas between them: (layouts, layouts, resources)."""
    (a, i), (b, j) = edge.ends
    left, right = sorted({o.layouts[i] for o in options[a]}), sorted({o.layouts[j] for o in options[b]})
    table = np.array([[problem.converter(edge, p, q) for q in right] for p in left])
    return left, right, table


def prune(problem: FoldProblem, options: Options, rates: Table | None) -> Options:
    """Drop dominated options of each unit in turn.

    rates: compare costs only (LUT equivalents of each resource); None: every resource must be no dearer
    """
    kept = {n: _best_by_layouts(o, rates) for n, o in options.items()}
    for name in kept:
        worst = [_worst_change(problem, kept, edge, side, rates) for edge, side in _edges_of(problem, name)]
        kept[name] = _undominated(kept[name], worst, rates)
    return kept


def _edges_of(problem: FoldProblem, name: str) -> list[tuple[Edge, int]]:
    return [(e, side) for e in problem.joints() for side in (0, 1) if e.ends[side][0] == name]


def _measure(areas: Table, rates: Table | None) -> Table:
    """What is compared: areas, or one cost; an infinite area stays infinite at a rate of nothing."""
    return areas if rates is None else (areas @ np.maximum(rates, 1e-9))[..., None]


def _best_by_layouts(options: list[Option], rates: Table | None) -> list[Option]:
    """Undominated options among those with the same layouts."""
    groups: dict[tuple[Layout, ...], list[Option]] = {}
    for o in options:
        groups.setdefault(o.layouts, []).append(o)
    return [o for group in groups.values() for o in _undominated(group, [], rates)]


def _worst_change(
    problem: FoldProblem, options: Options, edge: Edge, side: int, rates: Table | None
) -> tuple[int, dict[Layout, int], Table]:
    """(place of the port, layout -> row, change[k, l]): most that a converter may grow when layout l takes the place of k."""
    left, right, areas = edge_tables(problem, options, edge)
    table = _measure(areas, rates)
    own, costs = (left, table) if side == 0 else (right, table.transpose(1, 0, 2))
    with np.errstate(invalid="ignore"):
        change = costs[None, :] - costs[:, None]  # [k, l, neighbour, resource]
    change = np.where(np.isinf(costs)[:, None], -np.inf, change)  # what is not allowed is no loss
    return edge.ends[side][1], {n: k for k, n in enumerate(own)}, change.max(axis=2)


def _undominated(options: list[Option], worst: list[tuple[int, dict[Layout, int], Table]], rates: Table | None) -> list[Option]:
    """Options in rising cost; one goes when a kept one is no dearer in everything."""
    if len(options) < 2:
        return options
    areas = _measure(np.array([o.area for o in options]), rates)
    order = np.argsort(areas.sum(axis=1), kind="stable")
    rows = [np.array([index[o.layouts[place]] for o in options]) for place, index, _ in worst]
    kept: list[int] = []
    for k in order:
        grown = areas[kept].copy()
        for row, (_, _, change) in zip(rows, worst, strict=True):
            grown += change[row[k], row[kept]]
        if not np.any(np.all(grown <= areas[k] + 1e-9, axis=1)):
            kept.append(int(k))
    return [options[k] for k in sorted(kept)]
