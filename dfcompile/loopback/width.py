"""How wide an engine must be for networks: weights, sums, multipliers of requantizations, levels of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntAdd, IntDelay, IntStandardize, ThresholdCode
from dfcompile.ir.requantization import Requantization, requantize
from dfcompile.loopback.coding import LEVELS
from dfcompile.loopback.config import LEAST_ROOT_BITS, MOST_REPEAT_BITS, MOST_ROOT_BITS, MOST_SCALE_BITS, EngineConfig
from dfcompile.loopback.listing import STEP_BITS
from dfcompile.loopback.root import inverse_root
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import digit_of

SCALED_CODES = range(5, 17)
"""Bits of the codes that are worth requantizing: fewer have their thresholds in levels that a requantization takes anyway."""
LEAST_ZEROS = 1 / 16
"""Share of words of zeros from which on an engine gets lists of the others."""
LEAST_LESS = 1 / 16
"""Share of the bits of all weights that becomes less where levels are loaded, from which on an engine reads them."""
Scalings = dict[str, Requantization]


@lru_cache(maxsize=4)
def scalings(graph: Graph) -> Scalings:
    """Requantizations that equal thresholds over the proven ranges, by the node's name."""
    found: Scalings = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, ThresholdCode) and op.bits in SCALED_CODES and op.step == 1:
            x = graph.tensors[node.inputs[0]]
            lo, hi = (np.broadcast_to(np.asarray(b), (x.channels,)) for b in x.range)
            thresholds, flip = (graph.constants[t] for t in node.inputs[1:3])
            scaling = requantize(thresholds, np.broadcast_to(flip, (x.channels,)), lo, hi)
            if scaling is not None and scaling.factor_bits <= MOST_SCALE_BITS:
                found[node.name] = scaling
    return found


def holds(scaling: Requantization, lo: Ints, hi: Ints, above: Ints, config: EngineConfig) -> bool:
    """Whether an engine multiplies by so much, and neither its sum nor what it shifts wraps around where the true sum is in lo..hi.

    lo, hi, above: (channels,), `above` being what the true sum is above the array's
    """
    parts = (scaling.multiplier, scaling.offset, scaling.base, lo, hi)
    whole = [(m * a + (b << scaling.shift) + o) for m, o, b, *ends in np.broadcast(*(p.astype(object) for p in parts)) for a in ends]
    sums, bits = [int(v) for v in (*(lo - above), *(hi - above))], config.scaled_bits
    return scaling.factor_bits <= config.scale_bits and _fit(whole, bits) and _fit(sums, bits - config.scale_bits)


def _fit(values: list[int], bits: int) -> bool:
    return -(1 << (bits - 1)) <= min(values) and max(values) < 1 << (bits - 1)


def weight_bits(graphs: Sequence[Graph]) -> int:
    """2, 4 or 8: what the weights of all convolutions and the factors of additions need; 8 when some are wider, or bytes of a stream."""
    if any(n.op.kind in ("int_matmul", "standardize") for g in graphs for n in g.nodes):
        return 8
    convolutions = [g.constants[n.inputs[1]] for g in graphs for n in g.nodes if n.op.kind == "int_conv"]
    factors = [np.array(n.op.factors) for g in graphs for n in g.nodes if isinstance(n.op, IntAdd)]
    worst = max((_bits(w) for w in (*convolutions, *factors)), default=2)
    return next((b for b in (2, 4, 8) if b >= worst), 8)


def code_bits(graphs: Sequence[Graph], pe: int) -> int:
    """Bits of the widest number of a level, by what becomes less of the weights of convolutions; 0 where all together hardly become less.

    pe: rows of the array: each `pe` output channels are a tile, which has levels of its own
    """
    given = widest = less = 0
    for weights in (g.constants[n.inputs[1]] for g in graphs for n in g.nodes if n.op.kind == "int_conv"):
        for first in range(0, len(weights), pe):
            plain, bits, count = _coding(weights[first : first + pe])
            given, saved = given + plain * count, (plain - bits) * count - 8 * LEVELS
            if bits and saved > 0:
                widest, less = max(widest, bits), less + saved
    return widest if less >= LEAST_LESS * given else 0


def _coding(weights: Ints) -> tuple[int, int, int]:
    """(bits of a weight as it is, of the number of a level where that is less, else 0, how many weights) of a tile; wide ones in digits."""
    if np.all(np.abs(weights) == 1):
        return 1, 0, weights.size
    plain = next((b for b in (2, 4) if b >= _bits(weights)), 8)
    rest, digits, levels = weights.astype(np.int64), 0, np.zeros(256, bool)
    while digits == 0 or rest.any():
        levels[digit_of(rest, 0) + 128] = True
        rest, digits = (rest + 128) >> 8, digits + 1
    bits = next((b for b in (1, 2, 4) if np.count_nonzero(levels) <= 1 << b and b < plain), 0)
    return plain, bits, weights.size * digits


def zero_words(graphs: Sequence[Graph], pe: int, simd: int) -> float:
    """Share of the words of pe x simd weights of convolutions that are all zero."""
    zeros = words = 0
    for w in (g.constants[n.inputs[1]] for g in graphs for n in g.nodes if n.op.kind == "int_conv"):
        rows = np.logical_or.reduceat(w != 0, np.arange(0, w.shape[0], pe), axis=0)
        used = np.logical_or.reduceat(rows, np.arange(0, w.shape[3], simd), axis=3)
        zeros, words = zeros + int((~used).sum()), words + used.size
    return zeros / max(1, words)


def list_words(zeros: float, weight_words: int, bus_bits: int) -> int:
    """Bus words of an engine's lists where a share of the words of weights is zero: as many steps as its buffer has words, or none."""
    return weight_words * STEP_BITS // bus_bits if zeros >= LEAST_ZEROS else 0


def root_bits(graphs: Sequence[Graph]) -> int:
    """Bits in which the inverse roots of norms are found; 0 where there are none, or more than an engine has."""
    found = [inverse_root(n.op, g.tensors[n.inputs[0]]).width for g in graphs for n in g.nodes if isinstance(n.op, IntStandardize)]
    return min(MOST_ROOT_BITS, max(LEAST_ROOT_BITS, *found)) if found else 0


def repeat_bits(graphs: Sequence[Graph]) -> int:
    """Bits of the steps of the longest loop; 0 where there is none."""
    found = [g.tensors[n.outputs[0]].shape[1].bit_length() for g in graphs for n in g.nodes if isinstance(n.op, IntDelay)]
    return min(MOST_REPEAT_BITS, max(found, default=0))


def scale_bits(graphs: Sequence[Graph]) -> int:
    """Bits of the widest multiplier of a requantization; 0 where there is none."""
    return max((s.factor_bits for g in graphs for s in scalings(g).values()), default=0)


def _bits(weights: Ints) -> int:
    lo, hi = int(weights.min()), int(weights.max())
    return 1 + max((-lo - 1).bit_length() if lo < 0 else 0, hi.bit_length() if hi > 0 else 0)
