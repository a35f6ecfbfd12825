"""Both benches of a dataflow design against a design that breaks a rule: every one must be noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.errors import CompileError
from dfcompile.ir.types import IntType
from dfcompile.run.rtl import RtlRun, run_rtl
from dfcompile.units.fifo import Fifo
from tests.backend.designs import residual
from tests.examples import some
from tests.formal.prove import mutated
from tests.three_way import one_unit, random_codes

BROKEN = Path(__file__).with_name("broken_design.sv")
FRAMES = 3
# Rule: what the benches say, or None where the beats that they hand over differ.
RULES = {
    "valid falls": (1, "tvalid fell before the transfer"),
    "data changes": (2, "tdata changed before the transfer"),
    "tlast too early": (3, "tlast is wrong"),
    "a beat lost": (4, "gave 47 of 48 beats"),
    "a beat too many": (5, "more beats than the frames have"),
    "a wrong beat": (6, None),
    "tlast missing": (7, "tlast is wrong"),
    "a beat twice": (8, "more beats than the frames have"),
    "an assertion fails": (9, "an assertion of the design"),
    "a register without reset": (10, None),
}


def design() -> Design:
    return one_unit(Fifo((1, 4, 4), IntType(8), 1, 2))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    emit_rtl(design(), folder)
    (folder / f"{Interface.of(design()).names.top}.sv").write_text(BROKEN.read_text())
    return folder


def frames(rule: int) -> np.ndarray:
    codes = np.random.default_rng(1).integers(16, 256, (FRAMES, 1, 4, 4))
    codes[0, 0, 0, 0] = rule
    return codes


@pytest.mark.parametrize("driver", some(["cpp", "cocotb"], always=["cpp"]))
def test_every_broken_rule_is_noticed(driver: str, broken: Path) -> None:
    for seed in range(3):
        assert np.array_equal(run_rtl(design(), [frames(0)], 0.5, seed, broken, driver).outputs[0], frames(0))
    missed = []
    for name, (rule, says) in RULES.items():
        try:
            (got,) = run_rtl(design(), [frames(rule)], 0.5, 1, broken, driver).outputs
        except CompileError as e:
            assert says is not None and says in str(e), f"{name}: {e}"
        else:
            if says is not None or np.array_equal(got, frames(rule)):
                missed.append(name)
    assert missed == []


BLINK = "logic blink_q; always_ff @(posedge clk_i) blink_q <= !blink_q; assign out_valid_o = valid_q && !blink_q;"


@pytest.mark.parametrize(("old", "new", "says"), [
    ("assign out_valid_o = valid_q;", BLINK, "a stalled stream dropped or changed its beat"),
    ("assign push    = in_valid_i && ready_q;", "assign push    = in_valid_i;", "an invariant of the module is broken"),
], ids=["stable", "invariant"])  # fmt: skip
def test_assertions_of_the_modules_are_on(old: str, new: str, says: str, tmp_path: Path) -> None:
    """Inside a design no port of a bench would show it."""
    made = residual(short=20, long=1)
    emit_rtl(made, tmp_path)
    mutated(tmp_path, "dfc_fifo", old, new)
    codes = [random_codes(made.streams()["x"], FRAMES, np.random.default_rng(2))]
    with pytest.raises(CompileError, match=says):
        run_rtl(made, codes, 0.4, 3, tmp_path)


def same(a: RtlRun, b: RtlRun) -> bool:
    times = (a.first_take, a.cycles, a.frame_done.tolist()) == (b.first_take, b.cycles, b.frame_done.tolist())
    return times and all(np.array_equal(x, y) for x, y in zip(a.outputs, b.outputs, strict=True))


@pytest.mark.parametrize(("driver", "stalls", "every"), [
    ("cpp", 0.0, 9), ("cpp", 0.4, 9), pytest.param("cocotb", 0.4, 150, marks=pytest.mark.further),
])  # fmt: skip
def test_reset_in_mid_run(driver: str, stalls: float, every: int, tmp_path: Path) -> None:
    """After it the run is that of a design which was just switched on, to the cycle."""
    made = residual(short=20)
    emit_rtl(made, tmp_path)
    codes = [random_codes(made.streams()["x"], FRAMES, np.random.default_rng(2))]
    plain = run_rtl(made, codes, stalls, 3, tmp_path, driver)
    for at in range(1, plain.cycles, every):
        assert same(run_rtl(made, codes, stalls, 3, tmp_path, driver, reset_at=at), plain), at
