"""Engines whose sides are no powers of two: exact on every kind of layer in all engines, the cycles as predicted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfcompile.emit.engine import emit_rtl_engine
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Transfer
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.validate import ErrorCode, Fault
from dfcompile.run.loopback import build_hls_engine, build_rtl_engine, run_image, run_loopback
from tests.examples import fewer
from tests.loopback.cases import outputs
from tests.loopback.test_digits import NIBBLES, extremes
from tests.loopback.test_engines import SQUARE
from tests.loopback.test_pixels import all_compiled, all_exact, random_programs

ENGINES = {
    "24 x 24": replace(SQUARE, pe=24, simd=24, code_bits=4, weight_words=256, scale_bits=28, act_words=2048),
    "8 x 24": replace(SQUARE, simd=24, act_words=2048),
    "24 x 8": replace(SQUARE, pe=24, weight_words=256, list_words=64, act_words=2048),
    "12 x 48, nibbles": replace(NIBBLES, pe=12, simd=48, act_words=4096, weight_words=256),
    "48 x 16, nibbles, two pixels": replace(NIBBLES, pe=48, simd=16, act_words=4096, weight_words=256, pixels=2),
}
FEW = ("24 x 24", "12 x 48, nibbles")

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_exact(engine: str, batch: int) -> None:
    all_exact(ENGINES[engine], batch)


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("shape", [k if k in FEW else pytest.param(k, marks=pytest.mark.further) for k in ENGINES])
def test_one_engine_runs_all(shape: str, engine: str) -> None:
    all_compiled(ENGINES[shape], engine)


@needs_gxx
def test_rows_in_slices(tmp_path: Path) -> None:
    """Pairs of 48 lanes are 24 numbers, of which a level of adders has an odd number."""
    net, config = extremes(), replace(NIBBLES, pe=8, simd=48, act_words=4096, dsp_rows=5)
    graph, codes = net.graph(*outputs(net)), net.codes(2)
    emit_rtl_engine(config, tmp_path, "carry8")
    program = compile_program(graph, config, 2)
    run, wanted = run_loopback(program, codes, "rtl", emitted=tmp_path), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    assert run.cycles[0] == predict(program).cycles


RANDOM = {
    "bytes": EngineConfig(pe=12, simd=24, act_words=256, weight_words=64, acc_words=16, tree_levels=4, list_words=32),
    "nibbles": EngineConfig(
        pe=24, simd=48, act_words=256, weight_words=64, acc_words=16, tree_levels=4, weight_bits=4, act_bits=4, list_words=32, pixels=2
    ),
}


@needs_gxx
@pytest.mark.parametrize("engine", RANDOM)
def test_random_networks_take_the_predicted_cycles(engine: str) -> None:
    random_programs(RANDOM[engine], range(200, 200 + fewer(12)))


@needs_gxx
@pytest.mark.parametrize(("kind", "change", "code"), [(Compute, {"lane": 12}, "RESULT"), (Transfer, {"words": 1}, "TRANSFER")])
def test_engines_refuse(kind: type[Compute | Transfer], change: dict[str, int], code: str) -> None:
    """Lanes that are no multiple of 8 of 24, and a block that is not as many bus words as its words are, three each."""
    net = extremes()
    program = compile_program(net.graph(*outputs(net)), ENGINES["8 x 24"])
    steps = list(program.steps)
    i = next(i for i, s in enumerate(steps) if isinstance(s.descriptor, kind))
    steps[i] = replace(steps[i], descriptor=replace(steps[i].descriptor, **change))
    corrupt = replace(program, steps=tuple(steps))
    with pytest.raises(Fault, match=code):
        run_program(corrupt, net.codes(1))
    for engine in ("hls", "rtl"):
        tool = build_rtl_engine(corrupt.config) if engine == "rtl" else build_hls_engine(corrupt.config)
        _, numbers = run_image(tool, corrupt, corrupt.image(), ["20", "0", "1", "400000"] if engine == "rtl" else [])
        assert ErrorCode(numbers[-2]).name == code, engine
