"""Loading build folders, of both modes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from dfcompile import serialize
from dfcompile.accelerator import Accelerator
from dfcompile.loopback_accelerator import from_parts


def load(out: str | Path) -> Accelerator:
    """A saved build; CompileError when the folder is none. A loopback build has the same methods."""
    folder = Path(out)
    parts = serialize.read(folder)
    try:
        report = json.loads((folder / "report.json").read_text())
    except (OSError, ValueError):
        report = {}
    if parts.get("mode") == "loopback":
        return cast(Accelerator, from_parts(parts, report))
    return Accelerator(report=report, **parts)
