"""In how many parts a layer is run: what it reads from outside is loaded while the array works on the part before."""

from __future__ import annotations

from math import isqrt

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.layer import Layer, Stored
from dfcompile.loopback.storage import Storage
from dfcompile.loopback.tile import levels_of, passes_of, tile_outs, word_range

MOST_PARTS = 16
PART = 32
"""Bus words that another part must save: it takes descriptors, and requests of its own."""


def parts(layer: Layer, storage: dict[str, Storage], beats: int, config: EngineConfig) -> int:
    """The number of parts in which the array waits least. beats: bus words that a layer loads for its operands, or stores"""
    if any(isinstance(o.kernel, Stored) for o in layer.operands):  # weights of each image
        return 1
    return max(1, min(MOST_PARTS, layer.size[0], isqrt(beats // (PART + _again(layer, storage, config)))))


def _again(layer: Layer, storage: dict[str, Storage], config: EngineConfig) -> int:
    """Bus words that each part loads once more: weights and thresholds that do not stay in their memories."""
    tiles = [outs for _, outs in tile_outs(storage[layer.dst].slots, layer, config)]
    steps = len(passes_of(layer, storage, config)) * layer.window.kernel[0] * layer.window.kernel[1]
    spans = [word_range(o, storage[o.tensor].slots, outs, config.simd) for outs in tiles for o in layer.operands[:1]]
    words = steps * sum(b - a for a, b in spans)
    nodes = 5 if layer.steps and layer.steps.scaling else 1 << levels_of(layer.steps)
    weights = words * config.weight_beats * (words > config.weight_words)
    return weights + len(tiles) * nodes * config.tree_beats * (len(tiles) > config.tree_banks)
