"""Memories out of all proportion to the model are refused before anything is made of them."""

from __future__ import annotations

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph
from dfcompile.streamline.value import describe
from dfcompile.units.base import unit_of

BLOCK_BITS, ULTRA_BITS = 36 * 1024, 288 * 1024
LEAST_BITS = 2**26
"""Bits of block RAM up to which a unit's memories are no matter: what a large device has."""
NUMBER_BITS = 64
"""Bits that each number of the model, parameter or activation, may take."""


def check_memories(graph: Graph, numbers: int, family: str) -> None:
    """CompileError that names every unit of a folded graph whose memories are beyond measure.

    numbers: parameters of the model and activations of one frame, all together
    """
    limit = max(LEAST_BITS, NUMBER_BITS * numbers)
    problems = []
    for node in graph.nodes:
        unit = unit_of(node)
        area = unit.resources(family)
        bits = area.bram36 * BLOCK_BITS + area.uram * ULTRA_BITS
        if bits > limit:
            problems.append(
                Problem(
                    "out-of-proportion",
                    f"the memories of this {unit.kind} would take {area.bram36 + 8 * area.uram:,.0f} block RAMs of 36 kbit",
                    describe(node),
                    f"{bits:,.0f} bits, for a model of {numbers:,} parameters and activations; the limit is {limit:,}",
                    "quantize what it reads and what it gives to fewer bits, or give it fewer lanes with --folding",
                )
            )
    if problems:
        raise CompileError(problems)
