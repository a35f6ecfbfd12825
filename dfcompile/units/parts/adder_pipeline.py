"""Registers in an adder graph: at most `LEVELS` adders between two of them, and as few bits as that takes.

All outputs leave the last stage's registers together. An adder may lie in any stage between its operands' and its readers', and a value
waits in registers until the stage of its last reader. Stages that make the fewest register bits are a linear programme whose constraints
are differences of two stages, so its corners are integers (C. Leiserson and J. Saxe, Retiming synchronous circuitry, 1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.parts.adder_graph import NOTHING, AdderGraph, AdderPipeline

Ints = NDArray[np.int64]
LEVELS = 2
"""Adders between two registers."""


def pipeline(graph: AdderGraph, levels: int = LEVELS) -> AdderPipeline:
    """Registers after every `levels` adders at most, and at the outputs."""
    stages = max(1, -(-int(graph.levels.max()) // levels))
    stage = _least_registers(graph, levels, stages)
    until = stage.copy()
    np.maximum.at(until, graph.reads[0], stage[graph.reads[1]])
    until[graph.out[graph.out != NOTHING]] = stages
    return AdderPipeline(graph, stages, stage, until)


def _least_registers(graph: AdderGraph, levels: int, stages: int) -> Ints:
    """The stage of each node."""
    from scipy.optimize import linprog  # here, as it takes long to load
    from scipy.sparse import csr_array

    nodes = graph.inputs + graph.adders
    outputs = np.unique(graph.out[graph.out != NOTHING])
    reads = graph.reads
    far = _too_far(graph, levels)
    # Variables: the stage of each node, then that of its last reader. Rows: first - second <= limit.
    first = np.concatenate([reads[0], far[0], reads[1], np.arange(nodes)])
    second = np.concatenate([reads[1], far[1], nodes + reads[0], nodes + np.arange(nodes)])
    limit = np.concatenate([np.zeros(reads.shape[1]), -np.ones(far.shape[1]), np.zeros(reads.shape[1] + nodes)])
    rows = np.arange(len(first))
    ones = np.ones(len(first))
    matrix = csr_array((np.concatenate([ones, -ones]), (np.tile(rows, 2), np.concatenate([first, second]))), shape=(len(rows), 2 * nodes))
    low, high = np.zeros(2 * nodes), np.full(2 * nodes, float(stages))
    high[: graph.inputs], high[graph.inputs : nodes] = 0, stages - 1
    low[nodes + outputs] = stages
    bits = graph.bits.astype(float)
    done = linprog(np.concatenate([-bits, bits]), A_ub=matrix, b_ub=limit, bounds=np.stack([low, high], axis=1), method="highs-ds")
    if done.x is None:
        raise ArithmeticError(f"no stages for {graph.adders} adders: {done.message}")
    found: Ints = np.rint(done.x[:nodes]).astype(np.int64)
    if np.any(found[first[: -nodes - reads.shape[1]]] - found[second[: -nodes - reads.shape[1]]] > limit[: -nodes - reads.shape[1]]):
        raise ArithmeticError(f"stages of {graph.adders} adders that are no integers")
    return found


def _too_far(graph: AdderGraph, levels: int) -> Ints:
    """(2, n): pairs of adders with more than `levels` on a way from one to the other, both counted."""
    delay = np.concatenate([np.zeros(graph.inputs, np.int64), graph.adder_bits > 0])
    behind: list[dict[int, int]] = [{} for _ in range(graph.inputs)]  # adders before each node, and how many from there to it
    pairs = []
    for n, operands in enumerate(zip(graph.left.tolist(), graph.right.tolist(), strict=True), graph.inputs):
        reach = {n: int(delay[n])}
        for operand in operands:
            for before, count in behind[operand].items():
                reach[before] = max(reach.get(before, 0), count + int(delay[n]))
        pairs += [(before, n) for before, count in reach.items() if count > levels]
        behind.append({before: count for before, count in reach.items() if count <= levels})
    return np.array(pairs, np.int64).reshape(-1, 2).T
