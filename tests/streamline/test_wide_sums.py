"""Sums of more than 53 bits are integers as all others: not one is rounded, and what would not fit into 64 bits is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array
from dfcompile.ir.intop import IntAdd, IntConv, IntMatMul, IntMul, IntOp, IntPool, ThresholdCode, Window
from dfcompile.ir.modelop import Quantize
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction
from tests.examples import examples
from tests.frontend.make import model
from tests.frontend.small import constants, quant
from tests.streamline.exactly import streamlined

Definition = Callable[..., Any]
POOL = Window((2, 2), (1, 1))


def wide(rng: np.random.Generator, bits: int, *shape: int) -> Array:
    """Integers of so many bits, odd, so that float64 rounds the sums of any that are wide enough."""
    return np.asarray(rng.integers(-(2 ** (bits - 2)), 2 ** (bits - 2), shape) * 2 + 1)


def corners(x: Array) -> list[Array]:
    """Elements of 2x2 windows (n, h, w, c), one array for each place of a window."""
    return [x[:, i : x.shape[1] - 1 + i, j : x.shape[2] - 1 + j] for i in (0, 1) for j in (0, 1)]


ONE: list[tuple[IntOp, int, tuple[int, ...], Definition]] = [
    (IntConv(), 29, (3, 1, 1, 4), lambda x, w: x @ w[:, 0, 0].T),
    (IntConv(groups=4), 30, (4, 1, 1, 1), lambda x, w: x * w[:, 0, 0, 0]),
    (IntPool("sum", POOL), 59, (), lambda x: sum(corners(x))),
    (IntPool("max", POOL), 61, (), lambda x: functools.reduce(np.maximum, corners(x))),
    (IntPool("min", POOL), 61, (), lambda x: functools.reduce(np.minimum, corners(x))),
]
TWO: list[tuple[IntOp, int, Definition]] = [
    (IntAdd((1, -3), 7), 59, lambda a, b: a - 3 * b + 7),
    (IntMul(), 30, lambda a, b: a * b),
    (IntMatMul((4, 9), 1, (1, 1), transposed=True), 29, lambda a, b: a @ b.reshape(2, 1, 9, 4).swapaxes(2, 3)),
]


@pytest.mark.parametrize(("op", "bits", "shape", "definition"), ONE, ids=[f"{o[0]}" for o in ONE])
def test_operators_of_one_stream(op: IntOp, bits: int, shape: tuple[int, ...], definition: Definition) -> None:
    rng = np.random.default_rng(3)
    holds(op, (wide(rng, bits, 2, 3, 3, 4),), (wide(rng, bits, *shape),) if shape else (), definition)


@pytest.mark.parametrize(("op", "bits", "definition"), TWO, ids=[f"{o[0]}" for o in TWO])
def test_operators_of_two_streams(op: IntOp, bits: int, definition: Definition) -> None:
    rng = np.random.default_rng(4)
    holds(op, (wide(rng, bits, 2, 3, 3, 4), wide(rng, bits, 2, 3, 3, 4)), (), definition)


def holds(op: IntOp, streams: tuple[Array, ...], held: tuple[Array, ...], definition: Definition) -> None:
    """Results are those of Python's integers, none beyond the proven range, the ends of which are reached by what reaches them."""
    found = op.execute(*streams, *held)[0]
    wanted = definition(*(v.astype(object) for v in (*streams, *held)))
    assert found.tolist() == np.asarray(wanted).tolist() and any(int(float(v)) != v for v in found.ravel().tolist())
    frames = [np.broadcast_to(v[:, :1, :1], v.shape) for v in streams]  # of channels that are what they are everywhere
    ends = [(x.min(axis=(0, 1, 2)), x.max(axis=(0, 1, 2))) for x in frames]
    low, high = op.bounds(tuple(ends), held)
    values = definition(*(v.astype(object) for v in (*frames, *held)))
    for c, (lo, hi) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        assert all(lo <= v <= hi for v in np.asarray(values)[..., c].ravel().tolist())
    single = op.bounds(tuple((x[0, 0, 0], x[0, 0, 0]) for x in frames), held)
    if not isinstance(op, IntMatMul):  # of channels of one code each, that is the only result
        assert [e.tolist() for e in single] == [np.asarray(values)[0, 0, 0].tolist()] * 2


def test_depthwise_sums_of_codes_in_float64() -> None:
    x, w = wide(np.random.default_rng(5), 30, 1, 1, 5, 2), wide(np.random.default_rng(6), 30, 2, 1, 1, 1)
    wanted = x.astype(object) * w[:, 0, 0, 0].astype(object)
    assert IntConv(groups=2).execute(x.astype(np.float64), w)[0].tolist() == wanted.tolist()


def test_thresholds_next_to_one_another() -> None:
    middle = 2**60 + 1
    op = ThresholdCode(2, 0)
    thresholds, up = np.array([[middle, middle + 1, middle + 2]]), np.array([False])
    x = np.arange(middle - 2, middle + 4)[None, None, :, None]
    assert op.execute(x, thresholds, up)[0].ravel().tolist() == [0, 0, 1, 2, 3, 3]
    for code, first, last in ((0, middle - 2, middle - 1), (1, middle, middle), (3, middle + 2, middle + 3)):
        low, high = op.bounds(((np.array([first]), np.array([last])),), (thresholds, up))
        assert (low.tolist(), high.tolist()) == ([code], [code])


@pytest.mark.parametrize("scale", [Fraction(1, 2**57 + 3), Fraction(1, 2**57)], ids=["rounded", "a power of two"])
def test_a_step_function_of_wide_codes(scale: Fraction) -> None:
    """Next to each jump, where codes of float64 would all be the same one."""
    function = StepFunction(Grid.of(scale, 0), (Step(Quantize(-4, 3, "ROUND"), 0, (np.array(1.0), np.array(0.0))),), Grid.of(1, 0))
    jumps = [round((k + Fraction(1, 2)) / scale) for k in range(-4, 4)]
    codes = np.array([j + d for j in jumps for d in range(-3, 4)])[:, None]
    assert function.execute(codes)[0].ravel().tolist() == [function.exact(0, int(c)) for c in codes.ravel().tolist()]


def chain(rng: np.random.Generator, source: str, target: str, count: int, spread: float) -> tuple[list[onnx.NodeProto], dict[str, Array]]:
    """`source` to one of so many float32 levels without a common step, by comparisons between them."""
    found = np.sort(np.abs(rng.normal(size=count)) * spread).astype(np.float32)
    found[0] = 0
    nodes, held, before = [], {f"{target}_0": found[0]}, f"{target}_0"
    for k in range(1, count):
        at, level, over, after = (f"{target}_{part}{k}" for part in ("at", "level", "over", "t"))
        held |= {at: np.float32((found[k - 1] + found[k]) / 2), level: found[k]}
        nodes.append(helper.make_node("GreaterOrEqual", [source, at], [over]))
        nodes.append(helper.make_node("Where", [over, level, before], [after if k < count - 1 else target]))
        before = after
    return nodes, held


@examples(12)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(2, 4), st.booleans())
def test_activations_of_few_levels_in_front_of_weights_of_few(seed: int, count: int, sizes: int, sums: bool) -> None:
    """Levels of 25 to 30 bits times weights of 25 to 30 bits: with a quantizer behind, or more levels; `sums`: or nothing."""
    rng = np.random.default_rng(seed)
    nodes, held = chain(rng, "y", "levels", count, 40.0)
    weights = rng.choice(rng.normal(size=sizes).astype(np.float32), (3, 4, 3, 3))
    layers = [quant("x", "q"), quant("w", "wq"), helper.make_node("Conv", ["q", "wq"], ["y"]), *nodes]
    layers += [helper.make_node("Conv", ["levels", "v"], ["out" if sums else "more"])]
    if not sums:
        more, others = (chain(rng, "more", "out", count, 90.0)) if seed % 2 else ([quant("more", "out", "coarse")], {})
        layers, held = layers + more, held | others
    held |= constants(w=rng.normal(size=(4, 2, 3, 3)).astype(np.float32), v=weights, coarse=np.float32(2.5))
    with TemporaryDirectory() as folder:
        made = streamlined(model(layers, {"x": (1, 2, 6, 6)}, ["out"], held), Path(folder))
    assert not any("PROVED" in text for text in made.fates.values())


def test_what_64_bits_do_not_hold_is_refused(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).choice(np.array([-0.3713562e-3, 0, 0.5298131], np.float32), (5, 4, 3, 3))
    layers = [quant("x", "q", bits="fine"), helper.make_node("Conv", ["q", "w"], ["y"]), quant("y", "out")]
    with pytest.raises(CompileError) as caught:
        streamlined(model(layers, {"x": (1, 4, 6, 6)}, ["out"], constants(w=weights, fine=np.float32(32))), tmp_path)
    assert [p.code for p in caught.value.problems] == ["too-wide"] and "63 bits" in str(caught.value)
