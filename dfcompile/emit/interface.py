"""The outside of a design as the emitters see it: one record per port and per stream."""

from __future__ import annotations

from dataclasses import dataclass

from dfcompile.dataflow.design import Design
from dfcompile.device.feed import port_bytes
from dfcompile.emit.name import Names, port_names
from dfcompile.units.base import Stream


@dataclass(frozen=True)
class StreamView:
    """A stream inside a design: the name at its producer and at its reader differ when a FIFO is between; style is its memory's."""

    tensor: str
    stream: Stream
    source: str
    sink: str
    depth: int
    style: int

    @property
    def width(self) -> int:
        return self.stream.width

    @property
    def text(self) -> str:
        h, w, c = self.stream.shape
        return f"{self.stream.dtype}[{h}x{w}x{c}], {self.stream.lanes} a beat, {self.stream.beats} beats a frame"


@dataclass(frozen=True)
class PortView:
    """A port of a design."""

    tensor: str
    stream: Stream
    port: str
    axis: str
    source: str
    sink: str

    @property
    def width(self) -> int:
        return self.stream.width

    @property
    def bytes(self) -> int:
        """Bytes of a beat on the AXI4-Stream side: a power of two, as DMAs want it."""
        return port_bytes(self.stream.width)

    @property
    def padding(self) -> int:
        """Bits of a beat above the stream's own, zero on outputs."""
        return 8 * self.bytes - self.stream.width

    @property
    def beats(self) -> int:
        return self.stream.beats

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame on the AXI4-Stream side."""
        return self.beats * self.bytes


@dataclass(frozen=True)
class Interface:
    """Names, streams and ports of a design, derived once."""

    names: Names
    streams: dict[str, StreamView]
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]

    @staticmethod
    def of(design: Design) -> Interface:
        design.check()
        names = Names.of(design)
        streams: dict[str, StreamView] = {}
        fifos = design.fifos()
        for tensor, stream in design.streams().items():
            depth = design.fifo_depths.get(tensor, 0)
            name = names.streams[tensor]
            style = fifos[tensor].parameters()["Style"] if depth else 0
            streams[tensor] = StreamView(tensor, stream, name, names.fifos.get(tensor, name), depth, style)

        def ports(tensors: tuple[str, ...], stem: str, axis: str) -> tuple[PortView, ...]:
            plain, axes = port_names(stem, len(tensors)), port_names(axis, len(tensors))
            views = [streams[t] for t in tensors]
            return tuple(PortView(v.tensor, v.stream, p, a, v.source, v.sink) for v, p, a in zip(views, plain, axes, strict=True))

        graph = design.graph
        return Interface(names, streams, ports(graph.inputs, "in", "s_axis"), ports(graph.outputs, "out", "m_axis"))
