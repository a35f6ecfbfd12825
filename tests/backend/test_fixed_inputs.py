"""Inputs that take the same in each frame, as weights from external memory do: over the stand-in for PYNQ, the simulator, and in C."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend.test_c_driver import Axi, Io, Library, Registers
from tests.backend.test_driver_board import SETUP, Setting, on_board
from tests.dataflow.test_stream_weights import layers

DMAS = [f"axi_dma_{i}" for i in range(4)]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("fixed")
    made = on_board(layers(folder / "m.onnx", (12, 20, 9, 7)), folder, interval=60, stream_weights="all")
    yield made
    for device in made.devices:
        device.close()


@pytest.mark.parametrize(("limit", "length_bits"), [(0, 26), (2, 26), (0, 6)])
def test_frames_in_parts(limit: int, length_bits: int, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one part, in parts of two frames, and where a transfer holds less than a frame's weights: these are in memory once."""
    board = setting.board(monkeypatch, DMAS, DMAS[:1], length_bits=length_bits)
    driver = setting.driver(frames=limit)
    assert [p.fixed is None for p in driver.inputs] == [True, False, False, False] and len(driver.fed) == 1
    largest = max(p.beats * p.bytes for p in driver.inputs if p.fixed is not None)
    assert (largest > 2**length_bits) == (length_bits == 6)
    for frames in (1, 9, 5):
        feeds = setting.feeds(frames)
        setting.check(driver.run(feeds), feeds)
    starts = board.log.count("axi_dma_1.send transfer")
    assert starts >= (1 if length_bits == 26 else 15 * -(-largest // 2**length_bits) // 4)
    driver.close()
    assert all(buffer.freed for buffer in (found() for found in board.allocated) if buffer is not None)


def test_weights_bring_the_full_rate(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The design counts no more than latency, 63 intervals and the start of a transfer."""
    setting.board(monkeypatch, DMAS, DMAS[:1])
    driver = setting.driver()
    setting.check(driver.run(feeds := setting.feeds(64)), feeds)
    timing = setting.made.timing
    found = driver.counters()
    assert found["counted_frames"] == 64
    assert found["cycles"] <= timing.latency_cycles + 63 * timing.interval_cycles + 20 * SETUP


def test_over_the_simulator(setting: Setting) -> None:
    driver = setting.module.Driver(setting.folder)
    import sys

    sys.path.insert(0, str(setting.folder))
    try:
        driver.open(simulator=setting.folder, rtl=setting.folder / "rtl", program=setting.program)
        setting.check(driver.run(feeds := setting.feeds(5)), feeds)
        assert driver.throughput(3)["frames"] == 3
        driver.close()
    finally:
        sys.path.remove(str(setting.folder))


class Wide(ctypes.Structure):
    """dfc_axi for four inputs and an output."""

    _fields_ = [*Axi._fields_[:5], ("send", ctypes.c_uint64 * 4), ("receive", ctypes.c_uint64), ("polls", ctypes.c_uint32)]


def test_in_c(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller reads the files of the weights once; channels that are done are started again for each frame."""
    monkeypatch.syspath_prepend(setting.folder)
    import dfc_simulator  # type: ignore[import-not-found]

    library = Library(setting.folder)
    driver, c, frames = library.driver, library.c, 7
    device = dfc_simulator.Device([str(setting.program)], setting.folder / "rtl", SETUP)
    registers = Registers(device, 4, 1)
    bases = [registers.BASE + i * registers.STRIDE for i in range(4)]
    calls = (
        Axi.READ(lambda _, address: registers.read(address)),
        Axi.WRITE(lambda _, address, value: registers.write(address, value)),
        Axi.PHYSICAL(lambda _, memory: memory),
    )
    axi = Wide(*calls, None, registers.CORE, (ctypes.c_uint64 * 4)(*bases), bases[0], 1000)
    assert c.dfc_axi_open(ctypes.byref(axi)) == 0
    io = Io(ctypes.cast(c.dfc_axi_transfer, ctypes.c_void_p), ctypes.addressof(axi))
    feeds = setting.feeds(frames)
    codes = np.ascontiguousarray(driver.encode(feeds)[0], library.kind)
    results = [np.zeros((frames, *p.shape), library.kind) for p in driver.outputs]
    sent = [np.zeros((frames * p.beats, p.bytes), np.uint8) if p.fixed is None else np.array(p.fixed) for p in driver.inputs]
    received = [np.zeros((frames * p.beats, p.bytes), np.uint8) for p in driver.outputs]

    def pointers(arrays: list[Any]) -> Any:
        return (ctypes.c_void_p * len(arrays))(*(None if a is None else a.ctypes.data for a in arrays))

    arguments = [pointers(a) for a in ([codes, None, None, None], results, sent, received)]
    assert c.dfc_run(ctypes.byref(io), *arguments, ctypes.c_size_t(frames)) == 0
    setting.check(next(iter(driver.decode([np.asarray(r, np.int64) for r in results]).values())), feeds)
    registers.stuck = True
    assert c.dfc_run(ctypes.byref(io), *arguments, ctypes.c_size_t(frames)) in (-3, -4)
    device.close()


def test_the_files_hold_the_weights(setting: Setting) -> None:
    """Each file is a frame's beats of its port, and the driver reads the weights back from them."""
    graph, driver = setting.made.graph, setting.module.Driver(Path(setting.folder))
    for port in driver.inputs[1:]:
        np.testing.assert_array_equal(port.unpack(port.fixed)[0], graph.fixed[port.name])
