"""Proofs for runs of every length: no element is lost, doubled, changed or invented, and an offered beat stays until it is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.share import SharedMemory
from dfcompile.ir.types import IntType
from dfcompile.units.base import Memory
from dfcompile.units.repack import Repack
from tests.examples import some
from tests.formal.prove import Verdict, mutated, prove

PROVED = Verdict()


@pytest.mark.parametrize("style", [0, 3], ids=["shallow", "block"])
@pytest.mark.parametrize("depth", some([1, 2, 3, 4], always=[1, 3]))
def test_fifo(depth: int, style: int, tmp_path: Path) -> None:
    assert prove("fifo_bench", {"Depth": depth, "Style": style}, tmp_path) == PROVED


def test_fork(tmp_path: Path) -> None:
    assert prove("fork_bench", {}, tmp_path) == PROVED


@pytest.mark.parametrize("folds", some([(1, 1), (1, 2), (2, 1), (3, 2)], always=[(1, 1), (3, 2)]), ids=str)
@pytest.mark.parametrize("unit", ["split", "concat"])
def test_turns(unit: str, folds: tuple[int, int], tmp_path: Path) -> None:
    assert prove(f"{unit}_bench", {"Folds0": folds[0], "Folds1": folds[1]}, tmp_path) == PROVED


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("sizes", some([(1, 1), (2, 1), (3, 2), (2, 3)], always=[(1, 1), (2, 1), (3, 2)]), ids=str)
def test_delay(sizes: tuple[int, int], keep: int, tmp_path: Path) -> None:
    assert prove("delay_bench", {"Pixels": sizes[0], "Folds": sizes[1], "Keep": keep}, tmp_path) == PROVED


@pytest.mark.parametrize(("slots", "delay"), [(1, 0), (2, 0), (1, 1), (2, 1), (3, 1), (3, 2)])
def test_output_buffer(slots: int, delay: int, tmp_path: Path) -> None:
    assert prove("stream_out_bench", {"Slots": slots, "Delay": delay}, tmp_path) == PROVED


@pytest.mark.parametrize("depth", [2, 4])
def test_queue(depth: int, tmp_path: Path) -> None:
    assert prove("queue_bench", {"Depth": depth}, tmp_path) == PROVED


@pytest.mark.parametrize("bench", ["burst_bench", "registers_bench"])
def test_bus_of_the_loopback_engine(bench: str, tmp_path: Path) -> None:
    assert prove(bench, {}, tmp_path) == PROVED


@pytest.mark.parametrize(("few", "many"), [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2), (3, 4), (4, 2)])
def test_width_converter(few: int, many: int, tmp_path: Path) -> None:
    assert prove("lanes_bench", {"InLanes": few, "OutLanes": many, "Elements": 12}, tmp_path) == PROVED


def repack(in_lanes: int, in_run: int, out_lanes: int, out_run: int) -> dict[str, int]:
    """Parameters of the bench, with the hold that a build chooses."""
    unit = Repack((1, 6, 3), IntType(1), in_lanes, in_run, out_lanes, out_run)
    return {"InLanes": in_lanes, "InRun": in_run, "OutLanes": out_lanes, "OutRun": out_run, "Elements": 18, "Hold": unit.hold}


LONGER = [pytest.param(sides, marks=pytest.mark.full) for sides in ((2, 3, 4, 6), (2, 3, 3, 9), (4, 6, 2, 3))]


@pytest.mark.parametrize("sides", [(1, 3, 2, 3), (2, 3, 1, 3), (2, 3, 2, 3), (3, 9, 2, 3), *LONGER], ids=str)
def test_repack(sides: tuple[int, int, int, int], tmp_path: Path) -> None:
    assert prove("lanes_bench", repack(*sides), tmp_path) == PROVED


def write_memories(folder: Path, depths: tuple[int, int]) -> dict[str, int]:
    """Two random memories of 3 and 2 bits, alone and shared as a build writes them; the parameters of the bench."""
    rng = np.random.default_rng(depths[0])
    parts = [Memory("Weights", w, rng.integers(0, 1 << w, (d, 1)).astype(np.uint8), "bram") for d, w in zip(depths, (3, 2), strict=True)]
    for name, memory in (("first", parts[0]), ("second", parts[1]), ("shared", SharedMemory(("a", "b"), *parts))):
        (folder / f"{name}.mem").write_text("".join(f"{int(word[0]):x}\n" for word in memory.words))
    return {"FirstWidth": 3, "FirstDepth": depths[0], "SecondWidth": 2, "SecondDepth": depths[1]}


@pytest.mark.parametrize("depths", some([(3, 5), (4, 4), (7, 9), (9, 2), (2, 9)], always=[(4, 4), (7, 9), (9, 2)]))
def test_shared_memory(depths: tuple[int, int], tmp_path: Path) -> None:
    assert prove("rom_shared_bench", write_memories(tmp_path, depths), tmp_path) == PROVED


FIFO, BLOCK, CONVERTER, REPACK = {"Depth": 3}, {"Depth": 3, "Style": 3}, {"InLanes": 2, "OutLanes": 3, "Elements": 6}, repack(2, 3, 2, 3)
MASKED = "in_short ? in_data_i & (InLanes * Bits)'({(InTail * Bits + 1){1'b1}} >> 1) : in_data_i"
FAULTS: list[tuple[str, dict[str, int], str, str, str]] = [
    ("fifo", FIFO, "dfc_fifo", "ready_q <= count_d !=", "ready_q <= count_q !="),
    ("fifo", FIFO, "dfc_fifo", "valid_q <= count_d != '0;", "valid_q <= count_q != '0;"),
    ("fifo", FIFO, "dfc_fifo", "valid_q <= count_d != '0;", "valid_q <= count_d > count_t'(1);"),
    ("fifo", FIFO, "dfc_fifo", "ready_q <= count_d != count_t'(Depth);", "ready_q <= count_d < count_t'(Depth - 1);"),
    ("fifo", FIFO, "dfc_fifo", "assign out_valid_o = valid_q;", "assign out_valid_o = valid_q && out_ready_i;"),
    ("fifo", FIFO, "dfc_fifo", "rd_q == addr_t'(Depth - 1)", "rd_q == addr_t'(Depth - 2)"),
    ("fifo", BLOCK, "dfc_fifo", "assign around = push && (!valid_q || (one_q && out_ready_i));", "assign around = 1'b0;"),
    ("fifo", BLOCK, "dfc_fifo", "(!valid_q || (one_q && out_ready_i))", "(!valid_q || one_q)"),
    ("fork", {}, "dfc_fork", "credit_q <= !fill_d[0][1] && !fill_d[1][1];", "credit_q <= !fill_d[0][1];"),
    ("fork", {}, "dfc_fork", "rd_q[i]    <= rd_q[i] ^ pop[i];", "rd_q[i]    <= rd_q[i] ^ pop[0];"),
    ("split", {}, "dfc_split", "second ? credit1 : credit0;", "credit0;"),
    ("concat", {}, "dfc_concat", "second ? beat1 : beat0", "beat1"),
    ("concat", {"Folds0": 3}, "dfc_turns", "Bits'(Folds0 - 1)", "Bits'(Folds1 - 1)"),
    ("stream_out", {"Slots": 3, "Delay": 1}, "dfc_stream_out", "- count_t'(issue_i)", "- count_t'(push_i)"),
    ("stream_out", {"Slots": 2, "Delay": 0}, "dfc_stream_out", "free_q   <= count_t'(Slots);", "free_q   <= count_t'(1);"),
    ("queue", {"Depth": 2}, "dfc_lb_queue", "out_valid_o = tail_q != head_q", "out_valid_o = tail_q[Bits-1:0] != head_q[Bits-1:0]"),
    ("burst", {}, "dfc_lb_burst", "if (count > page) count = page;", "if (count > page + 24'd1) count = page;"),
    ("registers", {}, "dfc_lb_registers", " && w_data_i[0];", ";"),
    ("lanes", CONVERTER, "dfc_width_converter", "taken - level_t'(OutLanes) : taken", "taken - level_t'(InLanes) : taken"),
    ("lanes", CONVERTER, "dfc_width_converter", "gives ? all >> (OutLanes * Bits) : all", "all"),
    ("lanes", REPACK, "dfc_repack", "hold_q  <= '0;", ""),
    ("lanes", REPACK, "dfc_repack", "level_q >= need", "level_q >= need - 1'b1"),
    ("lanes", REPACK, "dfc_repack", MASKED, "in_data_i"),
]
FIRST = {f[2]: f for f in reversed(FAULTS)}
"""Of each module."""


@pytest.mark.parametrize("fault", some(FAULTS, always=FIRST.values()), ids=[f"{f[2]}: {f[-1]}" for f in FAULTS])
def test_a_planted_fault_falls(fault: tuple[str, dict[str, int], str, str, str], tmp_path: Path) -> None:
    bench, parameters, module, old, new = fault
    assert prove(f"{bench}_bench", parameters, tmp_path, [mutated(tmp_path, module, old, new)]).falls


ADDRESSES = [("~Bits'(second_addr_i)", "Bits'(second_addr_i)"), ("entries[second_addr]", "entries[first_addr_i]")]


@pytest.mark.parametrize(("old", "new"), ADDRESSES)
def test_a_wrong_address_falls(old: str, new: str, tmp_path: Path) -> None:
    changed = mutated(tmp_path, "dfc_rom_shared", old, new)
    assert prove("rom_shared_bench", write_memories(tmp_path, (7, 9)), tmp_path, [changed]).falls.endswith("second_same")
