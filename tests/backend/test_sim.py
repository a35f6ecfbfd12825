"""sim/ runs by itself: `make` (cocotb) and `make fast` (C++ harness), and tells what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import emit_sim
from dfcompile.timing.solve import solve
from tests.backend.designs import two_ports

pytestmark = pytest.mark.slow
FRAMES = 4


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-j2", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    design = two_ports()
    frozen = golden(design, random_inputs(design, FRAMES))
    emit_rtl(design, folder / "rtl")
    emit_sim(design, folder / "sim", frozen.inputs, frozen.outputs, folder / "rtl")
    return folder / "sim"


def test_make_checks_and_measures(sim: Path) -> None:
    done = make(sim)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    timing = solve(two_ports(), frames=FRAMES)
    assert f"interval {timing.interval_cycles}, latency {timing.latency_cycles}" in done.stdout
    run = json.loads((sim / "results" / "run.json").read_text())
    assert [c - run["first_take"] for c in run["frame_done"]] == timing.frame_done.tolist()
    for port in ("m_axis0", "m_axis1"):
        assert (sim / "results" / f"{port}.hex").read_text() == (sim / "vectors" / f"{port}.hex").read_text()


def test_make_with_stalls(sim: Path) -> None:
    done = make(sim, "STALLS=0.5", "SEED=9")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    run = json.loads((sim / "results" / "run.json").read_text())
    assert run["frame_done"][-1] > 1.5 * solve(two_ports(), frames=FRAMES).frame_done[-1]


@pytest.mark.further
def test_make_fast(sim: Path) -> None:
    done = make(sim, "fast", "STALLS=0.2")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert "fast: all beats equal" in done.stdout


@pytest.mark.further
def test_wrong_vectors_fail_in_both(sim: Path) -> None:
    path = sim / "vectors" / "m_axis1.hex"
    good = path.read_text()
    lines = good.splitlines()
    lines[72 + 3] = f"{int(lines[72 + 3], 16) ^ 1:02x}"
    path.write_text("\n".join(lines) + "\n")
    try:
        slow, fast = make(sim), make(sim, "fast")
    finally:
        path.write_text(good)
    assert slow.returncode != 0 and fast.returncode != 0
    assert "m_axis1: 1 beats differ, first in frame 1, beat 3" in slow.stdout
