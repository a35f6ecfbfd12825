"""Grids of the results of elementwise operators, given those of their arguments; None where the results lie on none."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from dfcompile.ir.graph import Array, Op
from dfcompile.ir.modelop import Binary, Unary
from dfcompile.streamline.grid import Grid, are_integers, common_scale

LARGEST_FACTOR = 64
"""Largest integer by which a scale is divided so that the results of a function lie on the finer grid."""


def exact_values(a: Array) -> Any:
    """Numbers as Fractions, whatever the shape."""
    return np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(a)


def binary_grid(fn: str, slot: int, p: Array, grid: Grid) -> Grid | None:
    """Of a function of an argument and a parameter p."""
    match fn, slot:
        case ("add", _):
            return grid.affine(1, exact_values(p))
        case ("sub", 0):
            return grid.affine(1, -exact_values(p))
        case ("sub", 1):
            return grid.affine(-1, exact_values(p))
        case ("mul", _):
            return grid.affine(p, 0)
        case ("div", 0):
            return grid.affine(1 / exact_values(p), 0) if np.all(p) else None
        case ("min", _):
            return grid.clipped(-math.inf, p)
        case ("max", _):
            return grid.clipped(p, math.inf)
        case ("pow", 0) if p.size == 1 and float(p) == 2:
            return joined_grid("mul", grid, grid)
        case ("prelu", 0) if p.size == 1:
            return _sloped(float(p), grid)
    return None


def unary_grid(op: Unary, grid: Grid) -> Grid | None:
    """Of a function of one argument."""
    match op.fn:
        case "relu":
            return grid.clipped(0, math.inf)
        case "clip":
            return grid.clipped(op.alpha, op.beta)
        case "neg":
            return grid.affine(-1, 0)
        case "abs":
            return Grid(np.asarray(abs(grid.scale), object), Grid.of(0, 0).offset, pure=False) if _keeps_zero(grid) else None
        case "leaky_relu":
            return _sloped(op.alpha, grid)
    return None


def bound_of(op: Op, params: tuple[Array, ...]) -> float | None:
    """The one number, not infinite, at which an operator cuts off; None for what does anything else or has several."""
    ends: list[float] = []
    if isinstance(op, Unary) and op.fn == "clip":
        ends = [b for b in (op.alpha, op.beta) if not math.isinf(b)]
    elif isinstance(op, Binary) and op.fn in ("min", "max"):
        ends = np.unique(params[0]).tolist()
    return float(ends[0]) if len(ends) == 1 else None


def joined_grid(fn: str, a: Grid | None, b: Grid | None) -> Grid | None:
    """Of a function of two arguments that lie on grids."""
    if a is None or b is None:
        return None
    match fn:
        case "mul":
            ok = _keeps_zero(a) and _keeps_zero(b)
            return Grid(np.asarray(a.scale * b.scale, object), Grid.of(0, 0).offset, pure=False) if ok else None
        case "min" | "max":
            same = np.all(a.scale == b.scale) and are_integers((a.offset - b.offset) / a.scale)
            return Grid(a.scale, a.offset, pure=False) if same else None
        case "add" | "sub":
            pairs = np.broadcast_arrays(np.asarray(a.scale, object), np.asarray(b.scale, object))
            found = [common_scale(pair) for pair in zip(*(p.ravel() for p in pairs), strict=True)]
            if max(abs(n) for _, counts in found for n in counts) > LARGEST_FACTOR:
                return None
            scale = np.array([s for s, _ in found], object).reshape(pairs[0].shape)
            return Grid(scale, np.asarray(a.offset + b.offset if fn == "add" else a.offset - b.offset, object), pure=False)
    return None


def _keeps_zero(grid: Grid) -> bool:
    return are_integers(grid.offset / grid.scale)


def _sloped(slope: float, grid: Grid) -> Grid | None:
    """Of x above 0 and slope * x below."""
    factor = Fraction(slope).denominator
    ok = factor <= LARGEST_FACTOR and _keeps_zero(grid)
    return Grid(np.asarray(grid.scale / factor, object), Grid.of(0, 0).offset, pure=False) if ok else None
