"""The driver's way over a board: batches through a strict stand-in for PYNQ, whose design is the emitted RTL under Verilator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import dfcompile as dfc
from dfcompile.emit.driver import emit_driver
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import harness_ports
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.run.compile import build_harness
from dfcompile.timing.solve import solve
from tests.backend.pynq_mock import POLL, Board
from tests.backend.test_driver import load
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random

DMAS = ["axi_dma_0", "axi_dma_1"]
SETUP = 40  # cycles from the start of a transfer to its first beat


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


class Setting:
    """A build on a board."""

    def __init__(self, made: DataflowAccelerator, folder: Path, program: Path) -> None:
        self.made, self.folder, self.program = made, folder, program
        self.module = load(folder)
        self.devices: list[Any] = []

    def board(
        self, monkeypatch: pytest.MonkeyPatch, inputs: list[str] | None = None, outputs: list[str] | None = None, **more: Any
    ) -> Board:
        graph = self.made.design.graph
        names = [inputs or DMAS[: len(graph.inputs)], outputs or DMAS[: len(graph.outputs)]]
        monkeypatch.syspath_prepend(self.folder)
        import dfc_simulator  # type: ignore[import-not-found]

        device = dfc_simulator.Device([str(self.program)], self.folder / "rtl", SETUP)
        self.devices.append(device)
        board = Board(device, *names, **more)
        board.install(monkeypatch)
        return board

    def driver(self, names: list[str] | None = None, **settings: Any) -> Any:
        driver = self.module.Driver(self.folder)
        driver.open(self.folder / "design.bit", names, **settings)
        return driver

    def feeds(self, frames: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(1)
        return {name: rng.uniform(-2, 4, (frames, *shape)) for name, shape in self.made.host.input_shapes.items()}

    def check(self, found: Any, feeds: dict[str, np.ndarray]) -> None:
        wanted = self.made.run(feeds)
        found, wanted = (r if isinstance(r, dict) else {"y": r} for r in (found, wanted))
        assert found.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_array_equal(np.float32(found[name]), wanted[name])


def on_board(proto: onnx.ModelProto | Path, folder: Path, **options: Any) -> Setting:
    """Build a model for a board, with something that looks like a bitstream."""
    path = proto if isinstance(proto, Path) else folder / "model.onnx"
    if not isinstance(proto, Path):
        onnx.save(proto, path)
    return settled(dfc.build(path, mode="dataflow", verify=False, **options), folder)


def settled(made: dfc.Accelerator, folder: Path) -> Setting:
    """A build with its driver and its simulator in a folder."""
    assert isinstance(made, DataflowAccelerator)
    emit_driver(made.design, made.host, folder)
    emit_rtl(made.design, folder / "rtl")
    for end in ("bit", "hwh"):
        (folder / f"design.{end}").touch()
    top = Interface.of(made.design).names.top
    return Setting(made, folder, build_harness(folder / "rtl", top, harness_ports(made.design), 0))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    setting = on_board(two_by_two(), tmp_path_factory.mktemp("two"))
    yield setting
    for device in setting.devices:
        device.close()


@pytest.mark.parametrize("names", [None, ["left", "right", "left", "right"], ["first", "second", "third", "fourth"]])
def test_frames_in_and_out(names: list[str] | None, two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch, *((names[:2], names[2:]) if names else (None, None)))
    driver = two.driver(names)
    for frames in (1, 3, 70, 2):
        feeds = two.feeds(frames)
        two.check(driver.run(feeds), feeds)


def test_a_batch_is_one_transfer_at_the_full_rate(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 frames: latency and 63 intervals at most; outside of the design the start of a transfer and the looks at its end.

    At most: the design rests before the batch, and is ready for all of its inputs then, which it is not right after reset.
    """
    board = two.board(monkeypatch)
    driver, frames = two.driver(), 64
    feeds = two.feeds(frames)
    start = board.device.cycles()
    two.check(driver.run(feeds), feeds)
    spent = board.device.cycles() - start
    transfers = [line for line in board.log if "transfer" in line]
    assert sorted(transfers) == sorted(f"{n}.{way} transfer" for n in DMAS for way in ("send", "recv"))
    predicted = solve(two.made.design, frames=frames)
    cycles = driver.counters()["cycles"]
    assert driver.counters()["counted_frames"] == frames and cycles <= predicted.frame_done[-1] + 1
    driver.run(two.feeds(24))
    assert cycles - driver.counters()["cycles"] == (frames - 24) * predicted.interval_cycles
    registers = 16  # cycles of their accesses
    assert spent <= predicted.latency_cycles + (frames - 1) * predicted.interval_cycles + SETUP + registers + 8 * POLL


@pytest.mark.parametrize(("frames", "limit", "batches"), [(13, 5, [5, 3]), (10, 5, [5]), (3, 5, [3]), (7, 1, [1])])
def test_two_parts_are_under_way_at_once(
    frames: int, limit: int, batches: list[int], two: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = two.board(monkeypatch)
    driver = two.driver(frames=limit)
    feeds = two.feeds(frames)
    two.check(driver.run(feeds), feeds)
    assert [line for line in board.log if line.startswith("write 0x10")] == [f"write 0x10 {n}" for n in batches]
    ways = [line.removeprefix("axi_dma_0.") for line in board.log if line.startswith("axi_dma_0")]
    if frames == 10:  # the second part is sent before the results of the first are taken
        first = ["recv transfer", "send transfer", "send wait", "send transfer", "recv wait", "recv transfer", "send wait", "recv wait"]
        assert ways == first
    assert ways.count("send transfer") == ways.count("recv wait") == -(-frames // limit)


def test_buffers_are_allocated_once(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    board = two.board(monkeypatch)
    driver = two.driver()
    for _ in range(4):
        driver.run(two.feeds(16))
    assert board.buffers == 8  # two for each stream
    driver.run(two.feeds(20))
    assert board.buffers == 16
    driver.close()
    assert all(b() is None or b().freed for b in board.allocated)  # type: ignore[union-attr]


def test_results_outlive_the_buffers(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch)
    driver = two.driver()
    beats = [p.pack(c) for p, c in zip(driver.inputs, driver.encode(two.feeds(2)), strict=True)]
    found = driver.transfer(beats)
    kept = [f.copy() for f in found]
    driver.close()
    assert not any(hasattr(f, "physical_address") for f in found)
    assert all(np.array_equal(f, k) for f, k in zip(found, kept, strict=True))


def test_no_frames(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch)
    found = two.driver().run(two.feeds(0))
    assert {name: y.shape for name, y in found.items()} == {"y": (0, 3), "u": (0, 5)}


def test_a_short_length_register_means_shorter_parts(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DMA whose length register was left at 14 bits, or shorter."""
    two.board(monkeypatch, length_bits=6)
    feeds = two.feeds(40)
    two.check(two.driver().run(feeds), feeds)


def test_another_bitstream_is_refused(two: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch)
    data = json.loads((two.folder / "driver.json").read_text())
    other = f"{int(data['hash'], 16) ^ 1 << 40:016x}"
    for file in two.folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "driver.json").write_text(json.dumps(data | {"hash": other}))
    driver = two.module.Driver(tmp_path)
    with pytest.raises(RuntimeError, match=f"not this design: its hash is {data['hash']}, that of this build {other}"):
        driver.open(two.folder / "design.bit")
    with pytest.raises(RuntimeError, match="call open first"):
        driver.run(two.feeds(1))


def test_a_transfer_that_does_not_end_is_given_up(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    board = two.board(monkeypatch)
    driver = two.driver(seconds=0.05)
    board.dmas["axi_dma_1"].recvchannel.stuck = True
    with pytest.raises(RuntimeError, match=r"axi_dma_1: the transfer is not done after 0\.05 s"):
        driver.run(two.feeds(2))
    with pytest.raises(RuntimeError, match="an earlier transfer failed"):
        driver.run(two.feeds(2))


def test_results_of_another_length_are_told(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """tlast comes too early: the design was told of fewer frames than were sent."""
    board = two.board(monkeypatch)
    driver = two.driver()
    driver.run(two.feeds(4))
    board.device.write(0x10, 3)
    with pytest.raises(RuntimeError, match=r"axi_dma_0: \d+ bytes came where 4 frames have \d+"):
        driver.run(two.feeds(4))


def test_validate_and_throughput(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch)
    driver = two.driver()
    feeds = two.feeds(9)
    wanted = {name: y.copy() for name, y in two.made.run(feeds).items()}
    assert driver.validate(feeds, wanted) == {"frames": 9, "mismatches": 0, "first_mismatch": None}
    wanted["u"][5, 2] += 1
    wanted["y"][7, 0] += 1
    assert driver.validate(feeds, wanted) == {"frames": 9, "mismatches": 2, "first_mismatch": 5}
    measured = driver.throughput(30)
    assert measured["frames"] == measured["counted_frames"] == 30 and measured["frames_per_s"] > 0
    assert 30 * two.made.timing.interval_cycles <= measured["cycles"] <= solve(two.made.design, frames=30).frame_done[-1] + 1


def test_over_the_simulator(two: Setting) -> None:
    driver = two.module.Driver(two.folder)
    driver.open(simulator=two.folder / "sim", program=two.program)
    feeds = two.feeds(17)
    two.check(driver.run(feeds), feeds)
    assert driver.counters()["counted_frames"] == 17
    driver.transport.limit = 3
    with pytest.raises(RuntimeError, match="output 0 is not done after 3 cycles"):
        driver.run(feeds)
    driver.close()
    driver.close()


@pytest.mark.further
def test_the_makefile_builds_the_simulator(examples: Path, tmp_path: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode="dataflow")
    made.save(tmp_path / "out")
    driver = load(tmp_path / "out" / "driver").Driver()
    driver.open(simulator=tmp_path / "out" / "sim")
    with np.load(examples / "digits_mlp_w1a1.npz") as data:
        x = data["images"][:20]
    assert driver.validate(x, made.run(x)) == {"frames": 20, "mismatches": 0, "first_mismatch": None}
    driver.close()


def test_one_transport_is_named(two: Setting) -> None:
    with pytest.raises(ValueError, match="name one of bitstream, simulator and port"):
        two.module.Driver(two.folder).open()


def test_without_a_board(two: Setting) -> None:
    with pytest.raises(RuntimeError, match="call open"):
        two.module.Driver(two.folder).run(two.feeds(1))


def test_too_few_names(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    two.board(monkeypatch)
    with pytest.raises(ValueError, match="4 streams need as many names of DMAs, given: left, right"):
        two.driver(["left", "right"])


class TestTheMock:
    """What the stand-in refuses is what a board would do wrong silently."""

    @pytest.fixture
    def channels(self, two: Setting, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
        board = two.board(monkeypatch, length_bits=8)
        allocate = __import__("pynq").allocate
        return board.dmas["axi_dma_0"].sendchannel, board.dmas["axi_dma_0"].recvchannel, allocate

    def test_ordinary_memory(self, channels: tuple[Any, Any, Any]) -> None:
        with pytest.raises(AssertionError, match="not from allocate"):
            channels[0].transfer(np.zeros(8, np.uint8))

    def test_a_busy_channel(self, channels: tuple[Any, Any, Any]) -> None:
        buffer = channels[2]((8,), np.uint8)
        channels[1].transfer(buffer)
        with pytest.raises(RuntimeError, match="not idle"):
            channels[1].transfer(buffer)

    def test_a_long_transfer(self, channels: tuple[Any, Any, Any]) -> None:
        with pytest.raises(ValueError, match="maximum DMA buffer size 255"):
            channels[0].transfer(channels[2]((256,), np.uint8))

    def test_waiting_for_nothing(self, channels: tuple[Any, Any, Any]) -> None:
        with pytest.raises(RuntimeError, match="not started"):
            channels[0].wait()

    def test_a_buffer_that_changes_while_sent(self, two: Setting, channels: tuple[Any, Any, Any]) -> None:
        size = two.made.design.streams()[two.made.design.graph.inputs[0]].beats
        buffer = channels[2]((size,), np.uint8)
        buffer[:] = 0
        channels[0].transfer(buffer)
        buffer[0] = 1
        with pytest.raises(AssertionError, match="changed while it was sent"):
            while not channels[0].idle:
                pass


def test_a_tensor_that_is_two_outputs_is_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """y and its reshape: the hardware has one output, the driver one DMA for it."""
    nodes = [
        quant("x", "xq"),
        quant("a", "aq"),
        helper.make_node("MatMul", ["xq", "aq"], ["y"]),
        helper.make_node("Reshape", ["y", "to"], ["t"]),
    ]
    held = constants(a=2 * random(4, 6), to=np.asarray([1, 2, 3]))
    one = on_board(model(nodes, {"x": (1, 4)}, ["y", "t"], held), tmp_path)
    assert len(one.made.design.graph.outputs) == 1
    one.board(monkeypatch)
    feeds = one.feeds(2)
    one.check(one.driver().run(feeds), feeds)
    one.devices[0].close()
