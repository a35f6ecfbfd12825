"""The optimum of folding, against brute force on real designs, against a published folding, and within budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.networks import Network, mobilenet, resnet8
from dfcompile.dataflow.connect import apply_folding, connect, tied
from dfcompile.device.area import sum_of
from dfcompile.device.boards import Board, find_board
from dfcompile.device.cost import budget, rates, vector
from dfcompile.device.feed import fed_cycles
from dfcompile.device.resources import Resources
from dfcompile.emit.interface import Interface
from dfcompile.errors import CompileError
from dfcompile.folding.fold import Folded, cheapest, fastest, front, lanes, read_folding
from dfcompile.folding.option import OWN
from dfcompile.ir.graph import Graph
from dfcompile.units.base import Unit
from tests.examples import examples, fewer
from tests.shared import MODELS, needs_models

PUBLISHED = ((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1))
PUBLISHED_CYCLES = [32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 1024]


def units_of(graph: Graph) -> list[tuple[str, Unit]]:
    return [(n.name, n.op) for n in graph.nodes if isinstance(n.op, Unit)]


Seen = dict[str, Resources]


def area_of(graph: Graph, choices: dict[str, dict[str, Any]], family: str, seen: Seen | None = None) -> np.ndarray[Any, Any]:
    """Area of the connected design with its forks and converters, and the lanes of its multipliers; `seen` remembers units."""
    seen = {} if seen is None else seen
    design = connect(apply_folding(graph, choices))
    areas = []
    for n in design.nodes:
        unit = design.unit(n.name)
        key = f"{n.name} {unit} {choices.get(n.name)}"
        if key not in seen:
            seen[key] = unit.resources(family)
        areas.append(seen[key])
    total = vector(sum_of(areas))
    total[5] = lanes(graph, choices)
    return total


def every_folding(unit: Unit) -> list[dict[str, int]]:
    """All that a user may give: any lanes from one to all, whatever they divide."""
    most = [max(f[field] for f in unit.foldings()) for field in unit.fold_fields]
    return [dict(zip(unit.fold_fields, values, strict=True)) for values in product(*(range(1, m + 1) for m in most))]


Foldings = Callable[[Unit], Iterable[dict[str, int]]]


def undominated(folded: Unit, styles: list[dict[str, str]], family: str) -> list[dict[str, str]]:
    """Styles of a folding of which no other takes as little of everything: with equal ports the others are in no best design."""
    made = [folded.folded(**style) for style in styles]
    areas = [vector(unit.resources(family), unit.mac_lanes) for unit in made]
    below = [[bool((b <= a).all() and ((b < a).any() or j < i)) for j, b in enumerate(areas)] for i, a in enumerate(areas)]
    return [style for style, others in zip(styles, below, strict=True) if not any(others)]


def brute_force(graph: Graph, interval: int, board: Board | None, family: str, foldings: Foldings = lambda u: u.foldings()) -> float | None:
    """Least cost over every combination of every unit's foldings and styles."""
    order = tied(graph)
    seen: Seen = {}
    options = []
    for name, unit in units_of(graph):
        found = []
        for folding in foldings(unit):
            folded = unit.folded(**folding)
            if folded.cycles <= interval:
                own = folded.own_styles() if interval <= OWN * folded.cycles else ()
                found += [(name, {**folding, **style}) for style in undominated(folded, [*folded.styles(family), *own], family)]
        options.append(found)
    best: float | None = None
    for chosen in product(*options):
        choices = dict(chosen)
        if any(choices[r].get("pe") != choices[w]["simd"] for w, r in order.items()):
            continue
        area = area_of(graph, choices, family, seen)
        if board is None or (area <= budget(board)).all():
            cost = float(area @ rates(family, board))
            best = cost if best is None else min(best, cost)
    return best


def chain(sizes: list[int]) -> Graph:
    net = Network("chain", (1, 1, sizes[0]))
    for channels in sizes[1:]:
        net.conv(channels)
    return net.graph()


def convolution(channels: int, outputs: int) -> Graph:
    """A dense layer on each pixel, windows, a convolution."""
    net = Network("convolution", (3, 2, 2))
    net.conv(channels)
    net.conv(outputs, 2)
    return net.graph()


def diamond(channels: int, middle: int) -> Graph:
    """A fork, two branches, a sum."""
    net = Network("diamond", (2, 2, channels))
    net.conv(channels)
    start = net.last
    net.conv(middle)
    net.conv(channels)
    net.add(start)
    return net.graph()


def depthwise(channels: int) -> Graph:
    net = Network("depthwise", (3, 3, channels))
    net.depthwise()
    net.conv(channels)
    return net.graph()


small = st.sampled_from((1, 2, 3, 5, 6))
graphs = st.one_of(
    st.lists(small, min_size=3, max_size=4).map(chain),
    st.builds(diamond, st.sampled_from((1, 2, 3)), st.sampled_from((1, 2))),
    st.sampled_from((2, 4, 5, 6)).map(depthwise),
)


@pytest.mark.further
@examples(10)
@given(graph=graphs, slack=st.sampled_from((1.0, 1.5, 4.0)), family=st.sampled_from(("xc7", "ecp5")))
def test_the_cheapest_folding_is_that_of_brute_force(graph: Graph, slack: float, family: str) -> None:
    interval = int(slack * max(min(unit.folded(**f).cycles for f in unit.foldings()) for _, unit in units_of(graph)))
    found = cheapest(graph, interval, family)
    assert found.optimal and found.gap == 0
    assert found.interval <= interval
    expected = brute_force(graph, interval, None, family)
    assert expected == pytest.approx(found.value, rel=1e-9)
    assert float(area_of(graph, found.choices, family) @ rates(family)) == pytest.approx(found.value, rel=1e-9)


two_layers = st.one_of(
    st.tuples(st.integers(1, 4), st.just(5), st.integers(2, 4)).map(lambda sizes: chain(list(sizes))),
    st.sampled_from((2, 3)).map(lambda channels: convolution(channels, 3)),
    st.sampled_from((3, 5)).map(depthwise),
)


@examples(2, full=200)
@given(graph=two_layers, data=st.data(), family=st.sampled_from(("xc7", "ecp5")))
def test_no_lanes_at_all_make_a_cheaper_design(graph: Graph, data: st.DataObject, family: str) -> None:
    """The options that the optimiser looks at lose nothing against all lanes of all units, at any interval, with and without a budget."""
    cycles = sorted({unit.folded(**f).cycles for _, unit in units_of(graph) for f in every_folding(unit)})
    least = max(min(unit.folded(**f).cycles for f in every_folding(unit)) for _, unit in units_of(graph))
    interval = data.draw(st.sampled_from([c for c in cycles if c >= least]))
    found = cheapest(graph, interval, family)
    assert brute_force(graph, interval, None, family, every_folding) == pytest.approx(found.value, rel=1e-9)
    assert float(area_of(graph, found.choices, family) @ rates(family)) == pytest.approx(found.value, rel=1e-9)


@pytest.mark.further
@examples(2, full=500)
@given(graph=graphs, share=st.floats(0.5, 1.2))
def test_within_a_budget_the_optimum_is_that_of_brute_force(graph: Graph, share: float) -> None:
    interval = 4 * max(min(unit.folded(**f).cycles for f in unit.foldings()) for _, unit in units_of(graph))
    free = cheapest(graph, interval, board=find_board("pynq-z2"))
    lut = int(free.solution.area[0] * share / 0.8)
    board = replace(find_board("pynq-z2"), lut=lut, ff=4 * lut)
    expected = brute_force(graph, interval, board, "xc7")
    if expected is None:
        with pytest.raises(CompileError, match="does-not-fit"):
            cheapest(graph, interval, board=board)
    else:
        assert cheapest(graph, interval, board=board).value == pytest.approx(expected, rel=1e-9)


@examples(fewer(10))
@given(graph=graphs)
def test_the_fastest_folding_is_the_first_interval_that_fits(graph: Graph) -> None:
    slow = cheapest(graph, 1 << 30, board=find_board("pynq-z2"))
    board = replace(find_board("pynq-z2"), lut=int(slow.solution.area[0] * 2), ff=10**6)
    found = fastest(graph, board)
    assert found.optimal
    assert (area_of(graph, found.choices, "xc7") <= budget(board)).all()
    faster = sorted({unit.folded(**f).cycles for _, unit in units_of(graph) for f in unit.foldings()})
    for interval in faster:
        if interval < found.interval:
            assert brute_force(graph, interval, board, "xc7") is None


@examples(fewer(10))
@given(graph=graphs, bandwidth=st.sampled_from([0.005, 0.05, 0.5]), baud=st.sampled_from([0, 10**6, 10**8]))
def test_no_folding_is_faster_than_the_board_brings_frames(graph: Graph, bandwidth: float, baud: int) -> None:
    """Where memory or line end the rate, frames come no later than with the fastest design, and as soon for less."""
    board = replace(find_board("pynq-z2"), bandwidth=bandwidth, vivado=None)
    if baud:
        wiring = find_board("ulx3s").wiring
        assert wiring
        board = replace(board, wiring=replace(wiring, baud=baud))
    found, quick = fastest(graph, board, clock=100), fastest(graph, board)

    def cycles(folded: Folded) -> tuple[float, float]:
        """(the design's, with the board around it)"""
        ports = Interface.of(connect(apply_folding(graph, folded.choices)))
        ends = [[p.beats * p.bytes for p in side] for side in (ports.inputs, ports.outputs)]
        line = 100e6 * 10 / baud * max(map(sum, ends)) if baud else 0
        own = max(n.op.cycles for n in apply_folding(graph, folded.choices).nodes if isinstance(n.op, Unit))
        return own, max(own, line, 0 if baud else fed_cycles(board, *ends, 100))

    assert (cycles(found)[1], found.solution.cost) <= (cycles(quick)[1], quick.solution.cost)
    assert cycles(found)[0] == found.interval >= quick.interval
    assert (area_of(graph, found.choices, "xc7") <= budget(board)).all()


@needs_models
def test_cnv_takes_fewer_lanes_fewer_luts_and_less_in_all_than_the_published_folding() -> None:
    from dfcompile.front import FRONT, Job

    path = MODELS / "bnnpynq_cnv_1w1a.onnx"
    units = FRONT(Job(path), path).units
    found = cheapest(units, 32768)
    assert found.optimal and found.gap == 0 and found.interval <= 32768
    published = _published(units)
    theirs = area_of(units, published, "xc7")
    ours = area_of(units, found.choices, "xc7")
    assert ours[5] <= theirs[5] == sum(p * s for p, s in PUBLISHED)
    assert ours[0] < theirs[0]
    assert ours @ rates("xc7") < theirs @ rates("xc7")


def _published(graph: Graph) -> dict[str, dict[str, Any]]:
    """The published folding, with windows and pools as wide as the neighbours and memories where a build puts them by itself."""
    nodes = list(graph.nodes)
    wanted = iter(PUBLISHED)
    choices: dict[str, dict[str, Any]] = {}
    for node in nodes:
        if node.op.kind == "mvtu":
            pe, simd = next(wanted)
            choices[node.name] = {"pe": pe, "simd": simd}
    cycles = [graph.node(n).op.folded(**c).cycles for n, c in choices.items()]  # type: ignore[attr-defined]
    assert cycles == PUBLISHED_CYCLES
    for i, node in enumerate(nodes):
        if node.op.kind == "sliding_window":
            after = nodes[i + 1]
            choices[node.name] = {"simd": choices[after.name]["simd"] if after.op.kind == "mvtu" else choices[nodes[i - 1].name]["pe"]}
        elif node.op.kind == "pool":
            choices[node.name] = {"pe": choices[nodes[i - 2].name]["pe"]}
    return choices


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104", "alveo-u250"])
def test_a_residual_network_is_folded_with_proof(board: str) -> None:
    found = fastest(resnet8(), find_board(board))
    assert found.optimal and found.solution.gap == 0
    assert (found.solution.area <= budget(find_board(board))).all()


def test_a_larger_board_is_never_slower() -> None:
    graph = resnet8()
    assert fastest(graph, find_board("alveo-u250")).interval <= fastest(graph, find_board("pynq-z2")).interval


def test_the_front_falls() -> None:
    points = list(front(resnet8(), find_board("pynq-z2"), 6))
    assert len(points) >= 4
    assert [p.interval for p in points] == sorted({p.interval for p in points})
    costs = [p.solution.cost for p in points]
    assert costs == sorted(costs, reverse=True)
    assert all(p.solution.gap == 0 for p in points)


def test_a_network_that_is_too_large_is_refused_with_its_need() -> None:
    with pytest.raises(CompileError) as error:
        fastest(mobilenet(), find_board("pynq-z2"))
    (problem,) = error.value.problems
    assert problem.code == "does-not-fit"
    assert "bram36" in problem.why


def test_an_interval_that_is_too_short_names_every_unit_in_its_way() -> None:
    graph = depthwise(4)
    with pytest.raises(CompileError) as error:
        cheapest(graph, 5)
    assert {p.code for p in error.value.problems} == {"interval-too-short"}
    assert len(error.value.problems) == 3


def test_windows_of_depthwise_units_have_their_lanes() -> None:
    graph = depthwise(6)
    choices = cheapest(graph).choices
    ((window, reader),) = tied(graph).items()
    assert choices[window]["simd"] == choices[reader]["pe"]


def test_a_folding_may_be_given_and_wrong_entries_are_all_named() -> None:
    graph = chain([4, 6, 4])
    first, second = (name for name, _ in units_of(graph))
    assert read_folding({first: {"pe": 3, "simd": 2}}, graph, {}) == {first: {"pe": 3, "simd": 2}}
    assert read_folding({first: {"pe": 5, "simd": 3}}, graph, {}) == {first: {"pe": 5, "simd": 3}}
    with pytest.raises(CompileError) as error:
        read_folding({first: {"pe": 7, "simd": 2}, second: {"pe": 2, "simd": 7}, "nothing": {}}, graph, {})
    assert len(error.value.problems) == 3


def test_a_given_folding_may_hold_styles() -> None:
    graph = chain([4, 6, 4])
    first = units_of(graph)[0][0]
    wanted = {"pe": 3, "simd": 2, "weight_style": "bram"}
    assert read_folding({first: wanted}, graph, {}) == {first: wanted}
    with pytest.raises(CompileError, match="weight_style in"):
        read_folding({first: {"pe": 3, "simd": 2, "weight_style": "tape"}}, graph, {})


def test_a_given_folding_has_no_cells_of_another_family() -> None:
    graph = chain([4, 6, 4])
    first = units_of(graph)[0][0]
    wanted = {"pe": 3, "simd": 2, "arithmetic": "carry4"}
    assert read_folding({first: wanted}, graph, {}, "xc7") == {first: wanted}
    for family in ("xcup", "ecp5"):
        with pytest.raises(CompileError, match=r"arithmetic in \['auto'.*\]") as error:
            read_folding({first: wanted}, graph, {}, family)
        assert "'carry4'" not in str(error.value.problems[0].help)
        assert error.value.problems[0].why.startswith("'carry4' is made of cells that ")


def test_what_was_chosen_can_be_given() -> None:
    graph = diamond(3, 2)
    choices = cheapest(graph).choices
    assert read_folding(choices, graph, {}) == choices


def test_room_for_fifos_is_left() -> None:
    graph, board = resnet8(), find_board("pynq-z2")
    reserved = vector(Resources(lut=35000))
    found = fastest(graph, board, reserved)
    assert found.solution.area[0] <= board.lut - 35000
    assert found.interval > fastest(graph, board).interval
