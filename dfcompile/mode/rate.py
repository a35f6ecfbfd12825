"""The rate that a build is asked for, and whether a design reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfcompile.errors import CompileError, Problem
from dfcompile.mode.dataflow import Accelerator
from dfcompile.options import MODES, NUMBERS, shown_number, wrong_number


def check_options(options: Mapping[str, Any]) -> None:
    """CompileError for every option that no design can meet."""
    problems = []
    if options["mode"] not in MODES:
        problems.append(Problem("bad-option", f"mode '{options['mode']}' is not available", help=f"modes: {', '.join(MODES)}"))
    if options["fps"] and options["interval"]:
        problems.append(Problem("bad-option", "--fps and --interval both set the speed", help="give one of them"))
    for key in NUMBERS:
        help_ = wrong_number(key, options[key])
        if help_:
            problems.append(Problem("bad-option", f"--{key} {shown_number(options[key])} is out of range", help=help_))
    if not problems and options["fps"] and options["fps"] > options["clock"] * 1e6:
        why = f"at {options['clock']:g} MHz there are {options['clock'] * 1e6:,g} cycles a second, and no design begins two frames in one"
        problems.append(Problem("bad-option", f"--fps {options['fps']:,g} is more than a frame a cycle", why=why, help="ask for less"))
    if problems:
        raise CompileError(problems)


def wanted_interval(options: Mapping[str, Any]) -> int | None:
    """Cycles per frame that the options ask for, None when they ask for nothing."""
    if options.get("interval"):
        return int(options["interval"])
    if options.get("fps"):
        return max(1, int(options["clock"] * 1e6 / options["fps"]))
    return None


def missed_rate(made: Accelerator, options: Mapping[str, Any]) -> Problem | None:
    """Where a design is slower than asked for: the folding that was given, or FIFOs that do not keep the rate."""
    wanted, interval = wanted_interval(options), made.timing.interval_cycles
    if not wanted or interval <= wanted:
        return None
    return Problem(
        "does-not-fit",
        "the design misses the asked rate",
        f"unit {made.report['timing']['bottleneck']}",
        f"it takes {float(interval):,.6g} cycles a frame, {wanted:,} are asked for",
        f"{'leave the folding out, or ' if options.get('folding') is not None else ''}ask for a lower frame rate",
    )
