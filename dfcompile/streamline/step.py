"""Chains of per-channel elementwise operators, evaluated in float64 and, where a tie is near, in exact rationals.

A chain is a function of one real variable per channel. Rounding, signs and comparisons make it jump; float64
decides every argument that is clearly on one side of a jump, and `StepFunction.execute` hands the rest to exact
arithmetic, so that no result depends on rounding errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dfcompile.ir.graph import Array, Op, Tensor
from dfcompile.ir.modelop import BatchNorm, Binary, Bipolar, Dequantize, MultiThreshold, Quantize, Unary
from dfcompile.streamline import exact
from dfcompile.streamline.doubt import ERROR, NEAR, Doubt, most, near_jump
from dfcompile.streamline.grid import LARGEST_WHOLE, Grid
from dfcompile.streamline.regrid import binary_grid, exact_values, joined_grid, unary_grid
from dfcompile.streamline.rounding import product_is_inexact, quotient_is_inexact, sum_is_inexact

ELEMENTWISE = (BatchNorm, Binary, Bipolar, Dequantize, MultiThreshold, Quantize, Unary)
_RISING = {"relu", "clip", "sigmoid", "tanh", "selu", "softplus", "softsign", "erf", "exp", "log", "sqrt", "sign", "floor", "ceil", "round"}
_RISING_IF_ALPHA = {"leaky_relu", "elu", "celu", "hard_sigmoid", "thresholded_relu"}
_BLOCK = 2**15
"""Arguments that a step function takes at once: what it keeps beside them stays in cache."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operator of a chain: the running value is input `slot`, the other inputs are per-channel parameters.

    Parameters are scalars or (c,) arrays; thresholds are (c or 1, n).
    """

    op: Op
    slot: int = 0
    params: tuple[Array, ...] = ()

    def tiled(self, positions: int, channels: int) -> Step:
        """The step for a frame of `positions` x `channels` elements seen as that many channels."""

        def tile(p: Array) -> Array:
            return np.tile(p, (positions,) + (1,) * (p.ndim - 1)) if p.ndim and p.shape[0] == channels else p

        return Step(self.op, self.slot, tuple(tile(p) for p in self.params))

    def of_channel(self, c: int) -> Step:
        """The step of one channel, its parameters scalars."""

        def pick(p: Array) -> Array:
            return p[c if len(p) > 1 else 0 :][:1] if p.ndim > 1 else np.asarray(p[c if p.size > 1 else 0] if p.ndim else p)

        return Step(self.op, self.slot, tuple(pick(p) for p in self.params))

    def apply(self, x: Array, doubt: Doubt) -> Array:
        """The operator on (..., c) in float64; `doubt` follows what rounding may have done."""
        jump = self._jump_distance(x, doubt)
        if jump is not None:
            doubt.decide(jump)
        else:
            doubt.inexact = doubt.inexact | self._rounds(x)
        if isinstance(self.op, BatchNorm):
            scale, bias, mean, var = self.params
            result = (x - mean) / np.sqrt(var + self.op.epsilon) * scale + bias
        elif isinstance(self.op, MultiThreshold):
            count = sum((x >= column).astype(np.float64) for column in self.params[0].T)
            result = self.op.out_scale * count + self.op.out_bias
        else:
            args = list(self.params)
            args.insert(self.slot, x)
            result = self.op.execute(*args)[0]
        doubt.reach = self._reach(doubt.reach, result)
        if jump is None and not self._is_arithmetic:
            doubt.relative = NEAR
        return np.asarray(result)

    @property
    def _is_arithmetic(self) -> bool:
        """Whether `reach` says all of its rounding errors: sums, products with constants, and what gives an argument or 0 back."""
        op = self.op
        if isinstance(op, Binary):
            return op.fn in ("add", "sub", "mul", "min", "max") or (op.fn == "div" and self.slot == 0)
        return isinstance(op, Dequantize | BatchNorm) or (isinstance(op, Unary) and op.fn in ("relu", "clip", "abs", "neg"))

    def _reach(self, before: float, result: Array) -> float:
        """`Doubt.reach` behind the operator."""
        op, p = self.op, self.params
        if isinstance(op, BatchNorm):
            scale, bias, mean, var = p
            return (before + most(mean)) * most(scale / np.sqrt(var + op.epsilon)) + most(bias)
        if isinstance(op, Dequantize):
            return (before + most(p[1])) * most(p[0])
        if isinstance(op, Binary) and op.fn in ("add", "sub"):
            return before + most(p[0])
        if isinstance(op, Binary) and op.fn == "mul":
            return before * most(p[0])
        if isinstance(op, Binary) and op.fn == "div" and self.slot == 0:
            return before / float(np.min(np.abs(p[0])))
        return most(result) if isinstance(op, Quantize | Bipolar | MultiThreshold) else max(before, most(result))

    def _jump_distance(self, x: Array, doubt: Doubt) -> Any:
        """Where an argument is close to a jump of the operator; None for an operator without jumps."""
        op = self.op
        if isinstance(op, Quantize):
            scale, zero = self.params
            steps = x / scale
            doubt.inexact = doubt.inexact | quotient_is_inexact(x, scale)
            if not op.zero_after:
                doubt.inexact = doubt.inexact | sum_is_inexact(steps, zero)
                steps = steps + zero
            ends = [end - zero if op.zero_after else end for end in (op.lo, op.hi)]
            return near_jump(steps, op.rounding, doubt.relative * (1 + np.abs(steps)) + ERROR * doubt.reach / scale, ends)
        if isinstance(op, Bipolar) or (isinstance(op, Unary) and op.fn == "sign"):
            return np.abs(x) <= max(1e-300, doubt.relative * doubt.reach)
        if isinstance(op, Unary) and op.fn in ("floor", "ceil", "round"):
            return near_jump(x, "ROUND" if op.fn == "round" else "FLOOR", doubt.relative * (1 + np.abs(x)) + ERROR * doubt.reach)
        if isinstance(op, MultiThreshold):
            error = ERROR * doubt.reach
            return np.any([np.abs(x - t) <= doubt.relative * (1 + np.abs(t)) + error for t in self.params[0].T], axis=0)
        return None

    def _rounds(self, x: Array) -> Any:
        """Where float64 rounds the result."""
        op = self.op
        if isinstance(op, Dequantize):
            scale, zero = self.params
            return sum_is_inexact(x, -zero) | product_is_inexact(x - zero, scale)
        if isinstance(op, Binary) and op.fn in ("add", "sub"):
            return sum_is_inexact(x, -self.params[0] if op.fn == "sub" else self.params[0])
        if isinstance(op, Binary) and op.fn == "mul":
            return product_is_inexact(x, self.params[0])
        if isinstance(op, Binary) and op.fn == "div" and self.slot == 0:
            return quotient_is_inexact(x, self.params[0])
        keeps = (isinstance(op, Unary) and op.fn in ("relu", "clip", "abs", "neg")) or (isinstance(op, Binary) and op.fn in ("min", "max"))
        return not keeps

    @property
    def jumps(self) -> bool:
        """Whether its results lie on a grid of its own, whatever the argument."""
        return self.regrid(None) is not None

    def exact(self, x: Fraction, c: int) -> Fraction:
        """The operator on one value of channel c, in exact rationals (irrational functions: rounded to float64)."""
        return Fraction(self._exact(x, c))

    @cached_property
    def _picked(self) -> dict[int, list[Any]]:
        return {}

    def _exact(self, x: Fraction, c: int) -> Any:
        op, p = self.op, self._picked.get(c)
        if p is None:
            p = self._picked[c] = [_pick(a, c) for a in self.params]
        if isinstance(op, Quantize):
            return exact.quantize(op, x, p[0], p[1])
        if isinstance(op, Dequantize):
            return (x - p[1]) * p[0]
        if isinstance(op, Bipolar):
            return Fraction(1 if x >= 0 else -1)
        if isinstance(op, BatchNorm):
            scale, bias, mean, var = p
            return (x - mean) * scale / exact.root(var + Fraction(op.epsilon)) + bias
        if isinstance(op, MultiThreshold):
            rows = self.params[0]
            row = rows[c if len(rows) > 1 else 0]
            return Fraction(op.out_scale) * sum(x >= Fraction(float(t)) for t in row) + Fraction(op.out_bias)
        if isinstance(op, Binary):
            return exact.binary(op.fn, *((x, p[0]) if self.slot == 0 else (p[0], x)))
        if not isinstance(op, Unary):
            raise TypeError(f"'{op.kind}' is no step of a chain")
        return exact.unary(op, x)

    def direction(self) -> Array | None:
        """Sign of the slope per channel (+1 rising, -1 falling, 0 constant), None when not monotone."""
        op = self.op
        if isinstance(op, Quantize | Bipolar):
            return np.array(1)
        if isinstance(op, Dequantize | BatchNorm):
            return np.asarray(np.sign(self.params[0]))
        if isinstance(op, MultiThreshold):
            return np.asarray(np.sign(op.out_scale))
        if isinstance(op, Binary):
            return _binary_direction(op.fn, self.slot, self.params[0])
        if not isinstance(op, Unary):
            raise TypeError(f"'{op.kind}' is no step of a chain")
        if op.fn in _RISING or (op.fn in _RISING_IF_ALPHA and op.alpha >= 0):
            return np.array(1)
        return np.array(-1) if op.fn == "neg" else None

    def regrid(self, grid: Grid | None) -> Grid | None:
        """The grid of the results, given the grid of the arguments; None when they lie on none."""
        op = self.op
        if isinstance(op, Quantize | Bipolar) or (isinstance(op, Unary) and op.fn in ("floor", "ceil", "round", "sign")):
            return Grid.of(1, 0, pure=False)
        if isinstance(op, MultiThreshold):
            return Grid.of(op.out_scale, op.out_bias, pure=False) if op.out_scale else None
        if grid is None:
            return None
        if isinstance(op, Dequantize):
            return grid.affine(self.params[0], -exact_values(self.params[1]) * exact_values(self.params[0]))
        if isinstance(op, BatchNorm):
            scale, bias, mean, var = self.params
            gain = scale / np.sqrt(var + op.epsilon)
            return grid.affine(gain, exact_values(bias) - exact_values(mean) * exact_values(gain))
        if isinstance(op, Binary):
            return binary_grid(op.fn, self.slot, self.params[0], grid)
        if not isinstance(op, Unary):
            raise TypeError(f"'{op.kind}' is no step of a chain")
        return unary_grid(op, grid)


@dataclass(frozen=True, eq=False)
class Join:
    """A binary operator whose operands are two chains of the same variable, as in x * sigmoid(x)."""

    op: Binary
    left: tuple[Step | Join, ...]
    right: tuple[Step | Join, ...]

    def tiled(self, positions: int, channels: int) -> Join:
        def tile(steps: tuple[Step | Join, ...]) -> tuple[Step | Join, ...]:
            return tuple(s.tiled(positions, channels) for s in steps)

        return Join(self.op, tile(self.left), tile(self.right))

    def of_channel(self, c: int) -> Join:
        return Join(self.op, tuple(s.of_channel(c) for s in self.left), tuple(s.of_channel(c) for s in self.right))

    def apply(self, x: Array, doubt: Doubt) -> Array:
        left, right = x, x
        other = replace(doubt)
        for s in self.left:
            left = s.apply(left, doubt)
        for s in self.right:
            right = s.apply(right, other)
        doubt.near = doubt.near | other.near
        doubt.inexact, doubt.relative = np.ones(x.shape, bool), NEAR
        result = np.asarray(self.op.execute(left, right)[0])
        terms = doubt.reach * other.reach if self.op.fn == "mul" else doubt.reach + other.reach
        doubt.reach = max(terms, most(result))
        return result

    def exact(self, x: Fraction, c: int) -> Fraction:
        left, right = x, x
        for s in self.left:
            left = s.exact(left, c)
        for s in self.right:
            right = s.exact(right, c)
        return exact.binary(self.op.fn, left, right)

    @property
    def jumps(self) -> bool:
        return False

    def direction(self) -> Array | None:
        return None

    def regrid(self, grid: Grid | None) -> Grid | None:
        left, right = grid, grid
        for s in self.left:
            left = s.regrid(left)
        for s in self.right:
            right = s.regrid(right)
        return joined_grid(self.op.fn, left, right)


Chain = tuple[Step | Join, ...]


def chain_direction(base: Grid, chain: Chain) -> Array | None:
    """Sign of the slope per channel of a whole chain of codes, None when it need not be monotone."""
    result = np.asarray([(s > 0) - (s < 0) for s in base.scale.ravel()])
    for step in chain:
        d = step.direction()
        if d is None:
            return None
        result = result * d
    return result


@dataclass(frozen=True, eq=False)
class StepFunction:
    """Integer codes to integer codes, through real numbers: (chain(base(code)) - grid.offset) / grid.scale.

    addends: grids of further operands, streams of the same shape, whose real numbers are added to the first's
    """

    kind: ClassVar[str] = "step_function"
    base: Grid
    chain: Chain
    grid: Grid
    addends: tuple[Grid, ...] = ()

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape),)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        if inputs[0].size <= _BLOCK:
            return (self._block(*inputs),)
        operands = [np.broadcast_to(x, inputs[0].shape).reshape(-1, inputs[0].shape[-1]) for x in inputs]
        out = np.empty(operands[0].shape)
        size = max(1, _BLOCK // out.shape[1])
        for first in range(0, len(out), size):
            out[first : first + size] = self._block(*(x[first : first + size] for x in operands))
        return (out.reshape(inputs[0].shape),)

    def _block(self, *inputs: Array) -> Array:
        codes = [np.asarray(x, np.float64) for x in inputs]
        x, doubt = _real(self.base, codes[0])
        for grid, more in zip(self.addends, codes[1:], strict=True):
            y, other = _real(grid, more)
            doubt.add(other, sum_is_inexact(x, y))
            x = x + y
        for step in self.chain:
            x = step.apply(x, doubt)
        scale, offset = self.grid.floats()
        with np.errstate(invalid="ignore"):
            result = np.rint((x - offset) / scale)
        if doubt.near.any():
            result[doubt.near] = self._exactly(inputs, doubt.near)
        return result

    def _exactly(self, codes: Sequence[Array], near: Array) -> Array:
        channel = np.nonzero(near)[-1] * self.per_channel()
        tuples = np.stack([channel, *(np.broadcast_to(c, near.shape)[near].astype(np.int64) for c in codes)])
        unique, inverse = np.unique(tuples, axis=1, return_inverse=True)
        values = [self.exact(*map(int, each)) for each in unique.T.tolist()]
        return np.asarray(values, np.float64)[inverse.ravel()]

    def per_channel(self) -> bool:
        """Whether the function differs between channels."""

        def varies(step: Step | Join) -> bool:
            if isinstance(step, Join):
                return any(map(varies, step.left + step.right))
            return any(p.size > 1 for p in step.params)

        grids = (self.base, self.grid, *self.addends)
        return any(g.scale.size > 1 or g.offset.size > 1 for g in grids) or any(map(varies, self.chain))

    def exact(self, channel: int, *codes: int) -> int:
        """The code that follows from the operands' codes in `channel`, in exact arithmetic."""
        x = sum((g.exact(code, channel) for g, code in zip((self.base, *self.addends), codes, strict=True)), Fraction(0))
        for step in self.chain:
            x = step.exact(x, channel)
        scale, offset = self.grid.pick(channel)
        return round((x - offset) / scale)

    def direction(self) -> Array | None:
        """Sign of the slope per channel, code to code; None when it need not be monotone."""
        d = chain_direction(self.base, self.chain)
        return None if d is None else d * np.asarray([(s > 0) - (s < 0) for s in self.grid.scale.ravel()])

    def __str__(self) -> str:
        names = [getattr(s.op, "fn", s.op.kind) for s in self.chain]
        return f"step_function<{' '.join(names)}>"


def _real(grid: Grid, codes: Array) -> tuple[Array, Doubt]:
    """What codes mean in float64, and what rounding has done to it."""
    scale, offset = grid.floats()
    inexact = product_is_inexact(codes, scale) | sum_is_inexact(codes * scale, offset) | grid.is_rounded | (np.abs(codes) >= LARGEST_WHOLE)
    return grid.real(codes), Doubt(np.zeros(inexact.shape, bool), inexact, most(codes * scale) + most(offset) + grid.reach)


def _pick(a: Array, c: int) -> Any:
    if a.ndim > 1:
        return None
    return Fraction(float(a[c if a.size > 1 else 0] if a.ndim else a))


def _binary_direction(fn: str, slot: int, p: Array) -> Array | None:
    if fn in ("add", "min", "max"):
        return np.array(1)
    if fn == "sub":
        return np.array(1 if slot == 0 else -1)
    if fn == "mul" or (fn == "div" and slot == 0):
        return np.asarray(np.sign(p))
    if fn == "prelu" and slot == 0 and np.all(p >= 0):
        return np.array(1)
    if fn == "pow" and slot == 0 and p.size == 1 and float(p) > 0 and float(p) % 2 == 1:
        return np.array(1)
    return None


def affine_steps(gain: Array, shift: Array) -> Chain | None:
    """gain * x + shift, by channel, as steps; None where a number has no exact float64."""
    steps = []
    for fn, values, nothing in (("mul", gain, 1), ("add", shift, 0)):
        numbers = np.asarray(values, object).astype(np.float64)
        if any(Fraction(f) != v for f, v in zip(numbers.ravel().tolist(), np.ravel(values), strict=True)):
            return None
        if np.any(numbers != nothing):
            steps.append(Step(Binary(fn), 0, (numbers,)))
    return tuple(steps)
