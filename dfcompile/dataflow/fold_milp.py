"""The folding problem as a mixed-integer linear programme, solved exactly by HiGHS.

One binary for each option of each unit, exactly one of which is 1. For each edge and each pair of layouts at its two ends one
variable that is 1 when the ends have these: its sums over either side equal the sums of the options with those layouts.
In this form the linear relaxation of a chain or tree without a budget has integer corners, so proofs are quick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from dfcompile.dataflow.cost import MEASURES, Vector
from dfcompile.dataflow.fold_option import Choice, Option
from dfcompile.dataflow.fold_problem import FoldProblem
from dfcompile.dataflow.fold_prune import Options, edge_tables

_INFEASIBLE, _LIMIT = 2, 1
_EXACT = 1e-9  # what is left of a gap in double precision


@dataclass(frozen=True, eq=False)
class Solution:
    """A folding.

    chosen: unit -> its option
    cost:   LUT equivalents; bound: no folding costs less; gap: (cost - bound) / cost
    area:   of all units, forks and converters, in the order of cost.MEASURES
    """

    chosen: dict[str, Option]
    cost: float
    bound: float
    area: Vector

    @property
    def gap(self) -> float:
        gap = (self.cost - self.bound) / max(abs(self.cost), 1e-9)
        return 0.0 if gap < _EXACT else gap

    @property
    def choices(self) -> dict[str, Choice]:
        """Unit -> folding and style fields."""
        return {n: dict(o.choice) for n, o in self.chosen.items()}

    @property
    def cycles(self) -> int:
        """Of the slowest unit."""
        return max((o.cycles for o in self.chosen.values()), default=1)


class _Programme:
    """Columns, rows and costs as they are added."""

    def __init__(self) -> None:
        self.areas: list[Vector] = []
        self.entries: list[tuple[int, int, float]] = []
        self.sides: list[float] = []

    def column(self, area: Vector) -> int:
        self.areas.append(area)
        return len(self.areas) - 1

    def row(self, terms: list[tuple[int, float]], side: float) -> None:
        self.entries += [(len(self.sides), c, v) for c, v in terms]
        self.sides.append(side)

    def matrix(self) -> sparse.csr_matrix:
        rows, columns, values = zip(*self.entries, strict=True)
        return sparse.csr_matrix((values, (rows, columns)), shape=(len(self.sides), len(self.areas)))


def _build(problem: FoldProblem, options: Options) -> tuple[_Programme, list[tuple[str, Option]]]:
    lp = _Programme()
    named: list[tuple[str, Option]] = []
    columns: dict[str, list[int]] = {}
    for name, found in options.items():
        columns[name] = [lp.column(o.area) for o in found]
        named += [(name, o) for o in found]
        lp.row([(c, 1.0) for c in columns[name]], 1.0)
    for edge in problem.joints():
        (a, i), (b, j) = edge.ends
        left, right, table = edge_tables(problem, options, edge)
        allowed: NDArray[np.bool_] = np.asarray(np.isfinite(table).all(axis=2))
        pairs = {(p, q): lp.column(table[p, q]) for p in range(len(left)) for q in range(len(right)) if allowed[p, q]}
        for side, (name, place, layouts) in enumerate(((a, i, left), (b, j, right))):
            for k, layout in enumerate(layouts):
                mine = [(c, 1.0) for c, o in zip(columns[name], options[name], strict=True) if o.layouts[place] == layout]
                lp.row(mine + [(c, -1.0) for pq, c in pairs.items() if pq[side] == k], 0.0)
    return lp, named


def solve(
    problem: FoldProblem, options: Options, rates: Vector, budget: Vector | None = None, any_feasible: bool = False, seconds: float = 60
) -> Solution | None:
    """The cheapest choice of options, within a budget when one is given; None when there is none.

    any_feasible: the first one found will do
    TimeoutError when `seconds` pass without any answer.
    """
    lp, named = _build(problem, options)
    areas = np.array(lp.areas)
    costs = areas @ rates
    matrix, sides = lp.matrix(), np.array(lp.sides)
    constraints = [LinearConstraint(matrix, sides, sides)]
    if budget is not None:
        bounded = np.flatnonzero((areas.max(axis=0) > 0) & np.isfinite(budget))
        limits = budget[bounded]
        scale = np.maximum(limits, 1.0)  # keeps the rows of one size
        rows = sparse.csr_matrix((areas[:, bounded] / scale).T)
        constraints.append(LinearConstraint(rows, -np.inf, limits / scale))
    integral = np.zeros(len(areas))
    integral[: len(named)] = 1
    effort = {"time_limit": seconds, "mip_rel_gap": 1e9 if any_feasible else 0.0}
    found = milp(costs, integrality=integral, bounds=Bounds(0, 1), constraints=constraints, options=effort)
    if found.status == _INFEASIBLE:
        return None
    if found.x is None:
        raise TimeoutError(f"no answer in {seconds} s: {found.message}")
    chosen = {name: option for (name, option), x in zip(named, found.x, strict=False) if x > 0.5}
    cost, area = evaluate(problem, chosen, rates)
    bound = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
    slack = abs(cost - found.fun)  # rounding of the solver's own sums is no gap
    return Solution(chosen, cost, min(cost, float(bound) + slack), area)


def evaluate(problem: FoldProblem, chosen: dict[str, Option], rates: Vector) -> tuple[float, Vector]:
    """(cost, area) of one option for each unit."""
    area = sum((o.area for o in chosen.values()), np.zeros(len(MEASURES)))
    for edge in problem.joints():
        (a, i), (b, j) = edge.ends
        area = area + problem.converter(edge, chosen[a].layouts[i], chosen[b].layouts[j])
    total: NDArray[np.float64] = area
    return float(total @ rates), total
