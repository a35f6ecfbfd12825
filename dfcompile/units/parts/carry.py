"""Dot products on the carry chains of 6-input LUTs: what `dfc_dot_carry` is made of, row by row.

A term is one bit j of a weight times its input: the sum over all of 2**j * (x where the bit is 1). Written with the sign of each bit of a
term (-1 at the top bit of a signed input, and again at the top bit of a signed weight), a negative bit b is -b = (1 - b) - 1: terms are of
complemented bits, unsigned, and off by a constant. A row of LUTs gates and adds two terms; rows of three numbers leave two; the last row
adds these to the sum, which starts at the constants of all steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from dfcompile.device.area import KEPT

Node = tuple[int, int, int]
"""A number of a row: its lowest place, the one above its highest, and the most that it is."""
Run = tuple[Node, int]
"""Nodes alike that follow one another, and how many."""

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
    runs: list[Run] = []
    lut = ff = acc
    for planes, count in _pairs(simd, w):
        lut += count * (x + planes[-1] - planes[0])
        runs.append((_node(planes[0], sum(((1 << x) - 1) << j for j in planes), acc), count))
    for _ in range(carry_levels(simd * w)):
        ff += sum(count * (high - low) for (low, high, _), count in runs)
        merged: list[Run] = []
        for parts, count in _triples(runs):
            made = _node(parts[0][0], sum(most for _, _, most in parts), acc)
            lut += count * _row(parts, made[1])
            merged.append((made, count))
        runs = merged
    return lut, ff + sum(count * (high - low) for (low, high, _), count in runs)


@lru_cache(maxsize=KEPT)
def carry_reach(simd: int, x: int, w: int) -> int:
    """The place above the highest of the numbers that `dfc_carry_total` adds, of `simd` inputs of x bits and weights of w bits."""
    terms = simd * w
    group = 2 * 3 ** carry_levels(terms)  # terms of a number
    mosts = [0] * -(-terms // group)
    for j in range(w):
        for n in range(j * simd // group, ((j + 1) * simd - 1) // group + 1):
            count = min((n + 1) * group, (j + 1) * simd) - max(n * group, j * simd)
            mosts[n] += count * ((1 << x) - 1) << j
    return max(mosts).bit_length()


def _pairs(simd: int, w: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Planes of two terms that follow one another, from the lowest plane on, and how often; a last one may be alone."""
    left = 0
    for j in range(w):
        if left:
            yield (j - 1, j), 1
        yield (j, j), (simd - left) // 2
        left = (simd - left) % 2
    if left:
        yield (w - 1,), 1


def _triples(runs: Iterable[Run]) -> Iterator[tuple[tuple[Node, ...], int]]:
    """Three nodes that follow one another, and how often; the last ones may be fewer."""
    waiting: list[Node] = []
    for node, count in runs:
        left = count
        while waiting and left:
            waiting.append(node)
            left -= 1
            if len(waiting) == 3:
                yield tuple(waiting), 1
                waiting = []
        if left >= 3:
            yield (node, node, node), left // 3
        waiting += [node] * (left % 3)
    if waiting:
        yield tuple(waiting), 1


def _node(low: int, most: int, acc: int) -> Node:
    high = min(most.bit_length(), acc)
    return min(low, high), high, most


def _row(parts: tuple[Node, ...], top: int) -> int:
    """LUTs of a row: from where there are two numbers to where only a carry comes."""
    if len(parts) == 1:
        return 0
    highs = sorted((high for _, high, _ in parts), reverse=True)
    end = top - 1 if highs[0] < top and highs[1] < top - 1 else top
    return max(0, end - parts[1][0])
