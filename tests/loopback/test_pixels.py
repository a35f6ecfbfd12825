"""Engines that make several outputs of a row at once: exact on every kind of layer in all engines, the cycles as predicted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfcompile.device.boards import find_board
from dfcompile.emit.engine import emit_rtl_engine
from dfcompile.errors import CompileError
from dfcompile.ir.intop import Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute, Unit
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.group import cycles, groups, together
from dfcompile.loopback.lower import lower
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.search.bound import work
from dfcompile.loopback.search.sweep import candidates, narrower, sweep, widths
from dfcompile.loopback.token_proof import prove_tokens
from dfcompile.loopback.validate import ErrorCode, Fault
from dfcompile.run.loopback import build_hls_engine, build_rtl_engine, run_image, run_loopback
from tests.loopback.cases import CASES, Net, outputs
from tests.loopback.compiled import check_compiled
from tests.loopback.random_net import random_net
from tests.loopback.resnet import resnet
from tests.loopback.test_digits import NIBBLES, OWN, REFUSED, extremes
from tests.loopback.test_engines import SQUARE

BYTES = replace(SQUARE, pixels=2)
ENGINES = {
    "bytes": BYTES,
    "four": replace(SQUARE, pixels=4, weight_words=256),
    "nibbles": replace(NIBBLES, pixels=2),
    "tall": replace(NIBBLES, pe=32, weight_words=64, act_words=4096, list_words=32, pixels=4),
}

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def made(config: EngineConfig, batch: int) -> dict[str, tuple[Program, Net]]:
    """Programs of every case that an engine runs."""
    makers = CASES if config.act_bits == 8 else {k: f for k, f in (CASES | OWN).items() if k not in REFUSED}
    nets = {k: f() for k, f in makers.items()}
    return {k: (compile_program(n.graph(*outputs(n)), config, batch), n) for k, n in nets.items()}


def all_exact(config: EngineConfig, batch: int) -> None:
    """Programs of every case give in Python what their graphs do."""
    for name, (program, net) in made(config, batch).items():
        codes = net.codes(batch)
        found, wanted = run_program(program, codes), net.graph(*outputs(net)).execute(codes)
        for t in outputs(net):
            np.testing.assert_array_equal(found[t], wanted[t], name)


def all_compiled(config: EngineConfig, engine: str) -> None:
    """Programs of every case, two images each: compiled engines give what graphs do, and the SystemVerilog takes the predicted cycles."""
    for name, (program, net) in made(config, 2).items():
        codes = net.codes(2)
        check_compiled(program, codes, engine, net.graph(*outputs(net)).execute(codes), name)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_exact(engine: str, batch: int) -> None:
    all_exact(ENGINES[engine], batch)


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("shape", ["bytes", "nibbles", *(pytest.param(k, marks=pytest.mark.further) for k in ("four", "tall"))])
def test_one_engine_runs_all(shape: str, engine: str) -> None:
    all_compiled(ENGINES[shape], engine)


@needs_gxx
@pytest.mark.parametrize("latency", [1, 70])
def test_tensors_outside(latency: int) -> None:
    """Loads and stores beside the array, of a residual network whose tensors do not fit, with one pixel left at the end of rows."""
    graph = resnet((1, 1), True, size=27, base=8, classes=10)
    program, codes = compile_program(graph, replace(BYTES, act_words=512)), {"x": np.random.default_rng(1).integers(0, 256, (1, 27, 27, 3))}
    assert any(isinstance(s.descriptor, Compute) and s.descriptor.width_out % 2 for s in program.steps)
    assert any(x.unit == Unit.STORE for x in program.steps[:-2])
    run, wanted = run_loopback(program, codes, "rtl", latency), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    assert run.cycles[0] == predict(program, latency).cycles


RANDOM = {
    "bytes": EngineConfig(pe=16, simd=8, act_words=256, weight_words=64, acc_words=16, tree_levels=4, list_words=32, pixels=2),
    "nibbles": EngineConfig(
        pe=8, simd=16, act_words=512, weight_words=128, acc_words=16, tree_levels=4, weight_bits=4, act_bits=4, list_words=32, pixels=2
    ),
    "four nibbles": EngineConfig(
        pe=8, simd=16, act_words=512, weight_words=128, acc_words=16, tree_levels=4, weight_bits=4, act_bits=4, pixels=4
    ),
    "one nibble": EngineConfig(pe=8, simd=16, act_words=512, weight_words=128, acc_words=16, tree_levels=4, weight_bits=4, act_bits=4),
}


def random_programs(config: EngineConfig, seeds: range) -> None:
    """Networks of all seeds that fit, as predicted; most do."""
    ran = 0
    for seed in seeds:
        net, graph = random_net(seed)
        try:
            program = compile_program(graph, config, 1 + seed % 2)
        except CompileError as e:
            assert {p.code for p in e.problems} <= {"not-loopback", "does-not-fit"}
            continue
        codes, latency = net.codes(program.batch), (20, 1, 70)[seed % 3]
        run, wanted = run_loopback(program, codes, "rtl", latency), graph.execute(codes)
        for t in graph.outputs:
            np.testing.assert_array_equal(run.outputs[t], wanted[t])
        assert set(run.cycles) == {predict(program, latency).cycles}
        ran += 1
    assert ran > len(seeds) // 3


@needs_gxx
@pytest.mark.parametrize("engine", RANDOM)
def test_random_networks_take_the_predicted_cycles(engine: str) -> None:
    random_programs(RANDOM[engine], range(12))


@pytest.mark.full
@needs_gxx
@pytest.mark.parametrize("engine", RANDOM)
def test_many_random_networks_take_the_predicted_cycles(engine: str) -> None:
    random_programs(RANDOM[engine], range(12, 150))


@needs_gxx
def test_rows_of_all_pixels_in_slices(tmp_path: Path) -> None:
    """Rows in slices are those of the first pixel, then of the next: with eleven of sixteen both pixels have some."""
    net, config = extremes(), replace(NIBBLES, pixels=2, dsp_rows=11)
    graph, codes = net.graph(*outputs(net)), net.codes(2)
    emit_rtl_engine(config, tmp_path, "carry8")
    program = compile_program(graph, config, 2)
    run, wanted = run_loopback(program, codes, "rtl", emitted=tmp_path), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    assert run.cycles[0] == predict(program).cycles


def test_what_is_made_together() -> None:
    """Sums and extremes, as many as a row has; products, positions and roots are made one at a time."""
    config = replace(SQUARE, pixels=4)
    sizes = {op: together(Compute(opcode=2, op=op, width_out=9, height=2), config) for op in AccOp}
    assert sizes == {AccOp.ADD: 4, AccOp.MAX: 4, AccOp.MIN: 4, AccOp.ARGMAX: 1, AccOp.ARGMAX_LAST: 1, AccOp.MUL: 1}
    d = Compute(opcode=2, width_out=9, height=2, words=5, idle=1)
    assert (groups(d, config), cycles(d, config), groups(d, SQUARE), cycles(d, SQUARE)) == (6, 36, 18, 108)
    assert together(replace(d, width_out=3), config) == 3
    assert together(replace(d, root=1), config) == 1


def crowded() -> Program:
    """A layer whose results take as long to write as their steps, with a cycle less between them than they need."""
    n = Net(40, x=((3, 6, 8), -8, 7))
    n.conv("x", 8, top=3)
    program = compile_program(n.graph(n.nodes[-1].name), BYTES)
    i, d = next((i, s.descriptor) for i, s in enumerate(program.steps) if isinstance(s.descriptor, Compute))
    assert d.taps + d.idle == 2 * (d.planes + 1) * d.writes
    steps = list(program.steps)
    steps[i] = replace(steps[i], descriptor=replace(d, idle=d.idle - 1))
    return replace(program, steps=tuple(steps))


@needs_gxx
def test_results_that_come_too_fast() -> None:
    program = crowded()
    codes = {"x": np.zeros((1, 3, 6, 8), np.int64)}
    with pytest.raises(Fault, match="RESULT"):
        run_program(program, codes)
    _, numbers = run_image(build_rtl_engine(BYTES), program, program.image(codes), ["20", "0", "1", "400000"])
    _, (error, _) = run_image(build_hls_engine(BYTES), program, program.image(codes), [])
    assert {ErrorCode(numbers[1]).name, ErrorCode(error).name} == {"RESULT"}


def test_results_of_the_tile_before_are_proved() -> None:
    """A tile that follows without a drain while both results of the last pair are being written."""
    program = crowded()
    descriptors = [s.descriptor for s in program.steps]
    with pytest.raises(ValueError, match="before the one of the tile before it is written"):
        d = next(d for d in descriptors if isinstance(d, Compute))
        after = replace(d, drain=0, waits=0, signals=0)
        prove_tokens([replace(d, idle=0, waits=0, signals=0), after], BYTES)


def test_partial_sums_of_groups() -> None:
    """A word of partial sums has those of every pixel: a row of six outputs takes three words."""
    n = Net(41, x=((2, 6, 600), -8, 7))
    n.conv("x", 8, Window((3, 3), (1, 1), (1, 1, 1, 1)), top=100)
    graph = n.graph(n.nodes[-1].name)
    config = replace(BYTES, acc_words=4, act_words=4096)
    program = compile_program(graph, config)
    assert any(isinstance(s.descriptor, Compute) and s.descriptor.acc_store for s in program.steps)
    codes = n.codes(1)
    np.testing.assert_array_equal(run_program(program, codes)[graph.outputs[0]], graph.execute(codes)[graph.outputs[0]])
    with pytest.raises(CompileError, match="partial sums of 6 outputs, acc_words=4"):
        compile_program(graph, replace(config, pixels=1))


def test_the_search_offers_several_pixels() -> None:
    """Where rows have several outputs, in as few levels of thresholds as the network has; what is found beats every engine of one."""
    board, graph = find_board("kv260"), resnet((1, 1), False, size=96, base=64, classes=10)
    needed = widths([graph])
    digits = narrower([graph], needed)
    assert [d.get("pixels", 1) for d in digits] == [1, 2, 4]
    assert {d["tree_levels"] for d in digits} == {4}
    best = sweep([graph], board, 200.0, 4).best
    assert best.config.pixels > 1
    ones = candidates(board, 200.0, needed, [graph], digits[:1])
    assert best.cycles is not None
    assert best.cycles < min(work(lower(graph, c), c).cycles(c) for c in {(c.pe, c.simd, c.act_bits): c for c in ones}.values())


def test_the_search_offers_one_pixel() -> None:
    """For networks whose rows are one pixel wide."""
    n = Net(42, x=((1, 1, 64), -8, 7))
    n.conv(n.steps(n.conv("x", 64, top=3), 4, -8), 10, top=3)
    graph = n.graph(n.nodes[-1].name)
    assert [d.get("pixels", 1) for d in narrower([graph], widths([graph]))] == [1]
