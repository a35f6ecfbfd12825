"""States that go on from run to run of a program: frames are parts of one long sequence, whose loop over time is the oracle."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.emit.loopback import emit_loopback_driver
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Node
from dfcompile.ir.intop import IntDelay
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.engine import Engine, run_program
from dfcompile.loopback.lower import lower
from dfcompile.loopback.predict import predict
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import compile_model, fit
from dfcompile.run.loopback import run_loopback
from tests.backend.test_c_loopback import Library
from tests.backend.test_driver import load
from tests.backend.test_loopback_driver import Registers
from tests.examples import examples
from tests.loopback.cases import Net
from tests.loopback.random_loop import random_loop
from tests.loopback.test_program import SHAPES
from tests.loopback.test_states import NETWORKS, ROOMY, built, closed, delays
from tests.recurrent import Network
from tests.streamline.test_streaming import ONE_STEP, check_outputs, long_sequence

KEPT = {**NETWORKS, "a step a frame": ONE_STEP}
SMALL = {"pe": 8, "simd": 8, "act_words": 512, "weight_words": 256, "acc_words": 64, "tree_levels": 6, "repeat_bits": 4}


@pytest.mark.parametrize("name", KEPT)
def test_frames_are_parts_of_one_sequence(name: str, tmp_path: Path) -> None:
    """Of one frame and of several; each call begins with the first states."""
    network = KEPT[name]
    made = built(network, tmp_path, streaming=True)
    states = network.layers * (2 if network.cell == "lstm" else 1)
    assert made.graph.streaming and delays(made.graph) == states and len(lower(made.graph, made.config).kept) == states
    for frames in (1, 5, 12):
        x = network.inputs(frames)
        check_outputs(network, made.run(x), long_sequence(network, x))


@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("name", ["elman", pytest.param("gru", marks=pytest.mark.further), pytest.param("lstm", marks=pytest.mark.further)])
def test_hardware_goes_on_in_the_predicted_cycles(name: str, engine: str, tmp_path: Path) -> None:
    graph = closed(NETWORKS[name], tmp_path, streaming=True)
    codes = {t: np.random.default_rng(0).integers(-32, 32, (4, *graph.tensors[t].shape)) for t in graph.inputs}
    program, wanted = compile_program(graph, ROOMY), graph.execute(codes)
    assert program.repeats and program.states
    for latency, stalls in ((20, 0.0), (1, 0.0), (20, 0.3)) if engine == "rtl" else ((20, 0.0),):
        found = run_loopback(program, codes, engine, latency, stalls)
        for t in graph.outputs:
            np.testing.assert_array_equal(found.outputs[t], wanted[t])
        assert engine == "hls" or stalls or found.cycles == (predict(program, latency).cycles,) * 4


def test_random_loops_go_on() -> None:
    """Against the graph, which is executed step by step; also states of no loop, and codes of several digits."""

    @examples(40)
    @given(st.integers(0, 10**9), st.sampled_from(["square", "deep"]), st.sampled_from([8, 4]))
    def check(seed: int, shape: str, digit: int) -> None:
        net, graph = random_loop(seed, keep=True)
        codes = {"x": net.codes(4)["x"]}
        config = replace(SHAPES[shape], act_words=4096, repeat_bits=seed % 5, act_bits=digit, acc_bits=64, root_bits=0, pe=16, simd=16)
        wanted, found = graph.execute(codes), run_program(compile_program(graph, config), codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(found[t], wanted[t])

    check()


@pytest.mark.parametrize("words", [128, 512])
def test_a_state_of_no_loop_stays_on_chip(words: int) -> None:
    """Where there is no room for its row, nothing of it can be outside."""
    net = Net(1, x=((1, 12, 5), -20, 90), s=((1, 12, 72), 0, 7))
    end = net.steps(net.conv("x", 72), 3)
    out = net.steps(net.conv("s", 4), 5)
    graph = net.graph(out).replace(nodes=(Node("delay", IntDelay(3, True), (end,), ("s",)), *net.nodes), inputs=("x",))
    config, codes = replace(SHAPES["square"], act_words=words), {"x": net.codes(5)["x"]}
    if words == 128:
        with pytest.raises(CompileError, match="does not fit into the activation memory"):
            compile_program(graph, config)
        return
    np.testing.assert_array_equal(run_program(compile_program(graph, config), codes)[out], graph.execute(codes)[out])


def frames_in_parts(network: Network, run: Callable[[Any], Any], reset: Callable[[], object]) -> None:
    """Two calls are one sequence; behind a reset another one begins."""
    x = network.inputs(9)
    first, second = long_sequence(network, x[:6]), long_sequence(network, x[6:])

    def part(wanted: dict[str, Any], begin: int, end: int) -> dict[str, Any]:
        return {k: v[begin:end] for k, v in wanted.items()}

    check_outputs(network, run(x[:4]), part(first, 0, 4))
    check_outputs(network, run(x[4:6]), part(first, 4, 6))
    reset()
    check_outputs(network, run(x[6:7]), part(second, 0, 1))
    check_outputs(network, run(x[7:]), part(second, 1, 3))
    reset()
    reset()
    check_outputs(network, run(x[:4]), part(first, 0, 4))


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, LoopbackAccelerator, Path]:
    network, folder = NETWORKS["elman that begins elsewhere"], tmp_path_factory.mktemp("kept")
    made = built(network, folder, streaming=True, folding={"engine": SMALL})
    emit_loopback_driver(made.program, made.host, made.codes, made.name, folder)
    return network, made, folder


@pytest.mark.parametrize("base", [0, 5 * 4096])
def test_the_driver_goes_on_until_it_is_reset(base: int, driven: tuple[Network, LoopbackAccelerator, Path]) -> None:
    network, made, folder = driven
    driver = load(folder).Driver()
    with pytest.raises(RuntimeError, match="no engine"):
        driver.reset()
    memory = np.zeros(len(driver.image), np.uint8)
    driver.attach(Registers(made.config, memory, base), memory, base)
    frames_in_parts(network, driver.run, driver.reset)
    driver.attach(Registers(made.config, memory, base), memory, base)
    x = network.inputs(2)
    check_outputs(network, driver.run(x), long_sequence(network, x))


def test_the_driver_in_c(driven: tuple[Network, LoopbackAccelerator, Path]) -> None:
    network, made, folder = driven
    library, base = Library(folder, load(folder).Driver()), 3 * 4096
    memory = np.zeros(len(library.driver.image), np.uint8)
    engine = library.engine(Registers(made.config, memory, base), memory, base)
    assert library.c.dfc_engine_open(ctypes.byref(engine)) == 0

    def run(x: Any) -> Any:
        error, results = library.run(engine, library.driver.encode(x))
        assert error == 0
        return library.driver.decode([np.asarray(r, np.int64) for r in results])

    frames_in_parts(network, run, lambda: library.c.dfc_engine_reset(ctypes.byref(engine)))


def test_without_states_there_is_nothing_to_reset(tmp_path: Path) -> None:
    made = built(NETWORKS["elman"], tmp_path)
    emit_loopback_driver(made.program, made.host, made.codes, made.name, tmp_path)
    driver = load(tmp_path).Driver()
    assert json.loads((tmp_path / "driver.json").read_text())["states"] is None and not made.program.states
    with pytest.raises(RuntimeError, match="without --streaming"):
        driver.reset()


def test_a_saved_build_keeps_its_states(tmp_path: Path) -> None:
    """Its simulation has what the memory holds after a second run; its verification finds no difference over frames in order."""
    network = NETWORKS["elman"]
    built(network, tmp_path, streaming=True, folding={"engine": SMALL}).save(tmp_path / "out")
    made = dfc.load(tmp_path / "out")
    x = network.inputs(5)
    check_outputs(network, made.run(x), long_sequence(network, x))
    memory, sim = np.fromfile(tmp_path / "out" / "sim" / "expected.bin", np.uint8), tmp_path / "out" / "sim"
    assert isinstance(made, LoopbackAccelerator)
    Engine(made.config, memory).run(made.program.program_address, len(made.program.code))
    assert memory.tobytes() == (sim / "again.bin").read_bytes() != (sim / "expected.bin").read_bytes()
    assert "states between runs" in (tmp_path / "out" / "report.html").read_text()
    found = made.verify(["rtl"], frames=3)["engines"]["rtl"]
    assert found["pass"] and found["interval_cycles"] == made.report["timing"]["interval_cycles"]


def test_frames_of_a_run_cannot_go_on(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as e:
        built(NETWORKS["elman"], tmp_path, streaming=True, folding={"engine": SMALL | {"batch": 2}})
    (problem,) = e.value.problems
    assert problem.code == "not-streaming" and "2 frames of a run go through each layer together" in problem.why
    assert problem.help == "leave out batch"


def test_a_saved_batch_is_refused(tmp_path: Path) -> None:
    from dfcompile.mode.loopback import from_parts

    made = built(NETWORKS["elman"], tmp_path, streaming=True)
    parts = {"config": vars(made.config), "graph": made.graph, "host": made.host, "batch": 2}
    with pytest.raises(ValueError, match="frames of one run cannot go on"):
        from_parts(parts, {})


def test_rows_that_do_not_fit_are_not_repeated(tmp_path: Path) -> None:
    """Steps that are layers of their own would begin with constants."""
    network = Network("elman", 3, 5, 40, outputs=("h",))
    with pytest.raises(CompileError) as e:
        built(network, tmp_path, streaming=True, folding={"engine": SMALL | {"act_words": 64}})
    assert [p.code for p in e.value.problems] == ["does-not-fit"]


def test_both_modes_are_compared(tmp_path: Path) -> None:
    """As without states; where dataflow does not fit at the asked rate the engine is taken, and its frames go on."""
    network = Network("elman", 3, 4, 5, outputs=("h",))
    onnx.save(network.proto(), tmp_path / "net.onnx")
    made = compile_model(tmp_path / "net.onnx", Options(board="pynq-z2", streaming=True))
    assert made.mode == "dataflow" and made.report["mode_choice"]["loopback"]["runs"] and made.graph.streaming
    engine = compile_model(tmp_path / "net.onnx", Options(board="pynq-z2", streaming=True, mode="loopback"))
    assert 0 < made.report["mode_choice"]["loopback"]["fps"] <= engine.report["timing"]["fps"], "one engine was looked at, and not eight"


def test_an_engine_where_units_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfcompile import pipeline
    from dfcompile.errors import Problem
    from dfcompile.front import IMPORT, Job

    def full(*_: Any) -> Any:
        raise CompileError(Problem("does-not-fit", "the design does not fit", why="it is too large"))

    monkeypatch.setattr(pipeline, "_optimum", full)
    network = Network("elman", 3, 4, 5, outputs=("ys",))
    onnx.save(network.proto(), tmp_path / "net.onnx")
    options = Options(board="pynq-z2", streaming=True)
    made = compile_model(tmp_path / "net.onnx", options)
    assert isinstance(made, LoopbackAccelerator) and made.graph.streaming
    x = network.inputs(3)
    check_outputs(network, made.run(x), long_sequence(network, x))
    job = Job(tmp_path / "net.onnx", options)
    fit(job, IMPORT(job, job.path))
