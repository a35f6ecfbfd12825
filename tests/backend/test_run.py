"""Running what was emitted: stalls, deadlocks, broken protocols, both drivers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit.golden import Golden, golden, random_inputs
from dfcompile.emit.identity import design_hash, version_word
from dfcompile.emit.rtl import emit_rtl
from dfcompile.errors import CompileError
from dfcompile.ir.requantization import Requantization
from dfcompile.ir.types import IntType
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import RtlRun, run_harness, run_rtl
from dfcompile.timing.solve import solve
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.threshold import Threshold
from tests.backend.designs import dense, residual, two_ports
from tests.three_way import one_unit

FRAMES = 5


def frames_of(design: Design) -> Golden:
    return golden(design, random_inputs(design, FRAMES, seed=7))


def assert_equal(frozen: Golden, outputs: tuple[np.ndarray, ...]) -> None:
    for got, wanted in zip(outputs, frozen.outputs, strict=True):
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize("design", [residual(short=20), two_ports(), dense()], ids=lambda d: d.name)
def test_all_engines_agree(design: Design) -> None:
    frozen = frames_of(design)
    assert_equal(frozen, run_hls(design, frozen.inputs))
    free = run_rtl(design, frozen.inputs)
    assert_equal(frozen, free.outputs)
    predicted = solve(design, frames=FRAMES)
    assert (free.frame_done - free.first_take).tolist() == predicted.frame_done.tolist()
    assert free.latency_cycles == predicted.latency_cycles
    for stalls in (0.1, 0.6, 0.95):
        paused = run_rtl(design, frozen.inputs, stalls, seed=3)
        assert_equal(frozen, paused.outputs)
        assert paused.frame_done[-1] >= free.frame_done[-1]
    assert paused.frame_done[-1] > 2 * free.frame_done[-1]


def test_seeds_choose_the_pauses() -> None:
    design = two_ports()
    frozen = frames_of(design)
    runs = [run_rtl(design, frozen.inputs, 0.5, seed).frame_done.tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_fifo_too_small_is_a_deadlock_that_says_who_waits() -> None:
    design = residual(short=2)
    frozen = frames_of(design)
    with pytest.raises(CompileError) as caught:
        run_rtl(design, frozen.inputs)
    assert caught.value.problems[0].code == "deadlock"
    assert re.search(r"s_axis is refused beat \d+ of 180; m_axis gave \d+ of 180 beats, offers none", str(caught.value))
    assert "deepen the FIFOs" in str(caught.value)


def _edited(design: Design, folder: Path, file: str, old: str, new: str) -> Path:
    emit_rtl(design, folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "dfc_axi_last #(.Beats(72)) u_m_axis0_last",
            "dfc_axi_last #(.Beats(71)) u_m_axis0_last",
            r"m_axis0, beat 70, cycle \d+: tlast is wrong",
        ),
        (
            "assign m_axis0_tdata = {2'b0, m_axis0_data};",
            "assign m_axis0_tdata = {1'b0, aclk_q, m_axis0_data};\n"
            "  logic aclk_q;\n  always_ff @(posedge aclk) aclk_q <= aresetn & ~aclk_q;",
            r"m_axis0, beat \d+, cycle \d+: tdata changed",
        ),
    ],
    ids=["tlast", "tdata"],
)
def test_a_broken_protocol_is_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    design = two_ports()
    rtl = _edited(design, tmp_path, "two_ports.sv", old, new)
    with pytest.raises(CompileError, match=said):
        run_rtl(design, frames_of(design).inputs, 0.7, 1, rtl)


@pytest.mark.parametrize(("batch", "stalls"), [(0, 0.0), (1, 0.3), (3, 0.0), (3, 0.5), (2, 0.2)])
def test_batches_and_registers(batch: int, stalls: float, tmp_path: Path) -> None:
    """tlast ends each batch (the harness checks it); the registers say which design it is and what it took."""
    design = two_ports()
    emit_rtl(design, tmp_path)
    frozen = frames_of(design)
    made = run_harness(design, tmp_path, frozen.inputs, stalls, 5, batch=batch)
    for found, wanted in zip(made.outputs, frozen.outputs, strict=True):
        np.testing.assert_array_equal(found, wanted)
    code = design_hash(design)
    cycles = int(made.frame_done[-1]) - made.first_take + 1
    assert made.registers == (max(batch, 1), version_word(), code & 0xFFFFFFFF, code >> 32, cycles, frozen.frames)


def test_another_batch_is_noticed(tmp_path: Path) -> None:
    design = two_ports()
    _edited(design, tmp_path, "dfc_axi_last.sv", "ends ? frames_i - 1'b1", "ends ? frames_i")
    with pytest.raises(CompileError, match=r"m_axis., beat 287, cycle \d+: tlast is wrong"):
        run_harness(design, tmp_path, frames_of(design).inputs, 0, 5, batch=2)


@pytest.mark.parametrize("make", [dense, two_ports])
def test_the_hash_tells_designs_apart(make: Callable[[], Design]) -> None:
    design = make()
    assert design_hash(design) == design_hash(make()) != 0
    assert " at 0x" not in "".join(repr(vars(design.unit(n.name))) for n in design.nodes)
    deeper = dataclasses.replace(design, fifo_depths={next(iter(design.streams())): 3})
    named = dataclasses.replace(design, graph=dataclasses.replace(design.graph, name="other"))
    assert design_hash(deeper) != design_hash(design) == design_hash(named)


def test_the_hash_reads_the_weights() -> None:
    design = dense()
    unit = design.unit("fc")
    assert isinstance(unit, Mvtu)
    before = design_hash(design)
    unit.weights[0, 0, 0] ^= 1
    assert design_hash(design) != before


def test_the_hash_reads_numbers_inside_of_parts_as_numbers() -> None:
    """Not as text, which leaves out the middle of long arrays and looks as the user has set it."""
    channels = np.arange(1200)
    scaling = Requantization(channels + 3, channels, channels, 8)
    thresholds = np.zeros((1200, 1), np.int64)
    unit = Threshold(IntType(8), IntType(1), thresholds, None, (1, 1, 1200), pe=1, scaling=scaling)
    before = design_hash(one_unit(unit))
    with np.printoptions(threshold=4, linewidth=20):
        assert design_hash(one_unit(unit)) == before
    scaling.multiplier[600] += 1
    assert design_hash(one_unit(unit)) != before


def test_wrong_codes_are_given_back_not_hidden(tmp_path: Path) -> None:
    design = dense()
    emit_rtl(design, tmp_path)
    memory = next(tmp_path.glob("*weights*.mem"))
    lines = memory.read_text().splitlines()
    memory.write_text("\n".join(f"{int(line, 16) ^ 5:0{len(line)}x}" for line in lines) + "\n")
    frozen = frames_of(design)
    assert not np.array_equal(run_rtl(design, frozen.inputs, rtl=tmp_path).outputs[0], frozen.outputs[0])


def test_the_wrong_shape_is_refused() -> None:
    with pytest.raises(CompileError, match=r"wants codes of shape \[n, 1, 2, 40\]"):
        run_hls(dense(), [np.zeros((2, 2, 1, 40))])


@pytest.mark.further
@pytest.mark.slow
def test_cocotb_agrees_with_the_harness_to_the_cycle() -> None:
    design = two_ports()
    frozen = frames_of(design)
    runs: list[RtlRun] = [run_rtl(design, frozen.inputs, driver=driver) for driver in ("cpp", "cocotb")]
    assert runs[0].frame_done.tolist() == runs[1].frame_done.tolist()
    for run in (*runs, run_rtl(design, frozen.inputs, 0.4, 5, driver="cocotb")):
        assert_equal(frozen, run.outputs)
    with pytest.raises(CompileError, match="nothing moved for"):
        run_rtl(residual(short=2), frames_of(residual(short=2)).inputs, driver="cocotb")


def test_an_unknown_driver() -> None:
    with pytest.raises(ValueError, match="no driver 'vcs'"):
        run_rtl(dense(), frames_of(dense()).inputs, driver="vcs")
