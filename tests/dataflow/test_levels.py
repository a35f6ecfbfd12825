"""Weights of few levels: every way to write a matrix in planes is that matrix; what is built is exact, as fast as said, and smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.dataflow.levels import MOST, _planes, decompositions
from dfcompile.errors import CompileError
from dfcompile.ir.types import IntType
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.units.base import unit_of
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.threshold import Threshold
from dfcompile.units.vvtu import Vvtu
from tests.dataflow.test_uneven_folds import hold
from tests.examples import examples
from tests.test_traps import Model, exact
from tests.units.arithmetic_cases import Operands, mvtu

TTQ = np.array([-0.3713562, 0.0, 0.5298131], np.float32)  # on no common grid
BOOK = np.array([-1.7135912, -0.6317253, 0.2171281, 0.9035911], np.float32)

SIGNS = np.array([-1309, -513, 513, 1309], np.float32) / 1024  # the sum and the difference of two


@examples(150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))
def test_planes_times_levels_are_the_weights(seed: int, channels: int, columns: int, levels: int) -> None:
    """Levels a channel, some with zeros, some in pairs of two sizes."""
    rng = np.random.default_rng(seed)
    if levels == 1:
        a, b = rng.integers(1, 99, (2, channels, 1))
        weights = rng.choice([-1, 1], (channels, columns)) * a + rng.choice([-1, 1], (channels, columns)) * b
    else:
        weights = np.array(
            [rng.choice(rng.integers(-(2**30), 2**30, levels), columns) * (rng.random(columns) < 0.8) for _ in range(channels)]
        )
    for found in decompositions(weights):
        count = len(found.planes)
        assert 2 <= count <= MOST and found.planes.shape == (count, channels, columns) and found.values.shape == (channels, count)
        assert np.isin(found.planes, (-1, 0, 1)).all()
        assert np.array_equal(np.einsum("kcn,ck->cn", found.planes.astype(object), found.values.astype(object)), weights)


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ([[5, -5, 0]], [2]),
        ([[5, 5, 0]], []),
        ([[7, -3, 0, 7]], [2, 2]),
        ([[7, -3, 3, -7]], [4, 2, 2]),
        ([[7, -4, 4, -7]], [4, 2]),
        ([[1, 2], [3, 3]], [2]),
    ],
)
def test_ways_that_there_are(weights: list[list[int]], counts: list[int]) -> None:
    assert [len(d.planes) for d in decompositions(np.array(weights))] == counts


def test_the_least_number_of_a_type_has_a_size() -> None:
    one, by_size = decompositions(np.array([[-128, 127, 0], [-128, 5, 5]], np.int8))
    assert one.values.tolist() == [[-128, 127], [-128, 5]]
    assert by_size.values.tolist() == [[127, 128], [5, 128]]


def dense(levels: np.ndarray, inputs: int = 40, outputs: int = 12, bits: float = 4, scales: bool = False) -> tuple[Model, str]:
    """A dense layer of such weights, the levels of each output times one of three factors where wanted, and a quantizer."""
    m, rng = Model(), np.random.default_rng(5)
    w = rng.choice(levels, (inputs, outputs)) * (np.array([1.0, 0.5, 0.3])[np.arange(outputs) % 3] if scales else 1.0)
    x = m.op("BipolarQuant", "x", m.const(np.float32(1)), domain="qonnx.custom_op.general") if bits == 1 else m.q("x", 0.25, int(bits))
    return m, m.q(m.op("MatMul", x, m.const(w.astype(np.float32))), 0.5, 4)


def built(m: Model, out: str, path: Path, **options: Any) -> DataflowAccelerator:
    made = dfc.build(m.save(path / "dense.onnx", out, (1, 40)), mode="dataflow", **options)
    assert isinstance(made, DataflowAccelerator)
    return made


def kinds(made: DataflowAccelerator) -> list[str]:
    return [made.design.unit(n.name).kind for n in made.design.nodes if isinstance(n.op, Mvtu | Vvtu | Threshold)]


CASES = [
    pytest.param(TTQ, 4, False, 24, ["mvtu", "mvtu"], marks=pytest.mark.further),
    (TTQ, 4, True, 24, ["mvtu", "mvtu", "threshold"]),
    pytest.param(TTQ, 4, True, 6, ["mvtu", "vvtu"], marks=pytest.mark.further),
    pytest.param(BOOK, 4, False, 24, ["mvtu", "mvtu"], marks=pytest.mark.further),
    (BOOK, 4, True, 24, ["mvtu", "mvtu"]),
    pytest.param(SIGNS, 1, False, 24, ["mvtu", "mvtu"], marks=pytest.mark.further),
    pytest.param(SIGNS, 1, True, 24, ["mvtu", "mvtu", "threshold"], marks=pytest.mark.further),
    pytest.param(SIGNS, 1, False, 6, ["mvtu", "vvtu"], marks=pytest.mark.further),
]


@pytest.mark.parametrize(("levels", "bits", "scales", "interval", "wanted"), CASES)
def test_exact_and_as_predicted(levels: np.ndarray, bits: int, scales: bool, interval: int, wanted: list[str], tmp_path: Path) -> None:
    """In Python, C++ and RTL with stalls; at the interval that was asked for; one channel after another where there is the time.

    Channels have books of their own where the factors are no powers of two, and the book is no grid but for its size; else thresholds
    of their own.
    """
    inputs = 40 if bits > 1 else 160
    m, out = dense(levels, inputs, bits=bits, scales=scales)
    exact(tmp_path, m, out, (inputs,), mode="dataflow", interval=interval)
    made = dfc.build(m.save(tmp_path / "dense.onnx", out, (1, inputs)), mode="dataflow", interval=interval)
    assert isinstance(made, DataflowAccelerator)
    assert kinds(made) == wanted
    planes, *behind = (u for u in map(unit_of, made.design.nodes) if isinstance(u, Mvtu))
    assert planes.weight_dtype.bipolar == (bits == 1)
    if behind:
        assert len(behind[0].weights) == (12 if scales and len(wanted) == 2 else 1)
    assert made.timing.interval_cycles <= interval
    hold(made)


def test_a_layer_that_has_time_takes_no_second_threshold_unit(tmp_path: Path) -> None:
    """The channels of two planes one after another cost less than two channels at once, each with half the time."""
    m, out = dense(TTQ)
    slow, fast = (built(m, out, tmp_path, interval=cycles) for cycles in (12, 11))
    assert kinds(slow) == ["mvtu", "mvtu"] and kinds(fast) == ["mvtu", "vvtu"]
    assert slow.resources.lut < 0.8 * fast.resources.lut


def test_convolutions_with_windows(tmp_path: Path) -> None:
    m, rng = Model(), np.random.default_rng(2)
    first = m.op("Conv", m.q("x", 0.25, 4), m.const(rng.choice(TTQ, (6, 3, 3, 3))), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    second = m.op("Conv", m.q(m.op("Relu", first), 0.5, 3, 0), m.const(rng.choice(TTQ, (12, 6, 2, 2))), kernel_shape=[2, 2])
    out = m.q(second, 0.25, 5)
    exact(tmp_path, m, out, (3, 6, 5), mode="dataflow", interval=400)
    made = dfc.build(m.save(tmp_path / "conv.onnx", out, (1, 3, 6, 5)), mode="dataflow", interval=400)
    assert isinstance(made, DataflowAccelerator) and kinds(made) == ["mvtu", "mvtu"] * 2
    hold(made)


def test_smaller_than_one_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained ternary weights of two sizes cost little more than those of one size, and a third of what they do as numbers."""

    def area(levels: np.ndarray, wanted: list[str]) -> float:
        m, out = dense(levels, inputs=64, outputs=32)
        made = dfc.build(m.save(tmp_path / "dense.onnx", out, (1, 64)), mode="dataflow", interval=32)
        assert isinstance(made, DataflowAccelerator) and kinds(made) == wanted
        return made.resources.lut

    equal, made = area(TTQ[0] * np.array([-1, 0, 1]), ["mvtu"]), area(TTQ, ["mvtu", "mvtu"])
    monkeypatch.setattr("dfcompile.dataflow.lower.by_levels", lambda unit, most: None)
    assert made < 1.3 * equal  # 1.23 in LUTs of the netlists
    assert made < area(TTQ, ["mvtu"]) / 3


def test_a_rate_that_planes_cannot_reach(tmp_path: Path) -> None:
    """Four planes take four cycles at least: what is asked for three takes the weights as they are."""
    m, out = dense(BOOK)
    made = built(m, out, tmp_path, interval=3)
    assert kinds(made) == ["mvtu"] and made.timing.interval_cycles <= 3


def test_sums_of_planes_that_subtract_from_unsigned_inputs(tmp_path: Path) -> None:
    m, rng = Model(), np.random.default_rng(4)
    sizes = rng.choice(np.array([-1.7135912, -0.6317253, 0.6317253, 1.7135912], np.float32), (40, 24))
    out = m.q(m.op("MatMul", m.q("x", 0.25, 4, 0), m.const(sizes)), 0.5, 6)
    made = built(m, out, tmp_path, interval=60)
    x = np.abs(np.random.default_rng(1).normal(size=(8, 40)).astype(np.float32)) * 4
    exact(tmp_path, m, out, (40,), x, mode="dataflow", interval=60)
    assert kinds(made) == ["mvtu", "mvtu"]
    hold(made)


@pytest.mark.parametrize("by_tap", [False, True])
@pytest.mark.parametrize(("kind", "levels"), [(IntType(4), [-5, -2, 2, 5]), (IntType(4, signed=True), [-5, 0, 5]), (IntType(4), [0, 3, 7])])
def test_the_sums_of_planes_hold_what_they_may_be(kind: IntType, levels: list[int], by_tap: bool) -> None:
    """Every plane at the ends of the inputs' type, also where it subtracts what has no sign."""
    weights = np.random.default_rng(5).choice(np.array(levels), (6, 24))
    unit = mvtu(np.random.default_rng(5), Operands(kind, IntType(4, signed=True), None), (1, 1), 1, 6, 24)
    for found in decompositions(weights):
        made = _planes(unit, found, by_tap)
        planes = made.weights.reshape(-1, 24).astype(np.int64)
        least = np.minimum(planes * kind.lo, planes * kind.hi).sum(axis=1).min()
        most = np.maximum(planes * kind.lo, planes * kind.hi).sum(axis=1).max()
        assert made.acc_dtype.lo <= least and most <= made.acc_dtype.hi


def test_a_given_folding(tmp_path: Path) -> None:
    m, out = dense(TTQ)
    plain = built(m, out, tmp_path, interval=11)
    first, second = (n.name for n in plain.design.nodes if isinstance(n.op, Mvtu | Vvtu))
    made = built(m, out, tmp_path, interval=11, folding={first: {"simd": 20}, second: {"pe": 6}})
    assert (made.design.unit(first).folding, made.design.unit(second).folding["pe"]) == ({"pe": 6, "simd": 20}, 6)
    hold(made)
    with pytest.raises(CompileError) as e:
        built(m, out, tmp_path, interval=11, folding={second: {"pe": 5}})
    (problem,) = e.value.problems
    assert problem.code == "bad-folding" and "[1, 2, 3, 4, 6, 12]" in (problem.help or "")
