"""The whole board top at its pins, bit by bit on the serial line, against the transport of the build's own driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.identity import design_hash, version_word
from dfcompile.run.board import SimulatedLine
from tests.backend.designs import residual, two_ports
from tests.backend.outside import packed, unpacked
from tests.board.simulated import GAP_CYCLES, emit, powered, transport
from tests.examples import some


class Board:
    """A design on a simulated board, with golden frames."""

    def __init__(self, design: Design, folder: Path, frames: int = 3, **board: Any) -> None:
        self.design, self.folder = design, folder
        self.facts = emit(design, folder, **board)
        self.frozen = golden(design, random_inputs(design, frames))
        self.streams = design.streams()

    @property
    def beats(self) -> list[np.ndarray]:
        return [packed(self.streams[t], x) for t, x in zip(self.design.graph.inputs, self.frozen.inputs, strict=True)]

    def holds(self, received: Sequence[np.ndarray]) -> bool:
        outputs = zip(self.design.graph.outputs, received, self.frozen.outputs, strict=True)
        return all(np.array_equal(unpacked(self.streams[t], got), wanted) for t, got, wanted in outputs)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(two_ports(), tmp_path_factory.mktemp("two_ports"))


@pytest.fixture(scope="module")
def uart(ports: Board) -> ModuleType:
    return transport(ports.folder)


def test_frames_through_the_pins_are_the_models(ports: Board, uart: ModuleType) -> None:
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        assert ports.holds(link.transfer(ports.beats))
        assert ports.holds(link.transfer(ports.beats)), "a second batch"
        assert link.hello() == (version_word(), design_hash(ports.design))
        assert link.retries == 0


def test_a_frame_of_more_bytes_than_the_buffers_hold(tmp_path: Path) -> None:
    board = Board(residual(short=16), tmp_path, frames=64)  # 64 frames of 36 beats: 2,304 bytes, the buffers hold 2,048
    with powered(tmp_path, board.facts) as line:
        assert board.holds(transport(tmp_path).Uart(line=line, gap=0).transfer(board.beats))


@pytest.mark.parametrize("name", some(["icebreaker", "tang-nano-9k"], always=[]))
def test_frames_through_the_pins_of_other_boards(name: str, tmp_path: Path) -> None:
    board = Board(two_ports(), tmp_path, name=name, clock=0)
    with powered(tmp_path, board.facts) as line:
        link = transport(tmp_path).Uart(line=line, gap=0)
        assert board.holds(link.transfer(board.beats)) and link.retries == 0


@pytest.mark.full
@pytest.mark.parametrize("name", ["ulx3s", "icebreaker", "tang-nano-9k"])
def test_the_whole_board_behind_synthesis(name: str, tmp_path: Path) -> None:
    """Bits of the line in and out of the netlist of the top level, at the board's own clock, and on a noisy line."""
    board = Board(two_ports(), tmp_path, name=name, clock=0)
    uart = transport(tmp_path)
    with powered(tmp_path, board.facts, netlist=True) as line:
        link = uart.Uart(line=line, gap=0)
        assert board.holds(link.transfer(board.beats)) and link.retries == 0
        assert link.hello() == (version_word(), design_hash(board.design))
        noisy = Noisy(line, 0)
        link = uart.Uart(line=noisy, gap=0, tries=40)
        assert board.holds(link.transfer(board.beats))
        assert noisy.damaged and link.retries


class Noisy:
    """A line that damages some packets on their way there and back, in every way in turn."""

    def __init__(self, line: SimulatedLine, seed: int) -> None:
        self.line, self.rng, self.damaged = line, np.random.default_rng(seed), 0

    def damage(self, data: bytes) -> bytes:
        if len(data) < 2 or self.rng.random() > 0.25:
            return data
        self.damaged += 1
        at = int(self.rng.integers(len(data)))
        flipped = bytes([data[at] ^ (1 << int(self.rng.integers(8)))])
        ways = (data[:at], data[:at] + data[at + 1 :], data[:at] + flipped + data[at + 1 :], data[:at] + b"\xd5" + data[at:])
        return ways[int(self.rng.integers(4))]

    def write(self, data: bytes) -> None:
        self.line.write(self.damage(data))
        if self.rng.random() < 0.1:
            self.damaged += 1
            self.line.hold_low(int(self.rng.integers(1, 200)))

    def read(self, count: int) -> bytes:
        return self.damage(self.line.read(count))[:count]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_noisy_line_loses_and_repeats_no_beat(ports: Board, uart: ModuleType, seed: int) -> None:
    with powered(ports.folder, ports.facts) as line:
        noisy = Noisy(line, seed)
        link = uart.Uart(line=noisy, gap=0, tries=40)
        for _ in range(3):
            assert ports.holds(link.transfer(ports.beats))
            link.hello()
        assert noisy.damaged > 10 and link.retries > 5


def test_a_question_between_a_lost_answer_and_its_repetition_changes_nothing(ports: Board, uart: ModuleType) -> None:
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        beats = [b.tobytes() for b in ports.beats]
        size = len(beats[1])
        link._call(uart.EXCHANGE | 1, beats[1])  # input 1: nothing comes out yet
        link._call(uart.EXCHANGE | 0, beats[0])
        line.rest(10_000)
        first = link._call(uart.EXCHANGE | 0, b"")[1]
        assert len(first) == size
        link.hello()
        asked = link.sequence
        link.sequence = (asked - 2) % 256  # the request before the question, once more
        assert link._call(uart.EXCHANGE | 0, b"")[1] == first
        link.sequence = asked
        assert link._call(uart.EXCHANGE | 0, b"")[1] == b"", "they are acknowledged now"


def test_a_reset_forgets_what_was_on_its_way(ports: Board, uart: ModuleType) -> None:
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        whole = list(link.free)
        link._call(uart.EXCHANGE | 0, ports.beats[0].tobytes()[:5])
        link.reset()
        assert link.free == whole
        assert ports.holds(link.transfer(ports.beats))


def test_requests_that_the_board_must_not_serve(ports: Board, uart: ModuleType) -> None:
    """Ports and operations that are not there, more bytes than there is room for, a payload where none belongs."""
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0, tries=1)
        for operation, payload in ((uart.EXCHANGE | 2, b""), (uart.EXCHANGE | 2 << 3, b""), (0xC0, b""), (uart.HELLO, b"x")):
            with pytest.raises(uart.LinkError, match="no answer from the board after 1 tries"):
                link._call(operation, payload)
        with pytest.raises(uart.LinkError):
            link._call(uart.EXCHANGE, bytes(link.free[0] + 40))
        assert ports.holds(link.transfer(ports.beats))


def test_another_designs_bitstream_is_refused(ports: Board, uart: ModuleType) -> None:
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        uart.HASH ^= 1
        try:
            with pytest.raises(uart.LinkError, match=f"runs a design of hash {design_hash(ports.design):016x}"):
                link.reset()
        finally:
            uart.HASH ^= 1


def test_a_design_that_gives_nothing_ends_the_transfer(ports: Board, uart: ModuleType) -> None:
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        beats: list[Any] = ports.beats
        with pytest.raises(uart.LinkError, match="takes and gives nothing"):
            link.transfer([beats[0], beats[1][:1]])


def test_the_line_rests_before_a_board_believes_it(ports: Board, uart: ModuleType) -> None:
    """A packet within a packet that was cut off is not taken for one before the line has been silent."""
    with powered(ports.folder, ports.facts) as line:
        link = uart.Uart(line=line, gap=0)
        line.write(bytes([uart.SYNC, 1, uart.EXCHANGE, 40, 0]))  # 40 bytes of payload are to come
        retries = link.retries
        link.hello()
        assert link.retries == retries + 1
        line.write(b"\x00")
        line.rest(GAP_CYCLES // 2)
        link.hello()
        assert link.retries == retries + 2
