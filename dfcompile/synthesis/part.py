"""Parts of an accelerator that are synthesised each by itself, and the table of what they really take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dfcompile.device.resources import Resources
from dfcompile.synthesis.unit import Synthesis
from dfcompile.tasks.pool import Pool
from dfcompile.tasks.task import Task, gather

WORKERS = 2  # a synthesis takes one core and up to a gigabyte
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """Something that is synthesised by itself, from one module or several."""

    name: str
    kind: str
    estimate: Resources
    modules: tuple[Synthesis, ...]


def synthesise_parts(parts: Sequence[Part], pool: Pool, progress: Progress = lambda text: None) -> dict[str, Any]:
    """Real beside estimated area: {"units": [{"name", "kind", "synthesised", "estimated"}], "total": {"synthesised", "estimated"}}.

    CompileError where the tool is missing or fails.
    """
    tasks = {m: Task(m.key, m.run) for part in parts for m in part.modules}
    many = len({t.key for t in tasks.values()})
    progress(f"synthesise 0/{many}")
    areas = gather(list(tasks.values()), pool, lambda count: progress(f"synthesise {count}/{many}"))
    return table_of_parts(parts, dict(zip(tasks, areas, strict=True)))


def table_of_parts(parts: Sequence[Part], areas: dict[Synthesis, Resources]) -> dict[str, Any]:
    """As `synthesise_parts`, from the area of each module."""
    real = [sum((areas[m] for m in part.modules), Resources()) for part in parts]
    rows = [
        {"name": p.name, "kind": p.kind, "synthesised": r._asdict(), "estimated": p.estimate._asdict()}
        for p, r in zip(parts, real, strict=True)
    ]
    sums = (sum(real, Resources()), sum((p.estimate for p in parts), Resources()))
    return {"units": rows, "total": {"synthesised": sums[0]._asdict(), "estimated": sums[1]._asdict()}}
