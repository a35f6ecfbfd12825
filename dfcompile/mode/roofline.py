"""Dataflow or loopback: which mode a network should run in, and why, by one comparison of frame rates under the rooflines."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.traffic import LayerTraffic


@dataclass(frozen=True)
class Roofline:
    """What a mode does on a board, and what bounds it, in frames per second.

    compute_fps:   multipliers * clock / multiplications of a frame
    bandwidth_fps: bytes a second of the memory / bytes of a frame
    fps:           what it reaches
    lanes:         multipliers
    frame_bytes:   bytes of external memory that a frame moves
    exact:         False where fps is an upper bound
    """

    compute_fps: float
    bandwidth_fps: float
    fps: float
    lanes: int = 0
    frame_bytes: float = 0.0
    exact: bool = True

    @property
    def limit(self) -> str:
        return "compute" if self.compute_fps <= self.bandwidth_fps else "bandwidth"

    def __str__(self) -> str:
        made = f"{'' if self.exact else 'at most '}{rate(self.fps)} frames/s"
        return f"{made} under a compute roof of {rate(self.compute_fps)} and a bandwidth roof of {rate(self.bandwidth_fps)}"


def rate(fps: float) -> str:
    """Frames per second, to three digits at least."""
    return f"{fps:,.0f}" if fps >= 100 else f"{fps:.3g}"


def roofline(
    layers: tuple[LayerTraffic, ...],
    config: EngineConfig,
    cycles: float,
    batch: int,
    clock: float,
    memory: float = math.inf,
    copies: int = 1,
) -> Roofline:
    """Rates of so many engines with a run of `batch` frames every `cycles` at `clock` MHz. memory: bytes a second of the board's"""
    hertz = clock * 1e6
    macs, size = sum(x.macs for x in layers), sum(x.constant_bytes + x.act_bytes for x in layers)
    lanes = config.multipliers * copies
    compute, bandwidth = lanes * hertz * batch / macs, min(config.bus_bytes * hertz * copies, memory) * batch / size
    return Roofline(compute, bandwidth, min(hertz * batch / cycles, memory * batch / size), lanes, size / batch)


@dataclass(frozen=True)
class Choice:
    """The mode, one sentence that says why, and the figures of both modes. The mode is "" where neither reaches the wanted rate."""

    mode: str
    why: str
    numbers: dict[str, Any]


def choose_mode(dataflow: Roofline | str, loopback: Roofline | str, wanted_fps: float | None, board: str) -> Choice:
    """Dataflow where it fits the board at the wanted rate; where none is wanted the faster mode, by rates that are no bounds; else loopback
    where it reaches the rate.

    dataflow, loopback: figures of the best design on the board, or why there is none
    """
    sides = {"dataflow": dataflow, "loopback": loopback}
    numbers = {"wanted_fps": wanted_fps} | {
        k: {"runs": False, "why": s} if isinstance(s, str) else {"runs": True, **dataclasses.asdict(s)} for k, s in sides.items()
    }
    reaching = [k for k, s in sides.items() if isinstance(s, Roofline) and (wanted_fps is None or s.fps >= wanted_fps)]
    if wanted_fps is None:  # of equal ones dataflow, whose first result comes sooner
        reaching.sort(key=lambda k: -_rate_of(sides[k]))
    mode = reaching[0] if reaching else ""
    return Choice(mode, _sentence(mode, sides, wanted_fps, board), numbers)


def _rate_of(side: Roofline | str) -> float:
    """What a mode is known to reach."""
    return side.fps if isinstance(side, Roofline) and side.exact else 0.0


def _sentence(mode: str, sides: dict[str, Roofline | str], wanted_fps: float | None, board: str) -> str:
    asked = f", {rate(wanted_fps)} are asked" if wanted_fps else ""
    d, o = sides["dataflow"], sides["loopback"]
    other = f"loopback cannot run it: {o}" if isinstance(o, str) else f"loopback {'reaches' if o.exact else 'would reach'} {o}"
    first = f"no dataflow design fits {board}: {d}" if isinstance(d, str) else f"a dataflow design fits {board} with {d}{asked}"
    faster = ", which is faster" if mode == "loopback" and not isinstance(d, str) and wanted_fps is None else ""
    return f"{first}; {other}{faster}"
