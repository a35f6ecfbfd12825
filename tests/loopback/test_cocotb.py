"""The engine under cocotb, with the AXI4 memory of cocotbext-axi: an independent judge of the bus protocol."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dfcompile.emit.engine import TOP, emit_rtl_engine, emit_sim
from dfcompile.ir.graph import Array
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.program import Program
from dfcompile.toolchain import verilator_root
from tests.loopback.cases import CASES, outputs
from tests.loopback.random_loop import random_loop

runner = pytest.importorskip("cocotb_tools.runner")
pytest.importorskip("cocotbext.axi")

CONFIG = EngineConfig(pe=8, simd=8, act_words=128, weight_words=32, acc_words=64, tree_levels=4)
BENCH = Path(__file__).resolve().parents[2] / "templates" / "loopback"


def convolutions() -> tuple[Program, dict[str, Array], str]:
    net = CASES["convolutions"]()
    program = compile_program(net.graph(*outputs(net)), CONFIG)
    assert program.spilled  # loads and stores of activations too
    return program, net.codes(1), "expected"


def states() -> tuple[Program, dict[str, Array], str]:
    """The second run begins with what the first one left."""
    net, graph = random_loop(2, keep=True)
    return compile_program(graph, CONFIG), {"x": net.codes(1)["x"]}, "again"


@pytest.mark.parametrize("made", [pytest.param(convolutions, marks=pytest.mark.slow), pytest.param(states, marks=pytest.mark.further)])
def test_axi_memory_with_pauses(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, codes, again = made()
    emit_sim(program, codes, tmp_path / "sim")
    emit_rtl_engine(CONFIG, tmp_path / "rtl")
    sources = [tmp_path / "rtl" / name for name in (tmp_path / "rtl" / "files.f").read_text().split() if name.endswith(".sv")]
    monkeypatch.setenv("PATH", f"{verilator_root() / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("VERILATOR_ROOT", str(verilator_root()))
    monkeypatch.syspath_prepend(str(BENCH))
    sim = runner.get_runner("verilator")
    # Some thousand cycles run: optimising would take longer than it saves.
    options = ["-Wno-fatal", "--output-split", "0", "-CFLAGS", "-O0", f"-I{tmp_path / 'rtl'}"]
    sim.build(sources=sources, hdl_toplevel=TOP, build_dir=tmp_path / "build", build_args=options, timescale=("1ns", "1ps"))
    files = [f"+{arg}={tmp_path / 'sim' / file}.bin" for arg, file in (("image", "image"), ("expected", "expected"), ("again", again))]
    numbers = [f"+program={program.program_address}", f"+bytes={len(program.code)}", "+limit=200000", "+pauses=0.3", "+pause_seed=4"]
    results = sim.test(hdl_toplevel=TOP, test_module="test_engine", build_dir=tmp_path / "build", plusargs=[*files, *numbers])
    total, failed = runner.get_results(results)
    assert (total, failed) == (1, 0)
