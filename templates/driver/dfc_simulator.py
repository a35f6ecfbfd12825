"""The driver's way to the design under Verilator: the simulator of the build's sim/ folder, behind pipes. Needs what `make fast` needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, HASH_LOW, HASH_HIGH, CYCLES, DONE, RESTART = 0x10, 0x20, 0x28, 0x30, 0x38, 0x40


class Device:
    """A simulated design with a DMA on each stream; its clock runs during register accesses and in `advance` only (see sim/server.cpp).

    command: starts the simulator
    folder:  of rtl/, where memory files are
    setup:   cycles from the start of a transfer to its first beat
    """

    def __init__(self, command: list[str], folder: Path, setup: int = 0) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*command, "serve", str(setup)], cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe)

    def _send(self, letter: str, *numbers: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(letter.encode() + b"".join(n.to_bytes(8, "little") for n in numbers))

    def _bytes(self, count: int) -> bytes:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.flush()
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise RuntimeError(f"the simulator ended: {self.process.stderr.read().decode().strip()}")
        return data

    def _number(self) -> int:
        return int.from_bytes(self._bytes(8), "little")

    def write(self, address: int, value: int) -> None:
        self._send("w", address, value)

    def read(self, address: int) -> int:
        self._send("r", address)
        return self._number()

    def send(self, port: int, data: np.ndarray) -> None:
        """Start to send bytes to an input."""
        assert self.process.stdin is not None
        self._send("s", port, data.nbytes)
        self.process.stdin.write(data.tobytes())

    def receive(self, port: int, capacity: int) -> None:
        """Start to receive from an output until tlast, at most so many bytes."""
        self._send("d", port, capacity)

    def advance(self, output: bool, port: int, limit: int) -> int:
        """Run until a channel is idle, at most `limit` cycles: 0 busy, 1 idle, 2 an error: more beats than there was room for."""
        self._send("a", int(output), port, limit)
        return self._number()

    def received(self, port: int) -> np.ndarray:
        """What came from an output since its transfer started."""
        self._send("g", port)
        return np.frombuffer(self._bytes(self._number()), np.uint8)

    def cycles(self) -> int:
        """Cycles since reset."""
        self._send("c")
        return self._number()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Simulator:
    """A transport of a Driver.

    sim:     the sim/ folder of the build; its simulator is compiled where it is not yet
    rtl:     the rtl/ folder, beside it unless named
    program: a compiled simulator in place of that
    limit:   cycles after which a transfer is given up
    """

    def __init__(self, driver: Any, sim: Path, rtl: Any = None, program: Any = None, limit: int = 1 << 40) -> None:
        sim = Path(sim).resolve()
        folder = Path(rtl).resolve() if rtl else sim.parent / "rtl"
        if program is None:
            made = subprocess.run(
                ["make", "-C", str(sim), f"PYTHON={sys.executable}", "simulator"], capture_output=True, text=True, check=False
            )
            if made.returncode:
                raise RuntimeError("the simulator could not be built:\n" + "\n".join((made.stdout + made.stderr).splitlines()[-8:]))
            program = sim / "build" / "fast" / "simulator"
        self.driver, self.limit = driver, limit
        self.device = Device([os.fspath(program)], folder)

    def identity(self) -> int:
        """The design's hash, as its registers tell it."""
        return self.device.read(HASH_LOW) | self.device.read(HASH_HIGH) << 32

    def counters(self) -> dict[str, float]:
        return {"cycles": self.device.read(CYCLES), "counted_frames": self.device.read(DONE)}

    def close(self) -> None:
        self.device.close()

    def reset(self) -> None:
        """A streaming design begins with its first states again."""
        self.device.write(RESTART, 1)

    def transfer(self, beats: list[np.ndarray]) -> list[np.ndarray]:
        """All frames in one batch. RuntimeError where an output does not end it."""
        inputs, outputs = self.driver.inputs, self.driver.outputs
        frames = beats[0].size // (inputs[0].beats * inputs[0].bytes)
        if not frames:
            return [np.empty((0, p.bytes), np.uint8) for p in outputs]
        self.device.write(FRAMES, frames)
        for i, p in enumerate(outputs):
            self.device.receive(i, frames * p.beats * p.bytes)
        for i, (p, data) in enumerate(zip(inputs, beats)):
            self.device.send(i, data if p.fixed is None else np.tile(data, (frames, 1)))
        found = []
        for i, p in enumerate(outputs):
            state = self.device.advance(True, i, self.limit)
            if state != 1:
                raise RuntimeError(f"output {i} {'gave too many beats' if state else f'is not done after {self.limit} cycles'}")
            found.append(self.device.received(i).reshape(-1, p.bytes))
        return found
