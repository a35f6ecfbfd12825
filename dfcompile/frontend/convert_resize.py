"""Nearest-neighbour resizing: positions are computed here, so that only a gather along each axis is left."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_shape import pick
from dfcompile.frontend.model import Array
from dfcompile.frontend.value import Refusal, onnx_shape
from dfcompile.ir.modelop_base import sized

_NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda c: np.ceil(c - 0.5),
    "round_prefer_ceil": lambda c: np.floor(c + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@converts("Resize", "Upsample")
def resize(call: Call) -> Result:
    """ONNX Resize and Upsample, nearest mode (see the ONNX specification for the names of the modes)."""
    x = call.value(0)
    shape = onnx_shape(x)
    if call.text("mode", "nearest") != "nearest":
        raise Refusal(
            "unsupported-op",
            f"'{call.node.op_type}' in mode '{call.text('mode')}' is not supported",
            "it weighs neighbours by fractions",
            "use mode 'nearest', or a ConvTranspose",
        )
    old = call.node.op_type == "Upsample" or call.opset < 11
    transformation = "asymmetric" if old else call.text("coordinate_transformation_mode", "half_pixel")
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
