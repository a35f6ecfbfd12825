"""What the encoder knows of a tensor of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.streamline.apart import Row
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.layout import default_layout
from dfcompile.streamline.step import Chain


@dataclass(frozen=True, eq=False)
class Const:
    """A constant: its real numbers, or where it is quantized its integers: real = scale * codes.

    given: real numbers, None where there are codes
    codes: integers, in a narrow dtype; scale: float64, broadcastable to them (products of exported float32 scales are exact)
    """

    given: Array | None
    codes: Array | None = None
    scale: Array | None = None

    @property
    def real(self) -> Array:
        """The real numbers; of a quantized constant they are made each time, as they take far more room than its codes."""
        if self.given is not None:
            return self.given
        assert self.codes is not None and self.scale is not None, "either numbers are given, or codes and their scale"
        return np.asarray(self.codes * self.scale)

    @property
    def shape(self) -> tuple[int, ...]:
        found = self.given if self.codes is None else self.codes
        assert found is not None, "either numbers are given, or codes"
        return found.shape


@dataclass(frozen=True, eq=False)
class Raw:
    """Real numbers that the host makes from a graph input before the accelerator; `lo, hi` once they are integers."""

    input: str
    lo: int | None = None
    hi: int | None = None
    bipolar: bool = False


@dataclass(frozen=True, eq=False)
class Host:
    """Computed on the host, behind the accelerator."""


@dataclass(frozen=True, eq=False)
class Addend:
    """A further stream of a sum, of the same shape and order as the first, and what its codes mean."""

    stream: str
    grid: Grid


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that lives on a stream: real = chain(base(codes)), re-indexed.

    With addends it is chain(base(codes) + sum of addend.grid(codes of addend.stream)): a sum not made yet.

    stream: tensor of the integer graph, shape (h, w, c)
    index:  int32 array of the tensor's shape without batch: position of each element in the flattened stream
    base:   affine of the stream's codes
    chain:  elementwise operators still to be applied, parameters per stream channel
    grid:   affine of the results where they are known to be integers, else None
    anchor: name of the last tensor of the model on the way here that has a grid, and the nodes since
    """

    stream: str
    index: Array
    base: Grid
    chain: Chain = ()
    grid: Grid | None = None
    anchor: str = ""
    addends: tuple[Addend, ...] = ()

    @property
    def known_grid(self) -> Grid:
        """The grid; TypeError where the results are not known to be integers."""
        if self.grid is None:
            raise TypeError(f"what stream {self.stream} carries is not known to be integers")
        return self.grid

    @property
    def is_codes(self) -> bool:
        """Whether the stream's codes already are the integers of the grid."""
        return self.grid is not None and self.grid.pure


@dataclass(frozen=True, eq=False)
class Masked:
    """A tensor for a Softmax, some elements of which count nothing there.

    hidden:  which ones, of the tensor's shape without batch; pending: those that a product made 0 and a sum is to hide
    """

    value: Value
    hidden: Array
    pending: Array | None = None

    def broadcast(self, shape: tuple[int, ...]) -> Masked:
        """The same of a larger shape."""
        index = np.ascontiguousarray(np.broadcast_to(self.value.index, shape))
        return replace(self, value=replace(self.value, index=index), hidden=np.broadcast_to(self.hidden, shape))


@dataclass(frozen=True, eq=False)
class Shares:
    """What a Softmax makes: gain * exp(x_i) / sum(exp(x_j)) over rows of a stream (1, rows, n), x = scale * code.

    span: least and largest code; masked: (rows, n), which elements count nothing, or None; node: the Softmax
    """

    stream: str
    index: Array
    scale: Fraction
    span: tuple[int, int]
    masked: Array | None
    gain: Fraction
    node: Node


@dataclass(frozen=True, eq=False)
class Standardized:
    """What a norm makes, and operators behind it that are still to be applied: chain(root of `square` * sign * d / sqrt(V + epsilon)).

    rows:   stream (1, rows, n) of the norm's rows; row: what is known of d and V; node: the norm
    values: the tensor, with the chain, as if it lay on `rows` (False), or on the stream that the norm reads, where that is another (True)
    order:  for each element of the stream that the norm reads its place in `rows`
    """

    values: tuple[tuple[Value, bool], ...]
    rows: str
    order: Array
    row: Row
    square: Fraction
    sign: int
    node: Node


Known = Const | Raw | Host | Value | Masked | Shares | Standardized


@dataclass(frozen=True, eq=False)
class InputPort:
    """One input stream: how the host makes its codes.

    stream: tensor of the integer graph; input: name of the graph input
    head:   model graph from the input to the codes (as real numbers); None when the codes are (x - offset) / scale
    index:  position of each element of the (head's) result, batch left out, in the flattened stream
    """

    stream: str
    input: str
    index: Array
    head: Graph | None = None
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, eq=False)
class OutputPort:
    """One output stream: real[j] = scale * codes[index[j]] + offset, a tensor of the model.

    scale, offset: float64, () or (c,) by stream channel
    """

    stream: str
    tensor: str
    index: Array
    scale: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Meaning:
    """What the codes of a stream inside of a design stand for: real[j] = scale * codes[index[j]] + offset, a tensor of the ONNX model.

    shape: of the tensor, without batch; index: None where it is that of `default_layout`
    scale, offset: float64, () or (c,) by stream channel
    """

    stream: str
    tensor: str
    shape: tuple[int, ...]
    scale: Array
    offset: Array
    index: Array | None = None

    @property
    def places(self) -> Array:
        """Position of each element of the tensor in the flattened stream."""
        return default_layout(self.shape)[1] if self.index is None else self.index


def describe(node: Node) -> str:
    """How an error names a node: its name and its ONNX origin."""
    origin = ", ".join(s for s in node.source if s != node.name)
    return f"node {node.name}" + (f" (ONNX: {origin})" if origin else "")
