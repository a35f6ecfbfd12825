"""Making the order of a stream fit what an operator needs: crop, subsample, upsample, permute."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Node
from dfcompile.ir.intop import IntConcat, IntConv, IntPad, IntSlice, IntUnfold, IntUpsample, View, Window
from dfcompile.ir.modelop import Binary
from dfcompile.streamline.encode_axes import as_chw, exchanges, orientation, turned, turned_back
from dfcompile.streamline.encoder import Encoder, RestartError, refuse
from dfcompile.streamline.grid import Grid, are_integers, common_scale, fractions
from dfcompile.streamline.layout import Shape3, find_layout, natural_index
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.streamline.value import Value

LARGEST_PERMUTATION = 2**24
WIDEST_PRODUCT = 2**40  # of a code that is multiplied, where real 0 has none
FINEST = 16  # parts of a code's step that become codes, so that one of them means a certain number


def spatial(enc: Encoder, value: Value, node: Node) -> tuple[Value, Array]:
    """The tensor (c', h', w') on a stream of height h' and width w'; and which stream channel each of the c' is."""
    chw = as_chw(value.index)
    if chw.ndim != 3:
        refuse(
            "bad-layout", f"'{node.op.kind}' needs a tensor of rank 2 to 4", node, f"its shape, without the batch, is {value.index.shape}",
            "reshape it to (batch, channels, height, width) first",
        )  # fmt: skip
    shape = enc.shape(value.stream)
    _, h, w = chw.shape
    if math.prod(shape) == chw.size and shape[2] != len(chw) and h * w > 1:
        reshaped = _reshaped(enc, value, node, chw)
        if reshaped:
            return reshaped, np.arange(len(chw))
    layout = find_layout(chw, shape)
    if layout is None:
        return permuted(enc, value, node, chw), np.arange(len(chw))
    if not layout.is_whole(shape[0], shape[1]):
        moved = _moved(enc, value, node, layout.rows, layout.cols)
        if moved.stream == "":
            return permuted(enc, value, node, chw), np.arange(len(chw))
        value = moved
    return replace(value, index=_index_of(layout.channels, h, w, shape[2])), layout.channels


def _reshaped(enc: Encoder, value: Value, node: Node, chw: Array) -> Value | None:
    """The same stream seen with other positions, where that is all a reshape asks for."""
    c, h, w = chw.shape
    if np.array_equal(chw, natural_index(c, h, w)) and value.is_codes:
        stream = enc.emit(View((h, w, c)), (value.stream,), node.source, f"view_{node.name}")
        base = value.base
        if base.scale.size > 1 or base.offset.size > 1:
            return None
        return replace(value, stream=stream, index=chw)
    return None


def _index_of(channels: Array, h: int, w: int, c: int) -> Array:
    return natural_index(c, h, w)[channels]


def _moved(enc: Encoder, value: Value, node: Node, rows: tuple[int, ...], cols: tuple[int, ...]) -> Value:
    """Crop, subsample and repeat rows and columns; an empty stream name where no unit does it."""
    h, w, _ = enc.shape(value.stream)
    kept = [tuple(sorted(set(p))) for p in (rows, cols)]
    steps = [_progression(p) for p in kept]
    factors = [_repeats(tuple(k.index(i) for i in p), len(k)) for p, k in zip((rows, cols), kept, strict=True)]
    if not (steps[0] and steps[1] and factors[0] and factors[1]):
        return replace(value, stream="")
    (y0, dy), (x0, dx) = steps[0], steps[1]
    stream = value.stream
    window = Window(stride=(dy, dx), pads=(-y0, -x0, kept[0][-1] + 1 - h, kept[1][-1] + 1 - w))
    if not window.is_trivial:
        stream = enc.emit(IntPad(window), (stream,), node.source, f"crop_{node.name}")
    if factors != [1, 1]:
        stream = enc.emit(IntUpsample((factors[0], factors[1])), (stream,), node.source, f"upsample_{node.name}")
    return replace(value, stream=stream)


def _progression(p: tuple[int, ...]) -> tuple[int, int] | None:
    step = p[1] - p[0] if len(p) > 1 else 1
    return (p[0], step) if step > 0 and p == tuple(range(p[0], p[0] + step * len(p), step)) else None


def _repeats(p: tuple[int, ...], n: int) -> int:
    factor = len(p) // n
    return factor if factor and p == tuple(i // factor for i in range(n * factor)) else 0


def permuted(enc: Encoder, value: Value, node: Node, chw: Array) -> Value:
    """The elements brought into channels-last order: by the host for an input, else by a permutation matrix."""
    choose_input_layout(enc, value, chw)
    c, h, w = chw.shape
    size = math.prod(enc.shape(value.stream))
    found = _exchanged(enc, value, node, chw)
    if found:
        return found
    if size * chw.size > LARGEST_PERMUTATION or not value.is_codes:
        refuse(
            "bad-layout",
            f"the order of an operand of '{node.op.kind}' is one that no unit makes",
            node,
            f"{chw.size} elements would have to be gathered from {size} between units; up to {LARGEST_PERMUTATION} products of the two can",
            "keep Reshape and Transpose next to the input, the output or a fully connected layer, and pad with a constant",
        )
    flat, order = enc.view(value, (1, 1, size), node), _order(chw)
    return _as_picture(enc, flat, permutation(enc, flat.stream, order, node), order, (h, w, c), node)


def _order(chw: Array) -> Array:
    """Which element of the stream each one of the tensor's own channels-last stream is."""
    return np.asarray(chw.transpose(1, 2, 0).ravel(), np.int64)


def _as_picture(enc: Encoder, flat: Value, stream: str, order: Array, shape: Shape3, node: Node) -> Value:
    """A stream of the elements `order` of a flat value, as a tensor on a stream of its own."""
    h, w, c = shape
    stream = enc.emit(View(shape), (stream,), node.source, f"view_{node.name}")
    grid = Grid.of(flat.known_grid.scale, flat.known_grid.offset)
    if grid.scale.size > 1 or grid.offset.size > 1:
        grid = _regridded(grid, order, c, node)
    return Value(stream, natural_index(c, h, w), grid, (), grid, flat.anchor)


def _exchanged(enc: Encoder, value: Value, node: Node, chw: Array) -> Value | None:
    """Every element once, in an order that exchanges parts of the axes: each exchange a window as high as what moves behind."""
    c, h, w = chw.shape
    order = _order(chw)
    swaps = exchanges(order) if value.is_codes and chw.size == math.prod(enc.shape(value.stream)) else None
    if swaps is None:
        return None
    flat = enc.view(value, (1, 1, chw.size), node)
    stream = exchanged(enc, node, flat.stream, swaps)
    return _as_picture(enc, flat, stream, order, (h, w, c), node)


def exchanged(enc: Encoder, node: Node, stream: str, swaps: list[tuple[int, int, int, int]]) -> str:
    """Elements with neighbouring axes exchanged, one after another."""
    for before, back, front, behind in swaps:
        stream = enc.emit(View((before * back, front, behind)), (stream,), node.source, f"view_{node.name}")
        stream = enc.emit(IntUnfold(Window((back, 1), (back, 1))), (stream,), node.source, f"exchange_{node.name}")
    return stream


def _regridded(grid: Grid, order: Array, c: int, node: Node) -> Grid:
    scale = np.broadcast_to(grid.scale, (max(grid.scale.size, grid.offset.size),))[order].reshape(-1, c)
    offset = np.broadcast_to(grid.offset, (max(grid.scale.size, grid.offset.size),))[order].reshape(-1, c)
    if np.any(scale != scale[0]) or np.any(offset != offset[0]):
        refuse(
            "bad-layout", "per-channel scales are spread over positions by a reshape", node, "a stream has one scale per channel",
            "use one scale for this tensor",
        )  # fmt: skip
    return Grid(scale[0], offset[0])


def permutation(enc: Encoder, stream: str, order: Array, node: Node) -> str:
    """Channels `order` of a stream, in that order: a slice, or a matrix of ones and zeros."""
    c = enc.shape(stream)[2]
    first = int(order[0])
    if np.array_equal(order, np.arange(first, first + len(order))):
        if len(order) == c:
            return stream
        return enc.emit(IntSlice(first, first + len(order)), (stream,), node.source, f"slice_{node.name}")
    if c * len(order) > LARGEST_PERMUTATION:
        refuse(
            "bad-layout", f"the order of an operand of '{node.op.kind}' is one that no unit makes", node,
            f"{len(order)} channels would have to be gathered from {c} by a matrix; it may have up to {LARGEST_PERMUTATION} elements",
            "gather fewer channels at once, or keep their order: repeat them behind the layer that reads them",
        )  # fmt: skip
    weights = (order[:, None] == np.arange(c)).astype(np.int8)[:, None, None, :]
    return enc.emit(IntConv(), (stream,), node.source, f"permute_{node.name}", weights=weights)


def choose_input_layout(enc: Encoder, value: Value, wanted: Array) -> None:
    """When the stream is a graph input, whose order is free: start again with the order that makes `wanted` natural."""
    port = next((p for p in enc.inputs if p.stream == value.stream), None)
    if port is None or port.stream in enc.layouts or value.index.size != port.index.size:
        return
    c, h, w = wanted.shape
    where = np.empty(port.index.size, np.int64)
    where[port.index.ravel()] = np.arange(port.index.size)
    source = where[wanted.ravel()]
    if not _covers(source, port.index.size):
        return
    index = np.empty(port.index.size, np.int32)
    index[source] = natural_index(c, h, w).ravel()
    enc.layouts[port.stream] = ((h, w, c), index.reshape(port.index.shape))
    raise RestartError


def gathered(enc: Encoder, value: Value, channels: Array, node: Node) -> Value:
    """The value with exactly the stream channels `channels`, in that order; index natural."""
    shape = enc.shape(value.stream)
    stream = permutation(enc, value.stream, channels, node)
    h, w, _ = shape

    def pick(a: Array) -> Array:
        return a[channels] if a.size > 1 else a

    grid = Grid(pick(value.known_grid.scale), pick(value.known_grid.offset))
    return Value(stream, natural_index(len(channels), h, w), grid, (), grid, value.anchor)


def ordered(enc: Encoder, value: Value, node: Node) -> Value:
    """The value on a stream in exactly its own channels-last order."""
    value, channels = spatial(enc, value, node)
    c = enc.shape(value.stream)[2]
    if len(channels) == c and np.array_equal(channels, np.arange(c)):
        return value
    return gathered(enc, value, channels, node)


def recentred(enc: Encoder, node: Node, value: Value, real: Fraction) -> Value | None:
    """The value on codes whose 0 means `real` in every channel; None where `real` has no code in one."""
    if not any(np.ravel(value.known_grid.offset - real)):
        return value
    if not are_integers((value.known_grid.offset - real) / value.known_grid.scale):
        return None
    return enc.materialize(value, node, value.anchor, Grid(value.known_grid.scale, fractions(real)))


def without_offset(enc: Encoder, node: Node, value: Value) -> Value:
    """Codes whose 0 means real 0; in units of the common measure of scale and offset where real 0 has no code."""
    found = recentred(enc, node, value, Fraction(0))
    if found is not None:
        return found
    grid = value.known_grid
    finer, counts = common_scale([grid.scale.ravel()[0], grid.offset.ravel()[0]])
    if grid.scale.size + grid.offset.size > 2 or max(map(abs, counts)) > WIDEST_PRODUCT:
        refuse("no-code-for-zero", "an operand of a product has no code for real 0", node, str(grid), "use an integer zero-point")
    return enc.materialize(value, node, value.anchor, Grid.of(finer, 0))


def refined(enc: Encoder, node: Node, value: Value, real: Fraction) -> Value | None:
    """The value on codes of a part of its scale, whose 0 means `real`; None where that is a small part in some channel."""
    pairs = zip(*np.broadcast_arrays(np.ravel(value.known_grid.scale), np.ravel(value.known_grid.offset - real)), strict=True)
    finer = [common_scale(pair) for pair in pairs]
    if any(abs(parts) > FINEST for _, (parts, _) in finer):
        return None
    return enc.materialize(value, node, value.anchor, Grid(np.array([s for s, _ in finer], object), fractions(real)).compact())


def constant_stream(enc: Encoder, node: Node, like: Value, codes: Array) -> str:
    """A stream of constant codes (c, h, w), one frame with each frame of another stream: 1 times weights."""
    h, w, _ = enc.shape(like.stream)
    even = codes.shape[1:] == (h, w) and bool(np.all(codes == codes[:, :1, :1]))
    stream = like.stream if even else enc.view(replace(like, chain=()), (1, 1, math.prod(enc.shape(like.stream))), node).stream
    if enc.shape(stream)[2] > 1:
        stream = enc.emit(IntSlice(0, 1), (stream,), node.source, f"slice_{node.name}")
    one = (Step(Binary("mul"), 0, (np.array(0.0),)), Step(Binary("add"), 0, (np.array(1.0),)))
    stream = enc.emit(StepFunction(Grid.of(1, 0), one, Grid.of(1, 0)), (stream,), node.source, f"one_{node.name}")
    weights = (codes[:, 0, 0] if even else codes.transpose(1, 2, 0).ravel()).reshape(-1, 1, 1, 1)
    stream = enc.emit(IntConv(), (stream,), node.source, f"constant_{node.name}", weights=weights)
    c, rows, cols = codes.shape
    return stream if even else enc.emit(View((rows, cols, c)), (stream,), node.source, f"view_{node.name}")


def constant_operand(enc: Encoder, node: Node, like: Value, real: Array, axis: int) -> Value:
    """A constant as codes on the grid of a stream; beside its channels also as codes 0 with an offset for each channel."""
    scale, offset = like.known_grid.pick(0)
    chw, grid = as_chw(real), Grid.of(scale, offset)
    steps = (fractions(chw) - offset) / scale
    if not are_integers(steps) or grid.scale.size + like.known_grid.offset.size > 2:
        if axis > 0 or np.any(chw != chw[:, :1, :1]):
            refuse(
                "constant-operand", "a constant beside other positions needs codes of their grid", node,
                f"the codes mean {like.known_grid}", "quantize the constant as the other operands are",
            )  # fmt: skip
        steps, grid = np.zeros(chw.shape, object), Grid(np.full(len(chw), scale, object), fractions(chw[:, 0, 0]))
    stream = constant_stream(enc, node, like, steps.astype(np.int64))
    return Value(stream, natural_index(*chw.shape).reshape(real.shape), grid, (), grid, node.outputs[0])


def aligned(enc: Encoder, node: Node, a: Value, b: Value) -> tuple[Value, Value]:
    """Two operands on streams of one shape and order, index shared."""
    shape = np.broadcast_shapes(a.index.shape, b.index.shape)
    a, b = (replace(v, index=np.ascontiguousarray(np.broadcast_to(v.index, shape))) for v in (a, b))
    same = enc.shape(a.stream) == enc.shape(b.stream) and np.array_equal(a.index, b.index)
    if same and _covers(a.index, math.prod(enc.shape(a.stream))):
        return a, b
    if (found := _by_element(enc, node, a, b)) is not None:
        return a, found
    order = orientation(enc, (a, b))
    size = a.index.transpose(order).shape
    a, b = (ordered(enc, turned(v, order), node) for v in (a, b))
    index = a.index.reshape(size)
    return turned_back(replace(a, index=index), order), turned_back(replace(b, index=index), order)


def _by_element(enc: Encoder, node: Node, a: Value, b: Value) -> Value | None:
    """`b` in the order of `a`, where elements of one pixel, which are several in the tensor, have scales of their own. None for others."""
    shape = enc.shape(a.stream)
    spread = (
        shape[:2] == (1, 1) and (a.known_grid.scale.size > 1 or a.known_grid.offset.size > 1) and math.prod(as_chw(a.index).shape[1:]) > 1
    )
    if not spread or not a.index.size == shape[2] == math.prod(enc.shape(b.stream)) or not _covers(a.index, shape[2]):
        return None
    order = np.empty(shape[2], np.int64)
    order[a.index.ravel()] = b.index.ravel()
    flat = enc.view(b, shape, node)
    stream = _in_order(enc, node, flat.stream, order)
    per_element = flat.known_grid.per_channel(shape[2])
    grid = Grid(per_element.scale[order], per_element.offset[order]).compact()
    return Value(stream, a.index, grid, (), grid, b.anchor)


def _in_order(enc: Encoder, node: Node, stream: str, order: Array) -> str:
    """The channels of a pixel in another order: by windows where that exchanges parts of axes, else by a matrix."""
    swaps = exchanges(order) if _covers(order, len(order)) else None
    if swaps is None:
        return permutation(enc, stream, order, node)
    stream = exchanged(enc, node, stream, swaps)
    return enc.emit(View((1, 1, len(order))), (stream,), node.source, f"view_{node.name}")


def _covers(index: Array, size: int) -> bool:
    """Whether every one of `size` elements is in an index array."""
    found = np.zeros(size, bool)
    found[index.ravel()] = True
    return bool(found.all())


def _on_one_grid(enc: Encoder, node: Node, parts: list[Value]) -> list[Value]:
    """Codes that mean the same in all parts: in units of the common measure of their scales, where they are small multiples of it."""
    c = enc.shape(parts[0].stream)[2]
    grids = [v.known_grid.per_channel(c) for v in parts]
    if all(np.array_equal(g.scale, grids[0].scale) and np.array_equal(g.offset, grids[0].offset) for g in grids):
        return parts
    centred = [recentred(enc, node, v, Fraction(0)) for v in parts]
    found = [common_scale(scales) for scales in zip(*(g.scale for g in grids), strict=True)]
    if None in centred or any(abs(n) > FINEST for _, factors in found for n in factors):
        refuse(
            "unequal-scales", "tensors of different scales are joined along a spatial axis", node,
            "a stream has one scale per channel, and these are no small multiples of one", "share one quantizer",
        )  # fmt: skip
    grid = Grid(np.array([s for s, _ in found], object), fractions(Fraction(0))).compact()
    streams = [enc.scaled(node, v.stream, [n[i] for _, n in found]) for i, v in enumerate(centred) if v]
    return [replace(v, stream=stream, base=grid, grid=grid) for v, stream in zip(parts, streams, strict=True)]


def joined(enc: Encoder, node: Node, values: list[Value], axis: int) -> Value:
    """Concatenation along a tensor axis (batch not counted): channels, or whole rows, or columns."""
    shape = list(values[0].index.shape)
    shape[axis] = sum(v.index.shape[axis] for v in values)
    parts = [ordered(enc, v, node) for v in values]
    parts = _on_one_grid(enc, node, parts) if axis > 0 else parts
    scales, offsets, streams, views = [], [], [], []
    for v in parts:
        h, w, c = enc.shape(v.stream)
        grid = v.known_grid.per_channel(c)
        flat: Shape3 = (h, w, c) if axis == 0 else (1, 1, h * w * c) if axis == len(shape) - 2 else (h, 1, w * c)
        times = flat[2] // c
        streams.append(v.stream if flat == (h, w, c) else enc.emit(View(flat), (v.stream,), node.source, f"view_{node.name}"))
        scales.append(np.tile(grid.scale, times))
        offsets.append(np.tile(grid.offset, times))
        views.append((h, w, c))
    stream = enc.emit(IntConcat(), tuple(streams), node.source, f"concat_{node.name}")
    scale, offset = np.concatenate(scales), np.concatenate(offsets)
    chw = as_chw(np.empty(shape)).shape
    if axis > 0:
        c = views[0][2]
        stream = enc.emit(View((chw[1], chw[2], c)), (stream,), node.source, f"view_{node.name}")
        scale, offset = scale[:c], offset[:c]
    grid = Grid(scale, offset).compact()
    return Value(stream, natural_index(*chw).reshape(shape), grid, (), grid, node.outputs[0])
