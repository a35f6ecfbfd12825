"""What float64 cannot decide: arguments so close to a jump that a rounding error may have moved them across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array

ERROR = 2.0**-44
"""More than the rounding errors of a chain of sums and products, in units of the largest term."""
NEAR = 1e-9
"""The same behind any other function, in units of the value itself."""


@dataclass(eq=False)
class Doubt:
    """What rounding may have done to the elements of a block.

    near:     elements that a rounding error may have put on the wrong side of a jump
    inexact:  values that are rounded
    reach:    largest magnitude of the terms that made the values, also where they cancel: rounding errors are as large
    relative: distance from a jump, in units of the value, within which rounded values are in doubt beside what `reach` says
    """

    near: Array
    inexact: Array
    reach: float
    relative: float = ERROR

    def add(self, other: Doubt, rounds: Array) -> None:
        """A sum with a value of other doubts; rounds: where float64 rounds the sum."""
        self.near = self.near | other.near
        self.inexact = self.inexact | other.inexact | rounds
        self.reach += other.reach
        self.relative = max(self.relative, other.relative)

    def decide(self, close: Array) -> None:
        """A jump: rounded values close to it are in doubt, all others are decided, and exact from here on."""
        self.near = self.near | (close & self.inexact)
        self.inexact = np.zeros(self.near.shape, bool)
        self.relative = ERROR


def most(values: Any) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(values), initial=0))


def near_jump(u: Array, rounding: str, error: Any, ends: Sequence[Any] | None = None) -> Array:
    """Where a rounding error of `error` could move u across a jump of a rounding mode.

    ends: least and largest result; what is rounded to a number beyond them becomes one of them whatever the error
    """
    shift = 0.0 if rounding in ("CEIL", "FLOOR", "UP", "DOWN") else 0.5
    v = u - shift
    with np.errstate(invalid="ignore"):  # an infinity is near no jump
        near = np.abs(v - np.rint(v)) <= error
        if ends is not None:
            near &= (u + error >= ends[0] - 1) & (u - error <= ends[1] + 1)
    return np.asarray(near)
