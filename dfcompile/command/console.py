"""What the command line shows: errors and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from dfcompile.errors import Problem
from dfcompile.mode.summary import lines_of
from dfcompile.store.waiting import shown_by
from dfcompile.text import one_line

if TYPE_CHECKING:
    from dfcompile.options import Options
    from dfcompile.propose import Proposal

Report = Callable[[str], None]


def show_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stderr in the one form, a blank line between them."""
    print("\n\n".join(str(p) for p in problems), file=sys.stderr)


def show_json(value: Any) -> None:
    """Print a value to stdout as JSON."""
    print(json.dumps(value, indent=2, default=str))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout; columns whose cells are all numbers are set right."""
    cells = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(_cell(c) for c in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no width: do not fold what a script reads
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:,.2f}".rstrip("0").rstrip(".")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}"
    else:
        text = str(value)
    return text.replace("[", r"\[")


def show_build(report: dict[str, Any], out: Path) -> None:
    """Print what a build has come to."""
    print("\n".join([*lines_of(report), f"  written to {one_line(str(out))}"]))


def show_verdict(name: str, found: dict[str, Any]) -> None:
    """Print what the verification of an engine has come to."""
    text = f"{name}: {'pass' if found['pass'] else 'FAIL'}, {found['frames']} frames, {found['mismatches']} mismatches"
    if found.get("interval_cycles") is not None:
        for what in ("interval", "latency"):
            text += f", {what} {found[f'{what}_cycles']:,} cycles (predicted {found[f'predicted_{what}_cycles']:,})"
    print(text + (f"\n  first mismatch: {found['first_mismatch']}" if found.get("first_mismatch") else ""))


def show_proposal(found: Proposal | None, model: Path, settings: Options, does: str = "compiles") -> None:
    """Print the largest part of a model that compiles, as a command to copy. The whole is none."""
    if found and (found.start or found.end):
        given = (("--from", found.start), ("--to", found.end), ("--input-type", () if found.start else settings.input_type))
        options = [x for name, values in given for v in values for x in (name, v)]
        options += ["--mode", settings.mode] if settings.mode == "loopback" or does == "fits" else []
        asked = ("board", "fps", "interval", "clock") if does == "fits" else ()
        options += [x for name in asked if (value := getattr(settings, name)) for x in (f"--{name}", f"{value}")]
        command = shlex.join(["dfcompile", "build", str(model), "-o", "OUT", *options])
        share = f"{found.macs:,} of the model's {found.whole:,} multiplications"
        print(f"\nthe largest part that {does}, with {share}:\n  {command}", file=sys.stderr)


@contextmanager
def progress(quiet: bool) -> Iterator[Report]:
    """Yield a function that shows the text of the present step on stderr.

    A text with ``3/40`` in it moves a bar. Where stderr is no terminal, each step is one line, and bars are left out; one that is taken up
    again behind other steps is no new line.
    """
    if quiet:
        yield lambda text: None
    elif sys.stderr.isatty():
        with _bars() as bars, shown_by(report := _mover(bars)):
            yield report
    else:
        with shown_by(report := _liner(time.monotonic())):
            yield report


def _bars() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


_FRACTION = re.compile(r"\s*\b(\d+)/(\d+)\b")


def _mover(bars: Progress) -> Report:
    shown: list[tuple[str, TaskID]] = []

    def move(text: str) -> None:
        found = _FRACTION.search(text)
        title = _FRACTION.sub("", text, count=1)
        if not shown or shown[-1][0] != title:
            for _, task in shown[-1:]:
                bars.remove_task(task)
            shown.append((title, bars.add_task(title.replace("[", r"\["), total=None)))
        if found:
            bars.update(shown[-1][1], completed=int(found[1]), total=int(found[2]))

    return move


def _liner(start: float) -> Report:
    last, said = "", set[str]()

    def line(text: str) -> None:
        nonlocal last
        title = _FRACTION.sub("", text, count=1)
        if title in said and title != text:
            return
        said.add(title)
        if title != last:
            print(f"[{time.monotonic() - start:6.1f} s] {title}", file=sys.stderr, flush=True)
        last = title

    return line


def show_bug(error: BaseException, debug: bool) -> None:
    """Say that the compiler failed; the traceback goes to a file, or to stderr when `debug`."""
    text = "".join(traceback.format_exception(error))
    print(f"this is a bug in dfcompile: {type(error).__name__}: {error}", file=sys.stderr)
    log = platformdirs.user_log_path("dfcompile") / "last-error.log"
    if not debug and _written(log, text):
        print(f"  details: {log}\n  help: please report it with this file and, if you may, the model", file=sys.stderr)
    else:
        print(text, file=sys.stderr)


def _written(path: Path, text: str) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return False
    return True
