"""The driver in C99: no warning, no heap, and the numbers of the Python one; its DMA transfer against registers of DMAs."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.emit.c_driver import by_axes
from dfcompile.emit.driver import emit_driver
from dfcompile.mode.dataflow import DataflowAccelerator
from tests.backend.test_driver import load
from tests.backend.test_driver_board import SETUP, Setting, on_board, two_by_two
from tests.examples import some
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.test_traps import Model

WARNINGS = "-std=c99 -pedantic -Werror -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wcast-qual -Wundef".split()


def compiled(folder: Path, compiler: str = "gcc") -> Path:
    out = folder / "libdriver.so"
    command = [
        compiler,
        *WARNINGS,
        "-O2",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
        *sorted(f.name for f in folder.glob("dfc_*.c")),
        "-lm",
        "-o",
        out,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


class Library:
    """The compiled C of a build."""

    def __init__(self, folder: Path) -> None:
        self.c = ctypes.CDLL(str(compiled(folder)))
        text = (folder / "dfc_design.h").read_text()
        self.kind: Any = np.int64 if "typedef int64_t" in text else np.int32
        # The ports are an array of structures whose size the tables tell: the distance of two of them, or all there is.
        self.driver = load(folder).Driver(folder)

    def port(self, side: str, i: int) -> ctypes.c_void_p:
        count = len(self.driver.inputs if side == "inputs" else self.driver.outputs)
        size = self.size_of_port
        found = (ctypes.c_char * (size * count)).in_dll(self.c, f"dfc_{side}")
        return ctypes.c_void_p(ctypes.addressof(found) + i * size)

    @property
    def size_of_port(self) -> int:
        return ctypes.sizeof(PortTable)

    def encode(self, i: int, x: np.ndarray) -> tuple[int, np.ndarray]:
        x = np.ascontiguousarray(x, np.float32)
        codes = np.full((len(x), *self.driver.inputs[i].shape), 99, self.kind)
        return self._call("dfc_encode", self.port("inputs", i), x, codes, len(x)), codes

    def pack(self, i: int, codes: np.ndarray) -> tuple[int, np.ndarray]:
        p = self.driver.inputs[i]
        beats = np.full((len(codes) * p.beats, p.bytes), 0xA5, np.uint8)
        return self._call("dfc_pack", self.port("inputs", i), np.ascontiguousarray(codes, self.kind), beats, len(codes)), beats

    def unpack(self, i: int, beats: np.ndarray) -> np.ndarray:
        p = self.driver.outputs[i]
        codes = np.full((len(beats) // p.beats, *p.shape), 99, self.kind)
        assert self._call("dfc_unpack", self.port("outputs", i), beats, codes, len(codes)) == 0
        return codes

    def _call(self, name: str, port: ctypes.c_void_p, given: np.ndarray, taken: np.ndarray, frames: int) -> int:
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (given, taken)]
        found: int = getattr(self.c, name)(port, *pointers, ctypes.c_size_t(frames))
        return found


class PortTable(ctypes.Structure):
    """dfc_port of dfc_driver.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        *((n, ctypes.c_size_t) for n in ("elements", "channels")),
        *((n, ctypes.c_int) for n in ("bits", "is_signed", "bipolar")),
        *((n, ctypes.c_int64) for n in ("lo", "hi")),
        *((n, ctypes.c_int) for n in ("quantized", "rounding", "zero_after")),
        *((n, ctypes.c_double) for n in ("scale", "offset", "zero", "least", "most")),
        ("items", ctypes.c_size_t),
        ("index", ctypes.c_void_p),
        ("tensors", ctypes.c_void_p),
        ("tensor_count", ctypes.c_size_t),
        ("layout", ctypes.c_void_p),
    ]


class BeatsTable(ctypes.Structure):
    """dfc_layout of dfc_driver.h."""

    _fields_ = [(n, ctypes.c_size_t) for n in ("lanes", "run", "taps", "beats", "bytes")]


class TensorTable(ctypes.Structure):
    """dfc_tensor of dfc_driver.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("elements", ctypes.c_size_t),
        *((n, ctypes.c_void_p) for n in ("index", "scale", "offset")),
        *((n, ctypes.c_size_t) for n in ("scales", "offsets")),
    ]


def check_numbers(made: DataflowAccelerator, folder: Path) -> Library:
    """Inputs, with values far out of range and at ties, and random outputs, through both drivers."""
    library = Library(folder)
    driver, rng = library.driver, np.random.default_rng(5)
    for i, port in enumerate(driver.inputs):
        x = np.float32(rng.uniform(-3, 3, (50, *made.host.input_shapes[port.data["input"]])) * 4)
        x[:20] = np.round(x[:20] * 32) / 32
        feeds = {p.data["input"]: np.zeros((50, *made.host.input_shapes[p.data["input"]])) for p in driver.inputs} | {port.data["input"]: x}
        wanted = driver.encode(feeds)[i]
        error, codes = library.encode(i, x)
        assert error == 0
        np.testing.assert_array_equal(codes, wanted)
        error, beats = library.pack(i, wanted)
        assert error == 0
        np.testing.assert_array_equal(beats, port.pack(wanted))
        wrong = wanted.copy()
        wrong.reshape(-1)[-1] = port.hi + 1
        assert library.pack(i, wrong)[0] == -1
    for i, port in enumerate(driver.outputs):
        codes = rng.integers(port.lo, port.hi, (30, *port.shape), endpoint=True)
        codes = np.where(codes == 0, 1, codes) if port.bipolar else codes
        np.testing.assert_array_equal(library.unpack(i, port.pack(codes)), codes)
    return library


def check_decoding(library: Library) -> None:
    """Codes of the first output, which has one tensor, to real numbers."""
    driver = library.driver
    port = driver.outputs[0]
    codes = np.random.default_rng(6).integers(port.lo, port.hi, (10, *port.shape), endpoint=True)
    table = PortTable.from_address(library.port("outputs", 0).value or 0)
    (name_of,) = (t["tensor"] for t in port.data["tensors"])
    assert table.tensor_count == 1 and TensorTable.from_address(table.tensors).name.decode() == name_of
    reals = np.empty((10, TensorTable.from_address(table.tensors).elements))
    given = np.ascontiguousarray(codes, library.kind)
    arguments = [library.port("outputs", 0), *(a.ctypes.data_as(ctypes.c_void_p) for a in (given, reals)), ctypes.c_size_t(10)]
    assert library.c.dfc_decode(ctypes.c_void_p(table.tensors), *arguments) == 0
    np.testing.assert_array_equal(reals, next(iter(driver.decode([codes]).values())).reshape(10, -1))


@pytest.mark.parametrize("name", some(["digits_cnn_w2a2", "digits_cnn_w2a2_qcdq", "digits_mlp_w1a1"], always=["digits_mlp_w1a1"]))
def test_the_numbers_of_the_python_driver(name: str, examples: Path, tmp_path: Path) -> None:
    made = dfc.build(examples / f"{name}.onnx", mode="dataflow", verify=False)
    assert isinstance(made, DataflowAccelerator)
    emit_driver(made.design, made.host, tmp_path)
    library = check_numbers(made, tmp_path)
    table = PortTable.from_address(library.port("outputs", 0).value or 0)
    port = library.driver.outputs[0]
    layout = BeatsTable.from_address(table.layout)
    assert (table.elements, layout.lanes, layout.beats, layout.bytes) == (port.elements, port.lanes, port.beats, port.bytes)
    check_decoding(library)


TYPES = [(b, s) for b in (1, 2, 3, 5, 8) for s in (0, 1) if b > 1 or not s]


@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize(("bits", "signed"), TYPES[1::3])
def test_quantizers_and_types(bits: int, signed: int, rounding: str, tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    nodes = [
        quant("x", "xq", signed=signed, bits="b", rounding_mode=rounding),
        quant("a", "aq"),
        helper.make_node("MatMul", ["xq", "aq"], ["y"]),
    ]
    onnx.save(model(nodes, {"x": (1, 6)}, ["y"], constants(a=2 * random(6, 5), b=np.float32(bits))), tmp_path / "m.onnx")
    made = dfc.build(tmp_path / "m.onnx", mode="dataflow", verify=False)
    assert isinstance(made, DataflowAccelerator)
    emit_driver(made.design, made.host, tmp_path)
    check_numbers(made, tmp_path)


def test_no_heap_and_plain_c(examples: Path, tmp_path: Path) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode="dataflow", verify=False)
    assert isinstance(made, DataflowAccelerator)
    emit_driver(made.design, made.host, tmp_path)
    names = subprocess.run(["nm", "-u", compiled(tmp_path)], capture_output=True, text=True, check=True).stdout.split()
    assert {n.partition("@")[0] for n in names} & {"malloc", "calloc", "realloc", "free", "alloca"} == set()


class Registers:
    """Two-sided DMAs in simple mode, by their registers (PG021), before a simulated design."""

    BASE, CORE = 0x4040_0000, 0x4000_0000
    STRIDE = 0x1_0000

    def __init__(self, device: Any, inputs: int, outputs: int) -> None:
        self.device = device
        self.values: dict[int, int] = {}
        self.running: dict[int, bool] = {}
        self.memory: dict[int, tuple[int, int]] = {}
        self.stuck = False

    def side(self, address: int) -> tuple[int, int, int]:
        """Port, side (1: receives) and offset in the channel of an address."""
        offset = address - self.BASE
        port, inside = divmod(offset, self.STRIDE)
        return port, int(inside >= 0x30), inside - (0x30 if inside >= 0x30 else 0)

    def read(self, address: int) -> int:
        if address < self.BASE:
            return int(self.device.read(address - self.CORE))
        port, output, offset = self.side(address)
        at = 2 * port + output
        if offset == 0x04:
            if not self.running.get(at):
                return 1
            state = 0 if self.stuck and output else self.device.advance(bool(output), port, 16)
            return {0: 0, 1: 2, 2: 0x10}[state]
        assert offset == 0x28
        data = self.device.received(port)
        ctypes.memmove(self.memory[at][0], data.tobytes(), len(data))
        return len(data)

    def write(self, address: int, value: int) -> None:
        if address < self.BASE:
            self.device.write(address - self.CORE, value)
            return
        port, output, offset = self.side(address)
        at = 2 * port + output
        if offset == 0x00:
            self.running[at] = bool(value & 1)
        elif offset == 0x28:
            assert self.running.get(at), "a length for a channel that is halted starts nothing"
            where = self.values[address - 0x10] | self.values[address - 0x0C] << 32
            self.memory[at] = (where, value)
            if output:
                self.device.receive(port, value)
            else:
                self.device.send(port, np.frombuffer(ctypes.string_at(where, value), np.uint8))
        else:
            assert offset in (0x18, 0x1C), f"no register at {offset:#x}"
            self.values[address] = value


class Axi(ctypes.Structure):
    """dfc_axi of dfc_driver.h, for two inputs and two outputs."""

    READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64)
    WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32)
    PHYSICAL = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)
    _fields_ = [
        ("read", READ),
        ("write", WRITE),
        ("physical", PHYSICAL),
        ("context", ctypes.c_void_p),
        ("core", ctypes.c_uint64),
        ("send", ctypes.c_uint64 * 2),
        ("receive", ctypes.c_uint64 * 2),
        ("polls", ctypes.c_uint32),
    ]


class Io(ctypes.Structure):
    """dfc_io of dfc_driver.h."""

    _fields_ = [("transfer", ctypes.c_void_p), ("context", ctypes.c_void_p)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return on_board(two_by_two(), tmp_path_factory.mktemp("two"))


def axi_of(registers: Registers, polls: int = 1000) -> Axi:
    bases = [registers.BASE + i * registers.STRIDE for i in range(2)]
    calls = (
        Axi.READ(lambda _, address: registers.read(address)),
        Axi.WRITE(lambda _, address, value: registers.write(address, value)),
        Axi.PHYSICAL(lambda _, memory: memory),
    )
    return Axi(*calls, None, registers.CORE, (ctypes.c_uint64 * 2)(*bases), (ctypes.c_uint64 * 2)(*bases), polls)


def test_frames_over_dmas(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(two.folder)
    import dfc_simulator  # type: ignore[import-not-found]

    library = Library(two.folder)
    driver, c = library.driver, library.c
    device = dfc_simulator.Device([str(two.program)], two.folder / "rtl", SETUP)
    registers = Registers(device, 2, 2)
    axi = axi_of(registers)
    assert c.dfc_axi_open(ctypes.byref(axi)) == 0
    io = Io(ctypes.cast(c.dfc_axi_transfer, ctypes.c_void_p), ctypes.addressof(axi))
    frames = 9
    feeds = two.feeds(frames)
    codes = [np.ascontiguousarray(q, library.kind) for q in driver.encode(feeds)]
    results = [np.zeros((frames, *p.shape), library.kind) for p in driver.outputs]
    sent, received = ([np.zeros((frames * p.beats, p.bytes), np.uint8) for p in side] for side in (driver.inputs, driver.outputs))

    def pointers(arrays: list[np.ndarray]) -> Any:
        return (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))

    def run() -> int:
        found: int = c.dfc_run(ctypes.byref(io), *map(pointers, (codes, results, sent, received)), ctypes.c_size_t(frames))
        return found

    assert run() == 0
    two.check(driver.decode([np.asarray(r, np.int64) for r in results]), feeds)
    registers.stuck = True
    assert run() == -3
    device.close()


def test_another_design_is_refused(two: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def read(self, address: int) -> int:
            return 5

    library = Library(two.folder)
    assert library.c.dfc_axi_open(ctypes.byref(axi_of(Registers(Wrong(), 2, 2)))) == -6


def test_indices_by_axes() -> None:
    """What moves, repeats or mirrors along axes is a table for each of them; anything else is one of all elements."""
    frame = np.arange(60).reshape(3, 4, 5)
    resized = frame[np.repeat(np.arange(3), 2)][:, np.repeat(np.arange(4), 3)]
    for index in (frame.transpose(2, 0, 1), resized, frame[:, ::-1], frame[None, :, 1:3, ::2], frame[:1, :1, :1], frame[:, :1, :1]):
        steps = by_axes(index)
        assert sum(map(len, steps)) <= sum(index.shape)
        total = sum(np.ix_(*steps)) if len(steps) > 1 else steps[0]
        np.testing.assert_array_equal(np.ravel(total), index.ravel())
    mixed = frame.reshape(10, 6).T
    twisted = np.stack([np.roll(row, i) for i, row in enumerate(mixed)])
    assert [len(s) for s in by_axes(mixed)] == [6, 10]
    np.testing.assert_array_equal(by_axes(twisted)[0], twisted.ravel())


def test_a_resize_that_is_left_to_the_host(tmp_path: Path) -> None:
    """Each element is gathered by rows, columns and channels: the tables are as long as the sides, not the picture."""
    m = Model()
    small = m.op("Conv", m.q("x", 0.25, 4), m.w(np.arange(-6, 6).reshape(4, 3, 1, 1) / 2, 0.5))
    out = m.op("Resize", m.q(small, 0.5, 4), "", m.const(np.array([1, 1, 8, 16], np.float32)), mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")  # fmt: skip
    made = dfc.build(m.save(tmp_path / "resize.onnx", str(out), (1, 3, 4, 5)), mode="dataflow", verify=False)
    assert isinstance(made, DataflowAccelerator)
    emit_driver(made.design, made.host, tmp_path)
    check_decoding(check_numbers(made, tmp_path))
    assert len((tmp_path / "dfc_design.c").read_text()) < 6000 < made.host.outputs[0].index.size
