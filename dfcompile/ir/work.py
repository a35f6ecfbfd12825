"""How much an integer graph computes."""

from __future__ import annotations

import numpy as np

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConv

DEFAULT_LANES = 256
"""Multiply-accumulate lanes that a build without any wish for speed spends at most, roughly."""


def macs(graph: Graph) -> int:
    """Multiplications by constants in a frame."""
    convs = [n for n in graph.nodes if isinstance(n.op, IntConv)]
    return sum(int(graph.constants[n.inputs[1]].size) * int(np.prod(graph.tensors[n.outputs[0]].shape[:2])) for n in convs)
