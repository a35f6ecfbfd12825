"""The build as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path


def write_report(out: Path) -> Path:
    """Write ``report.html`` of the saved build `out` and return its path; CompileError when `out` is no build."""
    from dfcompile.report.page import render_report
    from dfcompile.saved import load

    target = Path(out) / "report.html"
    target.write_text(render_report(load(out)), encoding="utf-8")
    return target
