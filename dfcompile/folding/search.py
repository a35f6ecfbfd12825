"""The cheapest folding within a budget: branch and bound, each step of which is proved in integers.

A design within all limits also keeps every sum of them: for weights w >= 0 its weighted area is at most the weighted limit. So where the
least weighted area of all designs (fold_sum.py) is above that, no design is within the limits; and an option goes when the least
weighted area of the designs that have it is. What a design may cost to be better than the best one known is one limit more. Good
weights come from a linear programme over the designs met so far (Kelley's cutting planes); it is in floating point and need not be
right, since what is concluded from the weights is proved whatever they are, in two different orders of elimination. Where no
weights decide, the options of one unit are split in two. A design counts once its area, summed in rationals, is within the limits.

Work is counted in table entries, so that the outcome does not depend on the machine; when it ends early, open parts give the bound.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dfcompile.device.cost import Vector
from dfcompile.folding.elimination import FoldSums, Ints, Mask, Weighted
from dfcompile.folding.option import Choice, Option
from dfcompile.folding.problem import FoldProblem, Options

EQUAL = 1e-9
"""Designs whose costs differ by less than this share count as equal."""
WORK = 100_000_000
"""Table entries that a search may compute: some seconds."""
_STEPS = 40  # weights tried on one part of the search
_AGAIN = 0.1  # a share of options that went: then weights are worth another look


@dataclass(frozen=True, eq=False)
class Solution:
    """A folding.

    chosen: unit -> its option
    cost:   LUT equivalents; bound: no folding costs less; gap: (cost - bound) / cost, 0 when proven
    exact:  area of all units, forks and converters, in the order of cost.MEASURES
    """

    chosen: dict[str, Option]
    cost: float
    bound: float
    exact: tuple[Fraction, ...]

    @property
    def area(self) -> Vector:
        return np.array([float(a) for a in self.exact])

    def fits(self, limit: Vector) -> bool:
        """Whether no measure is above its limit."""
        return all(np.isinf(b) or a <= Fraction(b) for a, b in zip(self.exact, limit.tolist(), strict=True))

    @property
    def gap(self) -> float:
        return (self.cost - self.bound) / self.cost if self.bound < self.cost else 0.0

    @property
    def choices(self) -> dict[str, Choice]:
        """Unit -> folding and style fields."""
        return {n: dict(o.choice) for n, o in self.chosen.items()}

    @property
    def cycles(self) -> int:
        """Of the slowest unit."""
        return max((o.cycles for o in self.chosen.values()), default=1)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a search found.

    best: a solution within the limits, None where none was found
    complete: the search came to its end: none is better, or where there is none, none is possible
    """

    best: Solution | None
    complete: bool


@dataclass(frozen=True, eq=False)
class _Part:
    """Designs with options in `mask`; points: designs met, and their areas; bound: none of the part costs less."""

    mask: Mask
    points: list[tuple[Ints, Vector]]
    bound: float


@dataclass(frozen=True, eq=False)
class _Tried:
    """The weights of limits that came closest to a proof, and how much of each point is in a mixture that comes closest to the limits."""

    weights: Vector
    mixture: Vector


def solve(
    problem: FoldProblem, options: Options, rates: Vector, budget: Vector | None = None, any_feasible: bool = False, work: int = WORK
) -> Answer:
    """The cheapest choice of options, within a budget when one is given.

    any_feasible: the first one found will do; work: table entries that may be computed
    """
    limit = np.full(len(rates), np.inf) if budget is None else budget
    return _Search(FoldSums(problem, options), rates, limit, any_feasible, work).run()


def economical(problem: FoldProblem, interval: float, every: bool, closing: Collection[str]) -> Options:
    """Options of which the cheapest design of all can be made, without most of the others (`FoldProblem.economical`)."""

    def cost(options: Options) -> float | None:
        best = solve(problem, options, problem.table.prices).best
        return best.cost if best else None

    return problem.economical(interval, every, closing, cost)


class _Search:
    """rows, sides: the limits, each as rows[i] . area <= sides[i]; the last one is the cost where a design is known."""

    def __init__(self, sums: FoldSums, rates: Vector, limit: Vector, any_feasible: bool, work: int) -> None:
        self.orders = (sums, sums.backwards())
        self.sums, self.rates, self.limit, self.any_feasible, self.left = sums, rates, limit, any_feasible, work
        bounded = [i for i, b in enumerate(limit) if np.isfinite(b) and sums.measured[i]]
        scale = np.maximum(limit[bounded], 1.0)
        self.rows: NDArray[np.float64] = np.eye(len(limit))[bounded] / scale[:, None]
        self.sides: Vector = limit[bounded] / scale
        self.best: Solution | None = None

    def run(self) -> Answer:
        open_ = [_Part(self.sums.distinct(), [], 0.0)]
        while open_ and self.left > 0 and not (self.any_feasible and self.best):
            open_ += self._parts(open_.pop())
        best = self.best
        if best and not self.any_feasible:
            best = replace(best, bound=min([p.bound for p in open_] + [best.cost]))
        return Answer(best, not open_)

    def _parts(self, part: _Part) -> list[_Part]:
        """What is left of a part: nothing, or two smaller ones."""
        while True:
            part = replace(part, points=[(x, a) for x, a in part.points if part.mask[x].all()])
            tried, bound = self._try(part)
            if tried is None:
                return []
            mask = self._kept(part.mask, tried.weights)
            went = int(part.mask.sum()) - int(mask.sum())
            if not np.add.reduceat(mask.astype(np.int64), self.sums.starts).all():
                return []
            if went <= _AGAIN * mask.sum():
                return self._split(_Part(mask, part.points, bound), tried.mixture)
            part = _Part(mask, part.points, bound)

    def _try(self, part: _Part) -> tuple[_Tried | None, float]:
        """Look for weights that prove that nothing of a part is within the limits: None when they do, or nothing more is wanted.

        Designs that are met join `part.points`. The second result is a bound for the cost of the part.
        """
        closest: Vector | None = None
        least_short, bound, mixture = np.inf, part.bound, np.zeros(0)
        for _ in range(_STEPS):
            weights, short, mixture = self._weights(part.points)
            if short <= 0 and closest is not None:
                break  # a mixture of designs is within all limits
            measures, side = self._combined(weights)
            found = self._under(self.sums, measures, part.mask)
            if self._proved(found, measures, side, part.mask):
                return None, bound
            bound = max(bound, self._cost_bound(found.real, weights))
            if closest is None or side - found.real < least_short:
                closest, least_short = weights, side - found.real
            chosen = found.chosen()
            if any(np.array_equal(chosen, x) for x, _ in part.points):
                break
            part.points.append((chosen, self.sums.area(chosen)))
            if self._offer(chosen):
                if self.any_feasible:
                    return None, bound
                closest, least_short = None, np.inf  # one limit more, or a tighter one
        return _Tried(self._weights(part.points)[0] if closest is None else closest, mixture), bound

    def _under(self, sums: FoldSums, measures: Vector, mask: Mask) -> Weighted:
        self.left -= sums.entries
        return sums.under(measures, mask)

    def _combined(self, weights: Vector) -> tuple[Vector, float]:
        """(weights of the measures, limit) of the weighted sum of all limits; the cost alone where there is no limit yet."""
        if not len(weights):
            return self.rates, np.inf
        return (weights[:, None] * self.rows).sum(axis=0), float((weights * self.sides).sum())

    def _proved(self, found: Weighted, measures: Vector, side: float, mask: Mask) -> bool:
        """Whether both orders of elimination prove that every design of a part is above the limit."""
        return found.exceeds(side) and self._under(self.orders[1], measures, mask).exceeds(side)

    def _kept(self, mask: Mask, weights: Vector) -> Mask:
        """Options that some design within the limits may have; both orders must prove that another has none."""
        measures, side = self._combined(weights)
        kept = [self._under(sums, measures, mask).within(side) for sums in self.orders]
        return np.asarray(kept[0] | kept[1])

    def _cost_bound(self, least: float, weights: Vector) -> float:
        """What a design costs at least where the weighted sum of all limits is at least `least` in each that keeps them."""
        if not len(weights):
            return least
        if self.best is None or weights[-1] < EQUAL:
            return 0.0
        others = float((weights[:-1] * self.sides[:-1]).sum())
        return (least - others) / float(weights[-1]) * self.best.cost * (1 - EQUAL)

    def _weights(self, points: list[tuple[Ints, Vector]]) -> tuple[Vector, float, Vector]:
        """(weights, the most by which each point exceeds the weighted limit, mixture of points): an upper bound for all weights."""
        count = len(self.rows)
        if not points or not count:
            return np.full(count, 1 / max(count, 1)), np.inf, np.zeros(0)
        over = np.array([(self.rows * a).sum(axis=1) - self.sides for _, a in points])
        if count == 1:  # weights sum to 1, so that the design of least area is the whole mixture
            mixture = np.zeros(len(over))
            mixture[over[:, 0].argmin()] = 1.0
            return np.ones(1), float(over.min()), mixture
        from scipy.optimize import linprog  # here, as it takes long to load

        target = np.append(np.zeros(count), -1.0)
        rows = np.hstack([-over, np.ones((len(over), 1))])
        bounds = [(0.0, None)] * count + [(None, None)]
        found = linprog(target, rows, np.zeros(len(over)), np.append(np.ones(count), 0.0)[None], [1.0], bounds)
        if not found.success:
            return np.full(count, 1 / count), np.inf, np.zeros(0)
        weights, mixture = np.maximum(found.x[:count], 0.0), np.maximum(-found.ineqlin.marginals, 0.0)
        if self.best and over[:, -1].min() >= -found.fun - EQUAL:  # a programme within its tolerance of it may have any other limit instead
            weights = np.eye(count)[-1]
        return weights, float(-found.fun), mixture

    def _offer(self, chosen: Ints) -> bool:
        """Take a design that is within the limits and cheaper than the best one."""
        exact = self.sums.exact_area(chosen)
        cost = float(sum(a * Fraction(r) for a, r in zip(exact, self.rates.tolist(), strict=True)))
        made = Solution({n: self.sums.options[i] for n, i in zip(self.sums.names, chosen, strict=True)}, cost, 0.0, exact)
        if not made.fits(self.limit) or (self.best and cost >= self.best.cost * (1 - EQUAL)):
            return False
        if self.best is None:
            self.rows, self.sides = np.vstack([self.rows, self.rates]), np.append(self.sides, 0.0)
        self.best = made
        self.rows[-1], self.sides[-1] = self.rates / max(cost, EQUAL), 1 - EQUAL
        return True

    def _split(self, part: _Part, mixture: Vector) -> list[_Part]:
        """Two parts: of one unit the options above and below its mean in the mixture, where that has most of both."""
        sums = self.sums
        count = np.add.reduceat(part.mask.astype(np.int64), sums.starts)
        if (count == 1).all():
            return []  # one design, which was offered
        share = np.zeros(len(part.mask))
        for (x, _), m in zip(part.points, mixture, strict=False):
            share[x] += m
        values = (sums.areas[:, None, :] * self.rows).sum(axis=2)
        mean = np.add.reduceat(share[:, None] * values, sums.starts)
        spread = np.add.reduceat(share[:, None] * np.abs(values - mean[sums.owner]), sums.starts)
        unit = int(np.where(count > 1, spread.max(axis=1), -1.0).argmax())
        mine = np.flatnonzero(part.mask & (sums.owner == unit))
        row = int(spread[unit].argmax())
        order = mine[np.argsort(values[mine, row], kind="stable")]
        low = int(np.searchsorted(values[order, row], mean[unit, row], side="right"))
        if not 0 < low < len(order):
            low = len(order) // 2
        halves = []
        for gone in (order[:low], order[low:]):
            mask = part.mask.copy()
            mask[gone] = False
            halves.append(_Part(mask, list(part.points), part.bound))
        return halves
