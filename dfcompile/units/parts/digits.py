"""A product of two signed numbers in LUTs, as `dfc_product_digits` finds it.

Pairs of the factor's bits choose multiples of the number, which a binary tree adds. Node k of level l stands for the factor's bits from
k * 2**(l+1) on and is as many bits wider than the number; an adder passes the bits below its upper operand through.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from dfcompile.device.area import KEPT
from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources

_SHIFTED = 3  # registers one behind the other that synthesis makes a shift register of
_CHOICE = 5  # inputs of a bit that is chosen: a digit, and a bit of three multiples


def digit_steps(factor: int) -> int:
    """Multiples, and levels of the tree: steps that registers part, one behind the other."""
    return 1 + (-(-factor // 2) - 1).bit_length()


def _stage(step: int, steps: int, stages: int) -> int:
    return ((step + 1) * stages + steps - 1) // steps - 1


def _own(level: int, factor: int) -> list[int]:
    """Bits of the factor that each node of a level stands for."""
    span = 2 << level
    return [min(span, factor - low) for low in range(0, factor, span)]


@lru_cache(maxsize=KEPT)
def area(acc: int, factor: int, stages: int, digits: float, falls: bool, family: str) -> Resources:
    """Of a number and a factor of so many bits.

    digits: of a factor that is a constant those that are not 0, on average; 0 where it varies
    falls:  whether a factor may be negative
    """
    # Where LUTs have six inputs, a bit that an adder adds to another is chosen in the adder's own.
    costs, size = FAMILIES[family].costs, FAMILIES[family].lut_inputs
    steps, choices = digit_steps(factor), _own(0, factor)
    multiples = 1 + falls
    chosen = 0 if digits else sum(acc + own for own in (choices[::2] if size > _CHOICE else choices)) * FAMILIES[family].units.digits
    early = steps > 1 and _stage(1, steps, stages) > 0
    ff = ((multiples + 1) * (acc + 1) + (0 if digits else factor)) * early
    tree, kept = _tree(acc, factor, stages, FAMILIES[family].shifts)
    left = digits / len(choices) if digits else 1.0
    return Resources((multiples * (acc + 1) + left * tree) * costs.adder + chosen, ff) + kept * left


@lru_cache(maxsize=KEPT)
def _tree(acc: int, factor: int, stages: int, shifts: bool) -> tuple[int, Resources]:
    """Bits that are added, and the registers behind them: a bit that passes three or more is a shift register where LUTs can be such."""
    steps = digit_steps(factor)
    nodes = [[(acc + own, 0)] for own in _own(0, factor)]  # bits, and the registers they have passed, from the lowest on
    added, ended = 0, []
    for level in range(steps):
        half, made = (1 << level) * (level > 0), []
        for own in _own(level, factor) if level else ():
            low = nodes.pop(0)
            if own > half:
                passed, below = [], half
                for bits, age in low:
                    passed.append((min(bits, below), age))
                    ended.append((bits - passed[-1][0], age))
                    below -= passed[-1][0]
                ended += nodes.pop(0)
                low = [*passed, (acc + own - half, 0)]
                added += acc + own - half
            made.append(low)
        nodes = made or nodes
        if level == steps - 1 or (level and _stage(level + 1, steps, stages) > _stage(level, steps, stages)):
            nodes = [[(bits, age + 1) for bits, age in node] for node in nodes]
    groups = [*ended, *(group for node in nodes for group in node)]
    shifted = sum(bits for bits, age in groups if shifts and age >= _SHIFTED)
    return added, Resources(shifted, sum(bits * age for bits, age in groups if not shifts or age < _SHIFTED))


def paths(acc: int, factor: int, stages: int, family: str) -> Iterator[Path]:
    """Stage by stage: a chain for each step in it, behind the choice in front of the tree's first level."""
    steps, pairs = digit_steps(factor), -(-factor // 2)
    for stage in range(stages):
        inside = [s for s in range(steps) if _stage(s, steps, stages) == stage]
        last = inside[-1]
        width = acc + 1 if last == 0 else min(acc + (1 << last), acc + factor)
        chooses = 1 in inside or steps == 1
        levels = lut_levels(_CHOICE, FAMILIES[family].lut_inputs) if chooses else 0
        fanout = max(acc + 2, 2 * pairs) if chooses else 4
        yield Path(f"product by digits, stage {stage + 1} of {stages}", levels, (width,) + (2,) * (len(inside) - 1), fanout=fanout)
