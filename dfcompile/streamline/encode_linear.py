"""Encoding of convolutions and matrix products: integer weights, scales and offsets per output channel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Node, misplaced
from dfcompile.ir.intop import IntConv, Window
from dfcompile.ir.modelop import Conv, ConvTranspose
from dfcompile.ir.types import narrowed
from dfcompile.streamline import encode_real
from dfcompile.streamline.encode_layout import gathered, permuted, recentred, refined, spatial
from dfcompile.streamline.encoder import Encoder, RefusedError, refuse
from dfcompile.streamline.grid import Grid, common_scale, fractions, whole_numbers
from dfcompile.streamline.layout import find_layout, natural_index
from dfcompile.streamline.mixed import mixed_weights
from dfcompile.streamline.order import Ordered
from dfcompile.streamline.triple import Triple
from dfcompile.streamline.value import Const, Value
from dfcompile.streamline.weight_step import LARGEST_EXACT, LARGEST_LEVEL, LARGEST_NARROW, MOST_LEVELS, exact_grid, is_narrow, levels_of

WIDEST_WEIGHT = 2**40
WIDEST_PAD = 2**40


@dataclass(frozen=True, eq=False)
class Weights:
    """Integer weights (oc, ic / groups, kh, kw), and what 1 of their sums is worth by input: (oc, 1 or ic / groups)."""

    codes: Array
    scale: Array


def integer_weights(const: Const, node: Node, transform: Any, input_scale: Array) -> Weights:
    """Integers and scales of a constant, `transform`ed to (oc, ic / groups, kh, kw), for inputs of scale input_scale.

    input_scale: Fractions (groups, ic / groups); a scale that differs between the inputs of one output is pushed into
    the integers, where a common measure exists.
    """
    codes, table = stored_weights(const, node, transform)
    oc, ic = codes.shape[:2]
    groups = len(input_scale)
    if ic == 1 or (bool(np.all(table == table[:, :1])) and all(len(set(row)) == 1 for row in input_scale)):
        total = fractions(table[:, 0]) * np.repeat(input_scale[:, 0], oc // groups)
        return Weights(codes, np.array(total, object)[:, None])
    pairs = [common_scale(row) for row in fractions(table) * np.repeat(input_scale, oc // groups, axis=0)]
    factors = np.array([n for _, n in pairs], object)
    widest = max(abs(n) for row in factors for n in row) * int(max(1, np.abs(codes).max(initial=0)))
    if widest > WIDEST_WEIGHT:
        refuse(
            "unequal-scales",
            "the scale of an operand differs by input channel without a common measure",
            node,
            f"as integers the weights would reach {widest:.3g}, beyond {WIDEST_WEIGHT:.3g}",
            "put a quantizer behind what scales the channels (BatchNormalization, Mul), or use scales that are powers of two",
        )
    return Weights(narrowed(codes * factors.astype(np.int64)[:, :, None, None]), np.array([s for s, _ in pairs], object)[:, None])


def stored_weights(const: Const, node: Node, transform: Any) -> tuple[Array, Array]:
    """Integers of a constant, `transform`ed to (oc, ic / groups, kh, kw), and their scales (oc, ic / groups)."""
    codes, scale = const.codes, const.scale
    if codes is None or scale is None:
        codes, scale = _measured(transform(const.real), node)
    else:
        codes, scale = _masked(transform(codes), transform(np.broadcast_to(scale, codes.shape)))
    if not np.all(scale == scale[:, :, :1, :1]):
        try:
            codes, scale = _measured(transform(const.real), node)
        except RefusedError:
            refuse(
                "unsupported-scale", "the weight scale differs within a kernel", node,
                "products of different scales cannot be summed as integers", "use one scale per output channel",
            )  # fmt: skip
    return codes, scale[:, :, 0, 0]


def _masked(codes: Array, scale: Array) -> tuple[Array, Array]:
    """Codes and scales (oc, ic, kh, kw) where weights of scale 0 (of a mask) are codes 0, of a scale that others of their kernel have.

    Where a kernel has none, its output channel's is taken, or the tensor's; 1 where there is none at all.
    """
    gone = scale == 0
    if not gone.any():
        return codes, scale
    for axes in ((2, 3), (1, 2, 3), (0, 1, 2, 3)):
        high, low = scale.max(axis=axes, keepdims=True), scale.min(axis=axes, keepdims=True)
        scale = np.where(scale == 0, np.where(high > -low, high, low), scale)
    return np.where(gone, 0, codes), np.where(scale == 0, 1.0, scale)


def _measured(real: Array, node: Node) -> tuple[Array, Array]:
    """Integers of stored real weights that lie on a coarse grid per output channel, or take few values at all; refuses others."""
    whole = whole_numbers(real)
    if whole is not None:
        return narrowed(whole), np.broadcast_to(1.0, real.shape)
    most = LARGEST_NARROW if is_narrow(real) else LARGEST_EXACT
    codes, scales = np.empty(real.shape, np.int64), np.empty(real.shape, object)
    counted: tuple[int, bool] | None = None  # asked for where a row has no coarse grid, and once
    for i, row in enumerate(real):
        found = exact_grid(row, most)
        if found is not None:
            scales[i], codes[i] = found
            continue
        levels, few = counted = counted or levels_of(real)
        found = exact_grid(row, LARGEST_LEVEL) if few else None
        if found is None and few:
            refuse(
                "wide-levels",
                f"the weights of '{node.op.kind}' have {levels} levels, too far apart in size to be integers",
                node,
                f"as multiples of one step those of output channel {i} would be beyond {LARGEST_LEVEL:.3g}",
                "use levels of fewer significant bits (bfloat16, or multiples of one step), or drop those that are almost 0",
            )
        if found is None:
            refuse(
                "not-quantized",
                f"the weights of '{node.op.kind}' are not quantized",
                node,
                f"they take up to {levels:,} different values in an output channel, and those of channel {i} have no common step",
                f"put a Quant (or QuantizeLinear/DequantizeLinear) on the weights, or a codebook of at most {MOST_LEVELS} levels",
            )
        scales[i], codes[i] = found
    return narrowed(codes), scales


def _constant(enc: Encoder, name: str, node: Node) -> Const:
    known = enc.known[name]
    if isinstance(known, Const):
        return known
    refuse(
        "unsupported-op",
        f"'{node.op.kind}' of two streams has no unit here",
        node,
        "both operands depend on the input, and weights are memories of a unit",
        "use constant weights, or a matrix product of the two",
    )


def pair(values: tuple[int, ...], rank: int) -> tuple[int, int]:
    """A per-axis attribute of a 1-D or 2-D operator as (vertical, horizontal)."""
    return (values[0], values[1]) if rank == 2 else (1, values[0])


def quad(pads: tuple[int, ...], rank: int) -> tuple[int, int, int, int]:
    """ONNX pads (begins, ends) as (top, left, bottom, right)."""
    return (pads[0], pads[1], pads[2], pads[3]) if rank == 2 else (0, pads[0], 0, pads[1])


def encode_conv(enc: Encoder, node: Node) -> None:
    """Convolution, also transposed: a window over the (zero-stuffed) stream and integer weights."""
    op = node.op
    if not isinstance(op, Conv | ConvTranspose):
        raise misplaced(node)
    const = _constant(enc, node.inputs[1], node)
    rank = len(const.shape) - 2
    kernel = pair(const.shape[2:], rank)
    strides, dilation = pair(op.strides, rank), pair(op.dilations, rank)
    pads = quad(op.pads, rank)
    if isinstance(op, ConvTranspose):
        extra = pair(op.output_padding, rank)
        reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        if rank == 1:
            extra = (0, extra[1])
        pads = (reach[0] - pads[0], reach[1] - pads[1], reach[0] - pads[2] + extra[0], reach[1] - pads[3] + extra[1])
        window = Window(kernel, (1, 1), pads, dilation, strides)
    else:
        window = Window(kernel, strides, pads, dilation)
    groups = op.groups

    def transform(w: Array) -> Array:
        if rank == 1:
            w = w[:, :, None, :]
        if isinstance(op, ConvTranspose):
            ic, ocg = w.shape[:2]
            w = w.reshape(groups, ic // groups, ocg, *w.shape[2:]).transpose(0, 2, 1, 3, 4)
            w = w.reshape(groups * ocg, ic // groups, *w.shape[3:])[:, :, ::-1, ::-1]
        return w

    value, channels = spatial(enc, enc.codes(node.inputs[0], node), node)
    shape = enc.model.tensors[node.outputs[0]].shape[1:]
    enc.known[node.outputs[0]] = _convolved(enc, node, value, channels, window, groups, (const, transform), shape)
    enc.note(node, f"integer convolution, {window}" + (f", {groups} groups" if groups > 1 else ""))


def _convolved(
    enc: Encoder, node: Node, value: Value, channels: Array, window: Window, groups: int, weights: tuple[Const, Any], shape: tuple[int, ...]
) -> Value:
    c = enc.shape(value.stream)[2]
    if groups > 1 and not (len(channels) == c and np.array_equal(channels, np.arange(c))):
        value = gathered(enc, value, channels, node)
        channels, c = np.arange(len(channels)), len(channels)
    value, pad_code = _padded(enc, node, value) if window.has_pads else (value, 0)
    grid = value.known_grid.per_channel(c)
    scale, offset = grid.scale[channels].reshape(groups, -1), grid.offset[channels].reshape(groups, -1)
    found, orders = _weighted(enc, node, value, channels, window, weights, scale, pad_code)
    codes = found.codes.transpose(0, 2, 3, 1)
    steps = np.asarray(offset / scale, object)
    shift = _offsets(codes, steps, found.scale)
    h, w, _ = enc.shape(value.stream)
    by_place = None if pad_code is not None else _offsets_by_place(window.inside(h, w), codes, steps, found.scale)
    if groups == 1 and not (len(channels) == c and np.array_equal(channels, np.arange(c))):
        codes = _spread(codes, channels, c)
    stream = enc.emit(
        IntConv(window, groups, pad_code or 0), (value.stream,), node.source, f"conv_{node.name}", weights=np.ascontiguousarray(codes)
    )
    h, w, oc = enc.shape(stream)
    index = natural_index(oc, h, w).reshape(shape)
    if orders is not None:
        flat = Value(stream, index, Grid.of(1, 0), (), None, value.anchor)
        offsets = shift if by_place is None else by_place
        flat = flat if by_place is None else enc.view(flat, (1, 1, h * w * oc), node)
        placed = [replace(orders[i % oc], offset=b) for i, b in enumerate(offsets)]
        return replace(flat, base=Ordered.of_orders(placed))
    result = _result(node, stream, index, found.scale[:, 0], shift)
    if by_place is None:
        return result
    grid = Grid(np.tile(found.scale[:, 0], h * w), by_place)
    return replace(enc.view(replace(result, base=Grid.of(1, 0), grid=None), (1, 1, h * w * oc), node), base=grid, grid=grid)


def _weighted(
    enc: Encoder, node: Node, value: Value, channels: Array, window: Window, weights: tuple[Const, Any], scale: Array, pad_code: int | None
) -> tuple[Weights, list[Triple] | None]:
    """Integer weights; of inputs of up to three scales without a common measure those whose sums lie in the order of the real numbers."""
    try:
        return integer_weights(weights[0], node, weights[1], scale), None
    except RefusedError as e:
        if e.problem.code != "unequal-scales":
            raise
        bounds = encode_real.ranges_of(enc, node, value)
        outside = [pad_code or 0] if window.has_pads else []
        ranges = [(min(lo, *outside, lo), max(hi, *outside, hi)) for lo, hi in (bounds[k] for k in channels)]
        mixed = mixed_weights(*stored_weights(weights[0], node, weights[1]), scale, ranges)
        if mixed is None:
            raise
        enc.note(node, "products of several scales in the order of the real numbers")
        return Weights(mixed[0], mixed[1]), mixed[2]


def _offsets_by_place(inside: Array, codes: Array, steps: Array, worth: Array) -> Array:
    """The offset of each output position and channel where what is padded means real 0 and has no code: (positions * channels,).

    inside: (rows, columns, kh, kw), whether a tap lies in the picture; taps outside read code 0, and their offsets are left out
    """
    kinds, which = np.unique(inside.reshape(-1, *inside.shape[2:]), axis=0, return_inverse=True)
    found = [_offsets(codes * kind[None, :, :, None], steps, worth) for kind in kinds]
    return np.stack(found)[which.ravel()].ravel()


def _padded(enc: Encoder, node: Node, value: Value) -> tuple[Value, int | None]:
    """The value on codes of which one means real 0 in every channel, and that code; None where there is none."""
    zero = value.known_grid.of_zero()
    if zero is not None:
        return value, near_code(node, zero, value.known_grid)
    found = recentred(enc, node, value, Fraction(0)) or refined(enc, node, value, Fraction(0))
    return (value, None) if found is None else (found, 0)


def _spread(codes: Array, channels: Array, count: int) -> Array:
    """Weights (oc, kh, kw, features) of features that are these of `count` channels, as weights of all channels."""
    once = len(np.unique(channels)) == len(channels)
    found = np.zeros((*codes.shape[:3], count), codes.dtype if once else np.int64)
    if once:
        found[..., channels] = codes
    else:
        for i, channel in enumerate(channels):
            found[..., channel] += codes[..., i]
    return narrowed(found)


def near_code(node: Node, code: int, grid: Grid) -> int:
    """The code that a window reads outside the picture; refused where it is far beyond those of any stream."""
    if abs(code) > WIDEST_PAD:
        refuse(
            "too-wide", f"the padding of '{node.op.kind}' needs a code of {code.bit_length()} bits", node,
            f"the codes mean {grid}; the limit is {WIDEST_PAD.bit_length() - 1} bits",
            "use a zero-point and a pad value near the codes, or no padding",
        )  # fmt: skip
    return code


def _offsets(codes: Array, steps: Array, worth: Array) -> Array:
    """Real offset of each output channel: the weights times the operand's offsets (which pads share).

    steps: the offset of each input, in steps of its own scale, (groups, ic / groups)
    worth: what 1 of an output's sums is worth, by input where it differs, (oc, 1 or ic / groups)
    """
    if not any(steps.ravel()):
        return np.array([Fraction(0)] * len(codes), object)
    found = []
    for taken, shifts, scales in zip(np.split(codes, len(steps)), steps, np.split(worth, len(steps)), strict=True):
        sums = taken.sum(axis=(1, 2)).astype(object)
        if scales.shape[1] > 1:
            found += [sum((a * b * c for a, b, c in zip(*row, strict=True)), Fraction(0)) for row in zip(sums, scales, repeat(shifts))]
            continue
        kinds, which = np.unique(shifts, return_inverse=True)  # inputs of one offset are summed first: fractions are slow
        order = np.argsort(which, kind="stable")
        together = np.add.reduceat(sums[:, order], np.searchsorted(which[order], np.arange(len(kinds))), axis=1)
        found += [
            scale * sum((a * b for a, b in zip(row, kinds, strict=True)), Fraction(0))
            for row, (scale,) in zip(together, scales, strict=True)
        ]
    return np.array(found, object)


def _result(node: Node, stream: str, index: Array, scale: Array, offset: Array) -> Value:
    grid = Grid(scale, offset)
    if len(set(scale)) == 1 and len(set(offset)) == 1:
        grid = Grid.of(scale[0], offset[0])
    if not all(scale):
        refuse("bad-scale", "a weight scale is 0", node, "codes of scale 0 all mean the same number", "give dead channels any other scale")
    return Value(stream, index, grid, (), grid, node.outputs[0])


def encode_matmul_constant(enc: Encoder, node: Node) -> None:
    """Matrix product with a constant: a 1x1 convolution of each position, or of the whole frame as one vector."""
    left = isinstance(enc.known[node.inputs[0]], Const)
    const = _constant(enc, node.inputs[0 if left else 1], node)
    value = enc.codes(node.inputs[1 if left else 0], node)
    if len(const.shape) > 2 and math.prod(const.shape[:-2]) > 1:
        refuse(
            "unsupported-op", "a batched matrix product has no unit here", node, f"the weights have shape {const.shape}",
            "use weights of two axes, or a grouped convolution",
        )  # fmt: skip
    index = value.index
    if left:
        index = np.swapaxes(index, -1, -2)
    rows = index.reshape(-1, index.shape[-1])

    def transform(w: Array) -> Array:
        matrix = w.reshape(w.shape[-2:])
        return (matrix if left else matrix.T)[:, :, None, None]

    found = _vectors(enc, node, value, rows, (const, transform))
    shape = enc.model.tensors[node.outputs[0]].shape[1:]
    index = np.arange(math.prod(shape), dtype=np.int32).reshape(*index.shape[:-1], -1)
    if left:
        index = np.swapaxes(index, -1, -2)
    enc.known[node.outputs[0]] = replace(found, index=np.ascontiguousarray(index.reshape(shape)), anchor=node.outputs[0])
    enc.note(node, "integer matrix product")


def _vectors(enc: Encoder, node: Node, value: Value, rows: Array, weights: tuple[Const, Any]) -> Value:
    """The product for each row of an index array (positions, features)."""
    h, w, c = enc.shape(value.stream)
    positions, features = rows.shape
    outputs = math.prod(weights[0].shape) // features
    if positions == 1:
        flat = enc.view(value, (1, 1, h * w * c), node)
        if len(np.unique(rows)) < features:
            flat = gathered(enc, flat, rows[0], node)
            rows = np.arange(features)[None]
        return _convolved(enc, node, flat, rows[0], Window(), 1, weights, (outputs,))
    layout = find_layout(rows.T[:, None, :], (1, h * w, c))
    if layout is None or not layout.is_whole(1, h * w):
        value = permuted(enc, value, node, np.ascontiguousarray(rows.T)[:, None, :])
        h, w, c = enc.shape(value.stream)
        layout = find_layout(value.index, (h, w, c))
        assert layout, "on a stream of its own a vector's numbers are its channels"
    shape = (outputs, 1, positions) if h == 1 else (outputs, h, w)
    return _convolved(enc, node, value, layout.channels, Window(), 1, weights, shape)
