"""The inverse root of a norm as the engine finds it: of what, how many bits, in which width."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dfcompile.ir.graph import Tensor
from dfcompile.ir.intop import IntStandardize


@dataclass(frozen=True)
class InverseRoot:
    """floor(sqrt(2**(start + 2 * bits) / w)), w = V * 2**shift + epsilon.

    most: the largest w; width: bits of what is left of the root's square, and of its steps
    """

    bits: int
    start: int
    shift: int
    epsilon: int
    most: int
    width: int


def inverse_root(op: IntStandardize, x: Tensor) -> InverseRoot:
    """Of the rows of a tensor. The square of the first bit of a root is a whole part of what the root is found of."""
    moments = op.moments(x)
    bits = max(1, op.root(moments.least).bit_length())
    more = max(0, 2 * bits - 2 * op.bits - op.shift)
    more += more % 2
    shift, epsilon = op.shift + more, op.epsilon << more
    most = (moments.most << shift) + epsilon
    start = 2 * op.bits + shift - 2 * bits
    width = max(start + 3, (8 * math.isqrt(most << 2 * op.bits + shift) + 4 * most).bit_length() + 1)
    return InverseRoot(bits, start, shift, epsilon, most, width)
