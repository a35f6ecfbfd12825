"""Whole models whose lanes do not divide: given by a folding file, and chosen; values three ways and cycles as predicted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile import load
from dfcompile.emit.golden import golden, random_inputs
from dfcompile.errors import CompileError
from dfcompile.folding.fold import read_folding
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from dfcompile.timing.solve import solve
from dfcompile.units.base import Unit
from dfcompile.units.mvtu import Mvtu
from tests.test_traps import Model, frames

SHAPE = (3, 7, 6)


def model(path: Path) -> Path:
    """Convolution, a residual block of depthwise and 1x1 convolution, pooling, dense layer; 5, 7 and 10 channels."""
    m, rng = Model(), np.random.default_rng(3)

    def weights(*shape: int) -> str:
        return m.w(rng.integers(-3, 4, shape).astype(float))

    def conv(x: str, shape: tuple[int, ...], k: int, group: int = 1) -> str:
        made = m.op("Conv", x, weights(*shape, k, k), kernel_shape=[k, k], pads=[k // 2] * 4, group=group)
        return m.q(made, 4.0, 3, 0)

    start = conv(m.q("x", 0.5, 4), (5, 3), 3)
    h = conv(conv(start, (5, 1), 3, group=5), (5, 5), 1)
    h = m.q(m.op("Add", h, start), 4.0, 3, 0)
    h = m.op("MaxPool", conv(h, (7, 5), 1), kernel_shape=[2, 2], strides=[2, 2])
    out = m.op("MatMul", m.op("Flatten", m.q(h, 4.0, 2, 0)), weights(63, 10))
    return m.save(path / "uneven.onnx", str(out), (1, *SHAPE))


def odd(unit: Unit, rng: np.random.Generator) -> dict[str, int]:
    """Lanes that pad, where the unit knows such."""
    most = [max(f[field] for f in unit.foldings()) for field in unit.fold_fields]
    for _ in range(20):
        folding = {f: int(rng.integers(1, m + 1)) for f, m in zip(unit.fold_fields, most, strict=True)}
        try:
            folded = unit.folded(**folding)
        except ValueError:
            continue
        if all(s.run for s in (*folded.inputs, *folded.outputs)):
            return folding
    return unit.folding


def padded(made: DataflowAccelerator) -> int:
    """Streams of the design that carry padding."""
    return sum(bool(s.run) for s in made.design.streams().values())


def hold(made: DataflowAccelerator, stalls: float = 0.3) -> None:
    """Python, C++ and RTL give the same codes, the RTL under stalls too; unstalled in the predicted cycles."""
    design = made.design
    streams = design.streams()
    assert all(streams[t].run == 0 for t in (*design.graph.inputs, *design.graph.outputs))
    inputs = random_inputs(design, 4)
    wanted = golden(design, inputs).outputs
    runs = [run_rtl(design, inputs, p) for p in (0.0, stalls)]
    for outputs in (run_hls(design, inputs), *(r.outputs for r in runs)):
        assert all(np.array_equal(got, want) for got, want in zip(outputs, wanted, strict=True))
    predicted = np.asarray(solve(design, frames=4).frame_done)
    assert (runs[0].frame_done - runs[0].first_take).tolist() == predicted.tolist()


@pytest.mark.further
@pytest.mark.parametrize("seed", [0, 1])
def test_a_given_folding_of_odd_lanes(seed: int, tmp_path: Path) -> None:
    path, rng = model(tmp_path), np.random.default_rng(seed)
    plain = dfc.build(path)
    units = [(n.name, n.op) for n in plain.design.nodes if isinstance(n.op, Unit) and n.op.fold_fields]
    file = tmp_path / "folding.json"
    file.write_text(json.dumps({name: odd(unit, rng) for name, unit in units}))
    made = dfc.build(path, folding=file)
    assert padded(made) >= 8
    x = frames(SHAPE)
    np.testing.assert_array_equal(made.run(x), plain.run(x))
    hold(made)
    made.save(tmp_path / "out")
    again = load(tmp_path / "out")
    np.testing.assert_array_equal(again.run(x), plain.run(x))
    assert padded(again) == padded(made)


def test_the_optimiser_takes_lanes_between_two_divisors(tmp_path: Path) -> None:
    """Five channels at 42 positions: two and three lanes lie between one and five, three and four between one and seven."""
    made = dfc.build(model(tmp_path), mode="dataflow", interval=880, board="ulx3s")  # whose lanes are no carry chains
    assert isinstance(made, DataflowAccelerator) and padded(made)
    matrices = [n.op for n in made.design.nodes if isinstance(n.op, Mvtu)]
    assert any(s.run for unit in matrices for s in (*unit.inputs, *unit.outputs))
    assert made.report["folding"]["optimal"]
    hold(made)


def test_lanes_beyond_a_unit_are_refused(tmp_path: Path) -> None:
    plain = dfc.build(model(tmp_path))
    name = next(n.name for n in plain.design.nodes if n.op.kind == "mvtu")
    with pytest.raises(CompileError, match=r"legal values: pe in 1 to 5, simd in 1 to 27"):
        read_folding({name: {"pe": 6, "simd": 2}}, plain.design.graph, {})
    with pytest.raises(CompileError, match="is not a folding"):
        read_folding({name: {"pe": 2.0}}, plain.design.graph, {})
