"""From a constant matrix to few adders: signed digits, differences of rows, and what `adder_search` makes of them.

Each nonzero digit of the canonical signed form of a weight is a term of its row. Where rows are alike, only differences of them are built
from the inputs: along a minimum spanning tree of the rows, then rows are sums of differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.parts.adder_graph import NOTHING, AdderGraph
from dfcompile.units.parts.adder_search import build

Ints = NDArray[np.int64]
_WORTH = 0.8  # share of the digits that differences may have
DEPTHS = (0, 1, 2, 4)
"""Of the trees of differences of rows that are tried; 0: none."""


def digits(matrix: Ints) -> tuple[Ints, Ints, Ints]:
    """Terms (n, 3) of node, power and sign by canonical signed digits; where those of each row of a matrix begin, and how many they are."""
    high = 3 * matrix
    up, down = (high & ~matrix) >> 1, (matrix & ~high) >> 1
    powers = np.arange(int(max(up.max(), down.max(), 1)).bit_length())
    held = ((up[..., None] >> powers) & 1) - ((down[..., None] >> powers) & 1)
    row, node, power = np.nonzero(held)
    size = np.bincount(row, minlength=len(matrix))
    return np.stack([node, power, held[row, node, power]], axis=1), np.cumsum(size) - size, size


def signed_digits(values: Ints) -> Ints:
    """How many nonzero digits the canonical signed form of each has."""
    return np.asarray(np.bitwise_count(np.abs(values) ^ (3 * np.abs(values))), np.int64)


def spanning_tree(matrix: Ints, depth: int) -> tuple[Ints, Ints]:
    """Parent (-1: none) and sign of each row, so that all rows less their parents have fewest digits; no row deeper than `depth`.

    Prim's algorithm: the row that is nearest to those reached, next.
    """
    rows = len(matrix)
    parent, sign, level = np.full(rows, -1), np.ones(rows, np.int64), np.zeros(rows, np.int64)
    distance = signed_digits(matrix).sum(axis=1)
    out = np.ones(rows, bool)
    for _ in range(rows):
        new = int(np.argmin(np.where(out, distance, np.iinfo(np.int64).max)))
        out[new] = False
        level[new] = level[parent[new]] + 1 if parent[new] >= 0 else 0
        if level[new] >= depth:
            continue
        for s in (1, -1):
            own = signed_digits(matrix - s * matrix[new]).sum(axis=1) + 1
            nearer = out & (own < distance)
            distance[nearer], parent[nearer], sign[nearer] = own[nearer], new, s
    return parent, sign


@dataclass
class _Search:
    """Nodes made so far."""

    nodes: Ints
    made: int

    def build(self, terms: Ints, first: Ints, size: Ints) -> tuple[Ints, Ints]:
        """Node and power of each row of terms; NOTHING where there are none."""
        if not len(terms):
            return np.full(len(first), NOTHING), np.zeros(len(first), np.int64)
        self.nodes, self.made = build(terms, first, size.copy(), self.nodes, self.made)
        ends = terms[np.where(size, first, 0)]
        return np.where(size, ends[:, 0], NOTHING), np.where(size, ends[:, 1], 0)

    def build_differences(self, matrix: Ints, parent: Ints, sign: Ints) -> tuple[Ints, Ints]:
        """The same for a matrix by differences of its rows: first these, then the sums of those on the way to each row."""
        taken = np.asarray(np.where(parent >= 0, sign, 0)[:, None] * matrix[parent], np.int64)
        nodes, powers = self.build(*digits(matrix - taken))
        terms, size = [], []
        for row in range(len(matrix)):
            at, own, count = row, 1, 0
            while at >= 0:
                if nodes[at] != NOTHING:
                    terms.append((nodes[at], powers[at], own))
                    count += 1
                at, own = parent[at], own * sign[at]
            size.append(count)
        sizes = np.array(size, np.int64)
        return self.build(np.array(terms, np.int64).reshape(-1, 3), np.cumsum(sizes) - sizes, sizes)


def adder_graph(matrix: Ints, lo: Ints, hi: Ints) -> AdderGraph:
    """The graph of a matrix (outputs, inputs) whose inputs lie in [lo, hi]: that of fewest adder bits, with differences and without.

    Differences make the graph deeper, and are tried only where they have clearly fewer digits than the rows.
    """
    inputs = matrix.shape[1]
    whole = signed_digits(matrix).sum()
    best: tuple[int, AdderGraph] | None = None
    for depth in DEPTHS:
        parent, sign = spanning_tree(matrix, depth)
        differences = np.asarray(matrix - np.where(parent >= 0, sign, 0)[:, None] * matrix[parent], np.int64)
        if depth and signed_digits(differences).sum() + (parent >= 0).sum() > _WORTH * whole:
            continue
        search = _Search(np.zeros((2 * inputs + 64, 7), np.int64), inputs)
        search.nodes[:inputs, 4], search.nodes[:inputs, 5] = lo, hi
        out, shift = search.build_differences(matrix, parent, sign) if depth else search.build(*digits(matrix))
        left, right, by, kind = search.nodes[inputs : search.made, :4].T.copy()
        found = AdderGraph(lo, hi, left, right, by, kind, out, shift)
        cost = int(found.adder_bits.sum())
        if best is None or cost < best[0]:
            best = cost, found
    assert best is not None, "there is always one without differences"
    return best[1]
