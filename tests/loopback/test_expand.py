"""Shares of a sum as counts equal quotients of integers, for every way of rounding, and every row of a small alphabet."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dfcompile.ir.intop import IntBelowMax, IntNormalize, LookupCode
from dfcompile.ir.intop_row import ROUNDINGS
from dfcompile.loopback.expand import expanded
from tests.loopback.cases import Net


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(
    ("factor", "divisor", "most", "zero"), [(15, 1, 15, 0), (7, 2, 7, -3), (5, 3, 4, 1), (1, 1, 1, 2), (64, 129, 3, 0)]
)
def test_counts_are_shares(rounding: str, factor: int, divisor: int, most: int, zero: int) -> None:
    rows = np.array(list(product(range(5), repeat=3)))
    n = Net(1, x=((1, len(rows), 3), 0, 4))
    own = n.node(IntNormalize(factor, divisor, most, zero, rounding), "x")
    falling = n.node(LookupCode(0), n.node(IntBelowMax(4), "x"), table=np.array([[40, 12, 12, 3, 0]]))
    far = n.node(IntNormalize(factor, divisor, most, zero, rounding), falling)
    graph = expanded(n.graph(own, far))
    assert not any(isinstance(node.op, IntNormalize) for node in graph.nodes)
    found = graph.execute({"x": rows[None, None]})
    codes = np.array([40, 12, 12, 3, 0])[rows.max(axis=1, keepdims=True) - rows]
    for t, e in ((own, rows), (far, codes)):
        op = IntNormalize(factor, divisor, most, zero, rounding)
        wanted = [[min(op.rounded(v, sum(row)), most) if sum(row) else most for v in row] for row in e.tolist()]
        np.testing.assert_array_equal(found[t][0, 0], np.array(wanted) + zero)
