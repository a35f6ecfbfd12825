"""Real numbers between layers as integers in their order: what a ReLU leaves of a sum of products, averaged or added to another sum.

Exporters that quantize only what layers read (TensorRT, modelopt) leave such numbers real. relu(s * n + o) of an integer n lies on no
grid, but a maximum of integers is in its order, and so are sums of those (`streamline.order`). The quantizer behind them decides.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Node
from dfcompile.ir.intop import IntAdd, IntConcat, IntOp, IntPool, Range, View, Window
from dfcompile.ir.modelop import Unary
from dfcompile.streamline.encode_layout import aligned, constant_stream, spatial
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.order import Ordered, Pair, approach
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.streamline.value import Value, natural_index

WIDEST_SEARCHED = 2**12  # values of the narrower of two addends
WIDEST_ORDER = 2**31 - 1  # that a code is multiplied by


def rectified(value: Value) -> Value | None:
    """The codes whose affine a ReLU cuts off at 0, where a value is that and nothing else; None where it is not."""
    if value.is_codes or value.addends or not value.chain:
        return None
    *before, last = value.chain
    grid: Grid | None = value.base
    for step in before:
        grid = step.regrid(grid)
    if grid is None or not grid.pure or not _is_relu(last):
        return None
    return Value(value.stream, value.index, grid, (), grid, value.anchor)


def _is_relu(step: object) -> bool:
    op = step.op if isinstance(step, Step) else None
    return isinstance(op, Unary) and (op.fn == "relu" or (op.fn == "clip" and op.alpha == 0 and op.beta == math.inf))


def pooled(enc: Encoder, node: Node, value: Value, window: Window, divisor: int, shape: tuple[int, ...]) -> Value:
    """Sums of relu(codes) over windows, over a divisor: of what is above 0, and of how often it is.

    relu(s * n + o) is s * (n - n0 + r) for n >= n0, else 0. A window's sum is s * (y + r * x), y the sum of all n - n0 and x their number.
    """
    value, channels = spatial(enc, value, node)
    count = math.prod(window.kernel)
    pairs, factors, bounds = [], [], []
    for c, (lo, hi) in enumerate(ranges_of(enc, node, value)):
        scale, offset = value.known_grid.pick(c)
        sign, size = (1 if scale > 0 else -1), abs(scale)
        first = min(math.floor(-offset / size) + 1, max(lo * sign, hi * sign) + 1)
        rest = max(first + offset / size, Fraction(0)) or Fraction(1)
        p, q = _narrow(node, approach(rest, count + 1))
        bound = q * first - p
        pairs.append(Pair(p, q, rest, size / divisor, Fraction(0), 0, count * bound))
        factors.append(sign * q)
        bounds.append(bound)
    stream = _raised(enc, node, value, factors, bounds)
    stream = enc.emit(IntPool("sum", window), (stream,), node.source, f"pool_{node.name}")
    h, w, c = enc.shape(stream)
    index = natural_index(c, h, w)[channels].reshape(shape)
    enc.note(node, "pool (sum) of integers in the order of the real numbers")
    return Value(stream, index, Ordered.of_orders(pairs), (), None, value.anchor)


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
    enc.note(node, "sum of integers in the order of the real numbers")
    return Value(stream, a.index, Ordered.of_orders(pairs), (), None, a.anchor)


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


def _bounds(enc: Encoder, stream: str, made: dict[str, Node], known: dict[str, Range]) -> Range | None:
    if stream in known:
        return known[stream]
    tensor, node = enc.tensors[stream], made.get(stream)
    if node is None:
        lo, hi = tensor.range
        known[stream] = np.broadcast_to(lo, (tensor.channels,)), np.broadcast_to(hi, (tensor.channels,))
        return known[stream]
    for t in node.inputs:
        if t not in enc.constants and _bounds(enc, t, made, known) is None:
            return None
    ends = tuple(known[t] for t in node.inputs if t in known)
    if isinstance(node.op, IntOp):
        known[stream] = node.op.bounds(ends, tuple(enc.constants[t] for t in node.inputs[len(ends) :]))
        return known[stream]
    if not isinstance(node.op, StepFunction) or node.op.direction() is None:
        return None
    corners = np.stack([node.op.execute(*(e[i >> k & 1] for k, e in enumerate(ends)))[0] for i in range(1 << len(ends))])
    known[stream] = corners.min(axis=0), corners.max(axis=0)
    return known[stream]
