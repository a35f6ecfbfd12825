"""Forms of a tile of constant weights: as it is, without its words of zeros, as numbers of few levels; the fastest is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcompile.loopback.coding import encode
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute
from dfcompile.loopback.group import groups
from dfcompile.loopback.listing import STEP_BITS, Steps, steps_of
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import Tile, pack_weights, width_of


@dataclass(frozen=True, eq=False)
class Form:
    """How a tile is loaded and walked.

    block: its weights in external memory
    words: what they fill of the weight buffer
    taps:  steps for an output
    width: see `Compute`
    coded: see `Transfer`
    steps: of its list; None: it walks its loops
    """

    block: bytes
    words: int
    taps: int
    width: int
    coded: int = 0
    steps: Steps | None = None

    def listing(self, config: EngineConfig) -> bytes:
        """Its list, whole bus words."""
        data = b"" if self.steps is None else self.steps.words.astype("<u4").tobytes()
        return data + bytes(-len(data) % config.bus_bytes)

    def cycles(self, d: Compute, config: EngineConfig) -> tuple[int, int]:
        """(the longer one of loading it and walking it, of loading it)."""
        beats = (len(self.block) + len(self.listing(config))) // config.bus_bytes
        return max(beats, groups(d, config) * self.taps), beats


def best_form(tile: Tile, d: Compute, config: EngineConfig) -> Form:
    """The fastest form of a tile whose descriptor would walk its loops. ValueError where its weights are too wide."""
    return min(_forms(tile, d, config), key=lambda form: form.cycles(d, config))


def _forms(tile: Tile, d: Compute, config: EngineConfig) -> Iterator[Form]:
    word = config.lanes * config.weight_bits // 8
    found = [(Form(tile.bits, len(tile.bits) // word, d.taps, tile.width), tile.weights)]
    kept = _kept(tile, d) if config.list_words and d.op == AccOp.ADD else np.arange(d.taps)
    if len(kept) < d.taps:
        steps, weights = steps_of(d, kept), tile.weights[kept % len(tile.weights)]
        if steps.fit and 2 * len(kept) * STEP_BITS <= config.list_words * config.bus_bits:
            width = width_of(weights, config)
            bits = pack_weights(weights, width, config)
            if 2 * len(bits) <= word * config.weight_words:
                found.append((Form(bits, len(bits) // word, len(kept), width, steps=steps), weights))
    for form, weights in found:
        yield form
        # Levels are looked for only where loading takes longer than walking: in the buffer they lie in their full width.
        if config.code_bits and form.cycles(d, config)[1] > groups(d, config) * form.taps and 2 * len(weights) <= config.weight_words:
            block = encode(weights, config)
            if block is not None:
                yield Form(block[1], len(weights), form.taps, config.weight_bits.bit_length() - 1, block[0], form.steps)


def _kept(tile: Tile, d: Compute) -> Ints:
    """Steps with a weight other than 0, of each pass one at the least: its sum may have to be multiplied."""
    used = np.asarray(tile.weights.any(axis=(1, 2)))
    if used.all():
        return np.arange(d.taps)
    steps = np.tile(used, d.taps // len(used)).reshape(d.passes + 1, -1)
    steps[:, 0] |= ~steps.any(axis=1)
    return np.flatnonzero(steps)
