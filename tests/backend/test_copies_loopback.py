"""Several loopback engines on a board: their rate, their scripts for Vivado, and the drivers in Python and C that have them take turns."""

from __future__ import annotations

import ctypes
import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.device.boards import find_board
from dfcompile.device.copies import engines_cycles, held, wired_engines
from dfcompile.device.feed import engine_cycles
from dfcompile.emit.engine import REGISTERS
from dfcompile.emit.loopback import emit_loopback_driver
from dfcompile.errors import CompileError
from dfcompile.loopback.program import to_bytes
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.summary import lines_of
from tests.backend.test_c_loopback import ENGINE, EngineTable, Library
from tests.backend.test_driver import load
from tests.backend.test_loopback_driver import SMALL, Registers, Slow, inputs_of
from tests.examples import examples as many

ONE_PORT = """
name = "one"
part = "xc7z020clg400-1"
family = "xc7"
clock = 100
lut = 53200
ff = 106400
bram36 = 140
dsp = 220
bandwidth = 4.2
ports = 1
port_bits = 64
[vivado]
kind = "zynq-7000"
board_part = ""
"""


@given(st.sampled_from(["pynq-z2", "kv260"]), st.integers(1, 16), st.integers(0, 10**7), st.integers(1, 10**6))
@many(100)
def test_the_memory_bounds_them(name: str, copies: int, moved: int, interval: int) -> None:
    """As many times faster until the memory moves no more; where they share ports, until the one with most of them does not."""
    board = find_board(name)
    found = engines_cycles(board, moved, 100, interval, copies)
    assert found >= interval / copies and found >= engine_cycles(board, moved, 100)
    if copies % board.ports == 0 or copies < board.ports:
        assert found == pytest.approx(max(interval / copies, engine_cycles(board, moved, 100)))
    else:
        assert found * copies >= math.ceil(copies / board.ports) * moved * 8 / board.port_bits * (1 - 1e-9)


@pytest.fixture(scope="module")
def made(examples: Path) -> LoopbackAccelerator:
    found = dfc.build(
        examples / "digits_cnn_w2a2.onnx", mode="loopback", board="pynq-z2", copies=3, folding={"engine": SMALL | {"batch": 2}}
    )
    assert isinstance(found, LoopbackAccelerator)
    return found


def test_what_the_report_tells(made: LoopbackAccelerator) -> None:
    report, board = made.report, find_board("pynq-z2")
    copies = report["copies"]
    assert copies["count"] == 3 and copies["resources"]["lut"] == 3 * report["resources"]["lut"] <= board.budget["lut"]
    assert report["timing"]["fps"] == pytest.approx(3 * 100e6 / float(report["timing"]["interval_cycles"]))
    assert copies["fit"] == max(3, min(held(report["resources"], board), wired_engines(board)))
    size, *_, area = [line for line in lines_of(report) if "layers" in line or "estimated" in line]
    assert "in each of 3 copies" in size and f"estimated {copies['resources']['lut']:,.0f} of" in area
    page = made.page()
    assert "share the frames" in page and f"{copies['resources']['lut']:,.0f} of" in page


def test_it_is_loaded_again(made: LoopbackAccelerator, tmp_path: Path) -> None:
    made.save(tmp_path / "out")
    again = dfc.load(tmp_path / "out")
    assert isinstance(again, LoopbackAccelerator) and again.copies == 3
    x = inputs_of(made, 3)
    np.testing.assert_array_equal(again.run(x), made.run(x))
    assert json.loads((tmp_path / "out" / "driver" / "driver.json").read_text())["copies"] == 3


@pytest.mark.parametrize("copies", [3, 5])
@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_vivado_takes_the_scripts(made: LoopbackAccelerator, board: str, copies: int, tmp_path: Path) -> None:
    """The strict stand-in wires every engine; no memory port serves two more masters of a kind than another."""
    pytest.importorskip("tkinter", reason="Python was built without Tcl")
    from dfcompile.emit.engine import TOP, emit_rtl_engine
    from dfcompile.emit.vivado import emit_vivado
    from dfcompile.options import Options
    from tools.vivado_strict import Vivado

    emit_rtl_engine(made.config, tmp_path / "rtl", whole=True)
    emit_vivado(TOP, Options(board=board, copies=copies, mode="loopback").kept(), tmp_path / "rtl", tmp_path / "vivado")
    (tmp_path / "work").mkdir()
    Vivado().run(tmp_path / "vivado" / "design.tcl", tmp_path / "work")
    assert (tmp_path / "work" / "design.bit").exists()
    text, ports = (tmp_path / "vivado" / "design.tcl").read_text(), find_board(board).ports
    for kind in ("program", "data"):
        links = re.findall(rf"^link (accelerator\w*)/m_axi_{kind} memory_bus_(\d)/", text, re.MULTILINE)
        assert len({core for core, _ in links}) == copies
        counts = [[p for _, p in links].count(str(i)) for i in range(ports)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"board": "alveo-u250", "copies": 2}, "32-bit addresses"),
        ({"board": "one", "copies": 9}, "ask for at most 8"),
        ({"board": "pynq-z2", "copies": 8, "folding": {"engine": SMALL}}, "8 of the given engine do not fit(.|\n)*they take"),
        ({"board": "pynq-z2", "copies": 16}, "no loopback engine fits"),
        ({"board": "pynq-z2", "copies": 3, "folding": {"engine": SMALL}, "fps": 10**6}, "3 loopback engines make no frame in 100 cycles"),
    ],
)
def test_refused(options: dict[str, Any], said: str, examples: Path, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(ONE_PORT)
    board = tmp_path / "one.toml" if options["board"] == "one" else options["board"]
    with pytest.raises(CompileError, match=said):
        dfc.build(examples / "digits_cnn_w2a2.onnx", mode="loopback", verify=False, **options | {"board": board})


def test_as_many_as_bring_the_rate(examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Auto finds no fewer frames than any number tried by hand; a rate takes no more engines than it needs."""
    path = examples / "digits_cnn_w2a2.onnx"
    by_hand = [dfc.build(path, mode="loopback", board="pynq-z2", copies=n, verify=False).report["timing"]["fps"] for n in (1, 2, 3)]
    best = dfc.build(path, mode="loopback", board="pynq-z2", copies="auto", verify=False)
    assert best.copies > 1 and best.report["timing"]["fps"] >= max(by_hand) * 0.999
    asked = (by_hand[0] + by_hand[1]) / 2
    arguments = [str(path), "--mode", "loopback", "--board", "pynq-z2", "--copies", "auto", "--fps", str(asked), "--no-verify"]
    assert main(["build", *arguments, "-o", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    assert dfc.load(tmp_path / "out").copies == 2


@pytest.mark.further
def test_the_choice_between_modes_is_of_all_copies(examples: Path) -> None:
    """What `mode_choice` says of loopback is of as many engines as pay, whatever there are of the design."""
    path = examples / "digits_cnn_w2a2.onnx"
    engines = dfc.build(path, mode="loopback", board="pynq-z2", copies="auto", verify=False)
    found = dfc.build(path, mode="auto", board="pynq-z2", copies="auto", verify=False)
    choice = found.report["mode_choice"]
    assert choice[found.mode]["fps"] == pytest.approx(found.report["timing"]["fps"])
    one = dfc.build(path, mode="auto", board="pynq-z2", verify=False).report["mode_choice"]
    assert choice["loopback"]["fps"] > 1.2 * one["loopback"]["fps"]
    assert choice["loopback"]["fps"] <= engines.report["timing"]["fps"] * 1.001


def test_explore_tells_what_is_built(examples: Path, tmp_path: Path) -> None:
    """The engines of a point, built, have the rate that explore tells of them."""
    path = examples / "digits_mlp_w1a1.onnx"
    point = dfc.explore([path], board="pynq-z2", mode="loopback")["best"]
    engine = {k: v for k, v in point.items() if k in dfc.build(path, mode="loopback", verify=False).report["engine"]}
    assert point["copies"] >= 1
    found = dfc.build(path, mode="loopback", board="pynq-z2", copies=point["copies"], folding={"engine": engine}, verify=False)
    assert found.report["timing"]["fps"] == pytest.approx(point["copies_fps"], abs=0.1)


class Turns(Slow):
    """Tells the order of what happens to engines."""

    def __init__(self, name: int, told: list[tuple[str, int]], *settings: Any) -> None:
        super().__init__(*settings)
        self.name, self.told = name, told

    def write(self, offset: int, value: int) -> None:
        if offset == REGISTERS["control"]:
            self.told.append(("start", self.name))
        super().write(offset, value)

    def run(self, address: int, size: int) -> None:
        super().run(address, size)
        self.told.append(("done", self.name))


def memory_of(device: int, size: int) -> tuple[np.ndarray, int]:
    return np.zeros(size, np.uint8), 4096 * (3 * device + 1)


def test_engines_take_turns(made: LoopbackAccelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PYNQ opens them: each with its memory and name; all work before the first is waited for; frames come back in their order."""
    emit_loopback_driver(made.program, made.host, made.codes, made.name, tmp_path, 3)
    driver, told, engines = load(tmp_path).Driver(), list[tuple[str, int]](), dict[str, Turns]()
    loads, memories = [], list[Any]()

    class Allocated(np.ndarray):
        physical_address: int

    def allocate(shape: tuple[int], dtype: Any) -> Any:
        memory, base = memory_of(len(memories), shape[0])
        found = memory.view(Allocated)
        found.physical_address = base
        memories.append(found)
        return found

    class Overlay:
        def __init__(self, bitstream: str) -> None:
            loads.append(bitstream)

        def __getattr__(self, name: str) -> Any:
            k = len(memories) - 1
            assert name == ("accelerator" if k == 0 else f"accelerator_{k}")
            engines[name] = Turns(k, told, made.config, memories[k], memories[k].physical_address)
            return engines[name]

    module: Any = ModuleType("pynq")
    module.Overlay, module.allocate = Overlay, allocate
    monkeypatch.setitem(sys.modules, "pynq", module)
    driver.open("design.bit")
    assert loads == ["design.bit"] and len(engines) == 3
    for frames in (1, 5, 6, 13):
        x = inputs_of(made, frames)
        told.clear()
        np.testing.assert_array_equal(np.float32(driver.run(x)), made.run(x))
        runs = -(-frames // 2)
        assert [k for what, k in told if what == "start"] == [i % 3 for i in range(runs)]
        assert [what for what, _ in told[: min(3, runs)]] == ["start"] * min(3, runs)
    assert driver.cycles == 7 | 1 << 32


def test_after_an_error_the_others_are_waited_for(made: LoopbackAccelerator, tmp_path: Path) -> None:
    emit_loopback_driver(made.program, made.host, made.codes, made.name, tmp_path, 2)
    driver, told = load(tmp_path).Driver(), list[tuple[str, int]]()
    engines = []
    for k in range(2):
        memory, base = memory_of(k, len(driver.image))
        engines.append(Turns(k, told, made.config, memory, base))
        driver.attach(engines[k], memory, base, k)
    engines[0].values[REGISTERS["error"]] = 5
    x = inputs_of(made, 4)
    with pytest.raises(RuntimeError, match="error WEIGHT"):
        driver.run(x)
    engines[0].values[REGISTERS["error"]] = 0
    assert told == [("start", 0), ("start", 1), ("done", 0)]
    np.testing.assert_array_equal(np.float32(driver.run(x)), made.run(x))
    assert told[3] == ("done", 1)


def test_in_c(made: LoopbackAccelerator, tmp_path: Path) -> None:
    """Engines take turns; where one stops with an error, those at work come to their end, and it is told."""
    emit_loopback_driver(made.program, made.host, made.codes, made.name, tmp_path, 3)
    driver = load(tmp_path).Driver()
    library, told = Library(tmp_path, driver), list[tuple[str, int]]()
    registers, tables, memories = [], [], []
    for k in range(3):
        memory, base = memory_of(k, len(driver.image))
        registers.append(Turns(k, told, made.config, memory, base))
        tables.append(library.engine(registers[k], memory, base))
        memories.append(memory)
        assert library.c.dfc_engine_open(ctypes.byref(tables[k])) == 0
    engines = (EngineTable * 3)(*tables)
    codes = driver.encode(inputs_of(made, 11))

    def run() -> tuple[int, np.ndarray]:
        given_, result = np.ascontiguousarray(codes[0], library.kind), np.zeros((11, *driver.outputs[0].shape), library.kind)
        pointers = [(ctypes.c_void_p * 1)(a.ctypes.data) for a in (given_, result)]
        return library.c.dfc_run_all(engines, ctypes.c_size_t(3), *pointers, ctypes.c_size_t(11)), result

    error, result = run()
    wanted = made.graph.execute({made.graph.inputs[0]: codes[0]})[made.graph.outputs[0]]
    assert error == 0 and [k for what, k in told if what == "start"] == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(result, wanted)
    registers[1].values[REGISTERS["error"]] = 5
    told.clear()
    assert run()[0] == ENGINE
    assert sorted(k for what, k in told if what == "start") == sorted(k for what, k in told if what == "done")
    assert engines[1].error == 5


def test_a_memory_is_one_of_its_engine(made: LoopbackAccelerator, tmp_path: Path) -> None:
    """Each memory has the whole image, moved to where it lies."""
    emit_loopback_driver(made.program, made.host, made.codes, made.name, tmp_path, 2)
    driver = load(tmp_path).Driver()
    for k in range(2):
        memory, base = memory_of(k, len(driver.image))
        driver.attach(Registers(made.config, memory, base), memory, base, k)
        np.testing.assert_array_equal(memory, driver.relocated(base))
    x = inputs_of(made, 2)
    port, codes = made.program.inputs[0], made.host.encode(x)[driver.inputs[0].name]
    driver.run(x)
    at = slice(port.address, port.address + 2 * port.image_bytes)
    np.testing.assert_array_equal(driver.engines[0].memory[at], to_bytes(port, codes, made.config.simd))
    assert driver.engines[1].run is None and not driver.engines[1].cycles
