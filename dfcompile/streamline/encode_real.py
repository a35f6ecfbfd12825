"""Real numbers between layers as integers in their order: what a ReLU leaves of a sum of products, averaged or added to another sum.

Exporters that quantize only what layers read (TensorRT, modelopt) leave such numbers real. relu(s * n + o) of an integer n lies on no
grid, but a maximum of integers is in its order, and so are sums of those (`streamline.order`). The quantizer behind them decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Node
from dfcompile.ir.intop import IntAdd, IntConcat, IntOp, IntPool, Range, View, Window
from dfcompile.ir.modelop import Quantize, Unary
from dfcompile.streamline.encode_layout import aligned, constant_stream, spatial
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.layout import natural_index
from dfcompile.streamline.order import Order, Ordered, Pair, approach
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.streamline.triple import ordered_triple
from dfcompile.streamline.value import Value

WIDEST_SEARCHED = 2**12  # values of the narrower of two addends
WIDEST_ORDER = 2**31 - 1  # that a code is multiplied by
MOST_TRIED = 2**22  # codes of all channels, of a function that neither rises nor falls


def rectified(value: Value) -> Value | None:
    """The codes whose affine a ReLU cuts off at 0, where a value is that and nothing else; None where it is not."""
    found = cut_off(value)
    return found[0] if found and math.isinf(found[1]) else None


def cut_off(value: Value) -> tuple[Value, float] | None:
    """The codes whose affine a ReLU or Clip cuts off at 0, and the upper bound, infinite for a ReLU; None for other values."""
    if value.is_codes or value.addends or not value.chain:
        return None
    *before, last = value.chain
    grid: Grid | None = value.base
    for step in before:
        grid = step.regrid(grid)
    top = _top(last)
    if grid is None or not grid.pure or top is None:
        return None
    return Value(value.stream, value.index, grid, (), grid, value.anchor), top


def _top(step: object) -> float | None:
    """The upper bound of an operator that cuts off at 0 and there; None for others."""
    op = step.op if isinstance(step, Step) else None
    if not isinstance(op, Unary):
        return None
    return math.inf if op.fn == "relu" else op.beta if op.fn == "clip" and op.alpha == 0 and op.beta > 0 else None


def pooled(
    enc: Encoder, node: Node, value: Value, top: float, window: Window, divisor: int, shape: tuple[int, ...]
) -> Value:  # fmt: skip
    """Sums of clip(codes, 0, top) over windows, over a divisor: of what is above 0, and of how often it is, and how often at the top.

    clip(s * n + o) is s * (n - n0 + r) for n0 <= n < n1, 0 below and the top from n1 on. A window's sum is s * (y + r * x) + top * z,
    y the sum of all n - n0 between, x their number, z that of those at the top.
    """
    value, channels = spatial(enc, value, node)
    count, parts = math.prod(window.kernel), []
    for c, (lo, hi) in enumerate(ranges_of(enc, node, value)):
        scale, offset = value.known_grid.pick(c)
        ends = (min(lo, hi), max(lo, hi)) if scale > 0 else (-max(lo, hi), -min(lo, hi))
        parts.append((1 if scale > 0 else -1, _cut_sum(node, abs(scale), offset, top, ends, count, divisor)))
    stream = _raised(enc, node, value, [sign * p.factor for sign, p in parts], [p.bottom for _, p in parts])
    if top < math.inf:
        most = np.broadcast_to(np.array([p.top for _, p in parts], np.int64)[:, None, None], (len(parts), *enc.shape(stream)[:2]))
        stream = larger(enc, node, stream, constant_stream(enc, node, value, most), "min")
    stream = enc.emit(IntPool("sum", window), (stream,), node.source, f"pool_{node.name}")
    h, w, c = enc.shape(stream)
    index = natural_index(c, h, w)[channels].reshape(shape)
    enc.note(node, "pool (sum) of integers in the order of the real numbers")
    return Value(stream, index, Ordered.of_orders([p.order for _, p in parts]), (), None, value.anchor)


@dataclass(frozen=True, eq=False)
class _CutSum:
    """One channel: the sum of clip(factor * n, bottom, top) over a window means what `order` says."""

    factor: int
    bottom: int
    top: int
    order: Order


def _cut_sum(
    node: Node, size: Fraction, offset: Fraction, top: float, ends: tuple[int, int], count: int, divisor: int
) -> _CutSum:  # fmt: skip
    """Sums over windows of `count` codes n in `ends` of clip(size * n + offset, 0, top) / divisor."""
    low, high = ends
    first = min(math.floor(-offset / size) + 1, max(low, high) + 1)
    rest = max(first + offset / size, Fraction(0)) or Fraction(1)
    last = math.ceil((Fraction(top) - offset) / size) if top < math.inf else high + 1  # the first at the top
    if last > high:
        p, q = _narrow(node, approach(rest, count + 1))
        bottom = q * first - p
        return _CutSum(q, bottom, q * max(high, first), Pair(p, q, rest, size / divisor, Fraction(0), 0, count * bottom))
    gains = (size / divisor, size * rest / divisor, Fraction(top) / divisor)
    found = ordered_triple(gains, ((0, count * max(1, last - first)), (0, count), (0, count)))
    if found is None:
        refuse(
            "too-wide", f"'{node.op.kind}' adds up real numbers between 0 and {top:g}", node,
            f"integers in the order of sums of {count} would need more than 52 bits",
            "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) in front of it",
        )  # fmt: skip
    q, p, t = (found[0].factors[i] for i in found[1])
    bottom = q * first - p
    return _CutSum(q, bottom, bottom + t, replace(found[0], shift=count * bottom))


def added(enc: Encoder, node: Node, plain: Value, cut: Value) -> Value:
    """codes + relu(codes): integers in the order of the sums."""
    plain, cut = aligned(enc, node, plain, cut)
    pairs, factors, bounds = [], [], []
    for c, (lo, hi) in enumerate(ranges_of(enc, node, cut)):
        (gain, offset), (scale, shift) = plain.known_grid.pick(c), cut.known_grid.pick(c)
        sign, size = (1 if scale > 0 else -1), abs(gain)
        p, q = _narrow(node, approach(abs(scale) / size, hi - lo + 1))
        lattice = Pair(p, q, abs(scale) / size, size, offset + shift, min(lo * sign, hi * sign))
        floor = lattice.between(-shift / size)
        pairs.append(Pair(p, q, lattice.ratio, size, lattice.offset, lattice.first, 0, floor, offset))
        factors.append((2 * q if gain > 0 else -2 * q, 2 * sign * p))
        bounds.append(floor)
    left = enc.scaled(node, plain.stream, [f for f, _ in factors])
    right = _raised(enc, node, cut, [f for _, f in factors], bounds)
    stream = enc.emit(IntAdd((1, 1)), (left, right), node.source, f"add_{node.name}")
    enc.note(node, "sum of integers in the order of the real numbers")
    return Value(stream, plain.index, Ordered.of_orders(pairs), (), None, plain.anchor)


def is_wide(enc: Encoder, node: Node, a: Value, b: Value) -> bool:
    """Whether two addends without a common measure are of more pairs than a search for small factors looks at, or of several ratios."""
    spans = [max(hi - lo for lo, hi in ranges_of(enc, node, v)) for v in (a, b)]
    return min(spans) >= WIDEST_SEARCHED or len(set(np.ravel(a.known_grid.scale / b.known_grid.scale))) > 1


def summed(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    """codes + codes, on streams of one order: integers in the order of the sums."""
    pairs, factors = [], []
    for c, ((low, high), (lo, hi)) in enumerate(zip(ranges_of(enc, node, a), ranges_of(enc, node, b), strict=True)):
        (gain, offset), (scale, shift) = a.known_grid.pick(c), b.known_grid.pick(c)
        swap = high - low < hi - lo
        if swap:
            gain, scale, lo, hi = scale, gain, low, high
        signs = [1 if s > 0 else -1 for s in (gain, scale)]
        p, q = _narrow(node, approach(abs(scale) / abs(gain), hi - lo + 1))
        pairs.append(Pair(p, q, abs(scale) / abs(gain), abs(gain), offset + shift, min(lo * signs[1], hi * signs[1])))
        pair = (signs[0] * q, signs[1] * p)
        factors.append(pair[::-1] if swap else pair)
    streams = [enc.scaled(node, v.stream, [f[i] for f in factors]) for i, v in enumerate((a, b))]
    stream = enc.emit(IntAdd((1, 1)), (streams[0], streams[1]), node.source, f"add_{node.name}")
    enc.sums[stream] = (a.stream, a.known_grid), (b.stream, b.known_grid)
    enc.note(node, "sum of integers in the order of the real numbers")
    return Value(stream, a.index, Ordered.of_orders(pairs), (), None, a.anchor)


def third(enc: Encoder, node: Node, a: Value, b: Value, sign: int) -> Value | None:
    """a + b or a - b where one of them is the sum of two operands without a common measure and the other codes; None elsewhere."""
    swap = not _is_sum(enc, a)
    total, other = (b, a) if swap else (a, b)
    if not _is_sum(enc, total) or _is_sum(enc, other) or not (other.is_codes or other.grid is not None):
        return None
    other = enc.codes(node.inputs[0 if swap else 1], node)
    terms = enc.sums.get(total.stream) or ((total.stream, total.base), (total.addends[0].stream, total.addends[0].grid))
    like = replace(total, stream=terms[0][0], base=terms[0][1], grid=terms[0][1], addends=())
    first, other = aligned(enc, node, like, other)
    if first.stream != like.stream or not np.array_equal(first.index, like.index):
        return None
    signs = (sign, sign, 1) if swap else (1, 1, sign)
    return _tripled(enc, node, first, [*terms, (other.stream, other.known_grid)], signs)


def _is_sum(enc: Encoder, value: Value) -> bool:
    return not value.chain and value.grid is None and (len(value.addends) == 1 or value.stream in enc.sums)


def _tripled(
    enc: Encoder, node: Node, like: Value, terms: list[tuple[str, Grid]], signs: tuple[int, int, int]
) -> Value | None:  # fmt: skip
    """Three streams of one layout as a sum in the order of the real numbers, which are signs * (scale * code + offset)."""
    ranges = [ranges_of(enc, node, replace(like, stream=t)) for t, _ in terms]
    orders, factors = [], []
    for c, bounds in enumerate(zip(*ranges, strict=True)):
        picked = [g.pick(c) for _, g in terms]
        gains = [s * scale for s, (scale, _) in zip(signs, picked, strict=True)]
        offset = sum((s * o for s, (_, o) in zip(signs, picked, strict=True)), Fraction(0))
        found = ordered_triple((gains[0], gains[1], gains[2]), (bounds[0], bounds[1], bounds[2]), offset)
        if found is None:
            return None
        orders.append(found[0])
        factors.append([found[0].factors[i] for i in found[1]])
    scaled = [enc.scaled(node, t, [f[i] for f in factors]) for i, (t, _) in enumerate(terms)]
    pair = enc.emit(IntAdd((1, 1)), (scaled[0], scaled[1]), node.source, f"add_{node.name}")
    stream = enc.emit(IntAdd((1, 1)), (pair, scaled[2]), node.source, f"add_{node.name}")
    enc.note(node, "sum of three streams of integers in the order of the real numbers")
    return Value(stream, like.index, Ordered.of_orders(orders), (), None, like.anchor)


def _narrow(node: Node, factors: tuple[int, int]) -> tuple[int, int]:
    if max(factors) > WIDEST_ORDER:
        refuse(
            "too-wide", f"the operands of '{node.op.kind}' are real numbers", node,
            f"integers in their order would be multiplied by {max(factors):.3g}; the limit is {WIDEST_ORDER:.3g}",
            "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) on an operand",
        )  # fmt: skip
    return factors


def _raised(enc: Encoder, node: Node, value: Value, factors: list[int], bounds: list[int]) -> str:
    """max(factor * code, bound), both by channel."""
    stream = enc.scaled(node, value.stream, factors)
    codes = np.broadcast_to(np.array(bounds, np.int64)[:, None, None], (len(bounds), *enc.shape(stream)[:2]))
    return larger(enc, node, stream, constant_stream(enc, node, value, codes), "max")


def larger(enc: Encoder, node: Node, a: str, b: str, mode: str) -> str:
    """The larger ("max") or smaller ("min") of two streams of one shape: side by side, then a pool over each pair."""
    h, w, c = enc.shape(a)
    stream = enc.emit(IntConcat(), (a, b), node.source, f"pair_{node.name}")
    stream = enc.emit(View((h, 2 * w, c)), (stream,), node.source, f"view_{node.name}")
    return enc.emit(IntPool(mode, Window((1, 2), (1, 2))), (stream,), node.source, f"{mode}_{node.name}")


def ranges_of(enc: Encoder, node: Node, value: Value) -> list[tuple[int, int]]:
    """What the codes of each channel are proven to lie between."""
    found = _bounds(enc, value.stream, {n.outputs[0]: n for n in enc.nodes}, {})
    if found is None:
        refuse(
            "not-quantized", f"an operand of '{node.op.kind}' is not quantized", node,
            "it is a real number behind a function that is not monotone, whose range is not known here",
            "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) on this tensor",
        )  # fmt: skip
    lo, hi = (np.broadcast_to(b, (enc.shape(value.stream)[2],)).astype(np.int64).tolist() for b in found)
    return list(zip(lo, hi, strict=True))


def _of_quantizer(function: StepFunction, channels: int) -> Range | None:
    """What the codes of a function lie between whatever its argument is, where nothing but affines follow a quantizer in it."""
    found = [(i, s.op) for i, s in enumerate(function.chain) if isinstance(s, Step) and isinstance(s.op, Quantize)]
    if not found:
        return None
    place, op = found[-1]
    rest = StepFunction(Grid.of(1, 0), function.chain[place + 1 :], function.grid)
    if rest.direction() is None:
        return None
    ends = np.stack([rest.execute(np.full((1, channels), float(end)))[0][0] for end in (op.lo, op.hi)])
    return ends.min(axis=0), ends.max(axis=0)


def _bounds(enc: Encoder, stream: str, made: dict[str, Node], known: dict[str, Range]) -> Range | None:
    if stream in known:
        return known[stream]
    tensor, node = enc.tensors[stream], made.get(stream)
    if node is None:
        lo, hi = tensor.range
        known[stream] = np.broadcast_to(lo, (tensor.channels,)), np.broadcast_to(hi, (tensor.channels,))
        return known[stream]
    inside = [_bounds(enc, t, made, known) for t in node.inputs if t not in enc.constants]
    ends = tuple(e for e in inside if e is not None)
    found = None
    if isinstance(node.op, StepFunction):
        found = _of_function(node.op, ends if len(ends) == len(inside) else None, tensor.channels)
    elif isinstance(node.op, IntOp) and len(ends) == len(inside):
        found = node.op.bounds(ends, tuple(enc.constants[t] for t in node.inputs[len(ends) :]))
    if found is not None:
        known[stream] = found
    return found


def _of_function(function: StepFunction, ends: tuple[Range, ...] | None, channels: int) -> Range | None:
    """What the codes of a function lie between; ends: the same of its operands, where it is known."""
    if ends is None or function.direction() is None:
        quantized = _of_quantizer(function, channels)
        if quantized is not None or ends is None:
            return quantized
        lo, hi = (np.broadcast_to(e, (channels,)) for e in ends[0])
        widest = int((hi - lo).max())
        if len(ends) > 1 or widest >= MOST_TRIED // channels:
            return None
        tried = function.execute(np.minimum(lo + np.arange(widest + 1)[:, None], hi))[0]  # those of each channel from its own least on
    else:
        tried = np.stack([function.execute(*(e[i >> k & 1] for k, e in enumerate(ends)))[0] for i in range(1 << len(ends))])
    return tried.min(axis=0), tried.max(axis=0)
