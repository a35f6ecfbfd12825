"""How finely a norm's numbers are made, and where its thresholds lie among them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.streamline.apart import NOISE, Row, gaps
from dfcompile.streamline.encode_softmax import TIE

WIDEST = 46  # bits of the numbers that are compared with thresholds
_ROOM = 8  # units of the last place between numbers on either side of a threshold: three are lost, and the threshold lies in the middle
_FINEST = 60  # binary places of epsilon
_EPSILON_STEP = 4

Wanted = tuple[Fraction, bool]
"""A number d / sqrt(V + epsilon) reaches a threshold, the root of a square with that square's sign, and whether one equal to it does."""


@dataclass(frozen=True)
class Places:
    """How finely rows are known, and the thresholds there.

    after:    binary places of d / sqrt(V + epsilon)
    finest:   binary places of epsilon
    exact:    whether each row's codes are those of exact arithmetic
    """

    row: Row
    after: int
    finest: int
    exact: bool
    thresholds: dict[Wanted, int]

    @property
    def meaning(self) -> str:
        """How exact it is, for people."""
        return (
            "every code as exact real numbers" if self.exact else f"as exact real numbers but within 2^-{TIE} of a step of a rounding tie"
        )

    @staticmethod
    def of(row: Row, wanted: list[list[Wanted]], apart: Callable[[], float] | None = None, all: bool = True) -> Places:
        """As few places as change no code; where that is unknown, or too many, as change none but next to ties.

        wanted: of each channel; apart: how far numbers that are a step apart lie from each other, where that is not the distance of these
        all:    whether they are known to be right for all rows
        """
        unlike = sorted({w for channel in wanted for w in channel})
        exactly = _exactly(row, unlike) if all else None
        if exactly:
            return exactly
        roots = ([math.copysign(math.sqrt(abs(square)), square) for square, _ in channel] for channel in wanted)
        return _nearly(row, unlike, apart() if apart else min((b - a for r in roots for a, b in pairwise(r) if b > a), default=1.0))


def _exactly(row: Row, wanted: list[Wanted]) -> Places | None:
    """As few places as change no code, and then as few of epsilon; None where that is too much work, or too many."""
    found = _intervals(row, wanted, 0.0)
    after = WIDEST if found is None else _places(*found)
    if found is None or after + math.isqrt(row.n).bit_length() > WIDEST:
        return None
    finest = 0
    if row.epsilon.denominator > 1:
        finest = max(0, after - row.most.bit_length() + _EPSILON_STEP - 1)
        while (found := _intervals(row, wanted, 2.0**-finest)) is None or _places(*found) > after:
            finest += _EPSILON_STEP
            if finest > _FINEST:
                return None
    below, above = found
    limit = float(2 ** (WIDEST + 2))
    middle = np.clip((below + above) / 2 * 2.0**after, -limit, limit)
    return Places(row, after, finest, True, dict(zip(wanted, np.floor(middle).astype(np.int64).tolist(), strict=True)))


def _places(below: Array, above: Array) -> int:
    """Binary places at which all intervals have room for a threshold; more than WIDEST where float64 cannot tell."""
    ends = np.maximum(np.abs(below), np.abs(above))
    bounded = np.isfinite(ends)
    if not bounded.any():
        return 0
    width = (above - below)[bounded] - NOISE * ends[bounded]
    return WIDEST + 1 if width.min() <= 0 else max(0, math.ceil(math.log2(_ROOM / width.min())))


def _intervals(row: Row, wanted: list[Wanted], blur: float) -> tuple[Array, Array] | None:
    """For each threshold the largest number below it and the smallest that reaches it, or infinities; None where that is too much work."""
    mirrored = [(abs(square), inclusive == (square > 0)) for square, inclusive in wanted if square]
    found = gaps(row, [s for s, _ in mirrored], [i for _, i in mirrored], blur)
    if found is None:
        return None
    ends = iter(zip(*found, strict=True))
    least = 1 / math.sqrt(row.most + row.epsilon + 1) if row.most else math.inf  # above 0
    pairs = []
    for square, inclusive in wanted:
        if square:
            low, high = next(ends)
            pairs.append((low, high) if square > 0 else (-high, -low))
        else:
            pairs.append((-least, 0.0) if inclusive else (0.0, least))
    below, above = np.array(pairs, np.float64).reshape(-1, 2).T
    return below, above


def _nearly(row: Row, wanted: list[Wanted], apart: float) -> Places:
    """Places at which only numbers within 2**-TIE of `apart`, a step, may be on the wrong side of a threshold."""
    after = max(0, TIE + math.ceil(math.log2(_ROOM / 2 / apart)))
    finest = max(0, after + math.isqrt(row.n).bit_length() - math.floor(math.log2(row.moments.least + row.epsilon)))
    limit = 2 ** (WIDEST + 2)
    at = [(math.copysign(math.sqrt(abs(square)), square) * 2**after, inclusive) for square, inclusive in wanted]
    thresholds = [max(-limit, min(limit, math.ceil(r) if inclusive else math.floor(r) + 1)) for r, inclusive in at]
    return Places(row, after, finest, False, dict(zip(wanted, thresholds, strict=True)))
