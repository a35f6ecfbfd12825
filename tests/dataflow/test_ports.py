"""Ports of the accelerator: frames that a layer reads as vectors come several pixels a beat, and no port is wider than it may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError, SettingError
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.options import Options
from tests.dataflow.test_uneven_folds import hold
from tests.examples import some
from tests.test_traps import Model, exact, frames

SHAPE = (3, 4, 5)  # 60 elements


def dense(gain: Any = 0.25) -> tuple[Model, str]:
    """Two quantizers, the first with a scale for each channel where wanted, a sum of both, and a dense layer of 6 outputs."""
    m, rng = Model(), np.random.default_rng(11)
    first = m.q("x", gain, 4)
    second = m.q(m.op("Relu", first), 0.5, 3, 0)
    both = m.q(m.op("Add", first, second), 0.5, 4)
    return m, str(m.op("MatMul", m.op("Flatten", both), m.w(rng.integers(-3, 4, (60, 6)).astype(float))))


def saved(tmp_path: Path, gain: Any = 0.25) -> Path:
    m, out = dense(gain)
    return m.save(tmp_path / "dense.onnx", out, (1, *SHAPE))


def per_channel() -> np.ndarray:
    return np.array([0.25, 0.5, 1.0]).reshape(1, 3, 1, 1)


def dataflow(path: Path, **options: Any) -> DataflowAccelerator:
    made = dfc.build(path, mode="dataflow", **options)
    assert isinstance(made, DataflowAccelerator)
    return made


def widths(design: Design) -> dict[str, int]:
    streams = design.streams()
    return {t: streams[t].width for t in (*design.graph.inputs, *design.graph.outputs)}


@pytest.mark.parametrize("gain", [pytest.param(0.25, marks=pytest.mark.further), per_channel()], ids=["one scale", "a scale a channel"])
@pytest.mark.parametrize("interval", some([2, 5, 12, 60], always=[5]))
def test_frames_faster_than_a_pixel_a_cycle(gain: Any, interval: int, tmp_path: Path) -> None:
    """20 pixels in 2, 5 and 12 cycles: exact, at the interval, C++ and RTL as predicted."""
    m, out = dense(gain)
    exact(tmp_path, m, out, SHAPE, mode="dataflow", interval=interval, input_type="int8:1/8")
    made = dataflow(saved(tmp_path, gain), interval=interval, input_type="int8:1/8")
    assert made.timing.interval_cycles <= interval
    hold(made)


@pytest.mark.parametrize("bits", [4, 20, 64])
def test_no_port_is_wider_than_asked(bits: int, tmp_path: Path) -> None:
    wide = dataflow(saved(tmp_path), interval=60)
    made = dataflow(saved(tmp_path), interval=60, max_port_bits=bits)
    least = {t: dtype.bits for t, (_, dtype) in made.codes.items()}
    assert all(w <= max(bits, least[t]) for t, w in widths(made.design).items())
    assert made.timing.interval_cycles <= 60
    x = frames(SHAPE)
    assert np.array_equal(made.run(x), wide.run(x))


def test_a_port_is_no_wider_than_asked_where_its_reader_is(tmp_path: Path) -> None:
    """Lanes of the user's, more than pass at once: a converter stands between them and the port."""
    made = dataflow(saved(tmp_path), folding={"steps_reshape_0": {"pe": 12}, "conv_matmul_0": {"pe": 6, "simd": 12}}, max_port_bits=20)
    assert widths(made.design)[made.graph.inputs[0]] == 20 < made.design.unit("steps_reshape_0").inputs[0].width


def test_a_narrow_port_is_held_in_rtl(tmp_path: Path) -> None:
    made = dataflow(saved(tmp_path), interval=15, max_port_bits=16)
    assert max(widths(made.design).values()) <= 16
    assert widths(made.design)[made.graph.inputs[0]] == 16, "of 60 codes of 4 bits in 15 cycles"
    hold(made)


def test_an_interval_that_a_port_cannot_pass_is_refused(tmp_path: Path) -> None:
    """60 codes of 4 bits over 16 bits take 15 beats; no interval is raised in silence, with a folding of the user's neither."""
    with pytest.raises(CompileError) as e:
        dataflow(saved(tmp_path), interval=14, max_port_bits=16)
    (problem,) = e.value.problems
    assert problem.code == "interval-too-short"
    assert "15 beats" in (problem.why or "")
    assert "15 cycles" in (problem.help or "")


def test_a_board_finds_its_fastest_behind_the_port(tmp_path: Path) -> None:
    free = dataflow(saved(tmp_path), board="pynq-z2")
    made = dataflow(saved(tmp_path), board="pynq-z2", max_port_bits=16)
    assert free.timing.interval_cycles < made.timing.interval_cycles == 15
    assert made.report["folding"]["optimal"]
    assert made.report["folding"]["bound"] == 15


def test_an_output_port_bounds_the_interval_too(tmp_path: Path) -> None:
    """Two inputs become 40 codes of 4 bits: ten beats of 16 bits."""
    m, rng = Model(), np.random.default_rng(3)
    out = m.q(m.op("MatMul", m.q("x", 0.25, 2), m.w(rng.integers(-3, 4, (2, 40)).astype(float))), 0.5, 4)
    path = m.save(tmp_path / "outputs.onnx", out, (1, 2))
    with pytest.raises(CompileError, match="cannot pass a frame in 9 cycles") as e:
        dataflow(path, interval=9, max_port_bits=16)
    (problem,) = e.value.problems
    made = dataflow(path, board="pynq-z2", max_port_bits=16)
    assert made.timing.interval_cycles == 10
    assert problem.where == f"tensor {made.graph.outputs[0].partition('>')[0]}"
    hold(made)


def test_a_dma_takes_a_thousand_bits(tmp_path: Path) -> None:
    """AMD's DMA moves 1,024 bits at once: a design that reads 2,304 is fed in three beats, and its interval says so."""
    m, rng = Model(), np.random.default_rng(2)
    out = m.op("MatMul", m.q("x", 0.25, 8), m.w(rng.integers(-1, 2, (288, 2)).astype(float), bits=2))
    path = m.save(tmp_path / "wide.onnx", out, (1, 288))
    made = dataflow(path, board="zcu102", interval=3)
    assert widths(made.design)[made.graph.inputs[0]] == 96 * 8
    assert made.timing.interval_cycles == 3
    assert Options(board="zcu102", max_port_bits=4096).port_bits == 1024
    assert Options(board="zcu102", max_port_bits=64).port_bits == 64
    assert Options(board="ulx3s").port_bits == 0


def test_a_loopback_engine_has_buses_within_it(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for board in (None, "kv260"):
        made = dfc.build(path, mode="loopback", board=board, max_port_bits=32)
        assert made.report["engine"]["bus_bits"] == 32
    wide = tmp_path / "wide.json"
    wide.write_text(json.dumps({"engine": {"bus_bits": 64}}))
    for options, code in (({"max_port_bits": 16}, "bad-option"), ({"max_port_bits": 32, "folding": wide}, "bad-folding")):
        with pytest.raises(CompileError) as e:
            dfc.build(path, mode="loopback", **options)
        assert e.value.problems[0].code == code


@pytest.mark.parametrize("value", [0, -4, 1.5, True, 10**7])
def test_wrong_widths_are_refused(value: Any) -> None:
    with pytest.raises(SettingError, match="max_port_bits"):
        Options(max_port_bits=value)
