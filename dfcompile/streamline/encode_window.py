"""Encoding of pooling, reductions and padding."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Node
from dfcompile.ir.intop import IntConv, IntPad, IntPool, Window
from dfcompile.ir.modelop import AveragePool, MaxPool, Pad, Reduce
from dfcompile.streamline.encode_layout import as_chw, recentred, spatial
from dfcompile.streamline.encode_linear import near_code, pair, quad
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import chain_direction
from dfcompile.streamline.value import Value, natural_index


def encode_max_pool(enc: Encoder, node: Node) -> None:
    """Largest of a window. A pending chain that rises commutes with it, one that falls turns it into the smallest."""
    assert isinstance(node.op, MaxPool)
    enc.known[node.outputs[0]] = _extreme(enc, node, "max", _pool_window(enc, node, node.op))
    enc.note(node, "pool (max)")


def _extreme(enc: Encoder, node: Node, mode: str, window: Window) -> Value:
    value = enc.value(node.inputs[0], node)
    unrounded = not (value.is_codes or value.addends or any(s.jumps for s in value.chain))
    if value.grid is not None and not (unrounded and chain_direction(value.base, value.chain) is not None):
        value = enc.codes(node.inputs[0], node)
    elif value.addends:
        value = enc.summed(value, node)
    value, channels = spatial(enc, value, node)
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
    return _on(enc, node, value, stream, channels)


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


def _on(enc: Encoder, node: Node, value: Value, stream: str, channels: Array) -> Value:
    h, w, c = enc.shape(stream)
    index = natural_index(c, h, w)[channels].reshape(enc.model.tensors[node.outputs[0]].shape[1:])
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
    op = node.op
    assert isinstance(op, AveragePool)
    window = _pool_window(enc, node, op)
    value, channels = spatial(enc, enc.codes(node.inputs[0], node), node)
    enc.known[node.outputs[0]] = _averaged(enc, node, value, channels, window, op)
    enc.note(node, "pool (sum), its scale divided by the number of elements")


def _averaged(enc: Encoder, node: Node, value: Value, channels: Array, window: Window, op: AveragePool) -> Value:
    h, w, c = enc.shape(value.stream)
    counted, present = _counts(window, h, w, op)
    stream = enc.emit(IntPool("sum", window, 0), (value.stream,), node.source, f"pool_{node.name}")
    assert value.grid
    grid = value.grid.per_channel(c)
    result = _on(enc, node, value, stream, channels)
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
    """Mean, sum, largest or smallest over rows, columns or channels."""
    op = node.op
    assert isinstance(op, Reduce)
    rank = len(enc.model.tensors[node.inputs[0]].shape) - 1
    spatial_axes = {1: set[int](), 2: {2}, 3: {2, 3}}.get(rank)
    axes = set(op.axes)
    if spatial_axes is None or (1 in axes and axes != {1}):
        refuse(
            "unsupported-op",
            f"'{op.fn}' over axes {sorted(axes)} has no unit here",
            node,
            f"the operand has shape {'x'.join(map(str, enc.model.tensors[node.inputs[0]].shape))}",
            "reduce over rows and columns, or over the channels",
        )
    if 1 in axes:
        _reduce_channels(enc, node, op)
        return
    _, h, w = as_chw(np.empty(enc.model.tensors[node.inputs[0]].shape[1:], bool)).shape
    across = {3: (2 in axes, 3 in axes), 2: (False, 2 in axes)}[rank]
    window = Window((h if across[0] else 1, w if across[1] else 1))
    enc.note(node, f"pool ({op.fn})")
    if op.fn in ("max", "min"):
        enc.known[node.outputs[0]] = _extreme(enc, node, op.fn, window)
        return
    value, channels = spatial(enc, enc.codes(node.inputs[0], node), node)
    stream = enc.emit(IntPool("sum", window), (value.stream,), node.source, f"pool_{node.name}")
    size = math.prod(window.kernel)
    assert value.grid
    divisor = size if op.fn == "mean" else 1
    grid = Grid(np.asarray(value.grid.scale / divisor, object), np.asarray(value.grid.offset * Fraction(size, divisor), object))
    enc.known[node.outputs[0]] = replace(_on(enc, node, value, stream, channels), base=grid, grid=grid)


def _reduce_channels(enc: Encoder, node: Node, op: Reduce) -> None:
    """Sum or mean over the channels: one output of weights 1."""
    if op.fn not in ("mean", "sum"):
        refuse(
            "unsupported-op", f"'{op.fn}' over the channels has no unit here", node, "units reduce channels by weighted sums",
            "use a sum or mean over the channels, or a maximum over rows and columns",
        )  # fmt: skip
    value, channels = spatial(enc, enc.codes(node.inputs[0], node), node)
    assert value.grid
    if value.grid.scale.size > 1:
        refuse(
            "unequal-scales", "channels of different scales are summed", node, f"the codes mean {value.grid}",
            "use one scale for this tensor",
        )  # fmt: skip
    c = enc.shape(value.stream)[2]
    weights = np.isin(np.arange(c), channels).astype(np.int64).reshape(1, 1, 1, c)
    stream = enc.emit(IntConv(), (value.stream,), node.source, f"sum_{node.name}", weights=weights)
    n = len(channels)
    total = sum(np.broadcast_to(value.grid.offset, (c,))[channels], Fraction(0))
    divisor = n if op.fn == "mean" else 1
    grid = Grid.of(value.grid.scale.ravel()[0] / divisor, total / divisor)
    enc.known[node.outputs[0]] = _on(enc, node, replace(value, base=grid, grid=grid), stream, np.arange(1))
    enc.note(node, "sum over the channels")


def encode_pad(enc: Encoder, node: Node) -> None:
    """Rows and columns of a constant around the picture."""
    op = node.op
    assert isinstance(op, Pad)
    rank = len(op.pads) // 2
    if rank not in (3, 4) or op.pads[1] or op.pads[rank + 1]:
        refuse(
            "unsupported-op", "only rows and columns can be padded", node, f"pads are {op.pads}",
            "leave the channels as they are and pad the weights of the layer behind",
        )  # fmt: skip
    value, channels = spatial(enc, enc.codes(node.inputs[0], node), node)
    assert value.grid
    codes = set(np.ravel((Fraction(op.value) - value.grid.offset) / value.grid.scale))
    code = codes.pop()
    if codes or code.denominator != 1:
        found = recentred(enc, node, value, Fraction(op.value))
        if found is None:
            what = f"the pad value {op.value:g} has no code"
            refuse("no-code-for-zero", what, node, f"the codes mean {value.grid}", "pad before the quantizer")
        value, code = found, Fraction(0)
    assert value.grid
    pads = quad((*op.pads[2:rank], *op.pads[rank + 2 :]), rank - 2)
    stream = enc.emit(IntPad(Window(pads=pads), near_code(node, int(code), value.grid)), (value.stream,), node.source, f"pad_{node.name}")
    enc.known[node.outputs[0]] = _on(enc, node, value, stream, channels)
    enc.note(node, "padding")
