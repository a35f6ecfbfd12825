"""Where units and streams are drawn: nothing on top of anything else, every wire from its source to its target."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dfcompile.report.layout import Wire, arrange, layers


def chain(*names: str) -> list[Wire]:
    return [Wire(f"{a}{b}", a, b, 0, 0) for a, b in pairwise(names)]


def test_a_chain_is_a_line() -> None:
    made = arrange(chain("a", "b", "c"), ["a", "b", "c"])
    assert made.vertices == {"a": (0, 0), "b": (2, 0), "c": (4, 0)}
    assert [lanes for _, lanes in made.wires] == [[0], [0]]


def test_a_skip_goes_below_the_main_path() -> None:
    skip = Wire("skip", "fork", "add", 0, 1)
    made = arrange([*chain("fork", "conv", "relu", "add"), skip], ["fork", "conv", "relu", "add"])
    assert {lane for _, lane in made.vertices.values()} == {0}
    assert made.wires[-1] == (skip, [1] * 5)


def test_an_input_that_joins_late_stands_just_before_its_reader() -> None:
    wires = [*chain("in0", "a", "b", "add"), Wire("late", "in1", "add", 0, 1)]
    assert layers(wires, ["in0", "in1", "a", "b", "add"])["in1"] == 2


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Wire], list[str]]:
    """Units in a row, joined forwards any way, several wires between the same two too."""
    count = draw(st.integers(2, 12))
    names = [f"u{i}" for i in range(count)]
    ends = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda e: e[0] < e[1]), max_size=25))
    return [Wire(f"t{k}", names[a], names[b], k, k) for k, (a, b) in enumerate(ends)], names


@given(graphs())
def test_no_two_things_share_a_cell(graph: tuple[list[Wire], list[str]]) -> None:
    wires, names = graph
    made = arrange(wires, names)
    assert set(made.vertices) == set(names) and [w for w, _ in made.wires] == wires
    cells = list(made.vertices.values())
    for w, lanes in made.wires:
        first, last = made.vertices[w.source][0] + 1, made.vertices[w.target][0]
        assert first < last + 1 and len(lanes) == last - first
        cells += list(zip(range(first, last), lanes, strict=True))
    assert len(set(cells)) == len(cells)
    assert all(0 <= column < made.columns and lane >= 0 for column, lane in cells)
