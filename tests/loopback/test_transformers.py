"""Attention, norms and recurrent cells of the second corpus on one engine: exact in Python, HLS C++ and RTL, cycles as predicted."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from dfcompile.front import Job, repeated
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.options import Options
from dfcompile.run.loopback import run_loopback
from dfcompile.streamline.pipeline import Streamlined
from tests.shared import MODELS2, needs_models2

ENGINE = EngineConfig(pe=16, simd=16, act_words=8192, weight_words=512, acc_words=512, acc_bits=64, scale_bits=48, root_bits=96)
NARROW = replace(ENGINE, pe=8, simd=8, acc_words=256)
SMALL = ("n_layernorm", "n_rmsnorm", "n_groupnorm", "m_mixer", "o_elman_unrolled")
LARGE = (
    "n_instancenorm", "n_layernorm_decomp_qcdq", "n_softmax", "m_attn1", "m_attn1_qcdq", "m_attn_causal_inf", "m_mha_ln_gelu",
    "m_mha_ln_gelu_qcdq_dyn", "m_mha_relu_noln", "m_vit_mean", "m_vit_mean_dyn", "o_elman_unrolled_qcdq", "o_gru_unrolled",
    "o_lstm_brevitas", "o_lstm_unrolled", "o_lstm_unrolled_dyn", "o_scan_elman",
)  # fmt: skip
NAMES = (*SMALL, *(pytest.param(n, marks=pytest.mark.full) for n in LARGE))


@lru_cache(maxsize=1)
def streamlined(name: str) -> Streamlined:
    path = MODELS2 / f"{name}.onnx"
    return repeated(Job(path, Options()), path).streamlined


def samples(name: str, integer: Streamlined, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(codes, exact outputs) of the first samples of a model with one input and one output."""
    data = np.load(MODELS2 / f"{name}.npz")
    ((port, shape),) = integer.host.input_shapes.items()
    return dict(integer.host.encode({port: data["inputs"][:count].reshape(-1, *shape)})), data["outputs_f64"][:count]


@needs_models2
@pytest.mark.parametrize("name", NAMES)
def test_python_engine(name: str) -> None:
    integer = streamlined(name)
    codes, exact = samples(name, integer, 3)
    found = run_program(compile_program(integer.graph, ENGINE, 2), codes)
    wanted = integer.graph.execute(codes)
    for t in integer.graph.outputs:
        np.testing.assert_array_equal(found[t], wanted[t])
    (real,) = integer.host.decode(found).values()
    np.testing.assert_allclose(real.reshape(exact.shape), exact, rtol=1e-12, atol=1e-12 * np.abs(exact).max())


@needs_models2
@pytest.mark.full
@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("name", ("n_layernorm", "n_groupnorm", "m_mixer", "m_attn1", "m_mha_ln_gelu"))
def test_hls_and_rtl(name: str, engine: str) -> None:
    integer = streamlined(name)
    codes, _ = samples(name, integer, 1)
    program, wanted = compile_program(integer.graph, NARROW), integer.graph.execute(codes)
    run = run_loopback(program, codes, engine)
    for t in integer.graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    if engine == "rtl":
        assert run.cycles == (predict(program).cycles,)
