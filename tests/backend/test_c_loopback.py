"""The loopback driver in C99: bytes and codes of the Python one, runs on the engine anywhere in memory, errors told."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.loopback import REGISTERS
from dfcompile.loopback.program import to_bytes
from dfcompile.mode.loopback import LoopbackAccelerator
from tests.backend.test_c_driver import Axi, PortTable, compiled
from tests.backend.test_loopback_driver import Registers, Slow, built, inputs_of
from tests.shared import MODELS, needs_models
from tests.test_traps import Model

CORE = 0x43C0_0000
TIMEOUT, ENGINE, ADDRESS, RANGE = -3, -7, -8, -1


class EngineTable(ctypes.Structure):
    """dfc_engine of dfc_loopback.h."""

    HOOK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    _fields_ = [
        ("read", Axi.READ),
        ("write", Axi.WRITE),
        ("flush", HOOK),
        ("invalidate", HOOK),
        ("context", ctypes.c_void_p),
        ("core", ctypes.c_uint64),
        ("memory", ctypes.c_void_p),
        ("base", ctypes.c_uint64),
        ("polls", ctypes.c_uint32),
        ("cycles", ctypes.c_uint64),
        ("error", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
    ]


class Library:
    """The compiled C of a build, beside its Python driver."""

    def __init__(self, folder: Path, driver: Any) -> None:
        self.c, self.driver = ctypes.CDLL(str(compiled(folder))), driver
        self.kind: Any = np.int64 if "typedef int64_t" in (folder / "dfc_design.h").read_text() else np.int32

    def port(self, side: str, i: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self.c, f"dfc_{side}")) + i * ctypes.sizeof(PortTable))

    def pack(self, i: int, codes: np.ndarray) -> tuple[int, np.ndarray]:
        given, images = np.ascontiguousarray(codes, self.kind), np.full((len(codes), self.driver.inputs[i].bytes), 0xA5, np.uint8)
        return self.call("dfc_pack", self.port("inputs", i), given, images, len(codes)), images

    def unpack(self, i: int, images: np.ndarray) -> np.ndarray:
        codes = np.full((len(images), *self.driver.outputs[i].shape), 99, self.kind)
        assert self.call("dfc_unpack", self.port("outputs", i), np.ascontiguousarray(images), codes, len(images)) == 0
        return codes

    def call(self, name: str, port: ctypes.c_void_p, given: np.ndarray, taken: np.ndarray, frames: int) -> int:
        found: int = getattr(self.c, name)(port, *(ctypes.c_void_p(a.ctypes.data) for a in (given, taken)), ctypes.c_size_t(frames))
        return found

    def engine(self, registers: Any, memory: np.ndarray, base: int, cache: Any = None) -> EngineTable:
        """Registers behind an offset, and memory as memory.bin has it."""
        memory[:] = self.driver.image
        read = Axi.READ(lambda _, address: registers.read(address - CORE))
        write = Axi.WRITE(lambda _, address, value: registers.write(address - CORE, value))
        hooks = [EngineTable.HOOK(lambda _, c=call: c()) if cache is not None else EngineTable.HOOK() for call in cache or (None, None)]
        return EngineTable(read, write, *hooks, None, CORE, memory.ctypes.data, base, 1000, 0, 0, 0)

    def run(self, engine: EngineTable, codes: list[np.ndarray]) -> tuple[int, list[np.ndarray]]:
        given = [np.ascontiguousarray(q, self.kind) for q in codes]
        results = [np.zeros((len(codes[0]), *p.shape), self.kind) for p in self.driver.outputs]
        pointers = [(ctypes.c_void_p * len(a))(*(x.ctypes.data for x in a)) for a in (given, results)]
        return self.c.dfc_run(ctypes.byref(engine), *pointers, ctypes.c_size_t(len(codes[0]))), results


def check_bytes(made: LoopbackAccelerator, driver: Any, folder: Path) -> None:
    library, rng = Library(folder, driver), np.random.default_rng(3)
    for i, (port, codes) in enumerate(zip(driver.inputs, driver.encode(inputs_of(made, 3)), strict=True)):
        error, images = library.pack(i, codes)
        assert error == 0
        np.testing.assert_array_equal(images, port.pack(codes))
        wrong = codes.copy()
        wrong.reshape(-1)[-1] = port.hi + 1
        assert library.pack(i, wrong)[0] == RANGE
    for i, port in enumerate(driver.outputs):
        images = rng.integers(0, 256, (4, port.bytes), dtype=np.uint8)
        np.testing.assert_array_equal(library.unpack(i, images), port.unpack(images))


@needs_models
@pytest.mark.parametrize("name", ["b_residual_signed", "digits_mlp_1w1a", "f_gap", "bnnpynq_cnv_1w1a", "bnnpynq_tfc_2w2a_qcdq"])
def test_the_bytes_of_the_python_driver(name: str, tmp_path: Path) -> None:
    """For layouts with planes, gaps, columns and shifts."""
    made, driver = built(MODELS / f"{name}.onnx", tmp_path)
    check_bytes(made, driver, tmp_path)


@pytest.mark.parametrize(("simd", "tall", "rows"), [(8, 3, 3), (16, 3, 3), (32, 3, 1), (8, 5, 3)])
def test_windows_side_by_side(simd: int, tall: int, rows: int, tmp_path: Path) -> None:
    """Rows of windows, or whole ones, that leave the picture on every side: the bytes of the compiler, in Python and in C."""
    m, rng = Model(), np.random.default_rng(5)
    kernel = rng.integers(-7, 8, (20 if rows > 1 else 4, 1 if rows > 1 else 16, tall, 2)) / 8
    x = m.q("x", 1 / 8, 8)
    out = m.op("Conv", x, m.w(kernel, 1 / 8), pads=[1, 0, 2, 1], strides=[2, 1], dilations=[2, 3], kernel_shape=[tall, 2])
    path = m.save(tmp_path / "windows.onnx", out, (1, kernel.shape[1], 11, 9))
    made, driver = built(path, tmp_path, simd=simd)
    assert driver.inputs[0].data["columns"]["rows"] == rows
    check_bytes(made, driver, tmp_path)
    codes = made.host.encode(inputs_of(made, 3))
    for port, driven in zip(made.program.inputs, driver.inputs, strict=True):
        np.testing.assert_array_equal(driven.pack(codes[driven.name]).reshape(-1), to_bytes(port, codes[driven.name], simd))


@pytest.mark.parametrize(("bits", "digit"), [(8, 8), (12, 8), (20, 8), (12, 4)])
def test_wide_codes_in_planes(bits: int, digit: int, tmp_path: Path) -> None:
    """Inputs of one, two and three bytes, or of three digits, negative ones among them."""
    m = Model()
    out = m.op("MatMul", m.q("x", 2.0 ** (1 - bits), bits), m.w(np.arange(-6, 6).reshape(4, 3) / 2, 0.5))
    made, driver = built(m.save(tmp_path / "wide.onnx", out, (1, 4)), tmp_path, act_bits=digit, simd=64 // digit)
    assert driver.inputs[0].place["planes"] == -(-bits // digit)
    check_bytes(made, driver, tmp_path)


@needs_models
@pytest.mark.parametrize(
    ("name", "act_bits", "simd"), [("b_residual_signed", 4, 16), ("bnnpynq_cnv_1w1a", 4, 16), ("bnnpynq_cnv_1w1a", 2, 32)]
)
def test_digits_of_a_byte(name: str, act_bits: int, simd: int, tmp_path: Path) -> None:
    """Two or four digits in a byte."""
    made, driver = built(MODELS / f"{name}.onnx", tmp_path, act_bits=act_bits, simd=simd, weight_bits=8 if act_bits == 4 else 2)
    check_bytes(made, driver, tmp_path)


@pytest.fixture(scope="module")
def cnn(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[LoopbackAccelerator, Library]:
    folder = tmp_path_factory.mktemp("cnn")
    made, driver = built(examples / "digits_cnn_w2a2.onnx", folder, batch=2)
    return made, Library(folder, driver)


@pytest.mark.parametrize("base", [0, 5 * 4096, 0xFF000])
def test_frames_on_the_engine(cnn: tuple[LoopbackAccelerator, Library], base: int) -> None:
    """Five frames, two in a run; the engine never writes in front of its memory."""
    made, library = cnn
    memory = np.zeros(len(library.driver.image), np.uint8)
    registers = Registers(made.config, memory, base)
    engine = library.engine(registers, memory, base)
    assert library.c.dfc_engine_open(ctypes.byref(engine)) == 0
    np.testing.assert_array_equal(memory, library.driver.relocated(base))
    x = inputs_of(made, 5)
    codes = library.driver.encode(x)
    error, results = library.run(engine, codes)
    assert error == 0 and registers.runs == 3 and engine.cycles == 7 | 1 << 32
    wanted = made.graph.execute(made.host.encode(x))
    for found, t in zip(results, made.graph.outputs, strict=True):
        np.testing.assert_array_equal(found, wanted[t])


def test_a_memory_at_no_page_is_refused(cnn: tuple[LoopbackAccelerator, Library]) -> None:
    made, library = cnn
    memory = np.zeros(len(library.driver.image), np.uint8)
    engine = library.engine(Registers(made.config, memory, 0), memory, 100)
    assert library.c.dfc_engine_open(ctypes.byref(engine)) == ADDRESS
    np.testing.assert_array_equal(memory, library.driver.image)


def test_caches_and_an_engine_that_takes_its_time(cnn: tuple[LoopbackAccelerator, Library]) -> None:
    """The engine sees what was flushed only, the host what was invalidated only; three looks are too few."""
    made, library = cnn
    memory = np.zeros(len(library.driver.image), np.uint8)
    outside = np.full(len(memory), 0x5A, np.uint8)
    registers = Slow(made.config, outside, 4096)
    engine = library.engine(registers, memory, 4096, (lambda: np.copyto(outside, memory), lambda: np.copyto(memory, outside)))
    assert library.c.dfc_engine_open(ctypes.byref(engine)) == 0
    x = inputs_of(made, 2)
    error, results = library.run(engine, library.driver.encode(x))
    assert error == 0 and registers.looks == 4
    np.testing.assert_array_equal(results[0], made.graph.execute(made.host.encode(x))[made.graph.outputs[0]])
    engine.polls = 3
    assert library.run(engine, library.driver.encode(x))[0] == TIMEOUT


def test_an_error_of_the_engine_is_told(cnn: tuple[LoopbackAccelerator, Library]) -> None:
    class Faulty:
        def write(self, offset: int, value: int) -> None:
            pass

        def read(self, offset: int) -> int:
            return {REGISTERS["control"]: 2, REGISTERS["error"]: 5, REGISTERS["index"]: 17}[offset]

    made, library = cnn
    engine = library.engine(Faulty(), np.zeros(len(library.driver.image), np.uint8), 0)
    assert library.run(engine, library.driver.encode(inputs_of(made, 1)))[0] == ENGINE
    assert (engine.error, engine.index) == (5, 17)


def test_no_heap(cnn: tuple[LoopbackAccelerator, Library]) -> None:
    names = subprocess.run(["nm", "-u", cnn[1].c._name], capture_output=True, text=True, check=True).stdout.split()
    assert {n.partition("@")[0] for n in names} & {"malloc", "calloc", "realloc", "free", "alloca"} == set()
