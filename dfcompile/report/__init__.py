"""The build as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

from dfcompile.files import writing
from dfcompile.output import add_files

REPORT = "report.html"


def write_report(out: Path) -> Path:
    """Write ``report.html`` of the saved build `out` and return its path.

    CompileError when `out` is no build or cannot be written, or when the file there is the user's.
    """
    from dfcompile.loopback_accelerator import LoopbackAccelerator
    from dfcompile.report.loopback_page import render_loopback
    from dfcompile.report.page import render_report
    from dfcompile.saved import load

    made = load(out)
    with add_files(out, [REPORT]) as folder:
        text = render_loopback(made) if isinstance(made, LoopbackAccelerator) else render_report(made)
        with writing(out):
            (folder / REPORT).write_text(text, encoding="utf-8")
    return Path(out) / REPORT
