"""Outputs of a row that the array makes in the same steps: each weight word meets a word of activations of every one of them."""

from __future__ import annotations

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute

TOGETHER = (AccOp.ADD, AccOp.MAX, AccOp.MIN)
"""How taps are joined in every pixel; products, positions and roots are made of one output at a time."""


def together(d: Compute, config: EngineConfig) -> int:
    """Outputs of a row that are made together; fewer at its end."""
    return min(config.pixels, d.width_out) if d.op in TOGETHER and not d.root else 1


def groups_of(width: int, op: AccOp, config: EngineConfig) -> int:
    """Groups of outputs in a row of so many."""
    return -(-width // config.pixels) if op in TOGETHER else width


def groups(d: Compute, config: EngineConfig) -> int:
    """Groups of outputs of a tile."""
    return d.batch * d.height * -(-d.width_out // together(d, config))


def cycles(d: Compute, config: EngineConfig) -> int:
    """Issue cycles of a tile."""
    return groups(d, config) * (d.taps + d.idle)


def words(d: Compute) -> int:
    """Words that a result is written in."""
    return (d.planes + 1) * d.writes


def last_words(d: Compute, config: EngineConfig) -> int:
    """Words that the results of the last group are written in."""
    return ((d.width_out - 1) % together(d, config) + 1) * words(d)
