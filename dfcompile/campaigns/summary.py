"""What a campaign has come to: a line for each case with its figures, and which of them no other beats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dfcompile.campaigns.run import SYNTH, Row, Run
from dfcompile.device.cost import RESOURCES


def summary(run: Run) -> dict[str, Any]:
    """As ``campaign.json`` holds it: {"cases": [{"model", "board", ..., "build", "steps", "figures", "front"}]}; the same bytes for the
    same results."""
    cases = [_case(run, row) for row in run.rows]
    return {"schema": 1, "cases": [{**case, "front": best} for case, best in zip(cases, on_front(cases), strict=True)]}


def on_front(cases: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Of each case whether it was built and no other of its network and board beats it."""
    return [bool(case["figures"]) and not any(_beats(other, case) for other in cases) for case in cases]


def _case(run: Run, row: Row) -> dict[str, Any]:
    options, built = row.case.options, run.outcome(row.build)
    ended = {name: run.outcome(key) for name, key in row.keys.items()}
    place = run.results.build(row.model, row.build)
    there = built is not None and not built.problems
    return {
        "model": row.model,
        "board": options.target.name if options.target else None,
        "mode": options.mode,
        "fps": options.fps,
        "interval": options.interval,
        "folding": row.case.options.folding and str(options.folding).rpartition("/")[2],
        "build": place.relative_to(run.results.folder).as_posix() if there else None,
        "steps": {
            name: {"state": run.state(row, name), "problems": [asdict(p) for p in outcome.problems] if outcome else []}
            for name, outcome in ended.items()
        },
        "figures": _figures(json.loads((place / "report.json").read_text(encoding="utf-8")), ended.get(SYNTH)) if there else None,
    }


def _figures(report: Mapping[str, Any], synth: Any) -> dict[str, Any]:
    real = synth.value["total"]["synthesised"] if synth and not synth.problems else None
    area, budget, timing = real or report["resources"], report.get("budget") or {}, report["timing"]
    made = report.get("implementation")
    return {
        "mode": report["mode"],
        "clock_mhz": report["clock_mhz"],
        **{k: timing[k] for k in ("fps", "interval_cycles", "latency_cycles")},
        "resources": {r: area[r] for r in RESOURCES},
        "synthesised": bool(real),
        "used": max((area[r] / budget[r] for r in RESOURCES if budget.get(r)), default=None),
        "fmax_mhz": made["fmax_mhz"] if made else None,
    }


def cost(figures: Mapping[str, Any]) -> float:
    """What a design takes: the fullest resource's share of its board, or LUTs where it has none."""
    return float(figures["resources"]["lut"] if figures["used"] is None else figures["used"])


def _beats(other: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Whether another build of the same network for the same board is as fast and as small, and one of them more."""
    a, b = other["figures"], case["figures"]
    if not a or (other["model"], other["board"]) != (case["model"], case["board"]):
        return False
    better = (a["fps"] >= b["fps"], cost(a) <= cost(b), a["fps"] > b["fps"] or cost(a) < cost(b))
    return all(better)


def label(case: Mapping[str, Any]) -> str:
    """What was asked for in a case, in a few words."""
    rate = next((f"{case[k]:,g} {unit}" for k, unit in (("fps", "fps"), ("interval", "cycles")) if case[k]), case["folding"])
    return ", ".join(str(v) for v in (case["model"], case["board"], case["mode"], rate) if v)


def groups(cases: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Cases by network and board, in their order."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for case in cases:
        found.setdefault((case["model"], case["board"] or ""), []).append(case)
    return found
