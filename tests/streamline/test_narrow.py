"""Narrower entries of a table that is multiplied: the same codes for every pair of an entry and a value, or left alone."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntMul, LookupCode, ThresholdCode
from dfcompile.streamline.narrow import narrow_factors
from tests.loopback.cases import Net


def gate(table: Array, thresholds: Array, more: bool = False) -> tuple[Graph, dict[str, Array]]:
    """thresholds(table(z) * x) with every pair of z in 0..n - 1 and x in -20..19; `more`: something else reads the table too."""
    size, channels = table.shape[1], max(len(table), len(thresholds))
    n = Net(1, z=((size, 40, channels), 0, size - 1), x=((size, 40, channels), -20, 19))
    u = n.node(LookupCode(0), "z", table=table)
    y = n.node(ThresholdCode(3, 0), n.node(IntMul(), u, "x"), t=thresholds, f=np.zeros(1, bool))
    z, x = (np.broadcast_to(a[..., None], (1, size, 40, channels)) for a in np.meshgrid(np.arange(size), np.arange(-20, 20), indexing="ij"))
    return n.graph(y, *([u] if more else [])), {"z": z, "x": x}


def widest(graph: Graph) -> int:
    return max(int(np.abs(graph.constants[n.inputs[1]]).max()) for n in graph.nodes if isinstance(n.op, LookupCode))


def assert_same(table: Array, thresholds: Array) -> Graph:
    graph, codes = gate(table, thresholds)
    narrow = narrow_factors(graph)
    narrow.verify()
    np.testing.assert_array_equal(narrow.execute(codes)[narrow.outputs[0]], graph.execute(codes)[graph.outputs[0]])
    for t in narrow.outputs[0], *(n.outputs[0] for n in narrow.nodes):
        value, (lo, hi) = narrow.execute(codes, [t])[t], narrow.tensors[t].range
        assert np.all(lo <= value) and np.all(value <= hi)
    return narrow


def test_one_minus_a_code_is_as_narrow_as_the_code() -> None:
    """1 - z * float32(1 / 31) on the grid of a float32 mantissa: 31 - z."""
    step = int(np.float64(np.float32(1 / 31)) * 2**34)
    table = 2**34 - step * np.arange(32)[None]
    thresholds = (np.array([[-9, -4, -1, 2, 5, 9, 15]]) * 2**34) + 2**32
    assert widest(assert_same(table, thresholds)) <= 31


@pytest.mark.parametrize("seed", range(6))
def test_tables_of_any_kind(seed: int) -> None:
    """Entries of either sign, a row or one for each channel; thresholds that the products meet or miss."""
    rng = np.random.default_rng(seed)
    table = np.rint(rng.normal(0, 2**24, (1 if seed % 2 else 3, 12))).astype(np.int64)
    products = np.unique(np.multiply.outer(table.ravel(), np.arange(-20, 20)))
    thresholds = np.sort(rng.choice(products, (3 if seed % 3 else 1, 7)), axis=1) + rng.integers(0, 2)
    narrow = assert_same(table, thresholds)
    assert widest(narrow) < np.abs(table).max()


def test_left_alone() -> None:
    """Where something else reads the entries, and where they are narrow."""
    wide = np.array([[2**20 + 7, 2**21 + 1, 5 * 2**19]])
    steps = np.array([[-9, -5, -2, 1, 4, 8, 12]]) * 2**20
    for table, thresholds, more in ((wide, steps, True), (wide // 2**17, steps // 2**17, False)):
        graph, _ = gate(table, thresholds, more)
        assert narrow_factors(graph) is graph


def test_why_none_are_taken() -> None:
    """Too many products; entries that need their bits, for boundaries between products that are close together."""
    said: list[str] = []
    entries = np.array([[512, 512, 516, 518, 519, 519, 527, 528, 542, 553, 562, 567]])
    close = np.array([[-11060, -8288, -4608, -1036, 2064, 4644, 7306]])
    for table, thresholds in ((np.arange(2**17)[None], np.zeros((1, 7), np.int64)), (entries, close)):
        narrow_factors(gate(table, thresholds)[0], lambda node, why: said.append(f"{node.name}: {why}"))
    assert said == [
        "n1: its table has 5,242,880 products with the stream, narrower entries are looked for among 2,097,152 at most",
        "n1: no narrower entries of its table keep every code",
    ]
