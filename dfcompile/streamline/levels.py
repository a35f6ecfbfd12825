"""Chains of few values: what comparisons select between, as LQ-Nets and other non-uniform quantizers write their levels."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from fractions import Fraction

from dfcompile.ir.modelop import Binary, Bipolar
from dfcompile.streamline.grid import Grid, common_scale
from dfcompile.streamline.step import Join, Step

MOST = 256
_EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "min": min, "max": max,
}  # fmt: skip


def values_of(chain: Iterable[Step | Join]) -> frozenset[Fraction] | None:
    """Numbers of which a chain gives no others; None where they are not known to be few. Exact."""
    found: frozenset[Fraction] | None = None
    for step in chain:
        if isinstance(step, Join):
            found = _joined(step.op.fn, values_of(step.left), values_of(step.right))
        elif isinstance(step.op, Bipolar):
            found = frozenset({Fraction(-1), Fraction(1)})
        elif isinstance(step.op, Binary) and found is not None and step.params[0].size == 1:
            given = frozenset({Fraction(float(step.params[0].ravel()[0]))})
            found = _joined(step.op.fn, *((found, given) if step.slot == 0 else (given, found)))
        else:
            found = None
    return found


def _joined(fn: str, a: frozenset[Fraction] | None, b: frozenset[Fraction] | None) -> frozenset[Fraction] | None:
    if a is None or b is None or fn not in _EXACT:
        return None
    made = frozenset(_EXACT[fn](x, y) for x in a for y in b)
    return made if len(made) <= MOST else None


def grid_of_levels(chain: Iterable[Step | Join]) -> Grid | None:
    """The coarsest grid through 0 on which all values of a chain lie; None where they are not known to be few, or all 0."""
    values = values_of(chain)
    if values is None or not any(values):
        return None
    return Grid.of(common_scale(v for v in values if v)[0], 0)
