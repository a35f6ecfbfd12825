"""The arithmetic of the model's operators on float64 batches: what the package executes, and what a build's driver computes on a board.

This file is copied into the `driver/` folder of a build. So it stands alone, and it keeps to numpy 1.19 and Python 3.8.
Arrays are in the ONNX layout (batch, channel, *spatial). An operator is a function of its inputs and, by keyword, its attributes.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

_UNFOLDED = 2**24
"""Elements of unfolded windows held at once."""
_BLOCK = 2**18
"""Weights that are quantized at once."""
_WHOLE = 2**24
"""Integers up to which float32 has all."""


# Functions of one and two numbers


def _sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, x))


def _elu(x: Array, alpha: float) -> Array:
    return np.asarray(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def _erf(x: Array) -> Array:
    """numpy has none; that of the C library is within a unit in the last place."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)


UNARY: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda x, a, b: np.maximum(x, 0.0),
    "clip": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "elu": lambda x, a, b: _elu(x, a),
    "selu": lambda x, a, b: b * _elu(x, a),
    "celu": lambda x, a, b: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0.0, 1.0),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6 + 0.5, 0.0, 1.0),
    "softplus": lambda x, a, b: _softplus(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "erf": lambda x, a, b: _erf(x),
    "gelu": lambda x, a, b: 0.5 * x * (1 + _erf(x / np.sqrt(2.0))),
    "gelu_tanh": lambda x, a, b: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x, a, b: x * _sigmoid(x),
    "swish": lambda x, a, b: x * _sigmoid(a * x),
    "mish": lambda x, a, b: x * np.tanh(_softplus(x)),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, 0.0),
    "shrink": lambda x, a, b: np.where(x < -b, x + a, np.where(x > b, x - a, 0.0)),
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "trunc": lambda x, a, b: np.trunc(x),
    "reciprocal": lambda x, a, b: 1.0 / x,
    "sin": lambda x, a, b: np.sin(x),
    "cos": lambda x, a, b: np.cos(x),
    "atan": lambda x, a, b: np.arctan(x),
    "sinh": lambda x, a, b: np.sinh(x),
    "cosh": lambda x, a, b: np.cosh(x),
    "asinh": lambda x, a, b: np.arcsinh(x),
}
"""Functions of one real number x and up to two parameters (alpha, beta), by name."""

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
    "prelu": lambda x, slope: np.where(x >= 0, x, slope * x),
}
"""Functions of two real numbers, by name."""

REDUCE: dict[str, Callable[..., Array]] = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}
"""Reductions by name."""


def _away(x: Array, up: Callable[[Array], Array]) -> Array:
    """Round the magnitude; halves are told apart without adding 0.5, which would itself round."""
    size = np.abs(x)
    whole = np.floor(size)
    return np.asarray(np.copysign(whole + up(size - whole), x))


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": lambda x: np.asarray(np.rint(x)),
    "CEIL": lambda x: np.asarray(np.ceil(x)),
    "FLOOR": lambda x: np.asarray(np.floor(x)),
    "UP": lambda x: np.asarray(np.copysign(np.ceil(np.abs(x)), x)),
    "DOWN": lambda x: np.asarray(np.trunc(x)),
    "HALF_UP": lambda x: _away(x, lambda part: part >= 0.5),
    "HALF_DOWN": lambda x: _away(x, lambda part: part > 0.5),
}
"""Rounding modes of QONNX by name: ROUND is half to even, UP away from 0, DOWN towards 0, HALF_* by magnitude."""


# Quantizers


def quantized(steps: Array, zero: Array, lo: int, hi: int, rounding: str, zero_after: bool) -> Array:
    """Codes of x / scale, in the precision of the arguments."""
    rounded = ROUNDINGS[rounding]
    if zero_after:
        return np.asarray(np.clip(rounded(steps) + zero, lo, hi))
    return rounded(np.clip(steps + zero, lo, hi))


def _quantize(x: Array, scale: Array, zero: Array, lo: int, hi: int, rounding: str, zero_after: bool, weight: bool) -> Array:
    if weight:
        codes = np.empty_like(x, np.float32 if max(-lo, hi) <= _WHOLE else np.float64)  # half the memory of a large matrix
        weight_codes(x, scale, zero, lo, hi, rounding, zero_after, codes)
        return codes
    return np.asarray(quantized(x / scale, zero, lo, hi, rounding, zero_after), np.float64)


def weight_codes(x: Array, scale: Array, zero: Array, lo: int, hi: int, rounding: str, zero_after: bool, codes: Array) -> None:
    """Codes of a stored weight into `codes`, block by block, found in float32 as the exporter's runtime does."""
    scale, zero = (np.asarray(p, np.float32).reshape((1,) * (x.ndim - np.ndim(p)) + np.shape(p)) for p in (scale, zero))
    if x.T.flags.c_contiguous:  # in the order of memory
        x, scale, zero, codes = x.T, scale.T, zero.T, codes.T
    rows = max(1, _BLOCK * len(x) // max(x.size, 1)) if x.ndim else 1

    def part(p: Array, first: int) -> Array:
        return p[first : first + rows] if p.ndim == x.ndim and p.ndim and len(p) > 1 else p

    for first in range(0, len(x) if x.ndim else 1, rows):
        where = slice(first, first + rows) if x.ndim else ...
        steps = x[where].astype(np.float32) / part(scale, first)
        codes[where] = quantized(steps, part(zero, first), lo, hi, rounding, zero_after)


def _dequantize(x: Array, scale: Array, zero: Array) -> Array:
    if not zero.any():
        return np.asarray(x * scale, np.float64)
    shifted = np.asarray(x - zero, np.float64)
    return np.asarray(np.multiply(shifted, scale, out=shifted if shifted.ndim else None))


# Along the channels or another axis


def per_channel(values: Array, rank: int) -> Array:
    """A vector over channels reshaped to broadcast along axis 1 of a tensor of this rank."""
    return values.reshape((-1,) + (1,) * (rank - 2))


def _batch_norm(x: Array, *parameters: Array, epsilon: float) -> Array:
    scale, bias, mean, var = (per_channel(p, x.ndim) for p in parameters)
    return np.asarray((x - mean) / np.sqrt(var + epsilon) * scale + bias)


def _multi_threshold(x: Array, thresholds: Array, out_scale: float, out_bias: float) -> Array:
    count = np.zeros(x.shape)
    for column in thresholds.T:
        count += x >= per_channel(column, x.ndim)
    return np.asarray(out_scale * count + out_bias)


def _softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


def _standardize(x: Array, axes: Sequence[int], centred: bool, gain: float, epsilon: float) -> Array:
    d = x - x.mean(tuple(axes), keepdims=True) if centred else x
    return np.asarray(d / np.sqrt(gain * (d * d).mean(tuple(axes), keepdims=True) + epsilon))


def _arg_max(x: Array, axis: int, keepdims: bool, select_last: bool) -> Array:
    found = np.asarray(x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis) if select_last else np.argmax(x, axis), np.float64)
    return np.expand_dims(found, axis) if keepdims else found


def _top_k(x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    best = np.take(order, np.arange(k), axis=axis)
    return np.take_along_axis(x, best, axis=axis), best.astype(np.float64)


# Elements moved and joined


def _slice(x: Array, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> Array:
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        cut[axis] = slice(start, None if end < 0 else end, step)
    return x[tuple(cut)]


def _concat(*inputs: Array, axis: int) -> Array:
    batch = max(i.shape[0] for i in inputs)  # a constant operand has batch 1
    full = [i if i.shape[0] == batch else np.broadcast_to(i, (batch, *i.shape[1:])) for i in inputs]
    return np.concatenate(full, axis=axis)


def _pad(x: Array, pads: Sequence[int], value: float) -> Array:
    return np.pad(x, [(pads[i], pads[x.ndim + i]) for i in range(x.ndim)], constant_values=value)


# Windows


def window_counts(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], ceil: bool = False
) -> tuple[int, ...]:
    """Windows along each spatial axis, 0 where none fits; pads: begin of each axis, then end of each."""
    found = []
    for i, n in enumerate(size):
        room = n + pads[i] + pads[len(size) + i] - dilations[i] * (kernel[i] - 1) - 1
        count = room // strides[i] + 1
        if ceil and room % strides[i]:
            # A window that would start in the padding at the end does not count (ONNX, as in torch).
            count += count * strides[i] < n + pads[i]
        found.append(count if room >= 0 else 0)
    return tuple(found)


def _tap(x: Array, offset: Sequence[int], strides: Sequence[int], count: Sequence[int]) -> Array:
    """The elements of x (batch, channel, *spatial) under one kernel position of every window."""
    steps = (slice(o, o + s * (n - 1) + 1, s) for o, s, n in zip(offset, strides, count))
    return x[(slice(None), slice(None), *steps)]


def _conv(x: Array, w: Array, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], groups: int) -> Array:
    n = w.ndim - 2
    count = window_counts(x.shape[2:], w.shape[2:], strides, pads, dilations)
    x = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[n + i]) for i in range(n))])
    out = np.empty((x.shape[0], w.shape[0], math.prod(count)), np.result_type(x, w))
    step = max(1, _UNFOLDED // (x.shape[1] * math.prod(w.shape[2:]) * math.prod(count)))
    for i in range(0, x.shape[0], step):
        out[i : i + step] = _unfolded(x[i : i + step], w, strides, dilations, groups, count)
    return out.reshape((x.shape[0], w.shape[0], *count))


def _unfolded(x: Array, w: Array, strides: Sequence[int], dilations: Sequence[int], groups: int, count: Sequence[int]) -> Array:
    """Convolution of a padded input as one matrix product for each batch item and group."""
    grouped = (x.shape[0], groups, w.shape[1], math.prod(count))
    places = list(itertools.product(*map(range, w.shape[2:])))
    columns = np.empty((*grouped[:3], len(places), grouped[3]), np.result_type(x, w))
    for i, k in enumerate(places):
        columns[..., i, :] = _tap(x, [p * d for p, d in zip(k, dilations)], strides, count).reshape(grouped)
    product = np.matmul(w.reshape(groups, w.shape[0] // groups, -1), columns.reshape(x.shape[0], groups, -1, grouped[3]))
    return np.asarray(product.reshape(x.shape[0], w.shape[0], -1))


def full_size(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], output_padding: Sequence[int]
) -> tuple[int, ...]:
    """Size of a transposed convolution before the pads are cut off."""
    rows = zip(size, kernel, strides, dilations, output_padding)
    return tuple((n - 1) * stride + d * (k - 1) + 1 + extra for n, k, stride, d, extra in rows)


def _conv_transpose(
    x: Array, w: Array, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], output_padding: Sequence[int], groups: int
) -> Array:
    batch, size = x.shape[0], x.shape[2:]
    full = full_size(size, w.shape[2:], strides, dilations, output_padding)
    out = np.zeros((batch, groups * w.shape[1], *full), np.result_type(x, w))
    grouped = x.reshape(batch, groups, x.shape[1] // groups, -1)
    weights = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for k in itertools.product(*map(range, w.shape[2:])):
        place: tuple[Any, ...] = (..., *k)
        matrix = np.ascontiguousarray(weights[place])  # BLAS takes contiguous matrices only
        product = np.matmul(np.swapaxes(matrix, 1, 2), grouped)
        _tap(out, [i * d for i, d in zip(k, dilations)], strides, size)[...] += product.reshape(batch, -1, *size)
    keep = (slice(pads[i], n - pads[len(size) + i]) for i, n in enumerate(full))
    return out[(slice(None), slice(None), *keep)]


def _taps(
    x: Array,
    value: float,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    count: Sequence[int],
) -> list[Array]:
    """The elements at each position of the window, for all windows; outside of x there is `value`."""
    reach = [(c - 1) * s + d * (k - 1) + 1 for c, s, d, k in zip(count, strides, dilations, kernel)]
    sides = [(pads[i], max(0, r - pads[i] - x.shape[2 + i])) for i, r in enumerate(reach)]
    x = np.pad(x, [(0, 0), (0, 0), *sides], constant_values=value)
    return [_tap(x, [i * d for i, d in zip(k, dilations)], strides, count) for k in itertools.product(*map(range, kernel))]


def _max_pool(
    x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], ceil_mode: bool
) -> Array:
    count = window_counts(x.shape[2:], kernel, strides, pads, dilations, ceil_mode)
    first, *rest = _taps(x, -np.inf, kernel, strides, pads, dilations, count)
    best = first.copy()
    for part in rest:
        np.maximum(best, part, out=best)
    return best


def _average_pool(
    x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], ceil_mode: bool,
    count_include_pad: bool,
) -> Array:  # fmt: skip
    size, n = x.shape[2:], x.ndim - 2
    count = window_counts(size, kernel, strides, pads, dilations, ceil_mode)
    total = np.add.reduce(_taps(x, 0.0, kernel, strides, pads, dilations, count))
    none = (0,) * 2 * n
    inside = np.ones((1, 1, *(s + pads[i] + pads[n + i] if count_include_pad else s for i, s in enumerate(size))))
    averaged = np.add.reduce(_taps(inside, 0.0, kernel, strides, none if count_include_pad else pads, dilations, count))
    return np.asarray(total / averaged[0, 0])


OPERATORS: dict[str, Callable[..., Any]] = {
    "arg_max": _arg_max,
    "average_pool": _average_pool,
    "batch_norm": _batch_norm,
    "binary": lambda x, y, fn: BINARY[fn](x, y),
    "bipolar": lambda x: np.where(x >= 0, 1.0, -1.0),
    "broadcast": lambda x, shape: np.broadcast_to(x, (x.shape[0], *shape)),
    "concat": _concat,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dequantize": _dequantize,
    "gather": lambda x, indices, axis: np.take(x, np.asarray(indices, np.int64), axis=axis),
    "matmul": np.matmul,
    "max_pool": _max_pool,
    "multi_threshold": _multi_threshold,
    "pad": _pad,
    "quantize": _quantize,
    "reduce": lambda x, fn, axes, keepdims: REDUCE[fn](x, axis=tuple(axes), keepdims=keepdims),
    "reshape": lambda x, shape: x.reshape((x.shape[0], *shape)),
    "slice": _slice,
    "softmax": _softmax,
    "standardize": _standardize,
    "top_k": _top_k,
    "transpose": lambda x, perm: x.transpose(perm),
    "unary": lambda x, fn, alpha, beta: UNARY[fn](x, alpha, beta),
}
"""Every operator that a model graph holds, by its kind: one array, or a tuple of them, of the inputs and the attributes."""


def run(kind: str, attributes: Mapping[str, Any], *inputs: Array) -> tuple[Array, ...]:
    """The outputs of one operator."""
    with np.errstate(all="ignore"):  # infinities and NaN are results here, as in ONNX
        made = OPERATORS[kind](*inputs, **attributes)
    return made if isinstance(made, tuple) else (np.asarray(made),)


# The edges of the hardware


def to_frames(codes: Array, index: Array, shape: Sequence[int], rest: float, dtype: Any) -> Array:
    """Codes (n, ...) laid into frames (n, *shape): element i of an item goes to place index[i], `rest` to the places in between."""
    size = int(np.prod(shape))
    if index.size == size and (index.ravel() == np.arange(size)).all():
        return codes.astype(dtype).reshape((-1, *shape))
    flat = np.full((len(codes), size), rest, dtype)
    flat[:, index.ravel()] = codes.reshape(len(codes), index.size)
    return flat.reshape((-1, *shape))


def to_reals(codes: Array, index: Array, scale: Array, offset: Array) -> Array:
    """Real numbers (n, *index.shape) of frames (n, h, w, c): scale * code + offset, each one number or one for each channel."""
    where = index.ravel() % codes.shape[-1]
    scale, offset = (a[where] if a.size > 1 else a.reshape(()) for a in (scale, offset))
    flat = codes.reshape(len(codes), int(np.prod(codes.shape[1:])))[:, index.ravel()].astype(np.float64)
    return np.asarray((flat * scale + offset).reshape((-1, *index.shape)))
