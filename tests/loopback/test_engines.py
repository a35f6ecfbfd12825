"""One engine build, many programs: HLS C++ and Verilator equal to the Python engine, cycles equal to the replay, faults end the run."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfcompile.ir.graph import Graph
from dfcompile.loopback import group
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Unit, layout
from dfcompile.loopback.engine import Engine, run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.validate import ErrorCode, Fault
from dfcompile.run.loopback import BRIEF_CYCLES, build_hls_engine, build_rtl_engine, run_image, run_loopback
from tests.loopback.cases import CASES, outputs, sixteen_bits, very_wide, wide_stored
from tests.loopback.compiled import check_compiled
from tests.loopback.resnet import resnet
from tests.loopback.test_program import REFUSED, UNREADABLE, corrupted, miscoded

SQUARE = EngineConfig(pe=8, simd=8, act_words=1024, weight_words=128, acc_words=64, scale_bits=28, root_bits=66, list_words=64, code_bits=4)

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def programs() -> dict[str, tuple[Program, Graph, dict[str, np.ndarray]]]:
    """Every case and a reduced residual network, all for one engine."""
    found = {}
    for name, make in CASES.items():
        net = make()
        graph = net.graph(*outputs(net))
        found[name] = (compile_program(graph, SQUARE, 2), graph, net.codes(2))
    graph = resnet((1, 1), True, size=24, base=8, classes=10)
    codes = {"x": np.random.default_rng(1).integers(0, 256, (1, 24, 24, 3))}
    found["resnet"] = (compile_program(graph, SQUARE), graph, codes)
    return found


@pytest.fixture(autouse=True)
def for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of programs run on one engine, some until nothing has moved for long."""
    for engine in BRIEF_CYCLES:
        monkeypatch.setitem(BRIEF_CYCLES, engine, 0)


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_one_engine_runs_all(engine: str) -> None:
    for name, (program, _, codes) in programs().items():
        check_compiled(program, codes, engine, run_program(program, codes), name)


@needs_gxx
@pytest.mark.further
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_sums_of_64_bits(engine: str) -> None:
    """Codes of 16 bits from sums of 34, by multipliers of over 32 bits; weights of five bytes."""
    config = replace(SQUARE, acc_bits=64, scale_bits=48, tree_levels=5)
    for net, layers in ((sixteen_bits(), 3), (very_wide(), 2), (wide_stored(), 5)):
        graph, codes = net.graph(*outputs(net)), net.codes(2)
        program = compile_program(graph, config)
        assert len(program.layers) == layers
        run, wanted = run_loopback(program, codes, engine), graph.execute(codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t])
        if engine == "rtl":
            assert set(run.cycles) == {predict(program).cycles}


@needs_gxx
@pytest.mark.parametrize(("latency", "stalls"), [(1, 0.0), (100, 0.0), (20, 0.4)])
def test_memory_of_any_latency(latency: int, stalls: float) -> None:
    for name, (program, graph, codes) in programs().items():
        run = run_loopback(program, codes, "rtl", latency, stalls, seed=3)
        wanted = graph.execute(codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t], name)
        if not stalls:
            assert run.cycles[0] == predict(program, latency).cycles, name


@needs_gxx
@pytest.mark.parametrize(("change", "code"), [*REFUSED, ({"opcode": 9}, "OPCODE")])
def test_corrupt_program_ends_with_an_error(change: dict[str, int], code: str) -> None:
    program = corrupted(change)
    for engine in ("hls", "rtl"):
        tool = build_rtl_engine(SQUARE) if engine == "rtl" else build_hls_engine(SQUARE)
        more = ["20", "0", "1", "400000"] if engine == "rtl" else []
        _, numbers = run_image(tool, program, program.image(), more)
        assert ErrorCode(numbers[-2]).name == code, engine


@needs_gxx
@pytest.mark.parametrize("change", UNREADABLE)
def test_levels_that_are_none_end_with_an_error(change: dict[str, int]) -> None:
    program = miscoded(change)
    for engine in ("hls", "rtl"):
        tool = build_rtl_engine(SQUARE) if engine == "rtl" else build_hls_engine(SQUARE)
        more = ["20", "0", "1", "400000"] if engine == "rtl" else []
        _, numbers = run_image(tool, program, program.image(), more)
        assert ErrorCode(numbers[-2]).name == "TRANSFER", engine


FUZZED = """op reset scale scale_shift lookup levels bank twice passes shift_1 shift_2 shift_3 acc_load pad pad_1 pad_2 pad_3
    start_1 start_2 x_tap"""
ELSEWHERE = {"bank", "passes", "reset"}
"""Fields that make a tile read what its tokens do not cover: words that a load may be writing at that time."""


@needs_gxx
@pytest.mark.parametrize("case", ["positions", "products", "tables", "wide", "requantized"])
def test_random_programs_end_alike(case: str) -> None:
    """Random fields of a random tile: the same error from every engine, and in memory what its reads define is what Python leaves."""
    rng = np.random.default_rng(len(case))
    net = CASES[case]()
    program = compile_program(net.graph(*outputs(net)), SQUARE)
    sizes = {name: size for name, _, size in layout(Compute)}
    for _ in range(25):
        steps = list(program.steps)
        i = rng.choice([i for i, s in enumerate(steps) if isinstance(s.descriptor, Compute)])
        chosen = rng.choice(FUZZED.split(), rng.integers(1, 4), replace=False)
        changes = {name: int(rng.integers(0, 1 << sizes[name])) for name in chosen}
        steps[i] = replace(steps[i], descriptor=replace(steps[i].descriptor, **changes))
        broken = replace(program, steps=tuple(steps))
        image = broken.image(net.codes(1))
        after, (error, _) = run_image(build_hls_engine(SQUARE), broken, image, [])
        _, numbers = run_image(build_rtl_engine(SQUARE), broken, image, ["20", "0", "1", "400000"])
        assert numbers[1] == error, changes
        try:
            Engine(SQUARE, image).run(broken.program_address, len(broken.code))
        except Fault as e:
            assert e.code == error, changes
        else:
            assert error == ErrorCode.NONE, changes
            if not ELSEWHERE & set(changes):
                np.testing.assert_array_equal(after, image, str(changes))


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
    if code != "BUS":  # a pointer has no bus errors
        _, (error, _) = run_image(build_hls_engine(SQUARE), program, image, [])
        assert ErrorCode(error).name == code


@needs_gxx
def test_hls_loads_computes_and_stores_at_once(tmp_path: Path) -> None:
    """The core takes far fewer steps than its descriptors one after another, no fewer than the longest queue, and about the predicted."""
    program = compile_program(resnet((1, 1), True, size=40, base=16, classes=10), SQUARE)
    program.image({"x": np.zeros((1, 40, 40, 3))}).tofile(tmp_path / "image.bin")
    place = [str(program.program_address), str(len(program.code))]
    command = [build_hls_engine(SQUARE), tmp_path / "image.bin", tmp_path / "after.bin", *place]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = int(done.stderr.split()[0])
    work = dict.fromkeys(Unit, 0)
    for s in program.steps:
        work[s.unit] += group.cycles(s.descriptor, SQUARE) if isinstance(s.descriptor, Compute) else s.descriptor.beats
    assert min(work.values()) > 0
    assert max(work.values()) < steps < 0.8 * sum(work.values())
    cycles = predict(program, latency=0).cycles  # of the SystemVerilog, which settles sooner
    assert cycles <= steps < 1.1 * cycles
