"""Dense layers whose weights come through a port in each frame: the same numbers in every engine, and a board that is too small."""

from __future__ import annotations

import json
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
from dfcompile.dataflow.stream_weights import stream_weights, streamable, why_kept
from dfcompile.device.boards import boards
from dfcompile.errors import CompileError, SettingError
from dfcompile.front import IMPORT, INTEGER, Job
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntConv, Window
from dfcompile.ir.types import IntType
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.options import Options
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


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31))
@examples(30)
def test_the_pass_keeps_the_numbers(h: int, w: int, channels: int, outputs: int, seed: int) -> None:
    """One window over the whole frame, for random weights and frames; the ranges that are written down hold them."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-8, 8, (outputs, h, w, channels)).astype(np.int8)
    graph = one((h, w, channels), IntConv(Window((h, w))), weights)
    assert streamable(graph) == ["conv"]
    made = stream_weights(graph, ["conv"])
    made.verify()
    assert "w" not in made.constants and made.fed == ("x",)
    x = rng.integers(0, 8, (3, h, w, channels))
    found = made.execute({"x": x}, keep=("y", "conv_sums"))
    np.testing.assert_array_equal(found["y"], graph.execute({"x": x})["y"])
    sums = made.tensors["conv_sums"]
    assert sums.range[0].min() <= found["conv_sums"].min() and found["conv_sums"].max() <= sums.range[1].max()
    assert sums.codes.lo <= sums.range[0].min() and sums.range[1].max() <= sums.codes.hi


@pytest.mark.parametrize(
    ("shape", "op", "weights", "why"),
    [
        ((4, 4, 2), IntConv(Window((3, 3))), (5, 3, 3, 2), "4 positions"),
        ((1, 1, 4), IntConv(Window(), groups=2), (6, 1, 1, 2), "grouped"),
        ((2, 2, 3), IntConv(Window((3, 3), pads=(1, 1, 0, 0))), (4, 3, 3, 3), "whole frame"),
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
    assert 0 < len(made.graph.fixed) < 3 and made.resources.bram36 <= 1
    largest = max(w.size for w in made.graph.fixed.values())
    assert largest == 256 * 256
    moved = sum(np.prod(made.design.streams()[t].shape) for t in made.graph.fixed) * 4 // 8
    clock = float(made.options["clock"])
    target = Options(board=str(board)).target
    assert target and made.report["timing"]["fps"] <= target.reachable(clock) * 1e9 / moved
    x = frames(made)
    np.testing.assert_array_equal(made.run(x), built(path, interval=4096).run(x))


def test_a_rate_that_is_asked_takes_as_few_layers_as_it_can(tmp_path: Path) -> None:
    path, board = layers(tmp_path / "m.onnx", SIZES), small_board(tmp_path)
    made = built(path, mode="dataflow", board=board, interval=20_000, verify=False)
    assert list(made.graph.fixed) == [max(made.graph.fixed, key=lambda t: made.graph.fixed[t].size)]
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
