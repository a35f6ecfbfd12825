"""Encoding of Softmax before a quantizer: distances from the row's largest, a table of exponentials, shares of their sum.

A share p = exp(x_i) / sum(exp(x_j)) is compared without a division: with integers E_i near 2**F * exp(x_i - max), its code is
round(E_i * factor / (sum(E) * divisor)). Each E_i is off by at most 1/2 and the sum of the exact numbers is at least 2**F, so that of n
terms p is off by at most (n + 1) / 2**(F + 1); F is chosen so that this is at most 2**-TIE of a step of the quantizer. What lies farther
than that from a rounding tie has the code of exact real arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Node, op_of
from dfcompile.ir.intop import IntAdd, IntBelowMax, IntNormalize, LookupCode
from dfcompile.ir.modelop import Binary, IndexOp, Quantize, Softmax
from dfcompile.streamline.encode_layout import constant_stream
from dfcompile.streamline.encode_matmul import own_channels, plain, rows_of
from dfcompile.streamline.encode_real import ranges_of
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.value import Const, Masked, Shares, Value

TIE = 20  # binary logarithm of the parts of a quantizer's step within which of a rounding tie a share may get the other code
HIDDEN = -1000.0  # from here on an addend before a Softmax is a mask: exp of it is 0 in any arithmetic
LARGEST_TABLE = 1 << 15
_WIDEST = 48  # bits of a sum of exponentials
_DIGITS = 60
_ROUNDINGS = {
    "ROUND": "half_even", "HALF_EVEN": "half_even", "CEIL": "up", "UP": "up", "FLOOR": "down", "DOWN": "down",
    "HALF_UP": "half_up", "HALF_DOWN": "half_down",
}  # fmt: skip


def mask_of(enc: Encoder, node: Node) -> Masked | None:
    """What an elementwise node with a constant makes for a Softmax: the other operand, some elements of which count nothing."""
    op, readers = node.op, enc.model.consumers()[node.outputs[0]]
    if not isinstance(op, Binary) or op.fn not in ("add", "mul") or len(readers) != 1 or node.outputs[0] in enc.model.outputs:
        return None
    slot = next((i for i, t in enumerate(node.inputs) if not isinstance(enc.known[t], Const)), 0)
    known, const = enc.known[node.inputs[slot]], enc.known[node.inputs[1 - slot]]
    if not isinstance(known, Value | Masked) or not isinstance(const, Const):
        return None
    shape = enc.model.tensors[node.outputs[0]].shape[1:]
    numbers = np.broadcast_to(const.real, (1, *shape))[0]
    if op.fn == "add" and _is_for_softmax(enc, readers[0]):
        hides = numbers <= HIDDEN
        selected = known.pending if isinstance(known, Masked) and known.pending is not None else hides
        if not _hides_only(numbers) or not np.array_equal(selected, hides):
            return None
        before = _before_mask(enc, node, slot).broadcast(shape)
        return replace(before, hidden=before.hidden | hides, pending=None)
    if op.fn == "mul" and _is_selected(enc, numbers, readers[0]):
        return replace(_before_mask(enc, node, slot).broadcast(shape), pending=numbers == 0)
    return None


def _before_mask(enc: Encoder, node: Node, slot: int) -> Masked:
    """The operand of a mask, its numbers as codes."""
    name = node.inputs[slot]
    known = enc.known[name]
    if isinstance(known, Masked):
        return known
    value = enc.codes(name, node)
    return Masked(value, np.zeros(value.index.shape, bool))


def _is_softmax(enc: Encoder, node: Node) -> bool:
    return isinstance(node.op, Softmax) and enc.is_inside(node)


def _hides_only(numbers: Array) -> bool:
    """Whether an addend hides some elements and leaves all others as they are."""
    return bool(np.any(numbers <= HIDDEN)) and not np.any(numbers[numbers > HIDDEN])


def _is_for_softmax(enc: Encoder, node: Node) -> bool:
    """Whether it is a Softmax, or hides more elements for one."""
    if _is_softmax(enc, node):
        return True
    if not isinstance(node.op, Binary) or node.op.fn != "add" or node.outputs[0] in enc.model.outputs:
        return False
    readers = enc.model.consumers()[node.outputs[0]]
    masks = [known.real for known in map(enc.known.get, node.inputs) if isinstance(known, Const)]
    return len(readers) == 1 == len(masks) and _hides_only(masks[0]) and _is_for_softmax(enc, readers[0])


def _is_selected(enc: Encoder, numbers: Array, after: Node) -> bool:
    """Whether factors are 0 or 1, and where they are 0 the sum behind them puts so low a constant that a Softmax counts nothing."""
    readers = enc.model.consumers()[after.outputs[0]]
    if set(np.unique(numbers)) != {0.0, 1.0} or not isinstance(after.op, Binary) or after.op.fn != "add":
        return False
    if len(readers) != 1 or not _is_softmax(enc, readers[0]) or after.outputs[0] in enc.model.outputs:
        return False
    addends = [np.broadcast_to(k.real, (1, *numbers.shape))[0] for k in (enc.known.get(t) for t in after.inputs) if isinstance(k, Const)]
    return len(addends) == 1 and np.array_equal(addends[0] <= HIDDEN, numbers == 0) and not np.any(addends[0][numbers == 1])


def encode_softmax(enc: Encoder, node: Node) -> None:
    """Distances from the largest of each row; what follows says how exactly their exponentials are needed."""
    known = enc.known[node.inputs[0]]
    if isinstance(known, Masked):
        assert known.pending is None, "what hides elements by a product is followed by the sum that says so"
    value, hidden = (known.value, known.hidden) if isinstance(known, Masked) else (enc.codes(node.inputs[0], node), None)
    if value.known_grid.compact().scale.size + value.known_grid.compact().offset.size > 2:
        value = plain(enc, node, value)
    axis = op_of(node, Softmax).axis % (value.index.ndim + 1) - 1  # without the batch
    index = np.moveaxis(value.index, axis, -1)
    value, placed = own_channels(enc, node, value, index)
    rows = rows_of(enc, node, value, placed.reshape(1, -1, index.shape[-1]))
    n = index.shape[-1]
    place = np.empty(len(rows.order), np.int64)
    place[rows.order] = np.arange(len(rows.order))
    where = (place[:, None] * n + np.arange(n)).reshape(index.shape)
    masked = None
    if hidden is not None:
        masked = np.empty((len(rows.order), n), bool)
        masked[place] = np.moveaxis(hidden, axis, -1).reshape(-1, n)
    scale = value.known_grid.compact().scale.ravel()[0]
    ends = ranges_of(enc, node, value)
    span = (min(lo for lo, _ in ends), max(hi for _, hi in ends))
    found = np.ascontiguousarray(np.moveaxis(where, -1, axis).astype(np.int32))
    enc.note(node, "distances from the largest of each row, their exponentials, shares of the sum")
    enc.known[node.outputs[0]] = Shares(rows.stream, found, scale, span, masked, Fraction(1), node)


def encode_shares(enc: Encoder, node: Node) -> None:
    """What reads a Softmax: another order, a factor, or the quantizer."""
    given = next(k for k in (enc.known[t] for t in node.inputs) if isinstance(k, Shares))
    op, others = node.op, [enc.known[t] for t in node.inputs if not isinstance(enc.known[t], Shares)]
    if isinstance(op, IndexOp):
        (index,) = op.execute(given.index[None])
        enc.known[node.outputs[0]] = replace(given, index=np.ascontiguousarray(index[0]))
        enc.note(node, "re-indexed: no hardware")
        return
    numbers = [k.real for k in others if isinstance(k, Const) and k.real.size == 1]
    if len(numbers) == len(others):
        if isinstance(op, Binary) and op.fn in ("mul", "div") and isinstance(enc.known[node.inputs[0]], Shares):
            factor = Fraction(float(numbers[0].ravel()[0]))
            if factor > 0:
                enc.known[node.outputs[0]] = replace(given, gain=given.gain * factor if op.fn == "mul" else given.gain / factor)
                return
        if isinstance(op, Quantize):
            _quantized(enc, node, op, given, *(Fraction(float(x.ravel()[0])) for x in numbers))
            return
    end = enc.before(given.node)
    refuse(
        "not-quantized", f"'{op.kind}' reads a Softmax whose results are not quantized", node,
        "shares of a sum are real numbers, and only a quantizer with one scale makes codes of them",
        (f"build with {end}, or " if end else "") + "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) right behind the Softmax",
    )  # fmt: skip


def _quantized(enc: Encoder, node: Node, op: Quantize, given: Shares, scale: Fraction, zero: Fraction) -> None:
    ratio, rounding = given.gain / scale, _ROUNDINGS[op.rounding]
    own = Fraction(0) if op.zero_after else zero  # of the codes that are rounded; what is added after them is in the grid
    if ratio <= 0 or zero.denominator > 1 or not op.lo <= zero < op.hi or (own < 0 and rounding not in ("half_even", "down", "up")):
        refuse(
            "unsupported-shape", "no unit rounds a Softmax as this quantizer does", node,
            f"it has scale {float(scale):.6g}, zero-point {float(zero):g}, codes {op.lo} to {op.hi} and rounding {op.rounding}",
            "use a scale above 0, a zero-point that is a code, and rounding to the nearest",
        )  # fmt: skip
    share = IntNormalize(ratio.numerator, ratio.denominator, op.hi - int(zero), int(own), rounding)
    share = replace(share, most=min(share.most, max(1, share.rounded(1, 1))))
    n = enc.shape(given.stream)[2]
    bits = max(1, TIE + math.ceil(math.log2((n + 1) / 2 * ratio)))
    table = exponentials(enc, node, given, bits)
    stream, span = _hidden(enc, given, len(table))
    limit = min(len(table) - 1, max(span, 1))
    stream = enc.emit(IntBelowMax(limit), (stream,), given.node.source, f"below_max_{given.node.name}")
    stream = enc.emit(LookupCode(0), (stream,), given.node.source, f"exp_{given.node.name}", table=table[None, : limit + 1])
    stream = enc.emit(share, (stream,), node.source, f"share_{given.node.name}")
    grid = Grid.of(1, zero - own)
    enc.known[node.outputs[0]] = Value(stream, given.index, grid, (), grid, node.outputs[0])
    enc.note(node, f"shares of sums of exponentials of {bits} bits: as exact real numbers but within 2^-{TIE} of a step of a rounding tie")


def exponentials(enc: Encoder, node: Node, given: Shares, bits: int) -> Array:
    """round(2**bits * exp(-scale * d)) for each distance d up to the first that gives 0, or the largest there is."""
    scale, (lo, hi) = abs(given.scale), given.span
    zero = math.ceil((bits + 1) * math.log(2) / scale) + 1  # the first distance that gives 0, and perhaps one more
    count = zero + 1 if given.masked is not None else min(zero, max(hi - lo, 1)) + 1
    n = enc.shape(given.stream)[2]
    if count > LARGEST_TABLE or bits + math.ceil(math.log2(n)) > _WIDEST:
        refuse(
            "out-of-proportion", "a Softmax of so fine numbers has no table of exponentials", node,
            f"it would have {count:,} entries of {bits} bits for codes of a step of {float(scale):.3g}; the limits are "
            f"{LARGEST_TABLE:,} and {_WIDEST} bits for their sum",
            "put a quantizer before the Softmax, or use a coarser one behind it",
        )  # fmt: skip
    with localcontext() as context:
        context.prec = _DIGITS
        step, whole = Decimal(scale.numerator) / Decimal(scale.denominator), Decimal(1 << bits)
        found = np.array([int((whole * (-step * d).exp()).to_integral_value()) for d in range(count)], np.int64)
    return found


def _hidden(enc: Encoder, given: Shares, entries: int) -> tuple[str, int]:
    """The stream whose largest code of a row is the likeliest, hidden elements so low that their exponential is 0; its span."""
    (lo, hi), stream = given.span, given.stream
    if given.scale < 0:
        stream = enc.scaled(given.node, stream, [-1] * enc.shape(stream)[2])
    if given.masked is None:
        return stream, hi - lo
    if given.masked.all(axis=1).any():
        refuse(
            "bad-scale",
            "a Softmax of nothing",
            given.node,
            "its mask hides all elements of a row",
            "leave one element of each row unmasked",
        )
    below = -(hi - lo + entries)
    codes = np.where(given.masked, below, 0)
    like = Value(stream, np.arange(0), Grid.of(1, 0), (), Grid.of(1, 0))
    hiding = constant_stream(enc, given.node, like, codes.T[:, None, :])
    return enc.emit(IntAdd((1, 1)), (stream, hiding), given.node.source, f"mask_{given.node.name}"), hi - lo - below
