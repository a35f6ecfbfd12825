"""How far channels are below the largest one of their pixel.

The largest is found of the words lane by lane, then of the lanes of one word, and lies in every channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Node, Tensor
from dfcompile.ir.intop import IntBelowMax, Window
from dfcompile.loopback.descriptor import AccOp
from dfcompile.loopback.layer import Kernel, Layer, Operand, identity
from dfcompile.loopback.placing import Placing
from dfcompile.loopback.storage import Storage, slots_of

MOST_STEP = 255
"""Of a window's taps, in a descriptor."""


def below_max(placing: Placing, node: Node, op: IntBelowMax, x: str) -> Iterator[Layer]:
    """Layers of a node whose input x lies in whole words of a buffer of its own; each is to be added before the next is asked for."""
    out, (h, w, c), (lo, hi) = node.outputs[0], placing.tensor(x).shape, placing.bounds(x)
    whole, simd = x, placing.config.simd
    if c % simd:
        # The least code in the lanes that have no channel.
        whole, size = f"{node.name}.whole", -(-c // simd) * simd
        _declare(placing, whole, (h, w, size), lo, hi)
        kernel, offset = Kernel(np.eye(size, c, dtype=np.int64).reshape(size, 1, 1, c), 1), np.where(np.arange(size) < c, 0, lo)
        yield Layer(whole, whole, (Operand(x, kernel),), Window(), (h, w), offset=offset, source=(node.name,))
    yield from _largest(placing, node, whole, c)
    below = out if hi - lo <= op.limit else f"{node.name}.below"
    _declare(placing, below, (h, w, c), 0, hi - lo)
    operands = (Operand(x, identity(c, -1)), Operand(f"{node.name}.largest", identity(c)))
    yield Layer(below, below, operands, Window(), (h, w), source=(node.name,))
    if below != out:  # the smaller of it and what lies outside the picture
        by_column = w <= MOST_STEP
        window = Window((1, 2), pads=(0, 0, 0, w), dilation=(1, w)) if by_column else Window((2, 1), pads=(0, 0, h, 0), dilation=(h, 1))
        operand = Operand(below, identity(c, 1, window.kernel))
        yield Layer(out, out, (operand,), window, (h, w), AccOp.MIN, pad=op.limit, source=(node.name,))


def _largest(placing: Placing, node: Node, x: str, channels: int) -> Iterator[Layer]:
    """Layers that make the tensor NODE.largest of so many channels from whole words."""
    simd, storage = placing.config.simd, placing.result.storage
    s, (h, w, _), (lo, hi) = storage[x], placing.tensor(x).shape, placing.bounds(x)
    words, lanes, rows = s.words(simd), x, (h, w)
    if words > 1:
        # A word as a pixel, a pixel as a row of the picture.
        picture, lanes, rows = f"{node.name}.words", f"{node.name}.lanes", (h * w, 1)
        _declare(placing, picture, (h * w, words, simd), lo, hi)
        storage[picture] = replace(s, slots=slots_of(simd, simd), height=h * w, width=words, row=words, col=1)
        _declare(placing, lanes, (h * w, 1, simd), lo, hi)
        storage[lanes] = Storage(lanes, slots_of(simd, simd), h * w, 1, 0, 1, 1, h * w, s.planes, s.shift, s.bits)
        placing.result.buffers[lanes] = s.planes * h * w
        operand = Operand(picture, identity(simd, 1, (1, words)))
        yield Layer(lanes, lanes, (operand,), Window((1, words)), rows, AccOp.MAX, source=(node.name,))
    largest, seen = f"{node.name}.largest", f"{node.name}.largest.rows"
    _declare(placing, largest, (h, w, channels), lo, hi)
    placing.place(largest)
    made = storage[largest]
    _declare(placing, seen, (*rows, channels), lo, hi)
    storage[seen] = replace(made, height=rows[0], width=rows[1], row=rows[1] * made.col)
    # A tap for each lane, all of the same word.
    kernel = Kernel(np.broadcast_to(np.eye(simd, dtype=np.int64)[None, None], (channels, 1, simd, simd)), 1)
    yield Layer(largest, seen, (Operand(lanes, kernel),), Window((1, simd), dilation=(1, 0)), rows, AccOp.MAX, source=(node.name,))


def _declare(placing: Placing, name: str, shape: tuple[int, int, int], lo: int, hi: int) -> None:
    placing.declare(name, Tensor(shape, None, np.full(shape[2], lo), np.full(shape[2], hi)))
