"""Whether a design reaches the rate that a build is asked for."""

from __future__ import annotations

from dfcompile.errors import Problem
from dfcompile.mode.accelerator import Accelerator
from dfcompile.options import Options


def missed_rate(made: Accelerator, options: Options) -> Problem | None:
    """Where a design is slower than asked for: the folding that was given, or FIFOs that do not keep the rate; or a board's memory is."""
    wanted, interval = options.wanted_interval, made.timing.interval_cycles
    if not wanted or interval <= wanted:
        timing, clock = made.report["timing"], made.report["clock_mhz"]
        return _not_fed(timing["fps"] * clock / timing.get("closing_mhz", clock), options)
    return Problem(
        "does-not-fit",
        "the design misses the asked rate",
        f"{'' if made.report['timing'].get('loop') else 'unit '}{made.report['timing']['bottleneck']}",
        f"it takes {float(interval):,.6g} cycles a frame, {wanted:,} are asked for",
        f"{'leave the folding out, or ' if options.folding is not None else ''}ask for a lower frame rate",
    )


def _not_fed(fps: float, options: Options) -> Problem | None:
    """Where a board's memory moves fewer frames than are asked for."""
    if options.target is None or options.fps is None or fps >= options.fps:
        return None
    what, help_ = f"{options.target.name} does not feed a design at the asked rate", "ask for a lower frame rate, or take another board"
    return Problem("does-not-fit", what, why=f"its memory moves {fps:,.0f} frames/s, {options.fps:,.0f} are asked for", help=help_)
