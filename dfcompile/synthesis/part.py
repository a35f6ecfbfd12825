"""Parts of an accelerator that are synthesised each by itself, and the table of what they really take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dfcompile.device.resources import Resources

WORKERS = 2  # a synthesis takes one core and up to a gigabyte
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Part:
    """Something that is synthesised by itself.

    synthesise: its real area; CompileError when the tool is missing or fails
    """

    name: str
    kind: str
    estimate: Resources
    synthesise: Callable[[], Resources]


def synthesise_parts(parts: Sequence[Part], progress: Progress | None = None) -> dict[str, Any]:
    """Real beside estimated area: {"units": [{"name", "kind", "synthesised", "estimated"}], "total": {"synthesised", "estimated"}}."""
    done = 0

    def run(part: Part) -> Resources:
        nonlocal done
        found = part.synthesise()
        done += 1
        if progress:
            progress(f"synthesise {done}/{len(parts)}")
        return found

    if progress:
        progress(f"synthesise 0/{len(parts)}")
    with ThreadPoolExecutor(WORKERS) as pool:
        areas = list(pool.map(run, parts))
    rows = [
        {"name": p.name, "kind": p.kind, "synthesised": dataclasses.asdict(real), "estimated": dataclasses.asdict(p.estimate)}
        for p, real in zip(parts, areas, strict=True)
    ]
    sums = (sum(areas, Resources()), sum((p.estimate for p in parts), Resources()))
    return {"units": rows, "total": {"synthesised": dataclasses.asdict(sums[0]), "estimated": dataclasses.asdict(sums[1])}}
