"""The sweep finds the best engine of its candidates; modes are chosen by rates; a build is saved and comes back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from dfcompile.device.boards import Board, find_board
from dfcompile.errors import CompileError, Problem
from dfcompile.exploration import explore_loopback
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConv, ThresholdCode, Window
from dfcompile.loopback.area import resources
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Target
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import load_bytes, predict
from dfcompile.loopback.search import sweep as sweeping
from dfcompile.loopback.search.sweep import bus_bits, candidates, narrower, sweep, widths
from dfcompile.loopback.traffic import layer_traffic
from dfcompile.loopback.width import code_bits
from dfcompile.mode import serialize
from dfcompile.mode.loopback import LoopbackAccelerator, from_parts
from dfcompile.mode.loopback_build import build_loopback, loopback_roofline, make_report
from dfcompile.mode.roofline import Roofline, choose_mode
from dfcompile.streamline.host import HostSide
from tests.loopback.cases import CASES, Net, outputs
from tests.loopback.resnet import resnet
from tests.loopback.test_program import SHAPES

BOARD = find_board("pynq-z2")


def test_best_of_all_candidates() -> None:
    net = CASES["convolutions"]()
    graph = net.graph(*outputs(net))
    found = sweep([graph], BOARD, 100.0, most=1000)
    assert found.gap == 0
    needed = widths([graph])
    every = [predict(compile_program(graph, c)).cycles for c in candidates(BOARD, 100.0, needed, [graph], narrower([graph], needed))]
    assert found.best.cycles == min(every)
    for p in found.points:
        assert p.cycles is None or p.bound <= p.cycles


def test_a_sweep_ends_after_so_many_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    net = CASES["convolutions"]()
    graph = net.graph(*outputs(net))
    monkeypatch.setattr(sweeping, "LONG", 1)
    found = sweep([graph], BOARD, 100.0, most=sweeping.EXACT)
    (replayed,) = (p for p in found.points if p.cycles is not None)
    assert replayed == found.best and found.best.cycles is not None
    lowest = min(p.bound for p in found.every if p.config != found.best.config)
    assert found.gap == max(0, found.best.cycles - lowest) / found.best.cycles > 0


def test_a_sweep_holds_nothing_of_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is kept with its frames keeps all layers of a network, for each engine."""

    def refuse(*_: object, **__: object) -> None:
        raise CompileError(Problem("not-loopback", "no", "node a", "because", "try another"))

    net = CASES["convolutions"]()
    graph = net.graph(*outputs(net))
    point = sweep([graph], BOARD, 100.0, most=1).best
    monkeypatch.setattr(sweeping, "lower", refuse)
    monkeypatch.setattr(sweeping, "compile_program", refuse)
    looks = sweeping._Looks([graph], BOARD)
    assert looks.point(point.config) is None
    refused = sweeping._replay(point, [graph])
    assert isinstance(refused, CompileError)
    assert [e.__traceback__ for e in (looks.refused[0][1], refused)] == [None, None]


def test_explore_writes_numbers_and_picture(tmp_path: Path) -> None:
    nets = [CASES[c]() for c in ("convolutions", "flattened")]
    result = explore_loopback([n.graph(*outputs(n)) for n in nets], BOARD, 100.0, tmp_path)
    assert json.loads((tmp_path / "explore.json").read_text()) == result
    assert (tmp_path / "explore.svg").read_text().count("<rect") == 1 + 4 * len(result["points"]) + 2 * len(result["buffers"])
    assert all(p["cycles"] >= result["best"]["cycles"] for p in (*result["points"], *result["buffers"]))
    shapes = {(p["pe"], p["simd"]): p["cycles"] for p in result["points"]}
    best = result["best"]
    assert shapes[best["pe"], best["simd"]] == best["cycles"] and len(shapes) > 8 and result["gap"] == 0
    # A cell by itself: the engine of the row, a frame of each network.
    row = result["buffers"][0]
    config = EngineConfig(**{f.name: row[f.name] for f in dataclasses.fields(EngineConfig)})
    assert (config.pe, config.simd) == (best["pe"], best["simd"]) and config.act_words < best["act_words"]
    assert row["cycles"] == sum(predict(compile_program(n.graph(*outputs(n)), config)).cycles for n in nets)


def tiny_board(tmp_path: Path, lut: int) -> Board:
    path = tmp_path / "tiny.toml"
    path.write_text(f'family = "xc7"\nlut = {lut}\nff = 90000\nbram36 = 12\ndsp = 90\nbandwidth = 1.0\nclock = 100\n')
    return find_board(str(path))


@pytest.mark.parametrize(
    ("board", "clock", "bits"),
    [("pynq-z2", 100.0, 64), ("pynq-z2", 300.0, 32), ("ultra96-v2", 200.0, 128), ("kv260", 200.0, 128), ("arty-a7-100t", 100.0, 64)],
)
def test_the_bus_is_no_wider_than_a_memory_port(board: str, clock: float, bits: int) -> None:
    """HP ports of Zynq-7000 have 64 bits though 16 bytes a cycle at 100 MHz are below the memory's 2.1 GB/s; at 300 MHz 8 are above."""
    assert bus_bits(find_board(board), clock) == bits
    needed = {"weight_bits": 4, "scale_bits": 0, "acc_bits": 32, "tree_levels": 4}
    assert max(c.bus_bits for c in candidates(find_board(board), clock, needed)) == bits


def coded_layer(rng: np.random.Generator, outputs: int, block: int, levels: int, bits: int = 8) -> Graph:
    """A dense layer of 64 inputs and thresholds; each `block` outputs have so many levels of `bits` bits of their own."""
    limit = 1 << (bits - 1)
    books = [rng.choice(np.arange(1 - limit, limit), levels, replace=False) for _ in range(outputs // block)]
    weights = np.concatenate([rng.choice(book, (block, 64)) for book in books])[:, None, None]
    net = Net(3, x=((1, 1, 64), 0, 15))
    sums = net.node(IntConv(), "x", w=weights)
    steps = np.sort(rng.integers(-(limit << 6), limit << 6, (outputs, 15)), axis=1)
    return net.graph(net.node(ThresholdCode(4, 0), sums, t=steps, f=np.zeros(outputs, bool)))


@pytest.mark.parametrize(("bits", "levels", "wanted"), [(8, 2, 1), (8, 4, 2), (8, 16, 4), (8, 17, 0), (4, 4, 2), (4, 16, 0), (24, 4, 4)])
def test_levels_of_each_part_of_a_layer(bits: int, levels: int, wanted: int) -> None:
    """Rows that are a tile share a codebook, tiles do not; digits of wide weights are in one tile, and have more levels together."""
    rng = np.random.default_rng(7)
    graph = coded_layer(rng, 64, 8, min(levels, 2**bits - 1), bits)
    assert code_bits([graph], 8) == code_bits([graph], 4) == wanted
    if levels == 16 and bits == 8:
        assert code_bits([graph], 16) == 0, "tiles of 16 rows have 32 levels"
    config = dataclasses.replace(SHAPES["square"], pe=8, simd=8, weight_bits=8, code_bits=0, acc_bits=64)
    plain, coded = (compile_program(graph, dataclasses.replace(config, code_bits=b)) for b in (0, code_bits([graph], 8)))
    codes = {"x": rng.integers(0, 16, (1, 1, 1, 64))}
    for program in (plain, coded):
        (found,), (expected,) = run_program(program, codes).values(), graph.execute(codes).values()
        np.testing.assert_array_equal(found, expected)
    loaded = [load_bytes(p, Target.WEIGHT) for p in (plain, coded)]
    assert loaded[1] < loaded[0] if wanted else loaded[1] == loaded[0]


def test_levels_of_hardly_any_weights() -> None:
    """Nine weights of a channel are fewer bytes than a table; a few of many weights are no reason for an engine that reads levels."""
    net = Net(4, x=((6, 6, 4), 0, 15))
    taps = net.rng.integers(-127, 128, (4, 3, 3, 1))
    assert code_bits([net.graph(net.node(IntConv(Window((3, 3)), groups=4), "x", w=taps))], 1) == 0
    rng = np.random.default_rng(8)
    few, many = coded_layer(rng, 8, 8, 4), coded_layer(rng, 256, 8, 60)
    assert code_bits([few], 8) == 2 and code_bits([many], 8) == 0 and code_bits([few, many], 8) == 0


def test_why_no_engine_is_left(tmp_path: Path) -> None:
    """A board too small for any, a network that none computes, a row that fits no memory: each reason, with how many engines it stops."""
    flat = CASES["flattened"]()
    with pytest.raises(CompileError) as small:
        sweep([flat.graph(*outputs(flat))], tiny_board(tmp_path, 900), 100.0)
    assert "not even an array of 4 x 4" in small.value.problems[0].why
    wide = Net(1, x=((2, 2, 4), 0, 15))
    graph = wide.graph(wide.conv(wide.conv("x", 4, top=1 << 24), 4, top=1 << 24))
    with pytest.raises(CompileError) as sums:
        sweep([graph], BOARD, 100.0)
    count = len(list(candidates(BOARD, 100.0, widths([graph]))))
    first, *rest = sums.value.problems
    assert first.code == "does-not-fit" and f"{count} of {count} engines: " in first.why
    assert {p.code for p in rest} == {"not-loopback"} and "n1" in str(sums.value)
    row = Net(2, x=((3, 9000, 8), 0, 15))
    with pytest.raises(CompileError) as long:
        sweep([row.graph(row.conv("x", 4, Window((2, 2))))], tiny_board(tmp_path, 20000), 100.0)
    assert "does not fit into the activation memory" in str(long.value)
    none = Net(3, x=((2, 2, 4), 0, 15))
    with pytest.raises(CompileError, match="has no layer for the loopback engine"):
        sweep([none.graph("x")], BOARD, 100.0)
    with pytest.raises(CompileError, match="has no layer for the loopback engine"):
        compile_program(none.graph("x"), SHAPES["square"])


def test_utilisation_of_wide_convolutions() -> None:
    graph = resnet((1, 1), True, size=64, base=32, classes=10)
    program = compile_program(graph, SHAPES["square"].__class__(pe=16, simd=16, act_words=16384, weight_bits=4, bus_bits=128))
    layers = layer_traffic(program, predict(program))
    wide = [x for x, layer in zip(layers, program.layers, strict=True) if layer.operands[0].kernel.weights.shape[3] >= 32]
    assert len(wide) > 6
    whole = sum(x.roof_cycles for x in wide) / sum(x.cycles for x in wide)
    assert whole >= 0.85


def test_batch_amortises_weights() -> None:
    net = CASES["flattened"]()
    graph = net.graph(*outputs(net))
    one, many = (compile_program(graph, dataclasses.replace(SHAPES["square"], code_bits=0), n) for n in (1, 8))
    assert load_bytes(one, Target.WEIGHT) == load_bytes(many, Target.WEIGHT)
    assert predict(many).cycles < 4 * predict(one).cycles


def test_choice_of_mode() -> None:
    roofs = Roofline(100.0, 80.0, 60.0)
    assert roofs.limit == "bandwidth"
    found = choose_mode("it takes 9 lut of 5", roofs, None, "b")
    assert found.mode == "loopback" and "it takes 9 lut of 5" in found.why and "60 frames/s under a compute roof of 100" in found.why
    assert found.numbers["dataflow"] == {"runs": False, "why": "it takes 9 lut of 5"} and found.numbers["loopback"]["fps"] == 60.0
    fast, slow = (Roofline(1000.0, 8000.0, fps) for fps in (500.0, 50.0))
    assert choose_mode(fast, roofs, 400.0, "b").mode == "dataflow"
    assert choose_mode(slow, roofs, None, "b").mode == "loopback", "with no rate the faster one"
    assert choose_mode(fast, roofs, None, "b").mode == "dataflow"
    assert choose_mode(slow, roofs, 45.0, "b").mode == "dataflow", "both reach the rate"
    assert choose_mode(slow, roofs, 55.0, "b").mode == "loopback"
    assert choose_mode(slow, "too wide", 40.0, "b").mode == "dataflow"
    neither = choose_mode(slow, roofs, 70.0, "b")
    assert neither.mode == "" and "50 frames/s" in neither.why and "60 frames/s" in neither.why


def test_saved_build_comes_back(tmp_path: Path) -> None:
    net = CASES["pools"]()
    graph = net.graph(*outputs(net))
    host = HostSide({}, (), (), Graph("tail", (), {}), {})
    acc = LoopbackAccelerator(network=graph, host=host, config=SHAPES["square"], batch=2, options={"clock": 100.0})
    acc.report.update(make_report(acc, graph, BOARD))
    acc.save(tmp_path / "out")
    again = from_parts(serialize.read(tmp_path / "out"), json.loads((tmp_path / "out" / "report.json").read_text()))
    assert again.report["timing"]["latency_cycles"] == acc.timing.latency_cycles
    assert again.program.code == acc.program.code
    codes = net.codes(3)
    for t, wanted in graph.execute(codes).items():
        np.testing.assert_array_equal(again.run_codes(codes)[t], wanted)
    assert (tmp_path / "out" / "driver" / "memory.bin").stat().st_size == acc.program.size


def test_area_of_the_synthesised_engine() -> None:
    """`dfcompile synth --device xc7` of an engine with these parameters: 15,981 LUT, 8,366 FF, 16 BRAM36, 8 DSP."""
    made = resources(EngineConfig(pe=8, simd=8, act_words=4096, weight_words=512, acc_words=512, weight_bits=4), "xc7")
    assert abs(made.lut - 15_981) < 0.02 * 15_981
    assert abs(made.ff - 8_366) < 0.02 * 8_366
    assert (made.bram36, made.dsp) == (16, 8)
    wide = resources(EngineConfig(pe=8, simd=8, act_words=4096, weight_words=512, acc_words=512), "xc7")  # 13,895 LUT, 6,959 FF, 20, 72
    assert abs(wide.lut - 13_895) < 0.02 * 13_895
    assert 6_959 < wide.ff < 1.15 * 6_959
    assert abs(wide.bram36 - 20) <= 0.5 and wide.dsp == 72


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blocks", "bottleneck", "board"),
    [
        pytest.param((2, 2, 2, 2), False, "pynq-z2", id="resnet18-pynq-z2", marks=pytest.mark.full),
        pytest.param((2, 2, 2, 2), False, "kv260", id="resnet18-kv260", marks=pytest.mark.further),
        pytest.param((3, 4, 6, 3), True, "pynq-z2", id="resnet50-pynq-z2", marks=pytest.mark.full),
        pytest.param((3, 4, 6, 3), True, "kv260", id="resnet50-kv260", marks=pytest.mark.full),
    ],
)
def test_networks_far_over_the_board(blocks: tuple[int, ...], bottleneck: bool, board: str) -> None:
    """ResNet-18 and -50, 4 bits, 224 x 224: an engine is found, tensors go outside, the program is exact."""
    graph = resnet(blocks, bottleneck)
    target = find_board(board)
    host = HostSide({}, (), (), Graph("tail", (), {}), {})
    acc = build_loopback(graph, host, graph, {"clock": target.clock}, target)
    assert acc.program.spilled
    assert all(getattr(acc.resources, key) <= limit for key, limit in target.budget.items())
    roofs = loopback_roofline(acc)
    assert 0.6 * min(roofs.compute_fps, roofs.bandwidth_fps) < roofs.fps
    codes = {"x": np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3))}
    np.testing.assert_array_equal(acc.run_codes(codes)[graph.outputs[0]], graph.execute(codes)[graph.outputs[0]])
