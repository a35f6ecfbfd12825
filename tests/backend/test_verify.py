"""`verify` passes what is right and finds the unit, frame and beat of what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit import hls as emitted_hls
from dfcompile.emit.golden import random_inputs
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.rtl import emit_rtl
from dfcompile.errors import CompileError
from dfcompile.mode.accelerator import GENERATED, Progress
from dfcompile.mode.verify_dataflow import verify_dataflow
from dfcompile.timing import solve as solving
from dfcompile.timing.solve import solve
from tests.backend.designs import dense, residual, two_ports, wrong


def verify(
    design: Design,
    engines: Sequence[str] = GENERATED,
    frames: int | None = None,
    folder: Path | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    return verify_dataflow(design, engines, frames, 0.0, progress, folder, "ecp5")


@pytest.mark.slow
def test_right_design_passes_with_its_cycles() -> None:
    design = two_ports()
    said: list[str] = []
    result = verify(design, progress=said.append)
    timing = solve(design)
    hls, rtl = result["engines"]["hls"], result["engines"]["rtl"]
    assert hls == {"pass": True, "frames": 8, "mismatches": 0, "first_mismatch": None}
    assert rtl == {
        **hls,
        "interval_cycles": timing.interval_cycles,
        "predicted_interval_cycles": timing.interval_cycles,
        "latency_cycles": timing.latency_cycles,
        "predicted_latency_cycles": timing.latency_cycles,
    }
    assert said == ["verify (hls)", "verify (rtl)"]


def test_a_very_large_design_is_timed_for_one_frame_and_verified_with_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interval is proved without the second one."""
    every = solve(dense())
    monkeypatch.setattr(solving, "_MOST_EVENTS", 1)
    monkeypatch.setattr("dfcompile.mode.verify_dataflow.COCOTB_CYCLES", 0)
    timing = solve(dense(), interval=Fraction(every.interval_cycles))
    assert len(timing.frame_done) == 1 < len(every.frame_done)
    assert (timing.interval_cycles, timing.latency_cycles) == (every.interval_cycles, every.latency_cycles)
    rtl = verify(dense(), engines=["rtl"], frames=1)["engines"]["rtl"]
    assert rtl["pass"] and rtl["interval_cycles"] == rtl["predicted_interval_cycles"] == every.interval_cycles


@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_a_wrong_unit_is_found(engine: str) -> None:
    found = verify(wrong(), engines=[engine], frames=3)["engines"][engine]
    assert found["pass"] is False
    assert (found["frames"], found["mismatches"]) == (3, 1)
    # element (2, 0, 1) of frame 1, the one of the least codes, two lanes a beat
    assert found["first_mismatch"].startswith("sum, frame 1, beat 12: [")
    assert "; unit add, sum, frame 1, beat 12: [" in found["first_mismatch"]


def test_a_deadlock_is_a_failure_that_names_the_ports() -> None:
    design = residual(short=2)
    with pytest.raises(CompileError, match="deadlock"):
        solve(design)
    with pytest.raises(CompileError, match="deadlock"):
        verify(design, engines=["rtl"], frames=2)


@pytest.mark.further
@pytest.mark.parametrize("whole", [10, 1])  # compiled as one file, and unit by unit
def test_a_relative_path(whole: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitted_hls, "GROUP", whole)
    # A name of its own: nothing else has compiled these files, and the cache holds none.
    design = replace(two_ports(), graph=two_ports().graph.replace(name=f"relative_{whole}"))
    emit_hls(design, tmp_path / "out" / "hls")
    emit_rtl(design, tmp_path / "out" / "rtl")
    monkeypatch.chdir(tmp_path)
    found = verify(design, engines=["hls", "rtl"], frames=2, folder=Path("out"))["engines"]
    assert found["hls"]["pass"] and found["rtl"]["pass"]


def test_the_saved_files_are_what_runs(tmp_path: Path) -> None:
    design = dense()
    emit_hls(design, tmp_path / "hls")
    emit_rtl(design, tmp_path / "rtl")
    assert verify(design, engines=["hls"], frames=2, folder=tmp_path)["engines"]["hls"]["pass"]
    memory = next((tmp_path / "rtl").glob("*weights*.mem"))
    words = memory.read_text().splitlines()
    memory.write_text("\n".join("0" * len(w) for w in words) + "\n")
    found = verify(design, engines=["rtl"], frames=2, folder=tmp_path)["engines"]["rtl"]
    assert not found["pass"] and found["mismatches"] > 0
    assert found["first_mismatch"].endswith("every unit is right alone: the connections or the saved files differ")


def test_golden_frames_hold_the_extremes() -> None:
    (codes,) = random_inputs(dense(), 4)
    assert (codes[2] == 0).all() and (codes[3] == 7).all()
    assert set(codes[:2].ravel().tolist()) == set(range(8))
