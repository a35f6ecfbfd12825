"""States of loops: what goes from one step of a body to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from dfcompile.ir.graph import Graph
from dfcompile.ir.types import IntType


class NotRolledError(Exception):
    """Why the body of a loop is not taken once for all its steps. node: the ONNX node, where it is known"""

    node = ""


@dataclass(frozen=True)
class State:
    """A state of a loop of `count` steps in the model graph, which has the body once.

    node: the ONNX node that is the loop
    input, output: tensors that carry the state into a step and out of it: an input and an output of the graph
    dtype, scale, offset: what its codes are and mean; first: the number that all its elements are before the first step
    """

    node: str
    count: int
    input: str
    output: str
    dtype: IntType
    scale: float
    offset: float
    first: float


@dataclass(frozen=True)
class Loop:
    """A state in an integer or unit graph whose steps lie along the pixels: a step for each.

    input, output: streams that carry it into a step and out of it; first: code of all its elements before the first step
    keep: whether it goes on from frame to frame
    """

    input: str
    output: str
    first: int
    keep: bool = False


def members(graph: Graph, loops: Iterable[Loop]) -> list[str]:
    """Nodes of an integer or unit graph that stand in a loop once its states' ends are joined, in the order of the graph."""
    made, readers = graph.producers(), graph.consumers()
    waits: nx.DiGraph[str] = nx.DiGraph((made[t].name, n.name) for n in graph.nodes for t in n.inputs if t in made)
    waits.add_edges_from((made[x.output].name, n.name) for x in loops if x.output in made for n in readers[x.input])
    inside = {n for part in nx.strongly_connected_components(waits) if len(part) > 1 for n in part} | set(nx.nodes_with_selfloops(waits))
    return [n.name for n in graph.nodes if n.name in inside]
