"""Drivers of designs whose frames go on from one another: over the stand-in for PYNQ, the simulator, and in C, until they are reset."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend.test_driver_board import SETUP, Setting, settled, two_by_two
from tests.recurrent import Network
from tests.streamline.test_roll import built
from tests.streamline.test_streaming import long_sequence

NETWORK = Network("elman", 2, 3, 4, outputs=("ys",))
RESTART = "write 0x40 "


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("streaming")
    found = settled(built(NETWORK, folder, streaming=True), folder)
    yield found
    for device in found.devices:
        device.close()


def check(found: Any, wanted: np.ndarray) -> None:
    assert np.array_equal(np.reshape(next(iter(found.values())) if isinstance(found, dict) else found, wanted.shape), wanted)


def frames_in_parts(run: Any, reset: Any) -> None:
    """Two calls are one sequence; behind a reset another one begins."""
    x = NETWORK.inputs(11)
    first, second = long_sequence(NETWORK, x[:8])["ys"], long_sequence(NETWORK, x[8:])["ys"]
    check(run(x[:5]), first[:5])
    check(run(x[5:8]), first[5:])
    reset()
    check(run(x[8:10]), second[:2])
    check(run(x[10:]), second[2:])
    reset()
    reset()
    check(run(x[:5]), first[:5])


@pytest.mark.parametrize("limit", [0, 2])
def test_over_pynq(limit: int, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in parts of two frames, of which only the first may restart: an HLS design looks at the register when a part begins."""
    board = setting.board(monkeypatch)
    driver = setting.driver(frames=limit)
    frames_in_parts(driver.run, driver.reset)
    writes = [line for line in board.log if line.startswith((RESTART, "write 0x0 "))]
    starts = [
        writes[i - 1].removeprefix(RESTART) if i and writes[i - 1].startswith(RESTART) else "" for i, w in enumerate(writes) if "0x0 " in w
    ]
    restarted = False
    for value in starts:  # what the register holds when each part begins, as HLS sees it
        restarted = value == "1" if value else restarted
        assert not (restarted and not value), "a part behind one that restarts would restart as well"
    assert starts.count("1") == 3 and starts[0] == "1"


def test_over_the_simulator(setting: Setting) -> None:
    driver = setting.module.Driver(setting.folder)
    driver.open(simulator=setting.folder / "sim", program=setting.program)
    frames_in_parts(driver.run, driver.reset)
    driver.close()
    with pytest.raises(RuntimeError, match="call open first"):
        driver.reset()


def test_in_c(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.backend.test_c_driver import Axi, Io, Library, Registers

    monkeypatch.syspath_prepend(setting.folder)
    import dfc_simulator  # type: ignore[import-not-found]

    class One(ctypes.Structure):
        """dfc_axi for one input and one output."""

        _fields_ = [(n, ctypes.c_uint64 if n in ("send", "receive") else t) for n, t in Axi._fields_]

    library = Library(setting.folder)
    device = dfc_simulator.Device([str(setting.program)], setting.folder / "rtl", SETUP)
    setting.devices.append(device)
    registers, log = Registers(device, 1, 1), list[tuple[int, int]]()

    def write(_: Any, address: int, value: int) -> None:
        log.append((address - registers.CORE, value))
        registers.write(address, value)

    calls = (Axi.READ(lambda _, address: registers.read(address)), Axi.WRITE(write), Axi.PHYSICAL(lambda _, memory: memory))
    axi = One(*calls, None, registers.CORE, registers.BASE, registers.BASE, 1000)
    io = Io(ctypes.cast(library.c.dfc_axi_transfer, ctypes.c_void_p), ctypes.addressof(axi))
    assert library.c.dfc_axi_open(ctypes.byref(axi)) == 0

    def run(x: np.ndarray) -> Any:
        driver, frames = library.driver, len(x)
        arrays: list[list[np.ndarray]] = [
            [np.ascontiguousarray(q, library.kind) for q in driver.encode(x)],
            [np.zeros((frames, *p.shape), library.kind) for p in driver.outputs],
            *([np.zeros((frames * p.beats, p.bytes), np.uint8) for p in side] for side in (driver.inputs, driver.outputs)),
        ]
        pointers = [(ctypes.c_void_p * len(a))(*(v.ctypes.data for v in a)) for a in arrays]
        assert library.c.dfc_run(ctypes.byref(io), *pointers, ctypes.c_size_t(frames)) == 0
        return driver.decode([np.asarray(r, np.int64) for r in arrays[1]])

    frames_in_parts(run, lambda: library.c.dfc_axi_reset(ctypes.byref(axi)))
    words = [(at, value) for at, value in log if at in (0x00, 0x40)]
    values = [next(v for at, v in reversed(words[:i]) if at == 0x40) for i, w in enumerate(words) if w[0] == 0]
    assert values == [1, 0, 1, 0, 1], "what an HLS design reads when each batch begins"


def test_a_design_without_states_has_nothing_to_reset(tmp_path: Path) -> None:
    from tests.backend.test_driver import load
    from tests.backend.test_driver_board import on_board

    driver = load(on_board(two_by_two(), tmp_path).folder).Driver()
    with pytest.raises(RuntimeError, match="without --streaming"):
        driver.reset()


CALLS = """
#include "{top}.hpp"
#include <cstdio>
int main() {{
  hls::stream<dfc::AxiBeat<8 * {in_bytes}>> in;
  hls::stream<dfc::AxiBeat<8 * {out_bytes}>> out;
  std::uint32_t version = 0, low = 0, high = 0;
  unsigned frames, restart, word;
  while (std::scanf("%u %u", &frames, &restart) == 2) {{
    for (unsigned i = 0; i < frames * {in_beats}; i++) {{
      if (std::scanf("%x", &word) != 1) return 1;
      dfc::AxiBeat<8 * {in_bytes}> beat;
      beat.data = word;
      in.write(beat);
    }}
    {top}(in, out, frames, restart, version, low, high);
    for (unsigned i = 0; i < frames * {out_beats}; i++) std::printf("%x\\n", unsigned(out.read().data.to_uint()));
  }}
}}
"""


def test_calls_of_the_cpp(setting: Setting, tmp_path: Path) -> None:
    """Each call restarts or goes on, as its argument has it."""
    from dfcompile.emit.hls import emit_hls
    from dfcompile.emit.interface import Interface
    from dfcompile.run.compile import STANDARD
    from dfcompile.toolchain import require_tool

    emit_hls(setting.made.design, tmp_path)
    interface = Interface.of(setting.made.design)
    (given,), (made,) = interface.inputs, interface.outputs
    sizes = {"in_bytes": given.bytes, "out_bytes": made.bytes, "in_beats": given.beats, "out_beats": made.beats}
    sources = [p.name for p in sorted(tmp_path.glob("*.cpp")) if p.name != "testbench.cpp"]
    # As one file: the headers alone take seconds.
    text = "".join(f'#include "{name}"\n' for name in sources)
    (tmp_path / "calls.cc").write_text(CALLS.format(top=interface.names.top, **sizes) + text)
    flags = [STANDARD, "-O0", "-w", "-I.", "-Isimulation", "-isystem", str(require_tool("ap_int").path)]
    subprocess.run([str(require_tool("g++").path), *flags, "calls.cc", "-o", "calls"], cwd=tmp_path, check=True)
    driver, reset, text = setting.module.Driver(setting.folder), True, ""
    parts = list[int]()

    def run(x: np.ndarray) -> Any:
        nonlocal reset, text
        words = driver.inputs[0].pack(driver.encode(x)[0])
        text += f"{len(x)} {int(reset)}\n" + "".join(f"{int.from_bytes(w.tobytes(), 'little'):x}\n" for w in words)
        reset = False
        parts.append(len(x))
        done = subprocess.run([tmp_path / "calls"], input=text, capture_output=True, text=True, check=True).stdout.split()
        beats = np.array([list(int(w, 16).to_bytes(made.bytes, "little")) for w in done], np.uint8)
        return driver.decode([driver.outputs[0].unpack(beats)[-len(x) :]])

    def again() -> None:
        nonlocal reset
        reset = True

    frames_in_parts(run, again)
    assert parts == [5, 3, 2, 1, 5]
