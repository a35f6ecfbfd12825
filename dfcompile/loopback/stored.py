"""Tiles whose weights are no constants: bytes of a tensor, loaded from where layers before stored it.

With a stored digit x and what storage takes from it, s = 0 or half of its range, a product of two codes is
(x + s) (w + t) = x w + s w + x t + s t.
The array makes x w in a tap inside the picture, s w in two taps outside it, whose pad is s / 2, and x t in two taps inside it,
whose weights are t / 2; s t is a constant (`Stored.sums`).
"""

from __future__ import annotations

import numpy as np

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import WeightReset
from dfcompile.loopback.layer import Layer, Stored
from dfcompile.loopback.storage import Ints, Storage, to_memory
from dfcompile.loopback.tile import Pass, Tile


def takes_half(planes: int, shift: int, plane: int) -> bool:
    """Whether storage takes half of its range from a digit of a code, of codes that are stored without a shift, in two or more digits, or
    less half the range of one."""
    return plane < planes - 1 or (planes == 1 and shift != 0)


def half_of(config: EngineConfig) -> int:
    """Half of what storage takes from a digit."""
    return 1 << (config.act_bits - 2)


def _kernel(layer: Layer) -> Stored:
    kernel = layer.operands[0].kernel
    assert isinstance(kernel, Stored), "the layer has constant weights"
    return kernel


def _taps(layer: Layer, storage: dict[str, Storage]) -> tuple[int, int]:
    """Taps before and behind the one that multiplies stored bytes."""
    kernel = _kernel(layer)
    return 2 * (storage[layer.operands[0].tensor].shift != 0), 2 * (kernel.lifted and kernel.shift != 0)


def around(layer: Layer, passes: list[Pass], storage: dict[str, Storage], config: EngineConfig) -> dict[str, int]:
    """Fields of a descriptor: taps that all read the same word, the first of them outside the picture."""
    before, behind = _taps(layer, storage)
    s = storage[layer.operands[0].tensor]
    halves = [half_of(config) if before and takes_half(s.planes, s.shift, p.plane) else 0 for p in passes]
    pads = {f"pad_{i}" if i else "pad": half for i, half in enumerate(halves)}
    size = {"kernel_h": 1, "kernel_w": before + 1 + behind, "tap_h": 0, "tap_w": 0}
    y = {"y_first": 0, "y_step": 0, "y_tap": 0, "y_size": 1}
    return pads | size | y | {"x_first": -before, "x_step": 0, "x_tap": 1, "x_size": 1 + behind}


def stored_tile(layer: Layer, passes: list[Pass], storage: dict[str, Storage], outs: Ints, config: EngineConfig) -> Tile:
    """The weights of one tile: where their bytes are, and the constants around them."""
    kernel, (before, behind) = _kernel(layer), _taps(layer, storage)
    words, row = len(kernel.words), kernel.first + int(outs[0])
    zeros = bytes(config.lanes * config.weight_bits // 8)
    loads: list[tuple[bytes | tuple[str, int], ...]] = []
    for p in passes:
        is_digit = p.digit < kernel.planes
        found = tuple((name, p.digit * kernel.pitch + row) if is_digit else zeros for name in kernel.words)
        lifts = is_digit and takes_half(kernel.planes, kernel.shift, p.digit)
        constant = tuple(_halves(kernel, g, config) if lifts else zeros for g in range(words))
        loads += [found] * (before + 1) + [constant] * behind
    reset = WeightReset.VECTOR
    if len(passes) == 1 and not behind:
        loads, reset = loads[:1], WeightReset.TAP
    weights = np.broadcast_to(np.int64(0), (len(loads) * words, config.pe, config.simd))
    return Tile(outs, (0,), words, weights, reset, config.weight_bits.bit_length() - 1, b"", tuple(loads))


def _halves(kernel: Stored, word: int, config: EngineConfig) -> bytes:
    """A word of the buffer: `half_of` for each term, 0 in the lanes beyond the last."""
    lanes = word * config.simd + np.arange(config.simd) < kernel.weights.shape[3]
    halves = np.tile(np.where(lanes, half_of(config), 0).astype(np.int8), config.pe)
    return to_memory(halves, config.act_bits).tobytes()
