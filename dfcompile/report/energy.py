"""The energy model of a build on its page: shares of a frame, and what switches most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfcompile.report import svg

SHARES = {
    "dynamic_uj": "dynamic: logic, clock, block RAMs and DSP slices",
    "memory_uj": "external memory",
    "static_uj": "static: the device whatever it does",
    "board_uj": "board: all else on it",
}
MOST = 12
"""Units that are listed."""


def energy_of(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the page shows of report.json's energy; None where the model has no figures."""
    found = report.get("energy") or {}
    if found.get("frame_uj") is None:
        return None
    rate, frame = report["timing"]["fps"], found["frame_uj"]
    shares = [
        {"about": about, "uj": found[key], "watts": found[key] * 1e-6 * rate, "share": found[key] / frame}
        for key, about in SHARES.items()
        if found[key] is not None
    ]
    units = sorted(found["units"], key=lambda u: (-u["dynamic_uj"], u["name"]))[:MOST]
    return {**found, "shares": shares, "units": units, "peak": max((u["dynamic_uj"] for u in units), default=0.0) or 1.0}


def energy_tile(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The tile of the energy, where there is one."""
    found = energy_of(report)
    return [("Energy of a frame", f"{svg.number(found['frame_uj'])} µJ", f"{found['watts']:.3g} W; a model")] if found else []
