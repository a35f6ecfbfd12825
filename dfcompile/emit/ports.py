"""The ports of a build as its report lists them, from the records that the emitters write them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dfcompile.emit.interface import Interface, PortView
from dfcompile.ir.types import IntType
from dfcompile.loopback.config import BYTE, EngineConfig
from dfcompile.loopback.program import Port, Program
from dfcompile.streamline.layout import Shape3
from dfcompile.units.base import Stream

Row = dict[str, Any]


def stream_ports(interface: Interface, fixed: Collection[str] = ()) -> list[Row]:
    """A row for each AXI4-Stream port of a dataflow design.

    fixed: tensors of inputs that take the same in each frame, as weights from memory; their rows say so
    bits: of a beat, and padding above them up to bytes; element_bits: of one of the `lanes` elements; beats: of a frame
    """
    sides = (("in", interface.inputs), ("out", interface.outputs))
    rows = [_stream_row(p, direction) for direction, ports in sides for p in ports]
    return [row | {"fixed": True} if row["tensor"] in fixed else row for row in rows]


def _stream_row(port: PortView, direction: str) -> Row:
    s = port.stream
    return {
        "name": port.axis, "direction": direction, "tensor": port.tensor, "shape": list(s.shape), "dtype": str(s.dtype),
        "lanes": s.lanes, "element_bits": s.dtype.bits, "bits": port.width, "padding": port.padding, "bytes": port.bytes,
        "beats": port.beats, "layout": _stream_layout(s),
    }  # fmt: skip


def _stream_layout(s: Stream) -> str:
    """Which element lies where in which beat."""
    bits = s.dtype.bits
    lanes = f"lane k in bits {bits}k to {bits}k+{bits - 1}" if bits > 1 else "lane k in bit k"
    order = "row, column, channel"
    if s.run:
        order += f"; lanes start again after every {s.run} elements"
        if s.taps > 1:
            order += f", each group of {s.lanes} channels for {s.taps} taps before the next"
        order += ", and what is left over in a beat is padding"
    return f"{order}; {lanes}, byte 0 lowest"


def memory_ports(program: Program, streams: Mapping[str, tuple[Shape3, IntType]]) -> list[Row]:
    """A row for each input and output of a loopback build, which lie in external memory: a beat is a word of the engine there.

    streams: shape and type of each. Keys as in `stream_ports`, and `address`, a byte's, of the first frame
    """
    sides = (("in", program.inputs), ("out", program.outputs))
    return [_memory_row(p, direction, *streams[p.name], program.config) for direction, ports in sides for p in ports]


def _memory_row(port: Port, direction: str, shape: Shape3, dtype: IntType, config: EngineConfig) -> Row:
    return {
        "name": port.name, "direction": direction, "tensor": port.name, "shape": list(shape), "dtype": str(dtype),
        "lanes": config.simd, "element_bits": config.act_bits, "bits": config.act_bits * config.simd, "padding": 0,
        "bytes": config.word_bytes, "beats": port.image_bytes // config.word_bytes, "layout": _memory_layout(port), "address": port.address,
    }  # fmt: skip


def _memory_layout(port: Port) -> str:
    s = port.storage
    digit = "byte" if s.bits == BYTE else f"digit of {s.bits} bits"
    order = f"row, column, channel; a signed {digit} a lane, lowest first"
    stored = f" of the code less {s.shift}" if s.shift else ""
    planes = f"; {s.planes} planes, {digit} k{stored} in plane k, planes in steps of {s.plane} words" if s.planes > 1 else f"{stored}"
    size = f"{port.columns.rows} x {port.columns.kernel} pixels" if port.columns and port.columns.rows > 1 else ""
    columns = f"; the {size or f'{port.columns.kernel} columns'} of a window side by side" if port.columns else ""
    return f"{order}{planes}; words of a pixel from word {s.start} on, rows in steps of {s.row} and pixels in steps of {s.col}{columns}"
