"""Commands that take a build to a device: synthesis, and place and route into a bitstream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dfcompile.command.console import progress, show_json, show_table
from dfcompile.command.parameter import json_option, out_argument, quiet_option, seeds_option, timing_option
from dfcompile.device.family import FAMILIES
from dfcompile.mode.summary import implementation_lines, rate_of
from dfcompile.text import one_line


@click.command()
@out_argument
@click.option("--tool", type=click.Choice(("yosys", "vivado")), default="yosys", show_default=True)
@click.option("--device", metavar="FAMILY", help=f"{', '.join(FAMILIES)}. Default: the build's board.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=2, show_default=True, metavar="N", help="Units synthesised at a time.")
@quiet_option
@json_option
def synth(out: Path, tool: str, device: str | None, jobs: int, quiet: bool, as_json: bool) -> None:
    """Synthesise OUT: real resources per unit beside the estimates. Vivado, where it is installed, also places and routes it by itself."""
    from dfcompile.mode.synth import synth as synthesise

    with progress(quiet) as report:
        found = synthesise(out, tool=tool, device=device, progress=report, jobs=jobs)
    if as_json:
        show_json(found)
    elif not quiet:
        names = ("lut", "ff", "bram36", "uram", "dsp")
        parts = [*found["units"], {"name": "total", **found["total"]}]
        rows = [[u["name"], *(f"{u['synthesised'][n]:,.0f} ({u['estimated'][n]:,.0f})" for n in names)] for u in parts]
        show_table(f"{tool}, {found['device']}: synthesised (estimated)", ["unit", *names], rows)
        if "fmax_mhz" in found:
            click.echo(f"{found['fmax_mhz']:g} MHz; slowest path: {', '.join(found['critical_path'])}")


@click.command()
@out_argument
@seeds_option
@timing_option
@quiet_option
@json_option
def bitstream(out: Path, seeds: int, allow_timing_fail: bool, quiet: bool, as_json: bool) -> None:
    """Place and route OUT for its board and make the bitstream: with open tools, for AMD boards with Vivado."""
    found = implement(out, seeds, allow_timing_fail, quiet, quiet or as_json)
    if as_json:
        show_json(found["implementation"])


def implement(out: Path, seeds: int, allow_timing_fail: bool, quiet: bool, silent: bool) -> dict[str, Any]:
    """Make the bitstream of a build; what is new in its report. silent: print no result."""
    from dfcompile.mode.bitstream import bitstream as make

    with progress(quiet) as report:
        path, changed = make(out, seeds, allow_timing_fail, report)
    if not silent:
        lines = [*implementation_lines(changed["implementation"]), f"  {rate_of(changed)}", f"  written to {one_line(str(path))}"]
        click.echo("\n".join(lines))
    return changed
