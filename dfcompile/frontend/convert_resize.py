"""Resizing: of nearest neighbours only a gather along each axis is left, of linear interpolation by whole factors a fixed filter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_pointwise import batched
from dfcompile.frontend.convert_shape import cut, pick
from dfcompile.frontend.model import Array
from dfcompile.frontend.value import Refusal, Value, onnx_shape
from dfcompile.ir.modelop import Binary, Concat, Conv
from dfcompile.ir.modelop_base import shown_shape, sized

_NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda c: np.ceil(c - 0.5),
    "round_prefer_ceil": lambda c: np.floor(c + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@converts("Resize", "Upsample")
def resize(call: Call) -> Result:
    """ONNX Resize and Upsample, nearest mode, and linear mode by whole factors (see the ONNX specification for the names of the modes)."""
    x, mode = call.value(0), call.text("mode", "nearest")
    shape = onnx_shape(x)
    old = call.node.op_type == "Upsample" or call.opset < 11
    transformation = "asymmetric" if old else call.text("coordinate_transformation_mode", "half_pixel")
    if mode in ("linear", "bilinear"):
        return _interpolated(call, batched(call, x), transformation)
    if mode != "nearest":
        what = f"'{call.node.op_type}' in mode '{mode}' is not supported"
        raise Refusal("unsupported-op", what, "it weighs neighbours by fractions", "use mode 'nearest' or 'linear', or a ConvTranspose")
    nearest = "floor" if old else call.text("nearest_mode", "round_prefer_floor")
    if nearest not in _NEAREST:
        raise Refusal("bad-attribute", f"attribute 'nearest_mode' of 'Resize' is '{nearest}'", help=f"it is one of {', '.join(_NEAREST)}")
    sizes, scales = _sizes(call, shape)
    sized(*sizes)
    for axis, (new, scale) in enumerate(zip(sizes, scales, strict=True)):
        if new == shape[axis] and scale == 1:
            continue
        places = _NEAREST[nearest](coordinates(transformation, shape[axis], new, scale))
        x = pick(call, x, axis, np.clip(places, 0, shape[axis] - 1).astype(np.int64))
    return x


@dataclass(frozen=True)
class _Filter:
    """Linear interpolation along an axis: repeats of each element, then weights over neighbours, then one result in `step`.

    margins: copies of the first and of the last element put beside them; begin: the first result, or with a step the first element
    """

    repeats: int
    weights: tuple[int, ...]
    step: int
    margins: tuple[int, int]
    begin: int


def _filter(transformation: str, scale: Fraction) -> _Filter | None:
    """The filter of a whole factor, or of one over it; None for other scales and coordinates."""
    centred = transformation in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
    if not centred and transformation != "asymmetric":
        return None
    if scale.denominator == 1:  # between two elements the weight of the second rises by 1 / k from one result to the next
        k = int(scale)
        if not centred:
            return _Filter(k, (1,) * k, 1, (0, 1), 0)
        return _Filter(k, (1,) * k if k % 2 else (1, *(2,) * (k - 1), 1), 1, (1, 1), k - k // 2)
    if scale.numerator == 1:  # the middle of each group of k
        k = scale.denominator
        middle = (k - 1) // 2 if centred else 0
        return _Filter(1, (1, 1) if centred and k % 2 == 0 else (1,), k, (0, 0), middle)
    return None


def _interpolated(call: Call, x: Value, transformation: str) -> Value:
    """Linear interpolation as edges repeated, elements repeated and one sum of whole weights for each channel, divided once."""
    shape = onnx_shape(x)
    sizes, scales = _sizes(call, shape)
    first = transformation == "pytorch_half_pixel"  # a single result is the first element
    filters = [_filter("asymmetric" if first and n == 1 else transformation, s) for n, s in zip(sizes, scales, strict=True)]
    places = [i for i, s in enumerate(scales) if s != 1]
    if None in filters or call.flag("antialias") or len(shape) not in (3, 4) or min(places, default=2) < 2:
        what = f"'{call.node.op_type}' in mode 'linear' from {call.shape(x)} to {shown_shape(tuple(sizes))} is not supported"
        why = "only rows and columns, by whole factors and with coordinates half_pixel or asymmetric, have weights that repeat"
        raise Refusal("unsupported-op", what, why, "use such a factor, or mode 'nearest'")
    used = [f for f in filters if f is not None][2:]
    for axis in places:
        x = _bordered(call, x, axis, used[axis - 2], sizes[axis])
    for axis in places:
        x = pick(call, x, axis, np.repeat(np.arange(onnx_shape(x)[axis]), used[axis - 2].repeats))
    kernel = used[0].weights if len(used) == 1 else np.multiply.outer(used[0].weights, used[1].weights)
    weights = np.broadcast_to(np.asarray(kernel, np.float64), (shape[1], 1, *(len(f.weights) for f in used)))
    op = Conv(tuple(f.step for f in used), (0,) * 2 * len(used), (1,) * len(used), shape[1])
    x = call.apply(op, x, call.const(weights, "weights"))
    for axis in places:
        begin = used[axis - 2].begin if used[axis - 2].step == 1 else 0
        x = cut(call, x, (begin,), (begin + sizes[axis],), (axis,), (1,))
    return call.apply(Binary("div"), x, call.const(float(np.sum(kernel)), "sum_of_weights"))


def _bordered(call: Call, x: Value, axis: int, f: _Filter, size: int) -> Value:
    """x with its edges repeated; where results are left out, only the elements that the others see."""
    if f.step > 1:
        return cut(call, x, (f.begin,), (f.begin + (size - 1) * f.step + len(f.weights),), (axis,), (1,))
    head, tail = (cut(call, x, (at,), (at + 1,), (axis,), (1,)) for at in (0, onnx_shape(x)[axis] - 1))
    return call.apply(Concat(axis), *(head,) * f.margins[0], x, *(tail,) * f.margins[1])


def _sizes(call: Call, shape: tuple[int, ...]) -> tuple[list[int], list[Fraction]]:
    """New size and scale of every axis."""
    rank = len(shape)
    axes = call.ints("axes", tuple(range(rank)))
    if len(set(axes)) != len(axes) or any(not -rank <= a < rank for a in axes):
        raise Refusal("bad-axis", f"'Resize' names axes {axes} of a tensor of {rank} axes")
    places = [a % rank for a in axes]
    sizes, scales = list(shape), [Fraction(1)] * rank
    if call.has(3) and call.numbers(3, "sizes"):
        return _given_sizes(call, shape, places)
    if call.given("scales"):
        found = np.asarray(call.node.attributes["scales"], dtype=np.float64)
    else:
        found = call.array(1 if len(call.inputs) == 2 else 2, "scales").astype(np.float64).ravel()
    if found.shape != (len(places),) or not np.all(np.isfinite(found)) or not np.all(found > 0) or np.any(found > 2**28):
        raise Refusal("bad-parameter", f"'{call.node.op_type}' has scales {found.tolist()[:8]} for a tensor of {rank} axes")
    for a, s in zip(places, found, strict=True):
        scales[a], sizes[a] = Fraction(float(s)), int(np.floor(shape[a] * s))
    return sizes, scales


def _given_sizes(call: Call, shape: tuple[int, ...], places: list[int]) -> tuple[list[int], list[Fraction]]:
    wanted = call.numbers(3, "sizes")
    if len(wanted) != len(places) or min(wanted) < 1:
        raise Refusal("bad-parameter", f"'Resize' has sizes {wanted[:8]} for a tensor of {len(shape)} axes")
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    sizes, scales = list(shape), [Fraction(1)] * len(shape)
    for a, s in zip(places, wanted, strict=True):
        sizes[a], scales[a] = s, Fraction(s, shape[a])
    if policy != "stretch":
        common = (min if policy == "not_larger" else max)(scales[a] for a in places)
        for a in places:
            sizes[a], scales[a] = math.floor(shape[a] * common + Fraction(1, 2)), common
    return sizes, scales


def coordinates(transformation: str, old: int, new: int, scale: Fraction) -> Array:
    """Position in the old axis of each place in the new one; the scale is exact, so that whole positions are whole."""
    num, den = scale.numerator, scale.denominator
    place = np.arange(new, dtype=np.float64)
    if transformation == "asymmetric":
        return place * den / num
    if transformation == "align_corners":
        return place * (old - 1) / (new - 1) if new > 1 else place * 0
    if transformation == "tf_half_pixel_for_nn":
        return (place + 0.5) * den / num
    if transformation == "pytorch_half_pixel" and new == 1:
        return place * 0
    centred = (place + 0.5) * den / num - 0.5
    if transformation == "half_pixel_symmetric":
        return centred + old / 2 * float(1 - new / (old * scale))
    if transformation not in ("half_pixel", "pytorch_half_pixel"):
        raise Refusal(
            "unsupported-op",
            f"'Resize' with coordinates '{transformation}' is not supported",
            help="use asymmetric, half_pixel or align_corners",
        )
    return centred
