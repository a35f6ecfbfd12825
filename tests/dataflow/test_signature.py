"""Units that share their options: equal signatures mean equal foldings, cycles, layouts and areas, whatever numbers are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.networks import Network, resnet8
from dfcompile.device.cost import MEASURES, vector
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.folding import option
from dfcompile.folding.fold import cheapest
from dfcompile.folding.problem import FoldProblem
from dfcompile.ir.requantization import requantize
from dfcompile.ir.types import IntType
from dfcompile.units.base import Unit
from dfcompile.units.threshold import Threshold
from tests.examples import examples
from tests.units import arithmetic_cases

Make = Callable[[np.random.Generator, arithmetic_cases.Operands], Unit]


def scaled(rng: np.random.Generator, o: arithmetic_cases.Operands) -> Threshold:
    """Thresholds on a line, with the product that equals them."""
    dtype = IntType(8)
    steps = int(rng.integers(2, 9)) * np.arange(1, 8)[None].repeat(3, axis=0) + rng.integers(0, 9, (3, 1))
    scaling = requantize(steps, None, np.zeros(3, np.int64), np.full(3, 255))
    return Threshold(dtype, IntType(3), steps, None, (1, 2, 3), scaling=scaling)


def mvtu(rng: np.random.Generator, o: arithmetic_cases.Operands, groups: int) -> Unit:
    """Four channels from six, in one or two groups: streams of one shape."""
    return arithmetic_cases.mvtu(rng, o, (1, 2), groups, 4 // groups, 6 // groups)


def sparse(rng: np.random.Generator, o: arithmetic_cases.Operands) -> Unit:
    """Weights in half of the blocks, which ones differs."""
    made = arithmetic_cases.mvtu(rng, replace(o, w=IntType(4, signed=True)), (1, 2), 1, 2, 4)
    return replace(made, weights=made.weights * np.kron(rng.integers(0, 2, (1, 2, 2)), np.ones((1, 1, 2), np.int64)))


MAKES: dict[str, Make] = {
    "sparse": sparse,
    "mvtu": lambda rng, o: mvtu(rng, o, int(rng.integers(1, 3))),
    "vvtu": lambda rng, o: arithmetic_cases.vvtu(rng, o, (1, 2), 4, 9),
    "threshold": lambda rng, o: arithmetic_cases.threshold(rng, replace(o, out=o.out or IntType(2)), (1, 2, 4)),
    "scaled": scaled,
}


def options(unit: Unit, family: str) -> list[tuple[Any, ...]]:
    """All that a folding is chosen by."""
    table = option.OptionTable(family)
    found = table.within({"u": unit}, np.inf, every=True)["u"]
    return [(dict(o.choice), o.cycles, o.layouts, o.area.tolist()) for o in found if o.choice.get("arithmetic") != "graph"]


@pytest.mark.parametrize("kind", MAKES)
@examples(30)
@given(o=arithmetic_cases.operands(4), other=arithmetic_cases.operands(4), seed=st.integers(0, 99), family=st.sampled_from(("xc7", "ecp5")))
def test_equal_signatures(kind: str, o: arithmetic_cases.Operands, other: arithmetic_cases.Operands, seed: int, family: str) -> None:
    rng = np.random.default_rng(seed)
    units = [MAKES[kind](rng, t) for t in (o, o, replace(o, flip=not o.flip), replace(o, shared=not o.shared), other)]
    seen: dict[Any, list[tuple[Any, ...]]] = {}
    for unit in units:
        assert seen.setdefault(unit.signature, options(unit, family)) == options(unit, family)


@pytest.mark.parametrize("kind", MAKES)
@examples(15)
@given(o=arithmetic_cases.operands(4), seed=st.integers(0, 99), family=st.sampled_from(("xc7", "ecp5")))
def test_an_option_has_the_area_of_its_unit(kind: str, o: arithmetic_cases.Operands, seed: int, family: str) -> None:
    """Areas of all styles come together; each is that of a unit made by hand."""
    unit = MAKES[kind](np.random.default_rng(seed), o)
    for found in option.OptionTable(family).within({"u": unit}, np.inf, every=True)["u"]:
        made: Unit = replace(unit, **found.choice)  # type: ignore[type-var]
        assert found.area.tolist() == vector(made.resources(family), made.mac_lanes).tolist()
        assert found.cycles == made.cycles


@pytest.mark.parametrize("kind", MAKES)
@examples(30)
@given(
    o=arithmetic_cases.operands(4),
    seed=st.integers(0, 99),
    family=st.sampled_from(sorted(FAMILIES)),
    weight=st.lists(st.sampled_from([0.0, 1.0, 40.0, 300.0]), min_size=len(MEASURES), max_size=len(MEASURES)),
)
def test_no_style_costs_less_than_the_least(kind: str, o: arithmetic_cases.Operands, seed: int, family: str, weight: list[float]) -> None:
    """Whatever is dear on a device."""
    unit, prices = MAKES[kind](np.random.default_rng(seed), o), np.array(weight)
    for made in (unit.folded(**f) for f in unit.foldings()):
        least, styles = made.least_cost(family, prices), list(made.styles(family))
        costs = [vector(Resources(*a), made.mac_lanes) @ prices for a in made.areas(styles, family).tolist()]
        assert all(least <= c * (1 + 1e-12) for c in costs), made


def test_what_costs_too_much_is_not_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of most foldings it is known before that no cheapest design has them."""
    calls: list[option.Fold] = []
    styled = option._styled
    monkeypatch.setattr(option, "_styled", lambda fold, *more: calls.append(fold) or styled(fold, *more))
    problem = FoldProblem(resnet8(), "xc7")
    offered = sum(map(len, problem.table.offered(problem.units, 16_384).values()))
    assert cheapest(resnet8(), 16_384, "xc7").optimal and len(calls) < 0.5 * offered


def test_units_alike_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work grows with the units that differ, not with all of them."""
    calls: list[Unit] = []
    folds = option.folds
    monkeypatch.setattr(option, "folds", lambda unit: calls.append(unit) or folds(unit))
    net = Network("chain", (4, 4, 4))
    for _ in range(40):
        net.conv(4, 3, 1, 1)
    graph = net.graph()
    assert len({n.op.weights.tobytes() for n in graph.nodes if hasattr(n.op, "weights")}) == 40
    found = cheapest(graph)
    kinds = {unit.signature for unit in calls}
    assert len(calls) == len(kinds) < 20 and len(found.choices) == len(graph.nodes) == 80
