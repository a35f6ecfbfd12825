"""Every model of the corpus on one engine, one of them with wider sums: exact in Python, HLS C++ and RTL, cycles as predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.front import Job, repeated
from dfcompile.ir.graph import Graph
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.search.sweep import widths
from dfcompile.options import Options
from dfcompile.run.loopback import run_loopback
from dfcompile.streamline.pipeline import Streamlined
from tests.shared import MODELS, needs_models
from tests.test_corpus import MODELS_BY_NAME, SIMULATED, declared

ENGINE = EngineConfig(pe=16, simd=16, act_words=4096, weight_words=512, acc_words=512, scale_bits=32)


def engine_for(graph: Graph) -> EngineConfig:
    """The same for all but the widest sums."""
    return replace(ENGINE, acc_bits=widths([graph])["acc_bits"])


def streamlined(model: dict[str, Any]) -> Streamlined:
    """The integer graph of a model."""
    for given in (None, declared(model)):
        path = MODELS / model["file"]
        try:
            return repeated(Job(path, Options.of(input_type=given)), path).streamlined
        except CompileError as e:
            assert given is None and {p.code for p in e.problems} == {"no-input-type"}, str(e)
    raise AssertionError("the declared input type was refused")


def codes_of(model: dict[str, Any], integer: Streamlined, count: int) -> dict[str, np.ndarray]:
    stored = np.load(MODELS / f"{model['name']}.npz")["inputs"][:count]
    shape = next(iter(integer.host.input_shapes.values()))
    return dict(integer.host.encode({next(iter(integer.host.input_shapes)): stored.reshape(-1, *shape)}))


@needs_models
@MODELS_BY_NAME
def test_python_engine(model: dict[str, Any]) -> None:
    integer = streamlined(model)
    engine = engine_for(integer.graph)
    assert engine.acc_bits == (64 if model["name"] == "c_dwsep_actpc" else 32)
    codes = codes_of(model, integer, 3)
    wanted, found = integer.graph.execute(codes), run_program(compile_program(integer.graph, engine, 2), codes)
    for t in integer.graph.outputs:
        np.testing.assert_array_equal(found[t], wanted[t])


@needs_models
@pytest.mark.slow
@SIMULATED
def test_hls_and_rtl(model: dict[str, Any]) -> None:
    integer = streamlined(model)
    codes = codes_of(model, integer, 1)
    program = compile_program(integer.graph, engine_for(integer.graph))
    wanted = integer.graph.execute(codes)
    for engine in ("hls", "rtl"):
        run = run_loopback(program, codes, engine)
        for t in integer.graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t], engine)
    assert abs(run.cycles[0] - predict(program).cycles) <= 0.02 * run.cycles[0]
