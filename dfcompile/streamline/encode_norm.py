"""Encoding of norms before a quantizer: the root of a row's mean square, and thresholds on each element over it.

y >= b, for y = gain * d / sqrt(V + epsilon) and integers d and V of a row (`apart.Row`), is a comparison of squares of rationals. Hardware
makes d / sqrt(V + epsilon) with G binary places; G, and each threshold, are chosen so that no row whatever is decided otherwise than by
that comparison (`apart.gaps` has looked at all of them). Where there are too many to look at, G is chosen as for a Softmax: only what lies
within 2**-TIE of a step of a rounding tie may get the other code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from dfcompile.ir.graph import Array, Node, op_of
from dfcompile.ir.intop import IntStandardize, ThresholdCode, View
from dfcompile.ir.modelop import BatchNorm, Binary, Bipolar, Dequantize, IndexOp, Quantize, Standardize, Unary
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline import exact
from dfcompile.streamline.apart import NOISE, Row, gaps
from dfcompile.streamline.encode_layout import permuted
from dfcompile.streamline.encode_matmul import own_channels, plain, rows_of
from dfcompile.streamline.encode_pointwise import with_step
from dfcompile.streamline.encode_real import ranges_of
from dfcompile.streamline.encode_softmax import TIE
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step
from dfcompile.streamline.value import Const, Standardized, Value, describe

WIDEST = 46  # bits of the numbers that are compared with thresholds
_ROOM = 8  # units of the last place between numbers on either side of a threshold: three are lost, and the threshold lies in the middle
_FINEST = 60  # binary places of epsilon
_EPSILON_STEP = 4


def encode_standardize(enc: Encoder, node: Node) -> None:
    """The rows of a norm; what follows says how exactly its results are needed."""
    op, value = op_of(node, Standardize), enc.codes(node.inputs[0], node)
    grid = value.known_grid.compact()
    if grid.scale.size + grid.offset.size > 2 or not op.centred:
        value = plain(enc, node, value)
        grid = value.known_grid.compact()
    axes = [a - 1 for a in op.axes]  # without the batch
    index = np.moveaxis(value.index, axes, range(-len(axes), 0))
    n = math.prod(value.index.shape[a] for a in axes)
    value, placed = own_channels(enc, node, value, index.reshape(-1, n))
    size = math.prod(enc.shape(value.stream))
    if len(np.unique(placed)) != size or placed.size != size:
        refuse(
            "bad-layout", "a norm reads part of a tensor, or some of it twice", node, f"of {size} elements it reads {placed.size}",
            "take the part, or repeat it, behind the norm",
        )  # fmt: skip
    rows = rows_of(enc, node, value, placed.reshape(1, -1, n))
    order = np.empty(size, np.int64)
    place = np.empty(len(rows.order), np.int64)
    place[rows.order] = np.arange(len(rows.order))
    order[placed] = place[:, None] * n + np.arange(n)
    scale, ends = grid.scale.ravel()[0], ranges_of(enc, node, value)
    count, gain = Fraction(n * n if op.centred else n), Fraction(op.gain)
    epsilon = Fraction(op.epsilon) * count / (gain * scale * scale)
    row = Row(n, op.centred, min(lo for lo, _ in ends), max(hi for _, hi in ends), epsilon)
    streams = [(rows.stream, order[placed])]
    if not np.array_equal(order, np.arange(size)):
        streams.append((value.stream, placed))
    values = tuple((_placed(stream, where.reshape(index.shape), axes), stream != rows.stream) for stream, where in streams)
    square = (Fraction(1) if op.centred else Fraction(n)) / gain
    enc.known[node.outputs[0]] = Standardized(values, rows.stream, order, row, square, 1 if scale > 0 else -1, node)
    enc.note(node, "the root of each row's mean square, and thresholds on the elements over it")


def _placed(stream: str, where: Array, axes: list[int]) -> Value:
    """A tensor whose axes `axes` are the last ones of `where`, on a stream."""
    index = np.moveaxis(where, range(-len(axes), 0), axes)
    return Value(stream, np.ascontiguousarray(index.astype(np.int32)), Grid.of(1, 0))


def encode_standardized(enc: Encoder, node: Node) -> None:
    """What reads a norm: another order, an affine or a limit, the quantizer."""
    given = next(k for k in (enc.known[t] for t in node.inputs) if isinstance(k, Standardized))
    others = [enc.known[t] for t in node.inputs if not isinstance(enc.known[t], Standardized)]
    if isinstance(node.op, IndexOp):
        values = tuple((replace(v, index=np.ascontiguousarray(node.op.execute(v.index[None])[0][0])), back) for v, back in given.values)
        enc.known[node.outputs[0]] = replace(given, values=values)
        enc.note(node, "re-indexed: no hardware")
        return
    if len(others) == len(node.inputs) - 1 and all(isinstance(k, Const) for k in others) and _may_follow(node):
        slot = next(i for i, t in enumerate(node.inputs) if isinstance(enc.known[t], Standardized))
        made = [(with_step(enc, node, v, slot), back, enc.shape(v.stream)) for v, back in given.values]
        by_channel = tuple((v, back) for v, back, before in made if enc.shape(v.stream) == before)
        given = replace(given, values=by_channel or (made[0][:2],))
        if isinstance(node.op, Quantize | Bipolar):
            _quantized(enc, node, given)
        else:
            enc.known[node.outputs[0]] = given
            enc.note(node, "part of a step function or an affine")
        return
    end = enc.before(given.node)
    refuse(
        "not-quantized", f"'{node.op.kind}' reads a norm whose results are not quantized", node,
        f"what {describe(given.node)} gives are real numbers, and only a quantizer makes codes of them",
        (f"build with {end}, or " if end else "") + "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) right behind the norm",
    )  # fmt: skip


def _may_follow(node: Node) -> bool:
    op = node.op
    if isinstance(op, Binary):
        return op.fn in ("add", "sub", "mul", "div")
    return isinstance(op, Quantize | Bipolar | Dequantize | BatchNorm) or (isinstance(op, Unary) and op.fn in ("neg", "relu", "clip"))


@dataclass(frozen=True)
class Bound:
    """y >= number (inclusive) or y > number; where y `falls` in what it is made of, <= or <."""

    number: Fraction
    inclusive: bool
    falls: bool = False

    def before(self, step: Step, c: int) -> Bound | bool:
        """What the step's argument must be for its result to be so; whether it always or never is, if that does not matter."""
        op = step.op
        if isinstance(op, Unary) and op.fn in ("relu", "clip"):
            low = 0.0 if op.fn == "relu" else op.alpha
            high = math.inf if op.fn == "relu" else op.beta
            never = self.number > high or (self.number == high and not self.inclusive)
            always = self.number < low or (self.number == low and self.inclusive)
            return always != self.falls if always or never else self
        shift = step.exact(Fraction(0), c)
        gain = step.exact(Fraction(1), c) - shift
        if not gain:
            return self.holds(shift)
        return Bound((self.number - shift) / gain, self.inclusive, self.falls != (gain < 0))

    def holds(self, y: Fraction) -> bool:
        """Whether it is met."""
        if y == self.number:
            return self.inclusive
        return (y < self.number) if self.falls else y > self.number


Wanted = tuple[Fraction, bool]
"""A number d / sqrt(V + epsilon) reaches a threshold, the root of a square with that square's sign, and whether one equal to it does."""


def _quantized(enc: Encoder, node: Node, given: Standardized) -> None:
    """Thresholds for what a quantizer makes of a norm."""
    value, _ = given.values[0]
    *before, last = value.chain
    steps = [s for s in before if isinstance(s, Step)]
    assert isinstance(last, Step) and len(steps) == len(before), "chains of a norm have one variable"
    bipolar = isinstance(last.op, Bipolar)
    dtype = BIPOLAR if bipolar else IntType.holding(*_ends(last))
    rows = _of_channels(enc, given, steps, last, dtype)
    places = _Places.of(given.row, [[w for w in row if not isinstance(w, bool)] for row, _ in rows])
    stream, limit = _standardized(enc, given, places)
    ends = {False: limit + 1, True: -limit - 1}
    thresholds = np.array([[ends[w] if isinstance(w, bool) else places.thresholds[w] for w in row] for row, _ in rows], np.int64)
    flip = np.array([falls for _, falls in rows])
    if not bipolar:
        dtype, thresholds = _reached(dtype, thresholds, flip, limit)
    code = ThresholdCode(dtype.bits, dtype.lo, 2 if bipolar else 1)
    stream = enc.emit(code, (stream,), node.source, f"steps_{node.name}", thresholds=thresholds, flip=flip)
    grid = Grid.of(1, 0)
    enc.known[node.outputs[0]] = Value(stream, value.index, grid, (), grid, node.outputs[0])
    enc.note(node, f"thresholds on a norm's results of {places.after} binary places: {places.meaning}")


def _reached(dtype: IntType, thresholds: Array, flip: Array, limit: int) -> tuple[IntType, Array]:
    """The narrowest type of the codes that numbers from -limit - 1 to limit reach in any channel, and the thresholds between these."""
    ends = np.stack([(thresholds <= end).sum(axis=1) for end in (-limit - 1, limit)])
    codes = np.where(flip, dtype.hi - ends, dtype.lo + ends)
    narrow = IntType.holding(int(codes.min()), int(codes.max()))
    first = np.where(flip, dtype.hi - narrow.hi, narrow.lo - dtype.lo)
    count = narrow.hi - narrow.lo
    return narrow, np.ascontiguousarray(np.take_along_axis(thresholds, first[:, None] + np.arange(count), axis=1))


def _of_channels(
    enc: Encoder, given: Standardized, before: list[Step], last: Step, dtype: IntType
) -> list[tuple[list[Wanted | bool], bool]]:
    """`_wanted` of each channel; those of equal parameters are found once."""
    known: dict[tuple[float, ...], tuple[list[Wanted | bool], bool]] = {}
    found = []
    for c in range(enc.shape(given.values[0][0].stream)[2]):
        key = tuple(float(np.ravel(p)[0]) for step in (*before, last) for p in step.of_channel(c).params)
        if key not in known:
            known[key] = _wanted(given, before, _codes_from(last, c, dtype), c)
        found.append(known[key])
    return found


def _ends(quantizer: Step) -> tuple[int, int]:
    op = quantizer.op
    assert isinstance(op, Quantize), "only quantizers make codes of real numbers"
    return op.lo, op.hi


def _codes_from(quantizer: Step, c: int, dtype: IntType) -> list[Bound | bool]:
    """For each code of the type but the least, what the argument of a channel's quantizer must be for a code as large."""
    op = quantizer.op
    if isinstance(op, Bipolar):
        return [Bound(Fraction(0), True)]
    assert isinstance(op, Quantize), "only quantizers make codes of real numbers"
    scale, zero = (Fraction(float(np.ravel(p)[0])) for p in quantizer.of_channel(c).params)
    found: list[Bound | bool] = []
    for code in range(dtype.lo + 1, dtype.hi + 1):
        if code <= op.lo or code > op.hi:
            found.append(code <= op.lo)
            continue
        near = [(code - part - zero) * scale for part in (Fraction(0), Fraction(1, 2), Fraction(1))]
        away = scale / 8
        at = next(x for x in near if exact.quantize(op, x - away, scale, zero) < code <= exact.quantize(op, x + away, scale, zero))
        found.append(Bound(at, exact.quantize(op, at, scale, zero) >= code))
    return found


def _wanted(given: Standardized, before: list[Step], bounds: list[Bound | bool], c: int) -> tuple[list[Wanted | bool], bool]:
    """What thresholds of a channel, rising, stand for, and whether its codes fall."""
    found = list[Bound | bool]()
    for bound in bounds:
        reached = bound
        for step in reversed(before):
            if isinstance(reached, Bound):
                reached = reached.before(step, c)
        found.append(reached)
    falls = any(isinstance(b, Bound) and b.falls != (given.sign < 0) for b in found)
    wanted: list[Wanted | bool] = []
    for reached in reversed(found) if falls else found:
        if isinstance(reached, bool):
            wanted.append(reached != falls)
        else:
            number = reached.number * given.sign
            wanted.append((number * abs(number) / given.square, reached.inclusive != falls))
    return wanted, falls


@dataclass(frozen=True)
class _Places:
    """How finely rows are known, and the thresholds there.

    after:    binary places of d / sqrt(V + epsilon)
    finest:   binary places of epsilon
    exact:    whether each row's codes are those of exact arithmetic
    """

    row: Row
    after: int
    finest: int
    exact: bool
    thresholds: dict[Wanted, int]

    @property
    def meaning(self) -> str:
        """How exact it is, for people."""
        return (
            "every code as exact real numbers" if self.exact else f"as exact real numbers but within 2^-{TIE} of a step of a rounding tie"
        )

    @staticmethod
    def of(row: Row, wanted: list[list[Wanted]]) -> _Places:
        """As few places as change no code; where that is unknown, or too many, as change none but next to ties. wanted: of each channel"""
        unlike = sorted({w for channel in wanted for w in channel})
        exactly = _exactly(row, unlike)
        if exactly:
            return exactly
        roots = ([math.copysign(math.sqrt(abs(square)), square) for square, _ in channel] for channel in wanted)
        return _nearly(row, unlike, min((b - a for r in roots for a, b in pairwise(r) if b > a), default=1.0))


def _exactly(row: Row, wanted: list[Wanted]) -> _Places | None:
    """As few places as change no code, and then as few of epsilon; None where that is too much work, or too many."""
    found = _intervals(row, wanted, 0.0)
    after = WIDEST if found is None else _places(*found)
    if found is None or after + math.isqrt(row.n).bit_length() > WIDEST:
        return None
    finest = 0
    if row.epsilon.denominator > 1:
        finest = max(0, after - row.most.bit_length() + _EPSILON_STEP - 1)
        while (found := _intervals(row, wanted, 2.0**-finest)) is None or _places(*found) > after:
            finest += _EPSILON_STEP
            if finest > _FINEST:
                return None
    below, above = found
    limit = float(2 ** (WIDEST + 2))
    middle = np.clip((below + above) / 2 * 2.0**after, -limit, limit)
    return _Places(row, after, finest, True, dict(zip(wanted, np.floor(middle).astype(np.int64).tolist(), strict=True)))


def _places(below: Array, above: Array) -> int:
    """Binary places at which all intervals have room for a threshold; more than WIDEST where float64 cannot tell."""
    ends = np.maximum(np.abs(below), np.abs(above))
    bounded = np.isfinite(ends)
    if not bounded.any():
        return 0
    width = (above - below)[bounded] - NOISE * ends[bounded]
    return WIDEST + 1 if width.min() <= 0 else max(0, math.ceil(math.log2(_ROOM / width.min())))


def _intervals(row: Row, wanted: list[Wanted], blur: float) -> tuple[Array, Array] | None:
    """For each threshold the largest number below it and the smallest that reaches it, or infinities; None where that is too much work."""
    mirrored = [(abs(square), inclusive == (square > 0)) for square, inclusive in wanted if square]
    found = gaps(row, [s for s, _ in mirrored], [i for _, i in mirrored], blur)
    if found is None:
        return None
    ends = iter(zip(*found, strict=True))
    least = 1 / math.sqrt(row.most + row.epsilon + 1) if row.most else math.inf  # above 0
    pairs = []
    for square, inclusive in wanted:
        if square:
            low, high = next(ends)
            pairs.append((low, high) if square > 0 else (-high, -low))
        else:
            pairs.append((-least, 0.0) if inclusive else (0.0, least))
    below, above = np.array(pairs, np.float64).reshape(-1, 2).T
    return below, above


def _nearly(row: Row, wanted: list[Wanted], apart: float) -> _Places:
    """Places at which only numbers within 2**-TIE of `apart`, a step, may be on the wrong side of a threshold."""
    after = max(0, TIE + math.ceil(math.log2(_ROOM / 2 / apart)))
    finest = max(0, after + math.isqrt(row.n).bit_length() - math.floor(math.log2(row.moments.least + row.epsilon)))
    limit = 2 ** (WIDEST + 2)
    at = [(math.copysign(math.sqrt(abs(square)), square) * 2**after, inclusive) for square, inclusive in wanted]
    thresholds = [max(-limit, min(limit, math.ceil(r) if inclusive else math.floor(r) + 1)) for r, inclusive in at]
    return _Places(row, after, finest, False, dict(zip(wanted, thresholds, strict=True)))


def _standardized(enc: Encoder, given: Standardized, places: _Places) -> tuple[str, int]:
    """The stream of a norm's results, where the first value of it is to lie, and the largest of them."""
    row, node, (value, back) = given.row, given.node, given.values[0]
    drop = row.reach.bit_length()
    op = IntStandardize(row.centred, places.after + drop, drop, round(row.epsilon * 2**places.finest), places.finest)
    rows = replace(enc.tensors[given.rows], lo=np.array(row.lo), hi=np.array(row.hi))
    if places.after + math.isqrt(row.n).bit_length() > WIDEST or not op.fits((rows,), ()):
        refuse(
            "out-of-proportion", "a norm of so fine numbers has no unit", node,
            f"{row.n} codes from {row.lo} to {row.hi} in a row would need {places.after} binary places for its quantizer",
            "put a quantizer of fewer bits before the norm, or use a coarser one behind it",
        )  # fmt: skip
    stream = enc.emit(op, (given.rows,), node.source, f"standardize_{node.name}")
    h, w, c = shape = enc.shape(value.stream)
    if back:
        chw = np.ascontiguousarray(given.order.reshape(h, w, c).transpose(2, 0, 1).astype(np.int32))
        grid = Grid.of(1, 0)
        return permuted(enc, Value(stream, chw, grid, (), grid), node, chw).stream, op.limit(row.n)
    moved = enc.shape(stream) != shape
    return (enc.emit(View(shape), (stream,), node.source, f"view_{node.name}") if moved else stream), op.limit(row.n)
