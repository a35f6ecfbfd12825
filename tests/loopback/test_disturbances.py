"""Resets, errors of the bus and a second start at any moment of a run: reported, and the next run is exact, to the cycle."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dfcompile.ir.graph import Array
from dfcompile.ir.intop import Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Transfer, Unit
from dfcompile.loopback.engine import Engine
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.validate import ErrorCode
from dfcompile.run.loopback import build_rtl_engine, run_image
from tests.loopback.cases import Net

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")

CONFIG = EngineConfig(pe=4, simd=8, act_words=16, weight_words=8, acc_words=4, tree_levels=2)
LATENCY = 20
BURST = 16  # beats, at most


@dataclass(frozen=True)
class Case:
    """A network of two layers, whose input does not fit: activations are loaded and stored while it runs."""

    program: Program
    tool: Path
    image: Array
    expected: Array
    good: list[int]

    def run(self, *disturbance: object, stalls: float = 0.0, seed: int = 1) -> list[int]:
        """The numbers printed; the memory after the last run is as expected."""
        more = [str(LATENCY), str(stalls), str(seed), "100000", *map(str, disturbance)]
        after, numbers = run_image(self.tool, self.program, self.image, more)
        np.testing.assert_array_equal(after, self.expected, str(disturbance))
        return numbers


@pytest.fixture(scope="module")
def case() -> Case:
    net = Net(1, x=((5, 5, 5), -128, 127))
    last = net.conv(net.steps(net.conv("x", 6, Window((2, 2))), 2), 7)
    program = compile_program(net.graph(last), CONFIG)
    assert program.spilled
    image = program.image(net.codes(1))
    expected = image.copy()
    Engine(CONFIG, expected).run(program.program_address, len(program.code))
    cycles = predict(program, LATENCY).cycles
    return Case(program, build_rtl_engine(CONFIG), image, expected, [cycles, int(ErrorCode.NONE), len(program.steps) - 1])


def test_undisturbed(case: Case) -> None:
    assert case.run() == case.good


def test_reset_at_any_moment(case: Case) -> None:
    """The run after it is that of an engine which was just switched on."""
    for at in range(0, case.good[0], 5):
        assert case.run("reset", at) == case.good, at
        case.run("reset", at, stalls=0.4, seed=at)


def test_start_while_busy(case: Case) -> None:
    """Nothing happens: not to the run, nor to its counters."""
    for at in range(20, case.good[0], 9):
        assert case.run("start", at) == case.good * 2, at


def beats(program: Program, channel: str) -> int:
    """Beats of the program's reads and of the data reads; bursts of the writes."""
    word = program.config.bus_bits // 8
    if channel == "program":
        return len(program.code) // word
    unit = Unit.LOAD if channel == "read" else Unit.STORE
    blocks = [s.descriptor for s in program.steps if s.unit == unit and isinstance(s.descriptor, Transfer) and s.descriptor.beats]
    if channel == "read":
        return sum(b.beats for b in blocks)
    # Blocks of a small program do not cross a border of 4 KiB.
    assert all(b.address // 4096 == (b.address + b.beats * word - 1) // 4096 for b in blocks)
    return sum(-(-b.beats // BURST) for b in blocks)


@pytest.mark.parametrize("channel", ["program", "read", "write"])
def test_an_error_on_every_beat(channel: str, case: Case) -> None:
    count = beats(case.program, channel)
    assert count > 2
    for at in range(count):
        for stalls in (0.0, 0.4):
            numbers = case.run(channel, at, stalls=stalls, seed=at + 1)
            assert numbers[1] == ErrorCode.BUS, at
            assert numbers[4] == ErrorCode.NONE, at
            assert stalls or numbers[3:] == case.good, at
    assert case.run(channel, count) == case.good * 2  # there are no more


def test_a_run_of_an_error_counts_its_own_cycles(case: Case) -> None:
    """Every run starts from nothing: its cycles, its number of descriptors, its error."""
    cycles, error, index, *after = case.run("read", 0)
    assert error == ErrorCode.BUS and 0 < cycles < case.good[0] and index < case.good[2]
    assert after == case.good
