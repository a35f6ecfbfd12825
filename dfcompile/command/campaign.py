"""The command `campaign`: a live table while it runs, the cases and their failures when it has ended."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dfcompile.command.console import show_json, show_problems, show_table
from dfcompile.command.parameter import json_option, quiet_option, scheduler_option
from dfcompile.errors import Problem
from dfcompile.text import one_line

if TYPE_CHECKING:
    from dfcompile.campaigns.run import Run

_COLOURS = {"done": "green", "failed": "red", "running": "yellow", "waiting": "dim", "": "dim"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes of this machine. Default: one for each core.")
@scheduler_option
@quiet_option
@json_option
def campaign(file: Path, jobs: int | None, scheduler: str | None, quiet: bool, as_json: bool) -> int:
    """Many builds, with verification, synthesis and bitstreams: what FILE.toml asks for and is not there yet."""
    from dfcompile.campaigns.campaign import FILES, run_campaign
    from dfcompile.campaigns.file import read_campaign

    with _watching(quiet or as_json) as watch:
        found, made = run_campaign(file, jobs, scheduler, watch)
    if as_json:
        show_json(found)
    elif not quiet:
        _show(found)
        click.echo(f"{made:,} tasks done" if made else "nothing to do: every result is there")
        click.echo(f"written to {one_line(str(read_campaign(file).out / FILES[1]))}")
    problems = [_told(case, step, p) for case in found["cases"] for step, s in case["steps"].items() for p in s["problems"]]
    if problems and not as_json:
        show_problems(problems)
    return 1 if problems else 0


def _told(case: dict[str, Any], step: str, problem: dict[str, str]) -> Problem:
    """A problem, with where in the campaign it is."""
    from dfcompile.campaigns.summary import label

    return Problem(**problem | {"where": "; ".join(filter(None, (f"{step} of {label(case)}", problem["where"])))})


def _show(found: dict[str, Any]) -> None:
    from dfcompile.campaigns.summary import label

    steps = list(found["cases"][0]["steps"])
    rows = []
    for case in found["cases"]:
        f = case["figures"] or {}
        used = "" if f.get("used") is None else f"{f['used']:.1%}"
        area = f["resources"]["lut"] if f else ""
        rows.append([label(case), f.get("fps", ""), area, used, "*" if case["front"] else "", *(case["steps"][s]["state"] for s in steps)])
    show_table("", ["case", "frames/s", "LUT", "fullest", "front", *steps], rows)


@contextlib.contextmanager
def _watching(quiet: bool) -> Iterator[Callable[[Run], None]]:
    """What shows how far a campaign is, on stderr: a live table, or a line for each task that ends where it is no terminal."""
    if quiet:
        yield lambda run: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
            yield lambda run: live.update(_table(run))
    else:
        yield _liner(time.monotonic())


def _liner(start: float) -> Callable[[Run], None]:
    last = 0

    def line(run: Run) -> None:
        nonlocal last
        if run.made != last:
            last = run.made
            states = [run.state(row, s) for row in run.rows for s in row.keys]
            done, failed = states.count("done"), states.count("failed")
            text = f"{done + failed} of {len(states)} steps, {failed} failed"
            print(f"[{time.monotonic() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    return line


def _table(run: Run) -> Any:
    from rich.table import Table
    from rich.text import Text

    steps = list(run.rows[0].keys)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "board", "mode", "rate", *steps):
        table.add_column(name)
    for row in run.rows:
        o = row.case.options
        rate = f"{o.fps:,g} fps" if o.fps else f"{o.interval:,} cycles" if o.interval else Path(str(o.folding)).name if o.folding else ""
        told = [Text(t) for t in (row.model, o.target.name if o.target else "", o.mode, rate)]
        states = [run.state(row, s) for s in steps]
        table.add_row(*told, *(Text(s, _COLOURS[s]) for s in states))
    return table
