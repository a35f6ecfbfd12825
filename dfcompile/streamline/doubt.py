"""What float64 cannot decide: arguments so close to a jump that a rounding error may have moved them across."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array

NEAR = 1e-9
"""Relative distance from a jump within which a rounded value is in doubt."""
ERROR = 2.0**-44
"""More than a chain's rounding errors, in units of the largest term."""


@dataclass(eq=False)
class Doubt:
    """What rounding may have done to the elements of a block.

    near:    elements that a rounding error may have put on the wrong side of a jump
    inexact: values that are rounded
    reach:   largest magnitude of the terms that made the values, also where they cancel: rounding errors are as large
    """

    near: Array
    inexact: Array
    reach: float

    def add(self, other: Doubt, rounds: Array) -> None:
        """A sum with a value of other doubts; rounds: where float64 rounds the sum."""
        self.near = self.near | other.near
        self.inexact = self.inexact | other.inexact | rounds
        self.reach += other.reach

    def decide(self, close: Array) -> None:
        """A jump: rounded values close to it are in doubt, all others are decided, and exact from here on."""
        self.near = self.near | (close & self.inexact)
        self.inexact = np.zeros(self.near.shape, bool)


def most(values: Any) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(values), initial=0))


def near_jump(u: Array, rounding: str, error: Any) -> Array:
    """Where a rounding error (beside `error`, an absolute one) could move u across a jump of a rounding mode."""
    shift = 0.0 if rounding in ("CEIL", "FLOOR", "UP", "DOWN") else 0.5
    v = u - shift
    return np.asarray(np.abs(v - np.rint(v)) <= NEAR * (1 + np.abs(u)) + error)
