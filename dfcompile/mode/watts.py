"""Power as a limit of a build: whether the energy model can tell it, and what to say where no design keeps it."""

from __future__ import annotations

import dataclasses

from dfcompile.device.boards import Board
from dfcompile.device.copies import share
from dfcompile.errors import CompileError, Problem, SettingError
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.search.sweep import sweep
from dfcompile.mode.accelerator import Accelerator, Progress
from dfcompile.mode.loopback import LoopbackAccelerator


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


def engine_within(made: LoopbackAccelerator, board: Board, limit: float, progress: Progress) -> EngineConfig:
    """The fastest engine that takes at most `limit` W, of `made`'s own and one for each other array shape of the board: the first by its
    bound that runs the network, replayed.

    Which ones are looked at does not depend on the limit: with more watts a build is never slower. CompileError where none keeps it.
    """
    coolest, shapes = made, {(made.config.pe, made.config.simd)}
    best = made if _watts(made) <= limit else None
    for p in sweep([made.graph], share(board, made.copies), float(made.options["clock"]), most=1).every:
        if best and p.bound >= best.timing.interval_cycles:
            break
        tried = dataclasses.replace(made, config=p.config, batch=1, report={})
        shape = (p.config.pe, p.config.simd)
        if shape in shapes or not _runs(tried):
            continue
        shapes.add(shape)
        progress(f"within {limit:g} W: {len(shapes)} engines replayed")
        tried.report["energy"] = tried.energy_of(board)
        coolest = min(coolest, tried, key=_watts)
        if _watts(tried) <= limit and (not best or tried.timing.interval_cycles < best.timing.interval_cycles):
            best = tried
    if not best:
        config = coolest.config
        of = f"of {len(shapes)} engines that run it on {board.name} the one that takes least, an array of {config.pe} x {config.simd}, "
        raise CompileError(too_many_watts(coolest, limit, of))
    return best.config


def _runs(tried: LoopbackAccelerator) -> bool:
    """Whether the network fits the engine's memories."""
    try:
        return bool(tried.program.layers)
    except CompileError:
        return False


def _watts(made: Accelerator) -> float:
    return float(made.report["energy"]["watts"])


def too_many_watts(made: Accelerator, limit: float, of: str = "") -> Problem:
    """That a design, or the one there is with the least power, takes more. of: of which designs it is that one"""
    cycles = f"{float(made.timing.interval_cycles):,.6g} cycles a frame"
    takes = f"takes {_watts(made):.4g} W, by the energy model"
    why = f"{of}{takes}, at {cycles}" if of else f"at {cycles} it {takes}"
    other = "dataflow" if made.mode == "loopback" else "loopback"
    help_ = f"allow more watts, ask for a lower clock{' or a lower frame rate' if made.mode == 'dataflow' else ''}, or try --mode {other}"
    return Problem("does-not-fit", f"the design takes more than {limit:g} W", why=why, help=help_)
