"""The driver of a loopback build: its image runs on the engine, anywhere in memory, and its numbers are the compiler's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.emit.loopback import REGISTERS, emit_loopback_driver
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import Engine
from dfcompile.loopback.program import to_bytes
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.run.loopback import build_hls_engine
from tests.backend.test_driver import load
from tests.shared import MODELS, needs_models

SMALL = {"pe": 8, "simd": 8, "act_words": 4096, "weight_words": 512, "acc_words": 512}
NAMES = {offset: name for name, offset in REGISTERS.items()}


class Registers:
    """Registers of an engine beside a memory that begins at `base`: a run goes through the Python engine or the compiled C++."""

    def __init__(self, config: EngineConfig, memory: np.ndarray, base: int, hls: Path | None = None) -> None:
        self.config, self.memory, self.base, self.hls = config, memory, base, hls
        self.values = dict.fromkeys(REGISTERS.values(), 0)
        self.runs = 0

    def read(self, offset: int) -> int:
        return self.values[offset]

    def write(self, offset: int, value: int) -> None:
        self.values[offset] = value
        if NAMES[offset] == "control" and value == 1:
            self.run(self.values[REGISTERS["program"]], self.values[REGISTERS["bytes"]])
            self.values |= {REGISTERS["control"]: 2, REGISTERS["cycles_low"]: 7, REGISTERS["cycles_high"]: 1}
            self.runs += 1

    def run(self, address: int, size: int) -> None:
        whole = np.concatenate([np.full(self.base, 0xA5, np.uint8), self.memory])
        if self.hls:
            whole.tofile(self.hls.parent / "before.bin")
            command = [self.hls, self.hls.parent / "before.bin", self.hls.parent / "after.bin", str(address), str(size)]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0] == "0"
            whole = np.fromfile(self.hls.parent / "after.bin", np.uint8)
        else:
            Engine(self.config, whole).run(address, size)
        assert np.all(whole[: self.base] == 0xA5), "the engine wrote in front of its memory"
        self.memory[:] = whole[self.base :]


def built(path: Path, folder: Path, **engine: Any) -> tuple[LoopbackAccelerator, Any]:
    made = dfc.build(path, mode="loopback", folding={"engine": SMALL | engine}, verify=False)
    assert isinstance(made, LoopbackAccelerator)
    emit_loopback_driver(made.program, made.host, made.codes, made.name, folder)
    return made, load(folder).Driver()


def inputs_of(made: LoopbackAccelerator, frames: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(-0.5, 1.5, (frames, *shape)) for name, shape in made.host.input_shapes.items()}


@pytest.mark.parametrize("engine", ["python", "hls"])
@pytest.mark.parametrize("base", [0, 5 * 4096])
def test_real_numbers_in_and_out(engine: str, base: int, examples: Path, tmp_path: Path) -> None:
    made, driver = built(examples / "digits_cnn_w2a2.onnx", tmp_path, batch=2)
    x = inputs_of(made, 5)
    memory = np.zeros(len(driver.image), np.uint8)
    exe = tmp_path / "testbench" if engine == "hls" else None
    if exe:
        exe.write_bytes(build_hls_engine(made.config).read_bytes())
        exe.chmod(0o755)
    registers = Registers(made.config, memory, base, exe)
    driver.attach(registers, memory, base)
    np.testing.assert_array_equal(np.float32(driver.run(x)), made.run(x))
    assert registers.runs == 3 and driver.cycles == 7 | 1 << 32
    np.testing.assert_array_equal(np.float32(driver.run(next(iter(x.values()))[:1])), made.run({k: v[:1] for k, v in x.items()}))


def test_numbers_in_digits(examples: Path, tmp_path: Path) -> None:
    """Two digits in a byte of memory, both ways."""
    made, driver = built(examples / "digits_cnn_w2a2.onnx", tmp_path, act_bits=4, simd=16)
    x, memory = inputs_of(made, 2), np.zeros(len(driver.image), np.uint8)
    driver.attach(Registers(made.config, memory, 0), memory)
    np.testing.assert_array_equal(np.float32(driver.run(x)), made.run(x))


@needs_models
@pytest.mark.parametrize("engine", [{}, {"act_bits": 4, "simd": 16}], ids=["bytes", "digits"])
@pytest.mark.parametrize("name", ["b_residual_signed", "digits_mlp_1w1a", "f_gap", "bnnpynq_cnv_1w1a", "bnnpynq_tfc_2w2a_qcdq"])
def test_packing(name: str, engine: dict[str, int], tmp_path: Path) -> None:
    """Bytes of the inputs and codes of the outputs as the compiler has them, for layouts with planes, gaps, columns and shifts."""
    made, driver = built(MODELS / f"{name}.onnx", tmp_path, **engine)
    program = made.program
    x = inputs_of(made, 3)
    codes = made.host.encode(x)
    for port, driven, given in zip(program.inputs, driver.inputs, driver.encode(x), strict=True):
        np.testing.assert_array_equal(given, codes[driven.name])
        np.testing.assert_array_equal(driven.pack(given).reshape(-1), to_bytes(port, codes[driven.name], program.config.simd))
    outputs = made.graph.execute(codes)
    for port, driven in zip(program.outputs, driver.outputs, strict=True):
        data = to_bytes(port, outputs[port.name], program.config.simd)
        np.testing.assert_array_equal(driven.unpack(data.reshape(3, -1)), outputs[port.name])


@pytest.fixture(scope="module")
def mlp(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[LoopbackAccelerator, Path]:
    folder = tmp_path_factory.mktemp("driver")
    return built(examples / "digits_mlp_w1a1.onnx", folder)[0], folder


def test_without_a_board(mlp: tuple[LoopbackAccelerator, Path]) -> None:
    driver = load(mlp[1]).Driver()
    with pytest.raises(RuntimeError, match="no engine"):
        driver.run(inputs_of(mlp[0], 1))
    with pytest.raises(ValueError, match="multiple of 4096"):
        driver.relocated(100)
    port = driver.inputs[0]
    with pytest.raises(ValueError, match=f"takes codes from {port.lo} to {port.hi}"):
        port.pack(np.full((1, *port.shape), port.hi + 1))


def test_an_error_of_the_engine_is_told(mlp: tuple[LoopbackAccelerator, Path]) -> None:
    class Faulty:
        def write(self, offset: int, value: int) -> None:
            pass

        def read(self, offset: int) -> int:
            return {REGISTERS["control"]: 2, REGISTERS["error"]: 5, REGISTERS["index"]: 17}[offset]

    driver = load(mlp[1]).Driver()
    driver.attach(Faulty(), np.zeros(len(driver.image), np.uint8))
    with pytest.raises(RuntimeError, match="error WEIGHT at descriptor 17"):
        driver.run(inputs_of(mlp[0], 1))


class Memory(np.ndarray):
    """Memory behind a cache: what the driver wrote reaches the engine by flush, what the engine wrote the driver by invalidate."""

    engine: np.ndarray

    def flush(self) -> None:
        self.engine[:] = self

    def invalidate(self) -> None:
        self[:] = self.engine


class Slow(Registers):
    """Starts when it is told, is done after a few looks at it, and touches the memory only in between."""

    def write(self, offset: int, value: int) -> None:
        self.values[offset] = value
        if NAMES[offset] == "control":
            assert value == 1 and self.values[REGISTERS["program"]] and self.values[REGISTERS["bytes"]], "started without a program"
            self.looks = 0

    def read(self, offset: int) -> int:
        if NAMES[offset] == "control":
            self.looks += 1
            if self.looks == 4:
                super().write(REGISTERS["control"], 1)
        return self.values[offset]


def test_waits_until_the_engine_is_done(mlp: tuple[LoopbackAccelerator, Path]) -> None:
    made, folder = mlp
    driver = load(folder).Driver()
    memory = np.zeros(len(driver.image), np.uint8).view(Memory)
    memory.engine = np.full(len(memory), 0x5A, np.uint8)
    engine = Slow(made.config, memory.engine, 4096)
    driver.attach(engine, memory, 4096)
    x = inputs_of(made, 2)
    np.testing.assert_array_equal(np.float32(driver.run(x)), made.run(x))
    assert engine.runs == 2 and engine.looks == 4


def test_an_engine_that_is_never_done(mlp: tuple[LoopbackAccelerator, Path]) -> None:
    driver = load(mlp[1]).Driver()
    engine = Slow(mlp[0].config, np.zeros(len(driver.image), np.uint8), 0)
    driver.attach(engine, np.zeros(len(driver.image), np.uint8))
    engine.write(REGISTERS["program"], 1)
    engine.write(REGISTERS["bytes"], 1)
    engine.read = lambda offset: 1  # type: ignore[method-assign]
    driver.seconds = 0.01
    with pytest.raises(RuntimeError, match=r"not done after 0\.01 seconds"):
        driver.run(inputs_of(mlp[0], 1))


def test_registers_are_those_of_the_hardware(root: Path) -> None:
    """The harness that runs the SystemVerilog reads and writes them at the same addresses."""
    text = (root / "templates" / "loopback" / "harness.cpp").read_text()
    r = {k: f"0x{v:02x}" for k, v in REGISTERS.items()}
    assert f"{{{{{r['program']}, program}}, {{{r['bytes']}, bytes}}, {{{r['control']}, 1}}}}" in text
    assert f"{{{r['control']}, {r['cycles_low']}, {r['cycles_high']}, {r['index']}, {r['error']}}}" in text


def test_needs_numpy_only(mlp: tuple[LoopbackAccelerator, Path]) -> None:
    code = "import sys, driver; driver.Driver(); print([m for m in ('dfcompile', 'onnx', 'scipy', 'networkx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=mlp[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
