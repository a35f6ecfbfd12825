"""A design whose inner streams can be seen from outside."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx

from dfcompile.dataflow.connect import converter
from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.units.base import Stream, Unit, unit_of
from dfcompile.units.fork import Fork


def tapped(design: Design) -> tuple[Design, tuple[str, ...]]:
    """The design with a fork behind every unit whose output another unit reads, and the streams that its outputs carry, in their order:
    its own, and then these. A fork holds a beat more and takes none away, so that what could not block before cannot now. Units that
    are `ahead` have none.
    """
    graph, streams, early = design.graph, design.streams(), ahead(design.graph)
    inner = [t for t, n in graph.producers().items() if t not in graph.outputs and n.name not in early]
    nodes: list[Node] = []
    taps: list[str] = []
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        nodes.append(replace(node, inputs=tuple(_on(t) if t in inner else t for t in node.inputs)))
        for t in (t for t in node.outputs if t in inner):
            added = _fork(t, streams[t], f"tap_{len(taps)}")
            nodes += added
            tensors |= {out: Tensor(s.shape, s.dtype) for n in added for out, s in zip(n.outputs, unit_of(n).outputs, strict=True)}
            taps.append(added[-1].outputs[-1])
    made = graph.replace(nodes=tuple(nodes), tensors=tensors, outputs=(*graph.outputs, *taps))
    return Design(made, design.fifo_depths), (*graph.outputs, *inner)


def ahead(graph: Graph) -> set[str]:
    """Units that read nothing but the states of loops: of a frame they give the first pixel before it comes."""
    ways = graph.topology()
    firsts = {n.name for t in graph.inputs for n in graph.consumers()[t]}
    return set(ways) - firsts.union(*(nx.descendants(ways, name) for name in firsts))


def _on(tensor: str) -> str:
    return f"{tensor}/on"


def _fork(tensor: str, stream: Stream, name: str) -> list[Node]:
    """A fork of a stream, and what takes the padding out of the end that leaves the design."""
    fork = Fork(stream.shape, stream.dtype, stream.lanes, run=stream.run, taps=stream.taps)
    found = [Node(name, fork, (tensor,), (_on(tensor), f"{tensor}/tap"))]
    if stream.layout != stream.unpadded.layout:
        unit: Unit = converter(stream.shape, stream.dtype, stream.layout, stream.unpadded.layout)
        found.append(Node(f"{name}_out", unit, (f"{tensor}/tap",), (f"{tensor}/out",)))
    return found
