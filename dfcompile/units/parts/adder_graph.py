"""A constant integer matrix as a graph of two-operand adders: what it is, what it computes, and how wide each adder is.

Nodes 0 .. inputs - 1 are the inputs. Each further node adds or subtracts two earlier ones, one of them shifted to the left:

    ADD      left + (right << shift)
    SUB      left - (right << shift)
    REVERSE  (right << shift) - left
    NEGATE   -left

An output is a node shifted to the left, or 0. Ranges are exact: those of the linear function of the inputs that a node is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.types import IntType

Ints = NDArray[np.int64]

ADD, SUB, REVERSE, NEGATE = range(4)
NOTHING = -1
"""The node of an output that is always 0."""


@dataclass(frozen=True, eq=False)
class AdderGraph:
    """left, right, shift, kind: of each adder, (adders,); lo, hi: of each input; out, out_shift: node and shift of each output."""

    lo: Ints
    hi: Ints
    left: Ints
    right: Ints
    shift: Ints
    kind: Ints
    out: Ints
    out_shift: Ints

    @property
    def inputs(self) -> int:
        return len(self.lo)

    @property
    def adders(self) -> int:
        return len(self.left)

    @cached_property
    def coefficients(self) -> Ints:
        """(nodes, inputs): what each node is of the inputs."""
        found = np.zeros((self.inputs + self.adders, self.inputs), np.int64)
        found[: self.inputs] = np.eye(self.inputs, dtype=np.int64)
        for n, (left, right, shift, kind) in enumerate(zip(self.left, self.right, self.shift, self.kind, strict=True), self.inputs):
            found[n] = combined(kind, found[left], found[right] << shift)
        return found

    @cached_property
    def matrix(self) -> Ints:
        """(outputs, inputs): the matrix that the graph is."""
        rows = self.coefficients[self.out] << self.out_shift[:, None]
        rows[self.out == NOTHING] = 0
        return rows

    @cached_property
    def ranges(self) -> tuple[Ints, Ints]:
        """Least and greatest value of each node."""
        up, down = np.maximum(self.coefficients, 0), np.minimum(self.coefficients, 0)
        return np.asarray(up @ self.lo + down @ self.hi, np.int64), np.asarray(up @ self.hi + down @ self.lo, np.int64)

    @cached_property
    def signed(self) -> NDArray[np.bool_]:
        """Of each node."""
        return self.ranges[0] < 0

    @cached_property
    def bits(self) -> Ints:
        """Of each node: the fewest that hold its values, and no more than its readers take; 0 where nothing reads it.

        A sum is right modulo 2**bits if its operands are: what readers do not take need not be there.
        """
        lo, hi = self.ranges
        found = np.array([width(int(a), int(b)) for a, b in zip(lo, hi, strict=True)], np.int64)
        taken = np.zeros_like(found)
        taken[self.out[self.out != NOTHING]] = 64
        for i in range(self.adders - 1, -1, -1):
            n = self.inputs + i
            found[n] = min(found[n], taken[n])
            taken[self.left[i]] = max(taken[self.left[i]], found[n])
            taken[self.right[i]] = max(taken[self.right[i]], found[n] - self.shift[i])
        return np.minimum(found, taken)

    @cached_property
    def shifted_out(self) -> NDArray[np.bool_]:
        """(adders,): where the right operand does not reach into the bits of the sum."""
        return self.shift >= self.bits[self.inputs :]

    @cached_property
    def reads(self) -> Ints:
        """(2, n): node and adder that reads it."""
        adders = np.arange(self.inputs, self.inputs + self.adders)
        live, both = self.bits[self.inputs :] > 0, ~self.shifted_out
        left, right = np.stack([self.left, adders])[:, live], np.stack([self.right, adders])[:, live & both]
        return np.concatenate([left, right], axis=1)

    @cached_property
    def adder_bits(self) -> Ints:
        """(adders,): bits that each adder really adds.

        Of a sum those where both operands have a bit, signs repeated; of a difference all but the ones below its right operand.
        """
        own = self.bits[self.inputs :]
        left = np.where(self.signed[self.left], own, np.minimum(self.bits[self.left], own))
        right = np.where(self.signed[self.right], own, np.minimum(self.bits[self.right] + self.shift, own))
        both = np.minimum(left, right) - self.shift
        any_of = np.maximum(left, right) - np.where(self.kind == SUB, self.shift, 0)
        alone = np.where(self.kind == REVERSE, own, 0)
        found = np.where(self.kind == ADD, both, np.where(self.kind == NEGATE, own, any_of))
        return np.maximum(np.where(self.shifted_out & (self.kind != NEGATE), alone, found), 0)

    @cached_property
    def levels(self) -> Ints:
        """Adders one behind another up to each node."""
        found = np.zeros(self.inputs + self.adders, np.int64)
        for n, (left, right, bits) in enumerate(zip(self.left, self.right, self.adder_bits, strict=True), self.inputs):
            found[n] = max(found[left], found[right]) + (bits > 0)
        return found


@dataclass(frozen=True, eq=False)
class AdderPipeline:
    """An adder graph with registers: behind each stage, and so behind all outputs.

    stage: in which each node is added, 0 for inputs; until: the last stage that reads it, `stages` for outputs, else its own
    """

    graph: AdderGraph
    stages: int
    stage: Ints
    until: Ints

    @property
    def register_bits(self) -> int:
        """Flip-flops."""
        return int((self.graph.bits * (self.until - self.stage)).sum())


@dataclass(frozen=True)
class Sums:
    """All sums of a constant matrix with a beat of inputs, as hardware: what is emitted beside the unit that has it.

    x: type of an input, bipolar ones 1 bit on the stream; sum: type of a result
    """

    pipeline: AdderPipeline
    x: IntType
    sum: IntType


def combined(kind: int, left: Ints, right: Ints) -> Ints:
    """What an adder makes of its operands, the right one shifted already."""
    if kind == NEGATE:
        return -left
    return {ADD: left + right, SUB: left - right, REVERSE: right - left}[int(kind)]


def width(lo: int, hi: int) -> int:
    """The fewest bits that hold lo to hi, two's complement where lo is negative; at least 1."""
    if lo < 0:
        return max((-lo - 1).bit_length(), max(hi, 0).bit_length()) + 1
    return max(1, hi.bit_length())
