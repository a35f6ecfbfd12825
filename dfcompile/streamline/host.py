"""The host's side of a design: real numbers to codes before it, codes to real numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir import operators
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.streamline.layout import Shape3
from dfcompile.streamline.value import InputPort, OutputPort


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

    def checked(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """Real inputs by graph input, from one array or a dict. CompileError for every one that is missing, of a wrong shape or type."""
        shapes = self.input_shapes
        feeds = {k: np.asarray(v) for k, v in x.items()} if isinstance(x, Mapping) else {next(iter(shapes)): np.asarray(x)}
        problems = [_check_input(name, shape, feeds.get(name)) for name, shape in shapes.items()]
        problems += [
            Problem("wrong-input", f"the model has no input '{k}'", help=f"inputs: {', '.join(shapes)}") for k in feeds if k not in shapes
        ]
        counts = {len(v) for v in feeds.values() if v.ndim}
        if len(counts) > 1 and not any(problems):
            text = ", ".join(f"{k} {len(v)}" for k, v in feeds.items())
            problems.append(Problem("wrong-input", "the inputs hold different numbers of frames", why=text))
        found = [p for p in problems if p]
        if found:
            raise CompileError(found)
        return feeds

    def encode(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Real inputs (n, *shape) by graph input to codes (n, h, w, c) by stream, float32 where that is exact."""
        return {p.stream: self._encode_port(p, feeds[p.input]) for p in self.inputs}

    def _encode_port(self, port: InputPort, x: Array) -> Array:
        shape, dtype = self.streams[port.stream]
        real = np.asarray(x, np.float64)
        codes = _to_declared(port, dtype, real) if port.head is None else next(iter(port.head.execute({port.input: real}).values()))
        narrow = np.float32 if dtype.bits <= 24 else np.float64
        return operators.to_frames(codes, port.index, shape, max(dtype.lo, min(dtype.hi, 0)), narrow)

    def decode(self, codes: Mapping[str, Array]) -> dict[str, Array]:
        """Codes (n, h, w, c) by output stream to the model's outputs (float64), batch axis first."""
        reals = {p.tensor: decode_port(p, codes[p.stream].reshape(-1, *self.streams[p.stream][0])) for p in self.outputs}
        return self.tail.execute(reals)


def decode_port(port: OutputPort, codes: Array) -> Array:
    """Real numbers (n, *shape) of one output stream."""
    return operators.to_reals(codes, port.index, np.asarray(port.scale), np.asarray(port.offset))


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


def _check_input(name: str, shape: tuple[int, ...], x: Array | None) -> Problem | None:
    wanted = "x".join(("N", *map(str, shape)))
    if x is None:
        return Problem("wrong-input", f"input '{name}' is missing", help=f"give an array of shape {wanted}")
    given = "x".join(map(str, x.shape))
    if x.ndim != len(shape) + 1 or x.shape[1:] != shape:
        return Problem(
            "wrong-input",
            f"input '{name}' has the wrong shape",
            f"input {name}",
            f"given {given}, the model takes {wanted}",
            "the first axis counts the frames",
        )
    if x.dtype.kind not in "fiub":
        return Problem("wrong-input", f"input '{name}' is not numeric", f"input {name}", f"its dtype is {x.dtype}", "give float32 numbers")
    if not len(x):
        return Problem(
            "wrong-input", f"input '{name}' holds no frame", f"input {name}", help=f"give an array of shape {wanted}, N at least 1"
        )
    if not np.isfinite(x).all():
        return Problem("wrong-input", f"input '{name}' holds NaN or infinity", f"input {name}", help="give finite numbers")
    return None


def checked_codes(streams: Mapping[str, tuple[Shape3, IntType]], codes: Mapping[str, Array]) -> dict[str, Array]:
    """Codes (n, h, w, c) by input stream. CompileError for streams that are missing, of a wrong shape, or codes that are none."""
    problems = [_check_codes(name, *known, codes.get(name)) for name, known in streams.items()]
    problems += [
        Problem("wrong-input", f"there is no input stream '{k}'", help=f"streams: {', '.join(streams)}") for k in codes if k not in streams
    ]
    found = [p for p in problems if p]
    if found:
        raise CompileError(found)
    return {k: np.asarray(v).reshape(len(v), *streams[k][0]) for k, v in codes.items()}


def _check_codes(name: str, shape: Shape3, dtype: IntType, codes: Array | None) -> Problem | None:
    wanted = "x".join(("N", *map(str, shape)))
    if codes is None:
        return Problem("wrong-input", f"input stream '{name}' is missing", help=f"give codes of shape {wanted}")
    x = np.asarray(codes)
    if not x.ndim or not len(x) or x[0].size != int(np.prod(shape)) or x.dtype.kind not in "fiub":
        why = f"given {'x'.join(map(str, x.shape))} of {x.dtype}, it takes {wanted} integers"
        return Problem("wrong-input", f"input stream '{name}' has the wrong shape or type", why=why)
    if not (np.min(x) >= dtype.lo and np.max(x) <= dtype.hi) or np.any(np.rint(x) != x) or (dtype.bipolar and np.any(x == 0)):
        why = f"they lie from {np.min(x):g} to {np.max(x):g}"
        return Problem("wrong-input", f"input stream '{name}' holds numbers that are no codes of {dtype}", why=why)
    return None
