"""The host's side of a design: real numbers to codes before it, codes to real numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.streamline.value import InputPort, OutputPort, Shape3


@dataclass(frozen=True, eq=False)
class HostSide:
    """Ports of a design and the model graph behind it.

    input_shapes: graph input -> shape without batch, in the model's order
    streams: stream -> (shape, type)
    """

    input_shapes: Mapping[str, tuple[int, ...]]
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    tail: Graph
    streams: Mapping[str, tuple[Shape3, IntType]]

    def encode(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Real inputs (n, *shape) by graph input to codes (n, h, w, c) by stream, float32 where that is exact."""
        return {p.stream: self._encode_port(p, feeds[p.input]) for p in self.inputs}

    def _encode_port(self, port: InputPort, x: Array) -> Array:
        shape, dtype = self.streams[port.stream]
        real = np.asarray(x, np.float64)
        codes = _to_declared(port, dtype, real) if port.head is None else next(iter(port.head.execute({port.input: real}).values()))
        flat = np.full((len(real), int(np.prod(shape))), max(dtype.lo, min(dtype.hi, 0)), np.float32 if dtype.bits <= 24 else np.float64)
        flat[:, port.index.ravel()] = codes.reshape(len(real), -1)
        return flat.reshape(-1, *shape)

    def decode(self, codes: Mapping[str, Array]) -> dict[str, Array]:
        """Codes (n, h, w, c) by output stream to the model's outputs (float64), batch axis first."""
        reals = {p.tensor: decode_port(p, codes[p.stream].reshape(-1, *self.streams[p.stream][0])) for p in self.outputs}
        return self.tail.execute(reals)


def decode_port(port: OutputPort, codes: Array) -> Array:
    """Real numbers (n, *shape) of one output stream."""
    channels = codes.shape[-1]
    flat = codes.reshape(len(codes), -1)[:, port.index.ravel()].astype(np.float64)
    where = port.index.ravel() % channels
    scale, offset = (a[where] if a.size > 1 else a.reshape(()) for a in (np.asarray(port.scale), np.asarray(port.offset)))
    return np.asarray((flat * scale + offset).reshape(-1, *port.index.shape))


def _to_declared(port: InputPort, dtype: IntType, real: Array) -> Array:
    codes: Array = np.asarray(np.rint((real - port.offset) / port.scale))
    wrong: Array = (codes < dtype.lo) | (codes > dtype.hi) | (np.abs(codes * port.scale + port.offset - real) > 1e-3 * port.scale)
    if dtype.bipolar:
        wrong |= codes == 0
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise CompileError(
            Problem(
                "wrong-input",
                f"an input value is not a code of the declared type {dtype}",
                f"input {port.input}, element {at}",
                f"{float(real[at]):g} is not {port.scale:g} * code + {port.offset:g} with a code in [{dtype.lo}, {dtype.hi}]",
                "give values on that grid, or build with another --input-type",
            )
        )
    return codes
