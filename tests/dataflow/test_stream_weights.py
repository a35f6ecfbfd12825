"""Dense layers whose weights come through a port in each frame: the same numbers in every engine, and a board that is too small."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import dfcompile as dfc
from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.stream_weights import kept_bits, port_counts, stream_weights, streamable, streamed_layers, weight_bits, why_kept
from dfcompile.device.boards import boards, find_board
from dfcompile.device.feed import fed_cycles
from dfcompile.emit.interface import Interface
from dfcompile.errors import CompileError, SettingError
from dfcompile.front import FRONT, IMPORT, INTEGER, UNITS, Job
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntConv, Window
from dfcompile.ir.types import IntType
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import DESIGN
from dfcompile.spill import streamed_jobs
from tests.examples import examples
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random


def layers(path: Path, sizes: tuple[int, ...] = (12, 20, 9, 7), bits: int = 4, pixels: int = 0) -> Path:
    """Dense layers with ReLU and quantizers, of `bits` bits; behind a convolution 3x3 on so many rows and columns where these are given."""
    held: dict[str, Any] = constants(b=np.float32(bits))
    nodes, last = [quant("x", "q", signed=0)], "q"
    shape: tuple[int, ...] = (1, sizes[0])
    if pixels:
        channels = sizes[0] // pixels**2
        held["wc"], shape = 2 * random(channels, 2, 3, 3), (1, 2, pixels, pixels)
        nodes += [
            quant("wc", "vc"),
            helper.make_node("Conv", ["q", "vc"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["cr"]),
        ]
        nodes += [quant("cr", "cq", signed=0), helper.make_node("Flatten", ["cq"], ["f"])]
        last = "f"
    for i, (a, b) in enumerate(pairwise(sizes)):
        held[f"w{i}"] = 2 * random(a, b)
        nodes += [quant(f"w{i}", f"v{i}"), helper.make_node("MatMul", [last, f"v{i}"], [f"s{i}"])]
        last = f"s{i}"
        if i < len(sizes) - 2:
            nodes += [helper.make_node("Relu", [last], [f"r{i}"]), quant(f"r{i}", f"q{i}", signed=0)]
            last = f"q{i}"
    onnx.save(model(nodes, {"x": shape}, [last], held), path)
    return path


def built(path: Path, **options: Any) -> DataflowAccelerator:
    made = dfc.build(path, **options)
    assert isinstance(made, DataflowAccelerator)
    return made


def frames(made: dfc.Accelerator, count: int = 6) -> np.ndarray:
    (shape,) = made.host.input_shapes.values()
    return np.random.default_rng(5).uniform(-1, 5, (count, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("bits", "pixels"), [(2, 3), pytest.param(4, 0, marks=pytest.mark.further), pytest.param(1, 0, marks=pytest.mark.further)]
)
def test_every_engine_gives_the_same_numbers(bits: int, pixels: int, tmp_path: Path) -> None:
    """With pauses on every port, in the cycles that the model says; layers of sizes that no lanes divide."""
    path = layers(tmp_path / "m.onnx", (18, 11, 9, 7) if pixels else (12, 20, 9, 7), bits, pixels)
    interval = 100 if pixels else 60
    made, plain = built(path, interval=interval, stream_weights="all"), built(path, interval=interval)
    assert len(made.graph.fixed) == 3 and not plain.graph.fixed
    x = frames(made)
    np.testing.assert_array_equal(made.run(x), plain.run(x))
    found = made.verify(stalls=0.3)["engines"]
    assert found["hls"]["pass"] and found["rtl"]["pass"], found
    assert found["rtl"]["interval_cycles"] == made.timing.interval_cycles <= interval
    np.testing.assert_array_equal(made.simulate(x, engine="rtl"), plain.run(x))


def convolutions(path: Path, shapes: Any, size: tuple[int, int, int], pads: int = 1) -> Path:
    """Convolutions (outputs, kernel, stride) of 4 bits, each with ReLU and quantizer."""
    held: dict[str, Any] = constants(b=np.float32(4))
    nodes, last, channels = [quant("x", "q", signed=0)], "q", size[0]
    for i, (outputs, kernel, stride) in enumerate(shapes):
        held[f"w{i}"] = 2 * random(outputs, channels, kernel, kernel)
        nodes += [
            quant(f"w{i}", f"v{i}"),
            helper.make_node("Conv", [last, f"v{i}"], [f"s{i}"], pads=[pads * (kernel > 1)] * 4, strides=[stride] * 2),
            helper.make_node("Relu", [f"s{i}"], [f"r{i}"]),
            quant(f"r{i}", f"q{i}", signed=0),
        ]
        last, channels = f"q{i}", outputs
    onnx.save(model(nodes, {"x": (1, *size)}, [last], held), path)
    return path


@pytest.mark.parametrize(
    ("shapes", "size", "ports"),
    [
        (((13, 3, 2),), (8, 3, 3), 2),
        pytest.param(((13, 3, 2), (30, 1, 1)), (8, 3, 3), 1, marks=pytest.mark.further),
        pytest.param(((40, 3, 1), (11, 2, 1)), (5, 2, 3), 3, marks=pytest.mark.further),
    ],
)
def test_convolutions_of_few_positions(shapes: Any, size: tuple[int, int, int], ports: int, tmp_path: Path) -> None:
    """With pads, strides and several ports each: the numbers of the plain design, in the cycles that the model says."""
    path = convolutions(tmp_path / "m.onnx", shapes, size)
    job = Job(path, Options(interval=2000))
    graph = (IMPORT >> INTEGER)(job, path).graph
    names = [n.name for n in graph.nodes if isinstance(n.op, IntConv)]
    assert names[0] in streamable(graph)
    plain = built(path, interval=2000)
    job = replace(job, streamed=dict.fromkeys(names, ports))
    made = DESIGN(job, FRONT(job, path))
    assert streamed_layers(made.graph) == dict.fromkeys(names, ports)
    x = frames(made)
    np.testing.assert_array_equal(made.run(x), plain.run(x))
    found = made.verify(stalls=0.3)["engines"]
    assert found["hls"]["pass"] and found["rtl"]["pass"], found
    assert found["rtl"]["interval_cycles"] == made.timing.interval_cycles <= 2000


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=4), st.integers(1, 4), st.booleans(), st.integers(1, 10**6))
@examples(60)
def test_ports_by_bits(sizes: list[int], ports: int, asked: bool, wanted: int) -> None:
    """No number of ports brings a frame sooner by more of them in proportion, and a wanted rate takes no more than it needs."""
    board = dataclasses.replace(find_board("pynq-z2"), ports=ports)
    nodes, tensors, held = [], {"x": Tensor((1, 1, 1), IntType(1), np.asarray(0), np.asarray(1))}, {}
    for i, n in enumerate(sizes):
        held[f"w{i}"], tensors[f"w{i}"] = np.broadcast_to(np.int8(1), (1, 1, 1, n)), Tensor((1, 1, 1, n))
        nodes.append(Node(f"n{i}", IntConv(), ("x", f"w{i}"), (f"y{i}",)))
    graph = Graph("g", tuple(nodes), tensors, held, ("x",), ())
    names = [f"n{i}" for i in range(len(sizes))]
    found = port_counts(graph, names, board, 100, wanted if asked else None)

    def fed(counts: list[int]) -> float:
        brought = [math.ceil(math.ceil(n / k) / 64) * 8 for n, k in zip(sizes, counts, strict=True) for _ in range(k)]
        return fed_cycles(board, [1, *brought], [], 100)

    offered = [[min(n, -(-n * p // sum(sizes))) for n in sizes] for p in range(1, ports + 1)]
    best = min(map(fed, offered))
    chosen = [found[n] for n in names]
    assert chosen in offered
    assert fed(chosen) == best or (asked and fed(chosen) <= wanted)
    assert not any(fed(o) <= wanted for o in offered[: offered.index(chosen)]) if asked else True


def test_a_build_is_loaded_again(tmp_path: Path) -> None:
    path = layers(tmp_path / "m.onnx")
    made = built(path, interval=60, stream_weights="all", verify=False)
    made.save(tmp_path / "out")
    again, x = dfc.load(tmp_path / "out"), frames(made)
    np.testing.assert_array_equal(again.run(x), made.run(x))
    fixed = [p["tensor"] for p in made.report["ports"] if p.get("fixed")]
    assert fixed == list(made.graph.fixed) and len(fixed) == 3
    codes = made.host.encode(made.host.checked(x))
    assert set(codes) == set(made.graph.fed)
    for stream, values in again.run_codes(codes).items():
        np.testing.assert_array_equal(values, made.run_codes(codes)[stream])


@pytest.mark.parametrize("value", [99, 0.5])
def test_weights_that_are_no_codes_are_refused(value: float, tmp_path: Path) -> None:
    """A build whose stored weights do not fit their port."""
    made = built(layers(tmp_path / "m.onnx"), interval=60, stream_weights="all", verify=False)
    made.save(tmp_path / "out")
    stored = dict(np.load(tmp_path / "out" / "design.npz"))
    data = json.loads((tmp_path / "out" / "design.json").read_text())
    held = data["design"]["fields"]["graph"]["fields"]["constants"]["map"]
    name = next(iter(held.values()))["array"]
    stored[name] = np.full(stored[name].shape, value)
    stored[name] = stored[name].astype(np.int16) if value == 99 else stored[name]
    np.savez(tmp_path / "out" / "design.npz", **stored)
    with pytest.raises(CompileError, match=r"whole numbers|no codes"):
        dfc.load(tmp_path / "out")


def one(shape: tuple[int, int, int], op: IntConv, weights: np.ndarray) -> Graph:
    """A graph of one convolution of 3-bit codes."""
    x = Tensor(shape, IntType(3), np.asarray(0), np.asarray(7))
    (out,) = op.infer(x, Tensor(weights.shape))
    lo, hi = op.bounds(((np.zeros(shape[2]), np.full(shape[2], 7.0)),), (weights,))
    tensors = {"x": x, "w": Tensor(weights.shape), "y": Tensor(out.shape, IntType(20, signed=True), lo, hi)}
    return Graph("one", (Node("conv", op, ("x", "w"), ("y",)),), tensors, {"w": weights}, ("x",), ("y",))


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], Window]:
    """A frame and a window that fits into it, or is all of it."""
    h, w = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    if draw(st.booleans()):
        return (h, w), Window((h, w))
    pads = draw(st.tuples(*[st.integers(0, 2)] * 4))
    kernel = draw(st.tuples(st.integers(1, min(3, h + pads[0] + pads[2])), st.integers(1, min(3, w + pads[1] + pads[3]))))
    return (h, w), Window(kernel, draw(st.tuples(*[st.integers(1, 2)] * 2)), pads)


@given(windows(), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(-2, 3), st.integers(0, 2**31))
@examples(60)
def test_the_pass_keeps_the_numbers(
    shape: tuple[tuple[int, int], Window], channels: int, outputs: int, ports: int, pad: int, seed: int
) -> None:
    """For random weights and frames, on one or several ports; the ranges that are written down hold what comes."""
    rng, (size, window) = np.random.default_rng(seed), shape
    weights = rng.integers(-8, 8, (outputs, *window.kernel, channels)).astype(np.int8)
    graph = one((*size, channels), IntConv(window, pad_code=pad), weights)
    made = stream_weights(graph, {"conv": ports})
    made.verify()
    assert "w" not in made.constants and made.fed == ("x",)
    assert streamed_layers(made) == {"conv": min(ports, weights[0].size)}
    x = rng.integers(0, 8, (3, *size, channels))
    wanted, tensors = graph.execute({"x": x})["y"], [t for t in made.tensors if t != "x" and t not in made.constants]
    found = made.execute({"x": x}, keep=tensors)
    np.testing.assert_array_equal(found["y"], wanted)
    for t in tensors:
        held = made.tensors[t]
        assert np.all(held.range[0] <= found[t]) and np.all(found[t] <= held.range[1]), t
        assert t == "y" or (held.codes.lo <= found[t].min() and found[t].max() <= held.codes.hi)


def test_few_positions_spare_bits() -> None:
    """Many channels at few positions: windows and sums are less than weights; as many positions as make them more do not pay."""
    weights, op = np.arange(-32, 32).repeat(9).reshape(8, 3, 3, 8).astype(np.int8), IntConv(Window((3, 3)))
    few, many = one((4, 3, 8), op, weights), one((12, 12, 8), op, weights)
    assert streamable(few) == ["conv"] and kept_bits(few, few.nodes[0]) == 2 * 2 * 72 * 3 + 2 * 8 * 20 < weight_bits(few, few.nodes[0])
    assert not streamable(many) and "100 positions" in why_kept(many, many.nodes[0])


@pytest.mark.parametrize(
    ("shape", "op", "weights", "why"),
    [
        ((4, 4, 2), IntConv(Window((3, 3))), (5, 3, 3, 2), "4 positions"),
        ((1, 1, 4), IntConv(Window(), groups=2), (6, 1, 1, 2), "grouped"),
        ((2, 2, 3), IntConv(Window((3, 3), stuff=(2, 2))), (400, 3, 3, 3), "zeros between"),
    ],
)
def test_layers_that_keep_their_weights(shape: tuple[int, int, int], op: IntConv, weights: tuple[int, ...], why: str) -> None:
    graph = one(shape, op, np.ones(weights, np.int8))
    assert why in why_kept(graph, graph.nodes[0]) and not streamable(graph)


def small_board(tmp_path: Path, **changes: Any) -> Path:
    """A board with memory ports as a pynq-z2 has, and little else."""
    figures = {"lut": 4000, "ff": 8000, "bram36": 1, "dsp": 0, "bandwidth": 4.2, "ports": 4, "port_bits": 64, "clock": 100} | changes
    text = 'part = "xc7z020clg400-1"\nfamily = "xc7"\n' + "".join(f"{k} = {v}\n" for k, v in figures.items())
    path = tmp_path / "small.toml"
    path.write_text(text)
    return path


SIZES = (64, 256, 256, 10)


def test_a_network_too_large_keeps_its_pipeline(tmp_path: Path) -> None:
    """The board holds no weights of the largest layer; what its ports bring bounds the rate, and it is told."""
    path, board = layers(tmp_path / "m.onnx", SIZES), small_board(tmp_path)
    with pytest.raises(CompileError) as refused:
        built(path, mode="dataflow", board=board, stream_weights="never")
    assert [p.code for p in refused.value.problems] == ["does-not-fit"]
    made = built(path, mode="dataflow", board=board)
    ((_, ports),) = streamed_layers(made.graph).items()
    assert ports == 4 and made.resources.bram36 <= 1 and sum(w.size for w in made.graph.fixed.values()) == 256 * 256
    assert made.report["timing"]["interval_cycles"] < 256 * 256 * 4 / 64 * 1.01, "four ports bring a frame sooner than one of 64 bits"
    moved = sum(np.prod(made.design.streams()[t].shape) for t in made.graph.fixed) * 4 // 8
    clock = float(made.options["clock"])
    target = Options(board=str(board)).target
    assert target and made.report["timing"]["fps"] <= target.reachable(clock) * 1e9 / moved
    x = frames(made)
    np.testing.assert_array_equal(made.run(x), built(path, interval=4096).run(x))


def test_the_report_tells_what_the_memory_brings(tmp_path: Path) -> None:
    path, board = layers(tmp_path / "m.onnx", SIZES), small_board(tmp_path)
    made = built(path, mode="dataflow", board=board, verify=False)
    (row,) = made.report["streamed_weights"]
    assert row["ports"] == 4 and row["bytes"] == 256 * 256 * 4 // 8
    assert row["gb_per_s"] == pytest.approx(row["bytes"] * made.report["timing"]["fps"] / 1e9) and row["gb_per_s"] <= 3.2
    page = made.page()
    assert "Weights from external memory" in page and f"<code>{row['name']}</code>" in page
    assert "Weights from external memory" not in built(path, interval=4096, verify=False).page()


def test_explore_keeps_the_pipeline_too(tmp_path: Path) -> None:
    """Designs with as few layers in memory as fit, the fastest as fast as the build; none where the board holds all."""
    path, board = layers(tmp_path / "m.onnx", SIZES), small_board(tmp_path)
    found = dfc.explore(path, board=board, mode="dataflow")
    points = found["points"]
    assert points[0]["streamed"] >= 1 and points[0]["weight_ports"] >= 4 and len(found["foldings"]) == len(points) > 1
    assert points[0]["fps"] >= built(path, mode="dataflow", board=board, verify=False).report["timing"]["fps"] * 0.999
    for a, b in pairwise(points):
        assert a["fps"] > b["fps"] and a["cost"] > b["cost"]
    assert all(p["streamed"] == 0 for p in dfc.explore(path, board="pynq-z2", mode="dataflow")["points"])


def test_explore_tells_what_padding_moves(tmp_path: Path) -> None:
    """Rows that no lanes divide: the rate is that of the beats which a design of the folding has."""
    path, board = layers(tmp_path / "m.onnx", (61, 251, 257, 10)), small_board(tmp_path, bandwidth=0.9)
    found, job = dfc.explore(path, board=board, mode="dataflow"), Job(path, Options(mode="dataflow", board=str(board)))
    integer, target = (IMPORT >> INTEGER)(job, path), job.options.target
    assert target
    for point, choices in zip(found["points"], found["foldings"], strict=True):
        tried = next(j for j in streamed_jobs(job, integer, target) if len(j.streamed) == point["streamed"])
        design = connect(apply_folding(UNITS(tried, integer).units, choices), job.options.port_bits)
        ends = Interface.of(design)
        fed = fed_cycles(target, [p.frame_bytes for p in ends.inputs], [p.frame_bytes for p in ends.outputs], 100)
        assert point["fps"] == pytest.approx(1e8 / max(point["interval"], fed), abs=0.1)
    assert any(p["fps"] < 0.99 * 1e8 / p["interval"] for p in found["points"]), "the memory bounds none of them"


def test_a_rate_that_is_asked_takes_as_few_layers_as_it_can(tmp_path: Path) -> None:
    path, board = layers(tmp_path / "m.onnx", SIZES), small_board(tmp_path)
    made = built(path, mode="dataflow", board=board, interval=20_000, verify=False)
    assert len(made.graph.fixed) == 1, "one port of one layer"
    assert made.timing.interval_cycles <= 20_000
    with pytest.raises(CompileError):
        built(path, mode="dataflow", board=board, interval=100, verify=False)


def test_what_fits_is_as_it_was(tmp_path: Path) -> None:
    path = layers(tmp_path / "m.onnx")
    made, plain = (built(path, board="pynq-z2", interval=60, verify=False, stream_weights=s) for s in ("auto", "never"))
    assert not made.graph.fixed
    for key in ("units", "fifos", "timing", "ports"):
        assert made.report[key] == plain.report[key]


def test_a_board_without_a_memory_is_refused() -> None:
    for name, board in boards().items():
        if board.streams_weights:
            assert Options(board=name, stream_weights="all").stream_weights == "all"
        else:
            with pytest.raises(SettingError, match="not for"):
                Options(board=name, stream_weights="all")
    with pytest.raises(SettingError, match="not known"):
        Options(stream_weights="some")


def test_explain_names_them(tmp_path: Path) -> None:
    from dfcompile.front import explain

    path = layers(tmp_path / "m.onnx", (18, 11, 9, 7), pixels=3)
    found = str(explain(path, Options(stream_weights="all")))
    assert found.count("weights from external memory") == 3 and "9 positions" in found
    assert "weights from" not in str(explain(path, Options()))


def test_the_check_is_the_same(tmp_path: Path) -> None:
    from dfcompile.front import check

    path = layers(tmp_path / "m.onnx")
    assert check(path, Options(stream_weights="all")) == check(path, Options()) == ()
    integer = (IMPORT >> INTEGER)(Job(path), path)
    assert len(streamable(integer.graph)) == 3
