"""Both benches of the loopback engine against an engine that breaks a rule: every one must be noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfcompile.emit.engine import TOP, emit_rtl_engine
from dfcompile.emit.resource import render
from dfcompile.loopback.config import EngineConfig
from dfcompile.run.compile import build_cocotb
from dfcompile.run.loopback import build_rtl_engine
from dfcompile.toolchain import find_tool

CONFIG = EngineConfig(pe=8, simd=8, act_words=128, weight_words=32, acc_words=64, tree_levels=4)
needs_cocotb = pytest.mark.skipif(find_tool("cocotb") is None, reason="no cocotb")
BODY = Path(__file__).with_name("broken_engine.svh")
BENCH = Path(__file__).resolve().parents[2] / "templates" / "loopback"
# Rule: exit code of the C++ harness, what it says.
RULES = {
    "arvalid falls": (1, 3, "a read request changed"),
    "araddr changes": (2, 3, "a read request changed"),
    "awvalid falls": (3, 3, "a write request changed"),
    "wdata changes": (4, 3, "a word changed"),
    "wlast too early": (5, 3, "WLAST"),
    "a border crossed": (6, 3, "4 KiB"),
    "never done": (7, 2, ""),
    "a word lost": (8, 0, ""),
    "another place": (9, 0, ""),
    "awlen changes": (10, 3, "a write request changed"),
    "an error": (11, 0, ""),
    "a register without reset": (12, 0, ""),
}


def expected() -> np.ndarray:
    memory = np.full(8192, 0xA5, np.uint8)
    memory[16:32] = 0
    memory[24] = 1
    return memory


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder rtl/ with the broken engine, and the memory's files beside it."""
    folder = tmp_path_factory.mktemp("broken")
    emit_rtl_engine(CONFIG, folder / "rtl")
    top = folder / "rtl" / f"{TOP}.sv"
    ports, end, _ = top.read_text().partition(");\n")
    top.write_text(ports + end + BODY.read_text())
    np.full(8192, 0xA5, np.uint8).tofile(folder / "image.bin")
    expected().tofile(folder / "expected.bin")
    return folder


def run_harness(engine: Path, rule: int, seed: int = 1) -> tuple[int, str, bool]:
    """Exit code, what it said, whether the memory is as expected."""
    tool = build_rtl_engine(CONFIG, engine / "rtl")
    command = [tool, engine / "image.bin", engine / "after.bin", str(rule), "8", "3", "0.8", str(seed), "4000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    same = done.returncode == 0 and (engine / "after.bin").read_bytes() == (engine / "expected.bin").read_bytes()
    return done.returncode, done.stdout + done.stderr, same


def test_harness_finds_no_fault_where_there_is_none(engine: Path) -> None:
    for seed in range(1, 6):
        code, said, same = run_harness(engine, 0, seed)
        assert code == 0 and same and said.split()[1] == "0"


@pytest.mark.parametrize("name", RULES)
def test_harness_notices(name: str, engine: Path) -> None:
    """Under one of a few patterns of stalls: a request that is taken at once cannot break a rule."""
    rule, code, text = RULES[name]
    runs = [run_harness(engine, rule, seed) for seed in range(1, 6)]
    assert any(found == code and text in said and (code or not same or said.split()[1] == "8") for found, said, same in runs), runs


@pytest.mark.further
@needs_cocotb
def test_cocotb_bench_notices(engine: Path) -> None:
    sim = engine / "sim"
    sim.mkdir()
    for file in (BENCH / "test_engine.py", engine / "image.bin", engine / "expected.bin"):
        shutil.copy(file, sim)

    def make(rule: int, seed: int) -> tuple[bool, str]:
        values = {
            "names": {"top": TOP},
            "rtl": "../rtl",
            "bus": CONFIG.bus_bits,
            "address": rule,
            "size": 8,
            "limit": 2000,
            "again": "expected.bin",
        }
        (sim / "Makefile").write_text(render("loopback/Makefile.j2", **values))
        simulator = build_cocotb(sim, engine / "rtl", TOP)
        command = ["make", f"PYTHON={sys.executable}", f"SIMULATOR={simulator}", "STALLS=0.7", f"SEED={seed}"]
        done = subprocess.run(command, cwd=sim, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    passes, said = make(0, 4)
    assert passes, said
    assert [name for name, (rule, _, _) in RULES.items() if all(make(rule, seed)[0] for seed in (4, 5, 6))] == []
