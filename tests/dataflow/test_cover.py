"""Programmes in zeros and ones: the least cost is that of enumeration, whatever the linear programme answers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.timing import cover, fifo_optimum
from dfcompile.timing.cover import Programme, cheaper, tried
from dfcompile.timing.fifo_optimum import Allowance, Conflict, StoppedError, improve
from tests.examples import examples


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    count, rows = draw(st.integers(1, 6)), draw(st.integers(0, 6))
    costs = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    table = [[draw(st.sampled_from((-1, 0, 0, 1, 1))) for _ in range(count)] for _ in range(rows)]
    sides = [draw(st.integers(-1, 2)) for _ in range(rows)]
    chains: list[int] = []
    while sum(chains) < count:
        chains.append(draw(st.integers(1, count - sum(chains))))
        for i in range(sum(chains[:-1]), sum(chains) - 1):
            table.append([(j == i) - (j == i + 1) for j in range(count)])
            sides.append(0)
    return Programme(np.array(costs), np.array(table, np.int8).reshape(len(sides), count), np.array(sides, np.int64), tuple(chains))


def least(programme: Programme) -> int | None:
    every = (np.array(x) for x in product((0, 1), repeat=len(programme.costs)))
    return min((int(programme.costs @ x) for x in every if programme.allows(x)), default=None)


@examples(150)
@given(programme=programmes(), cutoff=st.integers(0, 40))
def test_the_least_cost_is_that_of_enumeration(programme: Programme, cutoff: int) -> None:
    expected = least(programme)
    for found in (cheaper(programme, cutoff, lambda: None), tried(programme, cutoff)):
        if expected is None or expected >= cutoff:
            assert found is None
        else:
            assert found is not None and programme.allows(found) and int(programme.costs @ found) == expected


@examples(25)
@given(programme=programmes(), data=st.data())
def test_a_linear_programme_that_answers_nonsense_proves_nothing(programme: Programme, data: st.DataObject) -> None:
    """A planted fault: x and multipliers are anything."""
    count, rows = len(programme.costs), len(programme.sides)
    numbers = st.floats(-100, 100, width=32)

    def nonsense(*_: Any, **__: Any) -> Any:
        x = np.array([data.draw(numbers) for _ in range(count + rows)])
        marginals = np.array([data.draw(numbers) for _ in range(rows)])
        return SimpleNamespace(success=data.draw(st.booleans()), x=x, ineqlin=SimpleNamespace(marginals=marginals))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cover, "linprog", nonsense)
        found = cheaper(programme, 60, lambda: None)
    assert (None if found is None else int(programme.costs @ found)) == least(programme)


def pairs(depths: dict[str, int]) -> Conflict | None:
    """Depths keep the interval when a has 2 slots, or b and c have 3 each."""
    if depths.get("a", 0) >= 2:
        return None
    short = next((t for t in ("b", "c") if depths.get(t, 0) < 3), None)
    return None if short is None else Conflict({t: depths.get(t, 0) for t in ("a", short)}, frozenset())


@pytest.mark.parametrize(("widths", "expected"), [((8, 2, 2), {"b": 3, "c": 3}), ((8, 2, 3), {"b": 3, "c": 3}), ((8, 3, 3), {"a": 2})])
@pytest.mark.parametrize("way", ["all tried", "solver", "solver that lies"])
def test_depths_of_fewest_bits(widths: tuple[int, int, int], expected: dict[str, int], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where HiGHS calls every covering problem infeasible, as its presolve did once."""
    if way != "all tried":
        monkeypatch.setattr(fifo_optimum, "FEW", -1)
    if way == "solver that lies":
        monkeypatch.setattr(fifo_optimum, "_proposed", lambda *_: SimpleNamespace(status=2, x=None, mip_node_count=0))
    width = dict(zip("abc", widths, strict=True))
    found, proved = improve({"a": 5, "b": 1}, width, [], pairs, Allowance(10**9))
    assert proved and found == expected


def test_without_an_allowance_nothing_is_proved() -> None:
    found, proved = improve({"a": 5}, {"a": 8, "b": 2, "c": 2}, [Conflict({"a": 1, "b": 2}, frozenset())], pairs, Allowance(10))
    assert not proved and found == {"a": 5}
    with pytest.raises(StoppedError):
        Allowance(1).spend(2)


@pytest.mark.parametrize(("price", "way_to_go"), [(20_000, False), (200, True)])
def test_a_search_whose_bound_hardly_rises_is_given_up_early(price: int, way_to_go: bool) -> None:
    """Room for 40 beats on two streams together: each conflict tells one more split of them, and asks for a bit more at a time."""
    allowance = Allowance(0)

    def attempt(depths: Mapping[str, int]) -> Conflict | None:
        allowance.spend(price)
        a, b = depths.get("a", 0), depths.get("b", 0)
        return None if a + b >= 40 else Conflict({"a": a, "b": b}, frozenset())

    allowance.left = 10**9
    assert improve({"a": 40}, {"a": 1, "b": 1}, [], attempt, allowance) == ({"a": 40}, True)
    needed = 10**9 - allowance.left
    whole = allowance.left = 2 * needed if way_to_go else needed // 8
    assert improve({"a": 40}, {"a": 1, "b": 1}, [], attempt, allowance) == ({"a": 40}, way_to_go)
    assert way_to_go or whole / 16 < whole - allowance.left < whole / 2
