"""Encoding of norms before a quantizer: the root of a row's mean square, and thresholds on each element over it.

y >= b, for y = gain * d / sqrt(V + epsilon) and integers d and V of a row (`apart.Row`), is a comparison of squares of rationals. Hardware
makes d / sqrt(V + epsilon) with G binary places; G, and each threshold, are chosen so that no row whatever is decided otherwise than by
that comparison (`apart.gaps` has looked at all of them). Where there are too many to look at, G is chosen as for a Softmax: only what lies
within 2**-TIE of a step of a rounding tie may get the other code. A function between that rises and falls (`norm_pieces`) has thresholds
where its code changes; what they count is the place of the code in a table.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Node, op_of
from dfcompile.ir.intop import IntStandardize, LookupCode, ThresholdCode, View
from dfcompile.ir.modelop import Binary, Bipolar, IndexOp, Quantize, Standardize, Unary
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.apart import Row
from dfcompile.streamline.bound import Bound, codes_from, ends_of
from dfcompile.streamline.encode_layout import permuted
from dfcompile.streamline.encode_matmul import own_channels, plain, rows_of
from dfcompile.streamline.encode_pointwise import with_step
from dfcompile.streamline.encode_real import ranges_of
from dfcompile.streamline.encoder import Encoder, refuse
from dfcompile.streamline.forms import affine_of, has_form, joins
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.norm_pieces import Coded, NormPieces
from dfcompile.streamline.places import WIDEST, Places, Wanted
from dfcompile.streamline.step import Join, Step
from dfcompile.streamline.value import Const, Standardized, Value, describe


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
    slot = next(i for i, t in enumerate(node.inputs) if isinstance(enc.known[t], Standardized))
    if isinstance(node.op, IndexOp):
        values = tuple((replace(v, index=np.ascontiguousarray(node.op.execute(v.index[None])[0][0])), back) for v, back in given.values)
        enc.known[node.outputs[0]] = replace(given, values=values)
        enc.note(node, "re-indexed: no hardware")
        return
    if len(others) == len(node.inputs) - 1 and all(isinstance(k, Const) for k in others) and _may_follow(enc, node, slot):
        made = [(with_step(enc, node, v, slot), back, enc.shape(v.stream)) for v, back in given.values]
        by_channel = tuple((v, back) for v, back, before in made if enc.shape(v.stream) == before)
        given = replace(given, values=by_channel or (made[0][:2],))
        if isinstance(node.op, Quantize | Bipolar):
            _quantized(enc, node, given)
        else:
            enc.known[node.outputs[0]] = given
            enc.note(node, "part of a step function or an affine")
        return
    both = [k for k in (enc.known[t] for t in node.inputs) if isinstance(k, Standardized)]
    if len(both) == 2 and isinstance(node.op, Binary) and joins(node.op) and (joined := _joined(node.op, *both)):
        enc.known[node.outputs[0]] = joined
        enc.note(node, "part of a step function of one stream")
        return
    end = enc.before(given.node)
    refuse(
        "not-quantized", f"'{getattr(node.op, 'fn', node.op.kind)}' reads a norm whose results are not quantized", node,
        f"what {describe(given.node)} gives are real numbers, and only a quantizer makes codes of them",
        (f"build with {end}, or " if end else "") + "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) right behind the norm",
    )  # fmt: skip


def _may_follow(enc: Encoder, node: Node, slot: int) -> bool:
    if isinstance(node.op, Quantize | Bipolar):
        return slot == 0
    others = [k.real for k in (enc.known[t] for t in node.inputs) if isinstance(k, Const)]
    return has_form(node.op, slot, others[0] if others else None)


def _joined(op: Binary, a: Standardized, b: Standardized) -> Standardized | None:
    """Two functions of one norm's results as one; None where they are not of one norm, or their elements are in different places."""
    if a.node is not b.node:
        return None
    made = []
    for (x, back), (y, other) in itertools.product(a.values, b.values):
        if back == other and x.stream == y.stream and np.array_equal(x.index, y.index):
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] is pair[1], zip(x.chain, y.chain, strict=False)))
            join = Join(op, x.chain[same:], y.chain[same:])
            made.append((replace(x, chain=(*x.chain[:same], join), grid=None), back))
    return replace(a, values=tuple(made)) if made else None


def _quantized(enc: Encoder, node: Node, given: Standardized) -> None:
    """Thresholds for what a quantizer makes of a norm, and a table behind them where codes neither rise nor fall."""
    value, _ = given.values[0]
    *before, last = value.chain
    steps = [s for s in before if isinstance(s, Step) and _goes_back(s)]
    assert isinstance(last, Step), "the last step is the quantizer"
    if len(steps) < len(before):
        _of_function(enc, node, given)
        return
    bipolar = isinstance(last.op, Bipolar)
    dtype = BIPOLAR if bipolar else IntType.holding(*ends_of(last))
    rows = _of_channels(enc, given, steps, last, dtype)
    places = Places.of(given.row, [[w for w in row if not isinstance(w, bool)] for row, _ in rows])
    stream, limit = _standardized(enc, given, places)
    thresholds, flip = _lines(places, limit, rows)
    if not bipolar:
        dtype, thresholds = _reached(dtype, thresholds, flip, limit)
    _counted(enc, node, value, stream, dtype, thresholds, flip)
    enc.note(node, f"thresholds on a norm's results of {places.after} binary places: {places.meaning}")


def _goes_back(step: Step) -> bool:
    """Whether a bound on its result is one on its argument (`Bound.before`)."""
    return affine_of(step.of_channel(0)) is not None or (isinstance(step.op, Unary) and step.op.fn in ("relu", "clip"))


def _lines(places: Places, limit: int, rows: list[tuple[list[Wanted | bool], bool]]) -> tuple[Array, Array]:
    """Thresholds and flips of all channels; a bool is one that always or never is reached."""
    ends = {False: limit + 1, True: -limit - 1}
    thresholds = np.array([[ends[w] if isinstance(w, bool) else places.thresholds[w] for w in row] for row, _ in rows], np.int64)
    thresholds = np.clip(thresholds, ends[True], ends[False])  # one between rows that there are and none may lie anywhere beyond
    return thresholds, np.array([falls for _, falls in rows])


def _counted(
    enc: Encoder, node: Node, value: Value, stream: str, dtype: IntType, thresholds: Array, flip: Array, table: Array | None = None
) -> None:
    """Thresholds on a norm's results, perhaps a table of codes for their counts, as what the node gives."""
    code = ThresholdCode(dtype.bits, dtype.lo, 2 if dtype.bipolar else 1)
    name = f"steps_{node.name}"
    stream = enc.emit(code, (stream,), node.source, name, thresholds=thresholds, flip=flip)
    if table is not None:
        stream = enc.emit(LookupCode(0), (stream,), node.source, f"codes_{node.name}", table=table)
    grid = Grid.of(1, 0)
    enc.known[node.outputs[0]] = Value(stream, value.index, grid, (), grid, node.outputs[0])


def _of_function(enc: Encoder, node: Node, given: Standardized) -> None:
    """The same where any function of one number is between: its pieces, numbered where codes neither rise nor fall."""
    value, _ = given.values[0]
    found = NormPieces(node, given, value.chain, enc.shape(value.stream)[2])
    channels = found.channels
    places = Places.of(given.row, [list(ch.edges) for ch in channels], found.apart, found.all)
    stream, limit = _standardized(enc, given, places)
    codes = [c for ch in channels for c in ch.codes]
    lo, hi = min(codes), max(codes)
    if all(ch.rises or ch.falls for ch in channels) and lo < hi:
        bipolar = isinstance(value.chain[-1].op, Bipolar)
        dtype = BIPOLAR if bipolar else IntType.holding(lo, hi)
        rows = [_rising(ch, [1] if bipolar else list(range(dtype.lo + 1, dtype.hi + 1))) for ch in channels]
        _counted(enc, node, value, stream, dtype, *_lines(places, limit, rows))
    else:
        dtype = IntType.holding(0, max(1, *(len(ch.edges) for ch in channels)))
        never: list[Wanted | bool] = [False] * dtype.hi
        lines = _lines(places, limit, [([*ch.edges, *never][: dtype.hi], False) for ch in channels])
        table = np.array([[*ch.codes, *[ch.codes[-1]] * dtype.hi][: dtype.hi + 1] for ch in channels], np.int64)
        _counted(enc, node, value, stream, dtype, *lines, table)
    enc.note(node, f"pieces of a function of a norm's results of {places.after} binary places: {places.meaning}")


def _rising(channel: Coded, codes: list[int]) -> tuple[list[Wanted | bool], bool]:
    """For each code what reaches it, as thresholds that rise, and whether the channel's codes fall."""
    falls = not channel.rises
    wanted: list[Wanted | bool] = []
    for code in reversed(codes) if falls else codes:
        there = [c < code if falls else c >= code for c in channel.codes]
        first = there.index(True) if True in there else -1
        wanted.append(False if first < 0 else True if first == 0 else channel.edges[first - 1])
    return wanted, falls


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
            known[key] = _wanted(given, before, codes_from(last, c, dtype), c)
        found.append(known[key])
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


def _standardized(enc: Encoder, given: Standardized, places: Places) -> tuple[str, int]:
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
