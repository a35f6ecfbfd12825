"""Dot products on the carry chains of 6-input LUTs: what `dfc_dot_carry` is made of, row by row.

A term is one bit j of a weight times its input: the sum over all of 2**j * (x where the bit is 1). Written with the sign of each bit of a
term (-1 at the top bit of a signed input, and again at the top bit of a signed weight), a negative bit b is -b = (1 - b) - 1: terms are of
complemented bits, unsigned, and off by a constant. A row of LUTs gates and adds two terms; rows of three numbers leave two; the last row
adds these to the sum, which starts at the constants of all steps.
"""

from __future__ import annotations

from functools import lru_cache

from dfcompile.device.area import KEPT

CARRY = ("carry4", "carry8")
"""Arithmetic on chains of CARRY4 and of CARRY8."""


def carry_levels(terms: int) -> int:
    """Rows of three numbers one behind another for so many terms."""
    left, levels = (terms + 1) // 2, 0
    while left > 2:
        left, levels = -(-left // 3), levels + 1
    return levels


@lru_cache(maxsize=KEPT)
def carry_area(simd: int, x: int, w: int, acc: int) -> tuple[int, int]:
    """(LUTs, flip-flops) of one `dfc_dot_carry` of `simd` inputs of x bits, weights of w bits and a sum of `acc` bits."""
    terms = simd * w
    nodes = []  # (lowest place, place above the highest, most)
    lut = ff = acc
    for first in range(0, terms, 2):
        planes = [t // simd for t in range(first, min(first + 2, terms))]
        lut += x + planes[-1] - planes[0]
        nodes.append(_node(planes[0], sum(((1 << x) - 1) << j for j in planes), acc))
    for _ in range(carry_levels(terms)):
        ff += sum(high - low for low, high, _ in nodes)
        merged = []
        for i in range(0, len(nodes), 3):
            parts = nodes[i : i + 3]
            made = _node(parts[0][0], sum(most for _, _, most in parts), acc)
            lut += _row(parts, made[1])
            merged.append(made)
        nodes = merged
    return lut, ff + sum(high - low for low, high, _ in nodes)


def _node(low: int, most: int, acc: int) -> tuple[int, int, int]:
    high = min(most.bit_length(), acc)
    return min(low, high), high, most


def _row(parts: list[tuple[int, int, int]], top: int) -> int:
    """LUTs of a row: from where there are two numbers to where only a carry comes."""
    if len(parts) == 1:
        return 0
    highs = sorted((high for _, high, _ in parts), reverse=True)
    end = top - 1 if highs[0] < top and highs[1] < top - 1 else top
    return max(0, end - parts[1][0])
