"""Encoding of elementwise operators, of constants, and of operators that only move elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Node, op_of
from dfcompile.ir.intop import IntMul
from dfcompile.ir.modelop import Binary, Bipolar, Concat, Dequantize, IndexOp, MultiThreshold, Quantize, Unary
from dfcompile.ir.modelop_quant import quantize_weight
from dfcompile.ir.types import narrowed
from dfcompile.streamline import encode_real
from dfcompile.streamline.encode_axes import orientation, turned, turned_back
from dfcompile.streamline.encode_layout import aligned, constant_operand, joined, recentred, without_offset
from dfcompile.streamline.encode_steps import cropped
from dfcompile.streamline.encoder import Encoder, RefusedError, refusal, refuse
from dfcompile.streamline.extract import LARGEST_SEARCH
from dfcompile.streamline.grid import WIDEST_FACTOR, Grid, are_integers, whole_numbers
from dfcompile.streamline.step import Join, Step, affine_steps
from dfcompile.streamline.value import Addend, Const, Known, Raw, Value
from dfcompile.streamline.weight_step import LARGEST_NARROW, exact_grid

SMALL_FACTOR = 64  # of an addend, so small that nothing is gained by looking for a smaller one


def encode_constant(node: Node, operands: list[Const]) -> list[Known]:
    """An operator all of whose operands are constants: integer codes and scale where it has them, else its real numbers."""
    op, x = node.op, operands[0]
    coded = _constant_codes(op, operands)
    if coded is not None:
        return [coded]
    results = [np.asarray(r, np.float64) for r in op.execute(*(c.real for c in operands))]
    keeps = isinstance(op, Unary) or (isinstance(op, Binary) and op.fn in ("min", "max"))
    if keeps and x.scale is not None and np.all(x.scale == 1) and (whole := whole_numbers(results[0])) is not None:
        return [_coded(whole, 1)]
    return [Const(r) for r in results]


def _coded(codes: Array, scale: Any) -> Const:
    """A quantized constant; the scale gets the codes' number of axes."""
    scale = np.asarray(scale, np.float64)
    return Const(None, narrowed(codes), scale.reshape((1,) * (codes.ndim - scale.ndim) + scale.shape))


def _constant_codes(op: Any, operands: list[Const]) -> Const | None:
    """The result where it follows from the codes of the operands, without their real numbers."""
    x = operands[0]
    if isinstance(op, Quantize) and op.weight:
        return _coded(quantize_weight(op, *(c.real for c in operands)), 1)
    if isinstance(op, Quantize | Bipolar):
        return _coded(np.asarray(op.execute(*(c.real for c in operands))[0]), 1)
    if isinstance(op, Concat) and all(c.codes is not None and c.scale is not None for c in operands):
        codes = [np.asarray(c.codes) for c in operands]
        scales = [np.broadcast_to(np.asarray(c.scale), k.shape) for c, k in zip(operands, codes, strict=True)]
        return _coded(op.execute(*codes)[0], op.execute(*scales)[0])
    if isinstance(op, Binary):
        return _scaled(op, *operands)
    if isinstance(op, Dequantize):
        return _dequantized(_stored_codes(x), operands[1].real, operands[2].real)
    if isinstance(op, IndexOp) and x.codes is not None and x.scale is not None:
        scale = x.scale.reshape(()) if x.scale.size == 1 else op.execute(np.broadcast_to(x.scale, x.codes.shape))[0]
        return _coded(op.execute(x.codes)[0], scale)
    return None


def _stored_codes(x: Const) -> Const:
    """Integers that the file holds, or numbers of a narrow format as integers of their common measure."""
    if x.given is None:
        return x
    whole = whole_numbers(x.given)
    if whole is not None:
        return _coded(whole, 1)
    found = exact_grid(x.given, LARGEST_NARROW)
    return x if found is None else _coded(found[1], float(found[0]))


def _dequantized(x: Const, scale: Array, zero: Array) -> Const | None:
    whole = whole_numbers(zero)
    if x.codes is None or x.scale is None or whole is None:
        return None
    codes = x.codes - whole if whole.any() else x.codes
    return _coded(np.broadcast_to(codes, np.broadcast_shapes(codes.shape, scale.shape)), scale * x.scale)


def _scaled(op: Binary, a: Const, b: Const) -> Const | None:
    """Codes times or over another constant."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    if op.fn in ("mul", "div") and a.codes is not None and a.scale is not None and a.shape == shape:
        return _coded(a.codes, a.scale * b.real if op.fn == "mul" else a.scale / b.real)
    if op.fn == "mul" and b.codes is not None and b.scale is not None and b.shape == shape:
        return _coded(b.codes, b.scale * a.real)
    return None


def encode_raw(enc: Encoder, node: Node, raw: Raw) -> Known | None:
    """An operator on real numbers ahead of the accelerator: stays on the host, or None when it must have a stream."""
    op = node.op
    if isinstance(op, Quantize) and raw.lo is None:
        return replace(raw, lo=op.lo, hi=op.hi)
    if isinstance(op, Bipolar) and raw.lo is None:
        return replace(raw, lo=-1, hi=1, bipolar=True)
    if raw.lo is None or raw.hi is None:
        return raw
    if isinstance(op, IndexOp):
        return raw
    if isinstance(op, Unary) and op.fn in ("clip", "relu"):
        lo, hi = (op.alpha, op.beta) if op.fn == "clip" else (0.0, np.inf)
        if all(np.isinf(b) or b == np.rint(b) for b in (lo, hi)):
            return replace(raw, lo=int(min(max(raw.lo, lo), hi)), hi=int(min(max(raw.hi, lo), hi)), bipolar=False)
    return None


def encode_index(enc: Encoder, node: Node) -> None:
    """Elements in another arrangement: only the index changes."""
    value = enc.value(node.inputs[0], node)
    (index,) = node.op.execute(value.index[None])
    enc.known[node.outputs[0]] = cropped(enc, replace(value, index=np.ascontiguousarray(index[0])), node)
    enc.note(node, "re-indexed: no hardware")


def encode_step(enc: Encoder, node: Node) -> None:
    """An elementwise operator with constant parameters: one more step of the chain."""
    slot = next(i for i, t in enumerate(node.inputs) if not isinstance(enc.known[t], Const))
    if isinstance(node.op, Binary) and node.op.fn == "mul" and not np.any(_real(enc, node.inputs[1 - slot])):
        enc.known[node.outputs[0]] = Const(np.zeros(enc.model.tensors[node.outputs[0]].shape))
        enc.note(node, "constant: a product with 0")
        return
    enc.known[node.outputs[0]] = with_step(enc, node, enc.value(node.inputs[slot], node), slot)
    enc.note(node, "part of a step function or an affine")


def _real(enc: Encoder, name: str) -> Array:
    """The numbers of a constant operand."""
    known = enc.known[name]
    assert isinstance(known, Const), "all operands of a step but one are constants"
    return known.real


def with_step(enc: Encoder, node: Node, value: Value, slot: int) -> Value:
    """A value, input `slot` of an elementwise node whose other inputs are constants, and that operator at the end of its chain."""
    shape = enc.model.tensors[node.outputs[0]].shape[1:]
    if value.index.shape != shape:
        value = replace(value, index=np.ascontiguousarray(np.broadcast_to(value.index, shape)))
    parameters = [enc.known[t].real for i, t in enumerate(node.inputs) if i != slot]  # type: ignore[union-attr]
    params = _parameters(enc, value, node, parameters, shape)
    if params is None:
        h, w, c = enc.shape(value.stream)
        value = enc.view(value, (1, 1, h * w * c), node)
        params = _parameters(enc, value, node, parameters, shape)
    if params is None:
        raise refusal(
            "conflicting-parameters", f"'{node.op.kind}' has parameters that differ for copies of one element", node,
            "an element that was repeated is one element of the stream", "apply it before the repetition, with one parameter an element",
        )  # fmt: skip
    step = Step(node.op, slot, tuple(params))
    return replace(value, chain=(*value.chain, step), grid=step.regrid(value.grid))


def _parameters(enc: Encoder, value: Value, node: Node, parameters: list[Array], shape: tuple[int, ...]) -> list[Array] | None:
    if isinstance(node.op, MultiThreshold):
        return _threshold_rows(enc, value, parameters[0], shape)
    if node.op.kind == "batch_norm":
        tail = (1,) * (len(shape) - 1)
        parameters = [p.reshape(1, -1, *tail) if p.size > 1 else p for p in parameters]
    found = [enc.to_channels(value, p, shape) for p in parameters]
    return None if any(p is None for p in found) else found  # type: ignore[return-value]


def _threshold_rows(enc: Encoder, value: Value, rows: Array, shape: tuple[int, ...]) -> list[Array] | None:
    if len(rows) == 1:
        return [rows]
    tail = (1,) * (len(shape) - 1)
    columns = [enc.to_channels(value, column.reshape(1, -1, *tail), shape) for column in rows.T]
    if any(c is None for c in columns):
        return None
    return [np.stack([np.broadcast_to(c, (enc.shape(value.stream)[2],)) for c in columns], axis=1)]  # type: ignore[arg-type]


def encode_binary(enc: Encoder, node: Node) -> None:
    """An elementwise operator of two streams, or of two chains of one stream."""
    op = op_of(node, Binary)
    a, b = (enc.value(t, node) for t in node.inputs)
    found = _on_one_base(a, b) or _on_one_base(*(_before(enc, v) if _is_condition(enc, v) else v for v in (a, b)))
    apart = op.fn in ("add", "sub") and all(v.is_codes for v in found or ())
    if found and not apart and not (op.fn in ("min", "max") and a.grid and b.grid and _is_wide(enc, node, found[0])):
        _join(enc, node, *found)
        return
    try:
        enc.known[node.outputs[0]] = _of_two_streams(enc, node, a, b)
    except RefusedError:
        found = _on_one_base(_before(enc, a), b) or _on_one_base(a, _before(enc, b))
        if found is None:
            raise
        _join(enc, node, *found)


def _is_wide(enc: Encoder, node: Node, value: Value) -> bool:
    """Whether its stream has more codes than tables are made of."""
    try:
        ranges = encode_real.ranges_of(enc, node, value)
    except RefusedError:
        return True
    return sum(hi - lo + 1 for lo, hi in ranges) > LARGEST_SEARCH


def _on_one_base(a: Value, b: Value) -> tuple[Value, Value] | None:
    """Two chains of one stream that begin at one affine, perhaps as that of one holds the first steps of the other; None for others."""
    if a.stream != b.stream or not np.array_equal(a.index, b.index) or a.addends or b.addends:
        return None
    if not _is_equal(a.base, b.base):
        a, b = (replace(v, base=v.grid, chain=()) if v.is_codes and v.grid else v for v in (a, b))
    return (a, b) if _is_equal(a.base, b.base) else None


def _is_equal(a: Grid, b: Grid) -> bool:
    return bool(np.all(a.scale == b.scale) and np.all(a.offset == b.offset))


def _join(enc: Encoder, node: Node, a: Value, b: Value) -> None:
    """Two chains of one stream and what joins them as a chain."""
    join = Join(op_of(node, Binary), a.chain, b.chain)
    enc.known[node.outputs[0]] = replace(a, chain=(join,), grid=join.regrid(a.base if a.base.pure else None))
    enc.note(node, "part of a step function of one stream")


def _is_condition(enc: Encoder, value: Value) -> bool:
    """Whether a stream carries one bit that says on which side of a number another one's codes lie."""
    source, _ = enc.origins.get(value.stream, (None, None))
    steps = [s.op for s in source.chain if isinstance(s, Step)] if source else []
    return any(isinstance(op, Bipolar) for op in steps) and not any(isinstance(op, Quantize | MultiThreshold) for op in steps)


def _before(enc: Encoder, value: Value) -> Value:
    """The value on the stream that its own is a step function of, where one is."""
    source, grid = enc.origins.get(value.stream, (None, None))
    if source is None or grid is None:
        return value
    gain = np.asarray(value.base.scale / grid.scale, object)
    steps = affine_steps(gain, np.asarray(value.base.offset - grid.offset * gain, object))
    return value if steps is None else replace(source, index=value.index, chain=(*source.chain, *steps, *value.chain))


def _of_two_streams(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    fn = op_of(node, Binary).fn
    handler = _TWO_STREAMS.get(fn)
    if handler is None:
        refuse(
            "unsupported-op",
            f"'{fn}' of two streams has no unit here",
            node,
            "both operands depend on the input",
            "use Add, Sub, Mul, Min or Max, or make one operand constant",
        )
    if fn in ("add", "sub"):
        third = encode_real.third(enc, node, a, b, -1 if fn == "sub" else 1)
        if third is not None:
            return third
    cut = [encode_real.rectified(v) for v in (a, b)]
    for i, (t, which) in enumerate(zip(reversed(node.inputs), cut, strict=True)):
        if fn == "add" and which and not cut[1 - i]:
            return encode_real.added(enc, node, enc.codes(t, node), which)
    left, right = aligned(enc, node, enc.codes(node.inputs[0], node), enc.codes(node.inputs[1], node))
    return handler(enc, node, left, right)


def _add(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    """A sum of codes where the scales have a small common measure, else one to be made when its reader is known."""
    if op_of(node, Binary).fn == "sub":
        b = replace(b, grid=b.known_grid.affine(-1, 0))
    return sum_of(enc, node, a, b)


def sum_of(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    """`_add` of two aligned operands, whatever the node is."""
    lazy = Value(a.stream, a.index, a.known_grid, (), None, a.anchor, (Addend(b.stream, b.known_grid),))
    grid, factors = enc.common(lazy)
    widest = max(abs(n) for pair in factors for n in pair)
    if widest <= SMALL_FACTOR:
        return replace(enc.summed(lazy, node), anchor=node.outputs[0])
    if widest > WIDEST_FACTOR and encode_real.is_wide(enc, node, a, b):
        return encode_real.summed(enc, node, a, b)
    enc.note(node, "sum of two streams, part of the step function behind it")
    return replace(lazy, grid=Grid(grid.scale, grid.offset, pure=False)) if widest <= WIDEST_FACTOR else lazy


def _multiply(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    if apart := _as_two_terms(enc, node, a, b) or _as_two_terms(enc, node, b, a):
        return apart
    a, b = (without_offset(enc, node, v) for v in (a, b))
    stream = enc.emit(IntMul(), (a.stream, b.stream), node.source, f"mul_{node.name}")
    grid = Grid(np.asarray(a.known_grid.scale * b.known_grid.scale, object), Grid.of(0, 0).offset)
    enc.note(node, "multiplier")
    return Value(stream, a.index, grid, (), grid, node.outputs[0])


def _as_two_terms(enc: Encoder, node: Node, a: Value, b: Value) -> Value | None:
    """(scale * code + offset) * b as the sum of two multiples, where it is added to a third and the offset is no multiple of the scale."""
    readers, grid = enc.model.consumers()[node.outputs[0]], a.known_grid.compact()
    added = len(readers) == 1 and isinstance(readers[0].op, Binary) and readers[0].op.fn in ("add", "sub")
    if not added or grid.scale.size + grid.offset.size > 2 or are_integers(grid.offset / grid.scale):
        return None
    centred = recentred(enc, node, b, Fraction(0))
    if centred is None:
        return None
    b = centred
    stream = enc.emit(IntMul(), (a.stream, b.stream), node.source, f"mul_{node.name}")
    other = Grid(np.asarray(grid.offset * b.known_grid.scale, object), Grid.of(0, 0).offset)
    enc.note(node, "multiplier, and a multiple of one operand")
    product = Grid(np.asarray(grid.scale * b.known_grid.scale, object), Grid.of(0, 0).offset)
    return Value(stream, a.index, product, (), None, a.anchor, (Addend(b.stream, other),))


def _extreme(enc: Encoder, node: Node, a: Value, b: Value) -> Value:
    """The larger or smaller of two streams: side by side, then a pool over each pair."""
    fn = op_of(node, Binary).fn
    if not _is_equal(a.known_grid, b.known_grid):
        parts = [recentred(enc, node, v, Fraction(0)) for v in (a, b)]
        if not np.all(a.known_grid.scale == b.known_grid.scale) or any(v is None for v in parts):
            refuse(
                "unequal-scales", f"'{fn}' compares codes of different scales", node, f"they mean {a.known_grid} and {b.known_grid}",
                "quantize both operands with one shared quantizer",
            )  # fmt: skip
        a, b = (v for v in parts if v is not None)
    mode, grid = fn, a.known_grid
    if np.any(grid.scale < 0):
        if np.any(grid.scale > 0):
            refuse("unequal-scales", f"'{mode}' of codes that fall in some channels", node, f"they mean {grid}", "use scales above 0")
        mode = "min" if mode == "max" else "max"
    stream = encode_real.larger(enc, node, a.stream, b.stream, mode)
    enc.note(node, f"pool ({mode}) over the two streams")
    return Value(stream, a.index, grid, (), grid, node.outputs[0])


_TWO_STREAMS: dict[str, Callable[[Encoder, Node, Value, Value], Value]] = {
    "add": _add, "sub": _add, "mul": _multiply, "min": _extreme, "max": _extreme,
}  # fmt: skip


def encode_concat(enc: Encoder, node: Node) -> None:
    """Streams joined along an axis; a constant becomes a stream beside the first operand that is none."""
    values = {t: enc.codes(t, node) for t in node.inputs if not isinstance(enc.known[t], Const)}
    like, order = next(iter(values.values())), orientation(enc, list(values.values()))
    axis, parts = order.index(op_of(node, Concat).axis - 1), []
    for t in node.inputs:
        known = enc.known[t]
        if isinstance(known, Const):
            parts.append(constant_operand(enc, node, like, known.real[0].transpose(order), axis))
        else:
            parts.append(turned(values[t], order))
    enc.known[node.outputs[0]] = turned_back(joined(enc, node, parts, axis), order)
    enc.note(node, "streams joined")


__all__ = ["encode_binary", "encode_concat", "encode_constant", "encode_index", "encode_raw", "encode_step"]
