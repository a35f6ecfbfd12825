"""Norms: floor(d * root / 2**drop) of each channel, d and the root of the row's squares as in `IntStandardize`.

d is a matrix product, V the sum of code * d over the row, the root a result of its own kind (`Compute.root`), and its products with d are
those of two streams, of two digits of each at a time. To divide by a power of two is left to thresholds, or to digits that are not read.
Digits are bytes, or those of an engine of narrow ones.
"""

from __future__ import annotations

import itertools
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
from dfcompile.loopback.storage import MOST_PLANES, Storage, shift_of, slots_of
from dfcompile.loopback.tile import NEVER, digits_of

TWO = 2  # digits of a factor: a descriptor walks those of two, and 18 bits hold two bytes with or without a sign
Part = tuple[str, int]
"""A tensor, and the power of the digits' base that it counts."""


class Norm:
    """Layers of one norm; those before the last are added at once. x: a tensor of whole words in a buffer of its own."""

    def __init__(self, placing: Placing, node: Node, op: IntStandardize, x: str, add: Callable[[Layer], None]) -> None:
        self.placing, self.node, self.op, self.add = placing, node, op, add
        self.storage, self.bits = placing.result.storage, placing.config.act_bits
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
        above = sum(self.storage[t].shift << self.bits * power for t, power in self.parts)
        fits = self._sum_reach + above < 1 << (self.placing.config.acc_bits - 1)
        return self._sum(1).with_steps(parts[0], dst, reader) if fits and len(parts) == 1 else None

    def stored(self) -> Layer:
        """The layer whose digits, without the lowest ones, are the output."""
        more = -self.drop % self.bits
        while self._sum_reach << more >= 1 << self.bits * self._most_digits - 1 and self.drop >= self.bits:
            self._carry()
        dropped = (self.drop + more) // self.bits
        name, out = f"{self.node.name}.whole", self.node.outputs[0]
        self._wide(name, self.c, max(self._sum_reach << more, 1 << self.bits * (dropped + 1)))
        self._upper(name, dropped, out)
        return replace(self._sum(1 << more), dst=name)

    @property
    def _sum_reach(self) -> int:
        """No sum of `parts` is larger."""
        return self._reach >> self.bits * self.dropped

    def _carry(self) -> None:
        """The lowest parts as their sum without digits on which no bit of the result depends: what they carry into the rest."""
        count = min(TWO, self.drop // self.bits)
        low = [(t, power) for t, power in self.parts if power < count]
        name = f"{self.node.name}.low{self.dropped}"
        self._wide(name, self.c, sum(max(map(abs, self.placing.bounds(t))) << self.bits * power for t, power in low))
        self.add(self._layer(name, tuple(Operand(t, identity(self.c, 1 << self.bits * power)) for t, power in low)))
        self._upper(name, count, f"{name}.upper")
        self.parts = [(f"{name}.upper", 0), *((t, power - count) for t, power in self.parts if power >= count)]
        self.dropped += count

    @property
    def drop(self) -> int:
        """Binary places of what `parts` are of."""
        return self.op.drop - self.bits * self.dropped

    def _sum(self, factor: int) -> Layer:
        """d * root without its lowest digits, by a factor, as a layer without a result of its own."""
        operands = tuple(Operand(t, identity(self.c, factor << self.bits * power)) for t, power in self.parts)
        return self._layer(self.node.outputs[0], operands)

    def _upper(self, x: str, first: int, name: str) -> None:
        """The digits of a tensor from one on: its codes by a power of the base, rounded down."""
        s, (lo, hi) = self.storage[x], self.placing.bounds(x)
        if name not in self.placing.graph.tensors:
            self._declare(name, self.c, lo >> self.bits * first, hi >> self.bits * first)
        self.storage[name] = self._digits(s, first, s.planes - first)

    def _digits(self, s: Storage, first: int, planes: int) -> Storage:
        """Some digits of each code; of what is taken from codes before they are cut the highest digit alone has a part."""
        if planes == s.planes:
            return s
        is_top = first + planes == s.planes
        shift = shift_of(planes, self.bits) + (s.base >> self.bits * first) if is_top else shift_of(planes + 1, self.bits)
        return replace(s, start=s.start + first * s.plane, planes=planes, shift=shift)

    def _wide(self, name: str, channels: int, reach: int) -> Storage:
        """Place a tensor of two digits or more, up to those of a sum: its digits are read as other tensors, never all of them at once."""
        planes, config = max(TWO, -(-(reach.bit_length() + 1) // self.bits)), self.placing.config
        if planes > self._most_digits:
            most = f"{self.bits * self._most_digits} bits, {self._most_digits} {digits_of(config)}"
            raise ValueError(f"its numbers to {reach} are wider than {most}")
        slots = slots_of(channels, config.simd)
        words, pixels = len(slots) // config.simd, self.h * self.w
        self._declare(name, channels, -reach, reach)
        self.storage[name] = Storage(
            name, slots, self.h, self.w, 0, self.w * words, words, pixels * words, planes, shift_of(planes, self.bits), self.bits
        )
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
        terms = self._multiplied(f"{self.node.name}.square", self._pairs(self.x), self._pairs(self.d))
        roots = [self._spread(t, power) for t, power in self._roots(terms)]
        return self._multiplied(f"{self.node.name}.product", self._pairs(self.d), roots)

    def _roots(self, terms: list[Part]) -> list[Part]:
        """The inverse root of each row, of whose squares the sum is that of `terms`.

        One of more digits than a result has comes several times, each time without more of its lowest digits: as a root of fewer bits.
        """
        r, left, found = self.root, self.root.bits, list[Part]()
        most, step = self._most_digits, self._most_digits - TWO
        ones = np.ones((1, 1, 1, self.c), np.int64)
        operands = tuple(Operand(t, Kernel(ones << self.bits * power + r.shift, 1)) for t, power in terms)
        for k in itertools.count():
            name, whole = f"{self.node.name}.root{k or ''}", left < most * self.bits
            self._wide(name, 1, (1 << (left if whole else most * self.bits - 1)) - 1)
            self.add(replace(self._layer(name, operands), offset=r.epsilon, root=(left, r.start)))
            parts = self._pairs(name)
            found += [(t, power + k * step) for t, power in (parts if whole else parts[: step // TWO])]
            if whole:
                break
            left -= step * self.bits
        return found

    @property
    def _most_digits(self) -> int:
        """Of a result."""
        config = self.placing.config
        return min(config.acc_bits // self.bits, MOST_PLANES)

    def _rounded(self, parts: list[Part]) -> tuple[list[Part], int]:
        """Parts without the lowest digits, which only the lowest of them has and which no bit of the result depends on; how many."""
        lowest = parts[0][0]
        dropped = min(TWO, self.op.drop // self.bits, self.storage[lowest].planes - 1)
        if not dropped:
            return parts, 0
        name = f"{lowest}.upper"
        self._upper(lowest, dropped, name)
        return [(name, 0), *((t, power - dropped) for t, power in parts[1:])], dropped

    def _pairs(self, x: str) -> list[Part]:
        """At most two digits each of a tensor's codes, as tensors: all but the highest are not below 0."""
        s, (lo, hi) = self.storage[x], self.placing.bounds(x)
        if s.planes <= TWO:
            return [(x, 0)]
        found = []
        for first in range(0, s.planes, TWO):
            planes, name = min(TWO, s.planes - first), f"{x}.digits{first}"
            is_top, down = first + planes == s.planes, self.bits * first
            self._declare(
                name, self.placing.tensor(x).channels, *((lo >> down, hi >> down) if is_top else (0, (1 << self.bits * planes) - 1))
            )
            self.storage[name] = self._digits(s, first, planes)
            found.append((name, first))
        return found

    def _spread(self, x: str, power: int) -> Part:
        """A number of each pixel in every channel, in as many digits: less half of its range where its highest bit is no sign."""
        name, (lo, hi), top = f"{x}.channels", self.placing.bounds(x), 1 << TWO * self.bits - 1
        below = top if hi >= top else 0
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
