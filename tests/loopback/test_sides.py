"""Engines whose sides are no powers of two: exact on every kind of layer in all engines, the cycles as predicted."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.loopback.engine import run_program
from tests.loopback.cases import outputs
from tests.loopback.compiled import check_compiled
from tests.loopback.test_digits import NIBBLES
from tests.loopback.test_engines import SQUARE
from tests.loopback.test_pixels import made

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
    for name, (program, net) in made(ENGINES[engine], batch).items():
        codes = net.codes(batch)
        found, wanted = run_program(program, codes), net.graph(*outputs(net)).execute(codes)
        for t in outputs(net):
            np.testing.assert_array_equal(found[t], wanted[t], name)


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("shape", [k if k in FEW else pytest.param(k, marks=pytest.mark.further) for k in ENGINES])
def test_one_engine_runs_all(shape: str, engine: str) -> None:
    """Compiled engines give what Python gives, and the SystemVerilog takes the predicted cycles."""
    for name, (program, net) in made(ENGINES[shape], 2).items():
        codes = net.codes(2)
        check_compiled(program, codes, engine, net.graph(*outputs(net)).execute(codes), name)
