"""Whether the parts of a loaded build hold together: what the types alone do not say. Every failure is a ValueError with the place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.ir.blocks import largest
from dfcompile.ir.graph import Array, Graph, Tensor
from dfcompile.ir.intop import INTEGER_OPS, IntDelay, IntOp
from dfcompile.ir.modelop_base import MAX_ELEMENTS, ModelOp
from dfcompile.ir.types import IntType
from dfcompile.mode.schema import SchemaError
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.layout import Shape3
from dfcompile.streamline.value import InputPort, Meaning, OutputPort
from dfcompile.units.base import Stream, Unit

Typed = tuple[Shape3, IntType]
WIDEST_SUM, WIDEST_REAL = 2**62, 2**53
"""Of ranges, as integers and as float64."""
DEEPEST_FIFO = 2**24


def check_design(design: Design) -> None:
    """A dataflow design: its units are joined as they say, its FIFOs and pairs are of its own streams and units."""
    graph = design.graph
    _check_graph(graph, (Unit,), "design.graph")
    if set(graph.constants) - set(graph.inputs) or not graph.nodes:
        raise SchemaError("design.graph: constants that are no inputs, or no units")
    design.check()
    streams, ends = design.streams(), (*graph.inputs, *graph.outputs)
    for name, values in graph.fixed.items():
        _check_fixed(values, streams[name], f"design.graph.constants[{name!r}]")
    odd = [t for t in (*ends, *design.fifo_depths, *design.hls_depths) if t not in streams]
    if odd or not graph.inputs or not graph.outputs or len(set(ends)) < len(ends):
        raise SchemaError(f"design: no such streams: {', '.join(odd) or 'a port is missing, or stands twice'}")
    for name, stream in streams.items():
        if not 0 < stream.elements <= MAX_ELEMENTS:
            raise SchemaError(f"design: stream {name} has {stream.elements} elements")
    wrong = [t for t, depth in design.fifo_depths.items() if not 0 <= depth <= DEEPEST_FIFO]
    if wrong:
        raise SchemaError(f"design.fifo_depths: {', '.join(wrong)} not from 0 to {DEEPEST_FIFO}")
    wrong = [t for t in streams if design.hls_depths and not 0 < design.hls_depths.get(t, 0) <= DEEPEST_FIFO]
    if wrong:
        raise SchemaError(f"design.hls_depths: {', '.join(wrong)} not from 1 to {DEEPEST_FIFO}")
    _check_pairs(design)


def _check_fixed(values: Array, stream: Stream, where: str) -> None:
    """What comes at an input in each frame: codes of its stream."""
    if values.shape != stream.shape or values.dtype.kind not in "iu" or not values.size:
        raise SchemaError(f"{where}: it is no frame of whole numbers of shape {stream.shape}")
    dtype = stream.dtype
    if values.min() < dtype.lo or values.max() > dtype.hi or (dtype.bipolar and not values.all()):
        raise SchemaError(f"{where}: it holds numbers that are no codes of {dtype}")


def _check_pairs(design: Design) -> None:
    """Units that share a memory: each has one to share, and is in one pair."""
    units: dict[str, Unit] = {n.name: design.unit(n.name) for n in design.nodes}
    found = [u for pair in design.shared for u in pair]
    if any(u not in units or not units[u].ported for u in found) or len(set(found)) < len(found):
        raise SchemaError("design.shared: no such pairs of units with weights to share")


def check_integers(graph: Graph) -> None:
    """An integer graph: every operator takes what it is given and gives what is written down."""
    _check_graph(graph, (*INTEGER_OPS, IntDelay), "graph")
    for t in (*graph.inputs, *graph.outputs):
        known = graph.tensors[t]
        if known.lo is None or known.hi is None:
            raise SchemaError(f"graph: nothing is known of the range of {t}")
    if any(graph.tensors[t].dtype is None for t in graph.inputs) or not graph.inputs or not graph.outputs:
        raise SchemaError("graph: an input has no type, or a port is missing")
    for node, op in ((n, n.op) for n in graph.nodes if isinstance(n.op, IntOp)):  # there are no others
        where, out = f"graph, node {node.name}", graph.tensors[node.outputs[0]]
        streams = [graph.tensors[t] for t in node.inputs if t not in graph.constants]
        constants = [graph.constants[t] for t in node.inputs if t in graph.constants]
        if any(len(t.shape) != 3 or t.lo is None for t in (*streams, out)):
            raise SchemaError(f"{where}: a stream without its range or of no shape (h, w, c)")
        takes = len(streams) in op.streams and len(constants) == op.constants
        if not takes or node.inputs[len(streams) :] != tuple(t for t in node.inputs if t in graph.constants):
            raise SchemaError(f"{where}: {len(streams)} streams and {len(constants)} constants are not what {op.kind} takes")
        placed = (len({t.shape[:2] for t in streams}) == 1 or not op.side_by_side) and _are_integers(constants)
        if not placed or not op.fits(streams, constants):
            raise SchemaError(f"{where}: what {op.kind} is given does not fit together")
        if tuple(op.infer(*(graph.tensors[t] for t in node.inputs))[0].shape) != out.shape:
            raise SchemaError(f"{where}: its result is not of the shape {out.shape}")


def check_host(host: HostSide, inputs: Mapping[str, Stream | Typed], outputs: Sequence[Stream | Typed]) -> None:
    """The host's side of a design whose ports have these types."""
    streams = host.streams
    if set(p.stream for p in host.inputs) != set(inputs) or len(host.inputs) != len(inputs) or not host.outputs:
        raise SchemaError(f"host: its input streams are not {', '.join(inputs)}")
    ends = dict.fromkeys(p.stream for p in host.outputs)
    if len(ends) != len(outputs):
        raise SchemaError(f"host: {len(ends)} output streams, the design has {len(outputs)}")
    for name, given in (*inputs.items(), *zip(ends, outputs, strict=True)):
        known = (given.shape, given.dtype) if isinstance(given, Stream) else given
        if name not in streams or math.prod(streams[name][0]) != math.prod(known[0]) or streams[name][1] != known[1]:
            raise SchemaError(f"host.streams: {name} is not the design's {known[1]} of shape {known[0]}")
    for name, shape in host.input_shapes.items():
        _check_shape(shape, f"host.input_shapes[{name!r}]")
    if {p.input for p in host.inputs} != set(host.input_shapes):
        raise SchemaError("host: its ports read other inputs than it has")
    for i, port in enumerate(host.inputs):
        _check_input(port, host.input_shapes[port.input], streams[port.stream][0], f"host.inputs[{i}]")
    for i, out in enumerate(host.outputs):
        _check_output(out, streams[out.stream][0], host.tail, f"host.outputs[{i}]")
    _check_model(host.tail, "host.tail")
    if not set(host.tail.inputs) <= {p.tensor for p in host.outputs} or not host.tail.outputs:
        raise SchemaError("host.tail: its inputs are not what the design gives")


def check_meanings(meanings: Iterable[Meaning], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """What streams stand for: they are those of the design, and every element has its place. shapes: of the streams."""
    for i, m in enumerate(meanings):
        where = f"meanings[{i}]"
        _check_shape(m.shape, where)
        if m.stream not in shapes:
            raise SchemaError(f"{where}: there is no stream {m.stream}")
        h, w, c = shapes[m.stream]
        if any(np.asarray(a).size not in (1, c) for a in (m.scale, m.offset)):
            raise SchemaError(f"{where}: its scale and offset are not one, nor one a channel")
        if m.index is not None:
            _check_index(m.index, (h, w, c), where)
        if m.index.shape != m.shape if m.index is not None else math.prod(m.shape) != h * w * c:
            raise SchemaError(f"{where}: {m.tensor} of shape {m.shape} is not on a stream of shape {(h, w, c)}")


def _check_input(port: InputPort, given: tuple[int, ...], stream: Shape3, where: str) -> None:
    shape = (1, *given)
    if port.head is not None:
        _check_model(port.head, f"{where}.head")
        if port.head.inputs != (port.input,) or len(port.head.outputs) != 1 or port.head.tensors[port.input].shape != shape:
            raise SchemaError(f"{where}.head: it is no function of {port.input} of shape {shape}")
        shape = port.head.tensors[port.head.outputs[0]].shape
    _check_index(port.index, stream, where)
    if port.index.size != math.prod(shape) or not 0 < port.scale < math.inf or not abs(port.offset) < math.inf:
        raise SchemaError(f"{where}: {port.index.size} places for {math.prod(shape)} numbers, or no such scale or offset")


def _check_output(port: OutputPort, stream: Shape3, tail: Graph, where: str) -> None:
    _check_index(port.index, stream, where)
    if any(np.asarray(a).size not in (1, stream[2]) for a in (port.scale, port.offset)):
        raise SchemaError(f"{where}: its scale and offset are not one, nor one a channel")
    known = tail.tensors.get(port.tensor)
    if port.tensor in tail.inputs and (known is None or known.shape != (1, *port.index.shape)):
        raise SchemaError(f"{where}: {port.tensor} has not the shape {(1, *port.index.shape)}")


def _check_index(index: Array, stream: Shape3, where: str) -> None:
    if index.dtype.kind not in "iu" or not index.size or index.min() < 0 or index.max() >= math.prod(stream):
        raise SchemaError(f"{where}.index: places outside of the stream of shape {stream}")


def _check_model(graph: Graph, where: str) -> None:
    """A graph on real numbers: every operator takes what it is given."""
    _check_graph(graph, (ModelOp,), where)
    for node in graph.nodes:
        try:
            made = node.op.infer(*(graph.tensors[t] for t in node.inputs))
        except (TypeError, IndexError) as e:  # an operator of another number of operands
            raise SchemaError(f"{where}, node {node.name}: its operands are not those of {node.op.kind}") from e
        if [t.shape for t in made] != [graph.tensors[t].shape for t in node.outputs]:
            raise SchemaError(f"{where}, node {node.name}: its results are not of the shapes that are written down")


def _check_graph(graph: Graph, allowed: tuple[type, ...], where: str) -> None:
    """Names, order and tensors of a graph."""
    graph.verify(allowed)
    used = {*graph.inputs, *graph.outputs, *graph.constants, *(t for n in graph.nodes for t in (*n.inputs, *n.outputs))}
    missing = sorted(used - set(graph.tensors))
    if missing or len(set(graph.inputs)) < len(graph.inputs):
        raise SchemaError(f"{where}: nothing is known of {', '.join(missing) or 'an input that stands twice'}")
    for name, tensor in graph.tensors.items():
        _check_tensor(tensor, f"{where}.tensors[{name!r}]")
    for name, value in graph.constants.items():
        if value.shape != graph.tensors[name].shape:
            raise SchemaError(f"{where}.constants[{name!r}]: shape {value.shape}, {graph.tensors[name].shape} is written down")


def _check_tensor(tensor: Tensor, where: str) -> None:
    _check_shape(tensor.shape, where)
    lo, hi = tensor.lo, tensor.hi
    if lo is None and hi is None:
        return
    if lo is None or hi is None or lo.shape != hi.shape or lo.shape not in ((), tensor.shape[-1:]):
        raise SchemaError(f"{where}: its range is not one, nor one a channel")
    if (
        not _are_integers((lo, hi))
        or np.any(lo > hi)
        or any(largest(v) > (WIDEST_REAL if v.dtype.kind == "f" else WIDEST_SUM) for v in (lo, hi))
    ):
        raise SchemaError(f"{where}: its range is none of integers of 63 bits")
    if tensor.dtype is not None and (lo.min() < tensor.dtype.lo or hi.max() > tensor.dtype.hi):
        raise SchemaError(f"{where}: {tensor.dtype} does not hold its range [{lo.min()}, {hi.max()}]")


def _are_integers(values: Iterable[Array]) -> bool:
    return all(np.array_equal(v, np.rint(v)) for v in values)


def _check_shape(shape: tuple[int, ...], where: str) -> None:
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_ELEMENTS:
        raise SchemaError(f"{where}: no shape of a tensor: {shape}")
