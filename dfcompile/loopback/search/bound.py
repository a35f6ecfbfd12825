"""Cycles that no program of a network beats on an array: its steps, what must be loaded, what must be stored.

Loads and stores have channels of their own, so neither waits for the other. What a program may leave out must not count: words of an
input that no tap reads, and weights that equal others (a tile that is still in the buffer is not loaded again).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp
from dfcompile.loopback.group import groups_of
from dfcompile.loopback.layer import Layer, Operand, Stored
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import digit_of, passes_of, tile_outs, word_range

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class Work:
    """Array steps, multiplications, the least bytes loaded and stored for one frame; of each layer its array steps, the words of weights of
    its tiles, and the words of what it reads and writes, the longest last.
    """

    steps: int
    macs: int
    loads: int
    stores: int
    layers: tuple[tuple[int, int, tuple[int, ...]], ...]

    def cycles(self, config: EngineConfig) -> int:
        """No program takes fewer."""
        return max(self.steps, self.loads // config.bus_bytes, self.stores // config.bus_bytes)

    def expected(self, config: EngineConfig) -> int:
        """What a program is likely to take: weights come in whole words, tensors that do not fit beside each other come and go, and where
        that keeps the bus busy the array waits.
        """
        total = 0
        for steps, weights, tensors in self.layers:
            kept = moved = 0
            for words in tensors:
                if kept + words > config.act_words:
                    moved += words
                else:
                    kept += words
            total += max(steps, weights * config.weight_beats + moved * config.word_beats)
        return max(self.cycles(config), total)


def work(low: Lowered, config: EngineConfig) -> Work:
    """What one frame takes at least."""
    layers: list[tuple[int, int, tuple[int, ...]]] = []
    read: dict[str, int] = {}
    inputs = {low.storage[t].buffer for t in low.inputs}
    for layer in low.layers:
        sweeps = len(passes_of(layer, low.storage, config))
        words, steps, weights = [0] * len(layer.operands), 0, 0
        for _, outs in tile_outs(low.storage[layer.dst].slots, layer, config):
            spans = [word_range(o, low.storage[o.tensor].slots, outs, config.simd) for o in layer.operands]
            words = [max(n, b - a) for n, (a, b) in zip(words, spans, strict=True)]
            every = sweeps * layer.window.kernel[0] * layer.window.kernel[1] * max(b - a for a, b in spans)
            weights += every if any(o.kernel.groups < len(o.kernel.weights) for o in layer.operands) else len(spans)
            used = _used(layer, low, outs, config) if _lists(layer, config) else every
            steps += layer.size[0] * (1 if layer.root else groups_of(layer.size[1], layer.op, config)) * used
        touched = [low.storage[t] for t in dict.fromkeys((*(o.tensor for o in layer.operands), layer.dst))]
        layers.append((steps, weights, tuple(sorted(s.planes * s.height * s.width * s.words(config.simd) for s in touched))))
        for operand, count in zip(layer.operands, words, strict=True):
            storage = low.storage[operand.tensor]
            if storage.buffer in inputs and layer.op == AccOp.ADD:
                least = count * storage.planes * _pixels(layer, storage.height, storage.width)
                read[storage.buffer] = max(read.get(storage.buffer, 0), least)
    written: dict[str, int] = {}
    for s in (low.storage[t] for t in low.outputs):
        written[s.buffer] = max(written.get(s.buffer, 0), s.height * s.width * s.planes * s.words(config.simd))
    constants = constant_bytes([o for layer in low.layers for o in layer.operands], config.code_bits > 0, config.digit_bits)
    loads = sum(read.values()) * config.word_bytes + constants
    steps = sum(s for s, _, _ in layers)
    return Work(steps, sum(layer.macs for layer in low.layers), loads, sum(written.values()) * config.word_bytes, tuple(layers))


def _lists(layer: Layer, config: EngineConfig) -> bool:
    """Whether tiles of a layer may walk less than their loops."""
    return config.list_words > 0 and layer.op == AccOp.ADD and not isinstance(layer.operands[0].kernel, Stored)


def _used(layer: Layer, low: Lowered, outs: Ints, config: EngineConfig) -> int:
    """Words of a tile with a weight other than 0."""
    found = 0
    for p in passes_of(layer, low.storage, config):
        kernel, slots = layer.operands[p.operand].kernel, low.storage[layer.operands[p.operand].tensor].slots
        block = digit_of(kernel.block(outs, slots), p.digit, config.digit_bits)
        found += int(np.count_nonzero(block.reshape(*block.shape[:3], -1, config.simd).any(axis=(0, 4))))
    return max(1, found)


def _pixels(layer: Layer, height: int, width: int) -> int:
    """Pixels of an operand that some tap of a layer reads."""
    found = 1
    for axis, size in enumerate((height, width)):
        outs, taps = np.arange(layer.size[axis]), np.arange(layer.window.kernel[axis])
        at = outs[:, None] * layer.window.stride[axis] - layer.window.pads[axis] + taps * layer.window.dilation[axis]
        found *= len(np.unique(at[(at >= 0) & (at < size)]))
    return found


def constant_bytes(operands: list[Operand], coded: bool = False, digit_bits: int = 8) -> int:
    """Bytes of the weights of dense operands that are loaded at least once, each kind of output channel once.

    Channels are told apart by how often they have each magnitude, so that no two tiles of equal bits count twice. A channel counts
    the bits that its own weights need, of those that are not 0; channels of a single magnitude do not count. coded: weights may be
    loaded as numbers of levels: no more bits than these need. digit_bits: wider weights are stored in digits of so many.
    """
    kinds: dict[int, int] = {}
    for w in (o.kernel.weights for o in operands if o.kernel.groups < len(o.kernel.weights)):
        size = np.abs(w.reshape(len(w), -1)).astype(np.uint64)
        most, count = size.max(axis=1), (size > 0).sum(axis=1)
        single = np.where(size > 0, size, most[:, None]).min(axis=1) == most
        with np.errstate(over="ignore"):
            mixed = (size * np.uint64(_MIX[0])) ^ ((size * np.uint64(_MIX[1])) >> np.uint64(29))
            key = np.where(size > 0, mixed * mixed, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        bits = np.where(most < 1 << digit_bits, _bits(most), 1)  # of the digits of wider ones some may be narrow
        if coded:
            bits = np.minimum(bits, np.floor(np.log2(np.maximum(_levels(w), 2))).astype(np.int64))
        for k, n in zip(key[~single].tolist(), (count * bits)[~single].tolist(), strict=True):
            kinds[k] = min(kinds.get(k, n), n)
    return sum(kinds.values()) // 8


def _levels(weights: Ints) -> Ints:
    """How many numbers each channel has."""
    rows = np.sort(weights.reshape(len(weights), -1), axis=1)
    return np.asarray(1 + (np.diff(rows, axis=1) != 0).sum(axis=1))


def _bits(most: NDArray[np.uint64]) -> Ints:
    """Signed bits that weights of either sign need at least: those of -2**k are k + 1."""
    return np.asarray(np.ceil(np.log2(np.maximum(most, 1).astype(np.float64))).astype(np.int64) + 1)
