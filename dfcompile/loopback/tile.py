"""Tiles: the weights and thresholds of `pe` output channels as the engine's memories hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.requantization import Requantization
from dfcompile.loopback.config import BYTE, EngineConfig
from dfcompile.loopback.descriptor import AccOp, WeightReset
from dfcompile.loopback.layer import Layer, Operand, Steps
from dfcompile.loopback.storage import GAP, Ints, Storage

MOST_PASSES = 4
"""Passes of a descriptor."""
NO_DIGIT = 64
"""A digit that is 0 in every weight."""
NEVER = 1 << 62
"""A threshold that no sum reaches; its negative is one that every sum passes."""


@dataclass(frozen=True)
class Pass:
    """One sweep over the taps: plane `plane` of operand `operand` by digit `digit` of its weights; the sum is multiplied by the base of
    the digits of codes before it where `shift`.
    """

    operand: int
    plane: int
    shift: bool
    digit: int = 0


@dataclass(frozen=True, eq=False)
class Tile:
    """What one compute descriptor needs.

    outs:    (pe,) output channels, GAP where a row is idle
    first:   first channel word of each operand that is read
    words:   channel words read of each operand, the same for all
    weights: (steps, pe, simd) integers as walked by the weight address
    reset, width: see `Compute`
    bits:    the weights as the buffer holds them, whole words
    loads:   of weights that are no constants, instead of `bits`, for each sweep over the words the words of the buffer: their bytes, or
             where they come from, (buffer, its first word)
    """

    outs: Ints
    first: tuple[int, ...]
    words: int
    weights: Ints
    reset: WeightReset
    width: int
    bits: bytes
    loads: tuple[tuple[bytes | tuple[str, int], ...], ...] = ()


def passes_of(layer: Layer, storage: dict[str, Storage], config: EngineConfig) -> list[Pass]:
    """Operand planes and weight digits from the highest product down, by powers of the base of the digits of codes; a power that no product
    has gets a pass of zeros. ValueError where what is no sum has more than a descriptor."""
    found: list[Pass] = []
    if layer.op == AccOp.MUL:
        planes = [(i, p) for i, o in enumerate(layer.operands) for p in range(storage[o.tensor].planes - 1, -1, -1)]
        found = [Pass(i, p, p + 1 < storage[layer.operands[i].tensor].planes) for i, p in planes]
        return _walked(found, "factors are", config)
    each = config.digit_bits // config.act_bits  # powers from a digit of weights to the next
    sizes = [(storage[o.tensor].planes, o.kernel.digits(config.digit_bits)) for o in layer.operands]
    for power in range(max(p + (d - 1) * each for p, d in sizes) - 1, -1, -1):
        found += _of_power(power, sizes, each, bool(found))
    return found if layer.op == AccOp.ADD else _walked(found, "codes are", config)


def _of_power(power: int, sizes: list[tuple[int, int]], each: int, shift: bool) -> list[Pass]:
    """The passes of one power. sizes: (planes, weight digits) of each operand; each: powers from a weight digit to the next."""
    places = [(i, k, (power - k) // each) for i, (planes, _) in enumerate(sizes) for k in range(planes) if (power - k) % each == 0]
    here = [(i, k, d) for i, k, d in places if 0 <= d < sizes[i][1]] or [(0, 0, NO_DIGIT)]
    return [Pass(i, k, shift and first == 0, d) for first, (i, k, d) in enumerate(here)]


def _walked(passes: list[Pass], what: str, config: EngineConfig) -> list[Pass]:
    """ValueError where a descriptor does not walk so many: only sums go on with partial ones."""
    if len(passes) > MOST_PASSES:
        raise ValueError(f"its {what} of {len(passes)} {digits_of(config)}, the engine walks {MOST_PASSES}")
    return passes


def digits_of(config: EngineConfig) -> str:
    """How messages call the digits of codes."""
    return "bytes" if config.act_bits == BYTE else f"digits of {config.act_bits} bits"


def runs_of(layer: Layer, passes: list[Pass]) -> list[list[Pass]]:
    """Passes of a layer in runs of as many as a descriptor walks; a sum goes on with the partial sum of the run before.

    Nothing is shifted before the first pass of a run: it begins where none is, or with a pass whose weights are 0.
    """
    if layer.op != AccOp.ADD:
        return [passes]
    runs: list[list[Pass]] = []
    rest = passes
    while rest:
        if rest[0].shift:
            rest = [replace(rest[0], shift=False, digit=NO_DIGIT), *rest]
        ends = [k for k in range(1, MOST_PASSES + 1) if k >= len(rest) or not rest[k].shift]
        end = ends[-1] if ends else MOST_PASSES
        runs.append(rest[:end])
        rest = rest[end:]
    return runs


def correction(layer: Layer, storage: dict[str, Storage], channels: int) -> Ints:
    """What the true sum of each channel is above the array's: the storage shifts, and the layer's offset."""
    total = np.zeros(channels, np.int64) + layer.offset
    if layer.op.picks or layer.op == AccOp.MUL:  # an index has no shift; factors start from theirs
        return total
    for o in layer.operands:
        sums = o.kernel.sums() if layer.op == AccOp.ADD else np.ones(channels, np.int64)
        total = total + storage[o.tensor].shift * sums
    return total


def tile_outs(slots: Ints, layer: Layer, config: EngineConfig) -> list[tuple[int, Ints]]:
    """(first slot, output channels) of every tile that is not all gaps.

    Channel by channel, a step feeds `simd` outputs: more rows would stay idle, and a maximum must see one word a tap.
    """
    alone = all(o.kernel.groups == len(o.kernel.weights) for o in layer.operands)
    step = min(config.pe, config.simd) if alone else config.pe
    padded = np.concatenate([slots, np.full(-len(slots) % step, GAP, np.int64)]).reshape(-1, step)
    rows = np.concatenate([padded, np.full((len(padded), config.pe - step), GAP, np.int64)], axis=1)
    return [(i * step, row) for i, row in enumerate(rows) if np.any(row >= 0)]


def word_range(operand: Operand, slots: Ints, outs: Ints, simd: int) -> tuple[int, int]:
    """(first, end) of the channel words that output channels read."""
    first, last = operand.kernel.inputs(outs[outs >= 0])
    at = np.flatnonzero((slots >= first) & (slots <= last))
    return int(at[0]) // simd, int(at[-1]) // simd + 1


def make_tile(layer: Layer, passes: list[Pass], storage: dict[str, Storage], outs: Ints, config: EngineConfig) -> Tile:
    """Weights of one tile over all channel words that it reads."""
    if layer.op.picks:
        return _picking(layer, passes, storage, outs, config)
    simd = config.simd
    ranges = [word_range(o, storage[o.tensor].slots, outs, simd) for o in layer.operands]
    words = max(b - a for a, b in ranges)
    first = []
    blocks = []
    for o, (start, _) in zip(layer.operands, ranges, strict=True):
        slots = storage[o.tensor].slots
        begin = min(start, len(slots) // simd - words)
        if begin < 0:
            raise ValueError("its operands lie in words of different number")
        ins = slots[begin * simd : (begin + words) * simd]
        block = o.kernel.block(outs, ins)
        kh, kw = block.shape[1:3]
        blocks.append(block.reshape(config.pe, kh * kw, words, simd).transpose(1, 2, 0, 3))
        first.append(begin)
    stack = np.stack([digit_of(blocks[p.operand], p.digit, config.digit_bits) for p in passes])
    if layer.op != AccOp.ADD:  # the passes of a tap follow one another
        stack = stack.swapaxes(0, 1).reshape(1, -1, *stack.shape[2:])
    return _packed(stack, outs, tuple(first), words, config)


def _picking(layer: Layer, passes: list[Pass], storage: dict[str, Storage], outs: Ints, config: EngineConfig) -> Tile:
    """One lane after the other in row 0: a tap is a channel, a row of taps is a word."""
    weights = np.zeros((config.simd, len(passes), config.pe, config.simd), np.int64)
    weights[:, :, 0] = np.eye(config.simd, dtype=np.int64)[:, None]
    walk = weights.reshape(-1, config.pe, config.simd)
    width = width_of(walk, config)
    return Tile(outs, (0,), 1, walk, WeightReset.ROW, width, pack_weights(walk, width, config))


def _packed(stack: Ints, outs: Ints, first: tuple[int, ...], words: int, config: EngineConfig) -> Tile:
    """(passes, taps, words, pe, simd), as they are walked --> the shortest walk."""
    reset = WeightReset.VECTOR
    if stack.shape[:2] != (1, 1) and np.all(stack == stack[:1, :1]):
        stack, reset = stack[:1, :1], WeightReset.TAP
    elif len(stack) > 1 and np.all(stack == stack[:1]):
        stack, reset = stack[:1], WeightReset.PASS
    weights = stack.reshape(-1, config.pe, config.simd)
    width = width_of(weights, config)
    return Tile(outs, first, words, weights, reset, width, pack_weights(weights, width, config))


def digit_of(weights: Ints, digit: int, bits: int = 8) -> Ints:
    """A signed digit of so many bits of each weight; the last digit of a weight is the weight itself where it has one only."""
    half = 1 << (bits - 1)
    for _ in range(min(digit, 64 // bits)):
        weights = (weights + half) >> bits
    return np.asarray(((weights + half) & (2 * half - 1)) - half)


def width_of(weights: Ints, config: EngineConfig) -> int:
    """log2 of the bits of a weight; 0 is one bit for -1 and +1."""
    lo, hi = int(weights.min()), int(weights.max())
    if np.all(np.abs(weights) == 1):
        return 0
    for width in (1, 2, 3):
        top = 1 << ((1 << width) - 1)
        if 1 << width <= config.weight_bits and -top <= lo and hi < top:
            return width
    raise ValueError(f"its weights [{lo}, {hi}] are wider than {config.weight_bits} bits")


def pack_weights(weights: Ints, width: int, config: EngineConfig) -> bytes:
    """Weights (steps, pe, simd) to whole words of the buffer, element 0 lowest."""
    bits = 1 << width
    flat = weights.reshape(-1)
    patterns = (flat > 0) if width == 0 else flat & ((1 << bits) - 1)
    planes: NDArray[np.uint8] = ((patterns.astype(np.uint8)[:, None] >> np.arange(bits, dtype=np.uint8)) & 1).astype(np.uint8)
    data = np.packbits(planes.reshape(-1), bitorder="little").tobytes()
    word = config.lanes * config.weight_bits // 8
    return data + bytes(-len(data) % word)


def unpack_weights(data: NDArray[np.uint8], width: int, lanes: int) -> Ints:
    """The inverse of `pack_weights`: bytes to (steps, lanes)."""
    bits = 1 << width
    planes = np.unpackbits(data, bitorder="little").reshape(-1, bits).astype(np.int64)
    patterns = planes @ (1 << np.arange(bits, dtype=np.int64))
    values = 2 * patterns - 1 if width == 0 else np.where(patterns >= 1 << (bits - 1), patterns - (1 << bits), patterns)
    return np.asarray(values.reshape(-1, lanes))


def levels_of(steps: Steps | None) -> int:
    """Levels of the threshold tree; 0 without thresholds. Of a requantization the bits of a code, less one."""
    if steps is None:
        return 0
    return max(1, int(steps.thresholds.shape[1]).bit_length()) - int(steps.scaling is not None)


def tree_words(steps: Steps | None, bias: Ints, outs: Ints, shift: int, config: EngineConfig) -> list[tuple[int, Ints]]:
    """Pieces of a tile's threshold bank: (first word, (words, pe)).

    Word 0 is the bias (of a table or requantization the least code less the storage shift), or where there are thresholds twice the least
    stored number, plus the flip; node 2**l + i of level l follows at its own index, the entries of a table in the second half of the
    bank. ValueError for codes too wide to double.
    """
    rows = np.maximum(outs, 0)
    if steps is None:
        return [(0, np.where(outs >= 0, bias[rows], 0)[None])]
    if steps.scaling is not None:
        return [(0, _scale_words(steps.scaling, bias, outs, steps.lowest - shift, config))]
    levels = levels_of(steps)
    size = (1 << levels) - 1
    top = (1 << (config.acc_bits - 1)) - 1
    table = np.full((len(outs), size), top, np.int64)
    source = steps.thresholds[rows if len(steps.thresholds) > 1 else 0 * rows]
    table[:, : source.shape[1]] = np.clip(source - bias[rows][:, None], -top - 1, top)
    flip = steps.flip[rows if len(steps.flip) > 1 else 0 * rows]
    if steps.table is None and not -top - 1 <= 2 * (steps.lowest - shift) < top:
        raise ValueError(f"its codes from {steps.lowest} on are wider than {config.acc_bits - 1} bits")
    words = np.empty((1 << levels, len(outs)), np.int64)
    words[0] = 2 * (steps.lowest - shift) + flip if steps.table is None else -shift
    for level in range(levels):
        at = ((2 * np.arange(1 << level) + 1) << (levels - 1 - level)) - 1
        words[1 << level : 2 << level] = table[:, at].T
    return [(0, words)] + ([] if steps.table is None else [(1 << (config.tree_levels - 1), _entries(steps.table, rows, levels))])


def _scale_words(scaling: Requantization, bias: Ints, outs: Ints, least: int, config: EngineConfig) -> Ints:
    """(5, pe): the least stored number, the multiplier, the lower bits of the offset of the array's sums, at last its upper bits."""
    words = np.zeros((5, len(outs)), np.int64)
    words[0] = least
    parts = [np.broadcast_to(a, (len(bias),)) for a in (scaling.multiplier, scaling.offset, scaling.base, bias)]
    for row, c in enumerate(outs.tolist()):
        if c >= 0:
            factor, offset, base, above = (int(a[c]) for a in parts)
            whole = (base << scaling.shift) + offset + factor * above
            words[[1, 2, 4], row] = factor, _signed(whole, config.acc_bits), _signed(whole >> config.acc_bits, config.acc_bits)
    return words


def _signed(value: int, bits: int) -> int:
    """The lowest bits of an integer, read as signed."""
    return ((value + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))


def _entries(table: Ints, rows: Ints, levels: int) -> Ints:
    """(2**levels, pe) entries by count; counts beyond the last never occur."""
    chosen = table[rows if len(table) > 1 else 0 * rows]
    return np.asarray(np.pad(chosen, ((0, 0), (0, (1 << levels) - chosen.shape[1])), mode="edge").T)


def flipped(steps: Steps) -> Steps:
    """Thresholds filled up to 2**levels - 1, so that the complement of the count stays right."""
    missing = (1 << levels_of(steps)) - 1 - steps.thresholds.shape[1]
    if steps.scaling is not None or not missing or not np.any(steps.flip):
        return steps
    # A flipped channel counts down from 2**levels - 1: the thresholds that are missing are always passed.
    rows = max(len(steps.thresholds), len(steps.flip))
    wide = np.broadcast_to(steps.thresholds, (rows, steps.thresholds.shape[1]))
    flip = np.broadcast_to(steps.flip, (rows,))[:, None]
    low = np.where(flip, -NEVER, NEVER) + np.zeros((rows, missing), np.int64)
    table = np.sort(np.concatenate([wide, low], axis=1), axis=1)
    return replace(steps, thresholds=table, flip=np.broadcast_to(steps.flip, (rows,)))


def cut_tile(tile: Tile, first: int, end: int, config: EngineConfig) -> Tile:
    """Channel words first..end-1 of a tile."""
    if end - first == tile.words:
        return tile
    walk = tile.weights.reshape(-1, tile.words, config.pe, config.simd)[:, first:end].reshape(-1, config.pe, config.simd)
    if tile.loads:
        return replace(tile, weights=walk, words=end - first, first=(tile.first[0] + first,), loads=tuple(s[first:end] for s in tile.loads))
    bits = pack_weights(walk, tile.width, config)
    return replace(tile, weights=walk, words=end - first, first=tuple(f + first for f in tile.first), bits=bits)
