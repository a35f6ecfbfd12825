"""Operators that move elements: all become reshapes, transposes, slices, gathers and broadcasts."""

from __future__ import annotations

import math

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.value import Act, Const, Refusal, Value, onnx_shape
from dfcompile.ir.modelop import Broadcast, Concat, Gather, Pad, Slice
from dfcompile.ir.modelop_base import sized

MAX_INDICES = 2**22
"""Longest list of positions along one axis."""


@converts("Shape")
def shape_of(call: Call) -> Result:
    """A constant, since shapes are static."""
    shape = onnx_shape(call.value(0))
    part = shape[slice(call.integer("start", 0), call.integer("end") if call.given("end") else None)]
    return Const(np.asarray(part, dtype=np.int64), "int64", call.node.label)


@converts("Size")
def size_of(call: Call) -> Result:
    """A constant: the number of elements."""
    return Const(np.asarray(math.prod(onnx_shape(call.value(0))), dtype=np.int64), "int64", call.node.label)


@converts("Reshape")
def reshape(call: Call) -> Result:
    """Shape as attribute (opset < 5) or input; 0 copies a size, -1 is what is left."""
    x = call.value(0)
    old = onnx_shape(x)
    wanted = list(call.numbers(1, "shape") if call.has(1) else call.ints("shape"))
    if not call.flag("allowzero"):
        if any(s == 0 and i >= len(old) for i, s in enumerate(wanted)):
            raise ValueError(f"'Reshape' to {wanted} copies an axis that a tensor of shape {call.shape(x)} does not have")
        wanted = [old[i] if s == 0 else s for i, s in enumerate(wanted)]
    if wanted.count(-1) > 1 or any(s < -1 for s in wanted):
        raise ValueError(f"'Reshape' to {wanted} has more than one unknown size")
    if -1 in wanted:
        rest = math.prod(s for s in wanted if s != -1)
        if rest == 0 or math.prod(old) % rest:
            raise ValueError(f"'Reshape' to {wanted} does not fit a tensor of shape {call.shape(x)}")
        wanted[wanted.index(-1)] = math.prod(old) // rest
    return call.reshape(x, tuple(wanted))


@converts("Flatten")
def flatten(call: Call) -> Result:
    """To two axes, split before `axis`."""
    x = call.value(0)
    shape, axis = onnx_shape(x), call.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise Refusal("bad-axis", f"'Flatten' names axis {axis} of a tensor of {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return call.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def axes_of(call: Call, i: int = 1) -> tuple[int, ...] | None:
    """`axes` as an input (newer opsets) or an attribute, None when not given."""
    if call.has(i):
        return call.numbers(i, "axes")
    return call.ints("axes") if call.given("axes") else None


@converts("Squeeze")
def squeeze(call: Call) -> Result:
    """Axes of size 1 removed."""
    x = call.value(0)
    shape, axes = onnx_shape(x), axes_of(call)
    if axes is None:
        drop = {i for i, s in enumerate(shape) if s == 1}
    else:
        _check_axes(call, axes, len(shape))
        drop = {a % len(shape) for a in axes}
    if any(shape[a] != 1 for a in drop):
        raise ValueError(f"'Squeeze' of axes {sorted(drop)} of a tensor of shape {call.shape(x)}: their sizes are not 1")
    return call.reshape(x, tuple(s for i, s in enumerate(shape) if i not in drop))


@converts("Unsqueeze")
def unsqueeze(call: Call) -> Result:
    """Axes of size 1 added; `axes` are places in the result."""
    x, axes = call.value(0), axes_of(call)
    if axes is None:
        raise Refusal("missing-attribute", "'Unsqueeze' lacks its axes")
    rank = len(onnx_shape(x)) + len(axes)
    _check_axes(call, axes, rank)
    rest = iter(onnx_shape(x))
    places = {a % rank for a in axes}
    return call.reshape(x, tuple(1 if i in places else next(rest) for i in range(rank)))


def _check_axes(call: Call, axes: tuple[int, ...], rank: int) -> None:
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) != len(axes):
        raise Refusal("bad-axis", f"'{call.node.op_type}' names axes {axes} of a tensor of {rank} axes")


@converts("Transpose")
def transpose(call: Call) -> Result:
    """Axes in a new order, reversed when not told."""
    x = call.value(0)
    return call.builder.transpose(x, call.ints("perm", tuple(reversed(range(len(onnx_shape(x)))))))


@converts("Slice")
def slice_(call: Call) -> Result:
    """Bounds as attributes (opset < 10) or inputs, clamped as ONNX says."""
    x = call.value(0)
    if call.has(1):
        starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
        axes = call.numbers(3, "axes") if call.has(3) else tuple(range(len(starts)))
        steps = call.numbers(4, "steps") if call.has(4) else (1,) * len(starts)
    else:
        starts, ends = call.ints("starts"), call.ints("ends")
        axes, steps = call.ints("axes", tuple(range(len(starts)))), (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal("bad-parameter", f"'Slice' has starts {starts}, ends {ends}, axes {axes} and steps {steps}")
    return cut(call, x, starts, ends, axes, steps)


def cut(call: Call, x: Value, starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...], steps: tuple[int, ...]) -> Value:
    """A slice with Python's meaning of negative and far bounds."""
    shape = onnx_shape(x)
    _check_axes(call, axes, len(shape))
    ranges = [range(*slice(s, _bound(e, t), t).indices(shape[a])) for s, e, a, t in zip(starts, ends, axes, steps, strict=True)]
    if not all(ranges):
        if isinstance(x, Const):
            index = [slice(None)] * x.array.ndim
            for a, r in zip(axes, ranges, strict=True):
                index[a % len(shape)] = slice(r.start, r.stop, r.step) if r else slice(0, 0)
            return Const(x.array[tuple(index)], x.elem, x.name)
        raise ValueError(f"'Slice' of a tensor of shape {call.shape(x)} leaves nothing")
    keep = [(a, r) for a, r in zip(axes, ranges, strict=True) if r != range(shape[a % len(shape)])]
    if not keep:
        return x
    moved, places = call.along(x, *(a for a, _ in keep))
    bounds = [r for _, r in keep]
    op = Slice(tuple(r.start for r in bounds), tuple(max(r.stop, -1) for r in bounds), places, tuple(r.step for r in bounds))
    return call.run(op, moved)


def _bound(end: int, step: int) -> int | None:
    """ONNX writes "down to the first element" as a very negative end; Python would count it from the back only once."""
    return None if step < 0 and end < -(2**31) else end


@converts("Split")
def split(call: Call) -> Result:
    """Sizes as attribute, input, or equal parts (the last one smaller)."""
    x = call.value(0)
    axis, outputs = call.integer("axis", 0), len(call.node.outputs)
    _check_axes(call, (axis,), len(onnx_shape(x)))
    size = onnx_shape(x)[axis]
    if call.has(1) or call.given("split"):
        parts = call.numbers(1, "split") if call.has(1) else call.ints("split")
    else:
        count = call.integer("num_outputs", outputs)
        step = -(-size // max(1, count))
        parts = tuple(min(step, size - i * step) for i in range(count)) if 1 <= count <= 2**16 else ()
    if sum(parts) != size or len(parts) != outputs or min(parts, default=0) < 1:
        raise ValueError(f"'Split' of {size} elements into {outputs} outputs of sizes {parts[:8]}")
    ends = [int(e) for e in np.cumsum(parts)]
    return tuple(cut(call, x, (e - p,), (e,), (axis,), (1,)) for e, p in zip(ends, parts, strict=True))


@converts("Gather")
def gather(call: Call) -> Result:
    """Constant indices of any rank along an axis."""
    x, indices = call.value(0), call.array(1, "indices")
    shape, axis = onnx_shape(x), call.integer("axis", 0)
    _check_axes(call, (axis,), len(shape))
    axis %= len(shape)
    if indices.dtype.kind not in "iu" or indices.size == 0 or np.any(indices < -shape[axis]) or np.any(indices >= shape[axis]):
        raise ValueError(f"'Gather' has indices that are not among the {shape[axis]} elements of axis {axis}")
    sized(*shape[:axis], indices.size, *shape[axis + 1 :])
    picked = pick(call, x, axis, indices.ravel())
    return call.reshape(picked, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))


def pick(call: Call, x: Value, axis: int, indices: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Value:
    """Chosen positions along one ONNX axis; negative ones count from the end."""
    size = onnx_shape(x)[axis]
    if len(indices) > MAX_INDICES:
        raise Refusal("too-large", f"'{call.node.op_type}' picks {len(indices)} elements of an axis", f"the limit is {MAX_INDICES}")
    places = tuple(int(i) % size for i in indices)
    if places == tuple(range(size)):
        return x
    moved, (inner,) = call.along(x, axis)
    return call.run(Gather(places, inner), moved)


@converts("Expand")
def expand(call: Call) -> Result:
    """Axes of size 1 repeated, axes added in front."""
    x, wanted = call.value(0), call.numbers(1, "shape")
    shape = onnx_shape(x)
    sized(*wanted)
    try:
        full = np.broadcast_shapes(shape, wanted)
    except ValueError:
        raise ValueError(f"'Expand' of shape {call.shape(x)} to {wanted}") from None
    sized(*full)
    x = call.reshape(x, (1,) * (len(full) - len(shape)) + shape)
    if full == onnx_shape(x):
        return x
    if isinstance(x, Act) and not x.unbatched and full[0] == call.builder.batch:
        return call.apply(Broadcast(full[1:]), x)
    return call.run(Broadcast(full), call.builder.unbatched(x) if isinstance(x, Act) else x)


@converts("Tile")
def tile(call: Call) -> Result:
    """Repeats of the whole tensor along each axis."""
    x, repeats = call.value(0), call.numbers(1, "repeats")
    shape = onnx_shape(x)
    if len(repeats) != len(shape) or min(repeats, default=1) < 1:
        raise Refusal("bad-parameter", f"'Tile' of a tensor of shape {call.shape(x)} by {repeats}")
    sized(*(s * r for s, r in zip(shape, repeats, strict=True)))
    for axis, count in enumerate(repeats):
        if count > 1:
            x = pick(call, x, axis, np.tile(np.arange(shape[axis]), count))
    return x


@converts("Concat")
def concat(call: Call) -> Result:
    """Tensors joined; those that are constant or lack the batch axis are brought to the form of the others."""
    return concatenated(call, [call.value(i) for i in range(len(call.inputs))])


def concatenated(call: Call, values: list[Value]) -> Value:
    """The values joined along the attribute `axis`."""
    if not values:
        raise Refusal("missing-input", f"'{call.node.op_type}' has no inputs")
    axis, rank = call.integer("axis"), len(onnx_shape(values[0]))
    _check_axes(call, (axis,), rank)
    if len(values) == 1:
        return values[0]
    if not any(isinstance(v, Act) for v in values):
        return _joined(call, values, axis)
    if axis % rank == 0 or any(isinstance(v, Act) and v.unbatched for v in values):
        values = [call.builder.unbatched(v) if isinstance(v, Act) else call.builder.moved(v, lambda a: a[np.newaxis]) for v in values]
        axis = axis % rank + 1
    return call.apply(Concat(axis % rank if len(values[0].shape) == rank else axis), *values)


def _joined(call: Call, values: list[Value], axis: int) -> Const:
    arrays = [call.builder.value_of(v) for v in values if not isinstance(v, Act)]
    axis %= max(1, arrays[0].ndim)
    if len({(a.ndim, *a.shape[:axis], *a.shape[axis + 1 :]) for a in arrays}) != 1:
        raise ValueError(f"tensors of shapes {', '.join(map(call.shape, values))} cannot be joined along axis {axis}")
    call.builder.spend(sum(a.size for a in arrays))
    return Const(np.concatenate(arrays, axis=axis), values[0].elem, call.node.label)


_PAD_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@converts("Pad")
def pad(call: Call) -> Result:
    """Constant padding; negative pads cut; the other modes copy elements."""
    x, mode = call.value(0), call.text("mode", "constant")
    shape = onnx_shape(x)
    rank = len(shape)
    pads = call.numbers(1, "pads") if call.has(1) else call.ints("pads")
    axes = call.numbers(3, "axes") if call.has(3) else tuple(range(rank))
    _check_axes(call, axes, rank)
    if len(pads) != 2 * len(axes):
        raise Refusal("bad-parameter", f"'Pad' of a tensor of shape {call.shape(x)} has pads {pads[:16]}")
    begin, end = [0] * rank, [0] * rank
    for i, a in enumerate(axes):
        begin[a % rank], end[a % rank] = pads[i], pads[len(axes) + i]
    if min((*begin, *end), default=0) < 0:
        x = _trimmed(call, x, begin, end)
        begin, end = [max(0, b) for b in begin], [max(0, e) for e in end]
    if not any(begin) and not any(end):
        return x
    sized(*(b + s + e for b, s, e in zip(begin, onnx_shape(x), end, strict=True)))
    if mode != "constant":
        return _copied(call, x, begin, end, mode)
    value = call.scalar(2, "value") if call.has(2) else call.real("value", 0.0)
    moved, _ = call.along(x, *(i for i in range(rank) if begin[i] or end[i]))
    shift = len(moved.shape) - rank if isinstance(moved, Act) else 1
    return call.run(Pad((*(0,) * shift, *begin, *(0,) * shift, *end), value), moved)


def _trimmed(call: Call, x: Value, begin: list[int], end: list[int]) -> Value:
    cutting = [i for i in range(len(begin)) if begin[i] < 0 or end[i] < 0]
    shape = onnx_shape(x)
    starts, ends = tuple(max(0, -begin[i]) for i in cutting), tuple(shape[i] - max(0, -end[i]) for i in cutting)
    if any(s >= e for s, e in zip(starts, ends, strict=True)):
        raise ValueError(f"negative pads leave nothing of a tensor of shape {call.shape(x)}")
    return cut(call, x, starts, ends, tuple(cutting), (1,) * len(cutting))


def _copied(call: Call, x: Value, begin: list[int], end: list[int], mode: str) -> Value:
    if mode not in _PAD_MODES:
        raise Refusal("bad-attribute", f"attribute 'mode' of 'Pad' is '{mode}'", help="it is constant, reflect, edge or wrap")
    for axis, size in enumerate(onnx_shape(x)):
        if mode == "reflect" and max(begin[axis], end[axis]) >= size:
            raise ValueError(f"'Pad' reflects {max(begin[axis], end[axis])} of {size} elements")
        if begin[axis] or end[axis]:
            places = np.pad(np.arange(size), (begin[axis], end[axis]), mode=_PAD_MODES[mode])  # type: ignore[call-overload]
            x = pick(call, x, axis, places)
    return x


@converts("DepthToSpace", "SpaceToDepth")
def depth_space(call: Call) -> Result:
    """Blocks between the channel and the spatial axes."""
    x, block = call.value(0), call.integer("blocksize")
    shape = onnx_shape(x)
    down = call.node.op_type == "SpaceToDepth"
    if len(shape) != 4 or block < 1 or (shape[2] % block or shape[3] % block if down else shape[1] % block**2):
        raise ValueError(f"'{call.node.op_type}' with blocks of {block} does not fit a tensor of shape {call.shape(x)}")
    n, c, h, w = shape
    if down:
        parts = call.reshape(x, (n, c, h // block, block, w // block, block))
        return call.reshape(call.builder.transpose(parts, (0, 3, 5, 1, 2, 4)), (n, c * block**2, h // block, w // block))
    inner = c // block**2
    if call.text("mode", "DCR") == "DCR":
        split_up, order = (n, block, block, inner, h, w), (0, 3, 4, 1, 5, 2)
    else:
        split_up, order = (n, inner, block, block, h, w), (0, 1, 4, 2, 5, 3)
    return call.reshape(call.builder.transpose(call.reshape(x, split_up), order), (n, inner, h * block, w * block))
