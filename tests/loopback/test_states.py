"""Loops over time on the engine: layers take turns, states stay in memory; exact, in the cycles that are predicted, or repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.errors import CompileError
from dfcompile.front import IMPORT, INTEGER, Job
from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.intop import IntConv, IntDelay, IntPad, Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Opcode, Transfer, changed, pack, unpack, unpack_all
from dfcompile.loopback.engine import Engine, run_program
from dfcompile.loopback.lower import lower
from dfcompile.loopback.predict import predict
from dfcompile.loopback.repeat import unfolded
from dfcompile.loopback.validate import ErrorCode, Fault
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import compile_model
from dfcompile.run.loopback import build_hls_engine, build_rtl_engine, run_image, run_loopback
from tests.examples import examples
from tests.loopback.cases import Net
from tests.loopback.random_loop import random_loop
from tests.loopback.test_program import SHAPES
from tests.recurrent import Network

NETWORKS = {
    "elman": Network("elman", 3, 5, 6),
    "elman that begins elsewhere": Network("elman", 2, 4, 5, first=0.25, outputs=("ys",)),
    "gru": Network("gru", 3, 4, 9),
    "lstm": Network("lstm", 3, 4, 7, outputs=("h",)),
    "wide": Network("elman", 20, 40, 4),
    "two layers": Network("elman", 3, 4, 5, layers=2),
}
ROOMY = EngineConfig(pe=8, simd=8, act_words=4096, weight_words=1024, acc_words=64, tree_levels=6, tree_banks=4, repeat_bits=4)


def built(network: Network, folder: Path, **options: Any) -> LoopbackAccelerator:
    onnx.save(network.proto(), folder / "net.onnx")
    made = compile_model(folder / "net.onnx", Options(mode="loopback", **options))
    assert isinstance(made, LoopbackAccelerator)
    return made


def delays(graph: Graph) -> int:
    return sum(isinstance(n.op, IntDelay) for n in graph.nodes)


def closed(network: Network, folder: Path, **options: Any) -> Graph:
    onnx.save(network.proto(), folder / "net.onnx")
    return (IMPORT >> INTEGER)(Job(folder / "net.onnx", Options(**options)), folder / "net.onnx").closed


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_exact(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    made = built(network, tmp_path)
    assert delays(made.graph) == network.layers * (2 if network.cell == "lstm" else 1)
    loops = lower(made.graph, made.config).loops
    assert [x.count for x in loops] == [network.steps] * network.layers
    x = network.inputs(5)
    found, wanted = made.run(x), network.reference(x)
    found = found if isinstance(found, dict) else {network.outputs[0]: found}
    for name, y in found.items():
        np.testing.assert_array_equal(y, wanted[name])


def test_saved_builds_are_loaded(tmp_path: Path) -> None:
    """Their graphs have delays, and loops that these close."""
    network = NETWORKS["gru"]
    built(network, tmp_path).save(tmp_path / "out")
    made = dfc.load(tmp_path / "out")
    assert delays(made.graph) == 1
    x = network.inputs(3)
    found = made.run(x)
    assert isinstance(found, dict)
    for name, y in network.reference(x).items():
        np.testing.assert_array_equal(found[name], y)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", ["square", "wide", "deep"])
def test_on_every_engine(shape: str, batch: int, tmp_path: Path) -> None:
    """Also where weights and thresholds are loaded in each turn, and partial sums wait."""
    graph = closed(Network("gru", 9, 20, 4), tmp_path)
    codes = {t: np.random.default_rng(0).integers(-32, 32, (2 * batch - 1, *graph.tensors[t].shape)) for t in graph.inputs}
    config = replace(SHAPES[shape], weight_words=32)
    wanted, found = graph.execute(codes), run_program(compile_program(graph, config, batch), codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(found[t], wanted[t])


@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("name", ["elman", pytest.param("gru", marks=pytest.mark.slow), pytest.param("lstm", marks=pytest.mark.slow)])
def test_hardware_is_exact_in_the_predicted_cycles(name: str, engine: str, tmp_path: Path) -> None:
    graph = closed(NETWORKS[name], tmp_path)
    codes = {t: np.random.default_rng(0).integers(-32, 32, (3, *graph.tensors[t].shape)) for t in graph.inputs}
    program = compile_program(graph, ROOMY)
    assert program.repeats
    wanted = graph.execute(codes)
    for latency in (20, 1, 57) if engine == "rtl" else (20,):
        found = run_loopback(program, codes, engine, latency)
        for t in graph.outputs:
            np.testing.assert_array_equal(found.outputs[t], wanted[t])
        assert engine == "hls" or set(found.cycles) == {predict(program, latency).cycles}


@pytest.mark.parametrize("bus", [32, pytest.param(64, marks=pytest.mark.further), pytest.param(128, marks=pytest.mark.further)])
def test_two_loops_on_every_bus(bus: int, tmp_path: Path) -> None:
    """Of one the engine counts fewer turns than there are; the turns of both end in bursts of all lengths."""
    graph = closed(Network("elman", 3, 4, 9, layers=2), tmp_path)
    codes = {t: np.random.default_rng(0).integers(-32, 32, (2, *graph.tensors[t].shape)) for t in graph.inputs}
    program = compile_program(graph, replace(ROOMY, pe=16, simd=16, bus_bits=bus, repeat_bits=3, pixels=2))
    wanted, found = graph.execute(codes), run_loopback(program, codes, "rtl", stalls=0.2)
    assert [r.times for r in program.repeats] == [7, 7]
    for t in graph.outputs:
        np.testing.assert_array_equal(found.outputs[t], wanted[t])
    assert set(run_loopback(program, codes, "rtl").cycles) == {predict(program).cycles}


@pytest.mark.parametrize("repeat_bits", [0, 2, 4])
def test_what_is_written_once_is_run_as_often(repeat_bits: int, tmp_path: Path) -> None:
    """The steps are those of all turns, whatever the engine repeats; the program is shorter."""
    graph = closed(Network("gru", 9, 20, 12), tmp_path)
    plain, program = (compile_program(graph, replace(ROOMY, repeat_bits=b)) for b in (0, repeat_bits))
    assert [s.descriptor for s in plain.steps] == [s.descriptor for s in program.steps]
    read = list(unfolded(unpack_all(program.code), program.config))
    assert [d.opcode for d in read] == [s.descriptor.opcode for s in program.steps]
    times = [r.times for r in program.repeats]
    assert (times == [] and program.code == plain.code) if not repeat_bits else (times and max(times) < 1 << repeat_bits)
    assert not repeat_bits or len(program.code) < len(plain.code)


BROKEN = {"never": {"inner": 0}, "too often": {"inner": 16}, "nothing": {"beats": 0}, "too much": {"beats": 1 << 20}}


@pytest.mark.parametrize("change", BROKEN)
def test_a_repeat_that_is_none_ends_with_an_error(change: str, tmp_path: Path) -> None:
    graph = closed(NETWORKS["elman"], tmp_path)
    program = compile_program(graph, ROOMY)
    (repeat,) = program.repeats
    at = program.program_address + sum(s.descriptor.BITS for s in program.steps[: repeat.first]) // 8
    image = program.image({t: np.zeros((1, *graph.tensors[t].shape)) for t in graph.inputs})
    d = unpack(image[at : at + 16].tobytes())
    assert d.opcode == Opcode.REPEAT
    image[at : at + 16] = np.frombuffer(pack(changed(d, **BROKEN[change])), np.uint8)
    with pytest.raises(Fault) as e:
        Engine(ROOMY, image.copy()).run(program.program_address, len(program.code))
    assert (e.value.code.name, e.value.index) == ("OPCODE", repeat.first)
    for engine in ("hls", "rtl"):
        tool = build_rtl_engine(ROOMY) if engine == "rtl" else build_hls_engine(ROOMY)
        _, numbers = run_image(tool, program, image, ["20", "0", "1", "400000"] if engine == "rtl" else [])
        assert (ErrorCode(numbers[-2]).name, numbers[-1]) == ("OPCODE", repeat.first), engine


def test_random_loops() -> None:
    """Against the graph, which is executed step by step."""

    @examples(40)
    @given(st.integers(0, 10**9), st.sampled_from(["square", "deep"]), st.sampled_from([1, 2]))
    def check(seed: int, shape: str, batch: int) -> None:
        net, graph = random_loop(seed)
        codes = {"x": net.codes(3)["x"]}
        config = replace(SHAPES[shape], act_words=4096, repeat_bits=seed % 5)
        wanted, found = graph.execute(codes), run_program(compile_program(graph, config, batch), codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(found[t], wanted[t])

    check()


def test_a_turn_keeps_what_it_alone_reads_in_one_pixel(tmp_path: Path) -> None:
    """So the memory that a sequence takes grows with its states and ends alone, and what is loaded does not grow."""
    short, long = (lower(closed(Network("lstm", 3, 16, steps), tmp_path), ROOMY) for steps in (4, 40))
    kept = {b for b in short.buffers if short.buffers[b] == long.buffers[b]}
    assert len(kept) > 5 and not long.states & kept


@pytest.mark.parametrize(("cell", "hidden", "words"), [("gru", 20, 64), ("lstm", 12, 16), ("elman", 40, 32)])
def test_turns_are_alike(cell: str, hidden: int, words: int, tmp_path: Path) -> None:
    """Where tiles do not stay from turn to turn, each from the third on loads the same ones to the same words."""
    graph = closed(Network(cell, 9, hidden, 7), tmp_path)
    program = compile_program(graph, replace(ROOMY, weight_words=words, tree_banks=2))
    turns: dict[int, list[Transfer]] = {}
    for step in program.steps:
        if step.turn >= 0 and isinstance(step.descriptor, Transfer):
            turns.setdefault(step.turn, []).append(changed(step.descriptor, waits=0, signals=0))
    assert len(turns) == 7 and turns[2] and all(turns[t] == turns[2] for t in range(3, 7))


def test_steps_are_repeated_where_rows_do_not_fit(tmp_path: Path) -> None:
    network = Network("elman", 3, 5, 40, outputs=("h",))
    engine = {"pe": 8, "simd": 8, "act_words": 64, "weight_words": 64, "acc_words": 64, "tree_levels": 6}
    made = built(network, tmp_path, folding={"engine": engine})
    assert not delays(made.graph)
    x = network.inputs(2)
    np.testing.assert_array_equal(made.run(x), network.reference(x)["h"])


def test_a_loop_whose_steps_meet_is_refused() -> None:
    net = Net(1, x=((1, 4, 3), 0, 3), s=((1, 4, 3), 0, 3))
    moved = net.node(IntPad(Window((1, 1), (1, 1), (0, 1, 0, -1)), 0), "s")
    end = net.steps(net.conv(moved, 3), 2)
    graph = net.graph(end).replace(nodes=(*closing(end), *net.nodes), inputs=("x",))
    with pytest.raises(CompileError) as e:
        compile_program(graph, ROOMY)
    assert "it does not look at each step alone" in str(e.value)


def closing(end: str) -> tuple[Node, ...]:
    return (Node("delay", IntDelay(0), (end,), ("s",)),)


def test_dead_parts_of_loops_go() -> None:
    """What a delay reads is made behind it."""
    net = Net(1, x=((1, 4, 3), 0, 3), s=((1, 4, 3), 0, 3))
    end = net.steps(net.conv("s", 3), 2)
    spare = net.conv("x", 2)
    graph = net.graph("s", spare).replace(nodes=(*closing(end), *net.nodes), inputs=("x",))
    kept = graph.replace(outputs=("s",)).without_dead()
    assert {n.op.kind for n in kept.nodes} == {"int_delay", "int_conv", "threshold"} and spare not in kept.tensors
    assert sum(isinstance(n.op, IntConv) for n in kept.nodes) == 1
