"""What a verification says, in both modes: how many beats differ, the first of them, and which part is to blame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcompile.errors import CompileError
from dfcompile.units.base import Array, Stream

DEFAULT_STALLS = 0.3
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Difference:
    """Beats of one output that differ, and the first of them."""

    beats: int
    output: str
    frame: int
    beat: int
    got: list[int]
    wanted: list[int]

    def __str__(self) -> str:
        return f"{self.output}, frame {self.frame}, beat {self.beat}: {self.got}, wanted {self.wanted}"


def compare(name: str, stream: Stream, got: Array, wanted: Array) -> Difference | None:
    """Beats of a stream that differ, None when all are equal. Frames are (n, h, w, c)."""
    lanes = [stream.arrange(np.asarray(x)) for x in (got, wanted)]
    wrong = np.argwhere((lanes[0] != lanes[1]).any(axis=2))
    if not len(wrong):
        return None
    frame, beat = map(int, wrong[0])
    values = [x[frame, beat].astype(np.int64).tolist() for x in lanes]
    return Difference(len(wrong), name, frame, beat, values[0], values[1])


def compared(found: Sequence[Difference], frames: int, blame: Callable[[], str]) -> dict[str, Any]:
    """The result of an engine that ran. blame: a sentence on the part that is wrong, asked for only where something differs."""
    first = f"{found[0]}; {blame()}" if found else None
    return {"pass": not found, "frames": frames, "mismatches": sum(d.beats for d in found), "first_mismatch": first}


def no_result(error: CompileError, frames: int, beats: int, blame: Callable[[], str]) -> dict[str, Any]:
    """The result of an engine that gave none; a missing tool is not the design's fault and goes on to the user."""
    problem = error.problems[0]
    if problem.code in ("missing-tool", "tool-failed"):
        raise error
    # A deadlock is between units, each of which is right alone.
    first = f"{problem.what}: {problem.why}" if problem.code == "deadlock" else f"{problem.what}: {problem.where or problem.why}; {blame()}"
    return {"pass": False, "frames": frames, "mismatches": beats, "first_mismatch": first}
