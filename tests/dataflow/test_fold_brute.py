"""The optimum of folding against brute force, on tight budgets of every family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.networks import CODES, Network
from dfcompile.dataflow.connect import apply_folding, connect, converter, tied
from dfcompile.device.area import sum_of
from dfcompile.device.boards import Board, find_board
from dfcompile.device.cost import MEASURES, budget, rates, vector
from dfcompile.device.family import FAMILIES
from dfcompile.errors import CompileError
from dfcompile.folding.fold import cheapest, fastest, lanes
from dfcompile.folding.option import OWN
from dfcompile.ir.graph import Graph
from dfcompile.units.add import Add
from dfcompile.units.base import Unit
from dfcompile.units.fork import Fork
from tests.examples import examples

Areas = NDArray[np.float64]


class Every:
    """All foldings of a small network with all styles, by the public estimates of units, forks and converters.

    areas: (foldings, measures); cycles: (foldings,) of the slowest unit; until: (foldings,) the interval up to which one is offered unasked
    """

    def __init__(self, graph: Graph, family: str) -> None:
        self.graph, self.family = graph, family
        self.choices = {n.name: _choices(n.op, family) for n in graph.nodes if isinstance(n.op, Unit)}
        self.shape = tuple(len(c) for c in self.choices.values())
        self.units = {n: [graph.node(n).op.folded(**c) for c in found] for n, found in self.choices.items()}  # type: ignore[attr-defined]
        total = np.zeros((*self.shape, len(MEASURES)))
        cycles = np.zeros(self.shape, np.int64)
        until = np.full(self.shape, np.inf)
        for name, units in self.units.items():
            made = [
                vector(u.resources(family), _lanes(u, c) if hasattr(u, "weights") else 0)
                for u, c in zip(units, self.choices[name], strict=True)
            ]
            total += self._along(np.array(made), name)
            cycles = np.maximum(cycles, self._along(np.array([[u.cycles] for u in units]), name)[..., 0])
            own = [[OWN * u.cycles if c.get("arithmetic") == "graph" else np.inf] for u, c in zip(units, self.choices[name], strict=True)]
            until = np.minimum(until, self._along(np.array(own), name)[..., 0])
        for name in (*graph.inputs, *(t for n in graph.nodes for t in n.outputs)):
            total += self._stream(name)
        self.areas, self.cycles, self.until = total.reshape(-1, len(MEASURES)), cycles.reshape(-1), until.reshape(-1)
        self._drop_untied()

    def _along(self, table: Areas, *names: str) -> Areas:
        """A table by the choices of some units, in their order in the graph, with axes of one for the others."""
        return table.reshape(*(len(c) if n in names else 1 for n, c in self.choices.items()), table.shape[-1])

    def _stream(self, tensor: str) -> Areas:
        """Forks and converters of one stream."""
        ports = [(n.name, i) for n in self.graph.nodes for i, t in enumerate(n.inputs) if t == tensor]
        ends = self.graph.outputs.count(tensor)
        source = next(((n.name, n.outputs.index(tensor)) for n in self.graph.nodes if tensor in n.outputs), None)
        total = np.zeros((*(1 for _ in self.shape), len(MEASURES)))
        giver, port = source or ports[0]
        made = [u.outputs[port] if source else u.inputs[port].unpadded for u in self.units[giver]]
        forks = [vector(Fork(s.shape, s.dtype, s.lanes, run=s.run, taps=s.taps).resources(self.family)) for s in made]
        total = total + (len(ports) + ends - 1) * self._along(np.array(forks), giver)
        for name, port in ports:
            wanted = [u.inputs[port] for u in self.units[name]]
            if name == giver:
                own = np.array([self._between(s, s.layout, w.layout) for s, w in zip(made, wanted, strict=True)])
                total = total + self._along(own, name)
                continue
            table = np.array([[self._between(s, s.layout, w.layout) for w in wanted] for s in made])
            order = list(self.choices)
            swapped = table if order.index(giver) < order.index(name) else table.transpose(1, 0, 2)
            total = total + self._along(swapped, giver, name)
        if ends:
            outside = [ends * self._between(s, s.layout, s.unpadded.layout) for s in made]
            total = total + self._along(np.array(outside), giver)
        return total

    def _between(self, stream: Any, given: Any, wanted: Any) -> Areas:
        if given == wanted:
            return np.zeros(len(MEASURES))
        return vector(converter(stream.shape, stream.dtype, given, wanted).resources(self.family))

    def _drop_untied(self) -> None:
        """Depthwise units and their windows have the same lanes."""
        names = list(self.choices)
        ok = np.ones(self.shape, bool)
        for window, reader in tied(self.graph).items():
            same = np.array([[w["simd"] == r.get("pe") for r in self.choices[reader]] for w in self.choices[window]])
            assert names.index(window) < names.index(reader)
            ok &= self._along(same[..., None], window, reader)[..., 0]
        ok = ok.reshape(-1)
        self.areas, self.cycles, self.until = self.areas[ok], self.cycles[ok], self.until[ok]

    def within(self, limit: Areas, interval: float = np.inf) -> NDArray[np.bool_]:
        return np.asarray((self.areas <= limit).all(axis=1) & (self.cycles <= interval))


def _lanes(unit: Unit, choice: dict[str, Any]) -> int:
    """What switches in each cycle: products, or where there are none the adders."""
    return len(unit.adders.pipeline.graph.left) if unit.adders else choice["pe"] * choice["simd"]


def _choices(unit: Unit, family: str) -> list[dict[str, Any]]:
    made = [(f, unit.folded(**f)) for f in unit.foldings()]
    return [{**f, **s} for f, folded in made for s in (*folded.styles(family), *folded.own_styles())]


def real_area(graph: Graph, choices: dict[str, dict[str, Any]], family: str) -> Areas:
    """Area of the connected design, and the lanes of its multipliers."""
    design = connect(apply_folding(graph, choices))
    total = vector(sum_of(design.unit(n.name).resources(family) for n in design.nodes))
    total[MEASURES.index("lanes")] = lanes(graph, choices)
    return total


def chain(sizes: tuple[int, ...]) -> Graph:
    net = Network("chain", (1, 1, sizes[0]))
    for channels in sizes[1:]:
        net.conv(channels)
    return net.graph()


def diamond(channels: int) -> Graph:
    """A stream with two readers, one of which is a layer, and their sum."""
    net = Network("diamond", (1, 2, channels))
    start = net.last
    net.conv(channels)
    net.put(Add(net.shape, (CODES, CODES)), net.last, start)
    return net.graph()


def depthwise(channels: int) -> Graph:
    net = Network("depthwise", (2, 2, channels))
    net.depthwise()
    return net.graph()


small = st.sampled_from((1, 2, 3, 4, 5))
networks = st.one_of(
    st.tuples(small, small, small).map(chain),
    st.tuples(*[st.sampled_from((1, 2, 3))] * 4).map(chain),
    st.sampled_from((1, 2, 3, 4)).map(diamond),
    st.sampled_from((2, 3, 4)).map(depthwise),
)
_seen: dict[tuple[str, str], Every] = {}


def every(graph: Graph, family: str) -> Every:
    """The enumeration, kept for the next budget."""
    key = (repr([(n.name, n.op.inputs, n.op.outputs) for n in graph.nodes]), family)  # type: ignore[attr-defined]
    if key not in _seen:
        _seen[key] = Every(graph, family)
    return _seen[key]


def board_of(found: Every, data: st.DataObject) -> Board:
    """A board that holds about as much as one of the designs, of each resource a little less or more."""
    area = found.areas[data.draw(st.integers(0, len(found.areas) - 1))]
    shares = [data.draw(st.sampled_from((0.9, 0.97, 1.0, 1.0, 1.03, 1.2, 2.0))) for _ in range(5)]
    lut, ff, bram, uram, dsp = (float(a) * s for a, s in zip(area, shares, strict=False))
    base = replace(find_board("pynq-z2"), name="tight", family=found.family)
    bram36 = float(np.ceil(2 * bram / 0.95) / 2)
    return replace(base, lut=int(lut / 0.8) + 1, ff=int(ff / 0.8) + 1, bram36=bram36, uram=int(uram / 0.95 + 1), dsp=int(dsp + 1))


@examples(30, full=5000)
@given(graph=networks, family=st.sampled_from(list(FAMILIES)), data=st.data())
def test_tight_budgets_have_the_optimum_of_brute_force(graph: Graph, family: str, data: st.DataObject) -> None:
    """Cheapest and fastest design on a tight board: the value of brute force, or a refusal where nothing fits."""
    found = every(graph, family)
    board = board_of(found, data)
    limit, worth = budget(board), rates(family, board)
    fits = found.within(limit)
    if not fits.any():
        with pytest.raises(CompileError, match=r"no folding with .* fits"):
            fastest(graph, board)
        return
    least = int(found.cycles[fits].min())
    quick = fastest(graph, board)
    assert (quick.value, quick.interval, quick.bound, quick.optimal) == (least, least, least, True)
    costs = found.areas @ worth
    assert quick.solution.gap == 0 and quick.solution.cost == pytest.approx(costs[found.within(limit, least)].min(), rel=1e-8)
    assert (real_area(graph, quick.choices, family) <= limit + 1e-9).all()
    interval = data.draw(st.sampled_from(sorted({*found.cycles.tolist()})))
    inside = found.within(limit, interval)
    if inside.any():
        offered = inside & (interval <= found.until)
        inside = offered if offered.any() else inside
        cheap = cheapest(graph, interval, board=board)
        assert cheap.optimal and cheap.value == pytest.approx(costs[inside].min(), rel=1e-8)
        assert float(real_area(graph, cheap.choices, family) @ worth) == pytest.approx(cheap.value, rel=1e-8)
    else:
        with pytest.raises(CompileError, match="does-not-fit"):
            cheapest(graph, interval, board=board)


@examples(30, full=2000)
@given(graph=networks, family=st.sampled_from(list(FAMILIES)), data=st.data())
def test_the_cheapest_of_all(graph: Graph, family: str, data: st.DataObject) -> None:
    """Without a board, at any interval: no design that is left out before its area is known costs less."""
    found = every(graph, family)
    interval = data.draw(st.sampled_from(sorted({*found.cycles.tolist()})))
    inside = (found.cycles <= interval) & (interval <= found.until)
    made = cheapest(graph, interval, family)
    assert made.optimal and made.value == pytest.approx((found.areas @ rates(family))[inside].min(), rel=1e-8)
    assert float(real_area(graph, made.choices, family) @ rates(family)) == pytest.approx(made.value, rel=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_enumeration_is_that_of_connected_designs(family: str) -> None:
    """Brute force adds up units, forks and converters by itself; real designs of the same choices have these areas."""
    for graph in (chain((3, 2, 4)), diamond(3)):
        found = Every(graph, family)
        assert not tied(graph)
        for at in range(0, len(found.areas), max(1, len(found.areas) // 40)):
            index = np.unravel_index(at, found.shape)
            choices = {n: c[i] for (n, c), i in zip(found.choices.items(), index, strict=True)}
            assert real_area(graph, choices, family) == pytest.approx(found.areas[at], rel=1e-9)
