"""The build as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path


def write_report(out: Path) -> Path:
    """Write ``report.html`` of the saved build `out` and return its path; CompileError when `out` is no build."""
    from dfcompile.loopback_accelerator import LoopbackAccelerator
    from dfcompile.report.loopback_page import render_loopback
    from dfcompile.report.page import render_report
    from dfcompile.saved import load

    target, made = Path(out) / "report.html", load(out)
    text = render_loopback(made) if isinstance(made, LoopbackAccelerator) else render_report(made)
    target.write_text(text, encoding="utf-8")
    return target
