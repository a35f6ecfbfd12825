"""The driver's transfers, on a strict stand-in for PYNQ: two inputs, two outputs, several frames, no two streams alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import dfcompile as dfc
from dfcompile.emit.driver import emit_driver
from dfcompile.mode.dataflow import DataflowAccelerator
from tests.backend.outside import packed, unpacked
from tests.backend.pynq_mock import Board
from tests.backend.test_driver import load
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random

DMAS = ["axi_dma_0", "axi_dma_1"]


def two_by_two() -> onnx.ModelProto:
    """x (1, 4) and v (1, 6): y depends on both, u on v alone."""
    nodes = [
        quant("x", "xq"),
        quant("v", "vq", signed=0),
        helper.make_node("Concat", ["xq", "vq"], ["j"], axis=1),
        quant("a", "aq"),
        quant("c", "cq"),
        helper.make_node("MatMul", ["j", "aq"], ["y"]),
        helper.make_node("MatMul", ["vq", "cq"], ["u"]),
    ]
    return model(nodes, {"x": (1, 4), "v": (1, 6)}, ["y", "u"], constants(a=2 * random(10, 3), c=2 * random(6, 5)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataflowAccelerator, Path]:
    folder = tmp_path_factory.mktemp("two")
    onnx.save(two_by_two(), folder / "two.onnx")
    accelerator = dfc.build(folder / "two.onnx")
    emit_driver(accelerator.design, accelerator.host, folder)
    return accelerator, folder


def board_of(
    accelerator: DataflowAccelerator, monkeypatch: pytest.MonkeyPatch, inputs: list[str] = DMAS, outputs: list[str] = DMAS
) -> Board:
    """A board whose accelerator is the Python engine, with the DMAs of its inputs and of its outputs."""
    graph, streams = accelerator.design.graph, accelerator.design.streams()

    def run(beats: list[np.ndarray]) -> list[np.ndarray]:
        codes = graph.execute({t: unpacked(streams[t], b) for t, b in zip(graph.inputs, beats, strict=True)})
        return [packed(streams[t], codes[t]) for t in graph.outputs]

    board = Board([*inputs, *outputs], inputs, outputs, run)
    board.install(monkeypatch)
    return board


def feeds_of(accelerator: DataflowAccelerator, frames: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(-2, 4, (frames, *shape)) for name, shape in accelerator.host.input_shapes.items()}


def assert_equal(found: Any, wanted: Any) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(np.float32(found[name]), wanted[name])


@pytest.mark.parametrize("names", [None, ["left", "right", "left", "right"], ["first", "second", "third", "fourth"]])
def test_frames_in_and_out(names: list[str] | None, made: tuple[DataflowAccelerator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator, folder = made
    board = board_of(accelerator, monkeypatch, *((names[:2], names[2:]) if names else ()))
    driver = load(folder).Driver()
    driver.open("design.bit", names)
    feeds = feeds_of(accelerator, 3)
    assert_equal(driver.run(feeds), accelerator.run(feeds))
    assert board.frames == 3 and board.is_idle


def test_every_channel_is_started_before_one_is_waited_for(made: tuple[DataflowAccelerator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers first: an output that nothing takes stops the whole accelerator."""
    accelerator, folder = made
    board = board_of(accelerator, monkeypatch)
    driver = load(folder).Driver()
    driver.open("design.bit")
    driver.run(feeds_of(accelerator, 1))
    ways = [line.split(".")[1] for line in board.log]
    assert ways == ["recv transfer"] * 2 + ["send transfer"] * 2 + ["send wait"] * 2 + ["recv wait"] * 2


def test_results_outlive_the_buffers(made: tuple[DataflowAccelerator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator, folder = made
    board_of(accelerator, monkeypatch)
    driver = load(folder).Driver()
    driver.open("design.bit")
    beats = [p.pack(c) for p, c in zip(driver.inputs, driver.encode(feeds_of(accelerator, 1)), strict=True)]
    assert not any(hasattr(b, "physical") for b in driver.transfer(beats))


def test_without_a_board(made: tuple[DataflowAccelerator, Path]) -> None:
    with pytest.raises(RuntimeError, match="call open"):
        load(made[1]).Driver().run(feeds_of(made[0], 1))


def test_a_tensor_that_is_two_outputs_is_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """y and its reshape: the hardware has one output, the driver one DMA for it."""
    nodes = [
        quant("x", "xq"),
        quant("a", "aq"),
        helper.make_node("MatMul", ["xq", "aq"], ["y"]),
        helper.make_node("Reshape", ["y", "to"], ["t"]),
    ]
    held = constants(a=2 * random(4, 6), to=np.asarray([1, 2, 3]))
    onnx.save(model(nodes, {"x": (1, 4)}, ["y", "t"], held), tmp_path / "one.onnx")
    accelerator = dfc.build(tmp_path / "one.onnx")
    assert len(accelerator.design.graph.outputs) == 1
    emit_driver(accelerator.design, accelerator.host, tmp_path)
    board_of(accelerator, monkeypatch, DMAS[:1], DMAS[:1])
    driver = load(tmp_path).Driver()
    driver.open("design.bit")
    feeds = feeds_of(accelerator, 2)
    assert_equal(driver.run(feeds), accelerator.run(feeds))
