"""Norms: floor(d * root / 2**drop) of each channel, d and the root of the row's squares as in `IntStandardize`.

d is a matrix product, V the sum of code * d over the row, the root a result of its own kind (`Compute.root`), and its products with d are
those of two streams, of two bytes of each at a time. To divide by a power of two is left to thresholds, or to bytes that are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Array, Node, Tensor
from dfcompile.ir.intop import IntStandardize, ThresholdCode, Window
from dfcompile.loopback.descriptor import AccOp
from dfcompile.loopback.layer import Kernel, Layer, Operand, identity
from dfcompile.loopback.placing import Placing
from dfcompile.loopback.root import inverse_root
from dfcompile.loopback.step_function import threshold_parts
from dfcompile.loopback.storage import Storage, shift_of, slots_of
from dfcompile.loopback.tile import NEVER

TWO = 2  # bytes of a factor: 18 bits hold them with or without a sign
Part = tuple[str, int]
"""A tensor, and the power of 256 that it counts."""


class Norm:
    """Layers of one norm; those before the last are added at once. x: a tensor of whole words in a buffer of its own."""

    def __init__(self, placing: Placing, node: Node, op: IntStandardize, x: str, add: Callable[[Layer], None]) -> None:
        self.placing, self.node, self.op, self.add = placing, node, op, add
        self.storage = placing.result.storage
        self.h, self.w, self.c = placing.tensor(x).shape
        self.x, self.moments = x, op.moments(placing.tensor(x))
        self.root = inverse_root(op, placing.tensor(x))
        self._check()
        self.d = self._distances()
        self.parts, self.dropped = self._rounded(self._products())

    def _check(self) -> None:
        """ValueError where the engine has no room for a number."""
        r, config = self.root, self.placing.config
        top = 1 << (config.acc_bits - 1)
        if config.root_bits < r.width:
            raise ValueError(f"its roots take an engine of root_bits={r.width}, this one has {config.root_bits}")
        if max(r.most, self._reach, 1 << r.bits) >= top:
            raise ValueError(f"its sums of squares, roots or products are wider than {config.acc_bits} bits")

    @property
    def _reach(self) -> int:
        """No product of d and its row's root is larger."""
        return (self.op.limit(self.c) + 2) << self.op.drop

    def fused(self, op: ThresholdCode, thresholds: Array, flip: Array, dst: str, reader: str) -> Layer | None:
        """The norm with the thresholds that alone read it; None where it has to be stored for them."""
        whole = [[max(-NEVER, min(NEVER, int(t) << self.drop)) for t in row] for row in thresholds.tolist()]
        parts = threshold_parts(np.array(whole, np.int64), np.asarray(flip, bool), op.lowest, op.step, self.placing.config.tree_levels)
        above = sum(self.storage[t].shift << 8 * power for t, power in self.parts)
        fits = (self._reach >> 8 * self.dropped) + above < 1 << (self.placing.config.acc_bits - 1)
        return self._sum(1).with_steps(parts[0], dst, reader) if fits and len(parts) == 1 else None

    def stored(self) -> Layer:
        """The layer whose bytes, without the lowest ones, are the output."""
        more = -self.drop % 8
        dropped = (self.drop + more) // 8
        name, out = f"{self.node.name}.whole", self.node.outputs[0]
        self._wide(name, self.c, max((self._reach >> 8 * self.dropped) << more, 1 << 8 * (dropped + 1)))
        self._upper(name, dropped, out)
        return replace(self._sum(1 << more), dst=name)

    @property
    def drop(self) -> int:
        """Binary places of what `parts` are of."""
        return self.op.drop - 8 * self.dropped

    def _sum(self, factor: int) -> Layer:
        """d * root without its lowest bytes, by a factor, as a layer without a result of its own."""
        operands = tuple(Operand(t, identity(self.c, factor << 8 * power)) for t, power in self.parts)
        return self._layer(self.node.outputs[0], operands)

    def _upper(self, x: str, first: int, name: str) -> None:
        """The bytes of a tensor from one on: its codes by a power of 256, rounded down."""
        s, (lo, hi) = self.storage[x], self.placing.bounds(x)
        if name not in self.placing.graph.tensors:
            self._declare(name, self.c, lo >> 8 * first, hi >> 8 * first)
        planes = s.planes - first
        self.storage[name] = replace(
            s, start=s.start + first * s.plane, planes=planes, shift=s.shift if planes == s.planes else shift_of(planes)
        )

    def _wide(self, name: str, channels: int, reach: int) -> Storage:
        """Place a tensor of two bytes or more, up to those of a sum: its bytes are read as other tensors, never all of them at once."""
        planes, config = max(TWO, -(-(reach.bit_length() + 1) // 8)), self.placing.config
        if 8 * planes > config.acc_bits:
            raise ValueError(f"its numbers to {reach} are wider than {config.acc_bits} bits")
        slots = slots_of(channels, config.simd)
        words, pixels = len(slots) // config.simd, self.h * self.w
        self._declare(name, channels, -reach, reach)
        self.storage[name] = Storage(name, slots, self.h, self.w, 0, self.w * words, words, pixels * words, planes, shift_of(planes))
        self.placing.result.buffers[name] = planes * pixels * words
        return self.storage[name]

    def _layer(self, dst: str, operands: tuple[Operand, ...]) -> Layer:
        return Layer(dst, dst, operands, Window(), (self.h, self.w), source=(self.node.name,))

    def _declare(self, name: str, channels: int, lo: int, hi: int) -> None:
        self.placing.declare(name, Tensor((self.h, self.w, channels), None, np.full(channels, lo), np.full(channels, hi)))

    def _distances(self) -> str:
        if not self.op.centred:
            return self.x
        name = f"{self.node.name}.distance"
        self._declare(name, self.c, -self.moments.reach, self.moments.reach)
        weights = self.c * np.eye(self.c, dtype=np.int64) - 1
        self.add(self._layer(name, (Operand(self.x, Kernel(weights.reshape(self.c, 1, 1, self.c), 1)),)))
        return name

    def _products(self) -> list[Part]:
        """What d * root is the sum of."""
        square, root, r = f"{self.node.name}.square", f"{self.node.name}.root", self.root
        terms = self._multiplied(square, self._pairs(self.x), self._pairs(self.d))
        self._wide(root, 1, (1 << r.bits) - 1)
        ones = np.ones((1, 1, 1, self.c), np.int64)
        operands = tuple(Operand(t, Kernel(ones << 8 * power + r.shift, 1)) for t, power in terms)
        self.add(replace(self._layer(root, operands), offset=r.epsilon, root=(r.bits, r.start)))
        roots = [self._spread(t, power) for t, power in self._pairs(root)]
        return self._multiplied(f"{self.node.name}.product", self._pairs(self.d), roots)

    def _rounded(self, parts: list[Part]) -> tuple[list[Part], int]:
        """Parts without the lowest bytes, which only the lowest of them has and which no bit of the result depends on; how many."""
        lowest = parts[0][0]
        dropped = min(TWO, self.op.drop // 8, self.storage[lowest].planes - 1)
        if not dropped:
            return parts, 0
        name = f"{lowest}.upper"
        self._upper(lowest, dropped, name)
        return [(name, 0), *((t, power - dropped) for t, power in parts[1:])], dropped

    def _pairs(self, x: str) -> list[Part]:
        """At most two bytes each of a tensor's codes, as tensors: all but the highest are not below 0."""
        s, (lo, hi) = self.storage[x], self.placing.bounds(x)
        if s.planes <= TWO:
            return [(x, 0)]
        found = []
        for first in range(0, s.planes, TWO):
            planes, name = min(TWO, s.planes - first), f"{x}.bytes{first}"
            is_top = first + planes == s.planes
            self._declare(
                name, self.placing.tensor(x).channels, *((lo >> 8 * first, hi >> 8 * first) if is_top else (0, (1 << 8 * planes) - 1))
            )
            shift = shift_of(planes + 1 - is_top)
            self.storage[name] = replace(s, start=s.start + first * s.plane, planes=planes, shift=shift)
            found.append((name, first))
        return found

    def _spread(self, x: str, power: int) -> Part:
        """A number of each pixel in every channel, in as many bytes: less half of its range where its highest bit is no sign."""
        name, (lo, hi) = f"{x}.channels", self.placing.bounds(x)
        below = 1 << 15 if hi >= 1 << 15 else 0
        self._declare(name, self.c, lo - below, hi - below)
        kernel = Kernel(np.ones((self.c, 1, 1, 1), np.int64), 1)
        self.add(replace(self._layer(name, (Operand(x, kernel),)), offset=-below))
        whole, s = f"{name}.shifted", self.storage[name]
        self._declare(whole, self.c, lo, hi)
        self.storage[whole] = replace(s, shift=s.shift + below)
        return whole, power

    def _multiplied(self, name: str, left: list[Part], right: list[Part]) -> list[Part]:
        """The products of all pairs of parts."""
        found = []
        for i, (a, b, power) in enumerate((a, b, p + q) for a, p in left for b, q in right):
            ends = [x * y for x in self.placing.bounds(a) for y in self.placing.bounds(b)]
            self._declare(f"{name}{i}", self.c, min(ends), max(ends))
            operands = (Operand(a, identity(self.c)), Operand(b, identity(self.c)))
            self.add(replace(self._layer(f"{name}{i}", operands), op=AccOp.MUL))
            found.append((f"{name}{i}", power))
        return found
