"""Whether a design reaches the rate that a build is asked for."""

from __future__ import annotations

from dfcompile.errors import Problem
from dfcompile.mode.accelerator import Accelerator
from dfcompile.options import Options


def missed_rate(made: Accelerator, options: Options) -> Problem | None:
    """Where a design is slower than asked for: the folding that was given, or FIFOs that do not keep the rate."""
    wanted, interval = options.wanted_interval, made.timing.interval_cycles
    if not wanted or interval <= wanted:
        return None
    return Problem(
        "does-not-fit",
        "the design misses the asked rate",
        f"unit {made.report['timing']['bottleneck']}",
        f"it takes {float(interval):,.6g} cycles a frame, {wanted:,} are asked for",
        f"{'leave the folding out, or ' if options.folding is not None else ''}ask for a lower frame rate",
    )
