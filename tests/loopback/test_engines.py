"""One engine build, many programs: HLS C++ and Verilator equal to the Python engine, cycles equal to the replay, faults end the run."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.backend.run_loopback import build_hls_engine, build_rtl_engine, run_image, run_loopback
from dfcompile.ir.graph import Graph
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.validate import ErrorCode
from tests.loopback.cases import CASES, outputs
from tests.loopback.resnet import resnet
from tests.loopback.test_program import corrupted

SQUARE = EngineConfig(pe=8, simd=8, act_words=1024, weight_words=128, acc_words=64)
CORRUPT = {
    "LOOP": {"kernel_h": 0}, "TREE": {"levels": 15}, "WEIGHT": {"reset": 3}, "RESULT": {"op": 3}, "ACT_RANGE": {"dst": 5000},
    "OPCODE": {"opcode": 9},
}  # fmt: skip

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def programs() -> dict[str, tuple[Program, Graph, dict[str, np.ndarray]]]:
    """Four cases and a reduced residual network, all for one engine."""
    found = {}
    for name, make in CASES.items():
        net = make()
        graph = net.graph(*outputs(net))
        found[name] = (compile_program(graph, SQUARE, 2), graph, net.codes(2))
    graph = resnet((1, 1), True, size=24, base=8, classes=10)
    codes = {"x": np.random.default_rng(1).integers(0, 256, (1, 24, 24, 3))}
    found["resnet"] = (compile_program(graph, SQUARE), graph, codes)
    return found


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_one_engine_runs_all(engine: str) -> None:
    for name, (program, graph, codes) in programs().items():
        run = run_loopback(program, codes, engine)
        wanted = run_program(program, codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t], name)
        if engine == "rtl":
            assert abs(run.cycles[0] - predict(program).cycles) <= 0.02 * run.cycles[0], name


@needs_gxx
@pytest.mark.parametrize(("latency", "stalls"), [(1, 0.0), (100, 0.0), (20, 0.4)])
def test_memory_of_any_latency(latency: int, stalls: float) -> None:
    for name, (program, graph, codes) in programs().items():
        run = run_loopback(program, codes, "rtl", latency, stalls, seed=3)
        wanted = graph.execute(codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t], name)
        if not stalls:
            assert abs(run.cycles[0] - predict(program, latency).cycles) <= 0.02 * run.cycles[0], name


@needs_gxx
@pytest.mark.parametrize("code", CORRUPT)
def test_corrupt_program_ends_with_an_error(code: str) -> None:
    program = corrupted(CORRUPT[code])
    for engine in ("hls", "rtl"):
        tool = build_rtl_engine(SQUARE) if engine == "rtl" else build_hls_engine(SQUARE)
        more = ["20", "0", "1", "400000"] if engine == "rtl" else []
        _, numbers = run_image(tool, program, program.image(), more)
        assert ErrorCode(numbers[-2]).name == code, engine


@needs_gxx
@pytest.mark.parametrize("code", ["LENGTH", "TIMEOUT", "BUS"])
def test_broken_program_ends_with_an_error(code: str) -> None:
    """Without FINISH; with a wait that nothing signals; outside the memory."""
    net = CASES["pools"]()
    program = compile_program(net.graph(*outputs(net)), SQUARE)
    if code == "LENGTH":
        program = replace(program, steps=program.steps[:-1])
    image = program.image()
    if code == "BUS":
        image = image[: program.program_address + len(program.code) // 2 // 8 * 8]
    elif code == "TIMEOUT":
        image[program.program_address] |= 1 << 5  # the first load waits for the array
    _, numbers = run_image(build_rtl_engine(SQUARE), program, image, ["20", "0", "1", "400000"])
    assert ErrorCode(numbers[1]).name == code
