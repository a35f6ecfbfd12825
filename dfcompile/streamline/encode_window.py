"""Encoding of pooling, reductions and padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Node, op_of
from dfcompile.ir.intop import IntConv, IntPad, IntPool, View, Window
from dfcompile.ir.modelop import AveragePool, MaxPool, Pad, Reduce
from dfcompile.streamline import encode_real
from dfcompile.streamline.encode_axes import Axes, as_chw, orientation, turned, turned_back
from dfcompile.streamline.encode_layout import aligned, constant_operand, joined, recentred, refined, spatial
from dfcompile.streamline.encode_linear import near_code, pair, quad
from dfcompile.streamline.encode_pointwise import sum_of
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid, fractions
from dfcompile.streamline.layout import natural_index
from dfcompile.streamline.step import chain_direction
from dfcompile.streamline.value import Value


def encode_max_pool(enc: Encoder, node: Node) -> None:
    """Largest of a window. A pending chain that rises commutes with it, one that falls turns it into the smallest."""
    window, shape = _pool_window(enc, node, op_of(node, MaxPool)), enc.model.tensors[node.outputs[0]].shape[1:]
    enc.known[node.outputs[0]] = _extreme(enc, node, "max", window, shape)
    enc.note(node, "pool (max)")


def _extreme(enc: Encoder, node: Node, mode: str, window: Window, shape: tuple[int, ...], order: Axes | None = None) -> Value:
    """The largest or smallest of each window of the operand, its axes in this order, as a tensor of this shape."""
    value = enc.value(node.inputs[0], node)
    unrounded = not (value.is_codes or value.addends or any(s.jumps for s in value.chain))
    if value.grid is not None and not (unrounded and chain_direction(value.base, value.chain) is not None):
        value = enc.codes(node.inputs[0], node)
    elif value.addends:
        value = enc.summed(value, node)
    value, channels = spatial(enc, turned(value, order) if order else value, node)
    direction = chain_direction(value.base, value.chain)
    c = enc.shape(value.stream)[2]
    if direction is None:
        refuse(
            "not-quantized",
            f"'{node.op.kind}' follows a function that is not monotone and not quantized",
            node,
            "the largest result is then not that of the largest or smallest code",
            "put a quantizer between them",
        )
    signs = np.broadcast_to(np.asarray(direction), (c,))
    if np.any(signs < 0) and np.any(signs > 0):
        value = _upright(enc, node, value, signs)
        signs = np.ones(c)
    if np.any(signs < 0):
        mode = "min" if mode == "max" else "max"
    stream = enc.emit(IntPool(mode, window), (value.stream,), node.source, f"pool_{node.name}")
    return _on(enc, node, value, stream, channels, shape)


def _extreme_of_channels(enc: Encoder, node: Node, mode: str, window: Window, shape: tuple[int, ...], order: Axes) -> Value:
    """The largest or smallest of all channels of each window.

    Channels of a pixel follow one another, so that a pixel of p * c channels is p pixels of c: a pool over these, for each prime p.
    """
    value, channels = spatial(enc, turned(enc.codes(node.inputs[0], node), order), node)
    grid, c = value.known_grid, enc.shape(value.stream)[2]
    if any(len({np.broadcast_to(part, (c,))[i] for i in channels}) > 1 for part in (grid.scale, grid.offset)):
        refuse(
            "unequal-scales", f"channels of different scales are compared by '{mode}'", node, f"the codes mean {grid}",
            "use one scale for this tensor",
        )  # fmt: skip
    one = Grid.of(*(np.broadcast_to(part, (c,))[channels[0]] for part in (grid.scale, grid.offset)))
    if one.scale < 0:
        mode = "min" if mode == "max" else "max"
    stream = value.stream
    if len(set(channels)) < c:
        rows = np.eye(c, dtype=np.int64)[sorted(set(channels))].reshape(-1, 1, 1, c)
        stream = enc.emit(IntConv(), (stream,), node.source, f"select_{node.name}", weights=rows)
    if not window.is_trivial:
        stream = enc.emit(IntPool(mode, window), (stream,), node.source, f"pool_{node.name}")
    for p in _primes(enc.shape(stream)[2]):
        h, w, c = enc.shape(stream)
        stream = enc.emit(View((h, w * p, c // p)), (stream,), node.source, f"view_{node.name}")
        stream = enc.emit(IntPool(mode, Window((1, p), (1, p))), (stream,), node.source, f"pool_{node.name}")
    return _on(enc, node, replace(value, base=one, grid=one), stream, np.arange(1), shape)


def _primes(n: int) -> list[int]:
    """Its prime factors, rising."""
    found, p = [], 2
    while n > 1:
        p = p if n % p == 0 else next(q for q in range(p + 1, n + 1) if n % q == 0)
        found.append(p)
        n //= p
    return found


def _upright(enc: Encoder, node: Node, value: Value, signs: Array) -> Value:
    """Codes negated in the channels whose function falls."""
    flips = np.where(signs < 0, -1, 1).astype(np.int64)
    stream = enc.emit(
        IntConv(Window(), len(flips)), (value.stream,), node.source, f"negate_{node.name}", weights=flips.reshape(-1, 1, 1, 1)
    )
    factor = np.array([Fraction(int(f)) for f in flips], object)
    base = Grid(np.asarray(value.base.scale * factor, object), np.broadcast_to(value.base.offset, factor.shape).copy())
    grid = base if value.is_codes else value.grid
    return replace(value, stream=stream, base=base, grid=grid)


def _on(enc: Encoder, node: Node, value: Value, stream: str, channels: Array, shape: tuple[int, ...]) -> Value:
    """The value on another stream, with these of its channels, as a tensor of this shape."""
    h, w, c = enc.shape(stream)
    index = natural_index(c, h, w)[channels].reshape(shape)
    return replace(value, stream=stream, index=index, anchor=node.outputs[0] if value.is_codes else value.anchor)


def _pool_window(enc: Encoder, node: Node, op: Any) -> Window:
    rank = len(op.kernel)
    kernel, stride, dilation, pads = pair(op.kernel, rank), pair(op.strides, rank), pair(op.dilations, rank), quad(op.pads, rank)
    window = Window(kernel, stride, pads, dilation)
    _, h, w = as_chw(np.empty(enc.model.tensors[node.inputs[0]].shape[1:], bool)).shape
    _, oh, ow = as_chw(np.empty(enc.model.tensors[node.outputs[0]].shape[1:], bool)).shape
    down = max(0, (oh - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1 - h - pads[0])
    right = max(0, (ow - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1 - w - pads[1])
    used = (max(down, pads[2]) if oh > window.size(h, w)[0] else pads[2], max(right, pads[3]) if ow > window.size(h, w)[1] else pads[3])
    return replace(window, pads=(pads[0], pads[1], used[0], used[1]))


def encode_average_pool(enc: Encoder, node: Node) -> None:
    """A sum whose scale is divided by the number of elements counted."""
    op = op_of(node, AveragePool)
    window, operand = _pool_window(enc, node, op), _summed_before_cut(enc, node)
    cut = encode_real.cut_off(operand)
    if cut and not window.has_pads:
        shape = enc.model.tensors[node.outputs[0]].shape[1:]
        enc.known[node.outputs[0]] = encode_real.pooled(enc, node, *cut, window, math.prod(window.kernel), shape)
        return
    enc.known[node.outputs[0]] = _of_terms(enc, node, operand, lambda v: _averaged(enc, node, *spatial(enc, v, node), window, op))
    enc.note(node, "pool (sum), its scale divided by the number of elements")


def _summed_before_cut(enc: Encoder, node: Node) -> Value:
    """The operand; a sum that is cut off and not rounded is made a stream where the scales of its terms have a common measure."""
    value = enc.value(node.inputs[0], node)
    unrounded = value.addends and value.chain and not any(s.jumps for s in value.chain)
    return enc.summed(value, node) if unrounded and value.grid is not None else value


def _of_terms(enc: Encoder, node: Node, value: Value, average: Callable[[Value], Value]) -> Value:
    """A sum or average of codes; of a sum of two streams that is not made yet it is the sum of both averages."""
    if not value.addends or value.chain:
        return average(enc.codes(node.inputs[0], node))
    (addend,) = value.addends
    terms = [Value(s, value.index, g, (), g, value.anchor) for s, g in ((value.stream, value.base), (addend.stream, addend.grid))]
    return sum_of(enc, node, *aligned(enc, node, *(average(t) for t in terms)))


def _averaged(enc: Encoder, node: Node, value: Value, channels: Array, window: Window, op: AveragePool) -> Value:
    h, w, c = enc.shape(value.stream)
    counted, present = _counts(window, h, w, op)
    stream = enc.emit(IntPool("sum", window, 0), (value.stream,), node.source, f"pool_{node.name}")
    grid = value.known_grid.per_channel(c)
    result = _on(enc, node, value, stream, channels, enc.model.tensors[node.outputs[0]].shape[1:])
    if len(np.unique(counted)) > 1 or (any(grid.offset) and len(np.unique(present)) > 1):
        oh, ow, _ = enc.shape(stream)
        scale = np.concatenate([grid.scale / int(n) for n in counted.ravel()])
        offset = np.concatenate([grid.offset * Fraction(int(p), int(n)) for p, n in zip(present.ravel(), counted.ravel(), strict=True)])
        result = enc.view(replace(result, base=Grid.of(1, 0), grid=None), (1, 1, oh * ow * c), node)
        return replace(result, base=Grid(scale, offset), grid=Grid(scale, offset))
    n, p = int(counted.flat[0]), int(present.flat[0])
    scaled = _simple(Grid(np.asarray(grid.scale / n, object), np.asarray(grid.offset * Fraction(p, n), object)))
    return replace(result, base=scaled, grid=scaled)


def _counts(window: Window, h: int, w: int, op: AveragePool) -> tuple[Array, Array]:
    """For each output position the divisor of the average, and how many elements of the window are in the picture."""
    inside = window.view(np.ones((1, h, w, 1)), 0.0)[0, :, :, 0].sum(axis=(-2, -1))
    if not op.count_include_pad:
        return inside, inside
    pads = quad(op.pads, len(op.kernel))
    extra = [window.pads[2] - pads[2], window.pads[3] - pads[3]]
    padded = np.ones((1, h + pads[0] + pads[2], w + pads[1] + pads[3], 1))
    reach = replace(window, pads=(0, 0, extra[0], extra[1]))
    return reach.view(padded, 0.0)[0, :, :, 0].sum(axis=(-2, -1)), inside


def _simple(grid: Grid) -> Grid:
    if len(set(grid.scale)) == 1 and len(set(grid.offset)) == 1:
        return Grid.of(grid.scale[0], grid.offset[0])
    return grid


def encode_reduce(enc: Encoder, node: Node) -> None:
    """Mean, sum, largest or smallest over rows and columns, mean and sum over channels too."""
    op = op_of(node, Reduce)
    operand = _summed_before_cut(enc, node)
    order = orientation(enc, [operand])
    axes = {order.index(a - 1) for a in op.axes}
    extreme = op.fn in ("max", "min")
    if len(order) > 3:
        refuse(
            "unsupported-op",
            f"'{op.fn}' over axes {sorted(op.axes)} has no unit here",
            node,
            f"the operand has shape {'x'.join(map(str, enc.model.tensors[node.inputs[0]].shape))}",
            "reduce a tensor of shape (batch, channels, height, width)",
        )
    sizes = [operand.index.shape[a] for a in order]
    over = [1, 1, *(n if i in axes else 1 for i, n in enumerate(sizes) if i)]
    window = Window((over[-2], over[-1]))
    shape = tuple(1 if i in axes else n for i, n in enumerate(sizes))
    enc.note(node, "sum over the channels" if 0 in axes and not extreme else f"pool ({op.fn})")
    cut = encode_real.cut_off(operand)
    if cut and not extreme and 0 not in axes:
        value = encode_real.pooled(enc, node, turned(cut[0], order), cut[1], window, math.prod(over) if op.fn == "mean" else 1, shape)
    elif extreme:
        of = _extreme_of_channels if 0 in axes else _extreme
        value = of(enc, node, op.fn, window, shape, order)
    else:
        value = _of_terms(enc, node, operand, lambda v: _totalled(enc, node, op, turned(v, order), window, shape, 0 in axes))
    value = turned_back(value, order)
    enc.known[node.outputs[0]] = replace(value, index=value.index.reshape(enc.model.tensors[node.outputs[0]].shape[1:]))


def _totalled(enc: Encoder, node: Node, op: Reduce, value: Value, window: Window, shape: tuple[int, ...], channelwise: bool) -> Value:
    """Sum or mean of each window, and over the channels: one output of weights 1."""
    value, channels = spatial(enc, value, node)
    stream, size = value.stream, math.prod(window.kernel)
    if not window.is_trivial:
        stream = enc.emit(IntPool("sum", window), (stream,), node.source, f"pool_{node.name}")
    scale, offset = value.known_grid.scale, np.asarray(value.known_grid.offset * size, object)
    if channelwise:
        if scale.size > 1:
            refuse(
                "unequal-scales", "channels of different scales are summed", node, f"the codes mean {value.known_grid}",
                "use one scale for this tensor",
            )  # fmt: skip
        c = enc.shape(stream)[2]
        weights = np.isin(np.arange(c), channels).astype(np.int64).reshape(1, 1, 1, c)
        stream = enc.emit(IntConv(), (stream,), node.source, f"sum_{node.name}", weights=weights)
        scale, offset = fractions(scale.ravel()[0]), fractions(sum(np.broadcast_to(offset, (c,))[channels], Fraction(0)))
        size, channels = size * len(channels), np.arange(1)
    divisor = Fraction(size if op.fn == "mean" else 1)
    grid = Grid(np.asarray(scale / divisor, object), np.asarray(offset / divisor, object))
    return _on(enc, node, replace(value, base=grid, grid=grid), stream, channels, shape)


def encode_pad(enc: Encoder, node: Node) -> None:
    """Rows and columns of a constant around the picture, channels of it beside the others."""
    op = op_of(node, Pad)
    rank = len(op.pads) // 2
    value = enc.codes(node.inputs[0], node)
    order = orientation(enc, [value])
    if rank > 4 or op.pads[0] or op.pads[rank]:
        refuse(
            "unsupported-op", "only channels, rows and columns can be padded", node, f"pads are {op.pads}",
            "pad a tensor of shape (batch, channels, height, width)",
        )  # fmt: skip
    before, after = ([op.pads[start + 1 + a] for a in order] for start in (0, rank))
    value = turned(value, order)
    if any(before[1:] + after[1:]):
        value = _bordered(enc, node, op, value, before, after)
    if before[0] or after[0]:
        value = _beside(enc, node, op, value, before[0], after[0])
    enc.known[node.outputs[0]] = turned_back(value, order)
    enc.note(node, "padding")


def _bordered(enc: Encoder, node: Node, op: Pad, value: Value, before: list[int], after: list[int]) -> Value:
    """Rows and columns of the pad value; `before` and `after` by axis (channels, rows, columns)."""
    shape = tuple(n + (b + a if i else 0) for i, (n, b, a) in enumerate(zip(value.index.shape, before, after, strict=True)))
    value, channels = spatial(enc, value, node)
    codes = set(np.ravel((Fraction(op.value) - value.known_grid.offset) / value.known_grid.scale))
    code = codes.pop()
    if codes or code.denominator != 1:
        found = recentred(enc, node, value, Fraction(op.value)) or refined(enc, node, value, Fraction(op.value))
        if found is None:
            what = f"the pad value {op.value:g} has no code"
            refuse("no-code-for-zero", what, node, f"the codes mean {value.known_grid}", "pad before the quantizer")
        value, code = found, Fraction(0)
    pads = quad((*before[1:], *after[1:]), len(before) - 1)
    pad = IntPad(Window(pads=pads), near_code(node, int(code), value.known_grid))
    stream = enc.emit(pad, (value.stream,), node.source, f"pad_{node.name}")
    return _on(enc, node, value, stream, channels, shape)


def _beside(enc: Encoder, node: Node, op: Pad, value: Value, before: int, after: int) -> Value:
    """Channels of the pad value before and after those that there are."""

    def filled(count: int) -> list[Value]:
        return [constant_operand(enc, node, value, np.full((count, *value.index.shape[1:]), op.value), 0)] if count else []

    return joined(enc, node, [*filled(before), value, *filled(after)], 0)
