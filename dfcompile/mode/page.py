"""Writing the report of a saved build."""

from __future__ import annotations

from pathlib import Path

import jinja2

from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.schema import SchemaError
from dfcompile.mode.serialize import bad_build
from dfcompile.store.files import writing
from dfcompile.store.output import add_files

REPORT = "report.html"


def write_report(out: Path) -> Path:
    """Write ``report.html`` of the saved build `out` and return its path.

    CompileError when `out` is no build or cannot be written, or when the file there is the user's.
    """
    from dfcompile.mode.saved import load

    made = load(out)
    with add_files(out, [REPORT]) as folder:
        text = draw_report(made, Path(out))
        with writing(out):
            (folder / REPORT).write_text(text, encoding="utf-8", errors="replace")
    return Path(out) / REPORT


def draw_report(made: Accelerator, out: Path) -> str:
    """The page of a build loaded from `out`; CompileError when its report.json is not what the page shows."""
    try:
        return made.page()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, jinja2.TemplateError) as e:
        raise bad_build(out, SchemaError(f"report.json: it lacks the numbers of this report: {type(e).__name__}: {e}")) from e


def draw_pair(first: Path, second: Path) -> str:
    """The page of two saved builds side by side. CompileError where one is none, or its report.json is not what the page shows."""
    from dfcompile.mode.saved import load
    from dfcompile.report.pair import render_pair

    names = (first.resolve().name, second.resolve().name)
    if names[0] == names[1]:
        names = (str(first), str(second))
    reports = load(first).report, load(second).report
    for out, report in zip((first, second), reports, strict=True):
        try:
            render_pair(names, (report, report))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as e:
            raise bad_build(out, SchemaError(f"report.json: it lacks the numbers of this report: {type(e).__name__}: {e}")) from e
    return render_pair(names, reports)
