"""The top level of an open board in Verilator: a serial line whose bits go into it and come out of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from dfcompile.emit.resource import resource_dir
from dfcompile.run.compile import MODEL, STANDARD, Command, run_tool, simulator_key, verilate, verilated_runtime
from dfcompile.store.cache import cached, content_key
from dfcompile.toolchain import require_tool, verilator_root


def build_board(rtl: Path, top: str, sources: Sequence[Path] = ()) -> Path:
    """The compiled simulator of module `top` in the project `rtl` with further `sources`; it must run in `rtl`, where the memories are."""
    harness = resource_dir("templates") / "board" / "harness.cpp"
    include = verilator_root() / "include"
    flags = [STANDARD, *MODEL, f"-I{include}", f"-I{include / 'vltstd'}", "-O2", "-w"]
    options = ["--output-split", "0", *(str(s.resolve()) for s in sources)]

    def build(folder: Path) -> None:
        obj = folder / "obj"
        verilate(rtl, top, obj, options)
        command: Command = [require_tool("g++").path, *flags, f"-I{obj}", *sorted(obj.glob("*.cpp")), *verilated_runtime(), harness]
        run_tool([*command, "-pthread", "-o", folder / "harness"], folder, "compiling the board")
        run_tool(["rm", "-r", "obj"], folder, "cleaning up")

    texts = [s.read_text() for s in sources]
    return cached("board", content_key([*simulator_key(rtl), top, *flags, *texts, harness.read_text()]), build) / "harness"


class SimulatedLine:
    """The serial line of a simulated board, as the driver's transport uses one.

    timeout: cycles that a read waits for the next byte
    """

    def __init__(self, harness: Path, rtl: Path, divisor: int, timeout: int) -> None:
        self.timeout = timeout
        self._process = subprocess.Popen([harness, str(divisor)], cwd=rtl, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin and self._process.stdout, "the simulator is started with pipes"
        return self._process.stdin, self._process.stdout

    def _command(self, name: bytes, *numbers: int) -> None:
        self._pipes[0].write(name + b"".join(n.to_bytes(4, "little") for n in numbers))

    def write(self, data: bytes) -> None:
        self._command(b"w", len(data))
        self._pipes[0].write(data)

    def read(self, count: int) -> bytes:
        """At most `count` bytes; fewer where no more come in time."""
        self._command(b"r", count, self.timeout)
        self._pipes[0].flush()
        return self._pipes[1].read(int.from_bytes(self._pipes[1].read(4), "little"))

    def rest(self, cycles: int) -> None:
        self._command(b"i", cycles)

    def hold_low(self, cycles: int) -> None:
        """A break."""
        self._command(b"b", cycles)

    def close(self) -> None:
        self._pipes[0].close()
        self._pipes[1].close()
        self._process.wait()

    def __enter__(self) -> SimulatedLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
