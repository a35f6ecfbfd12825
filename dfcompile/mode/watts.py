"""Power as a limit of a build: whether the energy model can tell it, and what to say where no design keeps it."""

from __future__ import annotations

from dfcompile.device.boards import Board
from dfcompile.errors import CompileError, Problem, SettingError
from dfcompile.mode.accelerator import Accelerator


def check_watts(made: Accelerator, limit: float | None, board: Board | None) -> None:
    """SettingError where there is a limit and no figure; CompileError where board and device alone take more."""
    if limit is None:
        return
    found, power = made.report["energy"], board.power if board else None
    if found["watts"] is None:
        what, help_ = "watts is a limit of the energy model, which has no figures here", "leave it out, or name a board of docs/energy.md"
        raise SettingError(Problem("bad-option", what, why=found["model"], help=help_))
    if board and power and power.static + power.board >= limit:
        what, why = f"no design takes {limit:g} W or less", f"{board.name} takes {power.static + power.board:g} W whatever the design does"
        raise CompileError(Problem("does-not-fit", what, why=why, help="allow more watts, or take another board"))


def too_many_watts(made: Accelerator, limit: float) -> Problem:
    """That a design, or the slowest there is, takes more."""
    why = (
        f"at {float(made.timing.interval_cycles):,.6g} cycles a frame it takes {made.report['energy']['watts']:.4g} W, by the energy model"
    )
    dataflow = made.mode == "dataflow"
    help_ = "ask for a lower frame rate, a lower clock or more watts" if dataflow else "allow more watts, or give a smaller engine"
    return Problem("does-not-fit", f"the design takes more than {limit:g} W", why=why, help=help_)
